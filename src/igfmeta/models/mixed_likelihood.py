"""Maximum likelihood of mean theta and between-study variance tau2 for counts: the global maximum, and its profile.

For each tau2 the log-likelihood is concave in theta (Prekopa 1973: marginals of log-concave functions are), so that
Newton's method finds theta(tau2) without fail, and the profile is a function of one variable. Its slope is scanned on
a grid from 0 to `LARGEST`; each change of sign from + to - brackets a maximum, Newton's method refines it, and the
highest wins, 0 included. The ends of the profile-likelihood interval of theta are found the same way: for each tau2 the
points where the log-likelihood has fallen by half a chi-squared quantile, the outermost of them over tau2.

Batches are ragged: the studies of all data sets stand in one row, so that many small data sets cost what their studies
cost, and the points of a grid are more data sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.models.mixed_data import DataSets, Index, Mixed
from igfmeta.models.normal_mixing import Contributions
from igfmeta.numerics import Floats, Mask
from igfmeta.solver import bracketed_newton

#: Grid of tau2 on the scale of a logit or log rate; tau = 10 is beyond any that could be meant.
LARGEST = 100.0
GRID = np.concatenate([[0.0], np.geomspace(1e-3, LARGEST, 13)])

#: Nodes of the integral while brackets are sought, and in the answer; doubled until the log-likelihood stands still.
SCOUTS, NODES, MOST_NODES = 31, 61, 961

#: Nodes with which a slope is looked at again that still rises at the largest tau2, where few nodes see badly.
CAREFUL = 481

#: Newton's steps after the nodes were doubled, which hardly move the maximum.
POLISH = 6
STANDSTILL = 1e-10

#: Newton's method in theta: longest step, steps, and the step (in standard errors) after which theta is found.
LONGEST, STEPS, FOUND = 2.0, 60, 1e-9

#: How far, relatively, a log-likelihood may be from its target before the last step, which squares that.
MISSED = 1e-8

#: Curvature below which it is rounding: the log-likelihood is concave.
FLAT = 1e-12


def _centre(data: DataSets, rows: Index, t: Floats, start: Floats, nodes: int) -> tuple[Floats, Contributions]:
    """Return theta where the log-likelihood is highest at each tau2, and what it is there (one last tiny step ago)."""
    theta, parts = start.copy(), np.empty((6, len(rows)))
    active = np.arange(len(rows))
    for _ in range(STEPS):
        found = data.at(rows[active], theta[active], t[active], nodes)
        parts[:, active] = list(found.__dict__.values())
        bend = np.maximum(-found.theta_theta, FLAT)
        step = np.clip(found.theta / bend, -LONGEST, LONGEST)
        theta[active] += step
        active = active[np.abs(step) * np.sqrt(bend) > FOUND]
        if not len(active):
            break
    return theta, Contributions(*parts)


def _fallen(
    data: DataSets, rows: Index, t: Floats, start: Floats, target: Floats, nodes: int
) -> tuple[Floats, Contributions]:
    """Return theta where the log-likelihood is `target`, on the side of its maximum where `start` lies.

    From outside Newton's method on a concave function comes down on its root from one side; from inside its first step
    leads outside.
    """
    theta, parts = start.copy(), np.empty((6, len(rows)))
    active = np.arange(len(rows))
    for _ in range(STEPS):
        found = data.at(rows[active], theta[active], t[active], nodes)
        parts[:, active] = list(found.__dict__.values())
        step = np.clip((target[active] - found.value) / found.theta, -2 * LONGEST, 2 * LONGEST)
        theta[active] += step
        active = active[np.abs(found.value - target[active]) > MISSED * (1 + np.abs(target[active]))]
        if not len(active):
            break
    return theta, Contributions(*parts)


@dataclass(frozen=True, eq=False)
class _Curve:
    """theta as a function of tau2 for each data set, on a grid of shape (grid,): shape (batch, grid) each."""

    grid: Floats
    theta: Floats
    value: Floats
    slope: Floats
    curvature: Floats


def _ridge(data: DataSets, rows: Index, start: Floats, nodes: int, grid: Floats) -> _Curve:
    """Return theta(tau2) of data sets `rows` on a grid."""
    n, g = len(rows), len(grid)
    theta, found = _centre(data, np.repeat(rows, g), np.tile(grid, n), np.repeat(start, g), nodes)
    parts = (theta, found.value, found.t, found.theta_theta)
    return _Curve(grid, *(part.reshape(n, g) for part in parts))


def _profile(data: DataSets, start: Floats, grid: Floats = GRID) -> _Curve:
    """Return theta(tau2) of every data set on a grid."""
    curve = _ridge(data, np.arange(len(data)), start, SCOUTS, grid)
    rising = np.flatnonzero((curve.slope[:, -1] > 0) & (len(grid) > 1))
    if len(rising):
        again = _ridge(data, rising, start[rising], CAREFUL, grid)
        for name in ("theta", "value", "slope", "curvature"):
            getattr(curve, name)[rising] = getattr(again, name)
    return curve


def _turns(slope: Floats, valid: Mask) -> tuple[Index, Index]:
    """Return data set and grid point before each change of the slope from + to -."""
    rows, at = np.nonzero((slope[:, :-1] > 0) & (slope[:, 1:] <= 0) & valid[:, :-1] & valid[:, 1:])
    return rows, at


def _maxima(data: DataSets, curve: _Curve) -> tuple[Index, Floats, Floats, Mask]:
    """Return owner, theta, tau2 and whether the search ended, of every local maximum of the profiles."""
    rows, at = _turns(curve.slope, np.ones_like(curve.slope, dtype=bool))
    theta = curve.theta[rows, at].copy()

    def equations(t: Floats, some: Index) -> tuple[Floats, Floats]:
        theta[some], found = _centre(data, rows[some], t, theta[some], NODES)
        return found.t, found.t_t - found.theta_t**2 / found.theta_theta

    t, ended = bracketed_newton(equations, GRID[at], GRID[at + 1])
    still_rising = np.flatnonzero(curve.slope[:, -1] > 0)
    at_zero = np.flatnonzero(curve.slope[:, 0] <= 0)
    owner = np.concatenate([rows, at_zero, still_rising])
    theta = np.concatenate([theta, curve.theta[at_zero, 0], curve.theta[still_rising, -1]])
    t = np.concatenate([t, np.zeros(len(at_zero)), np.full(len(still_rising), LARGEST)])
    ended = np.concatenate([ended, np.ones(len(at_zero), dtype=bool), np.zeros(len(still_rising), dtype=bool)])
    return owner, theta, t, ended


def _tau2_limits(data: DataSets, theta: Floats, t: Floats, value: Floats, curve: _Curve, fall: float, nodes: int
                 ) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the profile-likelihood limits of tau2: where the profile has fallen by `fall`."""
    target = value - fall
    lower, upper = np.zeros(len(data)), np.full(len(data), np.inf)
    for sign, out, some in (
        (1.0, lower, np.flatnonzero((t > 0) & (curve.value[:, 0] < target))),
        (-1.0, upper, np.flatnonzero((t < LARGEST) & (curve.value[:, -1] < target))),
    ):
        if not len(some):
            continue
        guess = theta[some].copy()

        def equations(
            s: Floats, rows: Index, sign: float = sign, some: Index = some, guess: Floats = guess
        ) -> tuple[Floats, Floats]:
            guess[rows], found = _centre(data, some[rows], s, guess[rows], nodes)
            return sign * (target[some][rows] - found.value), -sign * found.t

        ends = (np.zeros(len(some)), t[some]) if sign > 0 else (t[some], np.full(len(some), LARGEST))
        out[some], _ = bracketed_newton(equations, *ends)
    return lower, upper


