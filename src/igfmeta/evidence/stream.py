"""Tables too long to hold as text: read row by row, kept as numbers and the number of their group."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.columns import BLANK, MISSING, missing_column, not_a_number
from igfmeta.evidence.reading import TEXT_SUFFIXES, check_suffix, delimiter_of, refuse_binary, table_of_bytes
from igfmeta.files import content_of
from igfmeta.numerics import Floats

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

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
    sha256 : str
        Of the file as it was read.
    """

    file: str
    groups: tuple[str, ...]
    group: np.ndarray[tuple[int], np.dtype[np.int64]]
    row: np.ndarray[tuple[int], np.dtype[np.int64]]
    numbers: Mapping[str, Floats]
    unreadable: Mapping[int, Problem]
    sha256: str


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
    digest = hashlib.sha256()
    records = _records(path, digest)
    header = _header(next(records, None), path.name)
    numeric = list(dict.fromkeys(numeric))
    absent = [name for name in [*numeric, group] if name not in header]
    if absent:
        raise InputError([missing_column(name, header, path.name) for name in absent])
    places, by = [header.index(name) for name in numeric], header.index(group)
    known: dict[str, int] = {}
    unreadable: dict[int, Problem] = {}
    codes, rows, columns = [], [], [[] for _ in numeric]  # type: ignore[var-annotated]
    for part in _parts(records, rows_at_a_time):
        row, table = _columns(part, len(header), by, path.name)
        if not row:
            continue
        code = [known.setdefault(name, len(known)) for name in table[by]]
        for name, at, column in zip(numeric, places, columns, strict=True):
            values, wrong = _numbers(table[at])
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
        sha256=digest.hexdigest(),
    )


def _parts(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while part := list(itertools.islice(records, size)):
        yield part


class _Hashing(io.RawIOBase):
    """Bytes of a file that are hashed as they are read: the hash is of what was read, whatever happens to the file."""

    def __init__(self, raw: io.FileIO, digest: Digest) -> None:
        self.raw, self.digest = raw, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self.raw.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:size])
        return size


def _records(path: Path, digest: Digest) -> Iterator[Record]:
    """Yield the rows with their numbers, from the first that is not blank; `digest` is that of the file in the end."""
    if path.suffix.lower() not in TEXT_SUFFIXES:
        check_suffix(path)
        content = content_of(path)
        digest.update(content)
        table = table_of_bytes(content, path.name)
        yield 1, list(table.header)
        yield from ((number, list(cells)) for number, cells in zip(table.numbers, table.rows, strict=True))
        return
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file; a file is needed here.")
    try:
        with path.open("rb", buffering=0) as raw:
            start = raw.read(65_536)
            refuse_binary(start, path.name)
            separator = delimiter_of(start.decode("utf-8-sig", errors="replace"))
            raw.seek(0)
            buffered = io.BufferedReader(_Hashing(raw, digest), 1 << 20)
            stream = io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
            rows = enumerate(csv.reader(stream, delimiter=separator, strict=True), start=1)
            yield from itertools.dropwhile(lambda record: not any(map(str.strip, record[1])), rows)
    except csv.Error as error:
        message = f"cannot be read as CSV ({error}); look for a quote that is not closed."
        raise InputError(Problem(message, file=path.name)) from None
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
    row, names = first[0], [name.strip() for name in first[1]]
    while names and not names[-1]:
        names = names[:-1]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        message = "the column name {!r} stands more than once; each name is needed once."
        raise InputError([Problem(message.format(name), file=file, row=row) for name in twice])
    return names


def _columns(part: list[Record], width: int, by: int, file: str) -> tuple[list[int], list[list[str]]]:
    """Return the row numbers and the columns of some rows, those left out that are blank; ragged rows are refused."""
    lengths = {len(cells) for _, cells in part}
    table = [list(column) for column in zip(*(cells for _, cells in part), strict=True)] if lengths == {width} else []
    if table:
        table[by] = [name.strip() for name in table[by]]
        if "" not in table[by]:
            return [number for number, _ in part], table
    stripped = [(number, [cell.strip() for cell in cells]) for number, cells in part]
    filled = [(number, cells) for number, cells in stripped if any(cells)]
    ragged = [
        Problem(
            f"has {len(cells)} cells where the header has {width}; a cell that holds the separator needs quotes "
            "around it.",
            file=file,
            row=number,
        )
        for number, cells in filled
        if len(cells) < width or any(cells[width:])
    ]
    if ragged:
        more = [Problem("has more such rows.", file=file)] if len(ragged) > MOST_PROBLEMS else []
        raise InputError([*ragged[:MOST_PROBLEMS], *more])
    table = [list(column) for column in zip(*(cells[:width] for _, cells in filled), strict=True)]
    if table:
        table[by] = [name or BLANK for name in table[by]]
    return [number for number, _ in filled], table


def _numbers(cells: list[str]) -> tuple[Floats, dict[int, str]]:
    """Return cells as numbers, and why some are none; the usual part, without a fault or a blank, in one go."""
    with contextlib.suppress(ValueError):
        values = np.array(list(map(float, cells)))
        if np.isfinite(values).all() and "_" not in "".join(cells):
            return values, {}
    cells = [cell.strip() for cell in cells]
    wrong = {i: reason for i, cell in enumerate(cells) if cell not in MISSING and (reason := not_a_number(cell))}
    read = [math.nan if i in wrong or cell in MISSING else float(cell) for i, cell in enumerate(cells)]
    return np.array(read, dtype=float), wrong
