"""The audit: each rule passes what is right and finds a fault planted in it; rounding alone is never an error."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igfmeta.evidence import load_evidence
from igfmeta.evidence.load import main_tables_of
from igfmeta.synthesis.audit.registry import RULES
from igfmeta.synthesis.audit.run import audit

NORMAL = NormalDist()

TRIAL = {
    "row_id": "a-01", "study_id": "a", "nct_id": "NCT01", "year": "2015", "agent": "x", "tumor_type": "skin",
    "population": "unselected", "regimen": "combination", "experimental": "x + c", "control": "c", "contrast": "add_on",
    "outcome": "os", "measure": "HR", "estimate": "0.80", "ci_low": "0.64", "ci_high": "1.00", "ci_level": "95",
    "p_value": "0.05", "p_sided": "2", "events_exp": "150", "n_exp": "200", "events_ctl": "160", "n_ctl": "200",
    "median_exp": "10.0", "median_ctl": "8.0", "median_unit": "months", "use": "primary", "source_id": "s1",
    "locator": "abstract", "extraction": "double",
}  # fmt: skip
COUNTS = {
    **TRIAL, "row_id": "a-02", "outcome": "orr", "measure": "events", "estimate": "", "ci_low": "", "ci_high": "",
    "ci_level": "", "p_value": "", "p_sided": "", "events_exp": "50", "events_ctl": "40", "percent_exp": "25",
    "percent_ctl": "20", "median_exp": "", "median_ctl": "", "median_unit": "",
}  # fmt: skip
ASSOCIATION = {
    "row_id": "k-01", "study_id": "k", "cohort_name": "Cohort K", "design": "prospective_nested_case_control",
    "cancer": "prostate", "subgroup": "all", "biomarker": "igf1", "contrast": "top_vs_bottom", "quantiles": "4",
    "measure": "OR", "estimate": "1.50", "ci_low": "1.06", "ci_high": "2.12", "ci_level": "95", "n_cases": "400",
    "n_controls": "800", "population_id": "k", "use": "primary", "source_id": "s1", "locator": "table 2",
}  # fmt: skip
REFERENT = {
    "study_id": "k", "cancer": "prostate", "subgroup": "all", "biomarker": "igf1", "group_index": "1", "n_cases": "100",
    "n_controls_or_person_years": "120", "estimate": "1", "reference": "1", "source_id": "s1",
}  # fmt: skip
GROUP = {**REFERENT, "group_index": "2", "n_cases": "130", "estimate": "1.31", "ci_low": "0.91", "ci_high": "1.89",
         "reference": "0"}  # fmt: skip
SOURCE = {"source_id": "s1", "type": "journal_article", "pmid": "1", "status": "ok"}
CLEAN = {"trials": [TRIAL, COUNTS], "associations": [ASSOCIATION], "dose_response": [REFERENT, GROUP]}


def _write(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _audited(folder, sources=(SOURCE,), **tables):
    folder = Path(folder)
    for name, rows in tables.items():
        _write(folder / f"{name}.csv", rows)
    if sources:
        _write(folder / "sources.csv", list(sources))
    return audit(load_evidence(folder, tables=[name for name in CLEAN if name in tables]))


def _of(result, rule):
    return [finding for finding in result.findings if finding.rule == rule]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_is_right_passes_every_rule(rule, tmp_path):
    assert _of(_audited(tmp_path, **CLEAN), rule.name) == []


def _with(row, **changes):
    return {**row, **{name: str(value) for name, value in changes.items()}}


WEAK = _with(TRIAL, estimate="0.92", ci_low="0.74", ci_high="1.15", p_value="0.46", median_exp="9.0")
STRONG = _with(TRIAL, estimate="0.60", ci_low="0.48", ci_high="0.75", p_value="<0.001")
_OTHER = {"study_id": "b", "row_id": "b-01", "nct_id": "NCT02", "source_id": "s1"}

#: rule -> (table, rows with the fault, severity, what the sentence says)
PLANTED = [
    ("interval_asymmetric", "trials", [_with(TRIAL, estimate="0.86")], "warning", "middle"),
    ("interval_asymmetric", "trials", [_with(TRIAL, estimate="0.98")], "error", "beyond what rounding explains"),
    ("interval_asymmetric", "associations", [_with(ASSOCIATION, estimate="1.59")], "warning", "scale as printed"),
    ("interval_asymmetric", "dose_response", [REFERENT, _with(GROUP, estimate="1.80")], "error", "half-width"),
    ("interval_no_level", "trials", [_with(TRIAL, ci_level="")], "warning", "no level"),
    ("interval_identical", "trials", [TRIAL, _with(TRIAL, row_id="a-03", outcome="pfs")], "warning", "same study"),
    ("interval_identical", "trials", [TRIAL, _with(TRIAL, **_OTHER | {"source_id": "s2"})], "note", "of a;"),
    ("no_uncertainty", "associations", [_with(ASSOCIATION, ci_low="", ci_high="")], "warning", "neither"),
    ("p_value_interval", "trials", [_with(TRIAL, p_value="0.20")], "warning", "neither as one- nor as two-sided"),
    ("p_value_interval", "trials", [_with(TRIAL, p_value="0.0001")], "error", "the interval means"),
    ("p_value_sidedness", "trials", [_with(WEAK, p_value="0.23")], "warning", "fits the interval as one-sided"),
    ("p_value_sidedness", "trials", [_with(WEAK, p_sided="1")], "warning", "fits the interval as two-sided"),
    ("p_value_sidedness", "trials", [_with(WEAK, p_sided="unknown")], "note", "by the interval it is two-sided"),
    ("p_value_information", "trials",
     [_with(TRIAL, estimate="0.98", ci_low="", ci_high="", p_value="0.42")], "warning", "fits as one-sided"),
    ("se_below_bound", "trials", [_with(TRIAL, ci_low="0.75", ci_high="0.85")], "error", "2/sqrt(310)"),
    ("se_below_bound_cases", "associations", [_with(ASSOCIATION, ci_low="1.40", ci_high="1.61")], "error", "400 cases"),
    ("se_too_large", "trials", [_with(TRIAL, ci_low="0.35", ci_high="1.83")], "warning", "times"),
    ("se_too_large", "trials", [_with(TRIAL, ci_low="0.016", ci_high="40")], "error", "standard deviation"),
    ("se_too_large_cases", "associations",
     [_with(ASSOCIATION, ci_low="0.30", ci_high="7.50")], "warning", "400 cases in 4 equal groups"),
    ("hr_medians", "trials", [_with(STRONG, median_exp="8.0", median_ctl="13.0")], "error", "exchanged"),
    ("hr_medians", "trials", [_with(TRIAL, median_exp="22.0", median_ctl="8.0")], "warning", "standard errors apart"),
    ("hr_medians", "trials", [_with(TRIAL, median_exp="8.0", median_ctl="8.6")], "warning", "other direction"),
    ("grim", "trials", [_with(COUNTS, percent_exp="28")], "error", "are 25.00 %"),
    ("grim", "trials", [_with(COUNTS, events_exp="", n_exp="15", percent_exp="50")], "warning", "no whole number"),
    ("grim", "trials", [_with(COUNTS, events_exp="2", n_exp="3", percent_exp="66.6")], "note", "cut off"),
    ("percentage_n", "trials",
     [COUNTS, _with(COUNTS, row_id="a-03", outcome="sae", n_exp="", events_exp="90", percent_exp="30")],
     "warning", "other rows of the study have 200"),
    ("counts_nested", "trials",
     [COUNTS, _with(COUNTS, row_id="a-03", outcome="dcr", events_exp="45", percent_exp="")], "error", "contains it"),
    ("counts_nested", "trials",
     [COUNTS, _with(COUNTS, row_id="a-03", outcome="dcr", events_exp="40", n_exp="180", percent_exp="")],
     "warning", "denominators differ"),
    ("exposure_groups", "dose_response", [_with(REFERENT, reference="0"), GROUP], "warning", "0 referent"),
    ("exposure_groups", "dose_response", [_with(REFERENT, estimate="1.2"), GROUP], "warning", "accepted is 1"),
    ("exposure_groups", "dose_response",
     [REFERENT, _with(GROUP, estimate="0.40", ci_low="0.28", ci_high="0.58")], "warning", "Rows exchanged"),
    ("same_registration", "trials", [TRIAL, _with(TRIAL, **_OTHER | {"nct_id": "NCT09; nct01"})], "warning", "NCT01"),
    ("same_numbers", "trials", [TRIAL, _with(TRIAL, **_OTHER)], "error", "one trial under two names"),
    ("same_cohort", "associations",
     [ASSOCIATION, _with(ASSOCIATION, row_id="m-01", study_id="m", population_id="m", estimate="1.51")],
     "warning", "twice"),
    ("shared_control", "trials",
     [TRIAL, _with(TRIAL, row_id="a-03", experimental="2x + c", estimate="0.81")], "error", "one control arm"),
    ("subset_in_primary", "trials", [_with(TRIAL, population="IHC-positive subset")], "warning", "subset"),
    ("subset_in_primary", "trials",
     [TRIAL, _with(TRIAL, row_id="a-03", population="IHC positive", n_exp="90", events_exp="70")],
     "warning", "part of the second"),
    ("single_extraction", "trials", [_with(TRIAL, extraction="single")], "note", "One reader"),
    ("no_locator", "trials", [_with(TRIAL, locator="")], "note", "where in its source"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "table", "rows", "severity", "says"), PLANTED, ids=[f"{case[0]}-{case[3]}" for case in PLANTED]
)
def test_a_planted_fault_is_found(rule, table, rows, severity, says, tmp_path):
    found = _of(_audited(tmp_path, (SOURCE, {**SOURCE, "source_id": "s2"}), **{table: rows}), rule)
    assert found
    assert found[0].severity == severity
    assert says in found[0].sentence
    assert found[0].table == table
    assert found[0].reference


@pytest.mark.parametrize(
    ("rule", "use", "source", "severity"),
    [
        ("retracted", "sensitivity", {"status": "retracted"}, "error"),
        ("retracted", "exclude", {"status": "retracted"}, "note"),
        ("corrected", "primary", {"status": "corrected"}, "warning"),
        ("second_hand", "primary", {"type": "secondary_table"}, "note"),
        ("source_missing", "primary", {"pmid": ""}, "note"),
    ],
)
def test_a_fault_of_the_source_is_found(rule, use, source, severity, tmp_path):
    row = _with(TRIAL, use=use, use_reason="" if use == "primary" else "why")
    found = _of(_audited(tmp_path, ({**SOURCE, **source},), trials=[row]), rule)
    assert [each.severity for each in found] == [severity]


def test_another_report_of_a_retracted_trial_is_found(tmp_path):
    old = {**SOURCE, "source_id": "old", "status": "retracted", "nct_id": "NCT01"}
    assert "which is retracted" in _of(_audited(tmp_path, (SOURCE, old), trials=[TRIAL]), "trial_retracted")[0].sentence


def test_without_a_table_of_sources_no_number_can_be_followed(tmp_path):
    found = _of(_audited(tmp_path, (), trials=[TRIAL]), "source_missing")
    assert [each.severity for each in found] == ["warning"]


@pytest.mark.parametrize(("study", "derived"), [("b", "b-01"), ("a", "b-01")])
def test_a_judgement_of_nothing_is_found(study, derived, tmp_path):
    judged = {"study_id": study, "tool": "t", "domain": "d", "judgement": "low", "derived": derived}
    result = _audited(tmp_path, trials=[TRIAL], risk_of_bias=[judged])
    assert [each.row for each in _of(result, "judgement_of_nothing")] == [2]


def test_every_rule_has_a_planted_fault():
    planted = {rule for rule, *_ in PLANTED}
    of_sources = {"retracted", "corrected", "second_hand", "source_missing", "trial_retracted", "judgement_of_nothing"}
    assert planted | of_sources == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_finding_names_the_row_that_a_spreadsheet_shows(tmp_path):
    found = _of(_audited(tmp_path, trials=[COUNTS, _with(TRIAL, estimate="0.98")]), "interval_asymmetric")
    assert [(each.row, each.row_id, each.study_id) for each in found] == [(3, "a-01", "a")]
    assert found[0].to_dict()["numbers"]["middle"] == 0.8


def test_what_an_excluded_row_is_found_with_is_one_step_less_severe(tmp_path):
    row = _with(TRIAL, estimate="0.98", use="exclude", use_reason="why")
    assert _of(_audited(tmp_path, trials=[row]), "interval_asymmetric")[0].severity == "warning"


@settings(max_examples=100, deadline=None)
@given(
    log_hr=st.floats(-1.2, 1.2),
    events=st.tuples(st.integers(8, 900), st.integers(8, 900)),
    inflation=st.floats(1.0, 1.5),
    decimals=st.integers(1, 3),
    level=st.sampled_from([80, 90, 95, 99]),
    sided=st.sampled_from(["1", "2"]),
    median=st.floats(2, 40),
)
def test_a_hazard_ratio_that_is_right_is_never_an_error_however_it_is_rounded(
    tmp_path_factory, log_hr, events, inflation, decimals, level, sided, median
):
    """A Wald interval of the information that the events hold, its p-value, exponential medians: all rounded."""
    se = inflation * math.sqrt(1 / events[0] + 1 / events[1])
    z = NORMAL.inv_cdf(0.5 + level / 200)
    low, high = (math.exp(log_hr + sign * z * se) for sign in (-1, 1))
    if low < 10.0**-decimals:
        return
    p = NORMAL.cdf(log_hr / se) if sided == "1" else 2 * NORMAL.cdf(-abs(log_hr / se))
    row = _with(
        TRIAL,
        estimate=f"{math.exp(log_hr):.{decimals}f}",
        ci_low=f"{low:.{decimals}f}",
        ci_high=f"{high:.{decimals}f}",
        ci_level=level,
        p_value=f"{p:.3f}" if p >= 0.001 else "<0.001",
        p_sided=sided,
        events_exp=events[0],
        n_exp=2 * events[0],
        events_ctl=events[1],
        n_ctl=2 * events[1],
        median_exp=f"{median:.1f}",
        median_ctl=f"{median * math.exp(log_hr):.1f}",
    )
    if float(row["median_ctl"]) == 0:
        return
    result = _audited(tmp_path_factory.mktemp("t"), trials=[row])
    assert [each for each in result.findings if each.severity == "error"] == []
    assert _of(result, "interval_asymmetric") == []
    assert _of(result, "p_value_interval") == []


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_counts_that_are_right_are_never_an_error_however_they_are_rounded(tmp_path_factory, data):
    n = data.draw(st.integers(1, 700))
    controlled = data.draw(st.integers(0, n))
    responses = data.draw(st.integers(0, controlled))
    decimals = data.draw(st.integers(0, 2))
    shown = data.draw(st.booleans())
    rows = [
        _with(COUNTS, row_id=f"a-{name}", outcome=name, n_exp=n, events_exp=x if shown else "",
              percent_exp=f"{100 * x / n:.{decimals}f}")
        for name, x in (("orr", responses), ("dcr", controlled))
    ]  # fmt: skip
    result = _audited(tmp_path_factory.mktemp("t"), trials=rows)
    assert _of(result, "grim") == []
    assert _of(result, "counts_nested") == []


@pytest.mark.parametrize(("name", "rows"), CLEAN.items())
def test_one_file_is_known_by_its_columns(name, rows, tmp_path):
    _write(tmp_path / "anything.csv", rows)
    assert main_tables_of(tmp_path / "anything.csv") == (name,)
    assert list(audit(load_evidence(tmp_path / "anything.csv", tables=(name,))).rows) == [name]


def test_the_shipped_evidence_has_no_error():
    result = audit(load_evidence())
    assert result.at_least("error") == ()
    assert result.rows == {"trials": 329, "associations": 298, "dose_response": 106, "risk_of_bias": 46}
