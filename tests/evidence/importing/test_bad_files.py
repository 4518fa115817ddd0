"""Files that must be refused with a sentence: broken, hostile, of another kind."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence.importing import uploads

FILES = Path(__file__).parent / "files"


def _zip(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _named(name):
    return _zip(**{name: "a"})


LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><COCHRANE_REVIEW>&b;</COCHRANE_REVIEW>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><COCHRANE_REVIEW>&x;</COCHRANE_REVIEW>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"a,b\n\x81,2\n", "not UTF-8"),
        (b"a,b\n1,2\n", "no column that is known as an effect or a count"),
        (b'study,ai\n"x,1\n', "cannot be read as CSV"),
        (b"study,HR,estimate\nA,1,2\n", "several columns that are estimate"),
        (b"{", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"{}", "protocolSection.identificationModule.nctId is missing"),
        (b"[]", "protocolSection.identificationModule.nctId is missing"),
        (b'{"studies": [{"protocolSection": 3}]}', "nctId is missing in study 1"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"<a", "cannot be read as XML"),
        (b"<html></html>", "accepted is COCHRANE_REVIEW"),
        (LAUGHS.encode(), "declares a document type or entities"),
        (OUTSIDE.encode(), "declares a document type or entities"),
        (b"TY  - JOUR\nAU  - A\n", "ER is missing"),
        (b"TY  - JOUR\nAU  - A\nTY  - JOUR\nER  - \n", "starts a reference before"),
        (b"TY  - JOUR\nER  - \nnonsense\n", "without author and title"),
        (b"PMID- 1\n", "without author and title"),
        (b"PK\x03\x04nothing", "no zip archive that can be read"),
        (_named("../../etc/passwd"), "leads out of the archive"),
        (_named("/etc/passwd"), "leads out of the archive"),
        (_named("..\\a.txt"), "leads out of the archive"),
        (_named("C:/a.txt"), "leads out of the archive"),
        (_named("a.doc"), "holds neither a workbook"),
        (_zip(**{"studies.txt": "nct_id|x\nNCT1|a|b\n"}), "lacks the table outcomes.txt"),
        (_zip(**{"xl/workbook.xml": "<a/>"}), "cannot be read as Excel"),
        (_zip(**{f"{i}.txt": "a" for i in range(501)}), "holds 501 files"),
    ],
)
def test_it_is_refused_with_a_sentence(imported, tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        imported(tmp_path / "file")


def test_what_unpacks_to_too_much_is_not_unpacked(imported, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_UNPACKED", 1_000_000)
    (tmp_path / "bomb.zip").write_bytes(_zip(**{"a.txt": "0" * 600_000, "b.txt": "0" * 600_000}))
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        imported(tmp_path / "bomb.zip")


def test_a_file_that_is_too_large_is_not_read(imported, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST", 1_000_000)
    (tmp_path / "large.csv").write_bytes(b"a" * 1_000_001)
    with pytest.raises(InputError, match="larger than 1 MB"):
        imported(tmp_path / "large.csv")


def test_a_row_of_aact_with_too_many_cells_is_named(imported, tmp_path):
    for path in (FILES / "aact").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "outcomes.txt").open("a") as stream:
        stream.write("1|2\n")
    with pytest.raises(InputError, match=r"outcomes\.txt, row 13: has 2 cells where the header has 13"):
        imported(tmp_path)


def test_options_that_a_format_does_not_have(imported):
    with pytest.raises(InputError, match="--control names a group"):
        imported("metafor.csv", control="placebo")
    with pytest.raises(InputError, match="--sheet names a sheet"):
        imported("metafor.csv", sheet="A")
    with pytest.raises(InputError, match="the groups are Ganitumab"):
        imported("NCT09000001.json", control="nobody")


@pytest.mark.parametrize("seed", range(3))
def test_a_record_with_any_part_replaced_is_read_or_refused(imported, tmp_path, seed):
    """A registry record whose parts have the wrong type never ends in another error than a sentence."""
    import random

    rng = random.Random(seed)
    for _ in range(60):
        record = json.loads((FILES / "NCT09000001.json").read_text())
        for _ in range(rng.randint(1, 4)):
            _spoil(record, rng)
        (tmp_path / "a.json").write_text(json.dumps(record))
        try:
            found = imported(tmp_path / "a.json")
        except InputError:
            continue
        assert all(row["use"] == "exclude" for row in found.rows)


def _spoil(record, rng):
    here = record
    for _ in range(rng.randint(1, 9)):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(here[key], (dict, list)) or rng.random() < 0.15:
            here[key] = rng.choice([None, 3, -1.5, "", "NA", "=1+1", [], {}, [[]], True])
            return
        here = here[key]
