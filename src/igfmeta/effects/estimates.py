"""What every effect function returns: effects, variances, and for each row the rule behind it or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError, Problem
from igfmeta.numerics import Floats, Mask


@dataclass(frozen=True, eq=False)
class EffectSizes:
    """Effect sizes on the analysis scale, row by row.

    Attributes
    ----------
    measure : str
        The effect measure; see `igfmeta.effects.scales`.
    yi, vi : ndarray of shape (k,)
        Effects and sampling variances; NaN where the row is not usable.
    derivation : tuple of str
        The rule that gave each effect.
    reason : tuple of (str or None)
        Why a row is not usable; None where it is.
    notes : tuple of tuple of str
        Remarks on each row.
    """

    measure: str
    yi: Floats
    vi: Floats
    derivation: tuple[str, ...]
    reason: tuple[str | None, ...]
    notes: tuple[tuple[str, ...], ...]

    @property
    def usable(self) -> Mask:
        """Return, for each row, whether it has an effect; shape (k,)."""
        return np.array([reason is None for reason in self.reason], dtype=bool)

    def __len__(self) -> int:
        return len(self.yi)


def effect_sizes(
    measure: str,
    yi: Floats,
    vi: Floats,
    *,
    derivation: str | Sequence[str],
    reason: Sequence[str | None] | None = None,
    notes: Sequence[Sequence[str]] | None = None,
) -> EffectSizes:
    """Return effect sizes, with NaN where there is a reason and for one rule or one per row."""
    k = len(yi)
    reasons = tuple(reason) if reason is not None else (None,) * k
    blank = np.array([r is not None for r in reasons], dtype=bool)
    return EffectSizes(
        measure=measure,
        yi=np.where(blank, np.nan, yi),
        vi=np.where(blank, np.nan, vi),
        derivation=(derivation,) * k if isinstance(derivation, str) else tuple(derivation),
        reason=reasons,
        notes=tuple(map(tuple, notes)) if notes is not None else ((),) * k,
    )


def columns(**named: Any) -> dict[str, Floats]:
    """Return the arguments as float arrays of one shape (k,); text is refused, also text that looks like a number.

    Raises
    ------
    InputError
        A column that is not numeric, or lengths that differ.
    """
    arrays = {name: np.asarray(value) for name, value in named.items()}
    wrong = [name for name, array in arrays.items() if array.dtype.kind not in "fiu"]
    if wrong:
        kinds = (f"{name} holds {_kind(arrays[name])}; accepted are numbers." for name in wrong)
        raise InputError([Problem(f"{kind} Numbers written as text must be converted first.") for kind in kinds])
    try:
        spread = np.broadcast_arrays(*[np.atleast_1d(array.astype(float)) for array in arrays.values()])
    except ValueError:
        sizes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"The columns differ in length: {sizes}; accepted are equal lengths.") from None
    if spread and spread[0].ndim != 1:
        raise InputError("The columns have more than one dimension; accepted is one value per row.")
    return dict(zip(arrays, spread, strict=True))


def _kind(array: Any) -> str:
    return "text" if array.dtype.kind in "OSUT" else str(array.dtype)


def refuse(*checks: tuple[str, Floats, Mask, str]) -> None:
    """Raise one error that lists every value refused by `checks`: (column, values, bad, what is accepted)."""
    problems = [
        Problem(f"found {values[i]:g}; accepted is {accepted}.", row=int(i) + 1, column=name)
        for name, values, bad, accepted in checks
        for i in np.flatnonzero(bad)
    ]
    if problems:
        raise InputError(problems)
