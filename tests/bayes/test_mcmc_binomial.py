"""The binomial hierarchy in PyMC: its prior is that of the kernels, its posterior that of the exact route."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors, zero_sum
from igfmeta.bayes.laplace import RATE_PRIOR, binomial_posterior, normal_variance
from igfmeta.bayes.mcmc.binomial import binomial_by_mcmc, binomial_model, two_arm_by_mcmc
from igfmeta.bayes.mcmc.effects import contrasts, crossed_effects, loadings
from igfmeta.bayes.mcmc.sampling import Plan, load_pymc
from igfmeta.bayes.mcmc.trust import examine
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, HalfT
from igfmeta.bayes.two_arm_counts import two_arm_posterior
from igfmeta.errors import InputError

CLASSES, TUMORS, AGENTS = [0, 0, 0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 0, 0, 1], [0, 0, 1, 2, 2, 1, 3, 0]
TRIALS = [0, 1, 2, 3, 4, 5, 5, 6]
EVENTS, N = np.array([0, 0, 1, 0, 3, 5, 0, 2]), np.array([24, 10, 36, 17, 31, 37, 85, 20])
CONTROL = [0, 1, 2, 3, 4, 5, 5, 6]
CONTROL_EVENTS, CONTROL_N = np.array([2, 0, 4, 1, 6, 3, 3, 0]), np.array([25, 12, 34, 17, 30, 40, 40, 21])
PLAN = Plan(draws=1500, tune=800, chains=2, cores=1, seed=4)


def _factors(**priors):
    priors = {**default_priors(rates=True), **priors}
    return class_by_tumor(CLASSES, TUMORS, AGENTS, n_classes=2, n_tumors=3, priors=priors, studies=TRIALS)


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_contrasts_give_zero_sum_effects(levels):
    q = contrasts(levels)
    np.testing.assert_allclose(q @ q.T, zero_sum(levels), atol=1e-14)


def test_the_prior_covariance_of_studies_and_cells_is_that_of_the_kernels():
    factors = _factors()
    kernels = Kernels.of(factors, 6)
    for f, studies, cross, cells in zip(factors, kernels.studies, kernels.cross, kernels.cells, strict=True):
        of_studies = loadings(f, f.studies)
        of_cells = np.zeros((6, of_studies.shape[1])) if f.cells is None else loadings(f, f.cells)
        np.testing.assert_allclose(of_studies @ of_studies.T, studies, atol=1e-14)
        np.testing.assert_allclose(of_cells @ of_studies.T, cross, atol=1e-14)
        np.testing.assert_allclose(of_cells @ of_cells.T, cells, atol=1e-14)


def test_the_model_in_pymc_has_that_prior_covariance():
    """Given standard deviations, theta and the cells are linear in normals: their Jacobian gives the covariance."""
    factors, weights = _factors(), np.concatenate([np.eye(6), np.full((1, 6), 1 / 6)])
    pm = load_pymc()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2.5)
        crossed_effects(factors, weights, mu)
    sds = np.linspace(0.2, 1.0, len(factors))
    normals = ["mu", *(f"z_{f.name}" for f in factors)]
    outputs = model.replace_rvs_by_values([model["theta"], model["cells"]])
    function = model.compile_fn(outputs, inputs=model.value_vars, point_fn=True)
    logs = {f"sd_{f.name}_log__": np.log(sd) for f, sd in zip(factors, sds, strict=True)}
    start = {**model.initial_point(), **logs, "mu": 0.0}
    zero = {**start, **{name: np.zeros_like(start[name]) for name in normals}}
    columns = []
    for name in normals:
        for i in range(np.size(zero[name])):
            one = np.zeros(np.size(zero[name]))
            one[i] = 2.5 if name == "mu" else 1.0
            columns.append(np.concatenate(function({**zero, name: one.reshape(np.shape(zero[name]))})))
    jacobian = np.stack(columns, axis=1)
    kernels = Kernels.of(factors, 6).combined(weights)
    studies = np.tensordot(sds**2, kernels.studies, axes=1) + 2.5**2
    cross = np.tensordot(sds**2, kernels.cross, axes=1) + 2.5**2 * kernels.ones[:, None]
    cells = np.tensordot(sds**2, kernels.cells, axes=1) + 2.5**2 * np.outer(kernels.ones, kernels.ones)
    np.testing.assert_allclose(jacobian @ jacobian.T, np.block([[studies, cross.T], [cross, cells]]), atol=1e-12)


@pytest.mark.parametrize("prior", [HalfT(0.3, 4), HalfCauchy(0.3)])
def test_standard_deviations_have_the_prior_of_their_factor(prior):
    pm = load_pymc()
    factors = _factors(agent=prior)
    with pm.Model() as model:
        crossed_effects(factors, np.eye(6), pm.Normal("mu", 0, 2.5))
    at = np.array([0.05, 0.4, 2.0])
    found = pm.logp(model["sd_agent"], at).eval()
    np.testing.assert_allclose(found, prior.log_density(at, np.ones((1, 1))), atol=1e-7)


def test_study_effects_that_are_not_known_are_refused():
    pm = load_pymc()
    with pm.Model(), pytest.raises(InputError, match="study_effects was 'cauchy'; accepted are normal, t or mixture"):
        crossed_effects(_factors(), np.eye(6), pm.Normal("mu", 0, 2.5), study_effects="cauchy")


def _agree(drawn, weighted):
    """Means and tails of all cells within 4 Monte Carlo standard errors, by the effective sizes of both."""
    each = 1 / drawn.effective_size + 1 / weighted.effective_size
    n = drawn.mean.shape[1]
    (one, sd), (other, _) = drawn.cells().moments(), weighted.cells().moments()
    np.testing.assert_array_less(abs(one - other), 4 * sd * np.sqrt(each))
    for found, exact in ((drawn.cells(), weighted.cells()), (drawn.new_studies(), weighted.new_studies())):
        for p in (0.05, 0.5, 0.95):
            share = found.cdf(exact.quantile(np.full(n, p)))
            np.testing.assert_allclose(share, p, atol=4 * np.sqrt(p * (1 - p) * each))
    np.testing.assert_allclose(drawn.shares(), weighted.shares(), atol=4 * 0.3 * np.sqrt(each))


@pytest.fixture(scope="module")
def one_arm():
    return binomial_by_mcmc(EVENTS, N, _factors(), np.eye(6), plan=PLAN)


@pytest.fixture(scope="module")
def two_arms():
    counts = EVENTS, N, CONTROL_EVENTS, CONTROL_N
    return two_arm_by_mcmc(*counts, _factors(), np.eye(6), control=CONTROL, plan=PLAN)


def test_draws_of_rates_agree_with_the_route_without_compilation(one_arm):
    drawn, sampled = one_arm
    kernels = Kernels.of(_factors(), 6)
    assert sampled.diagnostics.rhat < 1.02
    _agree(drawn, binomial_posterior(EVENTS, N, _factors(), kernels, rng=np.random.default_rng(1), draws=20_000))


def test_draws_of_odds_ratios_agree_with_the_route_without_compilation(two_arms):
    kernels = Kernels.of(_factors(), 6)
    exact = two_arm_posterior(
        EVENTS, N, CONTROL_EVENTS, CONTROL_N, _factors(), kernels, control=CONTROL,
        rng=np.random.default_rng(1), draws=20_000,
    )  # fmt: skip
    _agree(two_arms[0], exact)


def _study_effect(sampled, i):
    """Return, for the first draws, what a study's logit is without its own effect, and the sd of that."""
    sd = sampled.draws("sd")[:3, -1]
    return sampled.draws("theta")[:3, i] - sd * sampled.draws("z_study")[:3, TRIALS[i]], sd


