"""Individual times behind a printed Kaplan-Meier curve, from points read off it and the numbers at risk under it.

Guyot, Ades, Ouwens & Welton (2012), BMC Med Res Methodol 12:9. Between two printed numbers at risk, people are taken to
be censored at even distances; at each point of the curve the events are the whole number that carries the estimate
reached so far to the height read; the number censored is changed until the next printed number at risk is met. After
the last printed number it is taken from the rate of censoring before, or chosen so that the printed total of events
comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.effects.kaplan_meier import kaplan_meier, survival_at
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Changes of the number censored in one interval before the search takes the closest that it saw.
TRIALS = 200


#: Individual times are made one by one; no printed figure is of more people.
MOST_PEOPLE = 100_000


@dataclass(frozen=True, eq=False)
class Digitised:
    """A curve as read: times from 0, S(t) from 1 and never rising; how many points were moved to make it so."""

    time: Floats
    surv: Floats
    moved: int
    largest_move: float


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Individual times of one arm.

    Attributes
    ----------
    time, status : ndarray of shape (n,)
        Ascending; 1 for an event.
    risk_time, at_risk, at_risk_found : ndarray of shape (r,)
        The printed numbers at risk, and those of the reconstruction at the same times.
    curve : Digitised
    largest_gap : float
        Between the digitised curve and that of the reconstruction, over the digitised points.
    events_asked : int or None
        The printed total of events.
    """

    time: Floats
    status: Floats
    risk_time: Floats
    at_risk: Floats
    at_risk_found: Floats
    curve: Digitised
    largest_gap: float
    events_asked: int | None

    @property
    def n(self) -> int:
        return len(self.time)

    @property
    def events(self) -> int:
        return int(self.status.sum())


def digitised(time: Any, surv: Any) -> Digitised:
    """Return points read off a curve as a curve: sorted, from S(0) = 1, never rising, one height for each time.

    Points at or before time 0 say nothing that S(0) = 1 does not, and are left out. A height above an earlier one is
    lowered to it.

    Raises
    ------
    InputError
        Columns of unequal length, values that are not finite, no point after time 0, heights that are not proportions.

    Examples
    --------
    >>> digitised([2, 1, 3], [0.8, 0.7, 0.5]).surv
    array([1. , 0.7, 0.7, 0.5])
    """
    t, s = np.asarray(time, dtype=float), np.asarray(surv, dtype=float)
    if t.ndim != 1 or t.shape != s.shape:
        raise InputError(f"time and surv have shapes {t.shape} and {s.shape}; accepted are two columns of one length.")
    if not (np.isfinite(t).all() and np.isfinite(s).all()):
        raise InputError("The digitised curve holds a value that is not a finite number.")
    if (s < -0.05).any() or (s > 1.05).any():
        raise InputError("The digitised curve holds a height outside 0 to 1; accepted are proportions surviving.")
    t, s = t[t > 0], s[t > 0]
    if not len(t):
        raise InputError("The digitised curve holds no point after time 0.")
    order = np.lexsort((-s, t))
    t, s = np.concatenate([[0.0], t[order]]), np.concatenate([[1.0], s[order]])
    level = np.minimum.accumulate(np.clip(s, 0.0, 1.0))
    moves = np.abs(level - s)
    last = np.append(np.diff(t) > 0, True)
    return Digitised(t[last], level[last], int((moves > 0).sum()), float(moves.max()))


@dataclass
class _Run:
    """The people of one interval: events at each point, those censored, who is left and the estimate reached."""

    events: Floats
    censored: Floats
    left: float
    reached: float


def _run(t: Floats, s: Floats, *, start: float, end: float, n: float, reached: float, censored: int) -> _Run:
    """Go through the points of one interval with `censored` people leaving at even distances from start to end."""
    times = start + (end - start) * np.arange(1, censored + 1) / (censored + 1)
    leaving = np.diff(np.searchsorted(times, np.concatenate([[start], t, [np.inf]]), side="left"))
    n -= float(leaving[0])
    events = np.zeros(len(t))
    for k in range(len(t)):
        if n > 0 and reached > 0:
            d = min(n, max(0.0, float(np.floor(n * (1 - s[k] / reached) + 0.5))))
            events[k] = d
            reached *= 1 - d / n
            n -= d
        n -= float(leaving[k + 1])
    return _Run(events, times, n, reached)


def _search(t: Floats, s: Floats, target: float, **fixed: Any) -> _Run:
    """Return the run whose number left at the end of the interval is the printed one, or the closest that there is."""
    inside = s[-1] / fixed["reached"] if len(s) and fixed["reached"] > 0 else 1.0
    censored = int(np.clip(np.floor(fixed["n"] * inside - target + 0.5), 0, fixed["n"]))
    best: _Run | None = None
    gap, seen = np.inf, set[int]()
    while censored not in seen and len(seen) < TRIALS:
        seen.add(censored)
        run = _run(t, s, censored=censored, **fixed)
        missing = round(run.left - target)
        if abs(missing) < gap:
            best, gap = run, abs(missing)
        censored = int(np.clip(censored + missing, 0, fixed["n"]))
    assert best is not None
    return best


