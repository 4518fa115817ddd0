"""Named columns of anybody's table, as numbers and as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igfmeta.errors import InputError, Problem, listed
from igfmeta.evidence.reading import RawTable, read_table

if TYPE_CHECKING:
    import pandas as pd

_DECIMAL_COMMA = re.compile(r"^[+-]?\d+,\d+$")

#: What R writes for a missing value; read as a blank.
MISSING = ("", "NA")

#: The group of the rows whose group is blank.
BLANK = "(blank)"


def not_a_number(text: str) -> str | None:
    """Return why a text is not a finite number, as a sentence; None where it is one.

    Examples
    --------
    >>> not_a_number("0,92")
    "found '0,92', a decimal comma; write 0.92."
    """
    if _DECIMAL_COMMA.match(text):
        return f"found {text!r}, a decimal comma; write {text.replace(',', '.')}."
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if "_" in text or not math.isfinite(value):
        return f"found {text!r}; accepted is a number such as 0.92, or nothing."
    return None


def missing_column(name: str, header: Sequence[str], file: str) -> Problem:
    """Return the problem of a column that is not there, with the names that come near."""
    import difflib

    near = difflib.get_close_matches(name.lower(), [h.lower() for h in header], n=1, cutoff=0.6)
    hint = next((f" Did you mean {h!r}?" for h in header if near and h.lower() == near[0]), "")
    return Problem(f"there is no column {name!r}; the columns are {listed(header)}.{hint}", file=file)


def read_columns(path: Path, *, numeric: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
    """Return columns of a table.

    Parameters
    ----------
    path : Path
        CSV (comma, semicolon or tab; UTF-8), Parquet or Excel.
    numeric, text : sequence of str
        Names of columns. A blank, or NA, in a numeric column is NaN.

    Returns
    -------
    DataFrame
        Indexed by the row numbers of a spreadsheet (index name "row"), `attrs["file"]` the name of the file.

    Raises
    ------
    InputError
        Columns that are not there and cells that are not numbers: all at once.
    """
    import pandas as pd

    table = read_table(Path(path))
    problems = [
        missing_column(n, table.header, table.file) for n in dict.fromkeys([*numeric, *text]) if n not in table.header
    ]
    if problems:
        raise InputError(problems)
    cells = {name: _cells(table, name) for name in dict.fromkeys([*numeric, *text])}
    problems = [
        Problem(reason, file=table.file, row=number, column=name)
        for name in dict.fromkeys(numeric)
        for number, cell in zip(table.numbers, cells[name], strict=True)
        if cell not in MISSING and (reason := not_a_number(cell))
    ]
    if problems:
        raise InputError(problems)
    data = {n: [math.nan if c in MISSING else float(c) for c in cells[n]] if n in numeric else cells[n] for n in cells}
    frame = pd.DataFrame(data, index=pd.Index(table.numbers, name="row", dtype="int64"))
    frame.attrs["file"] = table.file
    return frame


def _cells(table: RawTable, name: str) -> list[str]:
    at = table.header.index(name)
    return [row[at] for row in table.rows]