def test_the_likelihood_of_a_trial_has_its_study_effect_integrated_out(one_arm):
    """Trial 5 has two arms, which share its effect."""
    sampled = one_arm[1]
    found = sampled.tree["log_likelihood"]["counts"].values.reshape(-1, 7)[:3]
    for trial, arms in ((0, [0]), (4, [4]), (5, [5, 6])):
        for draw in range(3):

            def density(z, arms=arms, draw=draw):
                logits = [rest[draw] + sd[draw] * z for rest, sd in (_study_effect(sampled, i) for i in arms)]
                likely = [stats.binom.pmf(EVENTS[i], N[i], special.expit(x)) for i, x in zip(arms, logits, strict=True)]
                return stats.norm.pdf(z) * np.prod(likely)

            assert found[draw, trial] == pytest.approx(np.log(integrate.quad(density, -9, 9)[0]), abs=1e-6)


def test_the_likelihood_of_a_trial_has_its_baseline_integrated_out(two_arms):
    sampled = two_arms[1]
    found = sampled.tree["log_likelihood"]["counts"].values.reshape(-1, 7)[:1]
    for trial, arms in ((1, [1]), (5, [5, 6])):
        effects = [_study_effect(sampled, i) for i in arms]

        def density(z, b, trial=trial, arms=arms, effects=effects):
            likely = stats.binom.pmf(CONTROL_EVENTS[arms[0]], CONTROL_N[arms[0]], special.expit(b))
            for i, (rest, sd) in zip(arms, effects, strict=True):
                likely *= stats.binom.pmf(EVENTS[i], N[i], special.expit(b + rest[0] + sd[0] * z))
            return likely * stats.norm.pdf(b, 0, 2.5) * stats.norm.pdf(z)

        exact = integrate.dblquad(density, -14, 8, -6, 6, epsabs=1e-9, epsrel=1e-4)[0]
        assert found[0, trial] == pytest.approx(np.log(exact), abs=2e-3)


