"""Data sets with moderators as the kernel sees them: validated, with orthonormal columns, residuals, and a scale.

Arrays run (k, batch): studies first, so that sums over studies run along memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError, Problem
from igfmeta.models.regression.projection import orthonormal, project, triangular_inverse
from igfmeta.numerics import Floats, Mask

#: A column is a combination of those before it where less than this share of its length is left without them.
ALIASED = 1e-10

#: Residuals below this many rounding errors of the effects are no heterogeneity.
EXACT = 32 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Regressions:
    """Data sets of one design or of one each; left-out studies have y = 0, v = inf and a row of zeros.

    Attributes
    ----------
    y, v : ndarray of shape (k, batch)
        Residuals of the unweighted regression in units of sqrt(scale); variances in units of scale.
    basis : ndarray of shape (p, k, batch)
        Orthonormal columns that span those of X.
    back : ndarray of shape (batch, p, p)
        Turns coefficients of `basis` into coefficients of X.
    start : ndarray of shape (batch, p)
        Coefficients of the unweighted regression, in the units of the data.
    mask : ndarray of bool, shape (k, batch)
    k, df, scale : ndarray of shape (batch,)
        Number of studies, k - p, median variance.
    estimable : ndarray of bool, shape (batch,)
        Whether there are more studies than coefficients and no column is a combination of the others.
    """

    y: Floats
    v: Floats
    basis: Floats
    back: Floats
    start: Floats
    mask: Mask
    k: Floats
    df: Floats
    scale: Floats
    estimable: Mask

    @property
    def p(self) -> int:
        return len(self.basis)

    def __len__(self) -> int:
        return int(self.y.shape[1])

    def rows(self, index: Any) -> Regressions:
        """Return the data sets of `index` (a mask or positions)."""
        return Regressions(
            self.y[:, index], self.v[:, index], self.basis[:, :, index], self.back[index], self.start[index],
            self.mask[:, index], self.k[index], self.df[index], self.scale[index], self.estimable[index],
        )  # fmt: skip


def checked_design(x: Any, k: int) -> Floats:
    """Return a design as an array of shape (batch or 1, k, p).

    Raises
    ------
    InputError
        A shape that does not fit, or values that are not finite, each named with row and column.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise InputError(f"X holds {array.dtype}; accepted are numbers. Code groups as columns of 0 and 1.")
    array = array.astype(float)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1] != k or not array.shape[2]:
        raise InputError(
            f"X has shape {np.shape(x)}; accepted is (k, p) or (batch, k, p) with k = {k} studies and p >= 1 columns."
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise InputError(
            [
                Problem(f"X is {array[b, i, j]:g}; accepted is a finite number.", row=int(i) + 1, column=f"X[{j}]")
                for b, i, j in bad
            ]
        )
    return array


def prepare(yi: Any, vi: Any, x: Any, mask: Any = None) -> Regressions:
    """Return validated data sets.

    Parameters
    ----------
    yi, vi : array_like of shape (k,) or (batch, k)
    x : array_like of shape (k, p) or (batch, k, p)
        The moderators, with a column of ones for the intercept if there is to be one.
    mask : array_like of bool, broadcastable to (batch, k), optional

    Raises
    ------
    InputError
        See `igfmeta.datasets.checked` and `checked_design`.
    """
    y, v, m = checked(yi, vi, mask)
    design = checked_design(x, y.shape[1])
    n = max(len(y), len(design))
    if {len(y), len(design)} - {1, n}:
        raise InputError(f"yi has {len(y)} data sets, X {len(design)}; accepted are equal numbers, or one of either.")
    shape = (n, y.shape[1])
    inside = np.ascontiguousarray(np.broadcast_to(m, shape).T)
    effects, variances = (np.ascontiguousarray(np.broadcast_to(a, shape).T) for a in (y, v))
    columns = np.where(inside, np.broadcast_to(design.transpose(2, 1, 0), (design.shape[2], *inside.shape)), 0.0)
    return arrange(np.where(inside, effects, 0.0), np.where(inside, variances, np.inf), columns, inside)


def arrange(y: Floats, v: Floats, columns: Floats, mask: Mask) -> Regressions:
    """Return data sets from arrays of shape (k, batch) and (p, k, batch), left-out studies already 0, inf and 0."""
    p, k = len(columns), mask.sum(axis=0).astype(float)
    unit = np.max(np.abs(columns), axis=1, keepdims=True)
    unit = np.where(unit > 0, unit, 1.0)
    basis, r, aliased = orthonormal(columns / unit, threshold=ALIASED)
    coef, residual = project(basis, y)
    fits = np.abs(residual).max(axis=0, initial=0.0) <= EXACT * np.abs(y).max(axis=0, initial=0.0)
    back = triangular_inverse(r) / unit[:, 0].T[:, :, None]
    at = (np.maximum(k - 1, 0) // 2).astype(int)
    scale = np.sort(v, axis=0)[at, np.arange(len(k))] if len(v) else np.ones(len(k))
    scale = np.where(k > 0, scale, 1.0)
    return Regressions(
        y=np.where(fits, 0.0, residual) / np.sqrt(scale),
        v=v / scale,
        basis=basis,
        back=back,
        start=np.einsum("nij,jn->ni", back, coef),
        mask=mask,
        k=k,
        df=k - p,
        scale=scale,
        estimable=(k > p) & ~aliased.any(axis=0),
    )
