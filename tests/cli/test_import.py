"""`igfmeta import` as a user meets it."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

import igfmeta as im

FILES = Path(__file__).parents[1] / "evidence" / "importing" / "files"


def test_candidates_sources_and_what_to_settle(run, tmp_path):
    to, sources = tmp_path / "candidates.csv", tmp_path / "sources.csv"
    status, out, err = run("import", FILES / "NCT09000001.json", "--to", to, "--sources", sources)
    assert status == 0
    assert "Ambiguous: to settle before a row is used" in out
    assert "nothing was added to the evidence" in out
    assert err.count("Written") == 2
    assert to.read_text().startswith("row_id,study_id,trial_name,nct_id")
    assert "NCT09000001" in sources.read_text()


@pytest.mark.parametrize(
    "name", ["NCT09000001.json", "NCT09000002.json", "aact", "review.rm5", "references.ris", "metafor.csv"]
)
def test_json_is_as_its_schema_says(run, name):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/import.schema.json").read_text())
    status, out, err = run("import", FILES / name, "--format", "json")
    assert status == 0, err
    jsonschema.validate(json.loads(out), schema)


def test_json_has_everything(run):
    status, out, _ = run("import", FILES / "review.rm5", "--format", "json")
    assert status == 0
    found = json.loads(out)
    assert found["sha256"] == hashlib.sha256((FILES / "review.rm5").read_bytes()).hexdigest()
    assert set(found) - {"igfmeta", "sha256"} == {
        "format",
        "file",
        "rows",
        "sources",
        "ambiguous",
        "left_out",
        "risk_of_bias",
        "review",
    }


def test_completed_candidates_load_as_evidence(run, tmp_path):
    """The columns, types and words of a candidate are those of the evidence, once a person has filled it in."""
    import pandas as pd

    from igfmeta.evidence import load_evidence

    to = tmp_path / "candidates.csv"
    assert run("import", FILES / "NCT09000001.json", "--to", to)[0] == 0
    frame = pd.read_csv(to, dtype=str, keep_default_na=False)
    frame["regimen"], frame["contrast"], frame["partners"] = "combination", "add_on", "chemotherapy"
    frame.loc[frame["outcome"] == "", "outcome"] = "pfs_rate"
    frame.to_csv(to, index=False)
    loaded = load_evidence(to).trials
    assert loaded["extraction"].tolist() == ["registry"] * 4
    assert loaded["estimate"].iloc[0] == 1.03


def test_text_that_a_spreadsheet_would_run_is_defused(run, tmp_path):
    (tmp_path / "a.csv").write_text("study,ai,n1i,ci,n2i\n=cmd(),1,2,1,2\n")
    assert run("import", tmp_path / "a.csv", "--to", tmp_path / "c.csv")[0] == 0
    assert ",'=cmd()," in (tmp_path / "c.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "Give either a file or --fetch"),
        ([FILES / "yi.csv", "--fetch", "NCT00000001"], 2, "Give either a file or --fetch"),
        ([FILES / "yi.csv", "--to", "a.xlsx"], 2, "accepted is .csv"),
        ([FILES / "yi.csv", "--to", "a.csv", "--sources", "a.csv"], 2, "give two files"),
        ([FILES / "yi.csv", "--address", "http://x"], 2, "--address says whom --fetch asks"),
        ([FILES / "yi.csv", "--format", "xml"], 2, "--format was 'xml'"),
        ([FILES / "none.csv"], 2, "There is no file"),
        (["--fetch", "12"], 2, "NCT and eight digits"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run, arguments, status, message):
    got, out, err = run("import", *arguments)
    assert got == status
    assert message in err
    assert out == ""


def test_a_record_without_results_is_no_answer(run, tmp_path):
    (tmp_path / "a.rm5").write_text("<COCHRANE_REVIEW/>")
    status, _, err = run("import", tmp_path / "a.rm5")
    assert status == 3
    assert "holds nothing that the tables have columns for" in err


def test_nothing_is_written_where_not_everything_can_be(run, tmp_path):
    to = tmp_path / "c.csv"
    status, _, err = run("import", FILES / "metafor.csv", "--to", to, "--sources", tmp_path / "s.csv")
    assert status == 3
    assert "holds no source" in err
    assert not to.exists()


def test_judgements_of_a_review_load_as_evidence_once_the_tool_is_named(run, tmp_path):
    import pandas as pd

    from igfmeta.evidence.reading import read_table
    from igfmeta.evidence.validation import typed_rows

    place = tmp_path / "risk_of_bias.csv"
    status, out, err = run("import", FILES / "review.rm5", "--risk-of-bias", place)
    assert status == 0
    assert "What the review used" in out
    assert "Written" in err
    rows, problems = typed_rows("risk_of_bias", read_table(place))
    assert problems == []
    assert [row["judgement"] for row in rows] == ["low", "unclear", "high"]
    assert pd.read_csv(place)["tool"].nunique() == 1
    status, _, err = run("import", FILES / "metafor.csv", "--risk-of-bias", place)
    assert status == 3
    assert "no judgement of the risk of bias" in err


def test_one_study_of_many(run):
    status, out, _ = run("import", FILES / "aact", "--study", "NCT09000002")
    assert status == 0
    assert "12 candidate rows" in out
    status, _, err = run("import", FILES / "aact", "--study", "NCT00000000")
    assert status == 2
    assert "holds no study NCT00000000" in err
    status, _, err = run("import", "--fetch", "NCT09000002", "--study", "NCT09000002")
    assert status == 2
    assert "--fetch gives one" in err


def test_from_python_as_from_the_command(run, tmp_path):
    _, out, _ = run("import", FILES / "NCT09000002.json", "--format", "json")
    found = im.import_candidates(FILES / "NCT09000002.json")
    assert found.to_dict() == json.loads(out)
    assert found.to_frame()["row_id"].tolist() == [row["row_id"] for row in found.rows]
    assert im.import_candidates(FILES / "references.ris").to_frame()["source_id"].iloc[0] == "smith2001"
    (tmp_path / "a.csv").write_text("study,HR,lower,upper\n<script>,0.8,0.66,0.97\n")
    shown = im.import_candidates(tmp_path / "a.csv", data=im.load_evidence())._repr_html_()
    assert "<script>" not in shown
    assert "0.66" in shown
    assert "To settle" in shown


def test_of_many_events_the_first_are_shown_and_the_rest_are_counted(run, tmp_path):
    record = json.loads((FILES / "NCT09000002.json").read_text())
    events = record["resultsSection"]["adverseEventsModule"]["otherEvents"]
    events += [{**events[1], "term": f"Event {i}"} for i in range(200)]
    (tmp_path / "a.json").write_text(json.dumps(record))
    _, out, _ = run("import", tmp_path / "a.json")
    assert "and 189 more" in out
    assert "Event 150" not in out
    _, out, _ = run("import", tmp_path / "a.json", "--format", "json")
    assert out.count("Event 150 (other") == 1
