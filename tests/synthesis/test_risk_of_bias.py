"""Risk of bias: judgements follow from the evidence table, restrict pools, and weigh in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.evidence.risk_of_bias import overall
from igfmeta.models.pooling import pool_one
from igfmeta.synthesis.pooling import pool
from igfmeta.synthesis.study_sets import sets_of_pool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(tables=("trials",))


def _os(evidence, **options):
    return pool(evidence, outcome="os", agent_class="antibody", by="none", **options)["os"].overall


def test_the_table_is_what_its_script_makes():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "risk_of_bias.py", "--check"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_judgement_that_ships_is_derived_from_a_row_of_its_study(evidence):
    rows = {row["row_id"]: row for row in evidence.table("trials")}
    for judgement in evidence.table("risk_of_bias"):
        assert rows[judgement["derived"]]["study_id"] == judgement["study_id"]
        assert judgement["support"]


def test_a_retracted_study_is_at_high_risk(evidence):
    assert overall(evidence.table("risk_of_bias"))["karp2009a"] == "high"


def test_blinding_is_judged_of_randomized_trials_only(evidence):
    rows = {row["row_id"]: row for row in evidence.table("trials")}
    blinding = [row for row in evidence.table("risk_of_bias") if row["domain"] == "blinding"]
    assert {rows[row["derived"]]["design"] for row in blinding} == {"randomized"}
    for row in blinding:
        assert (row["judgement"] == "low") == (rows[row["derived"]]["blinding"] == "double_blind")


def test_a_restriction_keeps_the_studies_of_those_risks_and_no_other(evidence):
    everything, some = _os(evidence), _os(evidence, risk_of_bias=("low", "some"))
    wanted = [study.study_id for study in everything.studies if study.risk in ("low", "some")]
    assert [study.study_id for study in some.studies] == wanted
    assert 1 < len(wanted) < len(everything.studies)


def test_weights_divide_the_variances_and_nothing_else(evidence):
    plain, weighted = _os(evidence), _os(evidence, risk_weights={"some": 0.5, "unclear": 0.8})
    by_risk = {"some": 0.5, "unclear": 0.8}
    vi = np.array([study.vi / by_risk.get(study.risk, 1.0) for study in plain.studies])
    yi = np.array([study.yi for study in plain.studies])
    assert [study.vi for study in weighted.studies] == pytest.approx(vi, rel=1e-14)
    assert weighted.fit.estimate == pytest.approx(pool_one(yi, vi, method="REML", ci="HK").estimate, rel=1e-12)
    for before, after in zip(plain.studies, weighted.studies, strict=True):
        share = by_risk.get(before.risk, 1.0)
        width = np.log(after.ci_upper / after.ci_lower) / np.log(before.ci_upper / before.ci_lower)
        assert width == pytest.approx(share**-0.5, rel=1e-12)
        assert ("r" in after.marks) == (share != 1)


def test_weights_of_1_change_nothing(evidence):
    assert _os(evidence, risk_weights={"high": 1.0}).fit.to_dict() == _os(evidence).fit.to_dict()


def test_a_weighted_pool_says_so(evidence):
    answer = pool(evidence, outcome="os", agent_class="antibody", risk_weights={"some": 0.5})["os"]
    assert any("some concerns 0.5" in remark for remark in answer.remarks)


@pytest.mark.parametrize("weights", [{"medium": 0.5}, {"high": 0.0}, {"high": 2.0}, {"high": float("nan")}])
def test_a_wrong_weight_is_a_sentence(evidence, weights):
    with pytest.raises(InputError, match=r"accepted are low, unclear, some, high or none"):
        _os(evidence, risk_weights=weights)


def test_rates_that_are_pooled_as_counts_take_no_weights(evidence):
    with pytest.raises(InputError, match="pooled from its counts"):
        pool(evidence, outcome="orr", risk_weights={"high": 0.5})


def test_sensitivity_knows_the_risk_of_each_study(evidence):
    (studies,) = sets_of_pool(pool(evidence, outcome="os", agent_class="antibody", by="none"))
    assert studies.risks is not None
    assert set(studies.risks) <= {"low", "some", "unclear", "high", "none"}


HEADER = "study_id,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id\n"
TRIALS = HEADER + "a,combination,add_on,os,HR,0.9,0.7,1.1,95,s\nb,combination,add_on,os,HR,0.8,0.6,1.1,95,s\n"


def _folder(path, judgements):
    (path / "trials.csv").write_text(TRIALS)
    (path / "risk_of_bias.csv").write_text("study_id,tool,domain,judgement\n" + judgements)
    return load_evidence(path, tables=("trials",))


def test_of_a_study_the_worst_domain_counts(tmp_path):
    found = _folder(tmp_path, "a,RoB 2,D1,low\na,RoB 2,D2,some\n")
    assert overall(found.table("risk_of_bias")) == {"a": "some"}
    assert len(found.select(risk_of_bias="none").trials) == 1


@pytest.mark.parametrize(
    ("judgements", "says"),
    [
        ("a,RoB 2,D1,medium\n", "judgement"),
        ("a,RoB 2,D1,low\na,RoB 2,D1,high\n", "each domain of a study is needed once"),
    ],
)
def test_a_judgement_that_cannot_be_is_a_sentence_with_its_row(tmp_path, judgements, says):
    with pytest.raises(InputError, match=says) as error:
        _folder(tmp_path, judgements)
    assert all(problem.file == "risk_of_bias.csv" and problem.row for problem in error.value.problems)