def test_replicated_counts_are_counts_of_the_same_arms(one_arm, two_arms):
    again = one_arm[1].tree["posterior_predictive"]["events"].values
    assert again.shape == (2, 1500, 8)
    assert (again >= 0).all()
    assert (again <= N).all()
    rates = special.expit(one_arm[1].draws("theta")).mean(axis=0)
    np.testing.assert_allclose(again.mean(axis=(0, 1)) / N, rates, atol=0.01)
    assert set(two_arms[1].tree["posterior_predictive"].data_vars) == {"events", "control_events"}


def test_study_effects_that_are_t_are_those_of_an_integral_on_a_grid():
    """One factor: mu and tau on a grid, each study's effect integrated over its t distribution."""
    factors = class_by_tumor([0] * 4, [0] * 4, [0] * 4, n_classes=1, n_tumors=1, priors={"study": HalfNormal(1.0)})
    events, n = np.array([0, 1, 0, 14]), np.array([20, 25, 18, 22])
    drawn, _ = binomial_by_mcmc(events, n, factors, np.eye(1), study_effects="t", plan=PLAN)
    mus, taus = -9 + 12 * (np.arange(80) + 0.5) / 80, 3.6 * (np.arange(60) + 0.5) / 60
    grid = np.linspace(-4.5, 4.5, 181)
    z, weights = np.sinh(grid), stats.t.pdf(np.sinh(grid), 4) * np.cosh(grid)
    x = mus[:, None, None] + taus[:, None] * z
    posterior = stats.norm.pdf(mus, 0, 2.5)[:, None] * np.exp(-0.5 * taus**2)
    for y, size in zip(events, n, strict=True):
        posterior = posterior * (np.exp(y * x - size * np.logaddexp(0, x)) @ weights)
    posterior /= posterior.sum()
    of_mu = posterior.sum(axis=1)
    sd = np.sqrt(of_mu @ mus**2 - (of_mu @ mus) ** 2)
    error = 4 / np.sqrt(drawn.effective_size)
    assert drawn.mean.mean() == pytest.approx(of_mu @ mus, abs=error * sd)
    assert drawn.sds.mean() == pytest.approx(posterior.sum(axis=0) @ taus, abs=error * 0.6)
    new = (posterior * stats.t.cdf((-3 - mus[:, None]) / taus, 4)).sum()
    assert drawn.new_studies().cdf(np.array([-3.0]))[0] == pytest.approx(new, abs=error * 0.5)


def test_outlying_studies_have_the_density_of_the_mixture():
    pm = load_pymc()
    model = binomial_model(EVENTS, N, _factors(), np.eye(6), study_effects="mixture")
    at = np.linspace(-4, 4, 7)
    given = {model["outlying_share"]: 0.2, model["outlying_excess"]: 1.5}
    found = pm.logp(model["z_study"], at).eval(given)
    np.testing.assert_allclose(found, np.log(0.8 * stats.norm.pdf(at) + 0.2 * stats.norm.pdf(at, 0, 2.5)), atol=1e-9)


def test_counts_that_are_none_are_refused_before_anything_is_compiled():
    with pytest.raises(InputError, match="position 2 has 40 events of 36"):
        binomial_by_mcmc(np.array([0, 0, 40, 0, 3, 5, 0, 2]), N, _factors(), np.eye(6))


def test_what_the_priors_say_of_the_draws_is_kept_for_power_scaling(one_arm):
    _, sampled = one_arm
    prior = sampled.tree["log_prior"].to_dataset()
    mu = sampled.draws("mu")
    expected = stats.norm.logpdf(mu, RATE_PRIOR.mean, np.sqrt(normal_variance(RATE_PRIOR)))
    np.testing.assert_allclose(prior["mu"].to_numpy().ravel(), expected, rtol=1e-10)
    assert prior["sd"].shape == sampled.tree["posterior"].to_dataset()["sd"].shape
    found = examine(sampled.tree)
    assert not [line for line in found.missing if "Sensitivity" in line]
