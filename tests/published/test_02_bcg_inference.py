"""BCG vaccine trials: tests, intervals, prediction intervals and intervals of tau2, as metafor gives them."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.models.pooling import pool_one

CASE = "02_bcg_rr_inference"


def _fit(case, **options):
    return pool_one(case.column("yi"), case.column("vi"), **options)


@pytest.mark.parametrize(("ci", "name"), [("z", "z"), ("t", "t"), ("HK", "knha"), ("HK-floor", "adhoc")])
def test_intervals_and_tests(case, ci, name):
    fit, expected = _fit(case, ci=ci), case.values[name]
    assert fit.se == pytest.approx(expected["se"], rel=1e-8)
    assert fit.statistic == pytest.approx(expected["stat"], rel=1e-8)
    assert fit.p_value == pytest.approx(expected["pval"], rel=1e-7)
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([expected["ci_lb"], expected["ci_ub"]], rel=1e-8)
    assert fit.df == expected.get("df")


def test_paule_mandel_with_hartung_knapp(case):
    fit, expected = _fit(case, method="PM"), case.values["PM_knha"]
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([expected["ci_lb"], expected["ci_ub"]], rel=1e-8)


@pytest.mark.parametrize(
    ("pi", "name"),
    [("z", "pi_z_df_inf"), ("HTS", "pi_HTS_df_k_minus_2"), ("V", "pi_V_df_k_minus_1"), ("HK", "pi_HK_df_k_minus_1"),
     ("HK-PR", "pi_HKPR_df_k_minus_2")],
)  # fmt: skip
def test_prediction_intervals(case, pi, name):
    fit = _fit(case, pi=pi)
    assert [fit.pi_lower, fit.pi_upper] == pytest.approx(case.values[name], rel=1e-8)


@pytest.mark.parametrize(("tau2_ci", "name"), [("QP", "ci_tau2_Qprofile"), ("PL", "ci_tau2_profile_likelihood")])
def test_interval_of_tau2_and_of_what_follows_from_it(case, tau2_ci, name):
    fit, expected = _fit(case, tau2_ci=tau2_ci), case.values[name]
    for ours, theirs in (("tau2", "tau^2"), ("i2", "I^2(%)"), ("h2", "H^2")):
        limits = [getattr(fit, f"{ours}_ci_lower"), getattr(fit, f"{ours}_ci_upper")]
        assert limits == pytest.approx(expected[theirs][1:], rel=1e-8), ours


def test_q_profile_against_independent_root_finding(case):
    fit = _fit(case)
    assert [fit.tau2_ci_lower, fit.tau2_ci_upper] == pytest.approx([0.11971836114126078, 1.111479084060927], rel=1e-12)


def test_weights(case):
    np.testing.assert_allclose(_fit(case).weights, case.values["weights_percent"], rtol=1e-8)
