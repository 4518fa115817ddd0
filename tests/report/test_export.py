"""A report as files and as a bundle: the same content, the same bytes, hostile evidence as text, and a way back."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rocrate.rocrate import ROCrate

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.report.build import build_report
from igfmeta.report.bundle import compare_bundles, read_bundle
from igfmeta.report.crate import bundle
from igfmeta.report.document import report_to_markdown, tables_of
from igfmeta.report.export import check_folder, evidence_files, files_of, write_folder
from igfmeta.report.html import report_to_html
from igfmeta.report.markdown import markdown_text
from igfmeta.resources import data_folder
from igfmeta.synthesis.analysis import analyse
from igfmeta.synthesis.protocol_files import protocol_of_texts

HOSTILE = "<script>x</script>\u202e=cmd|' /C calc'!A0 ```[a](javascript:x)"

PROTOCOL = """
title = "Small"
authors = ["A. Author"]

[question]
text = "Do antibodies prolong survival?"
intervention = "antibodies"

[eligibility]
agent_class = ["antibody"]

[[outcome]]
name = "os"
measure = "HR"
"""


def folder_of(folder, change):
    """Write evidence: survival in randomized trials of antibodies, changed."""
    trials = pd.read_csv(data_folder() / "trials.csv", dtype=str, keep_default_na=False)
    trials = trials[(trials["agent_class"] == "antibody") & (trials["outcome"] == "os") & (trials["measure"] == "HR")]
    change(trials.copy()).to_csv(folder / "trials.csv", index=False)
    return folder


def built(folder, stamp=None):
    file = protocol_of_texts("small", {"small": PROTOCOL})
    report = build_report(file, analyse(file, load_evidence(folder, tables=["trials"])), stamp=stamp)
    return report, files_of(report, evidence_files(folder, report.provenance.files))


def hostile(trials):
    first = trials.index[0]
    trials.loc[first, ["study_id", "experimental", "note"]] = [HOSTILE, HOSTILE, HOSTILE]
    trials["agent"] = trials["agent"].mask(trials.index == first, "=HYPERLINK(1)")
    return trials


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return built(folder_of(tmp_path_factory.mktemp("evidence"), hostile))


@pytest.fixture(scope="module")
def zipped(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "new.zip"
    path.write_bytes(bundle(*made))
    return path


def test_every_table_figure_fit_and_protocol_has_its_file(made):
    report, files = made
    assert files["report.html"].decode() == report_to_html(report)
    assert {name for name in files if name.startswith("tables/")} == {f"tables/{key}.csv" for key in tables_of(report)}
    assert {f"fits/{name}.json" for name in report.fits} <= set(files)
    assert files["protocols/small.toml"].decode() == PROTOCOL
    fit = json.loads(files["fits/small-os-hr-pool.json"])
    assert fit["overall"]["k"] == report.fits["small-os-hr-pool"].overall.fit.k
    assert json.loads(files["provenance.json"])["fingerprint"] == report.provenance.fingerprint


def test_the_markdown_says_what_the_page_says(made):
    report, files = made
    text = files["report.md"].decode()
    assert [line.lstrip("# ") for line in text.splitlines() if line.startswith("## ")] == [
        section.title for section in report.sections
    ]
    for table in report.tables():
        assert f"**{markdown_text(table.table.title)}**" in text
    for name in files:
        assert not name.startswith("figures/") or f"({name})" in text
    assert any(line.startswith("> Overall survival") for line in text.splitlines())


def test_hostile_evidence_stays_text_in_markdown_and_csv(made):
    _, files = made
    text = files["report.md"].decode()
    outside = "\n".join(text.split("\n```")[::2])
    assert "<script>" not in outside
    assert "&lt;script&gt;" in outside
    assert "\u202e" not in text
    assert "[a](javascript" not in outside
    cells = [cell for name, content in files.items() if name.startswith("tables/")
             for row in csv.reader(io.StringIO(content.decode())) for cell in row]  # fmt: skip
    assert any("script" in cell for cell in cells)
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
    assert not any("\u202e" in cell for cell in cells)


def test_a_fence_cannot_be_closed_from_inside(made):
    report, _ = made
    open_fence = None
    for line in report_to_markdown(report).splitlines():
        if open_fence is None and line.startswith("```"):
            open_fence = line
        elif line == open_fence:
            open_fence = None
    assert open_fence is None


def test_draws_are_netcdf_without_the_time_of_day(made, tmp_path):
    report, _ = made
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), np.ones((2, 5)))})})
    tree["posterior"].attrs = {"created_at": "2026-01-01", "sampling_time": 3.0, "inference_library": "pymc"}
    fit = SimpleNamespace(sampled=SimpleNamespace(tree=tree), to_dict=dict)
    files = files_of(replace(report, fits={"small-os-hr-mcmc": fit}), {})
    path = tmp_path / "draws.nc"
    path.write_bytes(files["posteriors/small-os-hr-mcmc.nc"])
    with xr.open_datatree(path, engine="h5netcdf") as read:
        assert read["posterior"]["mu"].shape == (2, 5)
        assert dict(read["posterior"].attrs) == {"inference_library": "pymc"}
        kept = read.load()
    assert "created_at" in tree["posterior"].attrs
    again = SimpleNamespace(sampled=SimpleNamespace(tree=kept), to_dict=dict)
    assert files_of(replace(report, fits={"small-os-hr-mcmc": again}), {})["posteriors/small-os-hr-mcmc.nc"] == (
        path.read_bytes()
    )


def test_a_bundle_is_the_same_bytes_and_a_crate_that_says_how_it_was_made(made, zipped):
    report, files = made
    assert bundle(report, files) == zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(archive.namelist()) == {*files, "ro-crate-metadata.json"}
    crate = ROCrate(str(zipped))
    assert {entity.id for entity in crate.data_entities} == set(files)
    (run,) = crate.get_by_type("CreateAction")
    assert {entity.id for entity in run["object"]} == {"evidence/trials.csv", "protocols/small.toml"}
    assert run["instrument"]["softwareVersion"] == report.provenance.version
    assert report.provenance.fingerprint in run["description"]
    assert crate.root_dataset["datePublished"] == "1980-01-01"


def test_a_stamp_is_the_date_of_the_bundle(made):
    report, files = made
    stamped = replace(report, provenance=replace(report.provenance, stamp="2026-02-03 10:00 UTC"))
    with zipfile.ZipFile(io.BytesIO(bundle(stamped, files))) as archive:
        assert '"datePublished": "2026-02-03"' in archive.read("ro-crate-metadata.json").decode()


def test_two_bundles_are_compared_by_the_effects_that_they_hold(zipped, tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    folder_of(folder, lambda trials: trials[trials["study_id"] != "fuchs2015"])
    write_folder(tmp_path / "old", built(folder)[1])
    old, new = read_bundle(tmp_path / "old"), read_bundle(zipped)
    found = compare_bundles(old, new)
    assert not found.same
    assert "fuchs2015" in {study.study for study in found.evidence.studies if study.kind == "came"}
    overall = next(each for each in found.effects if each.effect.group == "All studies")
    assert (overall.old.k, overall.new.k) == (7, 8)
    assert compare_bundles(new, read_bundle(zipped)).same


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"<html>"])
def test_what_is_no_bundle_is_a_sentence(content, tmp_path):
    path = tmp_path / "broken.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no bundle of igfmeta, or not a whole one"):
        read_bundle(path)


def test_a_bundle_without_its_evidence_or_with_a_path_out_of_it_is_refused(zipped, tmp_path):
    for drop, add in (("evidence/trials.csv", None), (None, "evidence/../../escaped.csv")):
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(zipped) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                if name != drop:
                    new.writestr(name, old.read(name))
            if add:
                new.writestr(add, "x")
        if drop:
            with pytest.raises(InputError, match="not a whole one"):
                read_bundle(path)
        else:
            assert read_bundle(path).effects
    assert not (tmp_path.parent / "escaped.csv").exists()


def test_a_folder_with_files_is_not_written_into_and_changed_evidence_is_noticed(made, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files already"):
        check_folder(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        check_folder(tmp_path / "a" / "b")
    (tmp_path / "trials.csv").write_text("other")
    with pytest.raises(InputError, match="changed while the report was made"):
        evidence_files(tmp_path, made[0].provenance.files)
