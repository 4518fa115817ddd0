"""Effects and variances as both schools take them: numbers, aligned, masked; everything wrong with them at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.errors import InputError, Problem
from igfmeta.numerics import Floats, Mask


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


def checked(yi: Any, vi: Any, mask: Any = None) -> tuple[Floats, Floats, Mask]:
    """Return effects, variances and mask, each of shape (batch, k).

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
    return y, v, m
