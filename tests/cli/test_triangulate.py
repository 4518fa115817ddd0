"""`igfmeta triangulate` as a user meets it."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest


@pytest.fixture
def answered(run):
    """Return a function that gives the output of a command that has to succeed without a word on standard error."""

    def answer(*arguments):
        status, out, err = run("triangulate", *arguments)
        assert (status, err) == (0, "")
        return out

    return answer


def test_it_answers_with_both_schools_and_says_how_little_they_can_tell(answered):
    text = answered("--class", "antibody")
    said = " ".join(text.split())
    for part in ("Overall survival against igf1: Prospective studies", "Mendelian randomization", "Reliability ratio",
                 "Errors in variables (REML)", "Joint Bayesian model", "normal(0, 2.5)", "nothing can be said",
                 "Not in:", "Pareto k", "sha256"):  # fmt: skip
        assert part in said
    assert max(map(len, text.splitlines())) <= 100


def test_json_is_as_its_schema_says(answered):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/triangulate.schema.json").read_text())
    for more in (("--class", "antibody"), ("--tumor", "colorectal"),
                 ("--outcome", "progression", "--exposure-sd", "uk_biobank=5.7 nmol/L")):  # fmt: skip
        payload = json.loads(answered(*more, "--format", "json"))
        jsonschema.validate(payload, schema)
    assert payload["predictors"][0]["errors_in_variables"]["bounded"]


def test_every_format_and_the_figure(run, answered, tmp_path):
    assert answered("--class", "antibody", "--format", "csv").startswith("predictor,cancer,tumors,studies,risk")
    assert "## Overall survival against igf1" in answered("--class", "antibody", "--format", "markdown")
    status, _, err = run(
        "triangulate",
        "--class",
        "antibody",
        "--format",
        "html",
        "-o",
        tmp_path / "t.html",
        "--figure",
        tmp_path / "t.svg",
    )
    assert status == 0, err
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
def test_what_cannot_be_answered_is_said(run, arguments, status, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, out, err = run("triangulate", *arguments)
    assert found == status
    assert message in " ".join(err.split())
    assert out == ""
    assert list(tmp_path.iterdir()) == []
