"""Effects from events in person-time: rate ratio and rate difference of two arms, rate of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from igfmeta.effects.estimates import EffectSizes, columns, effect_sizes, refuse
from igfmeta.effects.two_arm import check_increment
from igfmeta.effects.zero_cells import ZERO_CELLS, corrected_studies
from igfmeta.errors import check_choice, check_level
from igfmeta.numerics import Floats, Mask

Effect = tuple[Floats, Floats]

#: Policies for zero events; that of the arms' sizes has no meaning for person-time.
RATE_ZERO_CELLS = tuple(name for name in ZERO_CELLS if name != "treatment_arm")


def _rate_ratio(x1: Floats, t1: Floats, x2: Floats, t2: Floats) -> Effect:
    """log((x1/t1)/(x2/t2)), 1/x1 + 1/x2 (Rothman, Greenland & Lash 2008, eq. 14-7)."""
    return np.log((x1 / t1) / (x2 / t2)), 1 / x1 + 1 / x2


def _rate_difference(x1: Floats, t1: Floats, x2: Floats, t2: Floats) -> Effect:
    """x1/t1 - x2/t2, x1/t1^2 + x2/t2^2."""
    return x1 / t1 - x2 / t2, x1 / t1**2 + x2 / t2**2


def _log_rate(x: Floats, t: Floats) -> Effect:
    """log(x/t), 1/x."""
    return np.log(x / t), 1 / x


def _rate(x: Floats, t: Floats) -> Effect:
    """x/t, x/t^2."""
    return x / t, x / t**2


def _root_rate(x: Floats, t: Floats) -> Effect:
    """sqrt(x/t), 1/(4t); its variance needs no event."""
    return np.sqrt(x / t), 1 / (4 * t)


_TWO: dict[str, Callable[[Floats, Floats, Floats, Floats], Effect]] = {"IRR": _rate_ratio, "IRD": _rate_difference}
_ONE: dict[str, Callable[[Floats, Floats], Effect]] = {"IRLN": _log_rate, "IR": _rate, "IRS": _root_rate}
RATE_COMPARISONS, RATES = tuple(_TWO), tuple(_ONE)


def _checks(x: dict[str, Floats], events: str, time: str) -> list[tuple[str, Floats, Mask, str]]:
    e, t = x[events], x[time]
    return [
        (events, e, ~(np.isnan(e) | ((e >= 0) & (e == np.floor(e)) & np.isfinite(e))), "a whole number, 0 or more"),
        (time, t, ~(np.isnan(t) | ((t > 0) & np.isfinite(t))), "a person-time above 0"),
    ]


def _sized(measure: str, effect: Effect, blank: Mask, silent: Mask, add: Floats) -> EffectSizes:
    yi, vi = effect
    reasons = [
        "a count or a person-time is blank"
        if missing
        else "no event in either arm: the study says nothing about a ratio"
        if nothing
        else None
        if np.isfinite(y) and v > 0
        else "no event and no correction (zero_cells 'none')"
        for missing, nothing, y, v in zip(blank, silent, yi, vi, strict=True)
    ]
    notes = [(f"{a:.3g} added to the events",) if a > 0 else () for a in add]
    return effect_sizes(measure, yi, vi, derivation="counts", reason=reasons, notes=notes)


def two_arm_rates(
    events1: Any, time1: Any, events2: Any, time2: Any, *, measure: str, zero_cells: str = "only0",
    increment: float = 0.5,
) -> EffectSizes:  # fmt: skip
    """Return rate effects of arm 1 against arm 2.

    Parameters
    ----------
    events1, time1, events2, time2 : array_like of shape (k,)
        Events and person-time of each arm.
    measure : {"IRR", "IRD"}
        Log rate ratio, rate difference.
    zero_cells : {"only0", "none", "if0all", "all"}
        What is added to the events of both arms where one has none.
    increment : float

    Raises
    ------
    InputError
        Events that are not whole numbers of 0 or more, person-times that are not above 0: all at once.

    Examples
    --------
    >>> two_arm_rates([2], [100.0], [4], [100.0], measure="IRR").yi.round(4)
    array([-0.6931])
    """
    measure = check_choice("measure", measure, RATE_COMPARISONS)
    policy = check_choice("zero_cells", zero_cells, RATE_ZERO_CELLS)
    check_increment(increment)
    x = columns(events1=events1, time1=time1, events2=events2, time2=time2)
    refuse(*_checks(x, "events1", "time1"), *_checks(x, "events2", "time2"))
    e1, e2 = x["events1"], x["events2"]
    silent = (e1 + e2 == 0) & (measure == "IRR")
    add = np.where(corrected_studies(((e1 == 0) | (e2 == 0)) & ~silent, policy), increment, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = _TWO[measure](e1 + add, x["time1"], e2 + add, x["time2"])
    blank = np.isnan(e1 + e2 + x["time1"] + x["time2"])
    return _sized(measure, effect, blank, silent, add)


def one_arm_rates(
    events: Any, time: Any, *, measure: str, zero_cells: str = "only0", increment: float = 0.5
) -> EffectSizes:
    """Return transformed rates of single arms.

    Parameters
    ----------
    events, time : array_like of shape (k,)
        Events and person-time.
    measure : {"IRLN", "IR", "IRS"}
        Log rate, rate, square root of the rate.
    zero_cells : {"only0", "none", "if0all", "all"}
        What is added to the events where there are none; not used by IRS.
    increment : float

    Examples
    --------
    >>> one_arm_rates([5], [100.0], measure="IRLN").yi.round(4)
    array([-2.9957])
    """
    measure = check_choice("measure", measure, RATES)
    policy = check_choice("zero_cells", zero_cells, RATE_ZERO_CELLS)
    check_increment(increment)
    x = columns(events=events, time=time)
    refuse(*_checks(x, "events", "time"))
    e, t = x["events"], x["time"]
    add = np.where(corrected_studies(e == 0, "none" if measure == "IRS" else policy), increment, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = _ONE[measure](e + add, t)
    return _sized(measure, effect, np.isnan(e + t), np.zeros_like(e, dtype=bool), add)


def rate_interval(events: Any, time: Any, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return exact limits of each study's rate: chi-squared quantiles (Garwood 1936, Biometrika 28:437).

    Examples
    --------
    >>> lower, upper = rate_interval([0], [10.0])
    >>> float(lower[0]), round(float(upper[0]), 4)
    (0.0, 0.3689)
    """
    tail = 0.5 - check_level(level) / 2
    x, t = np.asarray(events, dtype=float), np.asarray(time, dtype=float)
    lower = np.where(x > 0, special.gammaincinv(np.maximum(x, 1), tail), 0.0)
    return np.asarray(lower / t), np.asarray(special.gammaincinv(x + 1, 1 - tail) / t)
