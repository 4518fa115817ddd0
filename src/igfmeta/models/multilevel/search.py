"""The highest point of a likelihood in a few parameters: Newton's method from several starts, with a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from igfmeta.models.multilevel.likelihood import Likelihood
from igfmeta.models.multilevel.structures import Structure
from igfmeta.models.multilevel.terms import Codes
from igfmeta.numerics import Floats, Mask

#: f(theta) -> value and slope.
Function = Callable[[Floats], tuple[float, Floats]]

#: Steps of Newton's method at most, and halvings of one step.
STEPS, HALVINGS = 200, 40

#: Relative length of the differences that make a Hessian, and the parameter below which they no longer shrink.
DIFFERENCE, FLOOR = 1e-5, 1e-2

#: Slope (times the parameter where that is above 1) below which a point counts as stationary.
FLAT = 1e-5

#: Standard deviation, in units of the typical sampling error, below which a component counts as zero.
ZERO = 1e-5

#: Standard deviation, in those units, from which a search for one starts at least.
LEAST = 0.03

#: Share of the largest curvature below which a direction is flat.
LEVEL = 1e-9

#: Sizes of the total heterogeneity at which the search looks, as shares of the spread of the effects; how it may be
#: split between terms beside evenly; correlations; and from how many of these places it climbs.
SIZES, SHARE, CORRELATIONS, CLIMBS = (0.03, 0.15, 0.5, 1.0, 2.5), 0.9, (0.0, 0.7, -0.7), 3

#: Where there are correlations: scattered places for each parameter, at most, the steps that each is followed before
#: the best are, and over how many decades (natural) their standard deviations are scattered.
SCATTERED, MOST, FIRST_STEPS, DECADES = 3, 18, 4, 4.0

#: Roots of primes, whose multiples scatter evenly modulo 1 (Weyl 1916).
_ROOTS = np.sqrt([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71])


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is highest, and what certifies it.

    Attributes
    ----------
    theta : ndarray
    log_likelihood : float
    gradient : float
        Largest slope, those that push a standard deviation below 0 left out.
    hessian : ndarray
        Of minus the log-likelihood, by central differences of the analytic slope.
    condition : float
        Of the Hessian over the parameters that matter; infinite where a direction is flat.
    flat : bool
        Whether the data leave a direction undetermined.
    converged : bool
    multimodal : bool
        Whether a lower maximum was seen too.
    starts : int
        Places from which the search climbed.
    """

    theta: Floats
    log_likelihood: float
    gradient: float
    hessian: Floats
    condition: float
    flat: bool
    converged: bool
    multimodal: bool
    starts: int


@dataclass(frozen=True, eq=False)
class Space:
    """Which parameters are bounded below by 0, and which are held where they are.

    Attributes
    ----------
    bounded : ndarray of bool
    held : ndarray of bool
    """

    bounded: Mask
    held: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def free(self, theta: Floats, gradient: Floats) -> Codes:
        """Return the positions that may move: not held, and not at 0 with a slope that pushes below."""
        held = self.held if len(self.held) else np.zeros(len(theta), dtype=bool)
        return np.flatnonzero(~held & ~(self.bounded & (theta <= 0) & (gradient <= 0)))

    def inside(self, theta: Floats) -> Floats:
        """Return the parameters with negative standard deviations reflected: a variance does not know the sign."""
        return np.where(self.bounded, np.abs(theta), theta)

    def after(self, theta: Floats, step: Floats) -> Floats:
        """Return the parameters after a step; a standard deviation next to 0 that would pass it stops there."""
        stops = self.bounded & (theta < 0.1 * LEAST) & (theta + step < 0)
        return np.where(stops, 0.0, self.inside(theta + step))

    def off_zero(self, theta: Floats) -> Floats:
        """Return a place to start from: at a standard deviation of exactly 0 every slope vanishes."""
        held = self.held if len(self.held) else np.zeros(len(theta), dtype=bool)
        return np.where(self.bounded & ~held & (theta < LEAST), LEAST, theta)


def _steps(theta: Floats, size: float) -> Floats:
    return size * np.maximum(np.abs(theta), FLOOR)


def hessian(f: Function, theta: Floats, at: Codes, *, size: float = 10 * DIFFERENCE) -> Floats:
    """Return the Hessian of minus f in the parameters `at`, by central differences of its slope."""
    out = np.empty((len(at), len(at)))
    for n, i in enumerate(at):
        step = np.zeros(len(theta))
        step[i] = _steps(theta, size)[i]
        out[n] = -(f(theta + step)[1] - f(theta - step)[1])[at] / (2 * step[i])
    return 0.5 * (out + out.T)


