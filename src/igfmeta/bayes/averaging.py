"""Bayesian model averaging over {no effect, effect} x {common effect, heterogeneity} x models of publication bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from igfmeta.bayes.averaged import Averaged, Member
from igfmeta.bayes.biased import Data, MemberFit, OneOf
from igfmeta.bayes.distributions import NormalMixture, TauPosterior
from igfmeta.bayes.mu_priors import MuPrior, NormalMu
from igfmeta.bayes.publication_bias import Bias, NoBias, Regression, Steps, check_members
from igfmeta.bayes.quadrature import given_tau, integrate
from igfmeta.bayes.regression_members import regression_member
from igfmeta.bayes.step_members import step_member
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.datasets import checked
from igfmeta.errors import InputError, check_choice, check_level

#: Which direction of effect is favoured where results are missing.
FAVOURS = {"higher": 1.0, "lower": -1.0}


def _point(mean: float) -> MuPrior:
    """Return the prior that puts mu at one value."""
    return MuPrior(f"point({mean:g})", mean, np.zeros(1), np.zeros(1))


def _common(data: Data, prior: MuPrior) -> MemberFit:
    """Return the fit with tau = 0: a normal likelihood, in closed form."""
    zero = np.zeros((1, 1))
    fit = given_tau(data.y[None], data.v[None], zero, prior, np.zeros(1))
    logs = fit.log_likelihood[0, 0]
    share = np.exp(logs - logs.max())
    mixture = NormalMixture.of(share[None] / share.sum(), fit.mean[0], fit.variance[0])
    mu = None if prior.variances[0] == 0 else OneOf.of(mixture)
    return MemberFit(float(logs.max() + np.log(share.sum())), 0.0, mu=mu)


def _random(data: Data, prior: MuPrior, tau_prior: TauPrior) -> MemberFit:
    """Return the fit with tau > 0: mu in closed form, tau by quadrature."""
    centre = np.array([data.y.mean() if prior.variances[0] > 0 else 0.0])
    grid = integrate((data.y - centre)[None], data.v[None], centre, tau_prior, prior)[0][1]
    tau = OneOf.with_moments(TauPosterior.of(grid), grid.weight[0], np.sqrt(grid.tau2[0]))
    mu = None
    if prior.variances[0] > 0:
        mu = OneOf.of(NormalMixture.of(grid.weight, grid.mean + centre[0], grid.variance))
    return MemberFit(float(grid.log_marginal[0]), float(grid.accuracy[0]), mu=mu, tau=tau)


def _fit(data: Data, bias: Bias, mu_prior: MuPrior, tau_prior: TauPrior | None) -> MemberFit:
    if isinstance(bias, Steps):
        return step_member(data, bias, mu_prior, tau_prior)
    if isinstance(bias, Regression):
        return regression_member(data, bias, mu_prior, tau_prior)
    return _common(data, mu_prior) if tau_prior is None else _random(data, mu_prior, tau_prior)


def average_models(
    yi: Any,
    vi: Any,
    *,
    mu_prior: MuPrior | None = None,
    tau_prior: TauPrior | None = None,
    bias: Sequence[tuple[Bias, float]] = ((NoBias(), 1.0),),
    favours: str = "higher",
    p_effect: float = 0.5,
    p_heterogeneity: float = 0.5,
    level: float = 0.95,
) -> Averaged:
    """Return posterior model probabilities, inclusion Bayes factors and averaged posteriors.

    Normal members are exact: mu in closed form, tau (and beta of PET and PEESE) by quadrature. Weight functions take
    quadrature in mu, tau and omega; nothing is sampled. Each member says how accurate its evidence is.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
        Effects on the analysis scale and their sampling variances.
    mu_prior : MuPrior, optional
        Of the effect where there is one, proper; default normal(0, 1).
    tau_prior : TauPrior, optional
        Of tau where there is heterogeneity, proper; default half-normal(0.5).
    bias : sequence of (bias, probability)
        Models of publication bias with their prior probabilities, such as `publication_bias.psma()`; default none.
    favours : {"higher", "lower"}
        Which effects are more likely to be published.
    p_effect, p_heterogeneity : float
        Prior probability that there is an effect, and heterogeneity.
    level : float
        Of the intervals.

    Raises
    ------
    InputError
        An improper prior, probabilities that are none, data that cannot be used.

    References
    ----------
    Gronau, Heck, Berkhout, Haaf & Wagenmakers 2021, Adv Methods Pract Psychol Sci 4(3), eq. 4 to 8.
    Maier, Bartos & Wagenmakers 2022, Psychol Methods 28:107. Bartos, Maier, Wagenmakers, Doucouliagos & Stanley 2023,
    Res Synth Methods 14:99.

    Examples
    --------
    >>> found = average_models([0.4, 0.6, 0.2], [0.02, 0.05, 0.04])
    >>> round(found.inclusion("effect").bf, 2)
    5.87
    """
    mu_prior = NormalMu(0, 1) if mu_prior is None else mu_prior
    tau_prior = HalfNormal(0.5) if tau_prior is None else tau_prior
    if not mu_prior.proper or not tau_prior.proper:
        raise InputError("Model averaging needs proper priors: an improper one leaves Bayes factors undefined.")
    for name, p in (("p_effect", p_effect), ("p_heterogeneity", p_heterogeneity)):
        if not 0 <= p <= 1:
            raise InputError(f"{name} was {p!r}; accepted is a probability.")
    level = check_level(level)
    y, v, _ = checked(yi, vi)
    data = Data(y[0], v[0], FAVOURS[check_choice("favours", favours, tuple(FAVOURS))])
    priors = (p_effect, p_heterogeneity)
    return Averaged(
        members=_with_probabilities(list(_members(data, check_members(bias), mu_prior, tau_prior, priors))),
        k=len(data.y),
        mu_prior=mu_prior.label,
        tau_prior=tau_prior.label,
        favours=favours.casefold(),
        level=level,
    )


def _members(
    data: Data,
    bias: Sequence[tuple[Bias, float]],
    mu_prior: MuPrior,
    tau_prior: TauPrior,
    priors: tuple[float, float],
) -> Iterator[Member]:
    """Fit every model; those without prior probability are left out."""
    at_zero = _point(0.0)
    for model, share in bias:
        for heterogeneity in (False, True):
            for effect in (False, True):
                prior = share * (priors[0] if effect else 1 - priors[0])
                prior *= priors[1] if heterogeneity else 1 - priors[1]
                if prior > 0:
                    fit = _fit(data, model, mu_prior if effect else at_zero, tau_prior if heterogeneity else None)
                    yield Member(effect, heterogeneity, model, prior, 0.0, fit)


def _with_probabilities(members: Sequence[Member]) -> tuple[Member, ...]:
    logs = np.array([m.fit.log_marginal + np.log(m.prior) for m in members])
    weights = np.exp(logs - logs.max())
    return tuple(replace(m, probability=float(p)) for m, p in zip(members, weights / weights.sum(), strict=True))
