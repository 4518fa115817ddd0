"""Quadrature in one or two variables on panels that are laid where the integrand is; distributions made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import special

from igfmeta.bayes.quadrature import rule
from igfmeta.numerics import Floats

#: Points of the grid on which the integrand is looked for; the share of it that must count, or it is drawn in.
SEARCH, FILLED = 64, 0.75

#: Density, relative to the highest, below which a stretch is left out.
NEGLIGIBLE = 1e-16

#: Panels on an axis; nodes in each, by the number of axes.
PANELS, NODES = 20, {0: 1, 1: 10, 2: 6}


class Axis(Protocol):
    """A variable as a function of u in (0, reach)."""

    @property
    def reach(self) -> float: ...

    def value(self, u: Floats) -> Floats: ...

    def share(self, value: Floats) -> Floats:
        """Return u."""

    def log_slope(self, u: Floats) -> Floats:
        """Return log(d value / du)."""


@dataclass(frozen=True)
class Positive:
    """A variable above 0: size u / (1 - u)."""

    size: float
    upper: float = np.inf

    @property
    def reach(self) -> float:
        return 1.0 if np.isinf(self.upper) else self.upper / (self.size + self.upper)

    def value(self, u: Floats) -> Floats:
        return self.size * u / (1 - u)

    def share(self, value: Floats) -> Floats:
        value = np.maximum(value, 0.0)
        return np.asarray(value / (self.size + value))

    def log_slope(self, u: Floats) -> Floats:
        return np.asarray(np.log(self.size) - 2 * np.log1p(-u))


@dataclass(frozen=True)
class Real:
    """A variable anywhere: centre + size s / (1 - s^2), s = 2u - 1."""

    centre: float
    size: float
    reach: float = 1.0

    def value(self, u: Floats) -> Floats:
        s = 2 * u - 1
        return np.asarray(self.centre + self.size * s / (1 - s * s))

    def share(self, value: Floats) -> Floats:
        z = (value - self.centre) / self.size
        return np.asarray(0.5 + z / (1 + np.sqrt(1 + 4 * z * z)))

    def log_slope(self, u: Floats) -> Floats:
        s = 2 * u - 1
        return np.asarray(np.log(2 * self.size * (1 + s * s)) - 2 * np.log(1 - s * s))


@dataclass(frozen=True, eq=False)
class Panels:
    """Gauss-Legendre nodes between edges of u; values, and log weights that include the slope, shape (nodes,)."""

    axis: Axis
    edges: Floats
    n: int

    @property
    def u(self) -> Floats:
        return np.asarray(self.edges[:-1, None] + np.diff(self.edges)[:, None] * rule(self.n)[0]).ravel()

    @property
    def values(self) -> Floats:
        return np.asarray(self.axis.value(self.u))

    @property
    def log_weights(self) -> Floats:
        widths = np.log(np.diff(self.edges)[:, None] * rule(self.n)[1]).ravel()
        return np.asarray(widths + self.axis.log_slope(self.u))

    def with_nodes(self, n: int) -> Panels:
        return Panels(self.axis, self.edges, n)


#: Of values of shape (n_1,) and (n_2,): log integrand of shape (n_1, n_2); of one variable, (n_1,).
Integrand = Callable[..., Floats]


def lay_panels(axes: Sequence[Axis], integrand: Integrand, *, nodes: int | None = None) -> list[Panels]:
    """Return panels for each axis that cover where the integrand is, denser where it is high.

    A grid over everything is drawn in until what counts fills it. Edges are quantiles of an even mixture of a uniform
    density and the fourth root of the marginal one, which is wide enough for tails and side modes.
    """
    regions = [(0.0, axis.reach) for axis in axes]
    while True:
        grids = [low + (high - low) * (np.arange(SEARCH) + 0.5) / SEARCH for low, high in regions]
        marginals = _marginals(axes, grids, integrand)
        kept = [np.flatnonzero(m > NEGLIGIBLE * m.max())[[0, -1]] for m in marginals]
        steps = [(high - low) / SEARCH for low, high in regions]
        ends = [
            (max(low, low + (first - 1) * step), min(high, low + (last + 2) * step))
            for (low, high), (first, last), step in zip(regions, kept, steps, strict=True)
        ]
        if all(b - a > FILLED * (high - low) for (a, b), (low, high) in zip(ends, regions, strict=True)):
            break
        regions = ends
    n = nodes or NODES[len(axes)]
    return [Panels(axis, _edges(r, m), n) for axis, r, m in zip(axes, regions, marginals, strict=True)]


def _marginals(axes: Sequence[Axis], grids: Sequence[Floats], integrand: Integrand) -> list[Floats]:
    logs = integrand(*(axis.value(u) for axis, u in zip(axes, grids, strict=True)))
    for i, (axis, u) in enumerate(zip(axes, grids, strict=True)):
        logs = logs + _along(i, axis.log_slope(u), len(axes))
    density = np.exp(logs - logs.max())
    return [density.sum(axis=tuple(j for j in range(len(axes)) if j != i)) for i in range(len(axes))]


def _along(i: int, values: Floats, dimensions: int) -> Floats:
    """Return values as an array that varies along axis i only."""
    return values.reshape([-1 if j == i else 1 for j in range(dimensions)])


def _edges(region: tuple[float, float], marginal: Floats) -> Floats:
    flat = marginal**0.25
    steps = 0.5 / len(flat) + 0.5 * flat / flat.sum()
    cdf = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.linspace(*region, len(cdf))
    return np.asarray(np.interp(np.linspace(0, cdf[-1], PANELS + 1), cdf, places))


@dataclass(frozen=True, eq=False)
class Piecewise:
    """A distribution whose density in u is a polynomial on each panel; or a mixture of such, shifted and stretched.

    Attributes
    ----------
    panels : Panels
    weights : ndarray of shape (nodes, components)
        Probability of each node; they add up to 1.
    shift, stretch : ndarray of shape (components,)
        The value is shift + stretch times that of the axis.
    """

    panels: Panels
    weights: Floats
    shift: Floats
    stretch: Floats

    @classmethod
    def of(cls, panels: Panels, weights: Floats) -> Piecewise:
        """Return a distribution of the axis itself from the probability of each node, shape (nodes,)."""
        return cls(panels, weights[:, None], np.zeros(1), np.ones(1))

    @property
    def _by_panel(self) -> Floats:
        """The weights as an array of shape (panels, nodes of a panel, components)."""
        return self.weights.reshape(len(self.panels.edges) - 1, self.panels.n, -1)

    @property
    def _coefficients(self) -> Floats:
        """The Legendre coefficients of the probability within each panel, shape (panels, components, n)."""
        n = self.panels.n
        values = legendre.legvander(2 * rule(n)[0] - 1, n - 1)
        return np.asarray(np.einsum("pjc,jl->pcl", self._by_panel, values) * (2 * np.arange(n) + 1))

    def _place(self, x: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
        """Return u of each x in each component, its panel and where in that panel it lies; shape (n, components)."""
        edges = self.panels.edges
        u = self.panels.axis.share((np.asarray(x, dtype=float)[:, None] - self.shift) / self.stretch)
        panel = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, len(edges) - 2)
        return u, panel, np.clip((u - edges[panel]) / (edges[panel + 1] - edges[panel]), 0.0, 1.0)

    def cdf(self, x: Floats) -> Floats:
        """Return P(X <= x)."""
        n, each = self.panels.n, np.arange(len(self.shift))
        _, panel, t = self._place(x)
        values = legendre.legvander(2 * t - 1, n)
        degrees = 2 * np.arange(1, n) + 1
        integrals = np.concatenate([t[..., None], (values[..., 2:] - values[..., : n - 1]) / (2 * degrees)], axis=-1)
        before = np.pad(np.cumsum(self._by_panel.sum(axis=1), axis=0), ((1, 0), (0, 0)))
        return np.asarray((before[panel, each] + np.vecdot(integrals, self._coefficients[panel, each])).sum(axis=1))

    def density(self, x: Floats) -> Floats:
        u, panel, t = self._place(x)
        edges = self.panels.edges
        inside = (u >= edges[0]) & (u <= edges[-1])
        values = legendre.legvander(2 * t - 1, self.panels.n - 1)
        in_u = np.vecdot(values, self._coefficients[panel, np.arange(len(self.shift))])
        slope = np.exp(self.panels.axis.log_slope(np.clip(u, 1e-300, 1 - 1e-16))) * self.stretch
        each = np.maximum(in_u, 0.0) / (edges[panel + 1] - edges[panel]) / slope
        return np.asarray(np.where(inside, each, 0.0).sum(axis=1))

    def moments(self) -> tuple[float, float]:
        """Return mean and standard deviation."""
        values = self.shift + self.stretch * self.panels.values[:, None]
        mean = float((self.weights * values).sum())
        return mean, float(np.sqrt((self.weights * (values - mean) ** 2).sum()))


@dataclass(frozen=True, eq=False)
class Integral:
    """An integral, and the probability of each node.

    Attributes
    ----------
    log_value : float
    accuracy : float
        Change of the logarithm with one node fewer in each panel.
    weights : ndarray of shape (n_1,) or (n_1, n_2)
        They add up to 1.
    panels : list of Panels
    """

    log_value: float
    accuracy: float
    weights: Floats
    panels: list[Panels]

    def marginal(self, axis: int) -> Piecewise:
        """Return the distribution of one of the variables."""
        others = tuple(i for i in range(self.weights.ndim) if i != axis)
        return Piecewise.of(self.panels[axis], self.weights.sum(axis=others))


def integrate_on(panels: list[Panels], integrand: Integrand) -> Integral:
    """Return the integral over panels, once more with fewer nodes for the accuracy."""
    logs = _weighted(panels, integrand)
    value = float(special.logsumexp(logs))
    fewer = float(special.logsumexp(_weighted([p.with_nodes(p.n - 1) for p in panels], integrand)))
    return Integral(value, abs(value - fewer), np.exp(logs - value), panels)


def _weighted(panels: list[Panels], integrand: Integrand) -> Floats:
    logs = integrand(*(p.values for p in panels))
    for i, p in enumerate(panels):
        logs = logs + _along(i, p.log_weights, len(panels))
    return logs
