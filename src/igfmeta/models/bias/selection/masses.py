"""Probability masses of a study's test statistic, and their derivatives: what a normalizing constant is a sum of.

With t = y/se the statistic of a study has mean mu/se and variance T/se^2, T = v + tau2. The normalizing constant is
A = sum_m w_m M_m: over intervals of t on which the weight is constant (step functions, and the tails of smooth ones),
and over Gauss-Legendre nodes on which the smooth ones are evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from igfmeta.numerics import Floats

#: Beyond this the one-sided p-value of t is 0 or 1 to double precision.
FAR = 8.3

#: Gauss-Legendre nodes per panel, and the widest panel: the density has standard deviation 1 or more.
NODES, WIDEST = 16, 1.7


@dataclass(frozen=True, eq=False)
class Masses:
    """Masses of shape (k, m) and their derivatives in mu and T."""

    value: Floats
    in_mu: Floats
    in_total: Floats

    def joined(self, other: Masses) -> Masses:
        """Return these masses followed by others."""
        pairs = ((self.value, other.value), (self.in_mu, other.in_mu), (self.in_total, other.in_total))
        return Masses(*(np.concatenate(pair, axis=1) for pair in pairs))


def intervals(low: Floats, high: Floats, sei: Floats, mu: float, total: Floats) -> Masses:
    """Return P(low < t < high) for each study and interval; limits may be infinite."""

    def below(t: Floats) -> tuple[Floats, Floats, Floats]:
        root = np.sqrt(total)[:, None]
        z = (t[None, :] * sei[:, None] - mu) / root
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        tail = np.where(np.isfinite(z), density * np.where(np.isfinite(z), z, 0.0), 0.0)
        return z, -density / root, -tail / (2 * total[:, None])

    z_low, mu_low, total_low = below(low)
    z_high, mu_high, total_high = below(high)
    # The smaller of both tails, so that no difference of numbers near 1 is taken.
    right = z_low > 0
    value = np.where(right, special.ndtr(-z_low) - special.ndtr(-z_high), special.ndtr(z_high) - special.ndtr(z_low))
    return Masses(value, mu_high - mu_low, total_high - total_low)


def at_nodes(nodes: Floats, quadrature: Floats, sei: Floats, mu: float, total: Floats) -> Masses:
    """Return the density of t at each node times the weight of the node, for each study."""
    root = np.sqrt(total)[:, None]
    z = (nodes[None, :] * sei[:, None] - mu) / root
    value = quadrature * (sei[:, None] / root) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return Masses(value, value * z / root, value * (z * z - 1) / (2 * total[:, None]))


def panels(edges: Floats) -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes and weights between edges, in panels no wider than `WIDEST`."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    cuts = [np.linspace(a, b, 1 + max(1, int(np.ceil((b - a) / WIDEST)))) for a, b in pairwise(edges)]
    ends = np.unique(np.concatenate(cuts))
    half, middle = np.diff(ends) / 2, (ends[1:] + ends[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()
