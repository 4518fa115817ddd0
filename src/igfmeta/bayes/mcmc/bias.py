"""Members of a model average with publication bias, drawn by PyMC: the check of those that are integrated."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.bayes.biased import Data
from igfmeta.bayes.components import prior_quantile
from igfmeta.bayes.laplace import normal_variance
from igfmeta.bayes.mcmc.effects import standard_deviation
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.publication_bias import Bias, Regression, Steps
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats


def bias_model(data: Data, bias: Bias, mu_prior: MuPrior, tau_prior: TauPrior) -> Any:
    """Return the PyMC model with an effect and heterogeneity: `mu`, `tau`, and `beta` or `omega`.

    Its data is named `effects`, so that a compiled model takes other effects.

    Parameters
    ----------
    data : Data
    bias : NoBias, Steps or Regression
    mu_prior : MuPrior
        Normal.
    tau_prior : TauPrior
        Of the half-t family.
    """
    pm = load_pymc()
    with pm.Model(coords={"effect": np.arange(len(data.y))}) as model:
        mu = pm.Normal("mu", mu_prior.mean, np.sqrt(normal_variance(mu_prior)))
        tau = pm.Deterministic("tau", standard_deviation(pm, "sd_study", tau_prior))
        mean = mu
        if isinstance(bias, Regression):
            beta = pm.HalfCauchy("beta", bias.scale)
            mean = mu + data.sign * beta * bias.predictor(data.v)
        effects = pm.Data("effects", data.y, dims="effect")
        total = np.sqrt(data.v + tau**2)
        if isinstance(bias, Steps):
            pm.Potential("selection", _selection(pm, data, bias, effects, mu, total))
        pm.Normal("y", mean, total, observed=effects, dims="effect")
    return model


def _selection(pm: Any, data: Data, bias: Steps, effects: Any, mu: Any, total: Any) -> Any:
    """Add the weights omega; return what selection adds to the log likelihood: sum log omega_i - log P(published)."""
    import pytensor.tensor as pt

    theta = pm.Dirichlet("theta", np.array(bias.alpha))
    omega = pm.Deterministic("omega", pt.cumsum(theta[::-1])[::-1])
    se = np.sqrt(data.v)
    z = data.sign * effects / se
    size = abs(z) if bias.sides == 2 else z
    place = pt.lt(size[:, None], bias.critical).sum(axis=1)

    def upper(middle: Any) -> Any:
        """Return P(more significant than each cut-point), shape (k, cuts)."""
        return 0.5 * pt.erfc((bias.critical - (middle / se)[:, None]) / (total / se)[:, None] / np.sqrt(2))

    middle = data.sign * mu * np.ones_like(se)
    beyond = upper(middle) + (upper(-middle) if bias.sides == 2 else 0.0)
    chance = pt.dot(beyond, theta[:-1]) + theta[-1]
    return (pt.log(omega[place]) - pt.log(chance)).sum()


def bias_by_mcmc(
    data: Data, bias: Bias, mu_prior: MuPrior, tau_prior: TauPrior, *, plan: Plan | None = None
) -> Sampled:
    """Draw from a member with an effect and heterogeneity; parameters as of `bias_model`.

    Returns
    -------
    Sampled
        The tree has the groups posterior, prior, posterior_predictive (`y`, published anew), log_likelihood (`trials`,
        the true effects integrated out), log_prior, sample_stats and observed_data.
    """
    parameters = {"beta": ("beta",), "omega": ("omega",)}
    kind = "omega" if isinstance(bias, Steps) else "beta" if isinstance(bias, Regression) else ""
    model = bias_model(data, bias, mu_prior, tau_prior)
    sampled = sample(model, plan, watch=("mu", "tau", *parameters.get(kind, ())))
    rng = np.random.default_rng(sampled.plan.seed)
    mu, tau = np.asarray(sampled.draws("mu")), np.asarray(sampled.draws("tau"))
    n, sd, none = len(mu), float(np.sqrt(normal_variance(mu_prior))), np.zeros((1, 1))
    prior = {"mu": mu_prior.mean + sd * rng.normal(size=n), "tau": prior_quantile(tau_prior, rng.random(n))}
    log_prior = {"mu": -0.5 * ((mu - mu_prior.mean) / sd) ** 2, "tau": tau_prior.log_density(tau, none)}
    mean, total = mu[:, None] + np.zeros(len(data.v)), np.sqrt(data.v + tau[:, None] ** 2)
    if isinstance(bias, Regression):
        beta = np.asarray(sampled.draws("beta"))
        mean = mean + data.sign * beta[:, None] * bias.predictor(data.v)
        prior["beta"] = bias.scale * np.abs(rng.standard_cauchy(n))
        log_prior["beta"] = bias.log_prior(beta)
    logs = -0.5 * (((data.y - mean) / total) ** 2 + np.log(2 * np.pi * total**2))
    replicated = mean + total * rng.normal(size=mean.shape)
    if isinstance(bias, Steps):
        omega = np.asarray(sampled.draws("omega"))
        logs = logs + _log_selection(data, bias, mu, tau, omega)
        replicated = published(data, bias, mean, total, omega, rng)
        theta = np.asarray(sampled.draws("theta"))
        log_prior["theta"] = ((np.array(bias.alpha) - 1) * np.log(theta)).sum(axis=1)
    sampled.add("posterior_predictive", y=(replicated, "effect"))
    sampled.add("log_likelihood", trials=(logs, "effect"))
    sampled.add("prior", **{name: (values, None) for name, values in prior.items()})
    sampled.add("log_prior", **{name: (values, None) for name, values in log_prior.items()})
    return sampled


def _log_selection(data: Data, bias: Steps, mu: Floats, tau: Floats, omega: Floats) -> Floats:
    """Return log omega - log P(published) of each study, shape (draws, k)."""
    se = np.sqrt(data.v)
    beyond = bias.beyond(data.sign * mu[:, None] / se, np.sqrt(1 + tau[:, None] ** 2 / data.v))
    theta = omega - np.concatenate([omega[:, 1:], np.zeros((len(omega), 1))], axis=1)
    chance = (beyond * theta[:, None, :]).sum(axis=2)
    return np.asarray(np.log(omega[:, bias.interval(data.sign * data.y / se)]) - np.log(chance))


def published(data: Data, bias: Steps, mean: Floats, total: Floats, omega: Floats, rng: np.random.Generator) -> Floats:
    """Return effects of the same studies, drawn until each is published; mean and total of shape (draws, k)."""
    out = mean + total * rng.normal(size=mean.shape)
    waiting = np.ones(mean.shape, dtype=bool)
    se = np.broadcast_to(np.sqrt(data.v), mean.shape)
    while waiting.any():
        rows, columns = np.nonzero(waiting)
        drawn = mean[rows, columns] + total[rows, columns] * rng.normal(size=len(rows))
        place = bias.interval(data.sign * drawn / se[rows, columns])
        taken = rng.random(len(rows)) < omega[rows, place]
        out[rows[taken], columns[taken]] = drawn[taken]
        waiting[rows[taken], columns[taken]] = False
    return out
