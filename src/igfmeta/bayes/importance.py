"""Importance sampling: weights, their effective sample size, and how heavy their tail is."""

from __future__ import annotations

import numpy as np

from igfmeta.numerics import Floats

#: Above this the estimates are not reliable (Vehtari et al. 2024, J Mach Learn Res 25:72).
PARETO_K_LIMIT = 0.7


def normalized(log_weights: Floats) -> Floats:
    """Return weights that add up to 1."""
    raw = np.exp(log_weights - log_weights.max())
    return np.asarray(raw / raw.sum())


def effective_size(weights: Floats) -> float:
    """Return 1 / sum of squared normalized weights: how many equal draws they are worth (Kong 1992).

    Examples
    --------
    >>> round(effective_size(np.array([0.25, 0.25, 0.25, 0.25])), 6)
    4.0
    """
    return float(1 / np.sum(weights**2))


def pareto_k(weights: Floats) -> float:
    """Return the shape of a generalized Pareto distribution fitted to the largest weights; -inf for equal ones.

    The number of weights in the tail is min(n / 5, 3 sqrt(n)) (Vehtari et al. 2024, sec. 2.4); the fit is the
    quasi-Bayesian one of Zhang & Stephens (2009), Technometrics 51:316, with their weak prior around 0.5.
    """
    ordered = np.sort(weights)
    n = len(ordered)
    m = int(min(0.2 * n, 3 * np.sqrt(n)))
    if m < 5:
        return float("inf")
    x = ordered[n - m :] - ordered[n - m - 1]
    return _pareto_shape(x) if x[-1] > 1e-12 * ordered[-1] else float("-inf")


def _pareto_shape(x: Floats) -> float:
    """Return the shape of exceedances `x`, in increasing order (Zhang & Stephens 2009, eq. 9 to 12)."""
    n = len(x)
    m = 20 + int(np.sqrt(n))
    quartile = max(x[int(n / 4 + 0.5) - 1], np.finfo(float).tiny)
    theta = 1 / x[-1] + (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quartile)
    shapes = np.mean(np.log1p(-theta[:, None] * x), axis=1)
    profile = n * (np.log(-theta / shapes) - shapes - 1)
    weight = normalized(profile)
    shape = float(np.mean(np.log1p(-np.sum(weight * theta) * x)))
    return (n * shape + 10 * 0.5) / (n + 10)