def _rough_hessian(f: Function, theta: Floats, gradient: Floats, at: Codes) -> Floats:
    """Return it by forward differences: half the work, and good enough for a step."""
    out = np.empty((len(at), len(at)))
    sizes = _steps(theta, DIFFERENCE)
    for n, i in enumerate(at):
        step = np.zeros(len(theta))
        step[i] = sizes[i]
        out[n] = -(f(theta + step)[1] - gradient)[at] / step[i]
    return 0.5 * (out + out.T)


def climb(f: Function, theta: Floats, space: Space, *, steps: int = STEPS) -> tuple[Floats, float, Floats]:
    """Return a local maximum, its value and the slope there.

    Newton's method with the eigenvalues of the Hessian made positive, steps halved until the value rises. Close to the
    top, where rounding hides a rise, a step counts if it flattens the slope. A standard deviation that ends next to 0
    is set to 0 if that is no lower.
    """
    theta = space.off_zero(space.inside(theta))
    value, gradient = f(theta)
    for _ in range(steps):
        at = space.free(theta, gradient)
        if not len(at) or not np.abs(gradient[at]).max() > 0:
            break
        values, vectors = np.linalg.eigh(_rough_hessian(f, theta, gradient, at))
        size = np.maximum(np.abs(values), max(1e-10 * np.abs(values).max(), 1e-300))
        along = vectors.T @ gradient[at]
        step = np.zeros(len(theta))
        step[at] = vectors @ (along / size)
        promise = float(np.sum(along**2 / size))
        if promise < 1e-24 * (1 + abs(value)):
            break
        longest = float(np.max(np.abs(step) / (1.0 + np.abs(theta))))
        step /= max(1.0, longest)
        near = promise < 1e-9 * (1 + abs(value))
        moved = _moved(f, theta, step, value, gradient, space, near=near)
        if moved is None:
            break
        theta, value, gradient = moved
    zero = space.bounded & (theta < ZERO)
    if zero.any() and (theta[zero] > 0).any():
        at_zero = np.where(zero, 0.0, theta)
        there, slope = f(at_zero)
        if there >= value - 1e-12 * (1 + abs(value)):
            return at_zero, there, slope
    return theta, value, gradient


def _moved(
    f: Function, theta: Floats, step: Floats, value: float, gradient: Floats, space: Space, *, near: bool
) -> tuple[Floats, float, Floats] | None:
    """Return the point after a step that helps, or None."""
    share = 1.0
    for _ in range(1 if near else HALVINGS):
        new = space.after(theta, share * step)
        there, slope = f(new)
        if np.isfinite(there):
            if near:
                here = np.abs(gradient[space.free(theta, gradient)]).max()
                left = space.free(new, slope)
                better = not len(left) or np.abs(slope[left]).max() < 0.9 * here
            else:
                better = there > value + 1e-4 * float(gradient @ (new - theta)) * (share < 1) or there > value
            if better:
                return new, there, slope
        share *= 0.5 if share > 1e-3 else 0.1
    return None


def _starts(structures: Sequence[Structure], spread: float) -> Iterator[Floats]:
    """Return the places at which the search looks."""
    n = len(structures)
    even = np.full(n, 1 / n)
    splits = (
        [even] if n == 1 else [even, *(np.where(np.arange(n) == i, SHARE, (1 - SHARE) / (n - 1)) for i in range(n))]
    )
    correlated = any(s.n_angles for s in structures)
    for size, split, rho in product(SIZES, splits, CORRELATIONS if correlated else (0.0,)):
        parts = []
        for structure, share in zip(structures, split, strict=True):
            common = 0.0
            if structure.n_angles:
                low, high = structure.limits
                common = rho * high if rho > 0 else -rho * low
            parts.append(structure.theta([size * spread * np.sqrt(share)] * structure.n_sd, [common]))
        yield np.concatenate(parts)


def _scattered(structures: Sequence[Structure], spread: float) -> Iterator[Floats]:
    """Return places all over the space: likelihoods of correlated effects often have several maxima."""
    total = sum(structure.n_parameters for structure in structures)
    roots = np.resize(_ROOTS, total)
    for n in range(1, min(MOST, SCATTERED * total) + 1):
        u, at = np.mod(n * roots, 1.0), 0
        parts = []
        for structure in structures:
            own = u[at : at + structure.n_parameters]
            sd = spread * np.exp(DECADES * (own[: structure.n_sd] - 0.75))
            parts.append(np.concatenate([sd, np.pi * own[structure.n_sd :]]))
            at += structure.n_parameters
        yield np.concatenate(parts)


def space_of(likelihood: Likelihood) -> Space:
    """Return which parameters of a likelihood are standard deviations."""
    parts = [np.arange(s.n_parameters) < s.n_sd for s in likelihood.structures]
    return Space(np.concatenate([np.zeros(0, dtype=bool), *parts]))


