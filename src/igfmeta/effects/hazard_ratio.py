"""Log hazard ratios and their variances from what papers print.

The methods are numbered as by Tierney, Stewart, Ghersi, Burdett & Sydes (2007), Trials 8:16, who order them by how
direct they are; the formulas are of Parmar, Torri & Stewart (1998), Stat Med 17:2815. Every function takes columns of
shape (k,) and returns `EffectSizes` with measure "HR", negative where the experimental arm has the lower hazard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.effects.estimates import EffectSizes, columns, effect_sizes, refuse
from igfmeta.errors import InputError
from igfmeta.numerics import Floats, t_quantile


def _z(p: Any) -> Floats:
    return np.asarray(t_quantile(p, np.inf))


def from_o_minus_e(o_minus_e: Any, v: Any) -> EffectSizes:
    """Return (O - E)/V with variance 1/V, from the log-rank statistics (Tierney method 1; Parmar eq. 1 and 2).

    Raises
    ------
    InputError
        A variance that is not above 0.

    Examples
    --------
    >>> from_o_minus_e([-20.79], [111.6]).yi.round(4)
    array([-0.1863])
    """
    x = columns(o_minus_e=o_minus_e, v=v)
    refuse(
        ("o_minus_e", x["o_minus_e"], ~np.isfinite(x["o_minus_e"]), "a finite number"),
        ("v", x["v"], ~(np.isfinite(x["v"]) & (x["v"] > 0)), "a finite number above 0"),
    )
    return effect_sizes("HR", x["o_minus_e"] / x["v"], 1 / x["v"], derivation="o_minus_e")


def interval_asymmetry(estimate: Any, ci_lower: Any, ci_upper: Any, decimals: Any) -> tuple[Floats, Floats]:
    """Return how far log(estimate) lies from the middle of the log interval, and how much of it rounding can explain.

    Both in units of half the interval's width. Rounding can move each printed number by half a unit in its last place.

    Parameters
    ----------
    estimate, ci_lower, ci_upper : array_like of shape (k,)
    decimals : array_like of int
        Printed decimals (the fewest of the three numbers).

    Examples
    --------
    >>> found, explained = interval_asymmetry([1.0], [0.5], [3.0], [1])
    >>> found.round(3), explained.round(3)
    (array([0.226]), array([0.13]))
    """
    estimate, lower, upper = (np.asarray(v, dtype=float) for v in (estimate, ci_lower, ci_upper))
    half = 0.5 * np.log(upper / lower)
    off = np.abs(np.log(estimate) - 0.5 * np.log(lower * upper))
    unit = 0.5 * 10.0 ** -np.asarray(decimals, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = unit / np.maximum(estimate - unit, 0) + 0.5 * (
            unit / np.maximum(lower - unit, 0) + unit / np.maximum(upper - unit, 0)
        )
        return off / half, reach / half


def _asymmetry_notes(estimate: Floats, lower: Floats, upper: Floats, decimals: Any) -> list[tuple[str, ...]]:
    found, explained = interval_asymmetry(estimate, lower, upper, decimals)
    return [
        (
            f"the printed interval is asymmetric on the log scale: the estimate is {100 * off:.0f} % of the half-width "
            f"off its middle, and rounding can explain {100 * by_rounding:.0f} %",
        )
        if off > by_rounding
        else ()
        for off, by_rounding in zip(found, explained, strict=True)
    ]


def from_interval(
    estimate: Any, ci_lower: Any, ci_upper: Any, *, level: Any = 0.95, decimals: Any = None
) -> EffectSizes:
    """Return log hazard ratios from estimates with intervals of any level (Tierney method 3; Parmar eq. 7).

    The standard error is (log upper - log lower) / (2 z) with z the normal quantile of the level.

    Parameters
    ----------
    estimate, ci_lower, ci_upper : array_like of shape (k,)
        On the ratio scale.
    level : float or array_like
        0.95, 0.80, ...
    decimals : int or array_like, optional
        Printed decimals; with it, intervals that are asymmetric beyond rounding get a note.

    Returns
    -------
    EffectSizes
        `derivation` is "reported_ci", or "ci_at_other_level" where the level is not 0.95. A row with a blank is not
        usable.

    Raises
    ------
    InputError
        A ratio that is not above 0, an estimate outside its interval, a level outside 0..1.

    Examples
    --------
    >>> from_interval([0.83], [0.69], [1.0]).vi.round(6)
    array([0.008961])
    """
    x = columns(estimate=estimate, ci_lower=ci_lower, ci_upper=ci_upper, level=level)
    estimate, lower, upper, level = (x[name] for name in ("estimate", "ci_lower", "ci_upper", "level"))
    ratio = "a finite ratio above 0"
    refuse(
        *((n, x[n], (x[n] <= 0) | np.isinf(x[n]), ratio) for n in ("estimate", "ci_lower", "ci_upper")),
        ("level", level, ~((level > 0) & (level < 1)), "a level between 0 and 1, such as 0.95"),
    )
    refuse(
        ("estimate", estimate, (estimate < lower) | (estimate > upper), "a number inside its interval"),
        ("ci_upper", upper, upper <= lower, "a number above the lower limit"),
    )
    blank = np.isnan(estimate + lower + upper)
    with np.errstate(invalid="ignore"):
        se = np.log(upper / lower) / (2 * _z(0.5 + level / 2))
        yi = np.log(estimate)
    notes: list[tuple[str, ...]] = [()] * len(yi)
    if decimals is not None:
        notes = _asymmetry_notes(estimate, lower, upper, np.broadcast_to(decimals, len(yi)))
    return effect_sizes(
        "HR",
        yi,
        se**2,
        derivation=["reported_ci" if abs(each - 0.95) < 1e-9 else "ci_at_other_level" for each in level],
        reason=["estimate or interval blank" if missing else None for missing in blank],
        notes=notes,
    )


def _p_value_reason(log_hr: float, p: float, sided: str) -> str | None:
    if np.isnan(log_hr) or np.isnan(p):
        return "estimate or p-value blank"
    if sided not in ("1", "2"):
        return "the p-value may be one- or two-sided: no standard error can be taken from it"
    if log_hr == 0:
        return "a hazard ratio of 1 with a p-value gives no standard error"
    if sided == "2":
        return None if 0 < p < 1 else "a p-value of 0 or 1 gives no standard error"
    if not 0 < p < 1 or p == 0.5:
        return "a one-sided p-value of 0, 0.5 or 1 gives no standard error"
    if (log_hr < 0) != (p < 0.5):
        return "the one-sided p-value and the hazard ratio point in opposite directions"
    return None


def from_p_value(estimate: Any, p_value: Any, *, sided: Sequence[str]) -> EffectSizes:
    """Return log hazard ratios from estimates and p-values (Tierney methods 7 to 9; Parmar eq. 8 and 9).

    Two-sided: se = |log HR| / z(1 - p/2). One-sided, tested for benefit (HR below 1): se = log HR / z(p), and the two
    must agree in direction.

    Parameters
    ----------
    estimate, p_value : array_like of shape (k,)
    sided : sequence of {"1", "2", "unknown"}
        Of each p-value. A p-value of unknown sidedness gives no effect: taking one for the other is off by a fifth or
        more of the standard error.

    Returns
    -------
    EffectSizes
        `derivation` "p_value" or "one_sided_p"; contradictory or uninformative rows are not usable.

    Raises
    ------
    InputError
        A ratio that is not above 0, a p-value outside 0..1.

    Examples
    --------
    >>> from_p_value([0.83, 0.83], [0.046, 0.023], sided=["2", "1"]).vi.round(6)
    array([0.00872, 0.00872])
    """
    x = columns(estimate=estimate, p_value=p_value)
    estimate, p = x["estimate"], x["p_value"]
    if len(sided) != len(p):
        raise InputError(f"sided has {len(sided)} values; accepted is one for each of the {len(p)} rows.")
    refuse(
        ("estimate", estimate, (estimate <= 0) | np.isinf(estimate), "a finite ratio above 0"),
        ("p_value", p, (p < 0) | (p > 1), "a probability from 0 to 1"),
    )
    log_hr = np.log(estimate)
    two = np.array([each == "2" for each in sided])
    reasons = [_p_value_reason(y, each, s) for y, each, s in zip(log_hr, p, sided, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(_z(np.where(two, p / 2, p)))
        vi = (log_hr / z) ** 2
    return effect_sizes(
        "HR", log_hr, vi, derivation=["p_value" if each else "one_sided_p" for each in two], reason=reasons
    )


def log_rank_variance(events_exp: Any, events_ctl: Any, *, n_exp: Any = None, n_ctl: Any = None) -> Floats:
    """Return V of the log-rank statistic from numbers of events.

    With events per arm, V = E C / (E + C) (Tierney method 5; Parmar eq. 5). With the numbers randomized too,
    V = D n_e n_c / (n_e + n_c)^2 with D all events (Tierney method 6; Parmar eq. 6), which allows for the allocation
    ratio and does not shrink with the effect.

    Examples
    --------
    >>> log_rank_variance([60.0], [60.0]).tolist()
    [30.0]
    """
    e, c = np.asarray(events_exp, dtype=float), np.asarray(events_ctl, dtype=float)
    if n_exp is None or n_ctl is None:
        return np.asarray(e * c / (e + c))
    n1, n2 = np.asarray(n_exp, dtype=float), np.asarray(n_ctl, dtype=float)
    return np.asarray((e + c) * n1 * n2 / (n1 + n2) ** 2)


def from_events_and_p(
    events_exp: Any,
    events_ctl: Any,
    p_value: Any,
    *,
    favours_experimental: Any,
    n_exp: Any = None,
    n_ctl: Any = None,
) -> EffectSizes:
    """Return log hazard ratios from events per arm and a two-sided log-rank p-value (Tierney methods 8 and 9).

    O - E = +-sqrt(V) z(1 - p/2) with V by `log_rank_variance` (Parmar eq. 4); the sign, which a p-value does not hold,
    is given by `favours_experimental`.

    Parameters
    ----------
    events_exp, events_ctl, p_value : array_like of shape (k,)
    favours_experimental : array_like of bool
        Whether the experimental arm has the lower hazard.
    n_exp, n_ctl : array_like, optional
        Numbers randomized.

    Raises
    ------
    InputError
        Events that are not above 0, a p-value outside 0..1 (0 excluded).

    Examples
    --------
    >>> from_events_and_p([50.0], [60.0], [0.04], favours_experimental=[True]).yi.round(4)
    array([-0.3933])
    """
    x = columns(events_exp=events_exp, events_ctl=events_ctl, p_value=p_value)
    p = x["p_value"]
    refuse(
        *((n, x[n], ~(x[n] > 0) | np.isinf(x[n]), "a number of events above 0") for n in ("events_exp", "events_ctl")),
        ("p_value", p, ~((p > 0) & (p <= 1)), "a probability above 0 and up to 1"),
    )
    v = log_rank_variance(x["events_exp"], x["events_ctl"], n_exp=n_exp, n_ctl=n_ctl)
    sign = np.where(np.asarray(favours_experimental, dtype=bool), -1.0, 1.0)
    return effect_sizes("HR", sign * np.abs(_z(p / 2)) / np.sqrt(v), 1 / v, derivation="events_and_p")


def from_medians(
    median_exp: Any,
    median_ctl: Any,
    *,
    events_exp: Any = None,
    events_ctl: Any = None,
    n_exp: Any = None,
    n_ctl: Any = None,
    event_fraction: Any = None,
) -> EffectSizes:
    """Return log hazard ratios from medians, taking survival to be exponential: the last resort.

    log HR = log(median_ctl / median_exp), variance 1/E + 1/C, with E and C the events, or the numbers randomized times
    the fraction with an event. Survival curves of cancer trials are seldom exponential: sensitivity analyses only.

    Parameters
    ----------
    median_exp, median_ctl : array_like of shape (k,)
    events_exp, events_ctl : array_like, optional
    n_exp, n_ctl, event_fraction : array_like, optional
        Used where the events are blank.

    Returns
    -------
    EffectSizes
        Rows without events and without an event fraction are not usable.

    Raises
    ------
    InputError
        Medians or events that are not above 0, a fraction outside 0..1.

    Examples
    --------
    >>> from_medians([8.0], [10.0], events_exp=[50.0], events_ctl=[40.0]).yi.round(4)
    array([0.2231])
    """
    optional = {
        "events_exp": events_exp, "events_ctl": events_ctl, "n_exp": n_exp, "n_ctl": n_ctl,
        "event_fraction": event_fraction,
    }  # fmt: skip
    x = columns(
        median_exp=median_exp,
        median_ctl=median_ctl,
        **{name: np.nan if value is None else value for name, value in optional.items()},
    )
    positive = ("median_exp", "median_ctl", "events_exp", "events_ctl", "n_exp", "n_ctl", "event_fraction")
    refuse(*((name, x[name], (x[name] <= 0) | np.isinf(x[name]), "a finite number above 0") for name in positive))
    refuse(("event_fraction", x["event_fraction"], x["event_fraction"] > 1, "a fraction from 0 to 1"))
    e, c = (
        np.where(np.isnan(x[f"events_{arm}"]), x[f"n_{arm}"] * x["event_fraction"], x[f"events_{arm}"])
        for arm in ("exp", "ctl")
    )
    reasons = [
        "median blank" if np.isnan(m) else "medians without events or an event fraction" if np.isnan(v) else None
        for m, v in zip(x["median_exp"] + x["median_ctl"], e + c, strict=True)
    ]
    log_hr = np.log(x["median_ctl"] / x["median_exp"])
    return effect_sizes("HR", log_hr, 1 / e + 1 / c, derivation="medians", reason=reasons)
