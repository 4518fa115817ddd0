"""`robust` and `fit --model robust` as a user meets them."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner

from igfmeta.cli.commands import build
from igfmeta.errors import InputError
from igfmeta.synthesis.models_of_fit import fit_with

DATA = Path(__file__).parents[1] / "published" / "cases" / "data"
RECIDIVISM = str(DATA / "assink2016_three_level.csv")
FIT = ["fit", "--data", RECIDIVISM, "--yi", "yi", "--vi", "vi", "--model", "robust"]


def _run(*arguments):
    result = CliRunner().invoke(build(), [*FIT, *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_a_pool_of_dependent_effects_says_what_was_assumed():
    text = _run("--cluster", "study")
    assert "100 rows in 17 clusters" in text
    assert "CHE (correlated and hierarchical effects, REML): assumed correlation" in text
    assert "0.354 (0.154, 0.554)" in text
    assert "Under other assumed correlations" in text


def test_json_holds_every_row_and_every_number_of_the_table():
    found = json.loads(_run("--cluster", "study", "--mods", "~ year", "--working", "HIER", "--format", "json"))
    assert (found["k"], found["clusters"], found["working"], found["sweep"]) == (100, 17, "HIER", [])
    assert sum(row["weight"] for row in found["rows"]) == pytest.approx(100)
    year = found["coefficients"][1]
    assert found["moderators"]["statistic"] == pytest.approx(year["statistic"] ** 2, rel=1e-9)
    assert found["moderators"]["df2"] == pytest.approx(year["df"], rel=1e-9)


def test_means_of_groups_are_ratios_and_a_lone_study_has_no_interval():
    text = _run("--cluster", "study", "--mods", "~ deltype - 1", "--working", "HIER", "--scale", "log")
    assert "1.83 (1.13, 2.97)" in text
    assert "0.86 (no interval)" in text
    assert "deltype[covert] would have no estimate without one of the clusters" in text


def test_study_names_the_clusters_where_no_other_column_does():
    by_study, by_cluster = (
        json.loads(_run(option, "study", "--format", "json")) for option in ("--study", "--cluster")
    )
    assert by_study["coefficients"] == by_cluster["coefficients"]


@pytest.mark.parametrize("shape", ["csv", "markdown", "html"])
def test_other_formats(shape):
    assert "0.8" in _run("--cluster", "study", "--format", shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "cluster is missing"),
        (["--cluster", "town"], "there is no column 'town'"),
        (["--cluster", "study", "--working", "SCE"], "accepted are CHE, CORR, HIER, RE or EQUAL"),
        (["--cluster", "study", "--adjustment", "CR3"], "accepted are CR0, CR1 or CR2"),
        (["--cluster", "study", "--rho", "1"], "a correlation from 0 to below 1"),
        (["--cluster", "study", "--rho", "0.5", "--working", "RE"], "the working model RE has none"),
        (["--cluster", "study", "--ci", "HK"], "--ci says nothing to model robust"),
        (["--cluster", "study", "--mods", "~ yer"], "Did you mean 'year'"),
        (["--cluster", "study", "--figure", "x.gif"], "accepted are .svg, .pdf, .png"),
        (["--cluster", "study", "--study", "town"], "there is no column 'town'"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        _run(*options)


def test_a_blank_cluster_is_refused_with_its_row():
    table = pd.DataFrame({"yi": [0.1, 0.2, 0.3], "vi": [0.1] * 3, "s": ["a", "", "b"]})
    with pytest.raises(InputError, match="row 2, column s: is blank"):
        fit_with("robust", table, yi="yi", vi="vi", cluster="s")


def _valid(text):
    schema = resources.files("igfmeta").joinpath("schemas/robust.schema.json").read_text()
    found = json.loads(text)
    jsonschema.validate(found, json.loads(schema))
    return found


@pytest.mark.parametrize(
    "options", [(), ("--mods", "~ deltype - 1", "--working", "HIER"), ("--mods", "~ year", "--working", "EQUAL")]
)
def test_json_of_a_table_is_as_its_schema_says(options):
    _valid(_run("--cluster", "study", "--format", "json", *options))


PROGRESSION = ("robust", "--outcome", "progression", "--use", "sensitivity")


@pytest.mark.parametrize(
    "arguments",
    [
        PROGRESSION,
        ("robust", "--outcome", "os,progression", "--working", "CORR"),
        ("robust", "--outcome", "orr", "--measure", "PLO", "--mods", "~ year", "--working", "RE"),
        ("robust", "--outcome", "orr", "--measure", "PFT", "--cluster", "agent"),
    ],
)
def test_json_of_the_evidence_is_as_its_schema_says(run, arguments):
    status, out, err = run(*arguments, "--format", "json")
    assert status == 0, err
    found = _valid(out)
    assert len(found["rows"]) == found["k"]
    assert sum(row["weight"] for row in found["rows"]) == pytest.approx(100)


def test_the_defaults_stand_with_the_answer(run):
    status, out, err = run(*PROGRESSION)
    assert status == 0, err
    text = " ".join(out.split())
    for said in (
        "22 results of 18 studies",
        "Clusters: study, 18 of them, 4 with several rows",
        "CHE (correlated and hierarchical effects, REML): assumed correlation 0.8",
        "CR2 (bias-reduced linearization); t tests with Satterthwaite's degrees of freedom",
        "Contrasts that share a control arm are correlated by its size",
        "Under other assumed correlations",
        "rows (19 one arm, nothing to compare with;",
    ):
        assert said in text
    # The forest: results under their study, told apart by what differs.
    assert "Schmid 2023 (XENERA-1) primary row" in text
    assert "Fuchs 2015 (GAMMA) ganitumab 12 mg/kg + gemcitabine" in text
    assert "Robust mean" in text


def test_two_outcomes_have_a_mean_each_and_tests_of_both(run):
    text = " ".join(run("robust", "--outcome", "os,progression")[1].split())
    assert "One mean for each outcome." in text
    assert "No effect in any group, HTZ test: F = " in text
    assert "Equal means, HTZ test: F = 0.01, df = 1, 5.3, p = 0.937" in text


def test_few_degrees_of_freedom_are_warned_of(run):
    text = " ".join(run("robust", "--outcome", "os", "--mods", "~ year")[1].split())
    assert "Moderators, HTZ test: F = 0.04, df = 1, 2.9" in text
    assert "Fewer than 4 degrees of freedom for Intercept, year" in text


def test_a_rate_has_no_p_value_and_cohorts_of_different_patients_no_correlation(run):
    text = run("robust", "--outcome", "orr", "--measure", "PLO", "--format", "markdown")[1]
    assert "| Intercept | 6.0 (4.2, 8.4) | 0.175 | 0.175 | 18.1 | – |" in text
    assert "No two results are of the same patients: the assumed correlation plays no part." in text
    assert "Under other assumed correlations" not in text
    assert "18 of 39 results have no event and 0.5 added to it, which draws the mean up. PAS needs no such" in text


@pytest.mark.parametrize("suffix", [".svg", ".txt"])
def test_both_commands_draw_their_forest(run, tmp_path, suffix):
    of_evidence, of_table = tmp_path / f"evidence{suffix}", tmp_path / f"table{suffix}"
    assert run(*PROGRESSION, "--figure", of_evidence)[0] == 0
    _run("--cluster", "study", "--figure", str(of_table))
    drawn = of_evidence.read_text()
    assert "Sclafani 2015 (MK-0646-004)" in drawn
    assert "One result each" in drawn
    assert "Robust mean" in drawn
    table = of_table.read_text()
    assert "100 rows in 17 clusters (study), 14 of them with several" in table
    assert "study 17" in table  # a number is a name only with its column
    assert "study 4: Row 21" in table


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--working", "XX"), 2, "working was 'XX'; accepted are CHE, CORR, HIER, RE or EQUAL"),
        (("--adjustment", "CR3"), 2, "accepted are CR0, CR1 or CR2"),
        (("--rho", "1"), 2, "a correlation from 0 to below 1"),
        (("--rho", "0.5", "--working", "EQUAL"), 2, "the working model EQUAL has none"),
        (("--cluster", "trial"), 2, "accepted are study, agent, class or tumor"),
        (("--outcome", "orr", "--measure", "PLO", "--cluster", "tumor"), 2, "which divides studies (schoffski2013 in"),
        (("--outcome", "orr"), 2, "which gives OR or PLO; a model is of one measure: add measure"),
        (("--outcome", "os,orr"), 2, "a model is of one measure"),
        (("--outcome", "pfs,progression"), 2, "which asks for pfs twice; name it once"),
        (("--outcome", "nothing"), 2, "outcome was 'nothing'; accepted are"),
        (("--measure", "OR"), 2, "Overall survival cannot be pooled as OR"),
        (("--use", "all"), 2, "accepted are primary or sensitivity"),
        (("--mods", "~ yer"), 2, "there is no column yer"),
        (("--mods", "year ~"), 2, "nothing before the '~'"),
        (("--level", "95"), 2, "level was 95.0"),
        (("--figure", "x.gif"), 2, "accepted are .svg, .pdf, .png"),
        (("--format", "html"), 2, "accepted are table, json, csv or markdown"),
        (("--mods", "~ C(study_id)"), 3, "10 clusters cannot carry 10 coefficients"),
        (("--study", "fuchs2015"), 3, "1 cluster cannot carry 1 coefficient"),
        (("--year", "1990"), 3, "There is no usable row of os"),
    ],
)
def test_what_the_evidence_cannot_answer_is_said_in_a_sentence(run, options, status, message):
    found, out, err = run("robust", *options)
    assert (found, out) == (status, "")
    assert message in " ".join(err.split())
