"""Everything that a registry posts of a study is a candidate row, a question, or listed with the reason why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igfmeta.evidence.importing.candidates import TRIAL_COLUMNS

FILES = Path(__file__).parent / "files"
RECORD = json.loads((FILES / "NCT09000002.json").read_text())
MEASURES = RECORD["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]


@pytest.fixture
def found(imported):
    return imported("NCT09000002.json")


def _row(found, locator):
    return next(row for row in found.rows if row["locator"] == locator)


def _asked(found, row, column):
    return [d for d in found.doubts if d.row_id == row["row_id"] and d.column == column]


def _left(found, start):
    return [each for each in found.left_out if each.what.startswith(start)]


def test_a_median_with_its_interval_and_one_that_was_not_reached(found):
    row = _row(found, "outcome measure 1, analysis 1")
    columns = ("outcome", "measure", "estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_sided")
    assert [row[c] for c in columns] == ["pfs", "HR", "0.71", "0.58", "0.87", "80", "<0.001", "2"]
    assert (row["median_exp"], row["median_ctl"], row["median_unit"]) == ("5.6", "", "months")
    assert "The median was not reached" in _asked(found, row, "median_ctl")[0].found
    assert "exp: 80% Confidence Interval 4.4 to 7.1" in row["note"]


def test_a_test_of_non_inferiority_and_a_one_sided_interval_are_not_read_as_others(found):
    row = _row(found, "outcome measure 2, analysis 1")
    assert row["estimate"] == "0.90"
    assert [row[c] for c in ("ci_low", "ci_high", "ci_level", "p_value")] == ["", "", "", ""]
    assert "one-sided" in _asked(found, row, "ci_low")[0].question
    assert "0.03 (NON_INFERIORITY)" in _asked(found, row, "p_value")[0].found


def test_whether_people_counted_under_survival_died_or_lived_is_asked(found):
    row = _row(found, "outcome measure 2, analysis 1")
    assert row["events_exp"] == row["events_ctl"] == ""
    assert _asked(found, row, "events_exp")[0].found == "41 of 80 v 47 of 78"


def test_yes_and_no_are_one_count(found):
    row = _row(found, "outcome measure 3")
    assert [row[c] for c in ("outcome", "events_exp", "n_exp", "events_ctl", "n_ctl")] == [
        "orr",
        "20",
        "80",
        "12",
        "78",
    ]
    assert _asked(found, row, "n_exp")[0].found == "12 + 64 of 78"


@pytest.mark.parametrize(
    "said",
    ["Odds Ratio (OR) 1.8, 95 % CI 0.8 to 4.1, p 0.12", "Risk Ratio (RR) 1.63, 95 % CI 0.85 to 3.1",
     "Risk Difference (RD) 9.6, STANDARD_ERROR_OF_MEAN 6.4"],
)  # fmt: skip
def test_other_statistics_are_listed_whole(found, said):
    assert any(said in each.what for each in _left(found, "Objective Response"))


def test_percentages_keep_their_intervals_in_the_remarks(found):
    row = _row(found, "outcome measure 4")
    assert (row["percent_exp"], row["events_exp"], row["n_exp"]) == ("62.5", "", "80")
    assert "exp: 95% Confidence Interval 51.0 to 73.1; ctl: 95% Confidence Interval 39.7 to 62.8" in row["note"]


def test_a_category_that_names_an_outcome_is_a_row_and_the_others_are_listed(found):
    row = _row(found, "outcome measure 5")
    assert (row["outcome"], row["events_exp"], row["events_ctl"]) == ("cr", "3", "1")
    assert "one category" in _asked(found, row, "outcome")[0].question
    assert "(Partial Response) 17, 80 people" in _left(found, "Best Overall Response")[0].what


def test_classes_have_denominators_of_their_own_and_rates_at_a_time_are_no_time_to_event(found):
    rows = [row for row in found.rows if row["locator"] == "outcome measure 6"]
    assert [(row["percent_exp"], row["n_exp"], row["n_ctl"]) for row in rows] == [
        ("45", "80", "78"),
        ("21", "60", "55"),
    ]
    assert [row["outcome"] for row in rows] == ["", ""]
    assert _asked(found, rows[1], "outcome")[0].found == "12 months"


def test_a_subset_is_asked_about_by_title_population_and_size(found):
    row = _row(found, "outcome measure 7")
    assert {d.column for d in found.doubts if d.row_id == row["row_id"]} >= {"outcome", "population", "n_exp"}


@pytest.mark.parametrize(
    ("start", "held", "why"),
    [
        ("Change in Quality of Life (", "1.2 (Standard Deviation 8.4), 80 people", "is a mean"),
        ("Change in Quality of Life:", "Mean Difference (Final Values) 1.5, 95 % CI -1.2 to 4.2", "no column"),
        ("Lesions That Shrank", "55", "analyses Lesions, not people"),
        ("Trough Concentration", "210 (Geometric Coefficient of Variation 31)", "is a mean"),
        ("Time to Response", "", "not posted yet"),
        ("Pneumonia (serious", "3 of 79", "no outcome"),
        ("Nausea (other", "40 of 79", "no outcome"),
        ("left for 'Withdrawal by Subject'", "32 of 80", "no outcome is this reason"),
        ("STARTED", "80", "compared"),
        ("COMPLETED", "39", "milestone"),
        ("baselineCharacteristicsModule", "1 baseline", "not read"),
    ],
)
def test_what_no_column_holds_is_listed_with_its_values_and_the_reason(found, start, held, why):
    each = _left(found, start)[0]
    assert held in each.what
    assert why in each.reason


def test_adverse_events_deaths_and_leavers(found):
    sae = _row(found, "adverse events, serious")
    assert [sae[c] for c in ("outcome", "events_exp", "n_exp", "events_ctl", "n_ctl")] == [
        "sae",
        "28",
        "79",
        "20",
        "76",
    ]
    left = _row(found, "participant flow, Overall Study: Adverse Event")
    assert (left["outcome"], left["events_exp"], left["n_exp"]) == ("discontinuation_ae", "9", "80")
    graded = _row(found, "adverse events, other: Hyperglycaemia")
    assert (graded["outcome"], graded["events_exp"], graded["n_exp"]) == ("", "11", "79")
    assert "is it hyperglycemia_g3plus?" in _asked(found, graded, "outcome")[0].question
    deaths = next(each for each in found.left_out if "deaths" in each.place)
    assert "41 of 80 | Placebo + FOLFIRI 47 of 78" in deaths.what


def test_every_value_of_the_record_is_somewhere_in_the_import(found):
    """No number of the results section is lost: each stands in a row, a question, or the list of what was left out."""
    said = json.dumps(found.to_dict())
    for measure in MEASURES:
        for block in measure.get("classes", []):
            for category in block["categories"]:
                if category.get("title") == "No":
                    continue  # its sum with yes is compared with the people analysed
                for value in category["measurements"]:
                    for name in ("value", "spread", "lowerLimit", "upperLimit", "comment"):
                        assert value.get(name, "") in said
        for analysis in measure.get("analyses", []):
            for name in ("paramValue", "pValue", "ciLowerLimit", "ciUpperLimit", "dispersionValue", "groupDescription"):
                assert analysis.get(name, "").lstrip("<") in said
    events = RECORD["resultsSection"]["adverseEventsModule"]
    for each in events["seriousEvents"] + events["otherEvents"]:
        assert each["term"] in said


def test_tables_of_aact_say_what_the_record_says(imported, found):
    tables = imported("aact")
    same = [c for c in TRIAL_COLUMNS if c not in ("locator", "n_exp", "n_ctl")]
    assert [{c: row[c] for c in same} for row in tables.rows] == [{c: row[c] for c in same} for row in found.rows]
    assert tables.sources == found.sources
    rest = [each for each in found.left_out if not each.what.startswith("baseline")]
    assert [(each.what, each.reason) for each in tables.left_out] == [(each.what, each.reason) for each in rest]


def test_denominators_of_classes_are_asked_for_where_the_tables_have_none(imported):
    found = imported("aact")
    row = next(row for row in found.rows if row["percent_exp"] == "21")
    assert row["n_exp"] == "80"
    assert "of the whole measure only" in _asked(found, row, "n_exp")[0].question


def _changed(tmp_path, **changes):
    record = json.loads(json.dumps(RECORD))
    arms = record["protocolSection"]["armsInterventionsModule"]["armGroups"]
    for arm, given in zip(arms, changes["given"], strict=True):
        arm["interventionNames"] = given
    (tmp_path / "a.json").write_text(json.dumps(record))
    return tmp_path / "a.json"


@pytest.mark.parametrize(
    ("given", "question"),
    [
        ((["Biological: Ganitumab"], ["Biological: Ganitumab"]), "both arms name ganitumab"),
        ((["Drug: FOLFIRI"], ["Drug: FOLFIRI"]), None),
        ((["Drug: Ganitumab"], ["Other: Placebo"]), None),
        ((["Drug: Ganitumab"], ["Drug: Placebo ganitumab", "Drug: FOLFIRI"]), None),
    ],
)
def test_an_agent_in_both_arms_is_asked_about(imported, tmp_path, given, question):
    found = imported(_changed(tmp_path, given=given))
    asked = [d.question for d in found.doubts if d.column == "experimental"]
    assert all(question in each for each in asked) if question else asked == []
    assert bool(asked) == bool(question)


def test_groups_of_one_title_are_told_apart(imported, tmp_path):
    record = json.loads(json.dumps(RECORD))
    groups = record["resultsSection"]["adverseEventsModule"]["eventGroups"]
    groups[1]["title"] = groups[0]["title"]
    (tmp_path / "a.json").write_text(json.dumps(record))
    said = json.dumps(imported(tmp_path / "a.json").to_dict())
    assert "Ganitumab + FOLFIRI (EG001) 1 of 76" in said
    assert "Ganitumab + FOLFIRI (EG000) 3 of 79" in said


@pytest.mark.parametrize(
    ("unit", "percent", "asked"),
    [
        ("percentage of participants", "62.5", False),
        ("Percentage of Patients With Response", "62.5", False),
        ("% of participants", "62.5", False),
        ("participants (%)", "62.5", False),
        ("Percent", "62.5", True),
        ("proportion of participants", None, False),
        ("% change", None, False),
        ("percentage of lesions", None, False),
    ],
)
def test_per_cent_of_people_and_of_other_things(imported, tmp_path, unit, percent, asked):
    record = json.loads(json.dumps(RECORD))
    record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][3]["unitOfMeasure"] = unit
    (tmp_path / "a.json").write_text(json.dumps(record))
    found = imported(tmp_path / "a.json")
    rows = [row for row in found.rows if row["locator"] == "outcome measure 4"]
    assert [row["percent_exp"] for row in rows] == ([percent] if percent else [])
    assert bool([d for d in found.doubts if d.column == "percent_exp"]) == asked
    assert bool(_left(found, "Disease Control (")) == (percent is None)


def test_a_total_is_no_arm_and_is_listed(imported, tmp_path):
    record = json.loads(json.dumps(RECORD))
    measure = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][3]
    measure["groups"].append({"id": "OG002", "title": "Total"})
    measure["classes"][0]["categories"][0]["measurements"].append({"groupId": "OG002", "value": "57.0"})
    (tmp_path / "a.json").write_text(json.dumps(record))
    found = imported(tmp_path / "a.json")
    assert _row(found, "outcome measure 4")["percent_ctl"] == "51.3"
    assert _left(found, "Total: 57.0")[0].reason.startswith("is of all groups")
