"""Dose-response from a table or the evidence: doses by named rules, what is used and why not, and the pooled curve."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.effects.contrasts import group_means
from igfmeta.errors import InputError, NothingToPool
from igfmeta.synthesis.dose import dose_response, round_doses
from igfmeta.synthesis.dose_inputs import named_columns, standard_error


def table(**changes):
    """Two case-control studies of four groups each."""
    columns = {
        "id": ["a"] * 4 + ["b"] * 4,
        "type": ["cc"] * 8,
        "dose": [0.0, 10, 20, 30] * 2,
        "cases": [40.0, 50, 60, 70, 80, 95, 100, 130],
        "n": [140.0, 150, 160, 165, 250, 255, 260, 280],
        "logrr": [0.0, 0.15, 0.30, 0.50, 0.0, 0.05, 0.25, 0.40],
        "se": [0.0, 0.25, 0.25, 0.25, 0.0, 0.18, 0.18, 0.17],
    }
    return pd.DataFrame({**columns, **changes})


@pytest.fixture(scope="module")
def line():
    return dose_response(table(), method="fixed")


def test_a_line_is_generalized_least_squares_of_each_study_then_inverse_variance(line):
    slopes, weights = [], []
    for entry in line.tables:
        x = entry.study.dose - entry.study.reference
        inverse = np.linalg.inv(entry.study.covariance)
        weights.append(x @ inverse @ x)
        slopes.append(x @ inverse @ entry.study.yi / weights[-1])
    assert line.fit.coef[0] == pytest.approx(np.average(slopes, weights=weights), rel=1e-10)
    assert line.fit.vcov[0, 0] == pytest.approx(1 / sum(weights), rel=1e-10)


def test_the_curve_is_relative_to_the_reference_dose(line):
    shifted = dose_response(table(), method="fixed", reference=10.0, at=[0, 10, 30])
    assert shifted.at.rr[1] == 1.0
    assert shifted.at.log_rr[2] == pytest.approx(20 * line.fit.coef[0])
    assert shifted.curve(0.0).log_rr[0] == pytest.approx(-10 * line.fit.coef[0])
    assert line.at.reference == 0.0


def test_doses_outside_the_data_are_said_to_be_so():
    remarks = " ".join(dose_response(table(), at=[10, 45]).remarks)
    assert "Doses 45 lie outside those of the studies, 0 to 30: extrapolated." in remarks


def test_ratios_with_limits_are_the_same_as_logs_with_errors(line):
    frame = table()
    half = 1.959963984540054 * frame["se"]
    frame["rr"], frame["lower"], frame["upper"] = (np.exp(frame["logrr"] + z * half) for z in (0, -1, 1))
    other = dose_response(frame.drop(columns=["logrr", "se"]), method="fixed")
    assert other.fit.coef[0] == pytest.approx(line.fit.coef[0], rel=1e-9)
    named = dose_response(
        frame.rename(columns={"logrr": "beta", "dose": "grams"}),
        columns={"log_rr": "beta", "se": "se", "dose": "grams"},
        method="fixed",
    )
    assert named.fit.coef[0] == pytest.approx(line.fit.coef[0])


@pytest.mark.parametrize("reverse", [False, True])
def test_the_order_of_rows_and_the_place_of_the_reference_do_not_matter(line, reverse):
    frame = table().iloc[::-1] if reverse else table().sample(frac=1, random_state=1)
    again = dose_response(frame.reset_index(drop=True), method="fixed")
    assert again.fit.coef[0] == pytest.approx(line.fit.coef[0], rel=1e-10)


def ranges(**options):
    frame = table(range_low=[np.nan, 5, 15, 25] * 2, range_high=[5, 15, 25, np.nan] * 2).drop(columns="dose")
    return dose_response(frame, **options)


def test_open_ended_groups_take_their_dose_by_a_named_rule():
    by_neighbour, by_share = ranges(), ranges(open_ended="twenty-percent")
    assert by_neighbour.tables[0].doses == (0.0, 10.0, 20.0, 30.0)
    assert by_neighbour.tables[0].derivation == ("open_neighbour", "midpoint", "midpoint", "open_neighbour")
    assert by_share.tables[0].doses == (2.5, 10.0, 20.0, 30.0)
    assert by_share.tables[0].derivation[3] == "open_twenty_percent"
    assert any("dose of 4 open-ended groups is assumed" in remark for remark in by_neighbour.remarks)
    with pytest.raises(NothingToPool, match="open-ended group without a dose in row 1"):
        ranges(open_ended="refuse")


def test_normal_scores_need_no_doses_and_are_those_of_quarters():
    frame = table(n=[140.0, 150, 160, 170, 180, 195, 200, 230]).drop(columns="dose")
    frame["dose"] = np.nan
    found = dose_response(frame, dose_scale="sd", method="fixed")
    assert found.tables[0].doses == pytest.approx((-1.271, -0.325, 0.325, 1.271), abs=1e-3)
    assert found.unit == "SD"
    assert found.at.reference == 0.0


def test_quantile_groups_without_numbers_can_be_taken_to_be_of_equal_size():
    frame = table(dose=np.nan).drop(columns=["cases", "n", "type"])
    with pytest.raises(NothingToPool, match="--dose-scale equal-groups --covariance independent"):
        dose_response(frame, dose_scale="sd", covariance="independent")
    found = dose_response(frame, dose_scale="equal-groups", covariance="independent", method="fixed")
    assert found.tables[0].doses == pytest.approx(group_means(4))
    assert found.tables[0].derivation[0] == "normal_score_equal"
    assert any("taken to be of equal size" in remark for remark in found.remarks)


@pytest.mark.parametrize("design", ["cc", "ci", "ir"])
def test_each_kind_of_data_has_its_covariance(design):
    frame = table(type=[design] * 8, n=[1400.0, 1500, 1600, 1650, 2500, 2550, 2600, 2800])
    for method in ("gl", "hamling"):
        found = dose_response(frame, covariance=method, method="fixed")
        matrix = found.tables[0].study.covariance
        assert np.diag(matrix) == pytest.approx(np.array([0.25, 0.25, 0.25]) ** 2)
        assert (matrix[~np.eye(3, dtype=bool)] > 0).all()
        assert found.tables[0].design == design


def test_without_counts_contrasts_can_be_taken_as_independent():
    frame = table().drop(columns=["cases", "n", "type"])
    with pytest.raises(NothingToPool, match="cases, or controls or person-time, not known"):
        dose_response(frame)
    assert dose_response(frame, covariance="independent").fit.k == 2


def test_a_study_that_cannot_be_used_is_listed_with_every_reason(line):
    frame = table()
    third = frame.iloc[:4].assign(id="c", logrr=[0.0, 0.1, np.nan, 0.3], cases=np.nan, se=[0.0, 0.2, 0.2, np.nan])
    found = dose_response(pd.concat([frame, third], ignore_index=True), method="fixed")
    (unused,) = found.unused
    assert unused.label == "c"
    for part in ("no estimate in row 11", "no interval or standard error in row 12", "not known for every group"):
        assert part in unused.reason
    assert found.fit.coef[0] == pytest.approx(line.fit.coef[0])


def test_one_stage_takes_studies_with_too_few_groups_for_a_curve_and_two_name_them():
    few = table().iloc[[0, 2]].assign(id="c")
    frame = pd.concat([table(), few], ignore_index=True)
    two = dose_response(frame, model="quadratic", method="fixed")
    one = dose_response(frame, model="quadratic", method="fixed", stages="one")
    assert (two.fit.k, one.fit.k) == (2, 3)
    assert two.fit.left_out[0][0] == "c"


def test_fractional_polynomials_are_chosen_by_aic_and_compared():
    found = dose_response(table(), model="fp", degree=1, method="fixed")
    aics = [shape.aic for shape in found.comparison if shape.aic is not None]
    assert aics == sorted(aics)
    assert {shape.basis.model for shape in found.comparison} == {"linear", "fp"}
    fixed = dose_response(table(), model="fp", powers=[0.5], method="fixed")
    assert fixed.fit.basis.powers == (0.5,)


def test_several_units_are_not_mixed():
    frame = table(unit=["g"] * 4 + ["oz"] * 4)
    with pytest.raises(InputError, match="'g' or 'oz', which are not mixed"):
        dose_response(frame)
    found = dose_response(frame, unit="oz")
    assert (found.fit.k, found.unused[0].reason) == (1, "doses in g, not in oz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"se": [0.0, -0.1, 0.2, 0.2] * 2}, "row 2, column se: found -0.1"),
        ({"cases": [-4.0, 5, 6, 7] * 2}, "column cases: found -4"),
        ({"dose": [0.0, 10, math.inf, 30] * 2}, "accepted is a finite number"),
        ({"dose": ["low", "b", "c", "d"] * 2}, "column dose: holds"),
        ({"type": ["cc", "ir", "cc", "cc"] * 2}, "study a has design cc or ir"),
        ({"type": ["cohort"] * 8}, "accepted are cc, ci or ir"),
    ],
)
def test_tables_that_cannot_be_are_refused_with_row_and_column(changes, said):
    with pytest.raises(InputError) as error:
        dose_response(table(**changes))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "cubic"}, "accepted are linear, quadratic, rcs or fp"),
        ({"stages": "three"}, "stages was 'three'"),
        ({"covariance": "none"}, "covariance was 'none'"),
        ({"open_ended": "guess"}, "open_ended was 'guess'"),
        ({"cancer": "prostate"}, "it chooses from the evidence"),
        ({"model": "linear", "degree": 2}, "degree chooses among fractional polynomials"),
        ({"columns": {"weight": "x"}}, "columns names weight"),
        ({"columns": {"cases": "dead"}}, "there is no column 'dead'"),
        ({"level": 95}, "such as 0.95"),
    ],
)
def test_options_that_are_not_accepted_are_refused_in_a_sentence(options, said):
    with pytest.raises(InputError) as error:
        dose_response(table(), **options)
    assert said in str(error.value)


def test_references_are_looked_for_and_missed():
    two = table(logrr=[0.0, 0.0, 0.3, 0.5] * 2, se=[0.0, 0.0, 0.25, 0.25] * 2)
    with pytest.raises(NothingToPool, match="2 groups look like the reference"):
        dose_response(two)
    none = table(logrr=[0.1, 0.2, 0.3, 0.5] * 2, se=[0.2] * 8)
    with pytest.raises(NothingToPool, match="no reference group"):
        dose_response(none)


def test_the_evidence_gives_the_study_that_prints_counts_and_says_why_not_the_others():
    found = im.dose_response(im.load_evidence(), cancer="prostate", biomarker="igf1", dose_scale="sd", at=[1])
    assert [t.label for t in found.tables] == ["price2012"]
    unused = {u.label: u.reason for u in found.unused}
    assert set(unused) == {"cebp_biopsy_table", "chen2005"}
    assert unused["cebp_biopsy_table"] == "excluded in the associations: unusable as printed"
    assert found.at.rr[0] == pytest.approx(1.228, abs=1e-3)
    assert found.to_frame()["dose"].tolist() == [1.0]


def test_small_helpers():
    assert round_doses(3, 3) == [3]
    assert math.isnan(standard_error(math.nan, 2.0, 0.95))
    assert named_columns(["ID", "Dose", "logRR", "SE"], {})["log_rr"] == "logRR"
    with pytest.raises(InputError, match="relative risks: log_rr with se"):
        named_columns(["id", "dose", "rr"], {})


def test_a_curve_draws_itself_in_a_notebook(line):
    assert line._repr_html_().startswith('<svg role="img" aria-label="Table"')
    assert line.figure().get_size_inches()[0] > 3
