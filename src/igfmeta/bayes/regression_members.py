"""Members of a model average with PET or PEESE: Gaussian given tau and the slope, which are integrated numerically."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.biased import Data, MemberFit, OneOf, log_sum, tau_axis
from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.panels import Axis, Positive, integrate_on, lay_panels
from igfmeta.bayes.publication_bias import Regression
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats

#: Nodes in a panel; each costs little.
NODES = 10


@dataclass(frozen=True, eq=False)
class _Line:
    """Sums of squares of y and x around their weighted means, for each tau; shape (n,)."""

    s1: Floats
    mean_y: Floats
    mean_x: Floats
    xx: Floats
    xy: Floats
    yy: Floats
    log_scale: Floats

    @classmethod
    def of(cls, data: Data, x: Floats, tau: Floats) -> _Line:
        total = data.v + tau[:, None] ** 2
        w = 1 / total
        s1 = w.sum(axis=1)
        mean_y, mean_x = w @ data.y / s1, w @ x / s1
        dy, dx = data.y - mean_y[:, None], x - mean_x[:, None]
        logs = np.log(2 * np.pi * total).sum(axis=1)
        return cls(
            s1, mean_y, mean_x, (w * dx * dx).sum(axis=1), (w * dx * dy).sum(axis=1), (w * dy * dy).sum(axis=1), logs
        )

    def conditional(self, beta: Floats, prior: MuPrior) -> tuple[Floats, Floats, Floats]:
        """Return log likelihood and mean and variance of mu, shape (n taus, n betas, components of the prior)."""
        b = beta[None, :]
        rest = self.yy[:, None] - 2 * b * self.xy[:, None] + b * b * self.xx[:, None]
        mean = (self.mean_y[:, None] - b * self.mean_x[:, None])[:, :, None]
        own = (1 / self.s1)[:, None, None]
        between = own + prior.variances
        basic = -0.5 * (self.log_scale[:, None] + rest) + 0.5 * np.log(2 * np.pi / self.s1)[:, None]
        fit = -0.5 * (np.log(2 * np.pi * between) + (mean - prior.mean) ** 2 / between)
        logs = basic[:, :, None] + fit + prior.log_weights
        variance = np.broadcast_to(own * prior.variances / between, logs.shape)
        return logs, mean - own / between * (mean - prior.mean), variance


def regression_member(data: Data, bias: Regression, mu_prior: MuPrior, tau_prior: TauPrior | None) -> MemberFit:
    """Return the fit with PET or PEESE: mu in closed form, beta and tau on panels.

    Parameters
    ----------
    data : Data
    bias : Regression
    mu_prior : MuPrior
        Proper; a single variance of 0 holds mu at its mean.
    tau_prior : TauPrior or None
        None holds tau at 0.
    """
    x, v = data.sign * bias.predictor(data.v), data.v[None]
    at_zero = np.zeros(1)

    def integrand(beta: Floats, tau: Floats = at_zero) -> Floats:
        logs = log_sum(_Line.of(data, x, tau).conditional(beta, mu_prior)[0]).T
        logs = logs + bias.log_prior(beta)[:, None]
        return np.asarray(logs[:, 0] if tau_prior is None else logs + tau_prior.log_density(tau, v[0]))

    axes: list[Axis] = [Positive(min(bias.scale, _slope_size(data, x)))]
    axes += [] if tau_prior is None else [tau_axis(data, tau_prior)]
    found = integrate_on(lay_panels(axes, integrand, nodes=NODES), integrand)
    tau = at_zero if tau_prior is None else found.panels[1].values
    logs, mean, variance = _Line.of(data, x, tau).conditional(found.panels[0].values, mu_prior)
    given = np.exp(logs - log_sum(logs)[..., None])
    weight = found.weights.reshape(len(found.panels[0].values), -1).T[:, :, None] * given
    mu = NormalMixture.of(*(a.reshape(1, -1) for a in (weight, mean, variance)))
    return MemberFit(
        found.log_value,
        found.accuracy,
        mu=OneOf.of(mu) if mu_prior.variances[0] > 0 else None,
        tau=None if tau_prior is None else found.marginal(1),
        slope=found.marginal(0),
    )


def _slope_size(data: Data, x: Floats) -> float:
    """Return about how large beta may be: a standard deviation of y over one of x."""
    spread = float(np.std(x)) or float(np.abs(x).mean())
    return float((np.std(data.y) + np.sqrt(np.median(data.v))) / spread)
