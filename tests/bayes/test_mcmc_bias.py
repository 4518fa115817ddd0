"""Members with publication bias by PyMC and by bridge sampling: both say what the quadrature says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from igfmeta.bayes.biased import Data
from igfmeta.bayes.mcmc.bias import bias_by_mcmc, bias_model, published
from igfmeta.bayes.mcmc.bridge import bridge, model_evidence
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mu_priors import NormalMu
from igfmeta.bayes.publication_bias import Regression, Steps
from igfmeta.bayes.regression_members import regression_member
from igfmeta.bayes.step_members import step_member
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.errors import InputError

DATA = Data(
    -np.array([0.62, 0.05, 0.4, 0.31, -0.1, 0.55]), np.array([0.04, 0.02, 0.03, 0.09, 0.05, 0.07]), -1.0
)  # effects below 0 are favoured
MU, TAU = NormalMu(0, 1), HalfNormal(0.5)
PLAN = Plan(draws=1000, tune=800, chains=2, cores=1, seed=3)
MEMBERS = {"steps": (Steps((0.025, 0.5)), step_member), "PET": (Regression("PET"), regression_member)}


@pytest.fixture(scope="module", params=list(MEMBERS))
def drawn(request):
    bias, integrate = MEMBERS[request.param]
    return bias, integrate(DATA, bias, MU, TAU), bias_by_mcmc(DATA, bias, MU, TAU, plan=PLAN)


def test_draws_have_the_moments_of_the_quadrature(drawn):
    bias, exact, sampled = drawn
    size = min(sampled.diagnostics.ess_bulk, sampled.diagnostics.ess_tail)
    assert sampled.diagnostics.rhat < 1.02
    expected = {"mu": exact.mu.moments(), "tau": exact.tau.moments()}
    if isinstance(bias, Steps):
        mean = exact.omega_weights @ exact.omega
        spread = np.sqrt(exact.omega_weights @ (exact.omega - mean) ** 2)
        found = sampled.draws("omega").mean(axis=0)
        np.testing.assert_array_less(abs(found - mean)[1:], 4 * spread[1:] / np.sqrt(size))
    else:
        expected["beta"] = exact.slope.moments()
    for name, (mean, sd) in expected.items():
        assert sampled.draws(name).mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(size)), name


def test_bridge_sampling_gives_the_evidence_of_the_quadrature(drawn):
    bias, exact, sampled = drawn
    found = model_evidence(bias_model(DATA, bias, MU, TAU), sampled, rng=np.random.default_rng(2))
    assert found.relative_error < 0.05
    assert found.log_marginal == pytest.approx(exact.log_marginal, abs=4 * found.relative_error)


def test_the_tree_has_what_the_checks_need(drawn):
    _, _, sampled = drawn
    groups = set(sampled.tree.children)
    assert {"posterior", "prior", "posterior_predictive", "log_likelihood", "log_prior", "observed_data"} <= groups
    assert sampled.tree["log_likelihood"]["trials"].shape == (2, 1000, 6)


def test_bridge_sampling_of_an_integral_in_closed_form(rng):
    # y ~ N(x b, I), b ~ N(0, 2^2 I): a normal posterior, and a skewed one in log-variance.
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    precision = x.T @ x + np.eye(3) / 4
    mean, root = np.linalg.solve(precision, x.T @ y), np.linalg.cholesky(np.linalg.inv(precision))
    draws = mean + rng.normal(size=(4, 1000, 3)) @ root.T

    def log_density(b):
        return stats.norm.logpdf(y - b @ x.T).sum(axis=1) + stats.norm.logpdf(b, 0, 2).sum(axis=1)

    exact = stats.multivariate_normal.logpdf(y, np.zeros(12), np.eye(12) + 4 * x @ x.T)
    found = bridge(log_density, draws, rng=rng)
    assert found.relative_error < 1e-3  # the proposal is the posterior but for its fit
    assert found.log_marginal == pytest.approx(exact, abs=4 * found.relative_error)
    shape = 3.0
    logs = np.log(rng.gamma(shape, size=(4, 1000, 1)))
    found = bridge(lambda u: (shape * u - np.exp(u))[:, 0], logs, rng=rng)
    assert 0 < found.relative_error < 0.02
    assert found.log_marginal == pytest.approx(special.gammaln(shape), abs=4 * found.relative_error)


def test_correlated_draws_have_a_larger_error(rng):
    noise, chain = rng.normal(size=(2, 4000, 1)), np.zeros((2, 4000, 1))
    for i in range(1, 4000):
        chain[:, i] = 0.95 * chain[:, i - 1] + np.sqrt(1 - 0.95**2) * noise[:, i]
    heavy = special.ndtr(chain)  # uniform, then logistic: a density that the proposal does not match
    values = special.logit(heavy)

    def log_density(x):
        return (x - 2 * np.logaddexp(0, x))[:, 0]

    correlated = bridge(log_density, values, rng=rng)
    independent = bridge(log_density, special.logit(rng.random((2, 4000, 1))), rng=rng)
    assert correlated.relative_error > independent.relative_error
    assert correlated.log_marginal == pytest.approx(0, abs=4 * correlated.relative_error)


def test_too_few_draws_are_refused(rng):
    with pytest.raises(InputError, match="20 or more"):
        bridge(lambda x: x[:, 0], np.zeros((2, 5, 1)), rng=rng)


def test_what_is_published_follows_the_weights(rng):
    data, bias = Data(np.zeros(1), np.ones(1), 1.0), Steps((0.5,))
    n = 20_000
    drawn = published(data, bias, np.zeros((n, 1)), np.ones((n, 1)), np.tile([1.0, 0.25], (n, 1)), rng)
    assert (drawn > 0).mean() == pytest.approx(0.8, abs=0.015)
