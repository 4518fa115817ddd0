"""What each format gives, cell by cell, and what it leaves to a person."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from igfmeta.evidence.importing.candidates import TRIAL_COLUMNS
from igfmeta.evidence.schema import TABLES

FILES = Path(__file__).parent / "files"


def _asked(found, column):
    return [doubt for doubt in found.doubts if doubt.column == column]


def test_a_hazard_ratio_of_clinicaltrials_gov(imported):
    found = imported("NCT09000001.json")
    row = found.rows[0]
    assert {k: row[k] for k in ("estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_sided")} == {
        "estimate": "1.03", "ci_low": "0.85", "ci_high": "1.26", "ci_level": "95", "p_value": "0.494", "p_sided": "1",
    }  # fmt: skip
    assert (row["experimental"], row["control"]) == ("Ganitumab + Gemcitabine", "Placebo + Gemcitabine")
    assert (row["n_exp"], row["n_ctl"], row["median_exp"], row["median_ctl"]) == ("121", "120", "7.0", "7.2")
    assert (row["agent"], row["agent_class"], row["tumor_type"]) == ("ganitumab", "antibody", "pancreatic")
    assert (row["phase"], row["design"], row["blinding"]) == ("3", "randomized", "double_blind")
    assert row["extraction"] == "registry"
    assert row["locator"] == "outcome measure 1, analysis 1"
    assert "The medians agree" in _asked(found, "estimate")[0].question


def test_every_row_is_kept_out_of_pools_and_has_every_column(imported):
    for name in ("NCT09000001.json", "aact", "review.rm5", "metafor.csv"):
        for row in imported(name).rows:
            assert tuple(row) == TRIAL_COLUMNS
            assert row["use"] == "exclude"
            assert row["use_reason"]
            assert row["locator"]


def test_what_is_not_plain_is_blank_and_asked(imported):
    found = imported("NCT09000001.json")
    rate = found.rows[2]
    assert rate["outcome"] == ""
    assert rate["row_id"] in [d.row_id for d in _asked(found, "outcome")]
    assert all(row["regimen"] == row["contrast"] == "" for row in found.rows)
    assert [d.row_id for d in _asked(found, "contrast")] == ["every row"]
    assert "118 of 120" in next(d.found for d in _asked(found, "n_exp") if d.place == "adverse events, serious")
    assert {each.what.split(":")[0].split(" (")[0] for each in found.left_out} == {
        "Percentage of Participants With an Objective Response", "Change in IGF-1", "STARTED",
        "Placebo + gemcitabine 90 of 120 | Ganitumab + gemcitabine 91 of 121",
    }  # fmt: skip


def test_a_zip_of_aact_tables_is_the_same_as_the_folder(imported, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in (FILES / "aact").iterdir():
            archive.write(path, path.name)
    assert imported(tmp_path / "export.zip").rows == imported("aact").rows


def _record(**changes):
    record = json.loads((FILES / "NCT09000001.json").read_text())
    analysis = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][0]["analyses"][0]
    analysis.update(changes)
    return record


@pytest.mark.parametrize(
    ("changes", "column", "blank"),
    [
        ({"paramType": "Hazard Ratio, log"}, "estimate", ("estimate", "ci_low", "ci_high")),
        ({"ciNumSides": "ONE_SIDED"}, "ci_low", ("ci_low", "ci_high")),
        ({"paramValue": "NA"}, "estimate", ("estimate",)),
        ({"paramValue": "-0.2"}, "estimate", ("estimate",)),
        ({"pValue": "NS"}, "p_value", ("p_value",)),
        ({"groupIds": ["OG000"]}, "experimental", ("experimental", "control", "n_exp")),
    ],
)
def test_an_analysis_that_is_not_plain(imported, tmp_path, changes, column, blank):
    (tmp_path / "a.json").write_text(json.dumps(_record(**changes)))
    found = imported(tmp_path / "a.json")
    row = found.rows[0]
    assert [row[name] for name in blank] == [""] * len(blank)
    assert any(d.row_id == row["row_id"] for d in _asked(found, column))


def test_arms_that_the_record_does_not_type_are_not_guessed(imported, tmp_path):
    record = _record()
    for arm in record["protocolSection"]["armsInterventionsModule"]["armGroups"]:
        arm["type"] = "OTHER"
    (tmp_path / "a.json").write_text(json.dumps(record))
    found = imported(tmp_path / "a.json")
    assert (found.rows[0]["experimental"], found.rows[0]["control"]) == ("", "")
    assert "does not say which of these is the control" in _asked(found, "experimental")[0].question
    named = imported(tmp_path / "a.json", control="placebo + gemcitabine")
    assert named.rows[0]["control"] == "Placebo + Gemcitabine"


def test_two_doses_against_one_control_share_it(imported, tmp_path):
    record = _record()
    serious = record["resultsSection"]["adverseEventsModule"]["eventGroups"]
    serious.append({"id": "EG002", "title": "Low dose", "seriousNumAffected": 30, "seriousNumAtRisk": 119})
    arms = record["protocolSection"]["armsInterventionsModule"]["armGroups"]
    arms.append({"label": "Low dose", "type": "EXPERIMENTAL"})
    (tmp_path / "a.json").write_text(json.dumps(record))
    rows = [row for row in imported(tmp_path / "a.json").rows if row["outcome"] == "sae"]
    assert [row["experimental"] for row in rows] == ["Ganitumab + gemcitabine", "Low dose"]
    assert rows[0]["shared_control"] == rows[1]["shared_control"] != ""


def test_reference_lists(imported):
    ris, nbib = imported("references.ris"), imported("references.nbib")
    assert [s["source_id"] for s in ris.sources] == ["smith2001", "brown2005"]
    assert ris.sources[0] == {
        "source_id": "smith2001", "type": "journal_article", "first_author": "Smith AB", "year": "2001",
        "title": "A trial of an antibody", "journal": "Journal of Trials", "volume": "12(3)", "pages": "1-9",
        "pmid": "", "doi": "10.1000/smith2001", "nct_id": "", "status": "",
    }  # fmt: skip
    assert [s["source_id"] for s in nbib.sources] == ["smith2001", "smith2001_2"]
    assert nbib.sources[0]["status"] == "retracted"
    assert nbib.sources[0]["title"] == "A trial of an antibody that goes on over two lines."
    assert nbib.sources[0]["nct_id"] == "NCT09000001"


def test_tables_of_effects(imported, tmp_path):
    found = imported("metafor.csv")
    assert [row["outcome"] for row in found.rows] == ["orr", ""]
    unnamed = imported("yi.csv")
    assert unnamed.rows[0]["estimate"] == ""
    assert "the ratio is 0.8" in _asked(unnamed, "estimate")[0].question
    (tmp_path / "meta.csv").write_text("studlab,HR,lower,upper\nSmith 2001,0.8,0.66,0.97\n")
    ratio = imported(tmp_path / "meta.csv")
    assert [ratio.rows[0][c] for c in ("measure", "estimate", "ci_low", "ci_high")] == ["HR", "0.8", "0.66", "0.97"]
    assert _asked(ratio, "ci_level")


def test_excel_is_read_as_the_table_that_it_shows(imported, tmp_path):
    book = openpyxl.Workbook()
    for row in (["study", "event.e", "n.e", "event.c", "n.c"], ["Smith 2001", 12, 60, 8, 61]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert [imported(tmp_path / "a.xlsx").rows[0][c] for c in ("events_exp", "n_ctl")] == ["12", "61"]


def test_titles_name_an_outcome_only_where_they_name_one(words):
    assert words.outcome("Overall Survival (OS)") == ("os", "")
    assert words.outcome("Duration of Objective Response")[0] == ""
    assert words.outcome("Progression-free survival at 6 months")[0] == ""
    assert words.outcome("Overall survival and progression-free survival")[0] == ""
    assert words.outcome("Pathological Complete Response")[0] == "pcr"
    assert words.tumor(["Non Small Cell Lung Cancer"]) == ("nsclc",)
    assert set(words.tumor(["Non Small Cell Lung Cancer", "Small Cell Lung Cancer"])) == {"nsclc", "sclc"}
    key, question = words.outcome("Overall survival in patients with high IGF-1")
    assert key == "os"
    assert "subset" in question


def test_the_schema_knows_registry():
    assert "registry" in str(TABLES["trials"].model_fields["extraction"].annotation)
