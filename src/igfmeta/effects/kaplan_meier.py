"""Kaplan-Meier estimates from individual times: survival with Greenwood's variance, quantiles, restricted means.

Kaplan & Meier (1958), J Am Stat Assoc 53:457; Greenwood (1926); Brookmeyer & Crowley (1982), Biometrics 38:29 for the
interval of a median; Klein & Moeschberger (2003), Survival Analysis, eq. 4.5.1 and 4.5.2 for the restricted mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats, t_quantile

#: Scales on which the interval of a survival probability is symmetric.
CONF_TYPES = ("log", "log-log", "plain")

#: Half of a rounding error of a product of proportions, within which S(t) counts as 0.5.
TIED = 1e-9


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A survival curve, a step at each time at which somebody had the event or was censored.

    Attributes
    ----------
    time : ndarray of shape (m,)
        Distinct times, ascending.
    at_risk, events : ndarray of shape (m,)
        Numbers just before and at each time.
    surv : ndarray of shape (m,)
        S(t), from each time until the next.
    se : ndarray of shape (m,)
        Greenwood's standard error of S(t); NaN where S(t) is 0.
    ci_lower, ci_upper : ndarray of shape (m,)
        Pointwise interval of S(t); NaN where S(t) is 0.
    level : float
    """

    time: Floats
    at_risk: Floats
    events: Floats
    surv: Floats
    se: Floats
    ci_lower: Floats
    ci_upper: Floats
    level: float


def individuals(time: Any, status: Any) -> tuple[Floats, Floats]:
    """Return times and statuses as columns of equal length, or raise a sentence.

    Raises
    ------
    InputError
        Columns of unequal length or none, a time that is not finite and at least 0, a status other than 0 or 1.
    """
    t, d = np.asarray(time, dtype=float), np.asarray(status, dtype=float)
    if t.ndim != 1 or t.shape != d.shape or not len(t):
        raise InputError(
            f"time and status have shapes {t.shape} and {d.shape}; accepted are two columns of one length."
        )
    if not (np.isfinite(t) & (t >= 0)).all():
        raise InputError("time holds a value that is not a finite number of at least 0.")
    if not np.isin(d, (0.0, 1.0)).all():
        raise InputError("status holds a value other than 0 (censored) and 1 (event).")
    return t, d


def kaplan_meier(time: Any, status: Any, *, level: float = 0.95, conf_type: str = "log") -> KaplanMeier:
    """Return the Kaplan-Meier estimate with Greenwood's variance.

    Parameters
    ----------
    time : array_like of shape (n,)
    status : array_like of shape (n,)
        1 for an event, 0 where the person was censored; at equal times events come first.
    level : float
    conf_type : {"log", "log-log", "plain"}
        The scale on which the interval is symmetric.

    Raises
    ------
    InputError
        See `individuals`; a `conf_type` that is not listed.

    Examples
    --------
    >>> kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0]).surv
    array([0.75 , 0.75 , 0.375, 0.375])
    """
    t, d = individuals(time, status)
    check_choice("conf_type", conf_type, CONF_TYPES)
    at, which = np.unique(t, return_inverse=True)
    leaving = np.bincount(which, minlength=len(at)).astype(float)
    events = np.bincount(which, weights=d, minlength=len(at))
    at_risk = len(t) - np.concatenate([[0.0], np.cumsum(leaving)[:-1]])
    surv = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.cumsum(events / (at_risk * (at_risk - events))))
    alive = surv > 0
    relative = np.where(alive, relative, np.nan)
    lower, upper = _interval(surv, relative, float(t_quantile(0.5 + level / 2, np.inf)), conf_type)
    return KaplanMeier(at, at_risk, events, surv, surv * relative, lower, upper, level)


def _interval(surv: Floats, relative: Floats, z: float, conf_type: str) -> tuple[Floats, Floats]:
    """Return the interval of S from the standard error of log S; none while S is 1 on the log-log scale."""
    if conf_type == "plain":
        return np.maximum(surv * (1 - z * relative), 0), np.minimum(surv * (1 + z * relative), 1)
    if conf_type == "log":
        return surv * np.exp(-z * relative), np.minimum(surv * np.exp(z * relative), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.exp(z * relative / np.abs(np.log(surv)))
        lower, upper = surv**width, surv ** (1 / width)
    return np.where(surv == 1, 1.0, lower), np.where(surv == 1, 1.0, upper)


def survival_at(curve: KaplanMeier, time: Any) -> Floats:
    """Return S(t) at any times; 1 before the first step.

    Examples
    --------
    >>> survival_at(kaplan_meier([1, 2], [1, 1]), [0.5, 1.0, 1.5, 9.0])
    array([1. , 0.5, 0.5, 0. ])
    """
    steps = np.concatenate([[1.0], curve.surv])
    return steps[np.searchsorted(curve.time, np.asarray(time, dtype=float), side="right")]


def quantile(curve: KaplanMeier, p: float = 0.5) -> tuple[float, float, float]:
    """Return the time by which a fraction `p` has had the event, with its interval; NaN where it is not reached.

    The estimate is the middle of the stretch over which S(t) equals 1 - p, where there is one; the limits are the
    quantiles of the limits of S(t) (Brookmeyer & Crowley 1982).

    Examples
    --------
    >>> quantile(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]))[0]
    2.5
    """
    return (
        _first_below(curve.time, curve.surv, 1 - p),
        _first_below(curve.time, curve.ci_lower, 1 - p),
        _first_below(curve.time, curve.ci_upper, 1 - p),
    )


def _first_below(time: Floats, surv: Floats, target: float) -> float:
    known = ~np.isnan(surv)
    time, surv = time[known], surv[known]
    reached = np.flatnonzero(surv <= target + TIED)
    if not len(reached):
        return float("nan")
    first = int(reached[0])
    below = np.flatnonzero(surv < target - TIED)
    if surv[first] >= target - TIED and len(below):
        return float(0.5 * (time[first] + time[below[0]]))
    return float(time[first])


def restricted_mean(curve: KaplanMeier, tau: float) -> tuple[float, float]:
    """Return the mean time up to `tau` and its standard error.

    The area under S(t) from 0 to tau; its variance is the sum over events of (area from the event to tau)^2 times
    d / (n (n - d)) (Klein & Moeschberger 2003, eq. 4.5.1 and 4.5.2).

    Raises
    ------
    InputError
        A `tau` that is not above 0, or that lies beyond the last time while S(t) is not 0: the curve does not say.

    Examples
    --------
    >>> restricted_mean(kaplan_meier([1, 2], [1, 1]), 2.0)[0]
    1.5
    """
    last = float(curve.time[-1])
    if not np.isfinite(tau) or tau <= 0:
        raise InputError(f"tau was {tau!r}; accepted is a finite number above 0.")
    if tau > last and curve.surv[-1] > 0:
        raise InputError(f"tau was {tau:g}, beyond the last time {last:g}; accepted is at most that.")
    inside = curve.time < tau
    edges = np.concatenate([[0.0], curve.time[inside], [tau]])
    pieces = np.diff(edges) * np.concatenate([[1.0], curve.surv[inside]])
    after = np.cumsum(pieces[::-1])[::-1][1:]
    n, d = curve.at_risk[inside], curve.events[inside]
    # An event that leaves nobody has no area after it and adds nothing.
    terms = np.divide(after**2 * d, n * (n - d), out=np.zeros_like(after), where=n > d)
    return float(pieces.sum()), float(np.sqrt(terms.sum()))
