"""`igfmeta diff`: every format says the same, hostile names stay text, and unusable input is a sentence."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pandas as pd
import pytest

from igfmeta.resources import data_folder

HOSTILE = "=cmd()<script>\u202e|x"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return two folders: the randomized antibody trials on survival, without and with a study of a hostile name."""
    trials = pd.read_csv(data_folder() / "trials.csv", dtype=str, keep_default_na=False)
    trials = trials[(trials["agent_class"] == "antibody") & (trials["outcome"] == "os")]
    named = trials.copy()
    named.loc[named["study_id"] == "fuchs2015", "study_id"] = HOSTILE
    found = []
    for name, frame in (("old", trials[trials["study_id"] != "fuchs2015"]), ("new", named)):
        folder = tmp_path_factory.mktemp(name)
        for file in data_folder().glob("*.csv"):
            if file.stem not in ("trials", "associations", "dose_response"):
                shutil.copy(file, folder)
        frame.to_csv(folder / "trials.csv", index=False)
        found.append(folder)
    return found


def test_json_holds_studies_rows_and_effects(run, folders):
    status, out, _ = run("diff", *folders, "--format", "json")
    found = json.loads(out)
    assert (status, found["same"]) == (0, False)
    assert [(study["study"], study["kind"]) for study in found["studies"]] == [(HOSTILE, "came")]
    overall = found["effects"][0]
    assert (overall["old"]["k"] + 1, overall["same"]) == (overall["new"]["k"], False)


def test_tables_for_people_show_before_over_after_and_no_hostile_character(run, folders):
    status, out, _ = run("diff", *folders, "--class", "antibody")
    assert status == 0
    assert "Studies: 1 came, 0 went, 0 changed" in out
    assert "\u202e" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_markdown_and_csv_keep_hostile_names_text(run, folders):
    markdown = run("diff", *folders, "--format", "markdown")[1]
    assert "<script>" not in markdown
    assert "&lt;script&gt;" in markdown
    rows = list(csv.DictReader(io.StringIO(run("diff", *folders, "--format", "csv")[1])))
    assert {"question", "group", "estimate_old", "estimate_new", "turned"} <= set(rows[0])
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())


def test_the_same_evidence_is_said_to_say_the_same(run, folders):
    status, out, _ = run("diff", folders[0], folders[0], "--by", "none")
    assert status == 0
    assert "say the same" in out
    assert "Pooled effects" not in out
    assert "Pooled effects" in run("diff", folders[0], folders[0], "--by", "none", "--all")[1]


def test_what_cannot_be_compared_is_a_sentence(run, folders):
    for arguments, said in (
        ((folders[0], "nowhere"), "There is no file or folder nowhere"),
        ((*folders, "--by", "frog"), "accepted are class"),
        ((*folders, "--use", "frog"), "accepted are primary"),
        ((*folders, "--format", "frog"), "accepted are table"),
    ):
        status, out, err = run("diff", *arguments)
        assert (status, out) == (2, "")
        assert said in err
