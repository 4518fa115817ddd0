"""Mixtures of betas: what they are worth by the definition, their fit by numerical divergence, their update."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import beta, binom, norm

from igfmeta.bayes.beta_mixture import BetaMixture, fit_beta_mixture
from igfmeta.bayes.binomial_arms import binomial_arms
from igfmeta.bayes.distributions import NormalMixture
from igfmeta.errors import InputError


def mixture(weights, a, b):
    return BetaMixture(*(np.array(x, dtype=float) for x in (weights, a, b)))


PRIOR = mixture([0.7, 0.3], [20.0, 3.0], [60.0, 8.0])


@pytest.fixture(scope="module")
def logits():
    return binomial_arms([23, 12, 19, 9], [107, 44, 51, 39]).new_arm()


def information_ratio(prior):
    """Return E[-(log density)'' p (1 - p)] on the scale of the rate, by adaptive integration of its definition."""

    def integrand(p):
        each = prior.weights * beta.pdf(p, prior.a, prior.b)
        score = (prior.a - 1) / p - (prior.b - 1) / (1 - p)
        slope = (each * score).sum()
        curve = (each * (score**2 - (prior.a - 1) / p**2 - (prior.b - 1) / (1 - p) ** 2)).sum()
        return (slope**2 / each.sum() - curve) * p * (1 - p)

    return sum(quad(integrand, *ends, limit=500)[0] for ends in ((1e-12, 0.1), (0.1, 0.5), (0.5, 1 - 1e-9)))


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.5, 7.0), (200.0, 30.0), (5e4, 5e4)])
def test_one_beta_is_worth_a_plus_b(a, b):
    assert mixture([1], [a], [b]).effective_size() == pytest.approx(a + b, rel=1e-9)
    assert mixture([1], [a], [b]).moment_size() == pytest.approx(a + b, rel=1e-9)


@pytest.mark.parametrize(
    "prior",
    [PRIOR, mixture([0.5, 0.3, 0.2], [4.0, 40.0, 9.0], [16.0, 60.0, 2.0]), mixture([0.6, 0.4], [900, 30], [2100, 60])],
)
def test_a_mixture_is_worth_what_the_definition_says(prior):
    assert prior.effective_size() == pytest.approx(information_ratio(prior), rel=1e-6)


def test_a_mixture_has_the_moments_and_quantiles_of_its_draws(rng):
    which = rng.choice(2, 400_000, p=PRIOR.weights)
    draws = rng.beta(PRIOR.a[which], PRIOR.b[which])
    assert PRIOR.moments() == pytest.approx((draws.mean(), draws.std()), abs=3e-4)
    p = [0.025, 0.5, 0.975]
    assert PRIOR.quantile(p) == pytest.approx(np.quantile(draws, p), abs=2e-3)
    assert PRIOR.cdf(PRIOR.quantile(p)) == pytest.approx(p, abs=1e-12)
    x = np.linspace(0, 1, 20_001)[1:-1]
    assert PRIOR.density(x).mean() == pytest.approx(1, abs=1e-4)


def test_the_update_is_bayes_theorem():
    p = np.linspace(0, 1, 40_001)[1:-1]
    posterior = PRIOR.density(p) * binom.pmf(12, 30, p)
    posterior /= posterior.sum()
    assert PRIOR.updated(12, 30).moments()[0] == pytest.approx(posterior @ p, rel=1e-6)


def divergence(prior, mean, sd):
    """Return the Kullback-Leibler divergence of a mixture from a normal logit."""

    def integrand(logit):
        p = expit(logit)
        return norm.pdf(logit, mean, sd) * (
            norm.logpdf(logit, mean, sd) - np.log(prior.density(p)[0]) - np.log(p * (1 - p))
        )

    return quad(integrand, mean - 8 * sd, mean + 8 * sd, limit=500)[0]


@pytest.mark.parametrize(("mean", "sd"), [(-1.0, 0.4), (-4.0, 1.5), (0.5, 2.0), (0.0, 0.02)])
def test_one_component_is_the_nearest_beta(mean, sd):
    one = NormalMixture(np.ones((1, 1)), np.full((1, 1), mean), np.full((1, 1), sd))
    fit = fit_beta_mixture(one, components=1)
    assert fit.divergence == pytest.approx(divergence(fit, mean, sd), abs=1e-6)
    for factor_a in (0.97, 1, 1.03):
        for factor_b in (0.97, 1, 1.03):
            other = mixture([1], np.maximum(fit.a * factor_a, 1), np.maximum(fit.b * factor_b, 1))
            assert divergence(other, mean, sd) >= fit.divergence - 1e-7


def test_the_fit_is_the_predictive_distribution_of_draws(logits, rng):
    i = rng.choice(logits.weight.shape[1], 400_000, p=logits.weight[0])
    rates = expit(rng.normal(logits.mean[0, i], logits.sd[0, i]))
    fit = fit_beta_mixture(logits)
    p = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    assert fit.cdf(np.quantile(rates, p)) == pytest.approx(p, abs=0.006)
    assert fit.moments() == pytest.approx((rates.mean(), rates.std()), abs=0.002)


def test_more_components_come_nearer_and_the_default_stops_where_they_do_not_pay(logits):
    fits = [fit_beta_mixture(logits, components=n) for n in (1, 2, 3)]
    divergences = [fit.divergence for fit in fits]
    assert sorted(divergences, reverse=True) == divergences
    chosen = fit_beta_mixture(logits)
    n = len(chosen.weights)
    if n > 1:
        fewer = fit_beta_mixture(logits, components=n - 1)
        assert fewer.divergence - chosen.divergence > 3 / 4000
    assert chosen.divergence - fit_beta_mixture(logits, components=n + 1).divergence <= 3 / 4000
    assert min(chosen.a.min(), chosen.b.min()) >= 1


def test_a_robust_prior_is_worth_less_and_gives_way_to_data():
    robust = PRIOR.robust(0.2)
    assert robust.effective_size() < PRIOR.effective_size()
    assert (robust.a[-1], robust.b[-1]) == (1, 1)
    far = robust.updated(38, 40).moments()[0], PRIOR.updated(38, 40).moments()[0]
    assert far[1] < far[0] < 0.96
    assert PRIOR.robust(0.2, mean=0.1).a[-1] == pytest.approx(0.2)


@pytest.mark.parametrize("components", [0, 7, 2.0, True])
def test_components_that_cannot_be(logits, components):
    with pytest.raises(InputError, match="from 1 to 6"):
        fit_beta_mixture(logits, components=components)


def test_options_that_cannot_be():
    with pytest.raises(InputError, match="weight was 1"):
        PRIOR.robust(1)
    with pytest.raises(InputError, match="mean was 0"):
        PRIOR.robust(0.2, mean=0)
    with pytest.raises(InputError, match="add up to 1"):
        mixture([0.5, 0.6], [1, 1], [1, 1])
    with pytest.raises(InputError, match="must be above 0"):
        mixture([1], [0], [1])
