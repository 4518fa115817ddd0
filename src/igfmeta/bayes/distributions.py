"""The posterior distributions: a mixture of normals for mu and for a new study, an expansion in polynomials for tau."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from scipy import special

from igfmeta.bayes.mappings import Logarithmic, Mapping
from igfmeta.bayes.quadrature import Grid, barycentric, cumulation, interpolate, interpolated_slope, rule
from igfmeta.numerics import Floats, row_sum
from igfmeta.solver import bracketed_newton

#: Components lighter than this, over every data set of a batch, are left out.
NEGLIGIBLE = 1e-18

#: The least lower tail of a shortest interval; less is an interval that begins at the lower end.
LEAST_TAIL = 1e-12

#: Lower tails at which intervals are compared where the density is unbounded.
TAILS = 40


class Distribution(Protocol):
    """What an interval needs; every argument and result of shape (batch,)."""

    @property
    def at_lower_end(self) -> Literal["nothing", "finite", "unbounded"]:
        """What the density may be at the lower end of the distribution."""

    def rows(self, rows: Any) -> Distribution: ...

    def density(self, x: Floats) -> Floats: ...

    def relative_slope(self, x: Floats) -> Floats: ...

    def quantile(self, p: Floats, start: Floats | None = None) -> Floats: ...


@dataclass(frozen=True, eq=False)
class NormalMixture:
    """A mixture of normals for each data set; weight, mean, sd of shape (batch, c)."""

    weight: Floats
    mean: Floats
    sd: Floats

    @property
    def at_lower_end(self) -> Literal["nothing", "finite", "unbounded"]:
        return "nothing"

    @classmethod
    def of(cls, weight: Floats, mean: Floats, variance: Floats) -> NormalMixture:
        """Return the mixture without the components that weigh nothing."""
        kept = weight.max(axis=0) > NEGLIGIBLE
        return cls(weight[:, kept], mean[:, kept], np.sqrt(variance[:, kept]))

    def rows(self, rows: Any) -> NormalMixture:
        return NormalMixture(self.weight[rows], self.mean[rows], self.sd[rows])

    def _standardized(self, x: Floats) -> Floats:
        return np.asarray((np.asarray(x)[:, None] - self.mean) / self.sd)

    def cdf(self, x: Floats) -> Floats:
        """Return P(X <= x); x of shape (batch,)."""
        return np.asarray(np.vecdot(self.weight, special.ndtr(self._standardized(x))))

    def density(self, x: Floats) -> Floats:
        z = self._standardized(x)
        return np.asarray(np.vecdot(self.weight, np.exp(-0.5 * z * z) / self.sd) / np.sqrt(2 * np.pi))

    def relative_slope(self, x: Floats) -> Floats:
        """Return the derivative of the logarithm of the density."""
        z = self._standardized(x)
        each = self.weight * np.exp(-0.5 * z * z) / self.sd
        return np.asarray(-np.vecdot(each, z / self.sd) / row_sum(each))

    def quantile(self, p: Floats, start: Floats | None = None) -> Floats:
        """Return the x with P(X <= x) = p.

        The search is for the distance from a point one standard deviation beyond the centre, so that its relative
        precision is that of the quantile however far out the widest components lie.
        """
        centre = np.vecdot(self.weight, self.mean)
        unit = np.exp(np.vecdot(self.weight, np.log(self.sd)))
        side = np.where(self.cdf(centre) < p, 1.0, -1.0)
        tail = np.where(side > 0, 1 - p, p)
        origin = centre - side * unit
        each = side[:, None] * (self.mean - origin[:, None]) - special.ndtri(tail)[:, None] * self.sd
        high = np.where(self.weight > NEGLIGIBLE, each, 2 * unit[:, None]).max(axis=1) + unit
        first = unit * (1 + np.abs(special.ndtri(tail))) if start is None else side * (start - origin)

        def equations(t: Floats, rows: Any) -> tuple[Floats, Floats]:
            part = self.rows(rows)
            z = part._standardized(origin[rows] + side[rows] * t) * -side[rows][:, None]
            beyond = np.vecdot(part.weight, special.ndtr(z))
            return beyond - tail[rows], -np.vecdot(part.weight, np.exp(-0.5 * z * z) / part.sd) / np.sqrt(2 * np.pi)

        return np.asarray(origin + side * bracketed_newton(equations, 0.5 * unit, high, first)[0])

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation."""
        mean = np.vecdot(self.weight, self.mean)
        variance = np.vecdot(self.weight, self.sd**2 + (self.mean - mean[:, None]) ** 2)
        return mean, np.sqrt(variance)


def share(draws: Any) -> Floats:
    """Return the share of draws, along the first axis, in which something is so; no nearer to 0 or 1 than half a draw.

    Examples
    --------
    >>> share(np.array([False, False, True, False])), share(np.zeros(4, dtype=bool))
    (array(0.25), array(0.125))
    """
    least = 0.5 / len(draws)
    return np.asarray(np.clip(np.mean(draws, axis=0), least, 1 - least))


