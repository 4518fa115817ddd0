"""Normal effects by PyMC: agreement with the exact engine and with integrals, outlying studies, repeatable draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
from igfmeta.bayes.crossed import CrossedModel, crossed_posterior
from igfmeta.bayes.mcmc.crossed import crossed_by_mcmc
from igfmeta.bayes.mcmc.given_scales import CrossedDraws
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.study_scales import log_prior_scales, mixture_scales, prior_scales, t_scales
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.errors import InputError

CLASSES, TUMORS, AGENTS = [0, 0, 0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 0, 0, 1], [0, 0, 1, 2, 2, 1, 3, 0]
TRIALS = [0, 1, 2, 3, 4, 0, 5, 6]
Y = np.array([-0.2, 0.1, 0.05, -0.5, -0.3, 0.0, -0.45, 0.2])
V = np.diag([0.02, 0.03, 0.05, 0.04, 0.06, 0.01, 0.05, 0.03])
V[0, 5] = V[5, 0] = 0.005  # two contrasts with one control arm
WEIGHTS = np.concatenate([np.eye(6), np.full((1, 6), 1 / 6)])
PLAN = Plan(draws=1000, tune=600, chains=2, cores=1, seed=4)


def _factors():
    return class_by_tumor(CLASSES, TUMORS, AGENTS, n_classes=2, n_tumors=3, priors=default_priors(), studies=TRIALS)


def _one_source(k, scale):
    return class_by_tumor([0] * k, [0] * k, [0] * k, n_classes=1, n_tumors=1, priors={"study": HalfNormal(scale)})


@pytest.fixture(scope="module")
def normal():
    return crossed_by_mcmc(Y, V, _factors(), WEIGHTS, plan=PLAN)


def test_draws_agree_with_the_exact_engine_within_monte_carlo_error(normal):
    posterior, sampled = normal
    exact = crossed_posterior(
        Y, V, _factors(), Kernels.of(_factors(), 6).combined(WEIGHTS), rng=np.random.default_rng(1)
    )
    assert sampled.diagnostics.rhat < 1.02
    error = 4 * np.sqrt(1 / posterior.effective_size + 1 / exact.effective_size)
    np.testing.assert_array_less(
        abs(posterior.weights @ posterior.mean - exact.weights @ exact.mean), error * exact.cells().moments()[1]
    )
    for ours, theirs in ((posterior.cells(), exact.cells()), (posterior.new_studies(), exact.new_studies())):
        for p in (0.025, 0.5, 0.975):
            found = ours.cdf(theirs.quantile(np.full(7, p)))
            np.testing.assert_allclose(found, p, atol=error * np.sqrt(p * (1 - p)))
    spread = np.sqrt(exact.weights @ exact.sds**2 - (exact.weights @ exact.sds) ** 2)
    np.testing.assert_array_less(abs(posterior.sds.mean(axis=0) - exact.weights @ exact.sds), error * spread)


def test_cells_that_are_drawn_have_the_distribution_of_those_that_are_integrated(normal):
    posterior, sampled = normal
    drawn, (mean, sd) = sampled.draws("cells"), posterior.cells().moments()
    np.testing.assert_array_less(abs(drawn.mean(axis=0) - mean), 4 * sd / np.sqrt(posterior.effective_size))
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.1)


def test_the_same_seed_gives_the_same_draws(normal):
    again = crossed_by_mcmc(Y, V, _factors(), WEIGHTS, plan=PLAN)[1]
    for group in ("posterior", "posterior_predictive", "log_likelihood", "prior", "log_prior"):
        assert again.tree[group].to_dataset().identical(normal[1].tree[group].to_dataset())


def _draws(rng, **more):
    sds = rng.uniform(0.1, 0.5, (3, 5))
    return CrossedDraws(Y, V, _factors(), WEIGHTS, rng.normal(0, 0.1, 3), sds, **more)


def _total(draws, i, without_study):
    kernels = [f.covariance(f.studies, f.studies) for f in _factors()]
    used = len(kernels) - without_study
    return V + sum(draws.sds[i, j] ** 2 * kernels[j] for j in range(used))


def _given_others(y, s, rows):
    """Log density of some normal values given the others, the mean with a variance so large that it is flat to 1e-5."""
    s = s + 1e4
    rest = np.setdiff1d(np.arange(len(y)), rows)
    gain = s[np.ix_(rows, rest)] @ np.linalg.inv(s[np.ix_(rest, rest)])
    covariance = s[np.ix_(rows, rows)] - gain @ s[np.ix_(rest, rows)]
    return gain @ y[rest], covariance


def test_a_study_given_the_others_is_the_conditional_of_the_joint_gaussian(rng):
    draws = _draws(rng)
    found = draws.log_by_trial()
    for i in range(3):
        for trial in range(7):
            rows = np.flatnonzero(np.array(TRIALS) == trial)
            mean, covariance = _given_others(Y, _total(draws, i, False), rows)
            assert found[i, trial] == pytest.approx(
                stats.multivariate_normal.logpdf(Y[rows], mean, covariance), abs=1e-5
            )


def test_a_study_given_the_others_has_its_heavy_tailed_effect_integrated_out(rng):
    df, own = np.array([2.5, 6.0, 40.0]), rng.normal(0, 0.3, (3, 7))
    draws = _draws(rng, own=own, scales=t_scales(df))
    found, weights = draws.log_by_trial(), draws.scale_weights()
    levels = np.array(TRIALS)
    u = np.linspace(-12, 12, 48_001)
    for i in range(3):
        for trial in (0, 4):
            rows = np.flatnonzero(levels == trial)
            mean, covariance = _given_others(Y - own[i][levels], _total(draws, i, True), rows)
            off = (Y[rows] - mean)[:, None] - u
            inner = np.exp(-0.5 * np.einsum("ai,ab,bi->i", off, np.linalg.inv(covariance), off))
            inner /= np.sqrt(np.linalg.det(2 * np.pi * covariance))
            prior = stats.t.pdf(u, df[i], scale=draws.sds[i, draws.place])
            assert found[i, trial] == pytest.approx(np.log(np.trapezoid(inner * prior, u)), abs=1e-5)
    np.testing.assert_allclose(weights.sum(axis=2), 1)


def test_the_joint_likelihood_is_that_of_the_joint_gaussian(rng):
    draws = _draws(rng)
    expected = [stats.multivariate_normal.logpdf(Y, np.full(8, draws.mu[i]), _total(draws, i, False)) for i in range(3)]
    np.testing.assert_allclose(draws.log_joint(), expected, rtol=1e-10)


def test_effects_are_drawn_from_their_conditional():
    """Given the standard deviations, and a mean drawn from its conditional, cells are those of the exact engine."""
    rng, n = np.random.default_rng(5), 40_000
    sds = np.array([0.3, 0.2, 0.15, 0.1, 0.25])
    s = _total(CrossedDraws(Y, V, _factors(), WEIGHTS, np.zeros(1), sds[None]), 0, False)
    precision = np.linalg.inv(s).sum()
    mu = rng.normal(np.linalg.inv(s).sum(axis=0) @ Y / precision, 1 / np.sqrt(precision), n)
    cells, theta, _ = CrossedDraws(Y, V, _factors(), WEIGHTS, mu, np.tile(sds, (n, 1))).draw_effects(rng)
    exact = CrossedModel(Y, V, Kernels.of(_factors(), 6).combined(WEIGHTS)).conditional(sds[None])
    sd = np.sqrt(exact.variance[0])
    np.testing.assert_array_less(abs(cells.mean(axis=0) - exact.mean[0]), 4 * sd / np.sqrt(n))
    np.testing.assert_allclose(cells.std(axis=0), sd, rtol=0.02)
    # E(theta | y) = y - V S^-1 (y - mu)
    expected = Y - V @ np.linalg.solve(s, Y - mu.mean())
    np.testing.assert_allclose(theta.mean(axis=0), expected, atol=4 * 0.3 / np.sqrt(n))


def test_scales_of_t_effects_are_a_quadrature_of_the_t_distribution():
    df, x = np.array([2.0, 3.0, 8.0, 200.0]), 1.7
    scales = t_scales(df)
    density = (np.exp(scales.log_weights) * stats.norm.pdf(x, 0, np.sqrt(scales.variance))).sum(axis=1)
    np.testing.assert_allclose(density, stats.t.pdf(x, df), rtol=1e-7)


def test_a_new_study_is_outlying_as_often_as_the_mixture_says():
    drawn = mixture_scales(np.full(20_000, 0.1), np.full(20_000, 3.0)).draw(np.random.default_rng(1))
    assert set(drawn) == {1.0, 9.0}
    assert np.mean(drawn == 9.0) == pytest.approx(0.1, abs=4 * 0.3 / np.sqrt(20_000))


@pytest.mark.parametrize(
    ("distribution", "name", "known"),
    [
        ("t", "study_df", stats.gamma(2, scale=10)),
        ("mixture", "outlying_share", stats.beta(1, 9)),
        ("mixture", "outlying_spread", stats.halfnorm(1, 3)),
    ],
)
def test_priors_of_the_scales_are_drawn_and_evaluated_alike(distribution, name, known):
    drawn = prior_scales(distribution, np.random.default_rng(2), 4000)
    least = known.cdf(2.0) if name == "study_df" else 0.0
    assert stats.kstest((known.cdf(drawn[name]) - least) / (1 - least), "uniform").pvalue > 0.001
    found, expected = log_prior_scales(distribution, drawn)[name], known.logpdf(drawn[name])
    assert np.ptp(found - expected) < 1e-9


OUTLIER = np.array([0.1, -0.05, 0.0, 0.12, -0.1, 0.05, -0.02, 1.6])
PRECISE = np.full(8, 0.02)


def _by_grid(y, v, scale, scales_at):
    """The posterior of mu and sd by brute force: every study integrated over its scale; for each hyperparameter."""
    mus, sds = np.linspace(-0.6, 0.9, 151), np.linspace(0.004, 1.5, 120)
    prior = np.exp(-0.5 * (sds / scale) ** 2)
    found = []
    for weight, scales in scales_at:
        variance = sds[:, None] ** 2 * scales.variance[0]
        each = 1.0
        for value, error in zip(y, v, strict=True):
            normal = stats.norm.pdf(value, mus[:, None, None], np.sqrt(error + variance))
            each = each * (normal @ np.exp(scales.log_weights[0]))
        found.append(weight * prior * each)
    posterior = np.array(found)  # (hyperparameters, mus, sds)
    return mus, sds, posterior / posterior.sum()


def _check_against_grid(posterior, sampled, mus, sds, grid, hyper, name):
    """Means of mu, sd and the hyperparameter within 4 Monte Carlo standard errors."""
    import arviz as az

    mcse = az.mcse(sampled.tree, var_names=["mu", "sd", name])
    of_mu, of_sd, of_hyper = grid.sum(axis=(0, 2)) @ mus, grid.sum(axis=(0, 1)) @ sds, grid.sum(axis=(1, 2)) @ hyper
    assert posterior.mean.mean() == pytest.approx(of_mu, abs=4 * float(mcse["mu"]))
    assert posterior.sds.mean() == pytest.approx(of_sd, abs=4 * float(mcse["sd"][0]))
    assert sampled.draws(name).mean() == pytest.approx(of_hyper, abs=4 * float(mcse[name]))


def test_t_study_effects_are_those_of_an_integral_and_let_an_outlying_study_go():
    factors = _one_source(8, 0.5)
    posterior, sampled = crossed_by_mcmc(OUTLIER, np.diag(PRECISE), factors, np.eye(1), study_effects="t", plan=PLAN)
    dfs = np.concatenate([np.arange(2.1, 12, 0.4), np.arange(13, 110, 3.0)])
    width = np.gradient(dfs)
    weights = dfs * np.exp(-0.1 * dfs) * width
    grid = _by_grid(OUTLIER, PRECISE, 0.5, [(w, t_scales(np.array([df]))) for w, df in zip(weights, dfs, strict=True)])
    _check_against_grid(posterior, sampled, *grid, dfs, "study_df")
    precision = sampled.draws("precision").mean(axis=0)
    assert precision[7] < 0.6 * precision[:7].min()
    normal = crossed_posterior(OUTLIER, np.diag(PRECISE), factors, Kernels.of(factors, 1), rng=np.random.default_rng(1))
    assert posterior.mean.mean() < 0.75 * (normal.weights @ normal.mean)[0]


def test_a_mixture_is_that_of_an_integral_and_names_the_outlying_study():
    posterior, sampled = crossed_by_mcmc(
        OUTLIER, np.diag(PRECISE), _one_source(8, 0.5), np.eye(1), study_effects="mixture", plan=PLAN
    )
    shares, excess = (np.arange(12) + 0.5) / 12 * 0.7, (np.arange(24) + 0.5) / 24 * 11
    pairs = [(s, 1 + e) for s in shares for e in excess]
    at = [
        (stats.beta.pdf(s, 1, 9) * stats.norm.pdf((e - 1) / 3), mixture_scales(np.array([s]), np.array([e])))
        for s, e in pairs
    ]
    grid = _by_grid(OUTLIER, PRECISE, 0.5, at)
    _check_against_grid(posterior, sampled, *grid, np.array([e for _, e in pairs]), "outlying_spread")
    outlying = sampled.draws("outlying").mean(axis=0)
    assert outlying[7] > 0.7
    assert outlying[:7].max() < 0.15
    beyond = posterior.new_studies().cdf(np.array([-1.0]))[0]
    mus, sds, weights = grid
    expected = sum(
        (w.sum(axis=1) * 0 + (w * stats.norm.cdf((-1 - mus[:, None]) / sds) * (1 - s)).sum(axis=1)
         + (w * stats.norm.cdf((-1 - mus[:, None]) / (sds * e)) * s).sum(axis=1)).sum()
        for w, (s, e) in zip(weights, pairs, strict=True)
    )  # fmt: skip
    assert beyond == pytest.approx(expected, abs=4 * 0.1 / np.sqrt(posterior.effective_size))


def test_options_and_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="study_effects was 'cauchy'; accepted are"):
        crossed_by_mcmc(Y, V, _factors(), WEIGHTS, study_effects="cauchy")
    with pytest.raises(InputError, match=r"The covariance has shape \(3, 3\); accepted is \(8, 8\)"):
        crossed_by_mcmc(Y, V[:3, :3], _factors(), WEIGHTS)
