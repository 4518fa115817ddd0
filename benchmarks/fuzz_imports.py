"""Targets of fuzz.py: every format of `igfmeta import`; candidates, completed, load as evidence with the same cells."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from fuzz_inputs import ODD, Target, mutated, spoiled, table, with_odd_cells, with_odd_member, zipped

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.evidence.importing import Imported, import_file
from igfmeta.evidence.importing.candidates import TRIAL_COLUMNS
from igfmeta.evidence.importing.vocabulary import Vocabulary
from igfmeta.evidence.reading import read_table
from igfmeta.report.spreadsheet import to_csv
from igfmeta.text import plain, spreadsheet_safe

FILES = Path(__file__).parents[1] / "tests" / "evidence" / "importing" / "files"


@cache
def words() -> Vocabulary:
    """Return the words of the shipped tables."""
    evidence = load_evidence()
    return Vocabulary.of(*(evidence.table(name) for name in ("agents", "tumors", "outcomes")))


@cache
def read(name: str) -> bytes:
    """Return a file of the examples."""
    return (FILES / name).read_bytes()


@cache
def aact() -> dict[str, bytes]:
    """Return the example tables of AACT."""
    return {path.name: path.read_bytes() for path in sorted((FILES / "aact").iterdir())}


def try_import(data: bytes, folder: Path) -> None:
    """Import a file of any format."""
    path = folder / "upload"
    path.write_bytes(data)
    check(import_file(path, words()), folder)


#: What a person might fill in where a candidate lacks what a row needs.
COMPLETED = {
    "agent": "x", "agent_class": "x", "tumor_type": "x", "regimen": "monotherapy", "contrast": "none", "outcome": "os",
    "measure": "HR", "study_id": "x", "source_id": "x", "design": "single_arm", "phase": "2", "extraction": "single",
    "blinding": "open_label", "p_sided": "unknown", "median_unit": "months", "type": "registry", "status": "ok",
    "tool": "x", "domain": "x",
}  # fmt: skip


def check(found: Imported, folder: Path) -> None:
    """Candidates are kept out of pools, come back from their CSV as they are, and load once their blanks are filled."""
    told = {(doubt.row_id, doubt.column) for doubt in found.doubts}
    json.dumps(found.to_dict(), allow_nan=False, ensure_ascii=False).encode()
    assert len({row["row_id"] for row in found.rows}) == len(found.rows)
    for rows, name in ((found.rows, "trials"), (found.sources, "sources"), (found.judgements, "risk_of_bias")):
        if not rows:
            (folder / f"{name}.csv").unlink(missing_ok=True)
            continue
        path = folder / f"{name}.csv"
        path.write_text(to_csv(pd.DataFrame(rows, columns=list(rows[0]), dtype="str")), encoding="utf-8", newline="")
        back = read_table(path)
        assert back.header == tuple(rows[0])
        shown = [tuple(spreadsheet_safe(plain(cell)).strip() for cell in row.values()) for row in rows]
        assert [tuple(" ".join(c.split()) for c in row) for row in back.rows] == [
            tuple(" ".join(c.split()) for c in row) for row in shown
        ]
        _complete(path, rows)
    _missing_sources(found, told, folder / "sources.csv")
    for row in found.rows:
        assert tuple(row) == TRIAL_COLUMNS
        assert row["use"] == "exclude"
    if not found.rows:
        return
    try:
        evidence = load_evidence(folder, tables=("trials",))
    except InputError as error:
        raise AssertionError(f"candidates do not load: {error}") from None
    assert [row["row_id"] for row in evidence.table("trials")] == [spreadsheet_safe(r["row_id"]) for r in found.rows]
    for row, typed in zip(found.rows, evidence.table("trials"), strict=True):
        for column in ("estimate", "ci_low", "ci_high", "events_exp", "n_exp", "events_ctl", "n_ctl"):
            assert (row[column] == "") == (typed[column] != typed[column]), column
            assert row[column] == "" or float(row[column]) == typed[column], column
        for arm in ("exp", "ctl"):
            assert not typed[f"events_{arm}"] > typed[f"n_{arm}"]
            assert not typed[f"n_{arm}"] <= 0
        assert not typed["ci_low"] > typed["ci_high"]
    assert told or not found.rows


def _missing_sources(found: Imported, told: set[tuple[str, str]], path: Path) -> None:
    """Add the sources that the import said the file does not hold."""
    if not path.is_file():
        return
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    missing = {row["source_id"] or "x": row for row in found.rows if (row["row_id"], "source_id") in told}
    known = {spreadsheet_safe(key) for key in missing} - set(frame["source_id"])
    more = pd.DataFrame([{"source_id": key, "type": "registry", "status": "ok"} for key in sorted(known)], dtype="str")
    path.write_text(pd.concat([frame, more]).fillna("").to_csv(index=False), encoding="utf-8", newline="")


def _complete(path: Path, rows: Any) -> None:
    """Fill what a row needs and the file did not say; nothing that it did say is changed."""
    frame = pd.DataFrame(rows, dtype="str")
    for column, word in COMPLETED.items():
        if column in frame:
            blank = frame[column] == ""
            if column == "p_sided":
                blank &= frame["p_value"] != ""
            frame.loc[blank, column] = word
    path.write_text(to_csv(frame), encoding="utf-8", newline="")


def record(rng: random.Random) -> bytes:
    """Return the record of a registered study: parts replaced, or bytes."""
    if rng.random() < 0.35:
        return mutated(read("NCT09000001.json"), rng)
    made = spoiled(json.loads(read("NCT09000001.json")), rng)
    if rng.random() < 0.2:
        made = rng.choice(([made, made], {"studies": [made, spoiled(made, rng)]}, {"studies": made}, [[made]]))
    return json.dumps(made, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def pipes(rng: random.Random) -> dict[str, bytes]:
    """Return tables of AACT of which some have odd cells, in a number of lines that may differ."""
    out = dict(aact())
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(sorted(out))
        lines = [line.split("|") for line in out[name].decode().splitlines()]
        line = rng.choice(lines)
        line[rng.randrange(len(line))] = rng.choice((*ODD, "|", "10", "100", "NCT09000001", "Hazard Ratio", "%"))
        out[name] = ("\n".join("|".join(each) for each in lines) + "\n").encode("utf-8", "surrogatepass")
    return with_odd_member(out, rng) if rng.random() < 0.3 else out


def archive(members: Callable[[random.Random], dict[str, bytes]]) -> Callable[[random.Random], bytes]:
    """Return what makes a zip archive of members, its bytes changed one time in four."""

    def make(rng: random.Random) -> bytes:
        made = zipped(members(rng))
        return mutated(made, rng) if rng.random() < 0.25 else made

    return make


def try_tables(made: tuple[dict[str, bytes], bool, random.Random], folder: Path) -> None:
    """Import tables of AACT from a folder or an archive: alike."""
    members, as_folder, rng = made
    if not as_folder:
        try_import(archive(lambda _: members)(rng), folder)
        return
    place = folder / "aact"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    for name, content in members.items():
        if "/" not in name and "\\" not in name and len(name) < 200:
            (place / name).write_bytes(content)
    check(import_file(place, words()), folder)


def review(rng: random.Random) -> bytes:
    """Return a review of RevMan 5: bytes changed, or the text of an attribute or element."""
    text = read("review.rm5")
    if rng.random() < 0.5:
        return mutated(text, rng)
    parts = text.decode("latin-1").replace(">", ">\0").replace('"', '\0"\0').split("\0")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts))
        odd = rng.choice((*ODD, "&a;", "&#0;", "&#xd800;", "]]>", "<!--", "<![CDATA[", "<?x?>", "HR", "61", "60", "-5"))
        parts[at] = rng.choice((odd, rng.choice(parts), parts[at] + parts[at]))
    head = rng.choice(("", "", "", '<!DOCTYPE r [<!ENTITY a "b">]>', "\ufeff", " \n"))
    return (head + "".join(parts)).encode("latin-1", "xmlcharrefreplace")


@cache
def revman_web() -> dict[str, bytes]:
    """Return the files of the example of RevMan Web."""
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(FILES.glob("revman/*/*.csv"))}


def package(rng: random.Random) -> dict[str, bytes]:
    """Return a data package of RevMan Web with odd cells or members."""
    members = dict(revman_web())
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(sorted(members))
        rows = list(csv.reader(io.StringIO(revman_web()[name].decode("utf-8-sig"), newline="")))
        members[name] = with_odd_cells(rows, rng)
    return with_odd_member(members, rng) if rng.random() < 0.4 else members


def references(rng: random.Random) -> bytes:
    """Return a reference list, RIS or nbib: bytes changed, or lines gone, doubled, moved or with another tag."""
    name = rng.choice(("references.ris", "references.nbib"))
    if rng.random() < 0.4:
        return mutated(read(name), rng)
    lines = read(name).split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, kind = rng.randrange(len(lines)), rng.randrange(5)
        odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
        if kind == 0 and len(lines) > 1:
            del lines[at]
        elif kind == 1:
            lines.insert(at, rng.choice(lines))
        elif kind == 2:
            lines[at] = lines[at][:6] + odd
        elif kind == 3:
            lines[at] = rng.choice((b"TY  - ", b"ER  - ", b"AU  - ", b"PY  - ", b"PMID- ", b"TI  - ", b"SP  - ")) + odd
        else:
            lines[at] = odd + lines[at]
    return rng.choice((b"\n", b"\n", b"\r\n", b"\r")).join(lines)


def effects(rng: random.Random) -> bytes:
    """Return a table of effects as metafor names it, or as the evidence does."""
    heads = (
        ["slab", "year", "ai", "n1i", "ci", "n2i", "endpoint"],
        ["study", "HR", "lower", "upper", "pval", "endpoint", "events_exp"],
        ["study_id", "estimate", "ci_low", "ci_high", "ci_level", "outcome", "use"],
        ["author", "yi", "vi", "ci.lb", "ci.ub", "n.e", "n.c"],
    )
    cells = (
        ["Smith", "2001", "12", "60", "8", "61", "Objective response"],
        ["Brown", "0.8", "0.6", "1.1", "0.04", "Overall survival", "20"],
        ["s1", "0.8", "0.6", "1.1", "95", "os", "primary"],
        ["Jones", "-0.2", "0.04", "-0.6", "0.2", "50", "51"],
    )
    at = rng.randrange(4)
    made: bytes = table([heads[at], cells[at], ["T", *cells[at][1:]]])(rng)
    return made


def workbook(rng: random.Random) -> bytes:
    """Return a workbook: typed odd cells, or its archive or a member of it changed."""
    import datetime

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    odd = (1e308, -1, True, None, "=1+1", datetime.datetime(2001, 1, 1), "0,92", 0.1 + 0.2, 10**20, "a\nb", "HR", "")
    for row in (["slab", "ai", "n1i", "ci", "n2i"], ["A", 1, 10, 2, 11], ["B", 3, 12, 4, 13]):
        sheet.append([rng.choice(odd) if rng.random() < 0.1 else cell for cell in row])
    if rng.random() < 0.1:
        book.create_sheet(rng.choice(("Second", "x" * 31)))
    stream = io.BytesIO()
    book.save(stream)
    if rng.random() < 0.5:
        return stream.getvalue()
    if rng.random() < 0.5:
        return mutated(stream.getvalue(), rng)
    import zipfile

    with zipfile.ZipFile(stream) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(with_odd_member(members, rng))


TARGETS = {
    "import: ClinicalTrials.gov records": Target(2_000, record, try_import),
    "import: AACT tables, folders and archives": Target(
        2_000, lambda rng: (pipes(rng), rng.random() < 0.5, rng), try_tables
    ),
    "import: RevMan 5 reviews": Target(2_000, review, try_import),
    "import: RevMan Web packages": Target(2_000, archive(package), try_import),
    "import: reference lists, RIS and nbib": Target(2_000, references, try_import),
    "import: tables of effects": Target(2_000, effects, try_import),
    "import: workbooks": Target(1_000, workbook, try_import),
}
