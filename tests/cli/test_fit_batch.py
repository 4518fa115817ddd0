"""`fit --batch` as a user meets it: what is written, and what is refused with which sentence."""

from __future__ import annotations

import hashlib
import json

import pytest

BAD = [
    (("--batch", "no"), "there is no column 'no'"),
    (("--batch", "group", "--jobs", "0"), "jobs was 0"),
    (("--batch", "group", "--backend", "spark"), "backend was 'spark'; accepted are loky, threading or dask"),
    (("--batch", "group", "--scheduler", "tcp://x:1"), "only backend dask has a scheduler"),
    (("--batch", "group", "--forest", "f.svg"), "--forest says nothing to --batch"),
    (("--batch", "group", "--bayes"), "--bayes says nothing to --batch"),
    (("--batch", "group", "--model", "mh"), "with --model mh; accepted is random"),
    (("--batch", "group", "--format", "table"), "accepted are csv or jsonl"),
    (("--batch", "group", "--method", "XX"), "method was 'XX'"),
    (("--batch", "group", "--measure", "OR"), "it is for events"),
    (("--batch", "group", "-o", "no/where.csv"), "cannot be written"),
    (("--jobs", "2"), "--jobs needs --batch COLUMN"),
    (("--scheduler", "tcp://x:1"), "--scheduler needs --batch COLUMN"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_a_batch_cannot_do_is_said(run, tmp_path, monkeypatch, options, message):
    (tmp_path / "t.csv").write_text("group,yi,vi\na,0.1,0.1\na,0.2,0.1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    status, out, err = run("fit", "--data", "t.csv", "--yi", "yi", "--vi", "vi", *options)
    assert (status, out) == (2, "")
    assert message in err


def test_the_command_writes_csv_and_json_lines(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("group,yi,vi\n=x(),0.1,0.1\n=x(),0.2,0.1\nb,1,-1\n", encoding="utf-8")
    given = ("fit", "--data", path, "--yi", "yi", "--vi", "vi", "--batch", "group")
    status, out, err = run(*given)
    assert status == 0
    assert out.splitlines()[1].startswith("'=x(),2,2,0.15")
    assert "1 of 2 groups of t.csv pooled" in err
    assert "b: row 4, column vi: found -1" in err
    target = tmp_path / "out.jsonl"
    assert run(*given, "--format", "jsonl", "-o", target)[0] == 0
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [(line["group"], line["k"]) for line in lines] == [("=x()", 2), ("b", 0)]
    assert lines[1]["estimate"] is None
    path.write_text("group,yi,vi\nb,1,-1\n", encoding="utf-8")
    status, out, err = run(*given)
    assert status == 3
    assert "None of the 1 groups could be pooled" in err


def test_a_batch_says_what_it_was_made_from(run, tmp_path):
    path, target = tmp_path / "t.csv", tmp_path / "out.csv"
    path.write_text("group,yi,vi\na,0.1,0.1\na,0.2,0.1\nb,1,-1\n", encoding="utf-8")
    given = ("fit", "--data", path, "--yi", "yi", "--vi", "vi", "--batch", "group", "--method", "DL")
    hashed = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashed in run(*given)[2]
    status, _, err = run(*given, "-o", target)
    assert status == 0
    made = json.loads((tmp_path / "out.csv.provenance.json").read_text(encoding="utf-8"))
    assert "out.csv.provenance.json" in err
    assert made["table"] == {"file": "t.csv", "sha256": hashed, "rows": 3}
    assert (made["groups"], made["pooled"], made["options"]["method"]) == (2, 1, "DL")
    assert made["output"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert run(*given, "-o", "/dev/null")[0] == 0
