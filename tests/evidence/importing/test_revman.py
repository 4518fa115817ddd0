"""Reviews of Cochrane: counts and hazard ratios, what the review used, its judgements; and what has no column."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from igfmeta.errors import InputError

FILES = Path(__file__).parent / "files"
ANALYSES = "CD000001-analysis-data/CD000001-"


def _asked(found, row, column):
    return [d for d in found.doubts if d.row_id == row["row_id"] and d.column == column]


def _package(path, changed=None, drop=()):
    """Write the example as a data package; `changed` replaces files."""
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted((FILES / "revman").rglob("*.csv")):
            name = str(each.relative_to(FILES / "revman"))
            if not name.endswith(drop or ("\0",)):
                archive.writestr(name, (changed or {}).get(name, each.read_text()))
    return path


@pytest.fixture
def found(imported, tmp_path):
    return imported(_package(tmp_path / "CD000001-dataPackage.zip"))


def test_counts_of_a_data_package(found):
    assert found.format == "RevMan Web data package"
    row = found.rows[0]
    assert {c: row[c] for c in ("outcome", "measure", "events_exp", "n_exp", "events_ctl", "n_ctl", "year")} == {
        "outcome": "orr", "measure": "events", "events_exp": "12", "n_exp": "60", "events_ctl": "8", "n_ctl": "61",
        "year": "2001",
    }  # fmt: skip
    assert row["estimate"] == row["ci_low"] == ""  # the risk ratio of the forest plot is no hazard ratio
    assert (row["experimental"], row["control"]) == ("Antibody", "Placebo")
    assert row["note"] == "subgroup of the review: First line; Read from figure 2"


def test_hazard_ratios_are_those_of_the_forest_plot_and_not_their_logarithms(found):
    ratio = next(row for row in found.rows if row["outcome"] == "os")
    assert [ratio[c] for c in ("measure", "estimate", "ci_low", "ci_high", "ci_level")] == [
        "HR", "0.8", "0.6576", "0.9733", "95"]  # fmt: skip
    assert "GIV Mean -0.2231; GIV SE 0.1" in _asked(found, ratio, "estimate")[0].found
    by_events = next(row for row in found.rows if row["outcome"] == "pfs")
    assert (by_events["measure"], by_events["estimate"], by_events["events_exp"]) == ("HR", "0.7", "40")


def test_what_the_review_used_is_reported(found):
    assert [(each.analysis, each.measure, each.method, each.model, each.ci_level) for each in found.settings][:2] == [
        ("1.1", "Risk Ratio", "Mantel-Haenszel", "Random effects, REML, HKSJ", "95"),
        ("1.2", "Hazard Ratio", "Inverse Variance", "Random effects, REML, HKSJ", "95"),
    ]
    assert found.settings[0].estimate == "1.432"


def test_swapped_events_are_asked_about(found):
    row = next(row for row in found.rows if row["outcome"] == "dcr")
    assert "swaps events and non-events" in _asked(found, row, "events_exp")[0].question


def test_means_empty_rows_and_other_files_are_listed(found):
    left = {each.what.split(":")[0]: each for each in found.left_out}
    assert "Experimental mean 5; Experimental SD 2" in left["Quality of life (Mean Difference)"].what
    assert left["Progression-free survival"].reason == "it has no data."
    assert "CD000001-study-information.csv" in left["the files CD000001-study-information.csv"].what


def test_judgements_are_candidates_and_the_tool_is_asked_for(found):
    assert [(row["study_id"], row["domain"], row["judgement"], row["support"]) for row in found.judgements] == [
        ("smith_2001", "Bias arising from the randomization process", "low", "Central list"),
        ("smith_2001", "Overall bias", "some", ""),
        ("brown_2005", "Bias arising from the randomization process", "high", ""),
    ]
    assert [d.question for d in found.doubts if d.column == "tool"] != []
    assert any(each.what == "Overall bias: Not judged" for each in found.left_out)


def test_a_study_that_is_judged_twice_and_a_judgement_of_no_study_are_listed(imported, tmp_path):
    name = "CD000001-study-data/CD000001-risk-of-bias.csv"
    text = (FILES / "revman" / name).read_text()
    found = imported(_package(tmp_path / "a.zip", {name: text.replace("Brown 2005", "Smith 2001")}))
    assert [row["judgement"] for row in found.judgements] == ["low", "some"]
    assert any("judged in this domain already" in each.reason for each in found.left_out)
    found = imported(_package(tmp_path / "a.zip", {name: text.replace("Brown 2005", "")}))
    assert any(each.reason == "names no study or no domain." for each in found.left_out)


def test_version_1_says_the_level_of_studies_apart(imported, tmp_path):
    name = ANALYSES + "overall-estimates-and-settings.csv"
    text = (FILES / "revman" / name).read_text().replace("CI/PI level", "Study CI").replace("CI method", "Estimate CI")
    found = imported(_package(tmp_path / "a.zip", {name: text.replace("HKSJ", "99%").replace("95%", "90%")}))
    assert next(row for row in found.rows if row["outcome"] == "os")["ci_level"] == "90"


def test_without_settings_the_measure_of_a_contrast_is_not_guessed(imported, tmp_path):
    found = imported(_package(tmp_path / "a.zip", drop=("settings.csv",)))
    assert found.settings == ()
    ratio = next(row for row in found.rows if row["outcome"] == "os")
    assert ratio["estimate"] == ratio["measure"] == ""
    assert "says no measure" in _asked(found, ratio, "estimate")[0].question


def test_data_rows_alone_and_a_package_within_an_export(imported, found, tmp_path):
    alone = imported(FILES / "revman" / (ANALYSES + "data-rows.csv"))
    assert alone.format == found.format
    assert [row["events_exp"] for row in alone.rows] == [row["events_exp"] for row in found.rows]
    inner = _package(tmp_path / "inner.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "CD000001-export.zip", "w") as archive:
        archive.writestr("CD000001-files/CD000001-data.zip", inner)
    assert imported(tmp_path / "CD000001-export.zip").rows == found.rows


def _without(column):
    name = ANALYSES + "data-rows.csv"
    rows = list(csv.DictReader(io.StringIO((FILES / "revman" / name).read_text())))
    out = io.StringIO()
    writer = csv.DictWriter(out, [n for n in rows[0] if n != column], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return {name: out.getvalue()}


def test_packages_that_cannot_be_read(imported, tmp_path):
    with pytest.raises(InputError, match=r"CD000001-data-rows\.csv: lacks the column Study"):
        imported(_package(tmp_path / "a.zip", _without("Study")))
    with zipfile.ZipFile(tmp_path / "dta.zip", "w") as archive:
        archive.writestr("CD1-analysis-data/CD1-parameters.csv", "a\n")
    with pytest.raises(InputError, match="review of diagnostic tests"):
        imported(tmp_path / "dta.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("CD1-files/CD1-data.zip", b"no archive")
    with pytest.raises(InputError, match="no zip archive"):
        imported(tmp_path / "empty.zip")


def test_revman_5(imported):
    found = imported("review.rm5")
    counts, ratio = found.rows
    assert [counts[c] for c in ("events_exp", "n_exp", "events_ctl", "n_ctl")] == ["12", "60", "8", "61"]
    assert (counts["experimental"], counts["control"], counts["year"]) == ("Antibody", "Placebo", "2001")
    assert [ratio[c] for c in ("estimate", "ci_low", "ci_high", "ci_level")] == ["0.80", "0.66", "0.97", "95"]
    assert _asked(found, ratio, "estimate")[0].found.startswith("TOTAL_1 150, TOTAL_2 148, ESTIMATE -0.2231, SE 0.1")
    assert found.left_out[0].what.startswith("means (MD): TOTAL_1 60, TOTAL_2 61, MEAN_1 5, SD_1 2")
    source = found.sources[0]
    assert (source["volume"], source["doi"], source["first_author"]) == ("12(3)", "10.1000/smith2001", "Müller A")
    assert [d.column for d in found.doubts if d.row_id == "smith_2001"] == ["status"]


def test_settings_and_judgements_of_revman_5(imported):
    found = imported("review.rm5")
    assert [(each.analysis, each.measure, each.method, each.model, each.estimate) for each in found.settings[:2]] == [
        ("1.1", "RR", "MH", "Random effects", "1.43"), ("1.2", "Hazard Ratio", "IV", "Fixed effect", ""),
    ]  # fmt: skip
    assert [(row["study_id"], row["judgement"], row["support"]) for row in found.judgements] == [
        ("smith_2001", "low", "A central list was used."), ("brown_2005", "unclear", ""), ("smith_2001", "high", ""),
    ]  # fmt: skip
    assert found.judgements[2]["domain"].endswith("(detection bias) (QIG-01)")


def test_swapped_events_and_data_without_estimates_of_revman_5(imported, tmp_path):
    text = (FILES / "review.rm5").read_bytes().decode("latin-1")
    text = text.replace('SWAP_EVENTS="NO"', 'SWAP_EVENTS="YES"').replace('EFFECT_SIZE="0.80"', 'EFFECT_SIZE="0.0"')
    (tmp_path / "a.rm5").write_bytes(text.encode("latin-1"))
    found = imported(tmp_path / "a.rm5")
    assert "swaps events" in _asked(found, found.rows[0], "events_exp")[0].question
    assert found.rows[1]["estimate"] == ""
    assert len(_asked(found, found.rows[1], "estimate")) == 2
