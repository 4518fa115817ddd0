"""Data sets as the kernel sees them: validated, masked, centred and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError, Problem
from igfmeta.numerics import Floats, Mask


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


def _as_numbers(name: str, values: Any) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        kind = "text" if array.dtype.kind in "USTO" else str(array.dtype)
        raise InputError(f"{name} holds {kind}; accepted are numbers. Numbers written as text must be converted first.")
    return array.astype(float)


def _check_alignment(yi: Any, vi: Any) -> None:
    """Refuse two labelled columns whose labels differ: silently pairing them by position would mix studies."""
    labels = [getattr(values, "index", None) for values in (yi, vi)]
    if all(hasattr(label, "equals") for label in labels) and not labels[0].equals(labels[1]):  # type: ignore[union-attr]
        raise InputError(
            "yi and vi are labelled columns with different labels (index); align them first, for example with "
            "vi.reindex(yi.index), or pass plain arrays."
        )


def _problems(yi: Floats, vi: Floats, mask: Mask) -> list[Problem]:
    single = len(yi) == 1
    found = []
    for name, values, bad, accepted in (
        ("yi", yi, ~np.isfinite(yi) & mask, "a finite number"),
        ("vi", vi, ~(np.isfinite(vi) & (vi > 0)) & mask, "a finite number above 0"),
    ):
        for b, i in zip(*np.nonzero(bad), strict=True):
            where = "" if single else f"data set {b + 1}: "
            message = f"{where}{name} is {values[b, i]:g}; accepted is {accepted}."
            found.append(Problem(message, row=int(i) + 1, column=name))
    return found


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
    _check_alignment(yi, vi)
    y, v = np.atleast_2d(_as_numbers("yi", yi)), np.atleast_2d(_as_numbers("vi", vi))
    if y.shape != v.shape or y.ndim != 2:
        raise InputError(
            f"yi has shape {np.shape(yi)} and vi {np.shape(vi)}; accepted are equal shapes (k,) or (batch, k)."
        )
    m = np.ones(y.shape, dtype=bool)
    if mask is not None:
        given = np.asarray(mask)
        if given.dtype != bool:
            raise InputError(f"mask holds {given.dtype}; accepted is bool: True for a study that belongs.")
        try:
            shape = np.broadcast_shapes(y.shape, given.shape)
        except ValueError:
            shape = ()
        if len(shape) != 2 or shape[1] != y.shape[1] or (len(y) > 1 and shape != y.shape):
            raise InputError(f"mask has shape {given.shape}; accepted is (batch, k) with k = {y.shape[1]}.")
        y, v, m = np.broadcast_to(y, shape), np.broadcast_to(v, shape), np.broadcast_to(given, shape)
    if problems := _problems(y, v, m):
        raise InputError(problems)
    return _scaled(y, v, m)


def _scaled(y: Floats, v: Floats, m: Mask) -> Batch:
    k = m.sum(axis=1)
    v = np.where(m, v, np.inf)
    at = np.maximum(k - 1, 0) // 2
    scale = np.sort(v, axis=1)[np.arange(len(v)), at] if v.shape[1] else np.ones(len(v))
    scale = np.where(k > 0, scale, 1.0)
    centre = np.where(m, y, 0.0).sum(axis=1) / np.maximum(k, 1)
    y = np.where(m, y - centre[:, None], 0.0)
    return Batch(
        yi=y / np.sqrt(scale)[:, None], vi=v / scale[:, None], mask=m, k=k.astype(float), centre=centre, scale=scale
    )
