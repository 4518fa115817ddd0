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


DOMAINS = ("Bias arising from the randomization process", "Bias due to deviations from intended interventions")


@pytest.fixture
def judged(tmp_path):
    """Return a function that writes three trials and judgements of them: study, domain, judgement."""
    trials = "study_id,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id\n" + "".join(
        f"{name},combination,add_on,os,HR,{hr},{hr * 0.7:.3f},{hr / 0.7:.3f},95,s\n"
        for name, hr in (("a", 0.8), ("b", 0.9), ("c", 1.4))
    )
    (tmp_path / "trials.csv").write_text(trials)

    def write(*rows):
        lines = "".join(f'{study},RoB 2,"{domain}",{judgement},why\n' for study, domain, judgement in rows)
        (tmp_path / "risk_of_bias.csv").write_text("study_id,tool,domain,judgement,support\n" + lines)
        return tmp_path

    return write


def test_a_judgement_of_the_study_as_a_whole_is_taken_as_it_was_made(run, judged, tmp_path):
    """Some concerns in two domains may be a high risk in RoB 2; the worst of the domains would not say so."""
    data = judged(*(("a", name, "some") for name in DOMAINS), ("a", "Overall bias", "high"), ("b", DOMAINS[0], "low"))
    payload = json.loads(run("rob", "--data", data, "--format", "json")[1])
    assert [(study["overall"], study["overall_was_judged"]) for study in payload["studies"]] == [
        ("high", True), ("low", False)]  # fmt: skip
    assert payload["domains"] == list(DOMAINS)
    assert "as it was judged, or else the worst of the domains" in run("rob", "--data", data)[1]
    pooled = run("pool", "--data", data, "--outcome", "os", "--by", "none", "--risk-of-bias", "low,some,none")[1]
    assert "All studies  2" in pooled


def test_a_whole_that_is_better_than_its_worst_part_is_named(run, judged):
    data = judged(("a", DOMAINS[0], "high"), ("a", "Overall", "low"))
    assert "better than their worst domain: a" in " ".join(run("rob", "--data", data)[1].split())


def test_long_domains_are_written_in_lines(run, judged, tmp_path):
    data = judged(*(("a", name, "some") for name in DOMAINS))
    assert run("rob", "--data", data, "--figure", tmp_path / "bias.svg")[0] == 0
    text = (tmp_path / "bias-lights.svg").read_text(encoding="utf-8")
    assert DOMAINS[1] not in text
    assert ">interventions<" in text
    assert float(text.split('width="')[1].split("pt")[0]) < 500


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
        (("robust", "--working", "RE"), "variances are divided by them"),
    ],
)
def test_models_of_classes_and_moderators_take_weights(run, arguments, how):
    text = " ".join(run(*arguments, "--risk-weights", "some=0.5")[1].split())
    assert "Weights by risk of bias: some concerns 0.5, all others 1" in text
    assert how in text
    nothing = " ".join(run(*arguments, "--risk-weights", "none=0.5")[1].split())
    assert "no study has such a judgement: nothing changes" in nothing


@pytest.mark.parametrize("command", ["pool", "bayes", "joint", "regress", "robust"])
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
