"""Any table of the same columns: separators, byte order marks, line ends, Parquet, Excel, one file or a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from igfmeta.evidence import load_evidence
from igfmeta.evidence.columns import read_columns

DATA = Path(__file__).parents[2] / "data"

HEADER = ["study_id", "agent", "agent_class", "tumor_type", "regimen", "contrast", "outcome", "measure", "estimate",
          "ci_low", "ci_high", "ci_level", "source_id"]  # fmt: skip
ROWS = [
    ["a2001", "x", "drug", "skin", "combination", "add_on", "os", "HR", "0.80", "0.60", "1.10", "95", "s1"],
    ["b2002", "x", "drug", "skin; scalp", "combination", "add_on", "os", "HR", "0.90", "0.70", "1.20", "95", "s2"],
]


def _table(separator=",", end="\n"):
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in (HEADER, *ROWS)]
    return end.join(separator.join(row) for row in quoted) + end


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_tables(tmp_path, separator, end, mark):
    path = tmp_path / "trials.csv"
    path.write_bytes(mark + _table(separator, end).encode())
    evidence = load_evidence(path)
    assert evidence.trials["estimate"].tolist() == [0.80, 0.90]
    assert evidence.trials["estimate_text"].tolist() == ["0.80", "0.90"]
    assert evidence.trials["tumor_type"].tolist() == ["skin", "skin; scalp"]
    assert evidence.trials["row_id"].tolist() == ["a2001-01", "b2002-01"]
    assert evidence.trials["use"].tolist() == ["primary", "primary"]
    assert evidence.trials["file_row"].tolist() == [2, 3]


@pytest.mark.parametrize("suffix", [".parquet", ".xlsx"])
def test_typed_tables(tmp_path, suffix):
    frame = pd.DataFrame(ROWS, columns=HEADER)
    for column in ("estimate", "ci_low", "ci_high", "ci_level"):
        frame[column] = frame[column].astype(float)
    path = tmp_path / f"trials{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_excel(path, index=False)
    evidence = load_evidence(path)
    assert evidence.trials["estimate"].tolist() == [0.8, 0.9]
    assert evidence.trials["file_row"].tolist() == [2, 3]


def test_a_folder_of_tables_is_the_same_evidence(tmp_path):
    for file in DATA.glob("*.csv"):
        shutil.copy(file, tmp_path)
    assert load_evidence(tmp_path).fingerprint == load_evidence().fingerprint


def test_a_folder_without_vocabularies_accepts_any_class_and_tumour(tmp_path):
    (tmp_path / "trials.csv").write_text(_table())
    evidence = load_evidence(tmp_path)
    assert evidence.agents.empty
    assert "os" in set(evidence.outcomes["outcome"])


def test_unknown_columns_are_named_and_not_used(tmp_path):
    lines = _table().splitlines()
    text = "\n".join([lines[0] + ",colour", lines[1] + ",red", lines[2] + ",blue"])
    (tmp_path / "trials.csv").write_text(text)
    assert load_evidence(tmp_path).remarks == ("trials.csv: column colour is not known and not used.",)


def test_row_numbers_are_those_of_a_spreadsheet(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('yi,label\n1,"two\nlines"\n\n2,b\n')
    assert read_columns(path, numeric=["yi"], text=["label"]).index.tolist() == [2, 4]


def test_missing_numbers_of_r_are_blanks(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("yi,vi\nNA,1\n2,\n")
    frame = read_columns(path, numeric=["yi", "vi"], text=[])
    assert frame.isna().to_numpy().tolist() == [[True, False], [False, True]]
