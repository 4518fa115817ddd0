"""Numerics that effects, models and bayes share: quantiles and row sums.

Only `scipy.special` is imported: `scipy.optimize` and `scipy.stats` cost half a second or more at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def t_quantile(p: Any, df: Any) -> Any:
    """Return Student's t quantile; infinite `df` gives the normal one.

    Examples
    --------
    >>> float(t_quantile(0.975, 12).round(6)), float(t_quantile(0.975, np.inf).round(6))
    (2.178813, 1.959964)
    """
    return _once_for_equal(_t_quantile, p, np.asarray(df, dtype=float))


def _once_for_equal(quantile: Callable[[Any, Floats], Any], p: Any, df: Floats) -> Any:
    """Return quantiles that are slow to compute, once for equal degrees of freedom: a batch has few different ones."""
    if df.size <= 64 or np.ndim(p) > 0:
        return quantile(p, df)
    distinct, inverse = np.unique(df, return_inverse=True)
    return quantile(p, distinct)[inverse.reshape(df.shape)]


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
    return _once_for_equal(
        lambda p, df: special.chdtri(df, 1.0 - np.asarray(p, dtype=float)), p, np.asarray(df, dtype=float)
    )


def chi2_upper(x: Any, df: Any) -> Any:
    """Return P(chi-squared with `df` degrees of freedom > x)."""
    return special.chdtrc(df, x)


def f_upper(x: Any, df1: Any, df2: Any) -> Any:
    """Return P(F with (df1, df2) degrees of freedom > x); infinite `df2` is chi-squared over its degrees of freedom."""
    df2 = np.asarray(df2, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(df2), special.chdtrc(df1, df1 * x), special.fdtrc(df1, df2, x))


def concatenated[Arrays: DataclassInstance](parts: list[Arrays]) -> Arrays:
    """Return dataclasses of arrays, each a batch, as one batch."""
    columns = zip(*(part.__dict__.values() for part in parts), strict=True)
    return type(parts[0])(*(np.concatenate(values) for values in columns))


def row_sum(x: Floats) -> Floats:
    """Return the sums over the last axis; as a product with ones, several times faster than `sum` on short rows."""
    return np.asarray(x @ np.ones(x.shape[-1]))
