"""Bonner et al. (2006), N Engl J Med 354:567, locoregional control, digitised: R package IPDfromKM 0.1.10 and ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from igfmeta.synthesis.survival_curves import survival_curves

CASES = Path(__file__).parent / "cases"
CASE = json.loads((CASES / "42_ipd_from_km_radiation.json").read_text())["values"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    risk = tmp_path_factory.mktemp("km") / "at_risk.csv"
    lines = [
        f"{arm},{t},{n}"
        for arm in (0, 1)
        for t, n in zip(CASE["trisk"]["value"], CASE[f"nrisk{arm}"]["value"], strict=False)
    ]
    risk.write_text("\n".join(["arm,time,at_risk", *lines]))
    return survival_curves(CASES / "data" / "42_ipd_from_km_radiation.csv", risk, control="0")


def test_people_and_numbers_at_risk_are_those_printed(found):
    arms = {arm.name: arm.found for arm in found.arms}
    assert [arms["0"].n, arms["1"].n] == CASE["n"]["value"]
    for arm in arms.values():
        np.testing.assert_array_equal(arm.at_risk_found, arm.at_risk)


def test_events_agree_to_one(found):
    """At month 24.6 the height read, 0.500, lies half an event (0.51 of 85) below the estimate: one event or none."""
    arms = {arm.name: arm.found for arm in found.arms}
    assert arms["0"].events == CASE["events"]["value"][0]
    assert abs(arms["1"].events - CASE["events"]["value"][1]) <= 1


def test_medians(found):
    """The paper prints 14.9 and 24.4 months. The curve is first at or below one half at 14.8 and 24.6."""
    medians = {arm.name: arm.median[0] for arm in found.arms}
    assert medians["0"] == CASE["median"]["value"][0]
    assert medians["1"] == 24.6


def test_the_hazard_ratio_agrees_within_a_twentieth_of_its_standard_error(found):
    """Two implementations of one algorithm that spread censored people differently, by points and by printed times."""
    assert abs(found.comparison.log_hr - CASE["logHR"]["value"]) < 0.05 * CASE["se"]["value"]
    assert found.comparison.se == pytest.approx(CASE["se"]["value"], rel=0.005)
