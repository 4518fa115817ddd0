"""Meta-regression: the limit of weighted least squares, an integral over tau, units, counts, and PyMC."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from igfmeta.bayes.components import Kernels, class_by_tumor
from igfmeta.bayes.laplace import binomial_posterior
from igfmeta.bayes.mcmc.regression import (
    Terms,
    binomial_regression_by_mcmc,
    normal_regression_by_mcmc,
    normal_regression_model,
    two_arm_regression_model,
)
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.trust import examine
from igfmeta.bayes.regression import Moderators, binomial_regression, regression_posterior, two_arm_regression
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, TwoArmCounts, two_arm_posterior
from igfmeta.errors import InputError

YEAR = np.array([2008.0, 2010, 2011, 2012, 2014, 2015, 2017, 2020])
LATE = (YEAR > 2011).astype(float)
X = np.stack([np.ones(8), YEAR, LATE], axis=1)
NAMES = ["Intercept", "year", "late"]
Y = np.array([0.3, 0.25, 0.1, -0.1, -0.2, 0.05, -0.35, -0.3])
V = np.diag([0.02, 0.03, 0.05, 0.04, 0.06, 0.01, 0.05, 0.03])
V[1, 2] = V[2, 1] = 0.01
EVENTS, N = np.array([0.0, 0, 1, 0, 3, 5, 0, 2]), np.array([24.0, 10, 36, 17, 31, 37, 85, 20])
CONTROL_EVENTS, CONTROL_N = np.array([2.0, 0, 4, 1, 6, 3, 3, 0]), np.array([25.0, 12, 34, 17, 30, 40, 40, 21])


def _factors(scale, k=8):
    return class_by_tumor([0] * k, [0] * k, [0] * k, n_classes=1, n_tumors=1, priors={"study": HalfNormal(scale)})


def _posterior(design, scale=0.5, weights=None, seed=1):
    weights = np.eye(len(design.names)) if weights is None else weights
    return regression_posterior(Y, V, design, _factors(scale), weights, rng=np.random.default_rng(seed))


def test_with_wide_priors_and_no_heterogeneity_it_is_generalized_least_squares():
    found = _posterior(Moderators.of(X, NAMES, intercept_sd=1e4, slope_sd=1e4), scale=1e-6)
    mean, sd = found.cells().moments()
    centred = X - np.array([0, 2012, 0])
    weight = np.linalg.inv(V)
    covariance = np.linalg.inv(centred.T @ weight @ centred)
    expected = covariance @ centred.T @ weight @ Y
    np.testing.assert_allclose(mean[1:], expected[1:], rtol=1e-5)
    np.testing.assert_allclose(sd[1:], np.sqrt(np.diag(covariance))[1:], rtol=1e-5)
    assert mean[0] == pytest.approx(expected[0] - 2012 * expected[1], rel=1e-5)


def test_the_posterior_is_an_integral_over_tau():
    design = Moderators.of(X, NAMES)
    found = _posterior(design)

    def given(tau):
        s = V + tau**2 * np.eye(8) + design.scaled @ design.scaled.T
        gain = design.root @ design.scaled.T @ np.linalg.inv(s)
        density = stats.multivariate_normal.pdf(Y, np.zeros(8), s) * np.exp(-2 * tau**2)
        return density, (gain @ Y)[1]

    total = integrate.quad(lambda t: given(t)[0], 0, 3)[0]
    slope = integrate.quad(lambda t: np.prod(given(t)), 0, 3)[0] / total
    tau = integrate.quad(lambda t: t * given(t)[0], 0, 3)[0] / total
    mean, sd = (x[1] for x in found.cells().moments())
    assert mean == pytest.approx(slope, abs=0.01 * sd)
    assert found.weights @ found.sds[:, 0] == pytest.approx(tau, rel=0.02)


def test_units_of_a_column_do_not_matter():
    """A year counted from 2000, or in decades, has the same prior and the same posterior."""
    one = _posterior(Moderators.of(X, NAMES)).cells().moments()
    other = X.copy()
    other[:, 1] = (other[:, 1] - 2000) / 10
    two = _posterior(Moderators.of(other, NAMES)).cells().moments()
    np.testing.assert_allclose(one[0][1:], two[0][1:] / np.array([10, 1]), rtol=1e-7)
    np.testing.assert_allclose(one[1][1:], two[1][1:] / np.array([10, 1]), rtol=1e-7)


def test_the_prior_of_the_effect_at_the_mean_and_of_the_slopes():
    design = Moderators.of(X, NAMES, intercept_sd=2.0, slope_sd=0.7)
    np.testing.assert_allclose(X @ design.root, design.scaled, atol=1e-9)
    covariance = design.root @ design.root.T
    middle = X.mean(axis=0)
    assert middle @ covariance @ middle == pytest.approx(4.0)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance))[1:], [0.7 / YEAR.std(ddof=1), 0.7])


def test_every_category_has_its_own_prior_where_there_is_no_intercept():
    design = Moderators.of(np.stack([1 - LATE, LATE], axis=1), ["early", "late"])
    np.testing.assert_allclose(design.root, 2.5 * np.eye(2))


def test_columns_that_are_sums_of_others_are_refused():
    with pytest.raises(InputError, match="8 studies do not determine the 3 coefficients"):
        Moderators.of(np.stack([np.ones(8), LATE, 1 - LATE], axis=1), ["Intercept", "late", "early"])


def _same(one, other):
    (a, sd), (b, _) = one.cells().moments(), other.cells().moments()
    error = np.sqrt(1 / one.effective_size + 1 / other.effective_size)
    np.testing.assert_array_less(abs(a - b), 4 * sd * error)
    assert one.weights @ one.sds[:, 0] == pytest.approx(other.weights @ other.sds[:, 0], abs=4 * 0.3 * error)


def test_without_moderators_counts_are_those_of_the_hierarchy():
    mean = Moderators.of(np.ones((8, 1)), ["Intercept"])
    factors, rng = _factors(0.5), np.random.default_rng(1)
    kernels = Kernels.of(factors, 1)
    _same(
        binomial_regression(EVENTS, N, mean, factors, np.eye(1), rng=rng),
        binomial_posterior(EVENTS, N, factors, kernels, rng=np.random.default_rng(2)),
    )
    counts = TwoArmCounts.of(EVENTS, N, CONTROL_EVENTS, CONTROL_N, range(8))
    args = EVENTS, N, CONTROL_EVENTS, CONTROL_N
    _same(
        two_arm_regression(counts, mean, factors, np.eye(1), rng=rng),
        two_arm_posterior(*args, factors, kernels, control=range(8), rng=np.random.default_rng(2)),
    )


def test_draws_of_counts_with_moderators_agree_with_the_route_without_compilation():
    design, factors = Moderators.of(X[:, :2], NAMES[:2]), _factors(0.5)
    weights = np.array([[0.0, 1.0], [1.0, YEAR.mean()]])
    exact = binomial_regression(EVENTS, N, design, factors, weights, rng=np.random.default_rng(1), draws=12_000)
    plan = Plan(draws=1000, tune=600, chains=2, cores=1, seed=3)
    drawn, sampled = binomial_regression_by_mcmc(EVENTS, N, Terms(design, factors, weights), plan=plan)
    assert sampled.diagnostics.divergences == 0
    _same(drawn, exact)
    trust = examine(sampled.tree)
    assert trust.missing == ()
    assert [len(trust.left_out.units), len(trust.replicated)] == [8, 8]


@pytest.fixture(scope="module", params=["normal", "t"])
def normal_draws(request):
    plan = Plan(draws=500, tune=600, chains=2, cores=1, seed=3)
    design, factors = Moderators.of(X, NAMES), _factors(0.5)
    made = normal_regression_by_mcmc(Y, V, Terms(design, factors, np.eye(3), request.param), plan=plan)
    return request.param, design, made[1]


def test_the_likelihood_of_a_trial_is_a_ratio_of_integrals(normal_draws):
    """log p(all) - log p(the others), given the sd; the trial's own effect integrated."""
    kind, design, sampled = normal_draws
    found = sampled.tree["log_likelihood"]["trials"].values.reshape(-1, 8)
    for draw, trial in ((0, 0), (3, 2), (9, 7)):
        sd, rest = sampled.draws("sd")[draw, 0], np.arange(8) != trial
        own = np.zeros(8) if kind == "normal" else sd * sampled.draws("z_study")[draw]
        s = V + design.scaled @ design.scaled.T + (sd**2 * np.eye(8) if kind == "normal" else 0.0)
        others = stats.multivariate_normal.pdf((Y - own)[rest], np.zeros(7), s[np.ix_(rest, rest)])

        def density(z, trial=trial, own=own, s=s, sd=sd):
            off = (Y - own).copy()
            off[trial] = Y[trial] - sd * z
            return stats.multivariate_normal.pdf(off, np.zeros(8), s) * stats.t.pdf(z, 4)

        together = integrate.quad(density, -60, 60, points=[-3, 0, 3], limit=200)[0] if kind == "t" else None
        if kind == "normal":
            together = stats.multivariate_normal.pdf(Y, np.zeros(8), s)
        assert found[draw, trial] == pytest.approx(np.log(together / others), abs=1e-5)


