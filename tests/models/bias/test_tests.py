"""Tests of asymmetry against their definitions, and what must hold for each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from igfmeta.errors import InputError
from igfmeta.models.bias import names
from igfmeta.models.bias.begg import kendall_normal
from igfmeta.models.bias.excess import excess_significance, poisson_binomial
from igfmeta.models.bias.failsafe import fail_safe
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.limit import limit_meta
from igfmeta.models.bias.p_curve import p_curve
from igfmeta.models.bias.pet_peese import pet, pet_peese
from igfmeta.models.bias.registry import RATE_TESTS, TEST_NAMES, run_test
from igfmeta.models.bias.schwarzer import noncentral_hypergeometric
from igfmeta.models.bias.selection.registry import SELECTION_NAMES
from igfmeta.models.bias.trim_and_fill import trim_and_fill
from igfmeta.models.bias.waap import waap


def _data(seed=1, k=14):
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(30, 400, (2, k)).astype(float)
    a, c = rng.binomial(n1.astype(int), 0.3) + 1.0, rng.binomial(n2.astype(int), 0.35) + 1.0
    yi = np.log(a * (n2 - c) / (c * (n1 - a)))
    vi = 1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c)
    return funnel(yi, vi, counts=np.column_stack([a, n1, c, n2]), rates=np.column_stack([a, n1]))


def test_the_help_names_what_the_registries_hold():
    assert tuple(names.TEST_WORDS.split(", ")) == TEST_NAMES
    assert names.SELECTIONS == SELECTION_NAMES


def test_eggers_regression_is_that_of_the_deviate_on_precision():
    """Egger 1997: y/se = a/se + b by ordinary least squares."""
    data = _data()
    fit = stats.linregress(1 / data.sei, data.yi / data.sei)
    found = run_test("egger", data)
    assert [found.slope, found.slope_se] == pytest.approx([fit.intercept, fit.intercept_stderr], rel=1e-9)
    assert found.limit == pytest.approx(fit.slope, rel=1e-9)


def test_harbords_regression_is_that_of_the_deviate_of_the_score_on_its_precision():
    data = _data()
    a, n1, c, n2 = data.counts.T
    n, e = n1 + n2, a + c
    z, v = a - n1 * e / n, n1 * n2 * e * (n - e) / (n**2 * (n - 1))
    fit = stats.linregress(np.sqrt(v), z / np.sqrt(v))
    assert run_test("harbord", data).slope == pytest.approx(fit.intercept, rel=1e-9)


def test_moments_of_the_noncentral_hypergeometric_distribution():
    n1, n2, e = np.array([12.0, 40.0, 7.0]), np.array([9.0, 35.0, 30.0]), np.array([6.0, 50.0, 3.0])
    mean, variance = noncentral_hypergeometric(n1, n2, e, 1.7)
    for i in range(3):
        exact = stats.nchypergeom_fisher(int(n1[i] + n2[i]), int(n1[i]), int(e[i]), 1.7)
        assert [mean[i], variance[i]] == pytest.approx([exact.mean(), exact.var()], rel=1e-8)


def test_the_rank_test_with_ties_is_scipys():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 8, (2, 25)).astype(float)
    assert kendall_normal(a, b).p_value == pytest.approx(stats.kendalltau(a, b, method="asymptotic").pvalue, rel=1e-10)


@pytest.mark.parametrize("test", TEST_NAMES)
def test_no_test_depends_on_the_order_of_the_studies(test):
    data = _data()
    order = np.random.default_rng(2).permutation(data.k)
    shuffled = funnel(data.yi[order], data.vi[order], counts=data.counts[order], rates=data.rates[order])
    assert run_test(test, shuffled).p_value == pytest.approx(run_test(test, data).p_value, rel=1e-8)


@pytest.mark.parametrize("test", [t for t in TEST_NAMES if t not in ("harbord", "schwarzer", *RATE_TESTS)])
def test_turning_the_effects_round_turns_the_statistic_round(test):
    data = _data()
    turned = funnel(-data.yi, data.vi, counts=data.counts)
    a, b = run_test(test, data), run_test(test, turned)
    assert b.statistic == pytest.approx(-a.statistic, rel=1e-7)
    assert b.p_value == pytest.approx(a.p_value, rel=1e-7)


@pytest.mark.parametrize("test", ["peters", "macaskill-fpv"])
def test_studies_without_an_event_have_no_weight_and_no_degree_of_freedom(test):
    data = _data()
    events, sizes = data.events.copy(), data.sizes
    events[:8] = 0.0
    with_zeros = funnel(data.yi, data.vi, sizes=sizes, events=events)
    without = funnel(data.yi[8:], data.vi[8:], sizes=sizes[8:], events=events[8:])
    found, expected = run_test(test, with_zeros), run_test(test, without)
    assert (found.k, found.df) == (data.k - 8, data.k - 10)
    assert [found.statistic, found.p_value] == pytest.approx([expected.statistic, expected.p_value], rel=1e-12)
    events[:12] = 0.0
    with pytest.raises(InputError, match="Only 2 studies have events"):
        run_test(test, funnel(data.yi, data.vi, sizes=sizes, events=events))


def test_a_symmetric_funnel_needs_no_filling():
    d = np.array([0.05, 0.1, 0.2, 0.3, 0.45])
    sei = np.concatenate([[0.05], 0.1 + d, 0.1 + d])
    data = funnel(np.concatenate([[0.4], 0.4 + d, 0.4 - d]), sei**2)
    for estimator in ("L0", "R0", "Q0"):
        assert trim_and_fill(data, estimator=estimator, side="left").missing == 0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("estimator", ["L0", "R0", "Q0"])
def test_mirror_images_are_not_ranked_by_rounding(estimator, side):
    data = funnel([0.1, 0.5, 0.9, -0.3], [0.04] * 4)  # 0.3 -+ 0.2, 0.3 -+ 0.6, but not in binary
    assert trim_and_fill(data, estimator=estimator, side=side).missing == 0


def test_filled_studies_are_mirror_images():
    data = funnel([0.1, 0.15, 0.2, 0.5, 0.8, 1.1], [0.01, 0.01, 0.02, 0.05, 0.1, 0.2])
    found = trim_and_fill(data, method="CE")
    assert found.missing > 0
    assert sorted(found.filled_vi.tolist()) == sorted(data.vi[-found.missing :].tolist())
    middle = (found.filled_yi + data.yi[-found.missing :]) / 2
    np.testing.assert_allclose(middle, middle[0])
    assert found.fit.estimate < np.average(data.yi, weights=1 / data.vi)


def test_filling_from_either_side_is_a_reflection():
    data = _data(4)
    a, b = trim_and_fill(data, side="left"), trim_and_fill(funnel(-data.yi, data.vi), side="right")
    assert a.missing == b.missing
    assert a.fit.estimate == pytest.approx(-b.fit.estimate, rel=1e-9)


def test_pet_peese_takes_peese_where_pet_rejects():
    rng = np.random.default_rng(5)
    v = rng.uniform(0.001, 0.05, 30)
    strong = funnel(0.8 + rng.normal(0, np.sqrt(v)), v)
    assert pet_peese(strong).detail.startswith("PEESE")
    weak = funnel(rng.normal(0, np.sqrt(v)), v)
    assert pet_peese(weak).estimate == pet(weak).estimate


def test_waap_without_powered_studies_is_the_mean_of_all():
    data = funnel([0.01, -0.02, 0.03, 0.01], [0.1, 0.2, 0.1, 0.3])
    assert waap(data).detail == "0 of 4 studies have 80 % power: mean of all"


def test_the_limit_has_the_standard_error_of_a_least_squares_combination_of_intercept_and_slope(rng):
    v = rng.uniform(0.01, 0.3, 15)
    y = 0.2 + 1.5 * np.sqrt(v) + rng.normal(0, np.sqrt(v + 0.05))
    found = limit_meta(funnel(y, v))
    tau = np.sqrt(found.adjusted.tau2)
    x = np.column_stack([np.ones(15), 1 / np.sqrt(v + tau**2)])  # generalized radial plot, errors of variance 1
    covariance = np.linalg.inv(x.T @ x)
    contrast = np.array([tau, 1.0])
    assert tau > 0
    assert found.adjusted.se == pytest.approx(np.sqrt(contrast @ covariance @ contrast), rel=1e-10)


def test_limit_meta_analysis_without_heterogeneity_is_the_radial_slope():
    rng = np.random.default_rng(6)
    v = rng.uniform(0.01, 0.2, 20)
    y = 0.3 + 0.001 * rng.normal(size=20)
    found = limit_meta(funnel(y, v))
    fit = stats.linregress(1 / np.sqrt(v), y / np.sqrt(v))
    assert found.adjusted.estimate == pytest.approx(fit.slope, rel=1e-9)
    assert found.q == pytest.approx(found.q_small + found.q_residual)


def test_the_number_of_significant_studies_has_the_poisson_binomial_distribution():
    p = np.array([0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(poisson_binomial(p), stats.binom.pmf(np.arange(5), 4, 0.2))
    found = excess_significance(_data(7))
    assert found.expected == pytest.approx(found.power.sum())
    assert 0 <= found.p_value_exact <= 1


def test_studies_added_with_no_effect_undo_a_result_at_the_fail_safe_number():
    data = _data(8)
    y = data.yi + 0.5
    n = fail_safe(funnel(y, data.vi)).rosenthal
    z = y / data.sei
    for extra, significant in ((n - 1, True), (n, False)):
        assert bool(z.sum() / np.sqrt(len(z) + extra) > stats.norm.ppf(0.95)) is significant


def test_p_curve_is_flat_under_no_effect_and_skewed_under_one():
    rng = np.random.default_rng(9)
    v = np.full(4000, 0.04)
    none = p_curve(funnel(rng.normal(0, 0.2, 4000), v))
    some = p_curve(funnel(rng.normal(0.4, 0.2, 4000), v))
    assert none is not None
    assert some is not None
    assert none.p_right > 0.01
    assert some.evidential
    power = stats.norm.sf(1.959964 - 2) + stats.norm.cdf(-1.959964 - 2)
    assert some.power == pytest.approx(power, abs=0.03)
    assert some.power_lower < power < some.power_upper
    assert p_curve(funnel([0.1, 0.0, 0.1], [1, 1, 1])) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: funnel(d.yi[:2], d.vi[:2]), "3 studies or more"),
        (lambda d: funnel(d.yi, d.vi, counts=d.counts[:3]), "counts has shape"),
        (lambda d: run_test("harbord", funnel(d.yi, d.vi)), "events and patients of both arms of every study"),
        (lambda d: run_test("peters", funnel(d.yi, d.vi)), "numbers of patients and the numbers of events"),
        (lambda d: trim_and_fill(d, estimator="L1"), "estimator was 'L1'"),
        (lambda d: trim_and_fill(d, side="up"), "side was 'up'"),
        (lambda d: fail_safe(d, target=0.0), "target was 0.0"),
        (lambda d: fail_safe(d, alpha=5), "alpha was 5"),
        (lambda d: excess_significance(d, alternative="both"), "alternative was 'both'"),
        (lambda d: excess_significance(d, alpha=0), "alpha was 0"),
        (lambda d: excess_significance(d, effect=1e4), "Every study has power 1"),
        (lambda d: fail_safe(funnel([0, 0, 0], [1, 2, 3])), "weighted mean is 0"),
        (lambda d: waap(funnel([0.1, 0.1, 0.1], [1, 2, 3])), "exactly on the fitted line"),
        (lambda d: limit_meta(funnel([0.1, 0.2, 0.3], [1, 1, 1])), "equally precise"),
        (lambda d: run_test("egger", funnel([0.1, 0.2, 0.3], [1, 1, 1])), "same for every study"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(_data())