@dataclass(frozen=True, eq=False)
class Empirical:
    """Draws of equal weight for each data set; ordered, of shape (batch, n)."""

    ordered: Floats

    @classmethod
    def of(cls, draws: Floats) -> Empirical:
        """Return the distribution of draws of shape (batch, n)."""
        return cls(np.sort(draws, axis=1))

    def cdf(self, x: Floats) -> Floats:
        """Return P(X <= x), no nearer to 0 or 1 than half a draw; x of shape (batch,)."""
        return share((self.ordered <= np.asarray(x)[:, None]).T)

    def quantile(self, p: Floats) -> Floats:
        """Return the x with P(X <= x) = p, between neighbouring draws by a straight line."""
        n = self.ordered.shape[1]
        at = np.clip(np.asarray(p) * n - 0.5, 0, n - 1)
        below = np.minimum(at.astype(int), n - 2)
        left, right = (np.take_along_axis(self.ordered, i[:, None], axis=1)[:, 0] for i in (below, below + 1))
        return np.asarray(left + (at - below) * (right - left))

    def density(self, x: Floats) -> Floats:
        """Return a Gaussian kernel estimate of the density (bandwidth by Silverman 1986, eq. 3.31)."""
        n = self.ordered.shape[1]
        spread = np.minimum(self.ordered.std(axis=1), np.diff(self.ordered[:, [n // 4, 3 * n // 4]])[:, 0] / 1.349)
        width = 0.9 * spread * n**-0.2
        z = (np.asarray(x)[:, None] - self.ordered) / width[:, None]
        return np.asarray(np.exp(-0.5 * z * z).mean(axis=1) / (width * np.sqrt(2 * np.pi)))

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation."""
        return self.ordered.mean(axis=1), self.ordered.std(axis=1)


@dataclass(frozen=True, eq=False)
class TauPosterior:
    """The posterior of tau; on u its density and distribution function are polynomials.

    Attributes
    ----------
    mapping : Mapping
        From u to tau.
    size, reach : ndarray of shape (batch,)
        Its A, and the largest u.
    values : ndarray of shape (batch, n)
        Density of u / reach at the nodes.
    cumulated : ndarray of shape (batch, n + 1)
        Distribution function at 0 and at the nodes.
    """

    mapping: Mapping
    size: Floats
    reach: Floats
    values: Floats
    cumulated: Floats

    @property
    def at_lower_end(self) -> Literal["nothing", "finite", "unbounded"]:
        return "unbounded" if isinstance(self.mapping, Logarithmic) else "finite"

    @classmethod
    def of(cls, grid: Grid) -> TauPosterior:
        n = grid.u.shape[1]
        cumulated = (rule(n)[1] * grid.density) @ cumulation(n)
        return cls(grid.mapping, grid.size, grid.reach, grid.density, np.pad(cumulated, ((0, 0), (1, 0))))

    def rows(self, rows: Any) -> TauPosterior:
        return TauPosterior(self.mapping, self.size[rows], self.reach[rows], self.values[rows], self.cumulated[rows])

    def _at(self, share: Floats) -> tuple[Floats, Floats]:
        """Return distribution function and density of u / reach."""
        n = self.values.shape[1]
        return (
            interpolate(share, self.cumulated, *barycentric(n, with_zero=True)),
            interpolate(share, self.values, *barycentric(n, with_zero=False)),
        )

    def cdf(self, tau: Floats) -> Floats:
        """Return P(T <= tau); tau of shape (batch,)."""
        share = self.mapping.share(np.maximum(tau, np.finfo(float).tiny), self.size) / self.reach
        return np.where(np.asarray(tau) > 0, self._at(np.minimum(share, 1.0))[0].clip(0.0, 1.0), 0.0)

    def density(self, tau: Floats) -> Floats:
        u = self.mapping.share(tau, self.size)
        in_share = np.maximum(self._at(u / self.reach)[1], 0.0)
        log_slope = self.mapping.log_slope(u, self.size)
        covered = (u < self.reach) & np.isfinite(log_slope)
        return np.where(covered, in_share / self.reach * np.exp(-np.where(covered, log_slope, 0.0)), 0.0)

    def relative_slope(self, tau: Floats) -> Floats:
        """Return the derivative of the logarithm of the density."""
        u = self.mapping.share(tau, self.size)
        of_density = barycentric(self.values.shape[1], with_zero=False)
        value = interpolate(u / self.reach, self.values, *of_density)
        slope = interpolated_slope(u / self.reach, value, self.values, *of_density)
        by_share = slope / (value * self.reach) - self.mapping.log_slope_rate(u)
        return np.asarray(by_share * np.exp(-self.mapping.log_slope(u, self.size)))

    def quantile(self, p: Floats, start: Floats | None = None) -> Floats:
        """Return the tau with P(T <= tau) = p."""
        if start is None:
            nodes, _ = barycentric(self.values.shape[1], with_zero=True)
            share = nodes[(self.cumulated < p[:, None]).sum(axis=1).clip(0, len(nodes) - 1)]
        else:
            share = self.mapping.share(np.maximum(start, np.finfo(float).tiny), self.size) / self.reach

        def equations(x: Floats, rows: Any) -> tuple[Floats, Floats]:
            value, slope = self.rows(rows)._at(x)
            return p[rows] - value, -slope

        share, _ = bracketed_newton(equations, np.zeros(len(p)), np.ones(len(p)), share)
        return np.where(p > 0, self.mapping.tau(share * self.reach, self.size), 0.0)


def quantiles(distribution: Distribution, p: Sequence[float], batch: int) -> list[Floats]:
    """Return the quantiles at each probability of p, found together."""
    spread = distribution.rows(np.tile(np.arange(batch), len(p)))
    return list(spread.quantile(np.repeat(np.asarray(p, dtype=float), batch)).reshape(len(p), batch))


def central(distribution: Distribution, level: float, batch: int) -> list[Floats]:
    """Return median, lower and upper end of the interval with equal tails."""
    return quantiles(distribution, (0.5, 0.5 - level / 2, 0.5 + level / 2), batch)


class _Ends:
    """The ends of intervals with a given lower tail; each search begins where the last one ended."""

    def __init__(self, distribution: Distribution, level: float, batch: int) -> None:
        self.median, *both = central(distribution, level, batch)
        self.distribution = distribution.rows(np.tile(np.arange(batch), 2))
        self.level, self.batch = level, batch
        self.p = self._probabilities(np.full(batch, 0.5 - level / 2))
        self.x = np.concatenate(both)
        self.density = self.distribution.density(self.x)

    def _probabilities(self, tail: Floats) -> Floats:
        return np.concatenate([tail, np.minimum(tail + self.level, 1 - 1e-16)])

    def at(self, tail: Floats, rows: Any) -> tuple[Any, Distribution, Floats]:
        """Return the ends (lower, then upper) of some data sets, with their distribution, and keep them."""
        both = np.concatenate([rows, rows + self.batch])
        part, p = self.distribution.rows(both), self._probabilities(tail)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ahead = self.x[both] + (p - self.p[both]) / self.density[both]
        x = part.quantile(p, np.where(np.isfinite(ahead), ahead, self.x[both]))
        self.p[both], self.x[both], self.density[both] = p, x, part.density(x)
        return both, part, x

    def excess(self, tail: Floats, rows: Any) -> tuple[Floats, Floats]:
        """Return the logarithm of upper over lower density, and its slope by the lower tail."""
        both, part, x = self.at(tail, rows)
        density = self.density[both]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            lower, upper = np.log(density).reshape(2, len(rows))
            slope = (part.relative_slope(x) / density).reshape(2, len(rows))
            return upper - lower, slope[1] - slope[0]


def _brackets(distribution: Distribution, ends: _Ends, level: float, batch: int) -> tuple[Floats, Floats]:
    """Return lower tails between which that of the shortest interval lies; both are 0 where it begins at the end."""
    none, all_of_it = np.zeros(batch), np.full(batch, 1 - level)
    least = np.full(batch, LEAST_TAIL)
    if distribution.at_lower_end == "nothing":
        return least, all_of_it
    if distribution.at_lower_end == "finite":
        inside = ends.excess(least, np.arange(batch))[0] > 0
        return np.where(inside, least, none), np.where(inside, all_of_it, none)
    # An unbounded density has a second pair of ends with equal density, close to the lower end: compare the widths.
    tails = np.concatenate([[0.0], np.geomspace(1e-6, 0.999, TAILS) * (1 - level)])
    found = np.array(quantiles(distribution, [*tails, *(tails + level)], batch)).reshape(2, len(tails), batch)
    best = (found[1] - found[0]).argmin(axis=0)
    low, high = tails[np.maximum(best - 1, 0)], np.append(tails, 1 - level)[best + 1]
    return np.where(best > 0, np.maximum(low, LEAST_TAIL), none), np.where(best > 0, high, none)


def shortest(distribution: Distribution, level: float, batch: int) -> list[Floats]:
    """Return the median, and the shortest interval of a distribution with one mode.

    Its ends have equal density, or it begins at the lower end: the root of the difference of the log densities, as a
    function of the lower tail probability.
    """
    ends = _Ends(distribution, level, batch)
    low, high = _brackets(distribution, ends, level, batch)
    inside, tail = np.flatnonzero(high > 0), np.zeros(batch)
    if len(inside):
        tail[inside], _ = bracketed_newton(
            lambda t, part: ends.excess(t, inside[part]),
            low[inside],
            high[inside],
            np.full(len(inside), 0.5 - level / 2),
        )
    lower, upper = ends.at(tail, np.arange(batch))[2].reshape(2, batch)
    return [ends.median, lower, upper]


INTERVALS: dict[str, Callable[[Distribution, float, int], list[Floats]]] = {
    "central": central,
    "shortest": shortest,
}