def test_draws_of_a_regression_can_be_examined(normal_draws):
    kind, design, sampled = normal_draws
    z, sd = sampled.draws("z_coefficient")[5], sampled.draws("sd")[5, 0]
    own = 0.0 if kind == "normal" else sd * sampled.draws("z_study")[5]
    s = V + (sd**2 * np.eye(8) if kind == "normal" else 0.0)
    joint = sampled.tree["log_likelihood"]["joint"].values.ravel()[5]
    assert joint == pytest.approx(stats.multivariate_normal.logpdf(Y, design.scaled @ z + own, s), rel=1e-10)
    prior = sampled.tree["log_prior"].to_dataset()
    assert prior["coefficients"].values.ravel()[5] == pytest.approx(stats.norm.logpdf(z).sum(), rel=1e-12)
    again = sampled.tree["posterior_predictive"]["y"].values.reshape(-1, 8)
    expected = (sampled.draws("z_coefficient") @ design.scaled.T).mean(axis=0)
    np.testing.assert_allclose(again.mean(axis=0), expected, atol=5 * again.std() / np.sqrt(len(again)))
    assert examine(sampled.tree).missing == ()


def _logps(model, point):
    variables = list(model.observed_RVs)
    found = model.compile_logp(vars=variables, sum=False)(point)
    return {v.name: float(np.sum(x)) for v, x in zip(variables, found, strict=True)}


