"""Effects from counts: metafor's escalc for every measure and policy, statsmodels' intervals, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from igfmeta.effects import one_arm, rates, two_arm
from igfmeta.effects.scales import inverse_double_arcsine, natural
from igfmeta.effects.zero_cells import ZERO_CELLS
from igfmeta.errors import InputError

FIGURES = json.loads((Path(__file__).parent / "cases" / "escalc_metafor.json").read_text())
POLICIES = ("none", "only0", "if0all", "all")


def _expected(measure, policy):
    found = FIGURES["figures"][f"{measure} {policy}"]
    return [np.array([np.nan if v == "NA" else v for v in found[name]], dtype=float) for name in ("yi", "vi")]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_two_arms_as_metafor(measure, policy):
    ours = two_arm.two_arm(**FIGURES["two_arm"], measure=measure, zero_cells=policy)
    yi, vi = _expected(measure, policy)
    used = ours.usable
    np.testing.assert_allclose(ours.yi[used], yi[used], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.vi[used], vi[used], rtol=1e-10)


@pytest.mark.parametrize("measure", ["PETO", "AS"])
@pytest.mark.parametrize("policy", ZERO_CELLS)
def test_measures_that_need_no_correction_get_none(measure, policy):
    ours = two_arm.two_arm(**FIGURES["two_arm"], measure=measure, zero_cells=policy)
    yi, vi = _expected(measure, "none")
    used = ours.usable
    np.testing.assert_allclose(ours.yi[used], yi[used], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.vi[used], vi[used], rtol=1e-10)
    assert not any(ours.notes)


@pytest.mark.parametrize("measure", ["OR", "RR", "PETO"])
def test_a_study_without_events_is_listed_never_dropped(measure):
    ours = two_arm.two_arm(**FIGURES["two_arm"], measure=measure)
    assert len(ours) == 6
    assert ours.reason[3] == "no event in either arm: the study says nothing about a ratio"
    assert np.isnan(ours.yi[3])


@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_a_study_that_is_not_used_does_not_set_off_the_correction_of_the_others(measure):
    counts = np.array([[4, 6, 0], [20, 30, 25], [9, 12, 0], [21, 28, 24]], dtype=float)
    both = two_arm.two_arm(*counts, measure=measure, zero_cells="if0all")
    alone = two_arm.two_arm(*counts[:, :2], measure=measure, zero_cells="if0all")
    assert both.reason[2] is not None
    assert both.yi[:2].tolist() == alone.yi.tolist()
    rows = rates.two_arm_rates(*counts, measure="IRR", zero_cells="if0all")
    assert rows.yi[0] == np.log((4 / 20) / (9 / 21))


def test_without_correction_zero_cells_have_a_reason():
    ours = two_arm.two_arm([0], [20], [3], [20], measure="OR", zero_cells="none")
    assert "no correction" in ours.reason[0]


def test_the_treatment_arm_correction_follows_the_sizes_of_the_arms():
    # Sweeting 2004: the sum over the arms is 1, each in proportion to the inverse of the other's size.
    ours = two_arm.two_arm([0], [30], [2], [10], measure="OR", zero_cells="treatment_arm")
    add1, add2 = 30 / 40, 10 / 40
    expected = np.log((0 + add1) * (8 + add2) / ((30 + add1) * (2 + add2)))
    assert ours.yi[0] == pytest.approx(expected, rel=1e-12)
    assert "0.75 and 0.25 added" in ours.notes[0][0]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("measure", ["PLO", "PLN", "PR"])
def test_one_arm_as_metafor(measure, policy):
    ours = one_arm.one_arm(**FIGURES["one_arm"], measure=measure, zero_cells=policy)
    yi, vi = _expected(measure, policy)
    used = ours.usable
    np.testing.assert_allclose(ours.yi[used], yi[used], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.vi[used], vi[used], rtol=1e-10)
    assert used.all() == (policy != "none")


@pytest.mark.parametrize("measure", ["PAS", "PFT"])
def test_arcsines_as_metafor(measure):
    ours = one_arm.one_arm(**FIGURES["one_arm"], measure=measure)
    yi, vi = _expected(measure, "none")
    np.testing.assert_allclose(ours.yi, yi, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.vi, vi, rtol=1e-10)


def test_inverse_double_arcsine_as_metafor():
    figures = FIGURES["ipft"]
    np.testing.assert_allclose(inverse_double_arcsine(figures["yi"], figures["n"]), figures["p"], rtol=1e-9)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_double_arcsine_of_one_study_goes_back_exactly(counts):
    x, n = counts
    y = one_arm.one_arm([x], [n], measure="PFT").yi
    assert inverse_double_arcsine(y, n)[0] == pytest.approx(x / n, abs=1e-7)


@given(st.sampled_from(["PLO", "PLN", "PR", "PAS", "PFT"]), st.floats(-50, 50))
def test_every_proportion_goes_back_into_0_to_1(measure, value):
    assert 0 <= natural(measure, value, n_harmonic=20) <= 1


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99])
)
def test_intervals_of_proportions_as_statsmodels(counts, level):
    x, n = counts
    for ours, theirs in (("clopper_pearson", "beta"), ("wilson", "wilson"), ("agresti_coull", "agresti_coull")):
        limits = [float(v[0]) for v in one_arm.proportion_interval([x], [n], level=level, method=ours)]
        expected = [float(v) for v in proportion_confint(x, n, alpha=1 - level, method=theirs)]
        assert limits == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([5], [4], [1], [4]), "row 1, column events1: found 5; accepted is at most n1"),
        (([-1], [4], [1], [4]), "a whole number, 0 or more"),
        (([1.5], [4], [1], [4]), "a whole number, 0 or more"),
        (([1], [0], [1], [4]), "column n1: found 0; accepted is a whole number above 0"),
        ((["1"], [4], [1], [4]), "events1 holds text"),
        (([1, 2], [4, 4, 4], [1], [4]), "differ in length"),
    ],
)
def test_counts_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        two_arm.two_arm(*arguments, measure="OR")


def test_every_impossible_count_is_listed():
    with pytest.raises(InputError) as caught:
        two_arm.two_arm([5, 1], [4, 2], [1, 9], [4, 8], measure="OR")
    assert [(p.row, p.column) for p in caught.value.problems] == [(1, "events1"), (2, "events2")]


def test_options_that_are_not_accepted():
    with pytest.raises(InputError, match="OR, RR, RD, PETO or AS"):
        two_arm.two_arm([1], [4], [1], [4], measure="HR")
    with pytest.raises(InputError, match="only0, if0all, all or treatment_arm"):
        two_arm.two_arm([1], [4], [1], [4], measure="OR", zero_cells="some")
    with pytest.raises(InputError, match="increment"):
        two_arm.two_arm([1], [4], [1], [4], measure="OR", increment=0)
    with pytest.raises(InputError, match="none, only0, if0all or all"):
        one_arm.one_arm([1], [4], measure="PLO", zero_cells="treatment_arm")
    with pytest.raises(InputError, match="clopper_pearson, wilson or agresti_coull"):
        one_arm.proportion_interval([1], [4], method="wald")


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(20, 40), st.integers(0, 20), st.integers(20, 40)),
        min_size=1,
        max_size=5,
    )
)
def test_swapping_the_arms_changes_the_sign(rows):
    a, n1, c, n2 = (np.array(column) for column in zip(*rows, strict=True))
    for measure in two_arm.TWO_ARM_MEASURES:
        one, other = two_arm.two_arm(a, n1, c, n2, measure=measure), two_arm.two_arm(c, n2, a, n1, measure=measure)
        np.testing.assert_allclose(one.yi, -other.yi, atol=1e-10)
        np.testing.assert_allclose(one.vi, other.vi, rtol=1e-10)
