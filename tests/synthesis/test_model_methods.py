"""Models of counts heed their own methods; what they do not heed is refused or said, never dropped."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import igfmeta as im
from igfmeta.cli.commands import build
from igfmeta.evidence import load_evidence
from igfmeta.models.pooling import pool_one
from igfmeta.report.summary import summary
from igfmeta.synthesis.protocol_check import check_against, of_protocol
from igfmeta.synthesis.protocol_files import read_protocol
from igfmeta.synthesis.study_sets import sets_of_pool

RATES = {"outcome": "orr", "measure": "PLO", "by": "none", "agent_class": "antibody"}


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


@pytest.mark.parametrize("asked", [{"method": "DL"}, {"ci": "HK"}, {"pi": "HTS"}, {"method": "REML", "ci": "KR"}])
def test_a_method_of_normal_effects_is_refused_where_only_rates_are_pooled(evidence, asked):
    with pytest.raises(
        im.InputError, match=r"nothing to model glmm \(mixed model of the counts\): accepted are method ML or CE"
    ):
        im.pool(evidence, **RATES, **asked)


def test_where_effects_are_pooled_too_they_heed_it_and_the_rates_say_that_they_do_not(evidence):
    found = im.pool(evidence, by="none", agent_class="antibody", method="DL", ci="z")
    assert (found["os"].overall.fit.method, found["os"].overall.fit.ci) == ("DL", "z")
    rates = found["orr"].overall.fit
    assert (rates.method, rates.ci) == ("ML", "z")
    assert any(remark.startswith("method DL says nothing to model glmm") for remark in found["orr"].remarks)
    assert not any("nothing to model" in remark for remark in found["os"].remarks)


def test_the_methods_of_a_binomial_likelihood_are_heeded(evidence):
    plain = im.pool(evidence, **RATES)["orr"].overall.fit
    wald = im.pool(evidence, **RATES, method="ml", ci="z")["orr"].overall.fit
    common = im.pool(evidence, **RATES, method="CE", ci="t")["orr"].overall.fit
    assert (plain.ci, wald.ci, wald.method, common.method, common.ci) == ("PL", "z", "ML", "CE", "t")
    assert wald.estimate == plain.estimate
    assert wald.ci_upper == pytest.approx(wald.estimate + 1.959963984540054 * wald.se, rel=1e-12)
    assert common.tau2 == 0


def test_rates_by_model_random_are_logits_by_inverse_variance(evidence):
    answer = im.pool(evidence, **RATES, model="random", method="PM", ci="z", pi="z")["orr"]
    studies = answer.overall.studies
    alone = pool_one([s.yi for s in studies], [s.vi for s in studies], method="PM", ci="z", pi="z")
    assert answer.overall.fit.to_dict() == alone.to_dict()
    assert not answer.question.counted
    notes = " ".join(summary(answer).notes)
    assert "Logits with normal variances, 1/2 added to zeros: tau2 by PM, CI by z" in notes
    assert "Binomial" not in notes
    assert "Heterogeneity: Q = " in im.pool(evidence, **RATES, model="random").forest().named[0][1].lines[0]


def test_what_is_asked_about_rates_pooled_as_logits_takes_them_as_logits(evidence):
    normal = sets_of_pool(im.pool(evidence, **RATES, model="random"))
    binomial = sets_of_pool(im.pool(evidence, **RATES))
    assert (normal[0].counted, binomial[0].counted) == (False, True)


def test_a_model_that_a_measure_does_not_have_is_refused_with_those_that_it_has(evidence):
    with pytest.raises(
        im.InputError, match=r"Overall survival \(HR\) cannot be pooled by model mh, which has the meas"
    ):
        im.pool(evidence, model="mh")
    with pytest.raises(im.InputError, match=r"models of RR are random or mh\."):
        im.pool(evidence, outcome="orr", measure="RR", model="glmm")
    with pytest.raises(im.InputError, match="model was 'logit'; accepted are random, glmm, mh, peto, beta-binomial"):
        im.pool(evidence, **RATES, model="logit")


def test_the_command_line_says_the_same():
    runner = CliRunner()
    base = ["pool", "--outcome", "orr", "--measure", "PLO", "--by", "none", "--class", "antibody"]
    refused = runner.invoke(build(), [*base, "--method", "DL", "--pi", "HTS"])
    assert isinstance(refused.exception, im.InputError)
    assert "method DL and pi HTS say nothing" in str(refused.exception)
    assert "--model random" in str(refused.exception)
    assert "tau2 by DL" in runner.invoke(build(), [*base, "--method", "DL", "--model", "random"]).stdout


PROTOCOL = """
title = "Response"
authors = ["A. Body"]
[question]
text = "Do they shrink tumours?"
intervention = "antibodies"
[eligibility]
agent_class = ["antibody"]
[[outcome]]
name = "orr"
measure = "PLO"
[model]
by = "none"
"""
SURVIVAL = '[[outcome]]\nname = "os"\nmeasure = "HR"\n'


def _protocol(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_protocol(path)


def test_a_protocol_of_rates_is_refused_methods_that_they_do_not_heed(tmp_path, evidence):
    with pytest.raises(im.InputError, match=r"mine.toml, model: method REML says nothing to model glmm"):
        check_against(_protocol(tmp_path, PROTOCOL + 'method = "REML"\n'), evidence)
    variant = '[[sensitivity]]\nname = "x"\nmodel = { method = "PM" }\n'
    with pytest.raises(im.InputError, match=r"mine.toml, sensitivity\[1\].model: method PM says nothing to model glmm"):
        check_against(_protocol(tmp_path, PROTOCOL + variant), evidence)
    for right in ('method = "CE"\n', 'ci = "z"\n', 'model = "random"\nmethod = "REML"\n', ""):
        check_against(_protocol(tmp_path, PROTOCOL + right), evidence)
    check_against(_protocol(tmp_path, PROTOCOL + 'method = "REML"\nci = "HK"\n' + SURVIVAL), evidence)


def test_in_a_protocol_of_rates_and_effects_each_heeds_its_own(tmp_path, evidence):
    protocol = _protocol(tmp_path, PROTOCOL + 'method = "DL"\nci = "z"\n' + SURVIVAL).protocol
    (rates, said), (effects, nothing) = (
        of_protocol(protocol, protocol.model.options(), outcome) for outcome in protocol.outcome
    )
    assert said.startswith("method DL says nothing to model glmm")
    assert nothing is None
    response = im.pool(evidence, outcome="orr", measure="PLO", **rates)["orr"].overall.fit
    survival = im.pool(evidence, outcome="os", measure="HR", **effects)["os"].overall.fit
    assert (response.method, response.ci, survival.method, survival.ci) == ("ML", "z", "DL", "z")
