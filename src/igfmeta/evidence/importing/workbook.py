"""A sheet of an Excel workbook as a table of text, where what it shows is what was typed; otherwise a sentence."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.candidates import LeftOut
from igfmeta.evidence.importing.uploads import Upload
from igfmeta.evidence.reading import RawTable, table_of_cells

#: Rows in which the header is looked for, and known names that make one.
HEADER_WITHIN, NAMES_OF_A_HEADER = 50, 2

Rows = list[list[Any]]


def is_workbook(upload: Upload) -> bool:
    """Return whether an upload is a workbook of Excel."""
    return any(name.endswith("xl/workbook.xml") for name in upload.members)


def sheet_table(upload: Upload, is_known: Callable[[str], bool]) -> tuple[RawTable, list[LeftOut]]:
    """Return the table of a sheet and what stands above its header.

    Parameters
    ----------
    upload : Upload
    is_known : callable
        Whether a name is one of a column; the header is the first row with two of them, or else the first row.

    Raises
    ------
    InputError
        No such sheet, or several and none named; formulas whose value was not saved; merged cells in the table.
    """
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            "Reading Excel needs the extra packages of igfmeta[tables]; install them, or give CSV."
        ) from None
    try:
        shown = openpyxl.load_workbook(io.BytesIO(upload.data), read_only=True, data_only=True)
        written = openpyxl.load_workbook(io.BytesIO(upload.data), read_only=True)
        name = _sheet_name(upload, list(shown.sheetnames))
        cells: Rows = [list(row) for row in shown[name].iter_rows(values_only=True)]
        formulas: Rows = [list(row) for row in written[name].iter_rows(values_only=True)]
        merged = _merged(upload, name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(Problem(f"cannot be read as Excel ({type(error).__name__}).", upload.file)) from None
    header = _header(cells, is_known)
    problems = [*_unsaved(cells, formulas, upload.file), *_spread(merged, header + 1, upload.file)]
    if problems:
        raise InputError(problems)
    above = [" ".join(str(cell) for cell in row if cell is not None) for row in cells[:header]]
    left = [
        LeftOut(f"{upload.file}, row {i}", text, "it stands above the header.")
        for i, text in enumerate(above, 1)
        if text
    ]
    table = table_of_cells([[None] * len(row) for row in cells[:header]] + _typed(cells[header:]), upload.file)
    return table, left


def _sheet_name(upload: Upload, names: Sequence[str]) -> str:
    if upload.sheet is None and len(names) > 1:
        raise InputError(Problem(f"has the sheets {', '.join(names)}; name one by --sheet.", upload.file))
    name = upload.sheet or names[0]
    if name not in names:
        raise InputError(Problem(f"has no sheet {name!r}; found are {', '.join(names)}.", upload.file))
    return name


def _header(cells: Rows, is_known: Callable[[str], bool]) -> int:
    """Return the index of the header row."""
    for i, row in enumerate(cells[:HEADER_WITHIN]):
        if sum(is_known(str(cell).strip()) for cell in row if cell is not None) >= NAMES_OF_A_HEADER:
            return i
    return 0


def _typed(cells: Rows) -> Rows:
    """Return cells with dates in words: a spreadsheet makes dates of what was typed, and that is lost."""
    return [[_in_words(cell) if isinstance(cell, (datetime.date, datetime.time)) else cell for cell in row]
            for row in cells]  # fmt: skip


def _in_words(value: Any) -> str:
    day = value.date() if isinstance(value, datetime.datetime) and value.time() == datetime.time() else value
    return f"{day.isoformat()} (a date in the workbook)"


def _unsaved(cells: Rows, formulas: Rows, file: str) -> list[Problem]:
    return [
        Problem("is a formula whose value was not saved; open and save the file in a spreadsheet.", file, i, letters(j))
        for i, (values, texts) in enumerate(zip(cells, formulas, strict=True), start=1)
        for j, (value, text) in enumerate(zip(values, texts, strict=True), start=1)
        if value is None and isinstance(text, str) and text.startswith("=")
    ]


def _spread(merged: Sequence[str], header: int, file: str) -> list[Problem]:
    """Return the merged cells from the header on; only the first of them holds the value."""
    return [
        Problem(f"has the merged cells {each}; unmerge them and write the value into each.", file)
        for each in merged
        if max(int(number) for number in re.findall(r"\d+", each)) >= header
    ]


def _merged(upload: Upload, sheet: str) -> list[str]:
    """Return the merged cells of a sheet, such as A2:A5; reading row by row does not give them."""
    from defusedxml.ElementTree import fromstring

    def parts(path: str, tag: str) -> list[dict[str, str]]:
        found = fromstring(upload.members[path], forbid_dtd=True).iter()
        return [{key.rsplit("}", 1)[-1]: text for key, text in each.attrib.items()} for each in found
                if each.tag.rsplit("}", 1)[-1] == tag]  # fmt: skip

    key = next(each["id"] for each in parts("xl/workbook.xml", "sheet") if each["name"] == sheet)
    target = next(each["Target"] for each in parts("xl/_rels/workbook.xml.rels", "Relationship") if each["Id"] == key)
    data = upload.members[target.removeprefix("/") if target.startswith("/") else f"xl/{target}"]
    return [each.decode() for each in re.findall(rb'mergeCell\s[^>]*?ref="([A-Z]+\d+(?::[A-Z]+\d+)?)"', data)]


def letters(column: int) -> str:
    """Return the letters of a column as a spreadsheet shows them.

    Examples
    --------
    >>> letters(1), letters(28)
    ('A', 'AB')
    """
    out = ""
    while column:
        column, rest = divmod(column - 1, 26)
        out = chr(ord("A") + rest) + out
    return out
