"""`igfmeta audit`: formats, exit status, and the list that stands beside the evidence."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"

HEADER = "study_id,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id\n"
FAULT = HEADER + "a,combination,add_on,os,HR,0.98,0.64,1.00,95,s\n"


def test_audit_md_is_what_the_command_prints(run):
    status, out, err = run("audit", "--format", "markdown")
    assert (status, err) == (0, "")
    assert (DATA / "AUDIT.md").read_text(encoding="utf-8") == out, (
        "run igfmeta audit --format markdown -o data/AUDIT.md"
    )


def test_every_warning_stands_in_it(run):
    found = json.loads(run("audit", "--format", "json")[1])["findings"]
    text = (DATA / "AUDIT.md").read_text(encoding="utf-8").replace("\\", "")
    assert found
    assert all(f"({each['row_id']})" in text for each in found)


@pytest.mark.parametrize("shape", ["table", "json", "csv", "markdown"])
def test_an_error_is_exit_status_1_in_every_format(run, shape, tmp_path):
    (tmp_path / "mine.csv").write_text(FAULT)
    status, out, _ = run("audit", "--data", tmp_path / "mine.csv", "--severity", "error", "--format", shape)
    assert status == 1
    assert "interval_asymmetric" in out.replace("\\", "")


def test_json_says_rule_row_numbers_and_paper(run, tmp_path):
    (tmp_path / "mine.csv").write_text(FAULT)
    payload = json.loads(run("audit", "--data", tmp_path / "mine.csv", "--format", "json")[1])
    assert payload["passed"] is False
    first = payload["findings"][0]
    assert (first["row"], first["row_id"], first["severity"]) == (2, "a-01", "error")
    assert first["numbers"]["middle"] == pytest.approx(0.8)
    assert "Tierney" in first["reference"]


def test_csv_has_one_line_per_finding(run):
    rows = list(csv.DictReader(io.StringIO(run("audit", "--severity", "note", "--format", "csv")[1])))
    assert len(rows) > 100
    assert {row["severity"] for row in rows} == {"warning", "note"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--severity", "fatal"), "accepted are error, warning or note"),
        (("--format", "pdf"), "accepted are table, json, csv or markdown"),
        (("--data", "nowhere"), "There is no file or folder nowhere"),
    ],
)
def test_a_wrong_option_is_a_sentence(run, arguments, says):
    status, _, err = run("audit", *arguments)
    assert status == 2
    assert says in err
