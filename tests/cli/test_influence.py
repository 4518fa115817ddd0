"""`igfmeta influence` as a user meets it: on the evidence, on any table, with each option right and wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CASES = Path(__file__).parents[1] / "published" / "cases"

BCG = str(CASES / "data" / "22_bcg_leave_one_out_influence.csv")
TABLE = ["--data", BCG, "--yi", "yi", "--vi", "vi", "--study", "author"]


def test_on_the_evidence(run):
    status, out, _ = run("influence", "--class", "antibody", "--outcome", "os", "--cumulative", "year")
    assert status == 0
    assert "Overall survival: without one study at a time" in out
    assert "cumulative, by year" in out
    assert "Leaving out" in out


def test_on_a_table_as_json(run):
    status, out, _ = run("influence", *TABLE, "--scale", "log", "--format", "json", "--gosh")
    found = json.loads(out)["sets"][0]
    assert status == 0
    assert [unit["label"] for unit in found["without"]][:2] == ["Aronson", "Ferguson & Simes"]
    assert found["without"][0]["rstudent"] == pytest.approx(-0.218142485736078, rel=1e-8)
    assert found["gosh"]["subsets"] == 2**13 - 1 - 13
    assert found["fragility"]["interval_excludes_no_effect"] is True
    assert found["fragility"]["smallest"] is True


def test_clusters_of_a_table_and_of_the_evidence(run):
    status, out, _ = run("influence", *TABLE, "--cluster", "alloc", "--format", "json")
    assert status == 0
    assert {unit["label"] for unit in json.loads(out)["sets"][0]["without"]} == {"random", "alternate", "systematic"}
    status, out, _ = run("influence", "--class", "antibody", "--outcome", "os", "--cluster", "agent")
    assert status == 0
    assert "without one cluster at a time" in out


def test_figures(run, tmp_path):
    path = tmp_path / "i.svg"
    plots = "panel,baujat,gosh,leave-one-out,cumulative"
    status, _, err = run("influence", *TABLE, "--gosh", "--cumulative", "precision", "--figure", str(path), "--plot",
                         plots)  # fmt: skip
    assert status == 0, err
    for name in plots.split(","):
        assert "Comstock" in (tmp_path / f"i-{name}.svg").read_text() or name == "gosh"


def test_rates_are_pooled_from_their_counts_as_pool_does(run, tmp_path):
    rates = ["--class", "antibody", "--outcome", "orr", "--measure", "PLO", "--tumor", "osteosarcoma,thymic"]
    status, out, _ = run("influence", *rates, "--cumulative", "year")
    assert status == 0
    for words in ("Binomial likelihood: tau2 by ML, CI by PL", "Mid-p", "cumulative, by year", "Not given for rates"):
        assert words in out
    assert "DFFITS " not in out
    status, _, err = run("influence", *rates, "--cumulative", "year", "--figure", tmp_path / "r.svg", "--plot",
                         "panel,leave-one-out,cumulative")  # fmt: skip
    assert status == 0, err
    assert "Binomial likelihood" in (tmp_path / "r-cumulative.svg").read_text()
    status, out, err = run("influence", *rates, "--figure", tmp_path / "r.svg", "--plot", "baujat")
    assert (status, out) == (2, "")
    assert "The plot baujat takes sampling variances as known" in err
    assert "name another --measure" in err
    status, out, err = run("influence", *rates, "--gosh", "--figure", tmp_path / "r.svg", "--plot", "gosh")
    assert status == 0, err
    assert "all subsets of 2 studies and more" in out
    assert "GOSH" in (tmp_path / "r.svg").read_text()


def test_a_set_that_is_too_small_is_named(run):
    status, out, _ = run("influence", "--class", "antibody", "--outcome", "os", "--by", "tumor")
    assert status == 0
    assert "leaving one out takes 3 at least" in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([*TABLE, "--class", "antibody"], 2, "--class selects from evidence tables"),
        (["--yi", "yi", "--vi", "vi"], 2, "without --data"),
        ([*TABLE, "--by", "class"], 2, "named by --subgroup"),
        ([*TABLE, "--cluster", "nowhere"], 2, "no column 'nowhere'"),
        ([*TABLE, "--cumulative", "size"], 2, "cumulative was 'size'"),
        ([*TABLE, "--cumulative", "year"], 2, "year of every study"),
        ([*TABLE, "--subsets", "0"], 2, "subsets was 0"),
        ([*TABLE, "--plot", "pie", "--figure", "x.png"], 2, "plot was 'pie'"),
        ([*TABLE, "--plot", "gosh", "--figure", "x.png"], 2, "add --gosh"),
        ([*TABLE, "--plot", "cumulative", "--figure", "x.png"], 2, "add --cumulative"),
        ([*TABLE, "--figure", "x.gif"], 2, "accepted are .svg, .pdf, .png"),
        ([*TABLE, "--method", "XX"], 2, "method was 'XX'"),
        ([*TABLE, "--level", "95"], 2, "level was 95"),
        ([*TABLE, "--format", "xml"], 2, "--format was 'xml'"),
        (["--scale", "log"], 2, "name its effects too"),
        ([*TABLE, "--plot", "baujat"], 2, "add --figure FILE"),
        ([*TABLE, "--prior", "half-normal(1)"], 2, "--prior was given"),
        (["--class", "antibody", "--outcome", "os", "--cluster", "planet"], 2, "cluster was 'planet'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(run, arguments, status, message):
    found, out, err = run("influence", *arguments)
    assert (found, out) == (status, "")
    assert message in err
