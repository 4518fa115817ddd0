"""Contrasts that share a control arm: their covariance, and their combination within the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Where the covariance of a row is from. "" for a row that shares nothing.
ORIGINS = ("control_events", "control_counts", "assumed", "")


def _part_of_control(measure: str, events: float, n: float) -> tuple[float, str]:
    """Return the variance that the control arm contributes to a contrast, which is the covariance of two that share it.

    Log hazard ratio: 1/events (Woods, Hawkins & Scott 2010, BMC Med Res Methodol 10:54). Counts: Gleser & Olkin (2009),
    in Cooper, Hedges & Valentine, Handbook of research synthesis, chapter 19. NaN where the numbers are not known.
    """
    if measure == "HR":
        return (1 / events if events > 0 else np.nan), "control_events"
    others = n - events
    rate = events / n if n > 0 else np.nan
    value = {
        "OR": lambda: 1 / events + 1 / others if events > 0 and others > 0 else np.nan,
        "RR": lambda: 1 / events - 1 / n if events > 0 else np.nan,
        "RD": lambda: rate * (1 - rate) / n,
        "AS": lambda: 1 / (4 * n),
    }.get(measure, lambda: np.nan)()
    return float(value), "control_counts"


def _covariance(members: Sequence[int], vi: Floats, measure: str, events: Floats, n: Floats) -> tuple[float, str]:
    """Return the covariance of the contrasts `members` of one control arm, and where it is from."""
    events_ctl, n_ctl = (
        float(np.nanmax(x[members])) if not np.isnan(x[members]).all() else np.nan for x in (events, n)
    )
    value, origin = _part_of_control(measure, events_ctl, n_ctl)
    if np.isfinite(value) and value < vi[members].min():
        return value, origin
    # At most 95 % of the smallest variance, so that the matrix stays positive definite.
    return float(min(0.5 * vi[members].mean(), 0.95 * vi[members].min())), "assumed"


def shared_covariance(
    vi: Any, group: Sequence[str], *, measure: str, events_ctl: Any = None, n_ctl: Any = None
) -> tuple[Floats, tuple[str, ...]]:
    """Return the covariance matrix of contrasts, those of one group sharing their control arm.

    Parameters
    ----------
    vi : array_like of shape (k,)
        Sampling variances.
    group : sequence of str
        Rows with the same text share a control arm; "" shares nothing.
    measure : str
    events_ctl, n_ctl : array_like of shape (k,), optional
        Events and patients of the control arm, NaN where unknown.

    Returns
    -------
    V : ndarray of shape (k, k)
    origins : tuple of str
        Per row "control_events", "control_counts", "assumed" (half the mean variance) or "".

    Examples
    --------
    >>> V, origins = shared_covariance([0.04, 0.06], ["a", "a"], measure="HR", events_ctl=[50.0, 50.0])
    >>> V.tolist(), origins
    ([[0.04, 0.02], [0.02, 0.06]], ('control_events', 'control_events'))
    """
    vi = np.asarray(vi, dtype=float)
    unknown = np.full(len(vi), np.nan)
    events = unknown if events_ctl is None else np.asarray(events_ctl, dtype=float)
    n = unknown if n_ctl is None else np.asarray(n_ctl, dtype=float)
    covariance, origins = np.diag(vi), [""] * len(vi)
    for name in dict.fromkeys(group):
        members = [i for i, each in enumerate(group) if each == name]
        if not name or len(members) < 2:
            continue
        value, origin = _covariance(members, vi, measure, events, n)
        covariance[np.ix_(members, members)] = value
        covariance[members, members] = vi[members]
        for i in members:
            origins[i] = origin
    return covariance, tuple(origins)


@dataclass(frozen=True, eq=False)
class Combined:
    """One effect per group, with the rows that went into it."""

    yi: Floats
    vi: Floats
    members: tuple[tuple[int, ...], ...]


def combine_within(yi: Any, covariance: Any, group: Sequence[str]) -> Combined:
    """Combine the effects of each group by generalized least squares.

    mu = 1'V^-1 y / 1'V^-1 1, variance 1 / 1'V^-1 1 (Gleser & Olkin 2009, eq. 19.3). Rows of group "" stay alone.

    Raises
    ------
    InputError
        A covariance matrix that is not positive definite.

    Examples
    --------
    >>> combine_within([0.1, 0.3], [[0.04, 0.02], [0.02, 0.04]], ["a", "a"]).vi.round(12).tolist()
    [0.03]
    """
    yi, covariance = np.asarray(yi, dtype=float), np.asarray(covariance, dtype=float)
    keys = [name or f"\0{i}" for i, name in enumerate(group)]
    members = tuple(tuple(i for i, each in enumerate(keys) if each == key) for key in dict.fromkeys(keys))
    means, variances = np.empty(len(members)), np.empty(len(members))
    for g, rows in enumerate(members):
        block = covariance[np.ix_(rows, rows)]
        if np.linalg.eigvalsh(block)[0] <= 0:
            raise InputError(
                f"The covariance of {keys[rows[0]]} is not positive definite; check the shared control arm."
            )
        weights = np.linalg.solve(block, np.ones(len(rows)))
        means[g], variances[g] = weights @ yi[list(rows)] / weights.sum(), 1 / weights.sum()
    return Combined(yi=means, vi=variances, members=members)
