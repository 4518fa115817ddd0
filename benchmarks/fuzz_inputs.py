"""What the targets of fuzz.py share: odd values, changes at random, the frame of a target."""

from __future__ import annotations

import contextlib
import csv
import io
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

#: What cells, lines and values are replaced by.
ODD = (
    "", " ", "NA", "nan", "inf", "-inf", "1e400", "-1e400", "1e308", "5e-324", "-0", "0", "-1", "1", "2", "95", "100.0",
    "0,92", "1_000", "0x1f", "1.5.2", "+", "-", "None", "null", "TRUE", "=1+1", "@x", "\x1b[31m", "\x07", "\u202e",
    "\x00", "\ufeff", "\ud7ff", "٣", "½", "１", "😀", '"', '""', "'", ",", ";", "\t", "\n", "\r", "\r\n", "a" * 300,
    "9" * 400, "<script>alert(1)</script>", "{{7*7}}", "${x}", "%s%n", "../../etc/passwd", "/dev/zero", "primary", "HR",
    "os", "2",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One thing that takes inputs: how to make one, how to try it (raising AssertionError for a wrong acceptance)."""

    inputs: int
    make: Callable[[random.Random], Any]
    attempt: Callable[[Any, Path], None]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to five changes: a bit, a span gone, doubled or moved, an odd text, a cut."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        at, length = rng.randrange(len(out) + 1), rng.choice((1, 1, 2, 8, 40))
        kind = rng.randrange(6)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[at : at + length]
        elif kind == 3:
            out[at : at + length] = rng.choice(ODD).encode("utf-8", "surrogatepass")
        elif kind == 4:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 5)))
        elif rng.random() < 0.3:
            del out[at:]
    return bytes(out)


def with_odd_cells(rows: list[list[str]], rng: random.Random) -> bytes:
    """Return a table as CSV in which some cells are odd, or belong to another row or column."""
    rows = [list(row) for row in rows]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row, other = rng.choice(rows), rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(ODD) if rng.random() < 0.7 else rng.choice(other)
    stream = io.StringIO()
    csv.writer(stream, delimiter=rng.choice(",,,;\t"), lineterminator=rng.choice(("\n", "\r\n"))).writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")


def table(rows: list[list[str]]) -> Callable[[random.Random], bytes]:
    """Return what makes a broken table of a good one."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    whole = stream.getvalue().encode()

    def make(rng: random.Random) -> bytes:
        return with_odd_cells(rows, rng) if rng.random() < 0.6 else mutated(whole, rng)

    return make


def numbers(rows: list[list[str]]) -> Callable[[random.Random], bytes]:
    """Return what makes a table of a good one that is broken, or whose numbers are others, likely or not."""
    breaks = table(rows)

    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return breaks(rng)
        out = [list(row) for row in rows]
        for _ in range(rng.choice((1, 1, 2, 5))):
            row = rng.choice(out[1:])
            at = rng.randrange(len(row))
            with contextlib.suppress(ValueError):
                value = float(row[at])
                odd = (
                    0.0,
                    -value,
                    2 * value,
                    value / 2,
                    value + 1,
                    value * 1e6,
                    value * 1e-9,
                    1.0,
                    round(value),
                    1e300,
                )
                row[at] = f"{rng.choice(odd):.15g}"
            if rng.random() < 0.1:
                row[at] = ""
        if rng.random() < 0.3:
            out[1:] = rng.sample(out[1:], rng.randrange(1, len(out)))
        return "\n".join(map(",".join, out)).encode()

    return make


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive, compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def with_odd_member(members: Mapping[str, bytes], rng: random.Random) -> dict[str, bytes]:
    """Return files of which one is changed, renamed, gone, or there under another name too."""
    out = dict(members)
    name = rng.choice(sorted(out))
    kind = rng.randrange(8)
    if kind == 0:
        del out[name]
    elif kind == 1:
        out[rng.choice(NAMES)] = out.pop(name)
    elif kind == 2:
        out[rng.choice(NAMES)] = out[name]
    else:
        out[name] = mutated(out[name], rng)
    return out or {"a": b""}


#: Names of members of archives: some lead out, some hold what terminals and file systems stumble over.
NAMES = (
    "../a.txt", "/etc/x", "a/../../b", "C:/x", "..\\x", "a" * 300, "a\x07b", "\u202ea.csv", "evidence/x",
    "x/studies.txt", "evidence/../../x", "fits/x.json", "a-data-rows.csv", "outcomes.txt", "evidence/trials.csv",
    "evidence/" + "n" * 300,
)  # fmt: skip


def spoiled(record: Any, rng: random.Random) -> Any:
    """Return plain data (JSON) of which up to four parts are odd, gone, doubled or of another place."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        record = _spoiled(record, rng)
    return record


def _spoiled(record: Any, rng: random.Random) -> Any:
    if not isinstance(record, (dict, list)) or not record or rng.random() < 0.05:
        return rng.choice((*ODD, "\ud800", None, 3, -1.5, 10**30, True, [], {}, [[]], {"": ""}, ["a", {}]))
    if isinstance(record, list):
        at = rng.randrange(len(record))
        kind = rng.random()
        if kind < 0.1:
            return record[:at] + record[at + 1 :]
        if kind < 0.2:
            return [*record, record[at]]
        return [*record[:at], _spoiled(record[at], rng), *record[at + 1 :]]
    key = rng.choice(sorted(record))
    kind = rng.random()
    if kind < 0.08:
        return {name: value for name, value in record.items() if name != key}
    if kind < 0.12:
        return {**record, key: record[rng.choice(sorted(record))]}
    return {**record, key: _spoiled(record[key], rng)}


EFFECTS = [["study", "gene", "yi", "vi"], *([f"S{i}", "ab"[i % 2], f"{0.1 * i - 0.3:.2f}", "0.04"] for i in range(6))]


def some_evidence() -> list[list[str]]:
    """Return every twelfth of the first sixty rows of the shipped trials."""
    with (ROOT / "data" / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    return [rows[0], *rows[1:60:12]]


PROTOCOL_TEXTS = [path.read_bytes() for path in sorted((ROOT / "analyses").glob("*.toml"))]


def protocol(rng: random.Random) -> bytes:
    """Return a shipped protocol with changes: of bytes, or of the value of a key."""
    text = rng.choice(PROTOCOL_TEXTS)
    if rng.random() < 0.5:
        return mutated(text, rng)
    lines = text.split(b"\n")
    at = rng.randrange(len(lines))
    key, equals, _ = lines[at].partition(b"=")
    odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
    lines[at] = key + equals + rng.choice((odd, b'"' + odd + b'"', b"[" + odd + b"]", b"{}", b"1979-05-27", b"true"))
    return b"\n".join(lines)
