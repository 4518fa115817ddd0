"""Averages over a mixture of normals: nodes and weights on which any bounded function of one variable is averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.quadrature import rule
from igfmeta.numerics import Floats

#: Probabilities between whose quantiles a panel of Gauss-Legendre nodes lies, so that every part of the mixture, narrow
#: or wide, has its share of them; what lies beyond the outermost weighs 2e-12.
_TAIL = 10.0 ** -np.arange(12, 1, -1)
EDGES = np.concatenate([_TAIL, np.linspace(0.05, 0.95, 19), 1 - _TAIL[::-1]])

#: Nodes in a panel; panels around a point where the function may rise steeply halve in width this many times.
NODES, HALVINGS = 8, 20

#: Points at which the density is computed at once: more do not fit into the cache of a processor.
AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points and weights that add up to 1; arrays of shape (n,)."""

    points: Floats
    weights: Floats

    def average(self, values: Floats) -> float:
        """Return the average of a function from its values at the points."""
        return float(self.weights @ values)


def nodes_of(mixture: NormalMixture, *, steep: float | None = None) -> Nodes:
    """Return nodes that average a function over a mixture of normals.

    Gauss-Legendre between quantiles of the mixture. The power of a test rises from near 0 to near 1 around no effect,
    the steeper the larger the trial: panels become narrower towards that point.

    Parameters
    ----------
    mixture : NormalMixture
        One distribution: arrays of shape (1, components).
    steep : float, optional
        Where the function may rise steeply.

    Examples
    --------
    >>> one = NormalMixture(np.ones((1, 1)), np.full((1, 1), 0.3), np.full((1, 1), 2.0))
    >>> nodes = nodes_of(one, steep=0.0)
    >>> round(nodes.average(nodes.points**2), 9)
    4.09
    """
    edges = mixture.rows(np.zeros(len(EDGES), dtype=int)).quantile(EDGES)
    if steep is not None:
        steps = (edges[-1] - edges[0]) * 0.5 ** np.arange(HALVINGS)
        around = np.concatenate([steep - steps, [steep], steep + steps])
        edges = np.union1d(edges, around[(around > edges[0]) & (around < edges[-1])])
    u, w = rule(NODES)
    widths = np.diff(edges)
    points = (edges[:-1, None] + widths[:, None] * u).ravel()
    density = np.concatenate([_density(mixture, part) for part in np.array_split(points, 1 + len(points) // AT_ONCE)])
    weights = (widths[:, None] * w).ravel() * density
    return Nodes(points, np.asarray(weights / weights.sum()))


def _density(mixture: NormalMixture, x: Floats) -> Floats:
    """Return the density at each x, but for a constant; one product instead of a distribution for each x."""
    z = (x[:, None] - mixture.mean) / mixture.sd
    return np.asarray(np.exp(-0.5 * z * z) @ (mixture.weight[0] / mixture.sd[0]))
