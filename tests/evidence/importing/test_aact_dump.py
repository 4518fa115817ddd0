"""One study out of tables of any size: what it gives, its bounds, and pieces that never cut a record."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence.importing import aact_dump, uploads

FILES = Path(__file__).parent / "files"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the tables of the example, and with another study before and behind it in each."""
    made = tmp_path / "export"
    made.mkdir()
    for path in (FILES / "aact").iterdir():
        header, *rows = path.read_text().splitlines(keepends=True)
        others = [row.replace("NCT09000002", f"NCT0800000{i}") for i in (1, 2) for row in rows]
        (made / path.name).write_text("".join([header, *others[: len(rows)], *rows, *others[len(rows) :]]))
    (made / "facilities.txt").write_text("id|nct_id\n1|NCT09000002\n")
    return made


def _zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(folder.iterdir()):
            archive.write(each, f"20250101_export/{each.name}")
    return path


def test_one_study_is_what_its_own_tables_give(imported, folder, tmp_path):
    whole = imported("aact")
    for path in (folder, _zipped(folder, tmp_path / "export.zip")):
        found = imported(path, study="NCT09000002")
        assert found.rows == whole.rows
        assert found.doubts == whole.doubts
        assert [each.what for each in found.left_out] == [*(e.what for e in whole.left_out), "the tables facilities"]


@pytest.mark.parametrize("size", [64, 97, 400, 5000])
def test_pieces_of_any_size_give_the_same(imported, folder, monkeypatch, size):
    outcomes = folder / "outcomes.txt"
    text = outcomes.read_text().replace("Up to 24 months", '"Up to 24\n""months""|NCT09000002\n"')
    outcomes.write_text(text)
    whole = imported(folder, study="NCT09000002")
    monkeypatch.setattr(aact_dump, "BLOCK", size)
    assert imported(folder, study="NCT09000002") == whole


def test_tables_beyond_the_bound_are_read_for_one_study(imported, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_UNPACKED", 1000)
    for path in (folder, _zipped(folder, tmp_path / "export.zip")):
        with pytest.raises(InputError, match="one study by --study"):
            imported(path)
        assert len(imported(path, study="NCT09000002").rows) == 12


def test_a_block_without_the_study_is_not_parsed(folder, monkeypatch):
    """Twenty megabytes of other studies are passed over in blocks: no more than two of them are in memory."""
    largest = []
    real = aact_dump._end_of_records
    monkeypatch.setattr(aact_dump, "BLOCK", 1_000_000)
    monkeypatch.setattr(aact_dump, "_end_of_records", lambda data: largest.append(len(data)) or real(data))
    parsed = []
    monkeypatch.setattr(aact_dump, "as_text", lambda data, file: parsed.append(len(data)) or data.decode())
    header, row = (FILES / "aact" / "reported_events.txt").read_text().splitlines()[:2]
    other = row.replace("NCT09000002", "NCT07000000") + "\n"
    (folder / "reported_events.txt").write_text(header + "\n" + other * (20_000_000 // len(other)) + row + "\n")
    assert aact_dump.one_study(folder, "NCT09000002").members["reported_events.txt"].count(b"\n") == 2
    assert max(largest) < 2_100_000
    assert sum(parsed) < 4_000_000


def _archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_archive(**{"studies.txt": "nct_id\nNCT1\n"}), "holds no study NCT09000002"),
        (_archive(**{"studies.txt": "id\n1\n"}), r"studies\.txt: lacks the column nct_id"),
        (_archive(**{"studies.txt": "nct_id\nNCT09000002\n"}), r"lacks the table outcomes\.txt"),
        (_archive(**{"a/studies.txt": "nct_id\n", "b/studies.txt": "nct_id\n"}), "holds studies.txt twice"),
        (_archive(**{"studies.txt": 'nct_id|a\nNCT09000002|"x\n'}), "cannot be read"),
        (_archive(**{"studies.txt": "nct_id\n" + "0" * 20_000_000}), "more than 200 times its size"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(imported, tmp_path, content, message):
    (tmp_path / "dump.zip").write_bytes(content)
    with pytest.raises(InputError, match=message):
        imported(tmp_path / "dump.zip", study="NCT09000002")


def test_a_record_without_an_end_and_a_broken_archive(imported, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(aact_dump, "BLOCK", 1000)
    monkeypatch.setattr(aact_dump, "LONGEST_RECORD", 3000)
    (folder / "outcomes.txt").write_text('id|nct_id|title\n1|NCT1|"' + "a\n" * 5000)
    with pytest.raises(InputError, match="a quote that is not closed"):
        imported(folder, study="NCT09000002")
    data = bytearray(_zipped(FILES / "aact", tmp_path / "a.zip").read_bytes())
    at = data.index(b"studies.txt") + 40
    data[at : at + 8] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(bytes(data))
    with pytest.raises(InputError):
        imported(tmp_path / "a.zip", study="NCT09000002")


def test_one_study_of_a_page_of_records(imported, tmp_path):
    one, two = ((FILES / f"NCT0900000{i}.json").read_text() for i in (1, 2))
    (tmp_path / "page.json").write_text(f'{{"studies": [{one}, {two}]}}')
    assert {row["nct_id"] for row in imported(tmp_path / "page.json").rows} == {"NCT09000001", "NCT09000002"}
    assert imported(tmp_path / "page.json", study="NCT09000001").rows == imported("NCT09000001.json").rows
    with pytest.raises(InputError, match="holds no study NCT09000009"):
        imported(tmp_path / "page.json", study="NCT09000009")
    with pytest.raises(InputError, match="--study names one of several registered studies"):
        imported("metafor.csv", study="NCT09000001")
    with pytest.raises(InputError, match="NCT and eight digits"):
        imported(tmp_path / "page.json", study="12")