def _theta_limit(data: DataSets, curve: _Curve, target: Floats, side: float, nodes: int) -> Floats:
    """Return the profile-likelihood limit of theta on one side: the outermost of the limits at each tau2."""
    n, g = curve.value.shape
    reached = curve.value > target[:, None]
    height = np.where(reached, curve.value - target[:, None], 1.0)
    start = curve.theta + side * np.sqrt(2 * height / np.maximum(-curve.curvature, FLAT))
    rows, at = np.nonzero(reached)
    ends, found = _fallen(data, rows, curve.grid[at], start[rows, at], target[rows], SCOUTS)
    theta, slope = np.full((n, g), np.nan), np.full((n, g), np.nan)
    theta[rows, at], slope[rows, at] = ends, found.t
    outermost = np.where(reached, side * theta, -np.inf).max(axis=1) * side
    # Refine: along the curve d theta/d t = -l_t/l_theta, which is 0 where l_t is.
    owner, before = _turns(np.where(reached, slope, np.nan), reached)
    if len(owner):
        guess = theta[owner, before].copy()

        def equations(t: Floats, some: Index) -> tuple[Floats, Floats]:
            guess[some], here = _fallen(data, owner[some], t, guess[some], target[owner[some]], nodes)
            return here.t, here.t_t - here.theta_t * here.t / here.theta

        bracketed_newton(equations, GRID[before], GRID[before + 1])
        for o, value in zip(owner, guess, strict=True):
            outermost[o] = side * max(side * outermost[o], side * value)
    # An end that still moves outward at the largest tau2 is no end.
    open_end = (g > 1) & reached[:, -1] & (np.where(reached[:, -1], slope[:, -1], -1.0) > 0)
    return np.where(open_end, side * np.inf, outermost)


