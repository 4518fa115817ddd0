"""Contrasts on one scale: the factors against brute force and published figures, and every contrast that has none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from igfmeta.effects.contrasts import (
    Distance,
    conversion,
    distance_of,
    group_means,
    group_step,
    outer_groups,
    rescaled,
    sd_in,
    target_of,
    unit_distance,
)
from igfmeta.effects.hazard_ratio import from_interval
from igfmeta.errors import InputError


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10])
def test_group_means_are_conditional_means_of_a_normal_variable(n):
    limits = stats.norm.ppf(np.arange(n + 1) / n)
    by_integration = [
        n * integrate.quad(lambda x: x * stats.norm.pdf(x), low, high, epsabs=1e-13)[0]
        for low, high in pairwise(limits)
    ]
    np.testing.assert_allclose(group_means(n), by_integration, atol=1e-12)


def test_group_means_are_what_a_large_sample_shows(rng):
    sample = np.sort(rng.normal(size=400_000)).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(group_means(4), sample, atol=0.01)


def test_outer_groups_lie_as_far_apart_as_published():
    assert [round(outer_groups(n), 2) for n in (3, 4, 5)] == [2.18, 2.54, 2.80]


def test_percentiles_lie_as_far_apart_as_normal_tables_say():
    assert distance_of("p75_vs_p25").amount == pytest.approx(1.3490, abs=5e-5)
    assert distance_of("p80_vs_p20").amount == pytest.approx(2 * stats.norm.ppf(0.8))
    assert distance_of("p25_vs_p75").amount == pytest.approx(-1.3490, abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("beta", [0.05, 0.2])
def test_the_factor_recovers_beta_from_the_exact_ratio_of_the_groups_risks(n, beta):
    """With risk exp(beta x) of a normal x the top group's risk over the bottom group's is Phi(b - z) / Phi(-b - z)."""
    z = special.ndtri(1 - 1 / n)
    log_ratio = special.log_ndtr(beta - z) - special.log_ndtr(-beta - z)
    assert log_ratio / outer_groups(n) == pytest.approx(beta, rel=2e-3)


def test_one_step_of_a_group_number_is_the_slope_of_the_means():
    slope = np.polyfit(np.arange(1, 6), group_means(5), 1)[0]
    assert group_step(5) == pytest.approx(slope, rel=1e-12)
    assert distance_of("per_quintile").amount == pytest.approx(slope, rel=1e-12)


def test_groups_in_the_middle_and_joined_groups_have_their_own_means():
    m = group_means(5)
    assert distance_of("q5_vs_q2to4", groups=5).amount == pytest.approx(m[4])
    assert distance_of("q4to5_vs_q1to2", groups=5).amount == pytest.approx(2 * (m[3] + m[4]) / 2)
    assert distance_of("q3_vs_q1", groups=4).amount == pytest.approx(group_means(4)[2] - group_means(4)[0])
    assert distance_of("above_vs_below_median").amount == pytest.approx(outer_groups(2))


def test_bottom_against_top_turns_the_sign():
    assert distance_of("bottom_vs_top", groups=4).amount == -distance_of("top_vs_bottom", groups=4).amount


@pytest.mark.parametrize(
    ("contrast", "groups", "unit", "reason"),
    [
        ("top_vs_bottom", np.nan, "", "number of quantile groups is not stated"),
        ("q3_vs_q1", np.nan, "", "number of quantile groups is not stated"),
        ("top_vs_bottom", 1, "", "leave nothing to compare"),
        ("q5_vs_q1", 4, "", "not two different ones of 4"),
        ("q2_vs_q2", 4, "", "not two different ones of 4"),
        ("p50_vs_p50", np.nan, "", "not two different ones"),
        ("per_unit", np.nan, "", "unit of the contrast is not stated"),
        ("per_unit", np.nan, "not stated", "unit of the contrast is not stated"),
        ("per_unit", np.nan, "high v low", "not of the form"),
        ("per_unit", np.nan, "per 0 nmol/L", "not of the form"),
        ("above_vs_below_100_ng_mL", 2, "", "no place on a scale of exposure"),
        ("higher_vs_lower_not_specified", np.nan, "", "no place on a scale of exposure"),
        ("", np.nan, "", "no place on a scale of exposure"),
    ],
)
def test_a_contrast_without_a_distance_says_why(contrast, groups, unit, reason):
    found = distance_of(contrast, groups=groups, unit=unit)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("per 5 nmol/L", 5, "nmol/L"),
        ("per 5 nmol/L genetically predicted (cis)", 5, "nmol/L"),
        ("per doubling of concentration", 1, "doubling"),
        ("per SD genetically predicted", 1, "SD"),
        ("per 0.5 mg; SD 2 mg", 0.5, "mg"),
    ],
)
def test_units_are_read_as_written(text, amount, unit):
    found = unit_distance(text)
    assert (found.amount, found.unit) == (amount, unit)


def test_the_standard_deviation_of_the_study_is_read_from_its_row():
    assert (sd_in("per 5 nmol/L; SD 4.5 nmol/L").amount, sd_in("per SD; SD 4.5 nmol/L").unit) == (4.5, "nmol/L")
    assert sd_in("per SD") is None
    assert sd_in("per 5 nmol/L") is None


def test_a_conversion_through_the_standard_deviation_goes_both_ways():
    unit, one, sd = Distance(5, "nmol/L"), Distance(1, "SD"), Distance(4, "nmol/L")
    assert conversion(unit, one, sd) == pytest.approx(4 / 5)
    assert conversion(one, unit, sd) == pytest.approx(5 / 4)
    assert conversion(Distance(100, "ng/mL"), Distance(1, "ng/mL")) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("step", "target", "sd", "reason"),
    [
        (Distance(5, "nmol/L"), Distance(1, "SD"), None, "needs the standard deviation"),
        (Distance(1, "SD"), Distance(5, "nmol/L"), None, "per 5 nmol/L needs the standard deviation"),
        (Distance(5, "nmol/L"), Distance(1, "SD"), Distance(30, "ng/mL"), "is in ng/mL, not in nmol/L"),
        (Distance(1, "doubling"), Distance(5, "nmol/L"), None, "in another unit than nmol/L"),
    ],
)
def test_a_conversion_that_cannot_be_made_says_why(step, target, sd, reason):
    assert reason in conversion(step, target, sd)


def test_effect_and_standard_error_are_scaled_alike_and_the_rule_is_kept():
    ratios = from_interval([1.69, 1.21, 1.10], [1.35, 1.07, 1.05], [2.13, 1.36, 1.16])
    steps = [distance_of("top_vs_bottom", groups=4), distance_of("per_sd"), distance_of("per_unit", unit="per 5 nM")]
    made = rescaled(ratios, steps, target_of("sd"), [None, None, None])
    factor = 1 / outer_groups(4)
    assert made.yi[0] == pytest.approx(factor * np.log(1.69))
    assert np.sqrt(made.vi[0]) == pytest.approx(factor * np.sqrt(ratios.vi[0]))
    assert made.yi[1] == pytest.approx(np.log(1.21))
    assert made.derivation[0] == "top v bottom of 4 groups: means 2.54 SD apart; log ratio x 0.393"
    assert made.derivation[1] == "per SD, as reported"
    assert made.reason[:2] == (None, None)
    assert "needs the standard deviation" in made.reason[2]
    assert np.isnan(made.yi[2])


def test_the_z_value_of_a_row_does_not_depend_on_what_it_is_per():
    ratios = from_interval([1.69], [1.35], [2.13])
    step, sd = [distance_of("top_vs_bottom", groups=4)], [Distance(5.5, "nmol/L")]
    targets = [target_of("sd"), target_of("quartile"), target_of("unit", "5 nmol/L")]
    z = [float(made.yi[0] / made.vi[0] ** 0.5) for made in (rescaled(ratios, step, t, sd) for t in targets)]
    np.testing.assert_allclose(z, float(ratios.yi[0] / ratios.vi[0] ** 0.5), rtol=1e-12)


def test_top_against_bottom_of_four_is_unchanged_per_quartile():
    ratios = from_interval([1.69], [1.35], [2.13])
    made = rescaled(ratios, [distance_of("top_vs_bottom", groups=4)], target_of("quartile"), [None])
    assert made.yi == pytest.approx(ratios.yi, rel=1e-15)


@pytest.mark.parametrize(
    ("per", "unit", "said"),
    [("decile", None, "accepted are sd, quartile or unit"), ("unit", None, "such as 5 nmol/L"),
     ("unit", "0 nmol/L", "such as 5 nmol/L"), ("sd", "5 nmol/L", "goes with per 'unit'")],
)  # fmt: skip
def test_a_target_that_is_not_accepted_is_refused(per, unit, said):
    with pytest.raises(InputError, match=said):
        target_of(per, unit)
