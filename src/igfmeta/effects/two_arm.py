"""Effects of two arms from counts: odds ratio, risk ratio, risk difference, Peto odds ratio, arcsine difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.effects.estimates import EffectSizes, columns, effect_sizes, refuse
from igfmeta.effects.zero_cells import ZERO_CELLS, ZeroCells, corrected_studies, increments
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats, Mask

TwoArmMeasure = Literal["OR", "RR", "RD", "PETO", "AS"]


@dataclass(frozen=True, eq=False)
class _Cells:
    """a of n1 with the event in arm 1, c of n2 in arm 2; b and d without."""

    a: Floats
    b: Floats
    c: Floats
    d: Floats

    @property
    def n1(self) -> Floats:
        return self.a + self.b

    @property
    def n2(self) -> Floats:
        return self.c + self.d


Effect = tuple[Floats, Floats]


def _odds_ratio(x: _Cells) -> Effect:
    """Woolf (1955): log(ad/bc), 1/a + 1/b + 1/c + 1/d."""
    return np.log(x.a * x.d / (x.b * x.c)), 1 / x.a + 1 / x.b + 1 / x.c + 1 / x.d


def _risk_ratio(x: _Cells) -> Effect:
    """Katz et al. (1978): log((a/n1)/(c/n2)), 1/a - 1/n1 + 1/c - 1/n2."""
    return np.log((x.a / x.n1) / (x.c / x.n2)), 1 / x.a - 1 / x.n1 + 1 / x.c - 1 / x.n2


def _risk_difference(x: _Cells) -> Effect:
    """a/n1 - c/n2, ab/n1^3 + cd/n2^3."""
    return x.a / x.n1 - x.c / x.n2, x.a * x.b / x.n1**3 + x.c * x.d / x.n2**3


def _peto(x: _Cells) -> Effect:
    """Yusuf et al. (1985): (O - E)/V, 1/V, with the hypergeometric E and V of cell a."""
    n, events = x.n1 + x.n2, x.a + x.c
    v = x.n1 * x.n2 * events * (n - events) / (n**2 * (n - 1))
    return (x.a - x.n1 * events / n) / v, 1 / v


def _arcsine(x: _Cells) -> Effect:
    """Rücker et al. (2009): asin sqrt(a/n1) - asin sqrt(c/n2), 1/(4 n1) + 1/(4 n2)."""
    return np.arcsin(np.sqrt(x.a / x.n1)) - np.arcsin(np.sqrt(x.c / x.n2)), 1 / (4 * x.n1) + 1 / (4 * x.n2)


_EFFECTS: dict[str, Callable[[_Cells], Effect]] = {
    "OR": _odds_ratio,
    "RR": _risk_ratio,
    "RD": _risk_difference,
    "PETO": _peto,
    "AS": _arcsine,
}
TWO_ARM_MEASURES = tuple(_EFFECTS)

#: Measures that need no correction of zero cells; the policy leaves them alone.
_NEVER_CORRECTED = ("PETO", "AS")


def _silent(x: _Cells, measure: str) -> tuple[Mask, Mask]:
    """Return where no event at all, and where an event in everybody, leaves nothing to say about the measure."""
    return (
        (x.a + x.c == 0) & (measure in ("OR", "RR", "PETO")),
        (x.b + x.d == 0) & (measure in ("OR", "PETO")),
    )


def _reasons(x: _Cells, measure: str, blank: Mask, vi: Floats) -> list[str | None]:
    none_at_all, everybody = _silent(x, measure)
    reasons: list[str | None] = []
    for i in range(len(x.a)):
        reason = None
        if blank[i]:
            reason = "a count is blank"
        elif none_at_all[i]:
            reason = "no event in either arm: the study says nothing about a ratio"
        elif everybody[i]:
            reason = "an event in every patient of both arms: the study says nothing about a ratio of odds"
        elif not np.isfinite(vi[i]):
            reason = "a cell of 0 and no correction (zero_cells 'none')"
        elif vi[i] <= 0:
            reason = "a variance of 0 because of cells of 0"
        reasons.append(reason)
    return reasons


def two_arm(
    events1: Any,
    n1: Any,
    events2: Any,
    n2: Any,
    *,
    measure: TwoArmMeasure | str,
    zero_cells: ZeroCells | str = "only0",
    increment: float = 0.5,
) -> EffectSizes:
    """Return effects of arm 1 against arm 2 from events and patients.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (k,)
    measure : {"OR", "RR", "RD", "PETO", "AS"}
        Log odds ratio, log risk ratio, risk difference, log Peto odds ratio, arcsine difference.
    zero_cells : {"only0", "none", "if0all", "all", "treatment_arm"}
        See `igfmeta.effects.zero_cells`; not used by PETO and AS, which need no correction.
    increment : float

    Returns
    -------
    EffectSizes
        Studies without an event in either arm (for OR and PETO also those with an event in everybody) say nothing
        about a ratio: they are kept with the reason, never dropped. Corrected studies carry a note.

    Raises
    ------
    InputError
        Counts that are negative, not whole, or above their n: all at once.

    References
    ----------
    Rücker, Schwarzer, Carpenter & Olkin 2009, Stat Med 28:721; Yusuf et al. 1985, Prog Cardiovasc Dis 27:335.

    Examples
    --------
    >>> two_arm([4], [123], [11], [139], measure="RR").yi.round(4)
    array([-0.8893])
    """
    measure = check_choice("measure", measure, TWO_ARM_MEASURES)
    policy = check_choice("zero_cells", zero_cells, ZERO_CELLS)
    check_increment(increment)
    x = columns(events1=events1, n1=n1, events2=events2, n2=n2)
    refuse(*count_checks(x, "events1", "n1"), *count_checks(x, "events2", "n2"))
    cells = _Cells(x["events1"], x["n1"] - x["events1"], x["events2"], x["n2"] - x["events2"])
    table = np.stack([cells.a, cells.b, cells.c, cells.d])
    blank = np.isnan(table).any(axis=0)
    none_at_all, everybody = _silent(cells, measure)
    has_zero = (table == 0).any(axis=0) & ~(none_at_all | everybody)
    corrected = corrected_studies(has_zero, "none" if measure in _NEVER_CORRECTED else policy)
    add1, add2 = increments(cells.n1, cells.n2, corrected, policy, increment)
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _EFFECTS[measure](_Cells(cells.a + add1, cells.b + add1, cells.c + add2, cells.d + add2))
    notes = [
        (f"{a:.3g} and {b:.3g} added to the cells of the arms",) if a > 0 else ()
        for a, b in zip(add1, add2, strict=True)
    ]
    return effect_sizes(measure, yi, vi, derivation="counts", reason=_reasons(cells, measure, blank, vi), notes=notes)


def check_increment(increment: float) -> None:
    """Refuse an increment that is not a finite number above 0."""
    if isinstance(increment, bool) or not isinstance(increment, (int, float)) or not 0 < increment < np.inf:
        raise InputError(f"increment was {increment!r}; accepted is a number above 0, such as 0.5.")


def count_checks(x: dict[str, Floats], events: str, n: str) -> list[tuple[str, Floats, Mask, str]]:
    """Return the checks of one arm's counts for `refuse`; blanks pass."""
    e, size = x[events], x[n]
    whole = np.isnan(size) | ((size == np.floor(size)) & (size > 0) & np.isfinite(size))
    counted = np.isnan(e) | ((e == np.floor(e)) & (e >= 0) & np.isfinite(e))
    return [
        (n, size, ~whole, "a whole number above 0"),
        (events, e, ~counted, "a whole number, 0 or more"),
        (events, e, counted & whole & (e > size), f"at most {n} of its row"),
    ]