def _refined(data: DataSets, theta: Floats, t: Floats) -> tuple[int, Floats]:
    """Return how many nodes suffice for every data set, and by how much the last doubling moved the likelihoods."""
    rows, nodes = np.arange(len(data)), NODES
    value = data.at(rows, theta, t, nodes).value
    while True:
        finer = data.at(rows, theta, t, 2 * nodes - 1).value
        change = np.abs(finer - value)
        if change.max() <= STANDSTILL * max(1.0, np.abs(finer).max()) or nodes >= MOST_NODES:
            return nodes, change
        nodes, value = 2 * nodes - 1, finer


def _polished(data: DataSets, theta: Floats, t: Floats, nodes: int) -> tuple[Floats, Floats]:
    """Return theta and tau2 after Newton's steps on the profile with more nodes than the maximum was found with."""
    theta, t = theta.copy(), t.copy()
    rows = np.flatnonzero((t > 0) & (t < LARGEST))
    for _ in range(POLISH):
        theta[rows], here = _centre(data, rows, t[rows], theta[rows], nodes)
        bend = here.t_t - here.theta_t**2 / here.theta_theta
        step = np.where(bend < 0, here.t / np.minimum(bend, -FLAT), 0.0)
        t[rows] = np.clip(t[rows] - step, 0.5 * t[rows], np.minimum(2 * t[rows], LARGEST))
        rows = rows[np.abs(step) > FOUND * t[rows]]
        if not len(rows):
            break
    return theta, t


