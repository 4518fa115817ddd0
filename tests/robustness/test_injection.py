"""Text of evidence, files and their names stays text, whatever the command and its format."""

from __future__ import annotations

import csv
import io
import json
import re

import pandas as pd
import pytest

from igfmeta.evidence import load_evidence

HOSTILE = "=cmd()|<script>alert(1)</script><svg onload=x>\"'&[x](javascript:y)\x1b[31m\x07\x9b31m\u202e"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

COMMANDS = [
    ("pool", "--data", "{}"),
    ("evidence", "list", "--data", "{}"),
    ("audit", "--data", "{}", "--severity", "note"),
    ("rob", "--data", "{}"),
    ("robust", "--data", "{}"),
    ("influence", "--data", "{}", "--outcome", "os"),
    ("sensitivity", "--data", "{}", "--outcome", "os"),
    ("regress", "--data", "{}", "--mods", "~ year"),
    ("diff", "{}", "{}/other"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Evidence of six trials whose every free text is hostile, and a second version of it."""
    place = tmp_path_factory.mktemp(HOSTILE[:30].replace("/", "") + "evidence")
    trials = pd.DataFrame(load_evidence(tables=("trials",)).table("trials"))
    shipped = trials[(trials["outcome"] == "os") & (trials["measure"] == "HR") & (trials["use"] == "primary")].head(6)
    shipped = shipped.drop(columns=[c for c in shipped if c.endswith("_text") or c == "file_row"])
    texts = ("trial_name", "population", "setting", "experimental", "control", "note", "locator", "tumor_type", "agent")
    shipped = shipped.assign(**dict.fromkeys(texts, HOSTILE), study_id=[f"s{i}" for i in range(6)], source_id="a")
    shipped["row_id"] = [f"s{i}{HOSTILE}" for i in range(6)]
    sources = pd.DataFrame(
        [{"source_id": "a", "type": "journal_article", "first_author": HOSTILE, "title": HOSTILE, "journal": HOSTILE,
          "year": 2001, "status": "ok"}]
    )  # fmt: skip
    risks = [{"study_id": f"s{i}", "tool": HOSTILE, "domain": HOSTILE, "judgement": "low", "support": HOSTILE}
             for i in range(6)]  # fmt: skip
    (place / "other").mkdir()
    for where, rows in ((place, shipped), (place / "other", shipped.head(5).assign(note="x" + HOSTILE))):
        rows.to_csv(where / "trials.csv", index=False)
        sources.to_csv(where / "sources.csv", index=False)
    pd.DataFrame(risks).to_csv(place / "risk_of_bias.csv", index=False)
    return place


def texts_of(out, shape):
    return out if shape != "json" else json.dumps(json.loads(out), ensure_ascii=True)


@pytest.mark.parametrize("shape", ["table", "csv", "markdown", "json"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0] + words[1].strip("-{}"))
def test_no_command_passes_on_what_steers_marks_up_or_computes(run, folder, words, shape):
    status, out, err = run(*(word.replace("{}", str(folder)) for word in words), "--format", shape)
    if status == 2 and "accepted are" in err and "--format" in err:
        pytest.skip(f"the command has no format {shape}")
    assert status in (0, 1), err
    assert not STEERING.search(out), STEERING.search(out)
    assert not STEERING.search(err)
    if shape == "markdown":
        assert "<script" not in out
        assert "<svg" not in out
        assert not re.search(r"(?<!\\)\]\(javascript", out)
    if shape == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell]
    if shape == "json":
        json.loads(out)


def test_a_study_is_shown_as_text(run, folder):
    status, out, err = run("evidence", "show", "s0", "--data", folder)
    assert status == 0, err
    assert "cmd()" in out
    assert not STEERING.search(out + err)


def test_names_of_files_cannot_steer_a_terminal(run, tmp_path):
    path = tmp_path / "t\x1b[31m\x9b.csv"
    path.write_text("study,yi,vi\nA,0.1,0.02\nB,x,0.03\n")
    for words in (
        ("fit", "--data", path, "--yi", "yi", "--vi", "vi"), ("km", path, "--at-risk", path),
        ("verify", path), ("pool", "--data", path), ("fit", "--data", f"{path}no", "--yi", "yi", "--vi", "vi"),
        ("dose", "--data", path), ("diagnose", path), ("diff", path, path), ("report", path, "-o", "x.html"),
    ):  # fmt: skip
        status, out, err = run(*words)
        assert status in (2, 3), words
        assert not STEERING.search(out + err), words
    path.write_text("study,yi,vi\nA,0.1,0.02\nB,0.2,0.03\n")
    for more in (("-o", tmp_path / "o\x1b[31m.csv", "--format", "csv"), ("--forest", tmp_path / "o\x1b[31m.svg")):
        status, out, err = run("fit", "--data", path, "--yi", "yi", "--vi", "vi", *more)
        assert (status, "Written" in err) == (0, True)
        assert not STEERING.search(out + err)


def test_import_and_km_pass_nothing_on(run, tmp_path):
    (tmp_path / "i.csv").write_text(f'slab,ai,n1i,ci,n2i,note\n"{HOSTILE.replace(chr(34), "")}",1,20,3,30,"=1+1"\n')
    status, out, err = run("import", tmp_path / "i.csv", "--to", tmp_path / "c.csv")
    assert status == 0, err
    assert not STEERING.search(out + err)
    cells = [cell for row in csv.reader(io.StringIO((tmp_path / "c.csv").read_text(encoding="utf-8"))) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell]
    arm = "=a<script>\x1b[31m\x9b"
    points, risks = tmp_path / "p.csv", tmp_path / "r.csv"
    points.write_text("arm,time,surv\n" + "".join(f"{arm},{t},{0.9**t:.3f}\n" for t in range(9)))
    risks.write_text(f"arm,time,at_risk\n{arm},0,50\n{arm},4,33\n")
    for shape in ("table", "csv", "markdown", "json"):
        status, out, err = run("km", points, "--at-risk", risks, "--format", shape, "--figure", tmp_path / "f.svg")
        assert status == 0, err
        assert not STEERING.search(out + err)
        assert shape != "csv" or out.splitlines()[1].startswith("'=a")
        assert shape != "markdown" or "<script" not in out
    drawn = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert "<script" not in drawn
    assert "\x1b" not in drawn


def test_a_report_and_a_notebook_hold_text_as_text(folder, tmp_path, run):
    from defusedxml.ElementTree import fromstring

    import igfmeta as im

    protocol = tmp_path / "p.toml"
    hostile = json.dumps("<script>alert(1)</script>\"'&")
    protocol.write_text(
        f"title = {hostile}\nauthors = [{hostile}]\n[question]\ntext = {hostile}\nintervention = {hostile}\n"
        '[eligibility]\ncontrast = ["add_on", "none", "replacement"]\n[[outcome]]\nname = "os"\nmeasure = "HR"\n'
    )
    status, _, err = run("report", protocol, "--data", folder, "--export", tmp_path / "out")
    if status == 2 and "contrast" in err:
        protocol.write_text(protocol.read_text().replace('["add_on", "none", "replacement"]', '["add_on"]'))
        status, _, err = run("report", protocol, "--data", folder, "--export", tmp_path / "out")
    assert status == 0, err
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".html", ".md", ".svg", ".csv") and path.parent.name != "evidence":  # as they were given
            text = path.read_text(encoding="utf-8")
            text = re.sub(r"```\n.*?\n```", "", text, flags=re.DOTALL) if path.suffix == ".md" else text
            # In a table of text tags are text.
            assert path.suffix == ".csv" or "<script>alert" not in text, path.name
            assert path.suffix == ".csv" or "<svg onload" not in text, path.name
            assert not STEERING.search(text), path.name
        if path.suffix == ".svg":
            tags = {element.tag.rpartition("}")[2] for element in fromstring(path.read_text(encoding="utf-8")).iter()}
            assert "script" not in tags
    shown = im.pool(load_evidence(folder, tables=("trials",)), outcome="os")._repr_html_()
    assert "<script>alert" not in shown
    assert "<svg onload" not in shown
    assert not STEERING.search(shown)
