"""Two states of the evidence compared: by identity of rows, cell by cell, numbers as numbers."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from igfmeta.evidence import load_evidence
from igfmeta.evidence.differences import compare_evidence
from igfmeta.resources import data_folder


@pytest.fixture
def edited(tmp_path):
    """Return a function that loads the shipped evidence after a table was edited as text."""

    def load(edit, table="trials"):
        for file in data_folder().glob("*.csv"):
            shutil.copy(file, tmp_path)
        path = tmp_path / f"{table}.csv"
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        edit(frame).to_csv(path, index=False)
        return load_evidence(tmp_path)

    return load


def test_rows_in_another_order_and_numbers_in_another_print_are_no_change(edited):
    def shuffled(frame):
        frame.loc[frame["row_id"] == "rugo2017-01", "estimate"] += "0"
        return frame.iloc[::-1]

    assert compare_evidence(load_evidence(), edited(shuffled)).rows == ()


def test_a_changed_cell_is_named_with_what_it_was_and_is(edited):
    def corrected(frame):
        frame.loc[frame["row_id"] == "fuchs2015-01", ["estimate", "note"]] = ["0.99", "corrected"]
        return frame

    found = compare_evidence(load_evidence(), edited(corrected))
    (change,) = found.rows
    assert (change.table, change.key, change.study, change.kind) == ("trials", "fuchs2015-01", "fuchs2015", "changed")
    assert ("estimate", "1.00", "0.99") in [(cell.column, cell.old, cell.new) for cell in change.cells]
    assert {cell.column for cell in change.cells} == {"estimate", "note"}
    assert [(study.study, study.kind, study.rows_changed) for study in found.studies] == [("fuchs2015", "changed", 1)]


def test_a_study_that_loses_some_rows_changed_and_one_that_loses_all_went(edited):
    def cut(frame):
        return frame[~((frame["row_id"] == "fuchs2015-06") | (frame["study_id"] == "rugo2017"))]

    found = compare_evidence(load_evidence(), edited(cut))
    kinds = {study.study: (study.kind, study.rows_went) for study in found.studies}
    assert kinds["fuchs2015"] == ("changed", 1)
    assert kinds["rugo2017"][0] == "went"


def test_exposure_groups_are_known_by_study_cancer_marker_and_number(edited):
    def corrected(frame):
        frame.loc[3, "n_cases"] = str(int(float(frame.loc[3, "n_cases"])) + 1)
        return frame

    evidence = load_evidence()
    (change,) = compare_evidence(evidence, edited(corrected, "dose_response")).rows
    assert change.table == "dose_response"
    assert change.key.startswith(evidence.table("dose_response")[3]["study_id"])
    assert [cell.column for cell in change.cells] == ["n_cases"]


def test_of_two_versions_one_is_the_mirror_of_the_other(edited):
    old, new = load_evidence(), edited(lambda frame: frame[frame["study_id"] != "fuchs2015"])
    there, back = compare_evidence(old, new), compare_evidence(new, old)
    assert [(row.key, row.kind) for row in there.rows] == [(row.key, {"came": "went"}[row.kind]) for row in back.rows]
