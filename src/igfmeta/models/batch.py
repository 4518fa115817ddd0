"""Data sets as the kernel sees them: validated, masked, centred and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError, Problem
from igfmeta.numerics import Floats, Mask

#: How far effects (in standard errors) and variances (as a ratio) may lie from the others of their data set: squares of
#: effects times cubes of weights must stay finite.
FARTHEST = 1e50


@dataclass(frozen=True, eq=False)
class Batch:
    """Data sets of shape (batch, k), centred at `centre` and in units of `scale`.

    Left-out elements have yi = 0 and vi = inf, so that their weight 1/(vi + tau2) is exactly 0.

    Attributes
    ----------
    yi, vi : ndarray of shape (batch, k)
        Centred effects in units of sqrt(scale), variances in units of scale.
    mask : ndarray of bool, shape (batch, k)
    k : ndarray of shape (batch,)
        Number of studies.
    centre, scale : ndarray of shape (batch,)
        A weighted mean, and the median variance.
    """

    yi: Floats
    vi: Floats
    mask: Mask
    k: Floats
    centre: Floats
    scale: Floats

    def rows(self, index: Any) -> Batch:
        """Return the data sets of `index` (a mask or positions)."""
        return Batch(
            self.yi[index], self.vi[index], self.mask[index], self.k[index], self.centre[index], self.scale[index]
        )

    def __len__(self) -> int:
        return len(self.yi)


def prepare(yi: Any, vi: Any, mask: Any = None) -> Batch:
    """Return validated data sets, centred and scaled so that no tolerance in the kernel is absolute.

    Parameters
    ----------
    yi, vi : array_like of shape (k,) or (batch, k)
        Effects on the analysis scale and their sampling variances.
    mask : array_like of bool, broadcastable to (batch, k), optional
        True for the studies that belong to a data set.

    Raises
    ------
    InputError
        Text, shapes that differ, effects that are not finite, variances that are not finite and above 0: every one
        with its row.
    """
    batch = _scaled(*checked(yi, vi, mask))
    if problems := _out_of_range(batch):
        raise InputError(problems)
    return batch


def _out_of_range(batch: Batch) -> list[Problem]:
    """Return the elements whose powers, as the estimators take them, double precision could not hold."""
    with np.errstate(invalid="ignore"):
        far = {
            "yi": ~(np.abs(batch.yi) <= FARTHEST) & batch.mask,
            "vi": ~((batch.vi <= FARTHEST) & (batch.vi >= 1 / FARTHEST)) & batch.mask,
        }
    accepted = {
        "yi": f"an effect within {FARTHEST:g} standard errors of the others",
        "vi": f"a variance within a factor of {FARTHEST:g} of the others",
    }
    return [
        Problem(
            f"{'' if len(batch) == 1 else f'data set {b + 1}: '}{name} is too far from those of the other studies for "
            f"double precision; accepted is {accepted[name]}.",
            row=int(i) + 1,
            column=name,
        )
        for name, wrong in far.items()
        for b, i in zip(*np.nonzero(wrong), strict=True)
    ]


def _scaled(y: Floats, v: Floats, m: Mask) -> Batch:
    k = m.sum(axis=1)
    v = np.where(m, v, np.inf)
    at = np.maximum(k - 1, 0) // 2
    scale = np.sort(v, axis=1)[np.arange(len(v)), at] if v.shape[1] else np.ones(len(v))
    scale = np.where(k > 0, scale, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        centre = np.where(m, y, 0.0).sum(axis=1) / np.maximum(k, 1)
    # Equal effects must stay equal: rounding of their mean is not heterogeneity.
    first = y[np.arange(len(y)), m.argmax(axis=1)] if y.shape[1] else centre
    differ = ((y != first[:, None]) & m).any(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.where(m & differ[:, None], y - centre[:, None], 0.0)
    with np.errstate(over="ignore"):
        y, v = y / np.sqrt(scale)[:, None], v / scale[:, None]
    return Batch(yi=y, vi=v, mask=m, k=k.astype(float), centre=centre, scale=scale)
