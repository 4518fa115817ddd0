"""`fit --model robust` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from igfmeta.cli.app import app
from igfmeta.errors import InputError
from igfmeta.synthesis.models_of_fit import fit_with

DATA = Path(__file__).parents[1] / "published" / "cases" / "data"
RECIDIVISM = str(DATA / "assink2016_three_level.csv")
FIT = ["fit", "--data", RECIDIVISM, "--yi", "yi", "--vi", "vi", "--model", "robust"]


def _run(*arguments):
    result = CliRunner().invoke(app, [*FIT, *arguments])
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
        (["--cluster", "study", "--working", "SCE"], "accepted are CHE, CORR, HIER or RE"),
        (["--cluster", "study", "--adjustment", "CR3"], "accepted are CR0, CR1 or CR2"),
        (["--cluster", "study", "--rho", "1"], "a correlation from 0 to below 1"),
        (["--cluster", "study", "--rho", "0.5", "--working", "RE"], "the working model RE has none"),
        (["--cluster", "study", "--ci", "HK"], "--ci says nothing to model robust"),
        (["--cluster", "study", "--mods", "~ yer"], "Did you mean 'year'"),
        (["--cluster", "study", "--forest", "x.svg"], "has no forest plot"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        _run(*options)


def test_a_blank_cluster_is_refused_with_its_row():
    table = pd.DataFrame({"yi": [0.1, 0.2, 0.3], "vi": [0.1] * 3, "s": ["a", "", "b"]})
    with pytest.raises(InputError, match="row 2, column s: is blank"):
        fit_with("robust", table, yi="yi", vi="vi", cluster="s")
