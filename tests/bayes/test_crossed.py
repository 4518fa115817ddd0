"""Crossed random effects: the conditional against the joint Gaussian, the posterior against grids and exact answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from igfmeta.bayes.adaptive import spread_uniform
from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors, implied_ratio, prior_quantile, zero_sum
from igfmeta.bayes.crossed import CrossedModel, crossed_posterior, whitened
from igfmeta.bayes.importance import effective_size, normalized, pareto_k
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, HalfT, Uniform
from igfmeta.errors import InputError

CLASSES, TUMORS, AGENTS = [0, 0, 0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 0, 0, 1], [0, 0, 1, 2, 2, 1, 3, 0]
Y = np.array([-0.2, 0.1, 0.05, -0.5, -0.3, 0.0, -0.45, 0.2])
V = np.diag([0.02, 0.03, 0.05, 0.04, 0.06, 0.01, 0.05, 0.03])
V[0, 5] = V[5, 0] = 0.005  # two contrasts with one control arm


def _factors(**priors):
    return class_by_tumor(CLASSES, TUMORS, AGENTS, n_classes=2, n_tumors=3, priors={**default_priors(), **priors})


def _posterior(y, v, factors, n_cells, rng):
    return crossed_posterior(y, v, factors, Kernels.of(factors, n_cells), rng=rng)


def test_the_conditional_is_that_of_the_joint_gaussian():
    """Write every effect down, give the overall mean a huge variance, and condition on the data by brute force."""
    sds = dict(zip([c.name for c in _factors()], (0.4, 0.2, 0.15, 0.1, 0.25), strict=True))
    huge = 1e4
    blocks = [np.array([[huge]]), sds["class"] ** 2 * zero_sum(2), sds["tumor"] ** 2 * zero_sum(3),
              sds["class:tumor"] ** 2 * np.kron(zero_sum(2), zero_sum(3)), sds["agent"] ** 2 * np.eye(4)]  # fmt: skip
    size = sum(len(b) for b in blocks)
    prior, at = np.zeros((size, size)), 0
    for block in blocks:
        prior[at : at + len(block), at : at + len(block)] = block
        at += len(block)

    def row(c, t, a):
        out = np.zeros(size)
        out[[0, 1 + c, 3 + t, 6 + 3 * c + t]] = 1
        if a is not None:
            out[12 + a] = 1
        return out

    x = np.array([row(*levels) for levels in zip(CLASSES, TUMORS, AGENTS, strict=True)])
    cells = np.array([row(c, t, None) for c in range(2) for t in range(3)])
    s = x @ prior @ x.T + V + sds["study"] ** 2 * np.eye(8)
    gain = cells @ prior @ x.T @ np.linalg.inv(s)
    mean, covariance = gain @ Y, cells @ prior @ cells.T - gain @ x @ prior @ cells.T
    found = CrossedModel(Y, V, Kernels.of(_factors(), 6)).conditional(np.array([[sds[c.name] for c in _factors()]]))
    np.testing.assert_allclose(found.mean[0], mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.variance[0], np.diag(covariance), rtol=1e-3)
    # The flat prior has density 1; the normal one 1/sqrt(2 pi huge) there.
    proper = stats.multivariate_normal.logpdf(Y, np.zeros(8), s) + 0.5 * np.log(2 * np.pi * huge)
    assert found.log_likelihood[0] == pytest.approx(proper, abs=1e-3)


def test_one_source_is_the_normal_normal_model():
    factors = class_by_tumor([0] * 8, [0] * 8, [0] * 8, n_classes=1, n_tumors=1, priors={"study": HalfNormal(0.5)})
    v = np.diag(np.diag(V))
    ours = _posterior(Y, v, factors, 1, np.random.default_rng(1))
    exact = normal_normal_one(Y, np.diag(v), tau_prior=HalfNormal(0.5))
    cell, new = ours.cells(), ours.new_studies()
    one = lambda p: np.array([p])  # noqa: E731
    assert cell.quantile(one(0.5))[0] == pytest.approx(exact.mu_median, abs=2e-4)
    assert cell.quantile(one(0.025))[0] == pytest.approx(exact.ci_lower, abs=1e-3)
    assert new.quantile(one(0.975))[0] == pytest.approx(exact.pi_upper, abs=5e-3)
    assert ours.sd_quantiles([0.5])[0, 0] == pytest.approx(exact.tau_median, abs=2e-3)


def test_two_sources_against_a_grid():
    factors = class_by_tumor(CLASSES, [0] * 8, [0] * 8, n_classes=2, n_tumors=1,
                                priors={**default_priors(), "class": HalfNormal(0.4)})  # fmt: skip
    assert [c.name for c in factors] == ["class", "study"]
    middles = np.arange(0.005, 1.8, 0.01)
    a, b = (x.ravel() for x in np.meshgrid(middles, middles))
    given_sds = CrossedModel(Y, V, Kernels.of(factors, 2)).conditional(np.stack([a, b], axis=1))
    logs = given_sds.log_likelihood - 0.5 * (a / 0.4) ** 2 - 0.5 * (b / 0.3) ** 2
    weights = normalized(logs)
    ours = _posterior(Y, V, factors, 2, np.random.default_rng(2))
    np.testing.assert_allclose(ours.weights @ ours.mean, weights @ given_sds.mean, atol=2e-3)
    np.testing.assert_allclose(ours.weights @ ours.sds, [weights @ a, weights @ b], rtol=0.02)
    assert ours.shares() @ [1, 0] == pytest.approx(weights @ (a**2 / (a**2 + b**2)), abs=0.01)


def test_the_same_seed_gives_the_same_numbers_and_another_nearly_so():
    first, again, other = (_posterior(Y, V, _factors(), 6, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_allclose(first.weights @ first.mean, other.weights @ other.mean, atol=4e-3)
    assert first.effective_size > 1000
    assert first.pareto_k < 0.7


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-100, 100))
def test_shifting_the_effects_shifts_the_cells(seed, shift):
    here = _posterior(Y, V, _factors(), 6, np.random.default_rng(seed))
    there = _posterior(Y + shift, V, _factors(), 6, np.random.default_rng(seed))
    np.testing.assert_allclose(there.weights @ there.mean - shift, here.weights @ here.mean, atol=1e-6)


def test_simulated_truth_is_covered():
    """Cells of simulated studies lie inside their 90 % intervals about 9 times in 10."""
    rng = np.random.default_rng(20261124)
    classes, tumors = np.repeat([0, 1, 2], 8).tolist(), np.tile([0, 1, 2, 3], 6).tolist()
    agents = (np.repeat([0, 1, 2], 8) * 2 + np.tile([0, 1], 12)).tolist()
    factors = class_by_tumor(classes, tumors, agents, n_classes=3, n_tumors=4, priors=default_priors())
    inside = []
    for _ in range(25):
        sds = {c.name: abs(rng.normal(0, c.prior.scale)) for c in factors}
        by_class = sds["class"] * zero_sum(3) @ rng.normal(size=3)
        by_tumor = sds["tumor"] * zero_sum(4) @ rng.normal(size=4)
        both = sds["class:tumor"] * zero_sum(3) @ rng.normal(size=(3, 4)) @ zero_sum(4)
        truth = (by_class[:, None] + by_tumor + both).ravel() - 0.1
        v = rng.uniform(0.01, 0.05, 24)
        agent = sds["agent"] * rng.normal(size=6)
        y = truth[np.array(classes) * 4 + tumors] + agent[agents] + rng.normal(0, np.sqrt(sds["study"] ** 2 + v))
        cells = _posterior(y, np.diag(v), factors, 12, rng).cells()
        inside.append((cells.quantile(np.full(12, 0.05)) < truth) & (truth < cells.quantile(np.full(12, 0.95))))
    # 300 cells, correlated within a data set: three standard errors of 25 clusters are about 0.09.
    assert np.mean(inside) == pytest.approx(0.9, abs=0.09)


def test_sources_without_anything_to_vary_are_left_out():
    names = [c.name for c in class_by_tumor([0, 1], [0, 0], [0, 1], n_classes=2, n_tumors=1, priors=default_priors())]
    assert names == ["class", "study"]


def test_only_priors_of_the_half_t_family_are_taken():
    with pytest.raises(InputError, match=r"uniform\(2\) of a standard deviation cannot be used here; accepted are"):
        _factors(agent=Uniform(2))


@pytest.mark.parametrize("prior", [HalfT(0.3, 4), HalfCauchy(0.3)])
def test_heavier_priors_are_exact_too(prior):
    factors = class_by_tumor([0] * 8, [0] * 8, [0] * 8, n_classes=1, n_tumors=1, priors={"study": prior})
    v = np.diag(np.diag(V))
    ours = _posterior(Y, v, factors, 1, np.random.default_rng(1))
    exact = normal_normal_one(Y, np.diag(v), tau_prior=prior)
    assert ours.cells().quantile(np.array([0.975]))[0] == pytest.approx(exact.ci_upper, abs=1e-3)
    assert ours.sd_quantiles([0.5])[0, 0] == pytest.approx(exact.tau_median, abs=3e-3)
    assert prior.log_density(np.array([0.2]), np.ones((1, 1)))[0] == pytest.approx(
        np.log(2) + stats.t.logpdf(0.2, prior.df, scale=0.3)
    )
    assert prior_quantile(prior, np.array([0.9]))[0] == pytest.approx(stats.t.ppf(0.95, prior.df, scale=0.3))


def test_averages_of_cells_are_those_of_the_joint_posterior(rng):
    """The average of a class over tumours: brute force by drawing all cells at once."""
    factors = _factors()
    weights = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 1, 1, -1, -1, -1]]) / 3
    kernels = Kernels.of(factors, 6)
    sds = rng.uniform(0.1, 0.4, (1, 5))
    both = CrossedModel(Y, V, kernels.combined(np.concatenate([np.eye(6), weights]))).conditional(sds)
    np.testing.assert_allclose(both.mean[0, 6:], weights @ both.mean[0, :6], atol=1e-12)
    basis = [CrossedModel(Y, V, kernels.combined(np.eye(6)[[i]] + np.eye(6)[[j]])).conditional(sds).variance[0, 0]
             for i in range(6) for j in range(6)]  # fmt: skip
    own = both.variance[0, :6]
    covariance = 0.5 * (np.reshape(basis, (6, 6)) - own[:, None] - own)
    np.fill_diagonal(covariance, own)
    np.testing.assert_allclose(both.variance[0, 6:], np.diag(weights @ covariance @ weights.T), rtol=1e-9)


def test_whitened_columns_are_those_of_a_triangular_solve(rng):
    a = rng.normal(size=(4, 6, 6))
    s, right = a @ a.mT + np.eye(6), rng.normal(size=(4, 6, 3))
    log_det, white = whitened(s, right, 1.0)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(s)[1], rtol=1e-12)
    np.testing.assert_allclose(white, np.linalg.solve(np.linalg.cholesky(s), right), rtol=1e-9)


def test_points_fill_the_cube_evenly(rng):
    points = spread_uniform(4000, 5, rng)
    assert ((points >= 0) & (points < 1)).all()
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=2e-3)
    np.testing.assert_allclose((points**2).mean(axis=0), 1 / 3, atol=2e-3)


def test_importance_weights():
    assert effective_size(normalized(np.zeros(50))) == pytest.approx(50)
    assert pareto_k(normalized(np.zeros(1000))) == -np.inf
    rng = np.random.default_rng(3)
    for shape in (0.2, 0.5, 0.9):
        draws = stats.genpareto.rvs(shape, size=(60, 4000), random_state=rng)
        found = [pareto_k(weights / weights.sum()) for weights in draws]
        assert np.mean(found) == pytest.approx(shape, abs=0.06)


def test_what_a_prior_implies_is_the_quantile_of_a_normal_with_that_sd():
    for prior in (HalfNormal(0.3), HalfT(0.3, 4), HalfCauchy(0.2)):
        x = np.log(implied_ratio(prior))
        inside = integrate.quad(
            lambda sd, prior=prior, x=x: (2 * stats.norm.cdf(x / sd) - 1)
            * np.exp(prior.log_density(np.array([sd]), np.ones((1, 1)))[0]), 0, np.inf, limit=500,
        )[0]  # fmt: skip
        assert inside == pytest.approx(0.95, abs=1e-4)
