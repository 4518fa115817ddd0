"""The groups prior and log_prior of a tree of draws: what the standard deviations and means were before any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from igfmeta.bayes.components import Factor, prior_quantile
from igfmeta.bayes.laplace import normal_variance
from igfmeta.bayes.mcmc.sampling import Sampled
from igfmeta.bayes.mcmc.study_scales import log_prior_scales, prior_scales
from igfmeta.bayes.mu_priors import MuPrior


def add_priors(
    sampled: Sampled,
    factors: Sequence[Factor],
    *,
    scales: str,
    rng: np.random.Generator,
    means: Mapping[str, MuPrior] | None = None,
) -> None:
    """Add draws from the priors, and the log densities of the priors at the draws of the posterior.

    Parameters
    ----------
    sampled : Sampled
        With `sd` of shape (draws, factors), and the variables that `means` names.
    factors : sequence of Factor
    scales : {"normal", "t", "mixture"}
        The distribution of the study effects; its parameters count where they were drawn.
    rng : numpy.random.Generator
    means : mapping of str to MuPrior, optional
        Normal priors of means that were drawn.
    """
    sds, nothing = sampled.draws("sd"), np.zeros((1, 1))
    n = len(sds)
    prior = np.stack([prior_quantile(f.prior, rng.random(n)) for f in factors], axis=1)
    density = np.stack([f.prior.log_density(sd, nothing) for f, sd in zip(factors, sds.T, strict=True)], axis=1)
    known = sampled.tree["posterior"].to_dataset().data_vars
    hyper = {name: values for name, values in prior_scales(scales, rng, n).items() if name in known}
    at = log_prior_scales(scales, {name: sampled.draws(name) for name in hyper}) if hyper else {}
    for name, given in (means or {}).items():
        variance = normal_variance(given)
        hyper[name] = rng.normal(given.mean, np.sqrt(variance), n)
        at[name] = -0.5 * ((sampled.draws(name) - given.mean) ** 2 / variance + np.log(2 * np.pi * variance))
    sampled.add("prior", sd=(prior, "factor"), **{name: (values, None) for name, values in hyper.items()})
    sampled.add("log_prior", sd=(density, "factor"), **{name: (values, None) for name, values in at.items()})
