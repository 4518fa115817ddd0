"""The likelihood of a selection model and its gradient, for any weight function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.models.bias.selection.masses import FAR, Masses, at_nodes, intervals, panels
from igfmeta.models.bias.selection.weights import Continuous
from igfmeta.numerics import Floats

#: Edges of panels that shrink towards 0.
_GRADED = np.array([1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.6])

#: (mu, tau2, delta ...) -> log-likelihood and its gradient.
Likelihood = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True, eq=False)
class Studies:
    """Effects, turned so that the favoured direction is up, and how p-values are taken."""

    yi: Floats
    vi: Floats
    two_sided: bool
    precision: Floats

    @property
    def p_values(self) -> Floats:
        z = self.yi / np.sqrt(self.vi)
        return np.asarray(2 * special.ndtr(-np.abs(z)) if self.two_sided else special.ndtr(-z))


def _normal(data: Studies, mu: float, total: Floats) -> tuple[float, float, Floats]:
    """Return the normal log-likelihood with its derivatives in mu and, per study, in T."""
    r = data.yi - mu
    value = -0.5 * float(np.sum(np.log(2 * np.pi * total) + r * r / total))
    return value, float(np.sum(r / total)), 0.5 * (r * r / total - 1) / total


def _combined(
    data: Studies, theta: Floats, own: tuple[float, Floats], masses: Masses, w: Floats, in_delta: Floats
) -> tuple[float, Floats]:
    """Return log-likelihood and gradient from the weights of the studies and those of the masses.

    Parameters
    ----------
    own : (float, ndarray of shape (deltas,))
        Sum of the log-weights of the studies, and its gradient.
    w : ndarray of shape (m,) or (k, m)
    in_delta : ndarray of shape (deltas, m) or (deltas, k, m)
        Derivatives of w.
    """
    total = data.vi + theta[1]
    value, in_mu, in_total = _normal(data, float(theta[0]), total)
    a = np.maximum((masses.value * w).sum(axis=1), 1e-300)
    in_mu -= float(np.sum((masses.in_mu * w).sum(axis=1) / a))
    in_tau2 = float(np.sum(in_total - (masses.in_total * w).sum(axis=1) / a))
    slopes = (masses.value * in_delta[:, None, :] if in_delta.ndim == 2 else masses.value * in_delta).sum(axis=2)
    gradient = np.concatenate([[in_mu, in_tau2], own[1] - (slopes / a).sum(axis=1)])
    return value + own[0] - float(np.sum(np.log(a))), gradient


def step_likelihood(data: Studies, cuts: Floats) -> Likelihood:
    """Return the likelihood of a step function of the p-value (Vevea & Hedges 1995, Psychometrika 60:419, eq. 6).

    Parameters
    ----------
    data : Studies
    cuts : ndarray
        Cut points between 0 and 1; interval j holds p in (cuts[j-1], cuts[j]]. The delta of each interval is its
        weight relative to the first, which is 1 and not among the parameters.
    """
    member = np.searchsorted(cuts, data.p_values, side="left")
    counts = np.bincount(member, minlength=len(cuts) + 1).astype(float)
    ends = np.concatenate([[0.0], cuts, [1.0]])
    # The statistic beyond which p is below each end, from +inf (p = 0) downwards.
    z = -special.ndtri(ends / 2 if data.two_sided else ends)
    sei = np.sqrt(data.vi)

    def likelihood(theta: Floats) -> tuple[float, Floats]:
        mu, total = float(theta[0]), data.vi + theta[1]
        masses = intervals(z[1:], z[:-1], sei, mu, total)
        if data.two_sided:
            other = intervals(-z[:-1], -z[1:], sei, mu, total)
            masses = Masses(masses.value + other.value, masses.in_mu + other.in_mu, masses.in_total + other.in_total)
        w = np.concatenate([[1.0], theta[2:]])
        log_w = np.log(np.maximum(w, 1e-300))
        own = float(np.sum(counts * log_w)), counts[1:] / np.maximum(w[1:], 1e-300)
        return _combined(data, theta, own, masses, w, np.eye(len(w))[1:])

    return likelihood


def continuous_likelihood(data: Studies, weights: Continuous) -> Likelihood:
    """Return the likelihood of a smooth weight function; the integral over p by quadrature, its tails exact.

    Between the statistics where p is cut the integral over t takes Gauss-Legendre panels, beyond them the weight is
    constant. The density has standard deviation 1 or more in t, so that the panels are exact to rounding.
    """
    smallest = weights.smallest_p
    own_p = np.clip(data.p_values, smallest, 1 - smallest)
    far = FAR if smallest == 0 else float(-special.ndtri(smallest / 2 if data.two_sided else smallest))
    kink = float(-special.ndtri((1 - smallest) / 2)) if data.two_sided and smallest > 0 else 0.0
    # Two-sided p is near 1 where t is near 0, and its weight there a power of |t|: panels that shrink towards it.
    near = np.concatenate([[kink], _GRADED[kink < _GRADED]]) if data.two_sided else np.array([0.0])
    edges = np.unique(np.concatenate([[-far], -near, near, [far]]))
    nodes, quadrature = panels(edges)
    one_sided = special.ndtr(-nodes)
    p = 2 * special.ndtr(-np.abs(nodes)) if data.two_sided else one_sided
    lowest, highest = smallest, 1 - smallest
    tails = np.array([lowest if data.two_sided else highest, lowest])
    p_all = np.concatenate([np.clip(p, lowest, highest), tails])
    ends = np.array([-np.inf, far]), np.array([-far, np.inf])
    sei = np.sqrt(data.vi)
    varies = bool(np.ptp(data.precision) > 0)
    precision = data.precision[:, None] if varies else data.precision[:1]

    def likelihood(theta: Floats) -> tuple[float, Floats]:
        mu, total, delta = float(theta[0]), data.vi + theta[1], theta[2:]
        masses = at_nodes(nodes, quadrature, sei, mu, total).joined(intervals(*ends, sei, mu, total))
        log_w, slopes = weights.log_weight(p_all, delta, precision)
        w = np.exp(log_w)
        own_log, own_slopes = weights.log_weight(own_p, delta, data.precision)
        own = float(own_log.sum()), own_slopes.sum(axis=1)
        return _combined(data, theta, own, masses, w, slopes * w)

    return likelihood
