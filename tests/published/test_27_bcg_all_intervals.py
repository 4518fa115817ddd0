"""BCG vaccine trials through meta: Hartung-Knapp, Kenward-Roger, every prediction interval, I2 from Q.

Left out: meta's Q-profile limits (its root finder stops at 4 digits; case 02 has them to 12), the bootstrap interval
NNF, Rb, IVhet and the Mantel-Haenszel pool, which igfmeta does not have.
"""

from __future__ import annotations

import math

import pytest

from igfmeta.models.pooling import pool_one

CASE = "27_meta_bcg_all_intervals"


def _fit(case, **options):
    return pool_one(case.column("yi"), case.column("vi"), **options)


def _infinite(df):
    """A normal test has no degrees of freedom to show: None here and in meta."""
    return math.inf if df is None else df


@pytest.mark.parametrize(("ci", "name"), [("z", "classic"), ("HK", "HK"), ("KR", "KR")])
def test_confidence_intervals(case, ci, name):
    fit, expected = _fit(case, ci=ci), case.values[name]
    assert fit.se == pytest.approx(expected["se"], rel=1e-8)
    assert _infinite(fit.df) == pytest.approx(_infinite(expected["df"]), rel=1e-8)
    assert fit.p_value == pytest.approx(expected["p"], rel=1e-7)
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([expected["ci_lb"], expected["ci_ub"]], rel=1e-8)


@pytest.mark.parametrize(
    ("pi", "name"),
    [("V", "PI_V"), ("HTS", "PI_HTS"), ("HK", "PI_HK"), ("HK-PR", "PI_HK_PR"), ("KR", "PI_KR"), ("KR-PR", "PI_KR_PR"),
     ("z", "PI_S")],
)  # fmt: skip
def test_prediction_intervals(case, pi, name):
    fit, expected = _fit(case, pi=pi), case.values[name]
    assert [fit.pi_lower, fit.pi_upper] == pytest.approx([expected["lb"], expected["ub"]], rel=1e-8)
    assert _infinite(fit.pi_df) == pytest.approx(_infinite(expected["df"]), rel=1e-8)
    assert fit.pi == pi


def test_i2_from_q_and_from_tau2_are_both_named(case):
    fit = _fit(case)
    shown = [fit.i2_q, fit.i2_q_ci_lower, fit.i2_q_ci_upper]
    assert [value / 100 for value in shown] == pytest.approx(case.values["I2_Q"], rel=1e-10)
    assert fit.i2 / 100 == pytest.approx(case.values["I2_tau2"], rel=1e-8)
