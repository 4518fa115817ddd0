"""One study out of the tables of AACT of any size, as a folder or a zip archive, in bounded memory.

The full export has half a million studies and unpacks to many gigabytes. The tables are read block by block; a block
that does not name the study is not even parsed. A block ends where a line ends outside quotes, so that text of several
lines stays whole.
"""

from __future__ import annotations

import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.aact import NEEDED, are_tables, table_name
from igfmeta.evidence.importing.uploads import LARGEST, MEMBERS, Upload, as_text

#: Bytes of a block; of the longest record; of everything that is read, in an archive also by what it is packed in.
BLOCK, LONGEST_RECORD = 8_000_000, 64_000_000
LARGEST_DUMP, LARGEST_RATIO = 100_000_000_000, 200
#: What reading a file or unpacking an archive may raise.
UNREADABLE = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


def holds_tables(path: Path) -> bool:
    """Return whether a folder or archive holds tables of AACT, by the names of its files alone."""
    try:
        if path.is_dir():
            return are_tables([each.name for each in path.iterdir()])
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return are_tables(archive.namelist())
    except (ValueError, OverflowError, *UNREADABLE):
        return False


def one_study(path: Path, nct_id: str) -> Upload:
    """Return the tables of one study, as if they were an export of their own.

    Raises
    ------
    InputError
        A table that cannot be read or stands there twice; bounds passed; no such study.
    """
    members: dict[str, bytes] = {}
    kept = 0
    try:
        for name, stream in _tables(path):
            file = f"{name}.txt"
            if file in members:
                raise InputError(Problem(f"holds {file} twice; keep one.", path.name))
            members[file] = _rows_of(stream, file, nct_id, LARGEST - kept) if name in NEEDED else b""
            kept += len(members[file])
    except UNREADABLE as error:
        raise InputError(Problem(f"holds a table that cannot be read or unpacked ({error}).", path.name)) from None
    if members.get("studies.txt", b"").count(b"\n") < 2:
        raise InputError(Problem(f"holds no study {nct_id}.", path.name))
    return Upload(path.name, b"", members)


def _tables(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the tables of a folder or archive, each with a stream of it that is open until the next."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".txt" and each.is_file())
        _check_bounds(path.name, [each.stat().st_size for each in files])
        for each in files:
            with each.open("rb") as stream:
                yield table_name(each.name), stream
        return
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".txt")]
        _check_bounds(path.name, [entry.file_size for entry in entries], [entry.compress_size for entry in entries])
        for entry in entries:
            with archive.open(entry) as unpacked:
                yield table_name(entry.filename), unpacked


def _check_bounds(file: str, sizes: list[int], packed: list[int] | None = None) -> None:
    """Refuse too many tables, too many bytes, and an archive that holds more than text can be packed into it.

    An archive is never read beyond the size that its directory says.
    """
    if len(sizes) > MEMBERS or sum(sizes) > LARGEST_DUMP:
        raise InputError(Problem(f"holds more than {MEMBERS} tables or {LARGEST_DUMP // 10**9} GB.", file))
    if packed is not None and sum(sizes) > LARGEST_RATIO * sum(packed) + BLOCK:
        message = f"would unpack to more than {LARGEST_RATIO} times its size, which no export does; it was not read."
        raise InputError(Problem(message, file))


def _rows_of(stream: IO[bytes], file: str, nct_id: str, room: int) -> bytes:
    """Return header and rows of one study, as a table of its own."""
    wanted = nct_id.encode()
    out = io.StringIO()
    writer = csv.writer(out, delimiter="|", lineterminator="\n")
    column: int | None = None
    for block in _blocks(stream, file):
        if column is not None and wanted not in block:
            continue
        reader = csv.reader(io.StringIO(as_text(block, file), newline=""), delimiter="|", strict=True)
        try:
            if column is None:
                header = next(reader, [])
                if "nct_id" not in header:
                    raise InputError(Problem("lacks the column nct_id.", file))
                column = header.index("nct_id")
                writer.writerow(header)
            writer.writerows(line for line in reader if len(line) > column and line[column].strip() == nct_id)
        except csv.Error as error:
            raise InputError(Problem(f"cannot be read ({error}).", file)) from None
        if out.tell() > room:
            raise InputError(Problem(f"holds more than {LARGEST // 10**6} MB of {nct_id}.", file))
    return out.getvalue().encode()


def _blocks(stream: IO[bytes], file: str) -> Iterator[bytes]:
    """Yield a table in pieces that end with a line, outside quotes."""
    rest = b""
    while chunk := stream.read(BLOCK):
        rest += chunk
        end = _end_of_records(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST_RECORD:
            raise InputError(Problem("holds a record without an end; look for a quote that is not closed.", file))
    if rest:
        yield rest


def _end_of_records(data: bytes) -> int:
    """Return where the last whole record ends: after a line end that an even number of quotes precedes; 0 for none."""
    end = data.rfind(b"\n") + 1
    odd = data.count(b'"', 0, end) % 2
    while end and odd:
        before = data.rfind(b"\n", 0, end - 1) + 1
        odd ^= data.count(b'"', before, end) % 2
        end = before
    return end