def _last(t: Floats, s: Floats, events: int | None, guess: int, **fixed: Any) -> _Run:
    """Return the run after the last printed number at risk: by the rate of censoring before, or by total events."""
    censored = int(np.clip(guess, 0, fixed["n"]))
    if events is None:
        return _run(t, s, censored=censored, **fixed)
    best: _Run | None = None
    gap, seen = np.inf, set[int]()
    while censored not in seen and len(seen) < TRIALS:
        seen.add(censored)
        run = _run(t, s, censored=censored, **fixed)
        surplus = round(run.events.sum() - events)
        if abs(surplus) < gap:
            best, gap = run, abs(surplus)
        censored = int(np.clip(censored + surplus, 0, fixed["n"]))
    assert best is not None
    return best


def _checked_risk(risk_time: Any, at_risk: Any) -> tuple[Floats, Floats]:
    tr, nr = np.asarray(risk_time, dtype=float), np.asarray(at_risk, dtype=float)
    if tr.ndim != 1 or tr.shape != nr.shape or not len(tr):
        raise InputError("The numbers at risk need a time each, and at least the number at time 0.")
    if tr[0] != 0 or (np.diff(tr) <= 0).any() or not np.isfinite(tr).all():
        raise InputError("The times of the numbers at risk need to start at 0 and to rise.")
    if (nr != np.floor(nr)).any() or (nr < 0).any() or nr[0] < 1 or (np.diff(nr) > 0).any():
        raise InputError("The numbers at risk need to be whole numbers that never rise, from at least 1 at time 0.")
    if nr[0] > MOST_PEOPLE:
        raise InputError(f"{nr[0]:.0f} were at risk at time 0; accepted are at most {MOST_PEOPLE:,} of an arm.")
    return tr, nr


def reconstruct(time: Any, surv: Any, *, risk_time: Any, at_risk: Any, events: int | None = None) -> Reconstruction:
    """Return individual times that give a digitised Kaplan-Meier curve and its numbers at risk (Guyot et al. 2012).

    Parameters
    ----------
    time, surv : array_like of shape (m,)
        Points of the curve; proportions. Each step should have a point.
    risk_time, at_risk : array_like of shape (r,)
        Printed numbers at risk, the first at time 0.
    events : int, optional
        Printed total of events; fixes what happens after the last number at risk.

    Raises
    ------
    InputError
        See `digitised`; numbers at risk that rise or do not start at time 0; more events than people.

    Examples
    --------
    >>> found = reconstruct([1, 2, 3], [0.75, 0.5, 0.25], risk_time=[0], at_risk=[4], events=3)
    >>> found.time, found.status
    (array([1., 2., 3., 3.]), array([1., 1., 1., 0.]))
    """
    curve = digitised(time, surv)
    tr, nr = _checked_risk(risk_time, at_risk)
    if events is not None and not 0 <= events <= nr[0]:
        raise InputError(
            f"events was {events}; accepted is a whole number from 0 to the {nr[0]:.0f} at risk at time 0."
        )
    end = max(float(curve.time[-1]), float(tr[-1]))
    edges = np.append(tr, np.inf)
    n, reached = float(nr[0]), 1.0
    times: list[Floats] = []
    censored: list[Floats] = []
    for i, start in enumerate(tr):
        inside = (curve.time >= start) & (curve.time < edges[i + 1])
        t, s = curve.time[inside], curve.surv[inside]
        if i + 1 < len(tr):
            run = _search(t, s, float(nr[i + 1]), start=float(start), end=float(tr[i + 1]), n=n, reached=reached)
        else:
            gone = sum(len(c) for c in censored)
            guess = int(np.floor(gone * (end - start) / start + 0.5)) if start > 0 else 0
            rest = None if events is None else events - sum(len(each) for each in times)
            run = _last(t, s, rest, guess, start=float(start), end=end, n=n, reached=reached)
        times.append(np.repeat(t, run.events.astype(int)))
        censored.append(run.censored[: int(n - run.events.sum())])
        n, reached = n - len(times[-1]) - len(censored[-1]), run.reached
    return _assembled(curve, tr, nr, np.concatenate(times), np.concatenate([*censored, np.full(int(n), end)]), events)


def _assembled(
    curve: Digitised, tr: Floats, nr: Floats, event_times: Floats, censored: Floats, events: int | None
) -> Reconstruction:
    t = np.concatenate([event_times, censored])
    d = np.concatenate([np.ones(len(event_times)), np.zeros(len(censored))])
    order = np.lexsort((-d, t))
    t, d = t[order], d[order]
    gap = np.abs(survival_at(kaplan_meier(t, d), curve.time) - curve.surv)
    found = (len(t) - np.searchsorted(t, tr, side="left")).astype(float)
    return Reconstruction(t, d, tr, nr, found, curve, float(gap.max()), events)
