"""Schwarzer's rank test for sparse counts: deviations of a cell from its expectation given the margins."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.begg import kendall_normal
from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.numerics import Floats


def schwarzer(data: Funnel) -> Asymmetry:
    """Return the rank correlation of (a - E)/sqrt(V) with 1/V, normal with the variance for ties (2007, eq. 3).

    E and V are the mean and the variance of the events in arm 1 given the margins, from the non-central hypergeometric
    distribution at the Mantel-Haenszel odds ratio of all studies.

    References
    ----------
    Schwarzer, Antes & Schumacher 2007, Stat Med 26:721.
    """
    a, n1, c, n2 = data.counts.T
    n = n1 + n2
    ratio = np.sum(a * (n2 - c) / n) / np.sum(c * (n1 - a) / n)
    mean, variance = noncentral_hypergeometric(n1, n2, a + c, float(ratio))
    return kendall_normal((a - mean) / np.sqrt(variance), 1 / variance)


def noncentral_hypergeometric(n1: Floats, n2: Floats, e: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Return mean and variance of the events in arm 1 given e events in all, at an odds ratio (Fisher 1935).

    Examples
    --------
    >>> mean, variance = noncentral_hypergeometric(np.array([10.0]), np.array([10.0]), np.array([4.0]), 1.0)
    >>> mean.round(6).tolist(), variance.round(6).tolist()
    ([2.0], [0.842105])
    """
    from scipy.special import gammaln

    x = np.arange(int(np.minimum(n1, e).max()) + 1, dtype=float)
    low, high = np.maximum(0.0, e - n2)[:, None], np.minimum(n1, e)[:, None]
    possible = (x >= low) & (x <= high)
    at = np.where(possible, x, low)
    n1, n2, e = n1[:, None], n2[:, None], e[:, None]
    logs = (at * np.log(ratio) - gammaln(at + 1) - gammaln(n1 - at + 1) - gammaln(e - at + 1)
            - gammaln(n2 - e + at + 1))  # fmt: skip
    logs = np.where(possible, logs, -np.inf)
    p = np.exp(logs - logs.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    mean = (p * at).sum(axis=1)
    return mean, (p * (at - mean[:, None]) ** 2).sum(axis=1)
