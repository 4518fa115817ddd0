"""What must hold for every data set, whatever the estimator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igfmeta.models.deletion import cumulative, leave_one_out
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool, pool_one
from igfmeta.models.registry import TAU2_METHODS

METHODS = st.sampled_from(TAU2_METHODS)


@st.composite
def data_sets(draw, smallest=2, largest=9):
    """Effects and variances of ordinary size; drawn from a seed so that shrinking stays quick."""
    k = draw(st.integers(smallest, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    v = rng.uniform(0.005, 0.6, k)
    return rng.normal(0, np.sqrt(v + rng.choice([0.0, 0.05, 0.5]))), v


def _numbers(fit):
    names = ("estimate", "se", "ci_lower", "ci_upper", "tau2", "q", "pi_lower", "pi_upper")
    return [np.nan if getattr(fit, name) is None else getattr(fit, name) for name in names]


@settings(max_examples=60, deadline=None)
@given(data_sets(), METHODS, st.randoms(use_true_random=False))
def test_the_order_of_the_studies_does_not_matter(data, method, random):
    y, v = data
    order = list(range(len(y)))
    random.shuffle(order)
    a, b = pool_one(y, v, method=method), pool_one(y[order], v[order], method=method)
    np.testing.assert_allclose(_numbers(a), _numbers(b), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(a.weights[order], b.weights, rtol=1e-8)


@settings(max_examples=60, deadline=None)
@given(data_sets(), METHODS, st.sampled_from([-3.0, 1e-4, 0.5, 1e5]))
def test_scaling_effects_by_c_and_variances_by_c_squared_scales_everything(data, method, c):
    y, v = data
    a, b = pool_one(y, v, method=method), pool_one(c * y, c * c * v, method=method)
    assert b.estimate == pytest.approx(c * a.estimate, rel=1e-9, abs=1e-9 * abs(c))
    assert b.se == pytest.approx(abs(c) * a.se, rel=1e-9)
    assert b.tau2 == pytest.approx(c * c * a.tau2, rel=1e-8, abs=1e-12 * c * c)
    assert b.q == pytest.approx(a.q, rel=1e-9)
    assert b.i2 == pytest.approx(a.i2, rel=1e-8, abs=1e-8)
    assert b.p_value == pytest.approx(a.p_value, rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(data_sets(), METHODS, st.floats(-1e6, 1e6))
def test_shifting_the_effects_shifts_the_estimate_and_nothing_else(data, method, shift):
    y, v = data
    a, b = pool_one(y, v, method=method), pool_one(y + shift, v, method=method)
    assert b.estimate == pytest.approx(a.estimate + shift, abs=1e-9 * max(1, abs(shift)))
    assert b.tau2 == pytest.approx(a.tau2, rel=1e-5, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(data_sets(), METHODS)
def test_swapping_the_arms_changes_the_sign(data, method):
    y, v = data
    a, b = pool_one(y, v, method=method), pool_one(-y, v, method=method)
    assert [b.estimate, b.ci_lower, b.ci_upper] == pytest.approx([-a.estimate, -a.ci_upper, -a.ci_lower], abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(data_sets())
def test_every_study_twice_with_doubled_variance_is_the_same_common_effect(data):
    y, v = data
    a = pool_one(y, v, method="CE", ci="z")
    b = pool_one(np.tile(y, 2), np.tile(2 * v, 2), method="CE", ci="z")
    assert [b.estimate, b.se, b.q] == pytest.approx([a.estimate, a.se, a.q], rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(data_sets(), METHODS)
def test_where_tau2_is_0_the_estimate_is_the_common_effect(data, method):
    y, v = data
    fit, common = pool_one(y, v, method=method, ci="z"), pool_one(y, v, method="CE", ci="z")
    if fit.tau2 == 0:
        assert [fit.estimate, fit.se] == pytest.approx([common.estimate, common.se], rel=1e-12)
    else:
        assert fit.se > common.se


@settings(max_examples=40, deadline=None)
@given(data_sets(smallest=3), METHODS)
def test_masks_equal_subsetting(data, method):
    y, v = data
    mask = np.arange(len(y)) != 1
    a, b = pool(y, v, mask=mask[None], method=method).one(), pool_one(y[mask], v[mask], method=method)
    np.testing.assert_allclose(_numbers(a), _numbers(b), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(a.weights, b.weights, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), METHODS, st.sampled_from(CI_METHODS))
def test_a_batch_equals_a_loop(seed, method, ci):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.5, (7, 6))
    y = rng.normal(0, np.sqrt(v + 0.05))
    mask = rng.random((7, 6)) < 0.8
    mask[:, :2] = True
    batch = pool(y, v, mask=mask, method=method, ci=ci)
    for i in range(7):
        alone = pool_one(y[i][mask[i]], v[i][mask[i]], method=method, ci=ci)
        np.testing.assert_allclose(_numbers(batch.one(i)), _numbers(alone), rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(data_sets(smallest=3))
def test_leave_one_out_and_cumulative_are_masks(data):
    y, v = data
    without, steps = leave_one_out(y, v), cumulative(y, v)
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        assert without.estimate[i] == pytest.approx(pool_one(y[kept], v[kept]).estimate, rel=1e-9)
        assert steps.estimate[i] == pytest.approx(pool_one(y[: i + 1], v[: i + 1]).estimate, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(data_sets(smallest=3), st.sampled_from(["QP", "PL"]))
def test_intervals_hold_what_they_are_of(data, tau2_ci):
    y, v = data
    fit = pool_one(y, v, tau2_ci=tau2_ci)
    assert fit.ci_lower <= fit.estimate <= fit.ci_upper
    assert fit.pi_lower <= fit.ci_lower + 1e-12
    assert fit.tau2_ci_lower <= fit.tau2_ci_upper
    if tau2_ci == "PL":
        assert fit.tau2_ci_lower <= fit.tau2 <= fit.tau2_ci_upper
    assert fit.weights.sum() == pytest.approx(100)