def test_the_density_of_the_normal_model_is_that_of_one_step():
    design = Moderators.of(X, NAMES)
    z, sd = np.array([0.3, -0.5, 0.2]), 0.4
    model = normal_regression_model(Y, V, Terms(design, _factors(0.5), np.eye(3)))
    found = _logps(model, {"z_coefficient": z, "sd_study_log__": np.log(sd)})["y"]
    expected = stats.multivariate_normal.logpdf(Y, X @ (design.root @ z), V + sd**2 * np.eye(8))
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_density_of_two_arms_is_binomial_in_both_to_the_power_of_its_share():
    design = Moderators.of(X, NAMES)
    z, sd, u = np.array([0.3, -0.5, 0.2]), 0.4, np.linspace(-1, 1, 8)
    baseline = np.linspace(-2, -1, 8)
    share = np.linspace(0.3, 1, 8)
    counts = TwoArmCounts.of(EVENTS, N, CONTROL_EVENTS, CONTROL_N, range(8), share=share)
    model = two_arm_regression_model(counts, Terms(design, _factors(0.5), np.eye(3)))
    point = {"z_coefficient": z, "sd_study_log__": np.log(sd), "z_study": u, "baseline": baseline}
    found = _logps(model, point)
    theta = X @ (design.root @ z) + sd * u
    expected = share @ stats.binom.logpmf(EVENTS, N, special.expit(baseline + theta))
    assert found["events"] == pytest.approx(expected)
    expected = share @ stats.binom.logpmf(CONTROL_EVENTS, CONTROL_N, special.expit(baseline))
    assert found["control_events"] == pytest.approx(expected)
    assert BASELINE_PRIOR.mean == 0
