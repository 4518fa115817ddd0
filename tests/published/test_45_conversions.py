"""The arithmetic between what papers print and what is pooled."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects import conversions, hazard_ratio

CASE = "45_conversions"


def test_log_hazard_ratio_and_standard_errors(case):
    from_ci = hazard_ratio.from_interval([0.83], [0.69], [1.0])
    assert from_ci.yi[0] == pytest.approx(case.values["loghr"], rel=1e-10)
    assert from_ci.vi[0] ** 0.5 == pytest.approx(case.values["se_from_ci95"], rel=1e-10)
    from_p = hazard_ratio.from_p_value([0.83], [0.046], sided=["2"])
    assert from_p.vi[0] ** 0.5 == pytest.approx(case.values["se_from_p_two_sided"], rel=1e-10)
    at_90 = hazard_ratio.from_interval([0.83], [0.69], [1.0], level=0.90)
    assert at_90.vi[0] ** 0.5 == pytest.approx(case.values["se_from_ci90"], rel=1e-10)
    assert at_90.derivation == ("ci_at_other_level",)


def test_log_rank_variance(case):
    v = hazard_ratio.log_rank_variance([60.0], [60.0])
    assert v[0] ** -0.5 == pytest.approx(case.values["se_from_events_1to1_d120"], rel=1e-10)
    effect = hazard_ratio.from_o_minus_e(*([value] for value in case.values["OmE_V_from_hr"]))
    assert effect.yi[0] == pytest.approx(np.log(0.83), rel=1e-10)
    assert effect.vi[0] ** 0.5 == pytest.approx(case.values["se_from_ci95"], rel=1e-10)


def test_means_and_standard_deviations_of_wan_2014(case):
    ranged = conversions.mean_sd_from_range([2.0], [8.0], [20.0], [50])
    quartiles = conversions.mean_sd_from_quartiles([5.0], [8.0], [12.0], [50])
    assert [float(x[0]) for x in ranged] == pytest.approx(case.values["wan_S1_mean_sd_n50"], rel=1e-10)
    assert [float(x[0]) for x in quartiles] == pytest.approx(case.values["wan_S3_mean_sd_n50"], rel=1e-10)


def test_between_measures(case):
    assert conversions.smd_from_log_or(np.log(2.5)) == pytest.approx(case.values["or_to_smd"], rel=1e-10)
    assert conversions.log_or_from_smd(0.5) == pytest.approx(case.values["smd_to_lor"], rel=1e-10)
    assert conversions.rr_from_or([2.0], [0.15])[0] == pytest.approx(case.values["rr_from_or_p0"], rel=1e-10)
    assert conversions.nnt_from_rr([0.8], [0.15])[0] == pytest.approx(case.values["nnt_from_rr_p0"], rel=1e-10)
