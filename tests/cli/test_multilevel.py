"""`igfmeta multilevel` and `fit --model multilevel` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igfmeta.cli import app as cli

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
SCHOOLS = str(CASES / "14_konstantopoulos2011_three_level.csv")


@pytest.fixture
def run(monkeypatch, capsys):
    def go(*arguments):
        monkeypatch.setattr("sys.argv", ["igfmeta", *arguments])
        status = cli._run()
        out = capsys.readouterr()
        return status, out.out, out.err

    return go


def test_the_figure_and_the_numbers_of_two_outcomes(run, tmp_path):
    figure = tmp_path / "line.svg"
    status, out, err = run(
        "multilevel", "--class", "antibody", "--outcome", "os,pfs", "--rho", "0", "--format", "json", "--figure",
        str(figure),
    )  # fmt: skip
    assert status == 0
    result = json.loads(out)
    assert [c["name"] for c in result["coefficients"]] == ["os", "pfs"]
    assert [each["rho"] for each in result["sweep"]] == [0.0, 0.3, 0.5, 0.7, 0.9]
    assert "Written" in err
    drawn = figure.read_text()
    assert "So few trials cannot validate a surrogate." in drawn
    assert "Fuchs 2015 (GAMMA) b" in drawn


def test_the_forest_and_the_line_of_any_table(run, tmp_path):
    table = CASES / "12_riley2003_os_dfs.csv"
    forest, line = tmp_path / "forest.txt", tmp_path / "line.svg"
    status, out, err = run(
        "fit", "--data", str(table), "--yi", "yi", "--vi", "vi", "--scale", "log", "--model", "multilevel", "--random",
        "~ outcome | study", "--surrogate", "DFS", "--forest", str(forest), "--figure", str(line),
    )  # fmt: skip
    assert status == 0
    assert err.count("Written") == 2
    assert "Trial-level surrogacy: DFS for OS, 17 trials with both" in out
    assert forest.read_text().count("Pooled") == 2
    assert "OS against DFS: 17 trials with both" in line.read_text()
    evidence = tmp_path / "evidence.html"
    assert run("multilevel", "--class", "antibody", "--forest", str(evidence))[0] == 0
    assert "Fuchs 2015 (GAMMA)" in evidence.read_text()


def test_a_table_of_anybody(run):
    status, out, _ = run(
        "fit", "--data", SCHOOLS, "--yi", "yi", "--vi", "vi", "--model", "multilevel", "--random",
        "~ 1 | district/school", "--format", "markdown",
    )  # fmt: skip
    assert status == 0
    assert "| district/school | σ² | 0.0327 | 0.181 | 0.0163, 0.0628 | 56 | 31.9 % |" in out


RESPONSE = ["multilevel", "--class", "antibody", "--outcome", "orr"]


def test_counts_are_odds_ratios_unless_a_measure_is_named_and_that_is_said(run):
    status, unnamed, _ = run(*RESPONSE)
    assert status == 0
    said = " No measure was named: OR is modelled; measure PLO (--measure) takes the rates of single arms instead."
    assert said in " ".join(unnamed.split("\n"))
    status, named, _ = run(*RESPONSE, "--measure", "OR")
    assert status == 0
    assert "No measure was named" not in named
    assert unnamed.splitlines()[:7] == named.splitlines()[:7]


def test_rates_are_in_percent_and_are_tested_against_nothing(run):
    status, out, _ = run(*RESPONSE, "--measure", "plo", "--format", "json")
    assert status == 0
    result = json.loads(out)
    assert result["measure"] == "PLO"
    rate = result["coefficients"][0]["natural"]["coef"]
    status, out, _ = run(*RESPONSE, "--measure", "PLO", "--format", "markdown")
    assert f"| Intercept | {100 * rate:.2f} (" in out
    assert "| – |" in out
    assert "results have no event and 0.5 added to it" in out


def test_the_suffix_of_a_figure_is_checked_before_anything_is_fitted(run, monkeypatch):
    monkeypatch.setattr("igfmeta.synthesis.models_of_fit.fit_with", lambda *_, **__: pytest.fail("it was fitted"))
    table = ["fit", "--data", SCHOOLS, "--yi", "yi", "--vi", "vi"]
    for model, option, accepted in (
        (["multilevel", "--random", "~ 1 | district/school"], "--figure", ".svg, .pdf, .png."),
        (["robust", "--cluster", "district"], "--figure", ".svg, .pdf, .png, .html, .txt."),
        (["random"], "--forest", ".svg, .pdf, .png, .html, .txt."),
    ):
        status, _, err = run(*table, "--model", *model, option, "x.gif")
        assert status == 2
        assert f"'x.gif' ends in .gif; accepted are {accepted}" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["multilevel", "--rho", "1.5"], "rho was 1.5"),
        (["multilevel", "--outcome", "os", "--figure", "x.svg"], "two outcomes"),
        (["multilevel", "--figure", "x.gif"], "accepted are .svg, .pdf, .png"),
        ([*RESPONSE, "--measure", "HR"], "Objective response cannot be pooled as HR"),
        (["multilevel", "--measure", "OR"], "cannot be pooled as OR; accepted for it are HR"),
        (["multilevel", "--struct", "XX"], "struct was 'XX'"),
        (["multilevel", "--test", "kr"], "test was 'kr'"),
        (["fit", "--data", SCHOOLS, "--yi", "yi", "--vi", "vi", "--model", "multilevel"], "random is missing"),
        (
            ["fit", "--data", SCHOOLS, "--yi", "yi", "--vi", "vi", "--model", "multilevel", "--random", "~ 1 | town"],
            "there is no column 'town'",
        ),
        (["fit", "--data", SCHOOLS, "--yi", "yi", "--vi", "vi", "--random", "~ 1 | district"], "--random says nothing"),
    ],
)
def test_what_cannot_be_used_ends_with_status_2_and_a_sentence(run, arguments, message):
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
