"""Workbooks as people make them: several sheets, titles above, merged cells, dates, formulas, numbers as text."""

from __future__ import annotations

import datetime

import openpyxl
import pytest

from igfmeta.errors import InputError

HEADER = ["study", "event.e", "n.e", "event.c", "n.c"]
SMITH = ["Smith 2001", 12, 60, 8, 61]


@pytest.fixture
def book(tmp_path):
    """Return a function that writes rows as a workbook; `change` may do what it likes with the sheet."""

    def make(*rows, change=None, more=()):
        made = openpyxl.Workbook()
        made.active.title = "Data"
        for name in more:
            made.create_sheet(name)
        for row in rows:
            made.active.append(row)
        if change is not None:
            change(made.active)
        made.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return make


def _asked(found, column):
    return [d for d in found.doubts if d.column == column]


def test_several_sheets_need_a_name(imported, book):
    path = book(HEADER, SMITH, more=["Notes", "Old"])
    with pytest.raises(InputError, match="has the sheets Data, Notes, Old; name one by --sheet"):
        imported(path)
    assert imported(path, sheet="Data").rows[0]["events_exp"] == "12"
    with pytest.raises(InputError, match="has no sheet 'Neu'; found are Data, Notes, Old"):
        imported(path, sheet="Neu")


def test_a_title_above_the_header_is_passed_over_and_said(imported, book):
    found = imported(book(["Table 2. Objective response"], [], ["As of May"], HEADER, SMITH, ["* read from a figure"]))
    assert found.rows[0]["events_exp"] == "12"
    assert found.rows[0]["locator"] == "a.xlsx, row 5"
    assert [(each.place, each.what) for each in found.left_out] == [
        ("a.xlsx, row 1", "Table 2. Objective response"), ("a.xlsx, row 3", "As of May"),
        ("a.xlsx, row 6", "* read from a figure"),
    ]  # fmt: skip


def test_merged_cells_of_the_table_are_refused_and_those_of_its_title_are_not(imported, book):
    rows = (["Table 2", None, None, None, None], HEADER, SMITH, [None, 5, 40, 4, 41])
    assert len(imported(book(*rows, change=lambda sheet: sheet.merge_cells("A1:E1"))).rows) == 2
    with pytest.raises(InputError, match="has the merged cells A3:A4; unmerge them"):
        imported(book(*rows, change=lambda sheet: sheet.merge_cells("A3:A4")))


def test_a_date_where_a_number_was_typed_is_asked_about(imported, book):
    found = imported(book(HEADER, ["Smith 2001", datetime.datetime(2001, 5, 12), 60, 8, 61]))
    assert found.rows[0]["events_exp"] == ""
    assert _asked(found, "events_exp")[0].found == "2001-05-12 (a date in the workbook)"


def test_a_formula_whose_value_was_not_saved_is_named_by_its_cell(imported, book):
    with pytest.raises(InputError, match="row 2, column C: is a formula whose value was not saved"):
        imported(book(HEADER, ["Smith 2001", 12, "=B2*5", 8, 61]))


@pytest.mark.parametrize("text", ["1,234", "1.234.567", "1 234", "1'234", "12,5"])
def test_a_count_with_a_separator_is_asked_about_and_not_converted(imported, book, text):
    found = imported(book(HEADER, ["Smith 2001", 12, text, 8, 61]))
    assert found.rows[0]["n_exp"] == ""
    asked = _asked(found, "n_exp")[0]
    assert asked.found == text
    assert "decimal comma or a separator of thousands" in asked.question


def test_a_decimal_comma_in_a_table_of_text(imported, tmp_path):
    (tmp_path / "a.csv").write_text("study;HR;lower;upper\nSmith 2001;0,8;0.66;0.97\nBrown 2005;NA;NA;NA\n")
    found = imported(tmp_path / "a.csv")
    assert found.rows[0]["estimate"] == ""
    assert [d.found for d in _asked(found, "estimate")] == ["0,8"]
    assert [(each.place, each.reason) for each in found.left_out] == [
        ("a.csv, row 3", "it holds no effect and no count."),
    ]  # fmt: skip


def test_a_workbook_without_a_known_header_says_what_it_has(imported, book):
    with pytest.raises(InputError, match="no column that is known as an effect or a count; found are a, b"):
        imported(book(["a", "b"], [1, 2]))
