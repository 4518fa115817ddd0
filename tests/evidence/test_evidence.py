"""The shipped evidence: it loads, it is what the schema says, every row can be followed to its source."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import warnings
from pathlib import Path

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.evidence.schema import FOREIGN_KEYS, TABLES, all_columns
from igfmeta.evidence.selection import biomarker_selection

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


def test_it_holds_what_the_readme_says(evidence):
    assert len(evidence.trials) == 329
    assert evidence.trials["study_id"].nunique() == 120
    assert (len(evidence.associations), len(evidence.dose_response)) == (298, 106)
    assert (len(evidence.sources), len(evidence.agents)) == (229, 21)


@pytest.mark.parametrize("name", TABLES)
def test_the_header_of_each_table_is_the_schema(name):
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        assert next(csv.reader(stream)) == list(TABLES[name].model_fields)


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_survives_loading(evidence, name):
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        raw = list(csv.DictReader(stream))
    for row, loaded in zip(raw, evidence.table(name), strict=True):
        for column, cell in row.items():
            value = loaded[column]
            shown = loaded.get(f"{column}_text", value)
            if isinstance(value, float) and f"{column}_text" not in loaded:
                assert (cell == "") == (value != value)
                assert cell == "" or float(cell) == value
            else:
                assert str(shown) == cell.strip()


def test_frames_have_the_same_columns_and_types_with_and_without_rows(evidence):
    empty = load_evidence(tables=("associations",))
    assert list(empty.trials.columns) == all_columns("trials")
    assert empty.trials.empty
    assert evidence.trials.dtypes.astype(str).to_dict() == empty.trials.dtypes.astype(str).to_dict()


def test_data_package_is_made_from_the_row_models():
    spec = importlib.util.spec_from_file_location("datapackage", ROOT / "tools" / "datapackage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert json.loads((DATA / "datapackage.json").read_text()) == module.package()


def test_data_package_agrees_with_the_row_models_field_by_field():
    package = json.loads((DATA / "datapackage.json").read_text())
    resources = {resource["name"]: resource["schema"] for resource in package["resources"]}
    assert set(resources) == set(TABLES)
    for name, model in TABLES.items():
        found = resources[name]["fields"]
        assert [field["name"] for field in found] == list(model.model_fields)
        required = {field["name"] for field in found if field["constraints"]["required"]}
        assert required == {n for n, f in model.model_fields.items() if f.is_required()}
        keys = {key["fields"]: key["reference"]["resource"] for key in resources[name].get("foreignKeys", [])}
        assert keys == FOREIGN_KEYS.get(name, {})


def test_frictionless_validates_the_data_package():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the validator itself
        from frictionless import Package

        report = Package(str(DATA / "datapackage.json")).validate()
    assert report.stats["errors"] == 0
    assert report.valid


def test_the_fingerprint_is_that_of_the_files(evidence):
    for name, digest in evidence.files.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest
    assert evidence.fingerprint == load_evidence().fingerprint


def test_the_retracted_source_is_in_the_table_and_in_no_pool(evidence):
    retracted = set(evidence.sources.loc[evidence.sources["status"] == "retracted", "source_id"])
    rows = evidence.trials[evidence.trials["source_id"].isin(retracted)]
    assert len(rows) > 0
    assert set(rows["use"]) == {"exclude"}


def test_a_row_is_explained_by_its_source(evidence):
    shown = evidence.explain("fuchs2015-01")
    assert shown.identifiers["nct_id"] == "NCT01231347"
    assert "Fuchs" in shown.citation
    assert shown.reported["p_value"] == "0.494"
    assert shown.extraction in ("single", "double")
    assert "read from" in str(shown)
    with pytest.raises(InputError, match="There is no row 'nobody-01'"):
        evidence.explain("nobody-01")


CRITERIA = {
    "agent_class": ("tki", lambda t: t["agent_class"] == "tki"),
    "agent": (["ganitumab", "linsitinib"], lambda t: t["agent"].isin(["ganitumab", "linsitinib"])),
    "tumor": ("nsclc", lambda t: t["tumor_type"] == "nsclc"),
    "outcome": ("os", lambda t: t["outcome"] == "os"),
    "phase": ("3", lambda t: t["phase"] == "3"),
    "design": ("randomized", lambda t: t["design"] == "randomized"),
    "use": ("primary", lambda t: t["use"] == "primary"),
    "regimen": ("monotherapy", lambda t: t["regimen"] == "monotherapy"),
    "partners": ("targeted", lambda t: t["partners"].str.contains("targeted")),
    "contrast": ("add_on", lambda t: t["contrast"] == "add_on"),
    "study": ("fuchs2015", lambda t: t["study_id"] == "fuchs2015"),
    "year": ((2014, 2015), lambda t: t["year"].between(2014, 2015)),
    "biomarker": ("selected", lambda t: t["population"].map(biomarker_selection) == "selected"),
    "tumor_group": ("thoracic", lambda t: t["tumor_type"].isin(["nsclc", "sclc", "thymic"])),
    "outcome_family": ("progression", lambda t: t["outcome"].isin(["pfs", "efs", "ttp", "dfs", "pfs_rate"])),
}


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_selects_its_rows(evidence, name):
    value, rule = CRITERIA[name]
    chosen = evidence.select(**{name: value}).trials
    expected = evidence.trials[rule(evidence.trials)]
    assert chosen["row_id"].tolist() == expected["row_id"].tolist()
    assert 0 < len(chosen) < 329


def test_criteria_ignore_case_and_combine(evidence):
    chosen = evidence.select(agent="Ganitumab", outcome="OS", year=2015).trials
    assert set(chosen["study_id"]) == {"fuchs2015"}


def test_unknown_criteria_and_values_are_listed_together(evidence):
    with pytest.raises(InputError) as caught:
        evidence.select(agent="ganitumb", tumor="lung")
    assert len(caught.value.problems) == 2
    assert "Did you mean ganitumab" in str(caught.value)
    with pytest.raises(InputError, match="no criterion colour"):
        evidence.select(colour="red")
    with pytest.raises(InputError, match="a pair"):
        evidence.select(year=(2015, 2014))
    with pytest.raises(InputError, match="a text or a list"):
        evidence.select(agent=3)
