"""Passive smoking and lung cancer: Egger, Begg, PEESE, excess significance, fail-safe N, as metafor gives them."""

from __future__ import annotations

import pytest

from igfmeta.models.bias.excess import excess_significance
from igfmeta.models.bias.failsafe import fail_safe
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.line import line
from igfmeta.models.bias.pet_peese import peese, pet
from igfmeta.models.bias.registry import run_test

CASE = "18_hackshaw1998_egger_begg"


@pytest.fixture
def data(case):
    return funnel(case.column("yi"), case.column("vi"))


def test_egger_with_multiplicative_dispersion(case, data):
    found, expected = run_test("egger", data), case.values["classical_Egger_lm"]
    assert [found.statistic, found.df, found.p_value] == pytest.approx(
        [expected["t"], expected["df"], expected["p"]], rel=1e-10
    )
    assert [found.limit, found.slope] == pytest.approx(expected["coef"], rel=1e-10)
    assert found.slope_se == pytest.approx(expected["se"][1], rel=1e-10)
    assert [found.limit_lower, found.limit_upper] == pytest.approx(
        [expected["limit_lb"], expected["limit_ub"]], rel=1e-10
    )


def test_mixed_regression_on_the_standard_error_and_on_the_variance(case, data):
    for found, name in (
        (run_test("egger-mixed", data), "mixed_effects_sei"),
        (line(data.yi, data.vi, data.vi, dispersion="REML", test="z"), "mixed_vi_PEESE"),
    ):
        expected = case.values[name]
        ours = [found.statistic, found.p_value, found.limit, found.limit_lower, found.limit_upper]
        assert ours == pytest.approx(
            [expected[key] for key in ("z", "p", "limit_est", "limit_lb", "limit_ub")], rel=1e-7
        )


def test_begg(case, data):
    found, expected = run_test("begg", data), case.values["begg_rank"]
    assert [found.statistic, found.p_value] == pytest.approx([expected["tau"], expected["p"]], rel=1e-10)


def test_pet_and_peese_are_the_limits_of_the_regressions(case, data):
    assert pet(data).estimate == pytest.approx(case.values["classical_Egger_lm"]["limit_est"], rel=1e-10)
    assert peese(data).estimate == pytest.approx(case.values["lm_vi_PEESE"]["limit_est"], rel=1e-10)


def test_excess_significance(case, data):
    found, expected = excess_significance(data), case.values["TES"]
    ours = [found.effect, found.observed, found.expected, found.ratio, found.p_value]
    assert ours == pytest.approx([expected[key] for key in ("theta", "O", "E", "OE", "p")], rel=1e-10)


def test_fail_safe_numbers(case, data):
    """Orwin's number is 182 from the plain mean (metafor 3.8) and 101 from the weighted one (metafor 5.1)."""
    found = fail_safe(data, target=0.05)
    assert found.rosenthal == case.values["fsn_rosenthal"]
    assert found.rosenberg == case.values["fsn_rosenberg"]
    assert (found.orwin_unweighted, found.orwin) == (case.values["fsn_orwin_005"], 101)
