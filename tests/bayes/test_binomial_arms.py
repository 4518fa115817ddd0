"""Binomial arms with normal logits: each integral by brute force, the posterior on a plain grid, known limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, gammaln
from scipy.stats import binom, norm

from igfmeta.bayes.binomial_arms import arm_log_likelihoods, binomial_arms
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, Jeffreys, LogT, Uniform
from igfmeta.errors import InputError

EVENTS, N = [23, 12, 19, 9], [107, 44, 51, 39]


def by_grid(events, n, log_prior, *, mu_mean=0.0, mu_sd=2.0, tau_max=4.0):
    """Return nodes of tau, of mu, and the posterior on them, every arm's own logit summed over a fine grid."""
    theta = np.arange(-12, 10, 0.005)
    mu, tau = np.linspace(-5, 3, 241), (np.arange(600) + 0.5) * tau_max / 600
    binomial = [np.exp(r * theta - m * np.logaddexp(0, theta)) for r, m in zip(events, n, strict=True)]
    binomial = np.array([each / each.max() for each in binomial])
    logs = np.empty((len(tau), len(mu)))
    for i, t in enumerate(tau):
        normal = np.exp(-0.5 * ((theta[:, None] - mu) / t) ** 2) / t
        arms = np.log(np.maximum(binomial @ normal, 1e-300)).sum(axis=0)
        logs[i] = arms + norm.logpdf(mu, mu_mean, mu_sd) + log_prior(t)
    weights = np.exp(logs - logs.max())
    return tau, mu, weights / weights.sum()


@pytest.mark.parametrize(("events", "n"), [(0, 20), (3, 10), (10, 10), (500, 1000), (1, 100_000)])
@pytest.mark.parametrize(("mu", "tau"), [(-1.0, 0.05), (-1.0, 0.6), (2.0, 3.0)])
def test_the_likelihood_of_an_arm_is_that_of_an_adaptive_integral(events, n, mu, tau):
    seen = np.log((events + 0.5) / (n - events + 0.5))
    peak = (mu / tau**2 + seen * n / 4) / (1 / tau**2 + n / 4)
    points = sorted({mu, seen, peak, mu - tau, mu + tau})
    top = max(events * t - n * np.logaddexp(0, t) + norm.logpdf(t, mu, tau) for t in np.linspace(-25, 15, 4001))

    def height(theta):
        return np.exp(events * theta - n * np.logaddexp(0, theta) + norm.logpdf(theta, mu, tau) - top)

    exact = top + np.log(quad(height, -30, 30, points=points, limit=2000, epsabs=0, epsrel=1e-10)[0])
    found = arm_log_likelihoods(np.array([float(events)]), np.array([float(n)]), np.array(mu), np.array(tau))
    assert found[0] == pytest.approx(exact, abs=2e-6)


def test_the_posterior_is_that_of_a_plain_grid(rng):
    tau, mu, weights = by_grid(EVENTS, N, lambda t: -0.5 * t**2)
    fit = binomial_arms(EVENTS, N)
    over_tau = weights.sum(axis=1)
    assert fit.tau_mean() == pytest.approx(over_tau @ tau, rel=1e-4)
    edges = tau + (tau[1] - tau[0]) / 2
    p = [0.025, 0.5, 0.975]
    assert fit.tau_quantiles(p) == pytest.approx(np.interp(p, np.cumsum(over_tau), edges), rel=2e-3)
    over_mu = weights.sum(axis=0)
    mean = over_mu @ mu
    predictive = fit.new_arm()
    assert predictive.moments()[0][0] == pytest.approx(mean, abs=1e-5)
    variance = over_mu @ (mu - mean) ** 2 + over_tau @ tau**2
    assert predictive.moments()[1][0] ** 2 == pytest.approx(variance, rel=1e-3)
    i, j = np.divmod(rng.choice(weights.size, 400_000, p=weights.ravel()), len(mu))
    rates = expit(rng.normal(mu[j], tau[i]))
    found = expit(predictive.rows(np.zeros(3, dtype=int)).quantile(np.array(p)))
    assert found == pytest.approx(np.quantile(rates, p), abs=0.002)
    assert fit.mean_quantiles(p) == pytest.approx(np.interp(p, np.cumsum(over_mu), mu + 4 / 240), abs=1e-3)


def test_the_evidence_of_one_arm_is_a_triple_integral():
    fit = binomial_arms([3], [20], tau_prior=HalfNormal(0.5), mu_mean=-1.0, mu_sd=1.5)
    # The logit of one arm is normal around mu_mean, with the variances of mu and of the arm.
    u = (np.arange(20_000) + 0.5) / 20_000
    tau = 0.5 * norm.ppf(0.5 + u / 2)
    sd = np.sqrt(1.5**2 + tau**2)
    theta = np.linspace(-12, 10, 2001)
    marginal = np.array([norm.pdf(t, -1.0, sd).mean() for t in theta])
    likelihood = binom.pmf(3, 20, expit(theta)) / np.exp(gammaln(21) - gammaln(4) - gammaln(18))
    exact = np.log((likelihood * marginal).sum() * (theta[1] - theta[0]))
    assert fit.log_evidence == pytest.approx(exact, abs=1e-4)


def test_arms_that_are_huge_and_alike_leave_the_mean_known():
    fit = binomial_arms([40_000] * 5, [100_000] * 5, tau_prior=HalfNormal(0.01))
    low, high = expit(fit.mean_quantiles([0.025, 0.975]))
    assert 0.395 < low < 0.4 < high < 0.405


def test_no_event_at_all_is_an_answer():
    fit = binomial_arms([0, 0, 0], [20, 30, 10])
    rate = expit(fit.new_arm().quantile(np.array([0.5])))[0]
    assert 0 < rate < 0.05
    # Rates are the same seen from the other side.
    other = binomial_arms([20, 30, 10], [20, 30, 10])
    assert 1 - expit(other.new_arm().quantile(np.array([0.5])))[0] == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize("prior", [HalfCauchy(0.5), Uniform(3), LogT(-1.5, 0.8, 5)], ids=lambda p: p.label)
def test_other_priors_of_tau_are_those_of_a_grid(prior):
    variances = np.ones((1, 2))
    events, n = [9, 30], [40, 60]
    tau, _, weights = by_grid(
        events, n, lambda t: prior.log_density(np.array([[t]]), variances)[0, 0] if t < prior.upper else -np.inf,
        tau_max=3.0,
    )  # fmt: skip
    fit = binomial_arms(events, n, tau_prior=prior)
    below = np.interp(3.0, fit.tau_points, fit.tau_cdf)
    p = np.array([0.1, 0.5, 0.9])
    edges = tau + (tau[1] - tau[0]) / 2
    expected = np.interp(p, np.cumsum(weights.sum(axis=1)), edges)
    assert fit.tau_quantiles(p * below) == pytest.approx(expected, rel=4e-3)


@pytest.mark.parametrize(
    ("events", "n", "options", "message"),
    [
        ([5], [4], {}, "events from 0 to n"),
        ([1.5], [4], {}, "whole numbers"),
        ([], [], {}, "one at least"),
        ([1, 2], [4], {}, "same length"),
        ([1], [4], {"mu_sd": 0}, "mu_sd was 0"),
        ([1], [4], {"tau_prior": Jeffreys()}, "jeffreys of tau is improper"),
    ],
)
def test_what_cannot_be_used(events, n, options, message):
    with pytest.raises(InputError, match=message):
        binomial_arms(events, n, **options)
