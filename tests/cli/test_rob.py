"""`igfmeta rob`, and the options that restrict and weigh a pool by the risk of bias."""

from __future__ import annotations

import json

import pytest


def test_each_study_has_its_domains_and_the_worst_of_them(run):
    status, out, _ = run("rob", "--class", "antibody", "--outcome", "os", "--format", "json")
    payload = json.loads(out)
    order = ["low", "unclear", "some", "high"]
    assert status == 0
    for study in payload["studies"]:
        judgements = [domain["judgement"] for domain in study["domains"].values()]
        assert study["overall"] == max(judgements, key=order.index)
        assert all(domain["derived"].startswith(study["study_id"]) for domain in study["domains"].values())


def test_the_table_says_that_nobody_judged(run):
    text = run("rob", "--class", "antibody")[1]
    assert "follows from the evidence table by rule" in text
    assert "What supports each judgement" in text


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_two_figures_are_drawn(run, tmp_path, suffix):
    status, _, err = run("rob", "--class", "tki", "--figure", tmp_path / f"bias.{suffix}")
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"bias-lights.{suffix}", f"bias-summary.{suffix}"]
    assert "bias-lights" in err


def test_signs_carry_the_meaning_without_colour(run, tmp_path):
    run("rob", "--figure", tmp_path / "bias.svg")
    text = (tmp_path / "bias-lights.svg").read_text(encoding="utf-8")
    for sign in (">+<", ">?<", ">\N{MINUS SIGN}<", ">\N{MULTIPLICATION SIGN}<"):
        assert sign in text


def test_evidence_without_judgements_is_a_sentence(run, tmp_path):
    (tmp_path / "trials.csv").write_text(
        "study_id,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id\n"
        "a,combination,add_on,os,HR,0.9,0.7,1.1,95,s\n"
    )
    status, _, err = run("rob", "--data", tmp_path / "trials.csv")
    assert status == 3
    assert "risk_of_bias.csv" in err


def test_pool_takes_restriction_and_weights(run):
    arguments = ("pool", "--class", "antibody", "--outcome", "os", "--by", "none")
    text = run(*arguments, "--risk-of-bias", "low,some", "--risk-weights", "some=0.5")[1]
    assert "Weights by risk of bias: some concerns 0.5" in text
    assert run(*arguments)[1] != text


@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        (("bayes", "--by", "class"), "variances are divided by them"),
        (("bayes", "--outcome", "orr", "--measure", "OR", "--by", "class"), "raised to their power"),
        (("bayes", "--mods", "~ year"), "variances are divided by them"),
        (("regress", "--mods", "~ year"), "variances are divided by them"),
    ],
)
def test_models_of_classes_and_moderators_take_weights(run, arguments, how):
    text = " ".join(run(*arguments, "--risk-weights", "some=0.5")[1].split())
    assert "Weights by risk of bias: some concerns 0.5, all others 1" in text
    assert how in text
    nothing = " ".join(run(*arguments, "--risk-weights", "none=0.5")[1].split())
    assert "no study has such a judgement: nothing changes" in nothing


@pytest.mark.parametrize("command", ["pool", "bayes", "joint", "regress"])
@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--risk-of-bias", "medium", "high or none"),
        ("--risk-weights", "high", "accepted is NAME=WEIGHT"),
        ("--risk-weights", "high=2", "above 0 and up to 1"),
        ("--risk-weights", "high=0.5,high=0.2", "named high twice"),
    ],
)
def test_a_wrong_value_is_a_sentence(run, command, option, value, says):
    more = {"joint": ("--outcome", "os,progression"), "regress": ("--mods", "~ year")}.get(command, ())
    status, _, err = run(command, *more, option, value)
    assert status == 2
    assert says in err
