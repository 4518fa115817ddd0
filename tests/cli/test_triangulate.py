"""`igfmeta triangulate` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources

import jsonschema
import pytest


def run(*arguments, **options):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-W", "error", "-m", "igfmeta", "triangulate", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, encoding="utf-8", env=environment, **options
    )


def answered(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_it_answers_with_both_schools_and_says_how_little_they_can_tell():
    text = answered("--class", "antibody")
    said = " ".join(text.split())
    for part in ("Overall survival against igf1: Prospective studies", "Mendelian randomization", "Reliability ratio",
                 "Errors in variables (REML)", "Joint Bayesian model", "normal(0, 2.5)", "nothing can be said",
                 "Not in:", "Pareto k", "sha256"):  # fmt: skip
        assert part in said
    assert max(map(len, text.splitlines())) <= 100


def test_json_is_as_its_schema_says():
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/triangulate.schema.json").read_text())
    for more in (("--class", "antibody"), ("--tumor", "colorectal"),
                 ("--outcome", "progression", "--exposure-sd", "uk_biobank=5.7 nmol/L")):  # fmt: skip
        payload = json.loads(answered(*more, "--format", "json"))
        jsonschema.validate(payload, schema)
    assert payload["predictors"][0]["errors_in_variables"]["bounded"]


def test_every_format_and_the_figure(tmp_path):
    assert answered("--class", "antibody", "--format", "csv").startswith("predictor,cancer,tumors,studies,risk")
    assert "## Overall survival against igf1" in answered("--class", "antibody", "--format", "markdown")
    done = run("--class", "antibody", "--format", "html", "-o", tmp_path / "t.html", "--figure", tmp_path / "t.svg")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.html").read_text().startswith("<!DOCTYPE html>")
    drawn = (tmp_path / "t.svg").read_text()
    for part in ("Prospective studies", "Mendelian randomization", "Pancreatic", "Hazard ratio", "Risk ratio per SD"):
        assert part in drawn


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--marker", "igf9"), 2, "marker was 'igf9'; accepted are"),
        (("--predictor", "genetic"), 2, "accepted are prospective or observational"),
        (("--tumor", "nsclc"), 3, "no type of tumour has both"),
        (("--slope-prior", "-1"), 2, "slope_prior was -1.0"),
        (("--format", "xml"), 2, "accepted are table, json, csv, markdown or html"),
        (("--figure", "x.html"), 2, "accepted are .svg, .pdf, .png"),
        (("--data", "none"), 2, "There is no file or folder none"),
        (("--class", "antibody", "--tumor", "colorectal", "--figure", "x.svg"), 3, "nothing to draw"),
        (("--mcmc", "--draws", "0"), 2, "draws was 0"),
    ],
)
def test_what_cannot_be_answered_is_said(arguments, status, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert message in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
