"""Bayesian model averaging over {no effect, effect} x {common effect, heterogeneity}, by exact marginal likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.bayes.mu_priors import MuPrior, NormalMu
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.quadrature import given_tau, integrate
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.datasets import checked
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: No effect or effect (0, 1), common or random effects (c, r).
MODELS = ("H0c", "H1c", "H0r", "H1r")


@dataclass(frozen=True)
class ModelAverage:
    """The four models and what follows from averaging them.

    Attributes
    ----------
    log_marginal, probability : dict
        By model.
    inclusion_bf_effect, inclusion_bf_heterogeneity : float
        Change from prior to posterior odds that there is an effect, or heterogeneity (Gronau et al. 2021).
    bf10_common, bf10_random : float
        Effect against none, given common or random effects.
    bf_random_common : float
        Random against common effects, given an effect.
    mu_mean : float
        Posterior mean of the effect, given that there is one, averaged over c and r.
    """

    log_marginal: dict[str, float]
    probability: dict[str, float]
    inclusion_bf_effect: float
    inclusion_bf_heterogeneity: float
    bf10_common: float
    bf10_random: float
    bf_random_common: float
    mu_mean: float


def _point(mean: float) -> MuPrior:
    """Return the prior that puts mu at one value."""
    return MuPrior(f"point({mean:g})", mean, np.zeros(1), np.zeros(1))


def _common(y: Floats, v: Floats, prior: MuPrior) -> tuple[float, float]:
    """Return log marginal likelihood and posterior mean of mu with tau = 0."""
    zero = np.zeros((1, 1))
    fit = given_tau(y, v, zero, prior, np.zeros(1))
    logs = fit.log_likelihood[0, 0]
    share = np.exp(logs - logs.max())
    return float(logs.max() + np.log(share.sum())), float((share * fit.mean[0, 0]).sum() / share.sum())


def _odds(probability: dict[str, float], yes: Sequence[str]) -> float:
    inside = sum(probability[name] for name in yes)
    return inside / sum(value for name, value in probability.items() if name not in yes)


def average_models(
    yi: Any,
    vi: Any,
    *,
    mu_prior: MuPrior | None = None,
    tau_prior: TauPrior | None = None,
    prior_probability: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
) -> ModelAverage:
    """Return posterior model probabilities and inclusion Bayes factors.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    mu_prior : MuPrior, optional
        Of the effect where there is one, proper; default normal(0, 1).
    tau_prior : TauPrior, optional
        Of tau where there is heterogeneity, proper; default half-normal(0.5).
    prior_probability : sequence of 4 floats
        Of `MODELS`.

    Raises
    ------
    InputError
        An improper prior, or probabilities that do not add up to 1.

    References
    ----------
    Gronau, Heck, Berkhout, Haaf & Wagenmakers 2021, Adv Methods Pract Psychol Sci 4(3), eq. 4 to 8.

    Examples
    --------
    >>> round(average_models([0.4, 0.6, 0.2], [0.02, 0.05, 0.04]).inclusion_bf_effect, 2)
    5.87
    """
    mu_prior = NormalMu(0, 1) if mu_prior is None else mu_prior
    tau_prior = HalfNormal(0.5) if tau_prior is None else tau_prior
    prior = dict(zip(MODELS, prior_probability, strict=True))
    if not mu_prior.proper or not tau_prior.proper:
        raise InputError("Model averaging needs proper priors: an improper one leaves Bayes factors undefined.")
    if min(prior.values()) < 0 or abs(sum(prior.values()) - 1) > 1e-9:
        raise InputError(
            f"prior_probability was {tuple(prior_probability)}; accepted are four numbers that add up to 1."
        )
    y, v, _ = checked(yi, vi)
    at_zero = _point(0.0)
    common, mean_common = _common(y, v, mu_prior)
    full = normal_normal_one(yi, vi, mu_prior=mu_prior, tau_prior=tau_prior)
    log_marginal = {
        "H0c": _common(y, v, at_zero)[0],
        "H1c": common,
        "H0r": float(integrate(y, v, np.zeros(1), tau_prior, at_zero)[0][1].log_marginal[0]),
        "H1r": float(full.grid.log_marginal[0]),
    }
    top = max(log_marginal.values())
    raw = {name: prior[name] * float(np.exp(value - top)) for name, value in log_marginal.items()}
    probability = {name: value / sum(raw.values()) for name, value in raw.items()}
    mean_random = float(np.vecdot(full.grid.weight, full.grid.mean)[0] + full.grid.centre[0])
    shares = probability["H1c"], probability["H1r"]
    effect, heterogeneity = ("H1c", "H1r"), ("H0r", "H1r")
    return ModelAverage(
        log_marginal=log_marginal,
        probability=probability,
        inclusion_bf_effect=_odds(probability, effect) / _odds(prior, effect),
        inclusion_bf_heterogeneity=_odds(probability, heterogeneity) / _odds(prior, heterogeneity),
        bf10_common=float(np.exp(log_marginal["H1c"] - log_marginal["H0c"])),
        bf10_random=float(np.exp(log_marginal["H1r"] - log_marginal["H0r"])),
        bf_random_common=float(np.exp(log_marginal["H1r"] - log_marginal["H1c"])),
        mu_mean=(shares[0] * mean_common + shares[1] * mean_random) / sum(shares),
    )
