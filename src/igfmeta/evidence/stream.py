"""Tables too long to hold as text: read row by row, kept as numbers and the number of their group."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.columns import BLANK, MISSING, missing_column, not_a_number
from igfmeta.evidence.reading import TEXT_SUFFIXES, delimiter_of, read_table, refuse_binary
from igfmeta.numerics import Floats

#: Rows that are held as text at a time, and problems of the table that are listed.
ROWS_AT_A_TIME, MOST_PROBLEMS = 20_000, 20

Record = tuple[int, list[str]]


@dataclass(frozen=True, eq=False)
class GroupedNumbers:
    """Columns of numbers with the group of each row: 8 bytes per number, whatever the table.

    Attributes
    ----------
    file : str
    groups : tuple of str
        Names, in the order in which the groups first appear.
    group : ndarray of int, shape (rows,)
        Position of each row's group in `groups`.
    row : ndarray of int, shape (rows,)
        As a spreadsheet counts: the header is row 1.
    numbers : mapping of str to ndarray of shape (rows,)
        By name of the column; NaN for a blank, or NA.
    unreadable : mapping of int to Problem
        The first cell of a group that is not a number.
    """

    file: str
    groups: tuple[str, ...]
    group: np.ndarray[tuple[int], np.dtype[np.int64]]
    row: np.ndarray[tuple[int], np.dtype[np.int64]]
    numbers: Mapping[str, Floats]
    unreadable: Mapping[int, Problem]


def read_grouped(
    path: Path, *, numeric: Sequence[str], group: str, rows_at_a_time: int = ROWS_AT_A_TIME
) -> GroupedNumbers:
    """Read columns of numbers and the column that groups the rows; the rows of a group may stand anywhere.

    Text tables are read `rows_at_a_time`; Parquet and Excel as a whole.

    Raises
    ------
    InputError
        A file that cannot be read, columns that are not there, ragged rows.
    """
    records = _records(path)
    header = _header(next(records, None), path.name)
    numeric = list(dict.fromkeys(numeric))
    absent = [name for name in [*numeric, group] if name not in header]
    if absent:
        raise InputError([missing_column(name, header, path.name) for name in absent])
    places, by = [header.index(name) for name in numeric], header.index(group)
    known: dict[str, int] = {}
    unreadable: dict[int, Problem] = {}
    codes, rows, columns = [], [], [[] for _ in numeric]  # type: ignore[var-annotated]
    for part in _parts(_even(records, len(header), path.name), rows_at_a_time):
        code = [known.setdefault(cells[by] or BLANK, len(known)) for _, cells in part]
        row = [number for number, _ in part]
        for name, at, column in zip(numeric, places, columns, strict=True):
            values, wrong = _numbers([cells[at] for _, cells in part])
            column.append(values)
            for i, reason in wrong.items():
                unreadable.setdefault(code[i], Problem(reason, row=row[i], column=name))
        codes.append(np.array(code, dtype=np.int64))
        rows.append(np.array(row, dtype=np.int64))
    if not rows:
        raise InputError(Problem("has a header and no rows.", file=path.name))
    return GroupedNumbers(
        file=path.name,
        groups=tuple(known),
        group=np.concatenate(codes),
        row=np.concatenate(rows),
        numbers={name: np.concatenate(column) for name, column in zip(numeric, columns, strict=True)},
        unreadable=unreadable,
    )


def _parts(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while part := list(itertools.islice(records, size)):
        yield part


def _records(path: Path) -> Iterator[Record]:
    """Yield the rows that are not blank, with their numbers, cells stripped."""
    if path.suffix.lower() not in TEXT_SUFFIXES:
        table = read_table(path)
        yield 1, list(table.header)
        yield from ((number, list(cells)) for number, cells in zip(table.numbers, table.rows, strict=True))
        return
    number = 0
    try:
        with path.open("rb") as raw:
            refuse_binary(raw.read(4096), path.name)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            start = stream.read(65_536)
            separator = delimiter_of(start)
            stream.seek(0)
            for number, cells in enumerate(csv.reader(stream, delimiter=separator, strict=True), start=1):
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield number, stripped
    except csv.Error as error:
        message = f"cannot be read as CSV ({error}); look for a quote that is not closed."
        raise InputError(Problem(message, file=path.name, row=number + 1)) from None
    except UnicodeDecodeError as error:
        message = (
            f"holds byte {error.object[error.start]:#04x}, which is not UTF-8. Save the file again as 'CSV UTF-8'."
        )
        raise InputError(Problem(message, file=path.name)) from None
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _header(first: Record | None, file: str) -> list[str]:
    if first is None:
        raise InputError(Problem("is empty; a header row with the names of the columns is needed.", file=file))
    row, names = first
    while names and not names[-1]:
        names = names[:-1]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        message = "the column name {!r} stands more than once; each name is needed once."
        raise InputError([Problem(message.format(name), file=file, row=row) for name in twice])
    return names


def _even(records: Iterator[Record], width: int, file: str) -> Iterator[Record]:
    """Yield the rows that have a cell for each name of the header; others are refused together, at the end."""
    ragged: list[Problem] = []
    for number, cells in records:
        if len(cells) < width or any(cells[width:]):
            message = (
                f"has {len(cells)} cells where the header has {width}; a cell that holds the separator needs quotes "
                "around it."
            )
            ragged.append(Problem(message, file=file, row=number))
            if len(ragged) == MOST_PROBLEMS:
                raise InputError([*ragged, Problem("may hold more such rows; these were the first.", file=file)])
            continue
        yield number, cells
    if ragged:
        raise InputError(ragged)


def _numbers(cells: list[str]) -> tuple[Floats, dict[int, str]]:
    """Return cells as numbers, and why some are none; the usual part, without a fault, in one go."""
    try:
        values = np.array([math.nan if cell in MISSING else float(cell) for cell in cells])
        blank = sum(cell in MISSING for cell in cells)
        if int(np.isfinite(values).sum()) + blank == len(cells) and "_" not in "".join(cells):
            return values, {}
    except ValueError:
        pass
    wrong = {i: reason for i, cell in enumerate(cells) if cell not in MISSING and (reason := not_a_number(cell))}
    read = [math.nan if i in wrong or cell in MISSING else float(cell) for i, cell in enumerate(cells)]
    return np.array(read, dtype=float), wrong