def maximize(likelihood: Likelihood, structures: Sequence[Structure], spread: float) -> Maximum:
    """Return the highest maximum that a search over the whole space finds.

    Parameters
    ----------
    likelihood : Likelihood
        In units of the typical sampling error.
    structures : sequence of Structure
    spread : float
        Root mean square of the effects' deviations from the fixed effects, in those units.
    """
    f, space = likelihood.gradient, space_of(likelihood)
    looked = sorted(
        ((likelihood.value(theta), i, theta) for i, theta in enumerate(_starts(structures, spread))), reverse=True
    )
    places = [theta for _, _, theta in _distinct(looked)]
    if any(structure.n_angles for structure in structures):
        followed = [climb(f, theta, space, steps=FIRST_STEPS) for theta in _scattered(structures, spread)]
        places += [theta for theta, _, _ in sorted(followed, key=lambda each: -each[1])[:CLIMBS]]
    tops = [_off_saddles(f, *climb(f, theta, space), space) for theta in places]
    theta, value, gradient = max(tops, key=lambda top: top[1])
    lower = any(top[1] < value - 1e-6 * (1 + abs(value)) and _is_top(f, top, space) for top in tops)
    parts = zip(structures, likelihood.slices, strict=True)
    theta = np.concatenate([structure.canonical(theta[at]) for structure, at in parts])
    theta, value, gradient = climb(f, theta, space)
    return certified(f, theta, value, gradient, space, multimodal=lower, starts=len(tops))


def _distinct(looked: Sequence[tuple[float, int, Floats]]) -> list[tuple[float, int, Floats]]:
    """Return the best places, no two of the same size of heterogeneity."""
    chosen: list[tuple[float, int, Floats]] = []
    per_size = max(1, len(looked) // len(SIZES))
    for each in looked:
        if all(each[1] // per_size != other[1] // per_size for other in chosen):
            chosen.append(each)
        if len(chosen) == CLIMBS:
            break
    return chosen


def _curvature(f: Function, theta: Floats, space: Space) -> tuple[Codes, Floats, Floats, Floats]:
    """Return the positions that matter, the Hessian there, and eigenvalues and eigenvectors of it scaled."""
    gradient = f(theta)[1]
    kinked = space.bounded & (theta <= 0) & (gradient < -FLAT)
    held = space.held if len(space.held) else np.zeros(len(theta), dtype=bool)
    at = np.flatnonzero(~kinked & ~held)
    scale = np.where(space.bounded & (theta > ZERO), np.abs(theta), 1.0)
    curvature = hessian(f, theta, at)
    scaled: Floats = curvature * scale[at][:, None] * scale[at]
    values, vectors = np.linalg.eigh(scaled)
    return at, curvature, values, vectors


def _off_saddles(
    f: Function, theta: Floats, value: float, gradient: Floats, space: Space
) -> tuple[Floats, float, Floats]:
    """Return a maximum above a point where the slope vanishes but the likelihood still rises on one side."""
    for _ in range(4):
        at, _, values, vectors = _curvature(f, theta, space)
        if not len(at) or values[0] >= -1e-7 * max(1.0, float(np.abs(values).max())):
            break
        away = np.zeros(len(theta))
        away[at] = vectors[:, 0]
        tries = [climb(f, space.inside(theta + s * away), space) for s in (0.3, -0.3)]
        best = max(tries, key=lambda each: each[1])
        if best[1] <= value:
            break
        theta, value, gradient = best
    return theta, value, gradient


def _is_top(f: Function, top: tuple[Floats, float, Floats], space: Space) -> bool:
    theta, _, gradient = top
    at = space.free(theta, gradient)
    if len(at) and np.abs(gradient[at]).max() > FLAT:
        return False
    values = _curvature(f, theta, space)[2]
    return not len(values) or bool(values[0] > LEVEL * max(1.0, float(values[-1])))


def certified(
    f: Function, theta: Floats, value: float, gradient: Floats, space: Space, *, multimodal: bool, starts: int
) -> Maximum:
    """Return a point with the slope and curvature that say whether it is a maximum."""
    at = space.free(theta, gradient)
    scaled = np.abs(gradient[at]) * np.maximum(1.0, np.abs(theta[at]))
    slope = float(scaled.max()) if len(at) else 0.0
    kept, curvature, values, _ = _curvature(f, theta, space)
    zero = space.bounded & (theta <= ZERO)
    flat = False
    condition = 1.0
    if len(values):
        top = float(np.abs(values).max())
        dull = values < LEVEL * top
        # Where a standard deviation is 0 the correlations with it are undetermined: that is no fault of the data.
        flat = bool(dull.any()) and not zero.any()
        kept_values = values[~dull]
        condition = float("inf") if flat else float(top / kept_values.min()) if len(kept_values) else 1.0
    whole = np.zeros((len(theta), len(theta)))
    whole[np.ix_(kept, kept)] = curvature
    return Maximum(
        theta=theta,
        log_likelihood=value,
        gradient=slope,
        hessian=whole,
        condition=condition,
        flat=flat,
        converged=slope < FLAT,
        multimodal=multimodal,
        starts=starts,
    )
