"""The Bayesian commands as a user meets them: cells, regressions, joint outcomes, predictions, and what is refused."""

from __future__ import annotations

import json

import pytest


def answered(run, *arguments):
    status, out, err = run(*arguments)
    assert status == 0, err
    assert err == ""
    return out


def test_bayes_answers_for_every_cell(run):
    text = answered(run, "bayes", "--by", "class,tumor", "--outcome", "os")
    for part in ("Where the heterogeneity comes from", "P(<0.8)", "Borrowed", "Pareto k", "seed 1"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    payload = json.loads(
        answered(run, "bayes", "--outcome", "os", "--format", "json", "--prior", "agent=half-normal(0.1)")
    )
    assert payload["sources"][3]["prior"] == "half-normal(0.1)"
    assert answered(run, "bayes", "--outcome", "os", "--format", "csv").startswith("agent_class,tumor,k,median")
    assert "| Class | Tumour |" in answered(run, "bayes", "--outcome", "os", "--format", "markdown")


def test_bayes_regresses_on_columns_of_the_evidence(run):
    text = answered(run, "bayes", "--outcome", "progression", "--mods", "~ year")
    assert text.startswith("Progression: hazard ratio ~ year, 17 studies")
    assert "At the mean of every column: HR" in text


def test_a_trial_is_planned_on_progression_where_survival_was_not_reported(run):
    text = " ".join(
        answered(run, "assurance", "--class", "antibody", "--tumor", "ewing_sarcoma", "--events", "250").split()
    )
    assert text.startswith("Progression: a new trial, Anti-IGF-1R antibodies, Ewing sarcoma (1 study)")
    assert "No hazard ratio of overall survival was reported for ewing_sarcoma" in text


def test_bayes_draws_the_matrix_and_what_the_priors_mean(run, tmp_path):
    places = "--figure", tmp_path / "m.svg", "--figure-prior", tmp_path / "prior.svg", "-o", tmp_path / "t"
    status, out, err = run("bayes", *places)
    assert (status, out) == (0, "")
    assert err.count("Written: ") == 5
    names = {"m.svg", "m-shrinkage.svg", "m-densities.svg", "prior.svg", "t"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_predict_and_assurance(run):
    where = ("--class", "antibody", "--tumor", "ewing_sarcoma", "--outcome", "progression")
    text = answered(run, "predict", *where)
    assert "A new trial of a new agent" in text
    assert "Ewing sarcoma (1 study)" in text
    assert json.loads(answered(run, "predict", *where, "--format", "json"))["cell"]["k"] == 1
    table = answered(run, "assurance", *where, "--events", "100,250", "--events", "500")
    assert [line.split()[0] for line in table.splitlines() if line[:6].strip().isdigit()] == ["100", "250", "500"]
    payload = json.loads(
        answered(run, "assurance", *where, "--events", "250", "--sides", "2", "--alpha", "0.05", "--format", "json")
    )
    assert payload["trials"][0]["power"] == pytest.approx(0.422, abs=0.001)
    assert "| Events |" in answered(run, "assurance", *where, "--events", "250", "--format", "markdown")


WRONG = [
    (("bayes", "--by", "agent"), 2, "accepted are class or tumor"),
    (("bayes", "--prior", "half-normal(1)"), 2, "accepted is COMPONENT=PRIOR"),
    (("bayes", "--prior", "class=uniform(1)"), 2, "accepted are half-normal(scale)"),
    (("bayes", "--class", "tki"), 3, "two at least"),
    (("bayes", "--study-effects", "t"), 2, "it needs the engine mcmc (--mcmc on the command line)"),
    (("bayes", "--seed", "-1"), 2, "seed was -1"),
    (("bayes", "--save", "draws.nc"), 2, "--save writes the draws of --mcmc, which was not given"),
    (("bayes", "--mcmc", "--save", "draws.csv"), 2, "ends in .csv; accepted is .nc"),
    (("bayes", "--mcmc", "--save", "no/draws.nc"), 2, "there is no folder no"),
    (("bayes", "--mcmc", "--draws", "0"), 2, "draws was 0; accepted is a whole number above 0"),
    (("bayes", "--mcmc", "--target-accept", "1"), 2, "target_accept was 1.0"),
    (("bayes", "--mcmc", "--sampler", "stan"), 2, "sampler was 'stan'; accepted are pymc or nutpie"),
    (("bayes", "--figure", "m.html"), 2, "ends in .html; accepted is .svg, .pdf or .png"),
    (("bayes", "--figure-prior", "no/m.svg"), 2, "there is no folder no"),
    (("bayes", "--by", "class", "--prior", "tumor=half-normal(1)"), 2, "given for tumor, which a model by class alone"),
    (("bayes", "--mods", "~ year", "--by", "class"), 2, "without cells: leave out --by"),
    (("bayes", "--mods", "~ year", "--figure", "m.svg"), 2, "without cells: leave out --figure"),
    (("bayes", "--mods", "~ year", "--prior", "tumor=half-normal(1)"), 2, "the one component is study"),
    (("bayes", "--mods", "~ nothing"), 2, "there is no column nothing"),
    (("joint", "--within", "os=0.5"), 2, "accepted is NAME,NAME=NUMBER, such as os,progression=0.5"),
    (("joint", "--within", "os,progression=much"), 2, "accepted is NAME,NAME=NUMBER"),
    (("joint", "--outcome", "os"), 2, "two outcomes at least"),
    (("joint", "--outcome", "os,oss"), 2, "outcome was 'oss'"),
    (("joint", "--prior", "os=uniform(1)"), 2, "accepted are half-normal(scale)"),
    (("joint", "--save", "draws.txt"), 2, "ends in .txt; accepted is .nc"),
    (("joint", "--class", "bispecific_antibody", "--outcome", "os,progression"), 3, "needs two of each outcome"),
    (("worth", "--events", "100", "--patients", "50"), 2, "--events or --patients, and both were given"),
    (("predict", "--class", "antibody", "--tumor", "gist"), 2, "tumor was 'gist'"),
    (("assurance", "--class", "antibody", "--tumor", "nsclc", "--events", "many"), 2, "whole numbers such as 250"),
    (("assurance", "--class", "antibody", "--tumor", "nsclc", "--events", "0"), 2, "above 0"),
    (("assurance", "--class", "antibody", "--tumor", "nsclc"), 2, "--events or --patients"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), WRONG, ids=[" ".join(w[0])[:60] for w in WRONG])
def test_what_cannot_be_answered_is_said(run, arguments, status, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, out, err = run(*arguments)
    assert found == status
    assert message in " ".join(err.split())
    assert out == ""
    assert list(tmp_path.iterdir()) == []