def maximize(data: DataSets, start: Floats, *, level: float, common: bool = False, profile: bool = True) -> Mixed:
    """Return the maximum-likelihood fit of each data set.

    Parameters
    ----------
    data : DataSets
        With a finite theta of highest likelihood: not all counts of a data set at one end of what they can be.
    start : ndarray of shape (batch,)
        First guesses of theta.
    level : float
        Of the profile-likelihood intervals.
    common : bool
        Hold tau2 at 0.
    profile : bool
        Whether the profile-likelihood limits of theta are computed, which cost most; NaN otherwise.
    """
    n, rows = len(data), np.arange(len(data))
    theta0, at_zero = _centre(data, rows, np.zeros(n), start, NODES)
    single = common | (data.size < 2)
    # Held at 0, tau2 needs no scan.
    curve = _profile(data, theta0, GRID[:1] if single.all() else GRID)
    owner, thetas, ts, ended = _maxima(data, curve)
    height = data.at(owner, thetas, ts, NODES).value
    theta, t, converged = theta0.copy(), np.zeros(n), np.ones(n, dtype=bool)
    order = np.lexsort((height, owner))  # of the maxima of one data set the highest comes last and stands
    free = order[~single[owner[order]]]
    theta[owner[free]], t[owner[free]], converged[owner[free]] = thetas[free], ts[free], ended[free]
    nodes, accuracy = _refined(data, theta, t)
    if nodes > NODES:
        theta, t = _polished(data, theta, t, nodes)
    theta, _ = _centre(data, rows, t, theta, nodes)
    best = data.at(rows, theta, t, nodes)
    inside = (t > 0) & (t < LARGEST)
    a, b, c = -best.theta_theta, -best.theta_t, -best.t_t
    determinant = np.where(inside, a * c - b * b, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(np.where(inside, c, 1.0) / determinant)
        se_tau2 = np.where(inside, np.sqrt(a / determinant), np.nan)
        spread = np.hypot(a - c, 2 * b)
        condition = np.where(inside, (a + c + spread) / (a + c - spread), 1.0)
    limits = [np.full(n, np.nan) for _ in range(4)]
    fall = _half_quantile(level)
    if profile:
        target = best.value - fall
        held = np.where(single[:, None] & (curve.grid > 0), -np.inf, curve.value)
        shown = _Curve(curve.grid, curve.theta, held, curve.slope, curve.curvature)
        limits[0], limits[1] = (_theta_limit(data, shown, target, side, nodes) for side in (-1.0, 1.0))
    if not single.all():
        limits[2], limits[3] = _tau2_limits(data, theta, t, best.value, curve, fall, nodes)
        limits[2][single], limits[3][single] = np.nan, np.nan
    index, belongs = data.studies(rows)
    own = data.evaluate(index, theta[belongs], t[belongs], nodes)
    return Mixed(
        theta=theta,
        se=se,
        tau2=t,
        se_tau2=se_tau2,
        theta_lower=limits[0],
        theta_upper=limits[1],
        tau2_lower=limits[2],
        tau2_upper=limits[3],
        log_likelihood=best.value,
        theta_common=theta0,
        se_common=1 / np.sqrt(-at_zero.theta_theta),
        log_likelihood_common=at_zero.value,
        gradient=np.maximum(np.abs(best.theta), np.where(inside, np.abs(best.t), 0.0)),
        condition=condition,
        accuracy=accuracy,
        nodes=nodes,
        converged=converged & np.isfinite(se) & (t < LARGEST * (1 - 1e-9)),
        multimodal=np.bincount(owner, minlength=n) > 1,
        information=-own.theta_theta,
    )


@dataclass(frozen=True, eq=False)
class Shared:
    """One tau2 for all data sets: the highest log-likelihood, that tau2, and theta and its standard error of each."""

    log_likelihood: float
    tau2: float
    theta: Floats
    se: Floats


def shared_tau2(data: DataSets, start: Floats, *, common: bool = False) -> Shared:
    """Return the maximum-likelihood fit of a theta for each data set and one tau2 for all; `common` holds it at 0."""
    rows = np.arange(len(data))
    theta, at_zero = _centre(data, rows, np.zeros(len(data)), start, NODES)
    best, best_t, best_theta = float(at_zero.value.sum()), 0.0, theta
    if not common:
        curve = _profile(data, theta)
        slope = curve.slope.sum(axis=0)[None]
        _, at = _turns(slope, np.ones_like(slope, dtype=bool))
        found = [_shared_maximum(data, curve.theta[:, i].copy(), GRID[i : i + 2]) for i in at.tolist()]
        if slope[0, -1] > 0:
            found.append((float(curve.value[:, -1].sum()), LARGEST, curve.theta[:, -1]))
        for value, t, at_t in found:
            if value > best:
                best, best_t, best_theta = value, t, at_t
    here = data.at(rows, best_theta, np.full(len(rows), best_t), NODES)
    own, mixed = -here.theta_theta, -here.theta_t
    variance = 1 / own
    if 0 < best_t < LARGEST:  # what tau2 does not tell: the corner of an arrow-shaped information
        variance = variance + (mixed / own) ** 2 / float(-here.t_t.sum() - (mixed**2 / own).sum())
    return Shared(best, best_t, best_theta, np.sqrt(variance))


def _shared_maximum(data: DataSets, theta: Floats, bracket: Floats) -> tuple[float, float, Floats]:
    """Return value, tau2 and theta of the maximum in a bracket of tau2."""
    rows = np.arange(len(data))

    def equations(t: Floats, _: Index) -> tuple[Floats, Floats]:
        theta[:], found = _centre(data, rows, np.full(len(rows), t[0]), theta, NODES)
        bend = (found.t_t - found.theta_t**2 / found.theta_theta).sum(keepdims=True)
        return found.t.sum(keepdims=True), bend

    t, _ = bracketed_newton(equations, bracket[:1], bracket[1:])
    at, found = _centre(data, rows, np.full(len(rows), t[0]), theta, NODES)
    return float(found.value.sum()), float(t[0]), at


def _half_quantile(level: float) -> float:
    from scipy import special

    return 0.5 * float(special.chdtri(1, 1 - level))
