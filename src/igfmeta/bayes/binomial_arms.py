"""Rates of single arms: binomial counts whose logits are normal around a mean; integrated without draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.quadrature import barycentric, cumulation, interpolate, rule
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Nodes in the integral over an arm's own logit: theta = mode + s sinh(u), u up to this far on either side.
NODES, REACH = 57, 5.6

#: Points of the mean while the grid closes in on where it lies, and in the end; standard deviations that they cover.
SCOUTS, POINTS, SDS = 61, 241, 8.0

#: Nodes of tau to begin with and at the most; change of log evidence at which they suffice.
FIRST, LAST, TOLERANCE = 32, 256, 1e-6

#: Points between the nodes of tau at which its distribution function is tabled.
BETWEEN = 1999

#: Components of the predictive distribution that weigh less are left out.
NEGLIGIBLE = 1e-13

#: Points at which the distribution function of the mean is taken.
FINE = 8001


@dataclass(frozen=True, eq=False)
class ArmsPosterior:
    """The posterior of mean and standard deviation of the logits on a grid.

    Attributes
    ----------
    tau : ndarray of shape (n,)
    mu : ndarray of shape (n, m)
        Evenly spaced for each tau.
    weights : ndarray of shape (n, m)
        They add up to 1.
    tau_points, tau_cdf : ndarray of shape (points,)
        Distribution function of tau between the nodes.
    log_evidence : float
    """

    tau: Floats
    mu: Floats
    weights: Floats
    tau_points: Floats
    tau_cdf: Floats
    log_evidence: float

    def new_arm(self) -> NormalMixture:
        """Return the predictive distribution of the logit of a new arm's rate; arrays of shape (1, components).

        A normal around each mean on the grid. One that is narrower than the grid is given the width of its spacing,
        a thirtieth of the standard deviation of the mean.
        """
        sd = np.maximum(self.tau[:, None], self.mu[:, 1:2] - self.mu[:, :1]) + 0 * self.mu
        kept = self.weights > NEGLIGIBLE
        weights = self.weights[kept] / self.weights[kept].sum()
        return NormalMixture(weights[None], self.mu[kept][None], sd[kept][None])

    def mean_quantiles(self, p: Any) -> Floats:
        """Return quantiles of the mean logit.

        For each tau the weight of a point of the grid is spread evenly over its spacing; the distribution functions of
        all tau add up.
        """
        half = 0.5 * (self.mu[:, 1:2] - self.mu[:, :1])
        kept = self.mu[(self.weights > NEGLIGIBLE)]
        at = np.linspace(kept.min(), kept.max(), FINE)
        below = np.concatenate([np.zeros((len(self.tau), 1)), np.cumsum(self.weights, axis=1)], axis=1)
        edges = np.concatenate([self.mu[:, :1] - half, self.mu + half], axis=1)
        cdf = sum(np.interp(at, edge, share) for edge, share in zip(edges, below, strict=True))
        return np.asarray(np.interp(p, cdf, at))

    def tau_quantiles(self, p: Any) -> Floats:
        """Return quantiles of the standard deviation of the logits."""
        return np.asarray(np.interp(p, self.tau_cdf, self.tau_points))

    def tau_mean(self) -> float:
        return float(self.weights.sum(axis=1) @ self.tau)


def _log_likelihood(events: Floats, n: Floats, logit: Floats) -> Floats:
    """Return log P(events | logit) but for the binomial coefficient."""
    return np.asarray(events * logit - n * np.logaddexp(0, logit))


def arm_log_likelihoods(events: Floats, n: Floats, mu: Floats, tau: Floats) -> Floats:
    """Return log of the integral of Binomial(events | n, expit(theta)) Normal(theta | mu, tau) for each arm.

    The integrand has one mode, which Newton's method finds; around it theta = mode + s sinh(u), s the width there, so
    that evenly spaced u reach narrow and wide tails alike.

    Parameters
    ----------
    events, n : ndarray of shape (k,)
    mu, tau : ndarray of the same shape (...)

    Returns
    -------
    ndarray of shape (..., k)
    """
    mu, precision = mu[..., None], 1 / tau[..., None] ** 2
    seen = np.log((events + 0.5) / (n - events + 0.5))
    known = 1 / (1 / (events + 0.5) + 1 / (n - events + 0.5))
    mode = (precision * mu + known * seen) / (precision + known)
    for _ in range(100):
        p = special.expit(mode)
        slope = events - n * p - precision * (mode - mu)
        # Far from the mode a logistic curve is flat and Newton's steps are too long.
        step = np.clip(slope / (n * p * (1 - p) + precision), -1.0, 1.0)
        mode = mode + step
        if np.abs(step).max() < 1e-6:
            break
    p = special.expit(mode)
    width = 1 / np.sqrt(n * p * (1 - p) + precision)
    u: Floats = np.linspace(-REACH, REACH, NODES)
    total = np.zeros_like(mode)
    top = _log_likelihood(events, n, mode) - 0.5 * precision * (mode - mu) ** 2
    for x in u:
        theta = mode + width * np.sinh(x)
        log_height = _log_likelihood(events, n, theta) - 0.5 * precision * (theta - mu) ** 2
        total += np.exp(log_height - top) * np.cosh(x)
    return np.asarray(top + np.log(total * width * (u[1] - u[0])) + 0.5 * np.log(precision / (2 * np.pi)))


@dataclass(frozen=True, eq=False)
class _Arms:
    events: Floats
    n: Floats
    mu_mean: float
    mu_sd: float

    def log_density(self, mu: Floats, tau: Floats) -> Floats:
        """Return the log likelihood plus the log prior of the mean; mu of shape (n, m), tau of shape (n,)."""
        arms = arm_log_likelihoods(self.events, self.n, mu, np.broadcast_to(tau[:, None], mu.shape)).sum(axis=-1)
        prior = -0.5 * ((mu - self.mu_mean) / self.mu_sd) ** 2 - np.log(self.mu_sd * np.sqrt(2 * np.pi))
        return np.asarray(arms + prior)

    def grid(self, tau: Floats) -> tuple[Floats, Floats]:
        """Return means on a grid that closes in on where they lie given each tau, and the log density there."""
        centre = np.full(len(tau), self.mu_mean)
        half = np.full(len(tau), (SDS + 2) * self.mu_sd)
        for _ in range(12):
            mu = centre[:, None] + half[:, None] * np.linspace(-1, 1, SCOUTS)
            density = self.log_density(mu, tau)
            weight = np.exp(density - density.max(axis=1, keepdims=True))
            weight /= weight.sum(axis=1, keepdims=True)
            centre = np.vecdot(weight, mu)
            sd = np.sqrt(np.vecdot(weight, (mu - centre[:, None]) ** 2))
            spacing = mu[:, 1] - mu[:, 0]
            half = SDS * np.maximum(sd, spacing)
            if np.all(spacing < 0.7 * sd):
                break
        mu = centre[:, None] + half[:, None] * np.linspace(-1, 1, POINTS)
        return mu, self.log_density(mu, tau)

    def heterogeneity(self) -> float:
        """Return about how large tau is: by moments of the logits, 0.5 added to the counts."""
        x, rest = self.events + 0.5, self.n - self.events + 0.5
        logit, variance = np.log(x / rest), 1 / x + 1 / rest
        spread = np.var(logit, ddof=1) - variance.mean() if len(x) > 1 else 0.0
        return float(np.sqrt(max(spread, variance.min() / 4)))


def binomial_arms(
    events: Any, n: Any, *, tau_prior: TauPrior | None = None, mu_mean: float = 0.0, mu_sd: float = 2.0
) -> ArmsPosterior:
    """Return the posterior of rates whose logits are normal with mean mu and standard deviation tau.

    Parameters
    ----------
    events, n : array_like of shape (k,)
    tau_prior : TauPrior, optional
        Proper; half-normal(1) by default.
    mu_mean, mu_sd : float
        Of the normal prior of mu; normal(0, 2) has 95 % of its rates between 2 and 98 %.

    Raises
    ------
    InputError
        Counts that cannot be, or a prior that is improper.

    References
    ----------
    Neuenschwander, Capkun-Niggli, Branson & Spiegelhalter 2010, Clin Trials 7:5.

    Examples
    --------
    >>> fit = binomial_arms([23, 12, 19, 9], [107, 44, 51, 39])
    >>> special.expit(fit.new_arm().quantile(np.array([0.5]))).round(3)
    array([0.266])
    """
    x, size = (np.atleast_1d(np.asarray(value, dtype=float)) for value in (events, n))
    if x.ndim != 1 or x.shape != size.shape or not len(x):
        raise InputError("events and n must be of the same length, one at least.")
    if np.any(~(size > 0) | ~(x >= 0) | ~(x <= size) | (x % 1 != 0) | (size % 1 != 0)):
        raise InputError("events and n must be whole numbers, events from 0 to n, n above 0.")
    if not mu_sd > 0:
        raise InputError(f"mu_sd was {mu_sd!r}; accepted is a number above 0.")
    prior = HalfNormal(1.0) if tau_prior is None else tau_prior
    if not prior.proper:
        raise InputError(f"The prior {prior.label} of tau is improper; accepted are proper ones.")
    arms = _Arms(x, size, float(mu_mean), float(mu_sd))
    nodes, found = FIRST, _on_nodes(arms, prior, FIRST)
    while nodes < LAST:
        nodes, last = 2 * nodes, found
        found = _on_nodes(arms, prior, nodes)
        if abs(found.log_evidence - last.log_evidence) < TOLERANCE:
            break
    return found


def _on_nodes(arms: _Arms, prior: TauPrior, nodes: int) -> ArmsPosterior:
    """Return the posterior with this many nodes of tau."""
    size = np.full((1, 1), min(arms.heterogeneity(), prior.scale))
    reach = 1.0 if np.isinf(prior.upper) else float(prior.mapping.share(np.full((1, 1), prior.upper), size)[0, 0])
    u, w = rule(nodes)
    u = reach * u[None, :]
    tau = np.maximum(prior.mapping.tau(u, size)[0], 1e-6)
    x, rest = arms.events + 0.5, arms.n - arms.events + 0.5
    log_prior = prior.log_density(tau[None, :], (1 / x + 1 / rest)[None, :])[0]
    outer = log_prior + prior.mapping.log_slope(u, size)[0] + np.log(reach * w)
    mu, inner = arms.grid(tau)
    joint = inner + outer[:, None] + np.log(mu[:, 1:2] - mu[:, :1])
    top = joint.max()
    weights = np.exp(joint - top)
    total = weights.sum()
    weights = weights / total
    fine: Floats = reach * np.linspace(0, 1, BETWEEN + 2)[1:-1]
    cdf = _between(weights.sum(axis=1) / w, fine / reach)
    points = np.maximum(prior.mapping.tau(fine[None, :], size)[0], 0.0)
    return ArmsPosterior(tau, mu, weights, points, cdf, float(top + np.log(total)))


def _between(density: Floats, u: Floats) -> Floats:
    """Return the distribution function at points of (0, 1) from the density at the nodes of `rule`."""
    n = len(density)
    at_nodes = np.concatenate([[0.0], (rule(n)[1] * density) @ cumulation(n)])
    nodes, weights = barycentric(n, with_zero=True)
    values = interpolate(u, np.broadcast_to(at_nodes, (len(u), n + 1)), nodes, weights)
    return np.maximum.accumulate(np.clip(values, 0.0, 1.0))
