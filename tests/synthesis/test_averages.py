"""Averages over models of the evidence and of tables: what is favoured, what is skipped, what the tables say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import InputError, NothingToPool
from igfmeta.evidence import load_evidence
from igfmeta.report.average_summary import tables
from igfmeta.report.plain import to_plain
from igfmeta.synthesis.averages import average_in, average_of
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.pooling import pool
from igfmeta.synthesis.study_sets import set_of_table, sets_of_pool

TABLE = pd.DataFrame({"yi": [-0.5, -0.2, 0.1, -0.4], "vi": [0.05, 0.02, 0.04, 0.09]})


@pytest.fixture(scope="module")
def sets():
    result = pool(load_evidence(tables=("trials",)), agent_class="antibody", outcome=("os", "orr"), by="none")
    return sets_of_pool(result)


def test_the_evidence_favours_what_helps_patients(sets):
    survival = next(s for s in sets if s.measure == "HR")
    found = average_of(survival, bias="steps")
    assert found.averaged.favours == "lower"
    assert found.averaged.k == survival.k
    mu = found.averaged.mu
    assert found.p_benefit == pytest.approx(mu.cdf([-1e-12])[0], abs=1e-9)
    turned = average_of(replace(survival, yi=-survival.yi, favoured="greater"), bias="steps")
    assert turned.averaged.favours == "higher"
    assert turned.p_benefit == pytest.approx(found.p_benefit, abs=1e-6)


def test_rates_have_no_value_that_means_no_effect(sets):
    rates = [s for s in sets if s.measure == "PLO"]
    result = average_in(sets, bias="none")
    assert len(result.skipped) == len(rates) > 0
    assert "No answer" in to_plain(tables(result)[-1], width=100)
    with pytest.raises(NothingToPool, match="no effect"):
        average_in(rates, bias="none")


def test_a_table_says_everything_in_json_and_in_tables():
    studies = set_of_table(TABLE, Columns(yi="yi", vi="vi"), scale="log")
    result = average_in([studies], bias="psma", favours="lower")
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))["results"][0]
    assert len(found["models"]) == 36 == len(result.to_frame())
    assert found["p_benefit"] is None
    assert found["mu"]["natural"]["median"] == pytest.approx(np.exp(found["mu"]["median"]))
    evidence, estimates, weights, models = (to_plain(t, width=300) for t in tables(result))
    assert "averaged over 36 models of 4 studies" in evidence
    assert "hardly tell" in evidence
    assert "normal(0, 1)" in evidence
    assert "half-normal(0.5)" in evidence
    assert "PEESE" in estimates
    assert weights.count(" to ") >= 6
    assert "28 more models" in models


def test_without_models_of_bias_nothing_is_said_of_it():
    studies = set_of_table(TABLE, Columns(yi="yi", vi="vi"))
    result = average_in([studies], bias="none", mu_prior="t(0, 0.5, 4)", tau_prior="half-cauchy(0.3)")
    texts = [to_plain(t, width=300) for t in tables(result)]
    assert len(texts) == 3
    assert not any("Publication bias" in text for text in texts)
    assert "t(0, 0.5, 4)" in texts[0]
    assert "half-cauchy(0.3)" in texts[0]


@pytest.mark.parametrize("options", [{"bias": "all"}, {"mu_prior": "flat"}, {"favours": "both"}])
def test_options_that_are_none_are_refused(options):
    with pytest.raises(InputError, match="accepted are"):
        average_in([set_of_table(TABLE, Columns(yi="yi", vi="vi"))], **options)
