"""Batched numerics that models and bayes share: quantiles, and a bracketed root search that cannot fail.

Only `scipy.special` is imported: `scipy.optimize` and `scipy.stats` cost half a second or more at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def t_quantile(p: Any, df: Any) -> Any:
    """Return Student's t quantile; infinite `df` gives the normal one.

    Examples
    --------
    >>> float(t_quantile(0.975, 12).round(6)), float(t_quantile(0.975, np.inf).round(6))
    (2.178813, 1.959964)
    """
    df = np.asarray(df, dtype=float)
    if df.size > 64 and np.ndim(p) == 0:
        # The quantile is slow to compute, and a batch has few different degrees of freedom.
        distinct, inverse = np.unique(df, return_inverse=True)
        return t_quantile(p, distinct)[inverse.reshape(df.shape)] if distinct.size < df.size else _t_quantile(p, df)
    return _t_quantile(p, df)


def _t_quantile(p: Any, df: Floats) -> Any:
    finite = np.isfinite(df)
    return np.where(finite, special.stdtrit(np.where(finite, df, 1.0), p), special.ndtri(p))


def t_two_sided(statistic: Any, df: Any) -> Any:
    """Return the two-sided p-value of a t statistic; infinite `df` is the normal test."""
    size, df = -np.abs(np.asarray(statistic, dtype=float)), np.asarray(df, dtype=float)
    finite = np.isfinite(df)
    return np.where(finite, 2 * special.stdtr(np.where(finite, df, 1.0), size), 2 * special.ndtr(size))


def chi2_quantile(p: Any, df: Any) -> Any:
    """Return the chi-squared quantile of lower-tail probability `p`."""
    return special.chdtri(df, 1.0 - np.asarray(p, dtype=float))


def chi2_upper(x: Any, df: Any) -> Any:
    """Return P(chi-squared with `df` degrees of freedom > x)."""
    return special.chdtrc(df, x)


def row_sum(x: Floats) -> Floats:
    """Return the sums over the last axis; as a product with ones, several times faster than `sum` on short rows."""
    return np.asarray(x @ np.ones(x.shape[-1]))


def batched_root(
    f: Callable[[Floats], Floats], low: Floats, high: Floats, *, xtol: float = 1e-15, steps: int = 200
) -> Floats:
    """Return, for each element, the root of `f` in its bracket, by bisection made fast with Illinois steps.

    Parameters
    ----------
    f : callable
        Maps an array of shape (batch,) to an array of the same shape; each element depends on its own argument only.
    low, high : ndarray of shape (batch,)
        A bracket each, with f(low) and f(high) of opposite sign (or zero). Where the signs agree the end at which f is
        nearer zero is returned: the caller decides beforehand what a missing root means.
    xtol : float
        Stop when every bracket is shorter than xtol * max(|low|, |high|).

    Notes
    -----
    Each third step is a plain bisection, so that the bracket shrinks at least by half in three evaluations.
    """
    a, b = np.array(low, dtype=float), np.array(high, dtype=float)
    fa, fb = f(a), f(b)
    done = (np.sign(fa) * np.sign(fb)) >= 0
    best = np.where(np.abs(fa) <= np.abs(fb), a, b)
    for step in range(steps):
        width = np.abs(b - a)
        done |= width <= xtol * np.maximum(np.abs(a), np.abs(b))
        if done.all():
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            x = b - fb * (b - a) / (fb - fa)
        inside = (x > np.minimum(a, b)) & (x < np.maximum(a, b))
        x = np.where(inside & (step % 3 != 2), x, 0.5 * (a + b))
        x = np.where(done, best, x)
        fx = f(x)
        crossed = np.sign(fx) * np.sign(fb) < 0
        a, fa = np.where(crossed, b, a), np.where(crossed, fb, 0.5 * fa)
        b, fb = np.where(done, b, x), np.where(done, fb, fx)
        best = np.where(done, best, x)
        done |= fx == 0
    return best
