"""Hazard ratios from what papers print: each rule gives the effect it should, and refuses what it cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from igfmeta.effects import hazard_ratio as hr
from igfmeta.errors import InputError


@given(st.floats(-2, 2), st.floats(0.05, 1.5), st.sampled_from([0.80, 0.90, 0.95, 0.99]))
def test_an_interval_of_any_level_gives_back_the_standard_error(log_hr, se, level):
    z = norm.ppf(0.5 + level / 2)
    effect = hr.from_interval([np.exp(log_hr)], [np.exp(log_hr - z * se)], [np.exp(log_hr + z * se)], level=level)
    assert effect.yi[0] == pytest.approx(log_hr, abs=1e-12)
    assert effect.vi[0] ** 0.5 == pytest.approx(se, rel=1e-10)
    assert effect.derivation[0] == ("reported_ci" if level == 0.95 else "ci_at_other_level")


@given(st.floats(0.02, 2), st.floats(0.05, 1.5), st.booleans())
def test_p_values_give_back_the_standard_error(size, se, benefit):
    log_hr = -size if benefit else size
    two = 2 * norm.sf(size / se)
    one = norm.cdf(log_hr / se)
    if not 1e-300 < two < 1 or not 1e-300 < one < 1 - 1e-6:
        return
    effect = hr.from_p_value([np.exp(log_hr)] * 2, [two, one], sided=["2", "1"])
    np.testing.assert_allclose(np.sqrt(effect.vi), se, rtol=1e-9)
    assert effect.derivation == ("p_value", "one_sided_p")


def test_a_p_value_of_unknown_sidedness_gives_no_effect():
    effect = hr.from_p_value([0.8], [0.03], sided=["unknown"])
    assert "one- or two-sided" in effect.reason[0]


def test_a_one_sided_p_value_must_point_the_way_of_the_estimate():
    effect = hr.from_p_value([0.8, 1.3], [0.9, 0.2], sided=["1", "1"])
    assert all("opposite directions" in reason for reason in effect.reason)


def test_a_ratio_of_1_has_no_standard_error_in_its_p_value():
    assert "gives no standard error" in hr.from_p_value([1.0], [0.9], sided=["2"]).reason[0]


def test_o_minus_e():
    effect = hr.from_o_minus_e([-10.0], [40.0])
    assert (effect.yi[0], effect.vi[0]) == (-0.25, 0.025)
    with pytest.raises(InputError, match="column v: found 0"):
        hr.from_o_minus_e([1.0], [0.0])


def test_events_and_a_p_value():
    effect = hr.from_events_and_p([50], [60], [0.04], favours_experimental=[True])
    v = 50 * 60 / 110
    assert effect.vi[0] == pytest.approx(1 / v)
    assert effect.yi[0] == pytest.approx(-norm.ppf(0.98) / np.sqrt(v))
    randomized = hr.from_events_and_p([50], [60], [0.04], favours_experimental=[False], n_exp=[100], n_ctl=[200])
    assert randomized.vi[0] == pytest.approx(1 / (110 * 100 * 200 / 300**2))
    assert randomized.yi[0] > 0


def test_medians_are_a_last_resort_that_needs_events_or_a_fraction():
    effect = hr.from_medians([8.0, 8.0, 8.0], [10.0, 10.0, 10.0], events_exp=[40, np.nan, np.nan],
                             events_ctl=[50, np.nan, np.nan], n_exp=[80, 80, np.nan], n_ctl=[80, 80, np.nan],
                             event_fraction=[np.nan, 0.5, np.nan])  # fmt: skip
    assert effect.vi[:2] == pytest.approx([1 / 40 + 1 / 50, 2 / 40])
    assert effect.yi[0] == pytest.approx(np.log(10 / 8))
    assert effect.reason[2] == "medians without events or an event fraction"
    assert set(effect.derivation) == {"medians"}


def test_an_interval_that_rounding_explains_gets_no_note_and_one_that_it_does_not_gets_one():
    # 0.98 [0.74, 1.31] is a true 0.9845 [0.7392, 1.3112] rounded; 0.90 [0.74, 1.31] is not any.
    effect = hr.from_interval([0.98, 0.90], [0.74, 0.74], [1.31, 1.31], decimals=2)
    assert effect.notes[0] == ()
    assert "asymmetric" in effect.notes[1][0]
    assert "rounding can explain" in effect.notes[1][0]


@given(st.floats(-1.5, 1.5), st.floats(0.05, 0.8), st.integers(1, 3))
def test_rounding_alone_never_makes_a_note(log_hr, se, decimals):
    printed = [round(float(np.exp(log_hr + z * se)), decimals) for z in (0, -1.959964, 1.959964)]
    if min(printed) <= 10.0**-decimals or not printed[1] < printed[2]:
        return
    effect = hr.from_interval(*([value] for value in printed), decimals=decimals)
    assert effect.notes[0] == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([-0.5], [0.1], [2.0]), "found -0.5; accepted is a finite ratio above 0"),
        (([0.5], [0.0], [2.0]), "column ci_lower: found 0"),
        (([3.0], [0.1], [2.0]), "a number inside its interval"),
        (([0.5], [0.5], [0.5]), "a number above the lower limit"),
        ((["0.5"], [0.1], [2.0]), "estimate holds text"),
    ],
)
def test_intervals_that_cannot_be_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        hr.from_interval(*values)


def test_a_level_in_percent_is_refused():
    with pytest.raises(InputError, match=r"between 0 and 1, such as 0\.95"):
        hr.from_interval([0.8], [0.6], [1.1], level=95)


def test_blanks_make_a_row_unusable_and_no_other():
    effect = hr.from_interval([0.8, np.nan], [0.6, 0.6], [1.1, 1.1])
    assert effect.reason == (None, "estimate or interval blank")
    assert effect.usable.tolist() == [True, False]
