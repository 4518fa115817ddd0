"""Files -> rows of text with the row numbers that a spreadsheet shows, whatever the file is made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igfmeta.errors import InputError, Problem
from igfmeta.files import content_of

if TYPE_CHECKING:
    import pandas as pd

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
FRAME_SUFFIXES = (".parquet", ".xlsx")
#: Bytes that a workbook may unpack to; larger tables are read as CSV.
MOST_UNPACKED = 500_000_000
SUFFIXES = (*TEXT_SUFFIXES, *FRAME_SUFFIXES)


@dataclass(frozen=True)
class RawTable:
    """A table as text: header, cells, and for each row its number in a spreadsheet (the header is row 1)."""

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]

    def records(self) -> list[dict[str, str]]:
        """Return one dictionary per row, blank cells left out."""
        return [{n: c for n, c in zip(self.header, row, strict=True) if c and n} for row in self.rows]


def read_table(path: Path) -> RawTable:
    """Read a table from CSV (comma, semicolon or tab), Parquet or Excel.

    Raises
    ------
    InputError
        A file that is missing, not readable, not text in UTF-8, without a header, or with ragged rows (all of them).
    """
    check_suffix(path)
    return table_of_bytes(content_of(path), path.name)


def check_suffix(path: Path) -> None:
    """Refuse a file whose suffix is of no kind of table."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path.name} ends in {suffix or 'nothing'}; accepted are {', '.join(SUFFIXES)}.")


def table_of_bytes(content: bytes, file: str) -> RawTable:
    """Return a table from what a file holds, by the suffix of its name; raises as `read_table`."""
    suffix = Path(file).suffix.lower()
    if suffix in FRAME_SUFFIXES:
        return _from_frame(_frame(file, content, suffix), file)
    return table_of_text(content, file)


def refuse_binary(content: bytes, file: str) -> None:
    """Refuse, by its first bytes, a file that is not text in UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(Problem("is text in UTF-16; accepted is UTF-8. Save it again as 'CSV UTF-8'.", file=file))
    if content[:4] == b"PK\x03\x04" or b"\0" in content[:4096]:
        raise InputError(Problem("is not a text file; accepted are CSV in UTF-8, .parquet and .xlsx.", file=file))


def _decoded(content: bytes, file: str) -> str:
    refuse_binary(content, file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        found = f"byte {content[error.start]:#04x}"
        message = f"holds {found}, which is not UTF-8. Save the file again as 'CSV UTF-8'."
        raise InputError(Problem(message, file=file, row=row)) from None


def table_of_text(content: bytes, file: str) -> RawTable:
    """Return a table from the bytes of a CSV file (comma, semicolon or tab); raises as `read_table`."""
    return _from_text(_decoded(content, file), file)


def table_of_cells(rows: Sequence[Sequence[Any]], file: str) -> RawTable:
    """Return a table from typed cells, its header the first row that is not blank; raises as `read_table`."""
    records = [(number, [_cell(value) for value in row]) for number, row in enumerate(rows, start=1)]
    return _assembled([(number, cells) for number, cells in records if any(cells)], file)


def delimiter_of(text: str) -> str:
    """Return the separator of the header line: the most frequent of comma, semicolon and tab outside quotes."""
    header, quoted, counts = text.lstrip("\r\n").split("\n", 1)[0], False, dict.fromkeys(",;\t", 0)
    for char in header:
        quoted ^= char == '"'
        if not quoted and char in counts:
            counts[char] += 1
    return max(counts, key=lambda char: counts[char])


def _from_text(text: str, file: str) -> RawTable:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    records = []
    try:
        for number, cells in enumerate(reader, start=1):
            records.append((number, [cell.strip() for cell in cells]))
    except csv.Error as error:
        problem = Problem(f"cannot be read as CSV ({error}); look for a quote that is not closed.", file=file,
                          row=len(records) + 1)  # fmt: skip
        raise InputError(problem) from None
    return _assembled([(number, cells) for number, cells in records if any(cells)], file)


def _assembled(records: Sequence[tuple[int, list[str]]], file: str) -> RawTable:
    if not records:
        raise InputError(Problem("is empty; a header row with the names of the columns is needed.", file=file))
    first, header = records[0]
    while header and not header[-1]:
        header = header[:-1]
    problems = [
        Problem(f"the column name {name!r} stands {header.count(name)} times; each name is needed once.", file=file,
                row=first)
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]  # fmt: skip
    rows, numbers = [], []
    for number, cells in records[1:]:
        extra = cells[len(header) :]
        if any(extra) or len(cells) < len(header):
            message = (
                f"has {len(cells)} cells where the header has {len(header)}; a cell that holds the separator needs "
                "quotes around it."
            )
            problems.append(Problem(message, file=file, row=number))
            continue
        rows.append(tuple(cells[: len(header)]))
        numbers.append(number)
    if problems:
        raise InputError(problems)
    return RawTable(file=file, header=tuple(header), rows=tuple(rows), numbers=tuple(numbers))


def _frame(file: str, content: bytes, suffix: str) -> pd.DataFrame:
    import pandas as pd

    try:
        if suffix == ".xlsx":
            _refuse_bomb(file, content)
            return pd.read_excel(io.BytesIO(content), dtype=object, header=None, na_filter=False)
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError:
        kind = "Excel" if suffix == ".xlsx" else "Parquet"
        raise InputError(
            f"Reading {kind} needs the extra packages of igfmeta[tables]; install them, or give CSV."
        ) from None
    except InputError:
        raise
    except Exception as error:
        problem = Problem(f"cannot be read as {suffix[1:]} ({type(error).__name__}).", file=file)
        raise InputError(problem) from None
    return pd.concat([pd.DataFrame([frame.columns], columns=frame.columns), frame], ignore_index=True)


def _refuse_bomb(file: str, content: bytes) -> None:
    """Refuse an archive that would unpack to more than `MOST_UNPACKED` bytes, by the sizes that bound its reading."""
    from zipfile import ZipFile

    unpacked = sum(part.file_size for part in ZipFile(io.BytesIO(content)).infolist())
    if unpacked > MOST_UNPACKED:
        message = f"would unpack to {unpacked:,} bytes; accepted are {MOST_UNPACKED:,}. Save it as CSV."
        raise InputError(Problem(message, file=file))


def _cell(value: Any) -> str:
    """Return a typed cell as the text that a person would have written."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _from_frame(frame: pd.DataFrame, file: str) -> RawTable:
    records = [(i, [_cell(value) for value in row]) for i, row in enumerate(frame.itertuples(index=False), start=1)]
    return _assembled([(number, cells) for number, cells in records if any(cells)], file)
