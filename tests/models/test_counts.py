"""Models of counts: what must hold whatever the data, and derivatives, integrals and special cases against SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

import igfmeta as im
from igfmeta.models import beta_binomial, firth
from igfmeta.models.count_kernels import Binomial, Hypergeometric, Poisson
from igfmeta.models.fixed_intercepts import profiled
from igfmeta.models.mantel_haenszel import breslow_day
from igfmeta.models.normal_mixing import contributions

A, N1, C, N2 = (np.array(x, dtype=float) for x in ([1, 0, 5, 7, 3], [40, 25, 60, 80, 31], [4, 3, 9, 7, 0],
                                                   [41, 30, 58, 75, 30]))  # fmt: skip
TABLE = pd.DataFrame({"a": A, "n1": N1, "c": C, "n2": N2})
TWO = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
RATES = {"events1": "a", "time1": "n1", "events2": "c", "time2": "n2"}
SWAPPED = {"events1": "c", "n1": "n2", "events2": "a", "n2": "n1"}
KERNELS = {
    "binomial": Binomial(A, N1, np.log(N1 / N2)),
    "Poisson": Poisson(A, N1),
    "hypergeometric": Hypergeometric.of(A, N1, C, N2),
}


@pytest.mark.parametrize("name", KERNELS)
def test_derivatives_of_a_kernel_are_those_of_its_likelihood(name):
    kernel, eta, h = KERNELS[name], np.linspace(-3, 2, 7) + np.zeros((5, 1)), 1e-5
    first, second, third, fourth = kernel.derivatives(eta)
    up, down = kernel.derivatives(eta + h), kernel.derivatives(eta - h)
    np.testing.assert_allclose(first, (kernel.log_f(eta + h) - kernel.log_f(eta - h)) / (2 * h), atol=1e-6)
    for value, above, below in ((second, up[0], down[0]), (third, up[1], down[1]), (fourth, up[2], down[2])):
        np.testing.assert_allclose(value, (above - below) / (2 * h), rtol=1e-5, atol=1e-6)


def test_the_exact_kernel_is_fishers_non_central_hypergeometric():
    log_f = KERNELS["hypergeometric"].log_f(np.full((5, 1), -0.7))[:, 0]
    for i in range(5):
        reference = stats.nchypergeom_fisher(int(N1[i] + N2[i]), int(N1[i]), int(A[i] + C[i]), np.exp(-0.7))
        assert log_f[i] == pytest.approx(reference.logpmf(int(A[i])), abs=1e-9)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("t", [1e-4, 0.3, 4.0])
def test_integrals_and_their_derivatives(name, t):
    kernel, h = KERNELS[name], 1e-5
    at = contributions(kernel, np.full(5, -0.8), np.full(5, t), nodes=121)
    z = np.linspace(-9, 9, 4001)
    density = stats.norm.pdf(z) * (z[1] - z[0])
    value = np.log(np.exp(kernel.log_f(np.tile(-0.8 + np.sqrt(t) * z, (5, 1)))) @ density)
    np.testing.assert_allclose(at.value, value, atol=1e-10)

    def near(d_theta: float, d_t: float):
        return contributions(kernel, np.full(5, -0.8 + d_theta), np.full(5, t + d_t), nodes=121)

    dt = h * t
    np.testing.assert_allclose(at.theta, (near(h, 0).value - near(-h, 0).value) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(at.theta_theta, (near(h, 0).theta - near(-h, 0).theta) / (2 * h), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(at.t, (near(0, dt).value - near(0, -dt).value) / (2 * dt), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(at.t_t, (near(0, dt).t - near(0, -dt).t) / (2 * dt), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(at.theta_t, (near(0, dt).theta - near(0, -dt).theta) / (2 * dt), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("theta", [-50.0, -8.0, 30.0])
@pytest.mark.parametrize("events", [0.0, 387.0, 400.0])
def test_integrals_of_large_arms_far_from_the_mean(events, theta):
    """The sum over a fine grid of the normal, over the whole of where the product can lie."""
    kernel = Binomial(np.array([events]), np.array([400.0]), np.zeros(1))
    eta = np.linspace(-160, 160, 640_001)
    logs = kernel.log_f(eta[None])[0] + stats.norm.logpdf(eta, theta, 10.0)
    expected = special.logsumexp(logs) + np.log(eta[1] - eta[0])
    found = contributions(kernel, np.array([theta]), np.array([100.0]), nodes=481).value[0]
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_arms_at_opposite_ends_have_a_mean_between_them():
    fit = im.fit_with("glmm", pd.DataFrame({"x": [387.0, 0, 0], "n": [400.0, 400, 60]}), events="x", n="n",
                      measure="PLO")  # fmt: skip
    found = fit.to_dict()
    assert found["ci_lower"] < found["estimate"] < found["ci_upper"]
    assert -15 < found["estimate"] < 0
    assert not found["converged"]
    assert any("tau" in remark for remark in found["remarks"])


def test_derivatives_with_the_intercepts_maximized_away():
    evaluate, _ = profiled("OR", {"events1": A, "n1": N1, "events2": C, "n2": N2})
    index, h = np.arange(5), 1e-5

    def near(theta: float, t: float):
        return evaluate(index, np.full(5, theta), np.full(5, t), 121)

    at = near(-0.5, 0.4)
    np.testing.assert_allclose(at.t, (near(-0.5, 0.4 + h).value - near(-0.5, 0.4 - h).value) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(at.theta_t, (near(-0.5, 0.4 + h).theta - near(-0.5, 0.4 - h).theta) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(at.t_t, (near(-0.5, 0.4 + h).t - near(-0.5, 0.4 - h).t) / (2 * h), atol=1e-6)


MODELS = [("mh", {}), ("peto", {}), ("glmm", {"variant": "CM.EL"}), ("glmm", {"variant": "CM.AL"}),
          ("glmm", {"variant": "UM.FS"}), ("glmm", {"variant": "UM.RS"}), ("beta-binomial", {}), ("logistic", {}),
          ("firth", {})]  # fmt: skip


def _fit(model, columns, options, table=TABLE):
    measure = {} if model == "peto" else {"measure": "OR"}
    return im.fit_with(model, table, **columns, **measure, **options).fit


@pytest.mark.parametrize(("model", "options"), MODELS, ids=str)
def test_arms_swapped_change_the_sign_and_order_changes_nothing(model, options):
    fit, swapped = _fit(model, TWO, options), _fit(model, SWAPPED, options)
    assert swapped.estimate == pytest.approx(-fit.estimate, rel=1e-6)
    assert swapped.se == pytest.approx(fit.se, rel=1e-6)
    assert (swapped.ci_lower, swapped.ci_upper) == pytest.approx((-fit.ci_upper, -fit.ci_lower), rel=1e-6)
    reordered = _fit(model, TWO, options, TABLE.iloc[[3, 1, 4, 0, 2]].reset_index(drop=True))
    assert reordered.estimate == pytest.approx(fit.estimate, rel=1e-6)
    assert fit.converged


@pytest.mark.parametrize(("model", "options"), [m for m in MODELS if m[0] != "beta-binomial"], ids=str)
def test_a_study_without_an_event_says_nothing_about_an_odds_ratio(model, options):
    silent = pd.concat([TABLE, pd.DataFrame({"a": [0.0], "n1": [50.0], "c": [0.0], "n2": [60.0]})], ignore_index=True)
    assert _fit(model, TWO, options, silent).estimate == pytest.approx(_fit(model, TWO, options).estimate, rel=1e-12)


def test_in_a_beta_binomial_model_it_says_something():
    silent = pd.concat([TABLE, pd.DataFrame({"a": [0.0], "n1": [50.0], "c": [0.0], "n2": [60.0]})], ignore_index=True)
    fit = _fit("beta-binomial", TWO, {}, silent)
    assert fit.k == 6
    assert fit.estimate != pytest.approx(_fit("beta-binomial", TWO, {}).estimate, rel=1e-6)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(6, 60), st.integers(0, 6), st.integers(6, 60)), min_size=2,
                max_size=6))  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_small_counts_give_a_defined_answer_or_a_sentence(rows):
    table = pd.DataFrame(rows, columns=["a", "n1", "c", "n2"], dtype=float)
    for variant in ("CM.EL", "CM.AL"):
        try:
            result = im.fit_with("glmm", table, **TWO, measure="OR", variant=variant, ci="PL")
        except im.NothingToPool:
            continue  # every study at one end, or without an event: said in a sentence
        fit = result.fit
        assert 0 < fit.se < 60
        assert fit.ci_lower <= fit.estimate <= fit.ci_upper
        if fit.k > 1 and fit.converged:
            assert fit.pi_lower <= fit.ci_lower + 1e-9
            assert {d.key: d.value for d in result.details}["gradient"] < 1e-6


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(20, 60)), min_size=2, max_size=8))
@settings(max_examples=12, deadline=None)
def test_single_arms_mirror_and_the_global_maximum_is_not_below_the_common_effect(rows):
    table = pd.DataFrame(rows, columns=["x", "n"], dtype=float)
    if not 0 < table["x"].sum() < table["n"].sum():
        return
    table["y"] = table["n"] - table["x"]
    first = im.fit_with("glmm", table, events="x", n="n", measure="PLO")
    second = im.fit_with("glmm", table, events="y", n="n", measure="PLO")
    assert second.fit.estimate == pytest.approx(-first.fit.estimate, rel=1e-6, abs=1e-7)
    assert second.fit.tau2 == pytest.approx(first.fit.tau2, rel=1e-5, abs=1e-7)
    details = {d.key: d for d in first.details}
    assert details["lrt_tau2"].value >= 0
    assert 0 <= details["lrt_tau2"].p_value <= 1


def test_profile_limits_are_where_the_likelihood_has_fallen_by_half_the_quantile():
    fit = _fit("glmm", TWO, {"ci": "PL"})
    kernel, k = Hypergeometric.of(A, N1, C, N2), 5
    target = max(contributions(kernel, np.full(k, fit.estimate), np.full(k, fit.tau2), nodes=121).value.sum(), -1e9)
    target -= 0.5 * stats.chi2.ppf(0.95, 1)
    for limit in (fit.ci_lower, fit.ci_upper):
        best = optimize.minimize_scalar(
            lambda t, limit=limit: -contributions(kernel, np.full(k, limit), np.full(k, t), nodes=121).value.sum(),
            bounds=(0, 50), method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        assert -best.fun == pytest.approx(target, abs=1e-7)


def test_beta_binomial_against_scipy():
    x, n, mu = np.array([0.0, 3, 17]), np.array([20.0, 31, 22]), np.array([0.1, 0.2, 0.6])
    cells = beta_binomial.Cells.of(x, n, np.arange(3), np.eye(3, dtype=bool))
    for phi in (1e-8, 0.05, 2.0):
        own = cells.log_likelihood(np.tile(special.logit(mu), (3, 1)), np.full(3, phi), np.arange(3))
        if phi > 1e-6:
            np.testing.assert_allclose(own, stats.betabinom.logpmf(x, n, mu / phi, (1 - mu) / phi), atol=1e-9)
        else:
            np.testing.assert_allclose(own, stats.binom.logpmf(x, n, mu), atol=1e-5)
    design = np.ones((3, 1))
    found = beta_binomial.fit(x, n, design)
    assert found.gradient[0] < 1e-6
    grid = [stats.betabinom.logpmf(x, n, special.expit(b) / p, special.expit(-b) / p).sum()
            for b in np.linspace(-3, 2, 80) for p in np.geomspace(0.01, 5, 80)]  # fmt: skip
    assert max(grid) <= found.log_likelihood[0] + 1e-9


def test_firth_of_one_table_adds_a_half_to_each_cell():
    """For a saturated 2 x 2 table the penalty is 0.5 in each cell (Firth 1993, section 3.3)."""
    found = firth.fit(np.array([3.0]), np.array([20.0]), np.array([0.0]), np.array([25.0]), level=0.95)
    assert found.estimate[0] == pytest.approx(np.log((3.5 / 17.5) / (0.5 / 25.5)), rel=1e-8)


def test_firth_is_finite_where_the_likelihood_has_no_maximum():
    table = pd.DataFrame({"a": [0, 0], "n1": [20, 30], "c": [3, 4], "n2": [20, 30]}, dtype=float)
    with pytest.raises(im.NothingToPool, match="--model firth gives a finite one"):
        im.fit_with("glmm", table, **TWO, measure="OR")
    with pytest.raises(im.NothingToPool, match="no event in arm 1"):
        im.fit_with("mh", table, **TWO, measure="OR")
    fit = im.fit_with("firth", table, **TWO).fit
    assert np.isfinite([fit.estimate, fit.se, fit.ci_lower, fit.ci_upper]).all()
    assert fit.ci_upper < 0


def test_breslow_day_at_odds_1_needs_no_quadratic():
    plain, _ = breslow_day(1.0, A, N1, C, N2)
    near, _ = breslow_day(1.0 + 1e-9, A, N1, C, N2)
    assert plain.statistic == pytest.approx(near.statistic, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "columns", "options", "message"),
    [
        ("glmm", TWO, {}, "measure was None; accepted are PLO, IRLN, OR or IRR"),
        ("glmm", TWO, {"measure": "RR"}, "measure was 'RR'"),
        ("glmm", TWO, {"measure": "PLO"}, "measure was 'PLO'; accepted are OR"),
        ("glmm", TWO, {"measure": "OR", "variant": "UM"}, "accepted are CM.EL, CM.AL, UM.FS or UM.RS"),
        ("glmm", TWO, {"measure": "OR", "ci": "HK"}, "ci was 'HK'; accepted are z, t or PL"),
        ("glmm", TWO, {"measure": "OR", "variant": "UM.RS", "ci": "PL"}, "ci of variant UM.RS was 'PL'"),
        ("glmm", TWO, {"measure": "OR", "method": "REML"}, "method was 'REML'; accepted are ML or CE"),
        ("glmm", {"yi": "a", "vi": "n1"}, {"measure": "OR"}, "Use --model random for those"),
        ("glmm", TWO, {"measure": "OR", "pi": "HTS"}, "pi says nothing to model glmm"),
        ("mh", TWO, {"measure": "OR", "zero_cells": "some"}, "zero_cells was 'some'"),
        ("mh", TWO, {"measure": "PETO"}, "accepted are OR, RR, RD, IRR or IRD"),
        ("peto", TWO, {"measure": "OR"}, "measure says nothing to model peto"),
        ("firth", TWO, {"measure": "RR"}, "measure was 'RR'; accepted are OR"),
        ("beta-binomial", TWO, {"measure": "RD"}, "accepted are PLO or OR"),
        ("logistic", TWO, {"measure": "OR", "level": 95}, "level was 95"),
        ("mh", {**RATES, "time1": "half"}, {"measure": "IRR"}, "person-time above 0"),
        ("mh", {**RATES, "events1": "half"}, {"measure": "IRR"}, "whole number"),
        ("mh", RATES, {"measure": "IRR", "zero_cells": "treatment_arm"}, "accepted are none, only0, if0all and all"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_a_sentence(model, columns, options, message):
    table = TABLE.assign(half=[0.5, 0.0, -1.0, 2.0, 3.0])
    with pytest.raises(im.InputError, match=message):
        im.fit_with(model, table, **columns, **options)


def test_a_maximum_below_the_largest_tau_is_found_where_few_nodes_see_a_likelihood_that_still_rises():
    # Everybody in one study and nobody in most: with 31 nodes the slope at tau = 10 has the wrong sign.
    table = pd.DataFrame({"x": [46, 5, 0, 0, 0, 1, 0, 0, 0], "n": [46, 43, 63, 18, 25, 21, 11, 5, 49]})
    found = im.fit_with("glmm", table, events="x", n="n", measure="PLO")
    x, n = (table[name].to_numpy(dtype=float) for name in ("x", "n"))
    z = np.linspace(-10, 10, 20_001)
    weights = stats.norm.pdf(z) / stats.norm.pdf(z).sum()

    def log_likelihood(theta, tau):
        p = special.expit(theta + tau * z[:, None])
        return float(np.log(weights @ stats.binom.pmf(x, n, p)).sum())

    fit, tau = found.fit, float(np.sqrt(found.fit.tau2))
    details = {detail.key: detail.value for detail in found.details}
    assert fit.converged
    assert details["gradient"] < 1e-9
    assert details["log_likelihood"] == pytest.approx(log_likelihood(fit.estimate, tau), abs=1e-8)
    for theta, other in ((fit.estimate, 10.0), (fit.estimate + 0.02, tau), (fit.estimate, tau - 0.02), (-8.85, 10.0)):
        assert log_likelihood(theta, other) < details["log_likelihood"]
