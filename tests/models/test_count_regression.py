"""Regressions of counts reach the maximum of their likelihood, and say so where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.registry import RATE_TESTS, run_test
from igfmeta.models.count_kernels import Binomial
from igfmeta.models.count_regression import count_regression
from igfmeta.models.glmm import glmm_one

X = np.array([0.0, 3.0, 5.0, 1.0, 9.0, 0.0, 14.0, 2.0, 6.0, 11.0])
N = np.array([24.0, 20.0, 31.0, 40.0, 52.0, 12.0, 33.0, 15.0, 80.0, 61.0])
DESIGN = np.column_stack([np.ones(len(N)), 12 / N])


def _fit(x=X, n=N, design=DESIGN):
    return count_regression(Binomial(x, n, 0 * n), design)


def _log_likelihood(beta, tau):
    """The likelihood by the trapezoidal rule on a grid of its own."""
    z = np.linspace(-9, 9, 4001)
    eta = (DESIGN @ beta)[:, None] + tau * z
    return np.log(stats.binom.pmf(X[:, None], N[:, None], special.expit(eta)) @ stats.norm.pdf(z) * (z[1] - z[0])).sum()


def test_the_maximum_is_one_and_its_value_that_of_the_likelihood():
    found = _fit()
    tau = np.sqrt(found.tau2)
    assert found.converged
    assert found.gradient < 1e-8
    assert found.log_likelihood == pytest.approx(_log_likelihood(found.beta, tau), rel=1e-9)
    for step in np.eye(3) * 0.01:
        for sign in (-1, 1):
            lower = _log_likelihood(found.beta + sign * step[:2], tau + sign * step[2])
            assert lower < found.log_likelihood


def test_standard_errors_are_those_of_the_curvature_in_beta_and_tau2():
    found, h = _fit(), 1e-3
    best = np.append(found.beta, found.tau2)

    def value(point):
        return _log_likelihood(point[:2], np.sqrt(point[2]))

    hessian = np.empty((3, 3))
    for i, a in enumerate(np.eye(3) * h):
        for j, b in enumerate(np.eye(3) * h):
            corners = value(best + a + b) - value(best + a - b) - value(best - a + b) + value(best - a - b)
            hessian[i, j] = corners / (4 * h * h)
    assert found.covariance == pytest.approx(np.linalg.inv(-hessian)[:2, :2], rel=1e-4)


def test_an_intercept_alone_is_the_pool():
    found = _fit(design=np.ones((len(N), 1)))
    pool = glmm_one("PLO", "logit-normal", {"events": X, "n": N}, typical=0.4)
    assert found.beta[0] == pytest.approx(pool.fit.estimate, rel=1e-8)
    assert found.tau2 == pytest.approx(pool.fit.tau2, rel=1e-7)
    assert found.covariance[0, 0] == pytest.approx(pool.fit.se**2, rel=1e-7)
    assert found.log_likelihood == pytest.approx(pool.log_likelihood, rel=1e-10)


def test_without_heterogeneity_it_is_logistic_regression():
    x = np.round(N * special.expit(-1 + 0.5 * DESIGN[:, 1]))
    found = _fit(x=x)
    assert found.tau2 == 0
    score = DESIGN.T @ (x - N * special.expit(DESIGN @ found.beta))
    assert np.abs(score).max() < 1e-7


def test_a_line_between_the_studies_with_and_without_events_has_no_finite_slope():
    smallest = np.where(N.min() == N, 5.0, 0.0)
    with pytest.raises(NothingToPool, match="no finite estimate"):
        _fit(x=smallest)
    with pytest.raises(NothingToPool, match="no finite estimate"):
        _fit(x=0 * N)


@pytest.mark.parametrize("test", RATE_TESTS)
def test_the_tests_of_rates_are_the_t_tests_of_the_slope(test):
    data = funnel(special.logit((X + 0.5) / (N + 1)), 1 / (X + 0.5) + 1 / (N - X + 0.5), rates=np.column_stack([X, N]))
    predictor = 1 / N if test == "rate-peters" else 1 / np.sqrt(N)
    fit = _fit(design=np.column_stack([np.ones(len(N)), predictor]))
    found = run_test(test, data)
    assert found.slope == pytest.approx(fit.beta[1], rel=1e-6)
    assert found.limit == pytest.approx(fit.beta[0], rel=1e-6)
    z = fit.beta[1] / np.sqrt(fit.covariance[1, 1])
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(z), len(N) - 2), rel=1e-5)
    half = stats.t.ppf(0.975, len(N) - 2) * np.sqrt(fit.covariance[0, 0])
    assert [found.limit_lower, found.limit_upper] == pytest.approx([fit.beta[0] - half, fit.beta[0] + half], rel=1e-5)


@pytest.mark.parametrize("test", RATE_TESTS)
def test_a_response_turned_into_its_opposite_turns_the_slope(test):
    def run(x):
        return run_test(test, funnel(0 * N, 1 + 0 * N, rates=np.column_stack([x, N])))

    one, other = run(X), run(N - X)
    assert other.slope == pytest.approx(-one.slope, rel=1e-6)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)


def test_what_the_tests_of_rates_cannot_use_is_refused():
    same = funnel(0 * N, 1 + 0 * N, rates=np.column_stack([X[:5], np.full(5, 60.0)]).repeat(2, axis=0))
    with pytest.raises(InputError, match="same for every study"):
        run_test("rate-peters", same)
    with pytest.raises(InputError, match=r"needs the events and patients of single arms \(measure PLO\)"):
        run_test("rate-root", funnel(0 * N, 1 + 0 * N, sizes=N, events=X))
    with pytest.raises(InputError, match="rates has shape"):
        funnel(0 * N, 1 + 0 * N, rates=X)
