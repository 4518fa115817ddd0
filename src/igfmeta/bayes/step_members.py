"""Members of a model average with a weight function: mu, tau and the weights omega integrated numerically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from igfmeta.bayes.biased import Data, MemberFit, log_sum, tau_axis
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.panels import Axis, Integral, Integrand, Piecewise, Real, integrate_on, lay_panels
from igfmeta.bayes.publication_bias import SEARCH_NODES, Steps, weight_nodes
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats

#: Numbers (nodes of mu and tau x nodes of omega x studies) computed at once.
AT_ONCE = 2**20

#: Probability of a node of mu and tau by few nodes of omega from which all of them are taken, and from which the
#: accuracy is judged.
NEGLIGIBLE, WORTH_A_LOOK = 1e-10, 1e-5

#: Width of the axis of mu, in standard deviations of mu without selection.
MU_SIZE = 3.0

#: Factors multiplied before a logarithm is taken; the smallest is above 1e-15.
FACTORS = 16


@dataclass(frozen=True, eq=False)
class StepLikelihood:
    """The likelihood of effects that were published with a probability that depends on their p-value."""

    data: Data
    bias: Steps

    @property
    def counts(self) -> Floats:
        """How many studies are in each interval, shape (J,)."""
        z = self.data.sign * self.data.y / np.sqrt(self.data.v)
        return np.bincount(self.bias.interval(z), minlength=len(self.bias.alpha)).astype(float)

    def normal(self, mu: Floats, tau: Floats) -> Floats:
        """Return the log likelihood without selection, shape of mu and tau."""
        total = self.data.v + tau[..., None] ** 2
        return np.asarray(-0.5 * (np.log(2 * np.pi * total) + (self.data.y - mu[..., None]) ** 2 / total).sum(axis=-1))

    def log_published(self, mu: Floats, tau: Floats, omega: Floats) -> Floats:
        """Return sum log P(published) of the studies for each omega, shape (n, m); mu, tau of shape (n,)."""
        se = np.sqrt(self.data.v)
        beyond = self.bias.beyond(self.data.sign * mu[:, None] / se, np.sqrt(1 + tau[:, None] ** 2 / self.data.v))
        theta = omega - np.concatenate([omega[:, 1:], np.zeros((len(omega), 1))], axis=1)
        starts = np.arange(0, len(se), FACTORS)
        out = np.empty((len(mu), len(omega)))
        step = max(1, AT_ONCE // (len(omega) * len(se)))
        for i in range(0, len(mu), step):
            chance = theta @ beyond[i : i + step].transpose(0, 2, 1)
            out[i : i + step] = np.log(np.multiply.reduceat(chance, starts, axis=2)).sum(axis=2)
        return out

    def log_likelihood(self, mu: Floats, tau: Floats, omega: Floats) -> Floats:
        """Return the log likelihood, shape (n, m) (Vevea & Hedges 1995, eq. 5)."""
        favoured = np.log(omega) @ self.counts
        return np.asarray(self.normal(mu, tau)[:, None] + favoured - self.log_published(mu, tau, omega))


@dataclass(frozen=True, eq=False)
class _StepIntegral:
    """The integral over mu (unless it is held), tau (unless it is 0) and omega."""

    likelihood: StepLikelihood
    mu_prior: MuPrior
    tau_prior: TauPrior | None

    @property
    def with_mu(self) -> bool:
        return bool(self.mu_prior.variances[0] > 0)

    def axes(self) -> list[Axis]:
        """Return the axes: the distance of mu from where it would be without selection, and tau."""
        of_mu: list[Axis] = [Real(0.0, MU_SIZE)] if self.with_mu else []
        return of_mu if self.tau_prior is None else [*of_mu, tau_axis(self.likelihood.data, self.tau_prior)]

    def without_selection(self, tau: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of mu given each tau if nothing were selected, shape (n,)."""
        if not self.with_mu:
            return np.full(len(tau), self.mu_prior.mean), np.zeros(len(tau))
        data, prior = self.likelihood.data, self.mu_prior
        w = 1 / (data.v + tau[:, None] ** 2)
        own = 1 / (np.exp(prior.log_weights) @ prior.variances)
        precision = w.sum(axis=1) + own
        return (w @ data.y + own * prior.mean) / precision, 1 / np.sqrt(precision)

    def points(self, values: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
        """Return mu, tau and log(d mu / d axis) at every combination of the values of the axes, flat."""
        z = values[0] if self.with_mu else np.zeros(1)
        tau = values[-1] if self.tau_prior is not None else np.zeros(1)
        mean, sd = self.without_selection(tau)
        slope = np.log(sd) if self.with_mu else np.zeros(len(tau))
        mu, tau, slope = np.broadcast_arrays(mean + sd * z[:, None], tau, slope)
        return mu.ravel(), tau.ravel(), slope.ravel()

    def by_omega(self, mu: Floats, tau: Floats, n: int) -> Floats:
        """Return the log likelihood times the prior of omega at each node of it, shape (points, m)."""
        omega, share = self.likelihood.bias.nodes(n)
        return np.asarray(self.likelihood.log_likelihood(mu, tau, omega) + np.log(share))

    def integrand(self, n: int) -> Integrand:
        def log_integrand(*values: Floats) -> Floats:
            mu, tau, slope = self.points(values)
            logs = log_sum(self.by_omega(mu, tau, n)) + slope
            if self.with_mu:
                logs = logs + _log_mu_prior(self.mu_prior, mu)
            if self.tau_prior is not None:
                logs = logs + self.tau_prior.log_density(tau, self.likelihood.data.v)
            return np.asarray(logs.reshape([len(x) for x in values]))

        return log_integrand

    def mu_marginal(self, found: Integral) -> Piecewise:
        """Return the distribution of mu: given each tau it is one of the axis, shifted and stretched."""
        tau = found.panels[1].values if self.tau_prior is not None else np.zeros(1)
        weights = found.weights.reshape(-1, len(tau))
        heavy = weights.sum(axis=0) > NEGLIGIBLE / len(tau)
        mean, sd = self.without_selection(tau[heavy])
        kept = weights[:, heavy]
        return Piecewise(found.panels[0], kept / kept.sum(), mean, sd)


def step_member(data: Data, bias: Steps, mu_prior: MuPrior, tau_prior: TauPrior | None) -> MemberFit:
    """Return the fit with a weight function: mu and tau on panels, omega on Gauss-Jacobi nodes.

    Parameters as of `regression_member`.
    """
    problem, free = _StepIntegral(StepLikelihood(data, bias), mu_prior, tau_prior), len(bias.cuts)
    axes = problem.axes()
    n = weight_nodes(free, len(axes), len(data.y))
    rough = problem.integrand(SEARCH_NODES[free])
    found = integrate_on(lay_panels(axes, rough), rough)
    mu, tau, _ = problem.points([p.values for p in found.panels])
    heavy = np.flatnonzero(found.weights.ravel() > NEGLIGIBLE)
    full = problem.by_omega(mu[heavy], tau[heavy], n)
    each = log_sum(full)
    roughly = log_sum(problem.by_omega(mu[heavy], tau[heavy], SEARCH_NODES[free]))
    ratio = found.weights.ravel()[heavy] * np.exp(each - roughly)
    weights = np.zeros(found.weights.size)
    weights[heavy] = ratio / ratio.sum()
    look = weights[heavy] > WORTH_A_LOOK
    fewer = log_sum(problem.by_omega(mu[heavy][look], tau[heavy][look], n - 2)) - each[look]
    off = float(np.log(np.average(np.exp(fewer), weights=weights[heavy][look])))
    done = replace(found, weights=weights.reshape(found.weights.shape))
    return MemberFit(
        found.log_value + float(np.log(ratio.sum())),
        max(found.accuracy, abs(off)),
        mu=problem.mu_marginal(done) if problem.with_mu else None,
        tau=done.marginal(len(axes) - 1) if tau_prior is not None else None,
        omega=bias.nodes(n)[0],
        omega_weights=weights[heavy] @ np.exp(full - each[:, None]),
    )


def _log_mu_prior(prior: MuPrior, mu: Floats) -> Floats:
    z2 = (mu[..., None] - prior.mean) ** 2 / prior.variances
    return np.asarray(special.logsumexp(prior.log_weights - 0.5 * (z2 + np.log(2 * np.pi * prior.variances)), axis=-1))
