"""Profile-likelihood intervals: the values that the likelihood ratio test does not reject, others re-estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.models.multilevel.likelihood import Likelihood
from igfmeta.models.multilevel.search import Space, climb, space_of
from igfmeta.numerics import Floats, chi2_quantile

#: Relative width at which a limit is found, and steps at most.
WIDTH, STEPS = 1e-10, 60

#: How often the distance from the maximum is doubled in search of an upper limit.
DOUBLINGS = 40


@dataclass
class _Profile:
    """log L(maximum) - max log L with one parameter held, less half the chi-squared quantile.

    Each search starts from the last place inside the interval: far outside, the others may have gone astray.
    """

    likelihood: Likelihood
    top: float
    index: int
    drop: float
    space: Space
    theta: Floats

    def at(self, value: float) -> tuple[float, float]:
        """Return the function and its slope (by the envelope theorem, that of the held parameter alone)."""
        start = self.theta.copy()
        start[self.index] = value
        theta, found, gradient = climb(self.likelihood.gradient, start, self.space)
        value = self.top - found - self.drop
        if value <= 0:
            self.theta = theta
        return value, -float(gradient[self.index])


def profile_limits(
    likelihood: Likelihood, top: float, theta: Floats, index: int, *, level: float, reach: float,
    ends: tuple[float, float] = (0.0, np.inf),
) -> tuple[float, float]:  # fmt: skip
    """Return the limits of one free parameter.

    Parameters
    ----------
    likelihood : Likelihood
    top : float
        The highest log-likelihood.
    theta : ndarray
        Where it is.
    index : int
        The parameter.
    level : float
    reach : float
        About how far from the maximum the limits are.
    ends : (float, float)
        Of the parameter's range.

    Returns
    -------
    lower, upper : float
        An end of the range where the likelihood does not reject it; NaN where no limit is found.
    """
    free = space_of(likelihood)
    space = Space(free.bounded, np.arange(len(theta)) == index)
    drop = 0.5 * float(chi2_quantile(level, 1))
    limits = []
    for direction, end in zip((-1.0, 1.0), ends, strict=True):
        profile = _Profile(likelihood, top, index, drop, space, theta.copy())
        limits.append(_limit(profile, float(theta[index]), direction, end, reach))
    return float(limits[0]), float(limits[1])


def wald_reach(hessian: Floats, index: int, level: float) -> float:
    """Return the Wald distance of a limit from the maximum; 1 where the curvature does not say it."""
    curvature = float(hessian[index, index])
    return float(np.sqrt(chi2_quantile(level, 1) / curvature)) if curvature > 0 else 1.0


def _limit(profile: _Profile, centre: float, direction: float, end: float, reach: float) -> float:
    if abs(end - centre) < 1e-12:
        return end
    inside, outside = centre, None
    step = reach
    for _ in range(DOUBLINGS):
        there = centre + direction * step
        if np.isfinite(end) and (there - end) * direction >= 0:
            there = end
        value, slope = profile.at(there)
        if value > 0:
            outside = there
            break
        inside = there
        if there == end:
            return end
        step *= 2
    if outside is None:
        return float("nan")
    return _root(profile, inside, outside, outside, value, slope)


def _root(profile: _Profile, inside: float, outside: float, at: float, value: float, slope: float) -> float:
    """Return where the profile crosses 0 between a point inside the interval and one outside."""
    for _ in range(STEPS):
        guess = at - value / slope if slope else np.nan
        low, high = min(inside, outside), max(inside, outside)
        if not low < guess < high:
            guess = 0.5 * (inside + outside)
        done = abs(guess - at) <= WIDTH * max(abs(guess), 1e-12) or high - low <= WIDTH * max(high, 1e-12)
        at = guess
        if done:
            break
        value, slope = profile.at(at)
        if value > 0:
            outside = at
        else:
            inside = at
    return at
