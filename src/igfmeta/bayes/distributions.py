"""The posterior distributions: a mixture of normals for mu and for a new study, an expansion in polynomials for tau."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import special

from igfmeta.bayes.mappings import Mapping
from igfmeta.bayes.quadrature import Grid, barycentric, cumulation, interpolate, rule
from igfmeta.numerics import Floats
from igfmeta.solver import bracketed_newton

#: Halvings of the search for the shortest interval: its lower tail probability is found to 1e-12.
HALVINGS = 36


class Distribution(Protocol):
    """What an interval needs; every argument and result of shape (batch,)."""

    def rows(self, rows: Any) -> Distribution: ...

    def density(self, x: Floats) -> Floats: ...

    def quantile(self, p: Floats) -> Floats: ...


@dataclass(frozen=True, eq=False)
class NormalMixture:
    """A mixture of normals for each data set; weight, mean, sd of shape (batch, c)."""

    weight: Floats
    mean: Floats
    sd: Floats

    def rows(self, rows: Any) -> NormalMixture:
        return NormalMixture(self.weight[rows], self.mean[rows], self.sd[rows])

    def cdf(self, x: Floats) -> Floats:
        """Return P(X <= x); x of shape (batch,)."""
        return np.asarray(np.vecdot(self.weight, special.ndtr((np.asarray(x)[:, None] - self.mean) / self.sd)))

    def density(self, x: Floats) -> Floats:
        z = (np.asarray(x)[:, None] - self.mean) / self.sd
        return np.asarray(np.vecdot(self.weight, np.exp(-0.5 * z * z) / self.sd) / np.sqrt(2 * np.pi))

    def quantile(self, p: Floats) -> Floats:
        """Return the x with P(X <= x) = p; it lies between the least and the largest quantile of the components."""
        each = self.mean + special.ndtri(p)[:, None] * self.sd
        relevant = self.weight > 1e-18
        low = np.where(relevant, each, np.inf).min(axis=1)
        high = np.where(relevant, each, -np.inf).max(axis=1)
        # Components with one common quantile leave a bracket without width.
        margin = 1e-3 * np.vecdot(self.weight, self.sd)
        low, high = low - margin, high + margin
        start = np.clip(np.vecdot(self.weight, each), low, high) - low

        def equations(t: Floats, rows: Any) -> tuple[Floats, Floats]:
            part = self.rows(rows)
            x = low[rows] + t
            return p[rows] - part.cdf(x), -part.density(x)

        return np.asarray(low + bracketed_newton(equations, np.zeros(len(p)), high - low, start)[0])

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation."""
        mean = np.vecdot(self.weight, self.mean)
        variance = np.vecdot(self.weight, self.sd**2 + (self.mean - mean[:, None]) ** 2)
        return mean, np.sqrt(variance)


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

    def density(self, tau: Floats) -> Floats:
        u = self.mapping.share(tau, self.size)
        in_share = np.maximum(self._at(u / self.reach)[1], 0.0)
        return np.where(u < self.reach, in_share / self.reach * np.exp(-self.mapping.log_slope(u, self.size)), 0.0)

    def quantile(self, p: Floats) -> Floats:
        """Return the tau with P(T <= tau) = p."""
        nodes, _ = barycentric(self.values.shape[1], with_zero=True)
        start = nodes[(self.cumulated < p[:, None]).sum(axis=1).clip(0, len(nodes) - 1)]

        def equations(x: Floats, rows: Any) -> tuple[Floats, Floats]:
            value, slope = self.rows(rows)._at(x)
            return p[rows] - value, -slope

        share, _ = bracketed_newton(equations, np.zeros(len(p)), np.ones(len(p)), start)
        return np.where(p > 0, self.mapping.tau(share * self.reach, self.size), 0.0)


def quantiles(distribution: Distribution, p: Sequence[float], batch: int) -> list[Floats]:
    """Return the quantiles at each probability of p, found together."""
    spread = distribution.rows(np.tile(np.arange(batch), len(p)))
    return list(spread.quantile(np.repeat(np.asarray(p, dtype=float), batch)).reshape(len(p), batch))


def central(distribution: Distribution, level: float, batch: int) -> list[Floats]:
    """Return median, lower and upper end of the interval with equal tails."""
    return quantiles(distribution, (0.5, 0.5 - level / 2, 0.5 + level / 2), batch)


def shortest(distribution: Distribution, level: float, batch: int) -> list[Floats]:
    """Return the median, and the shortest interval of a distribution with one mode.

    Its ends have equal density, or it begins at 0. The lower tail probability is found by bisection: while the density
    is higher at the upper end, it must grow.
    """
    twice = distribution.rows(np.tile(np.arange(batch), 2))

    def ends(tail: Floats) -> Floats:
        return twice.quantile(np.concatenate([tail, np.minimum(tail + level, 1 - 1e-16)]))

    low, high = np.zeros(batch), np.full(batch, 1 - level)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        lower, upper = twice.density(ends(middle)).reshape(2, batch)
        low, high = np.where(lower < upper, middle, low), np.where(lower < upper, high, middle)
    found = ends(np.where(low == 0, 0.0, 0.5 * (low + high))).reshape(2, batch)
    return [distribution.quantile(np.full(batch, 0.5)), found[0], found[1]]


INTERVALS: dict[str, Callable[[Distribution, float, int], list[Floats]]] = {
    "central": central,
    "shortest": shortest,
}
