"""Rates pooled from their counts heed the methods of their likelihood; others are refused, or said where some heed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.cli import app as cli
from igfmeta.synthesis.bias import BiasOptions
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.set_methods import methods_of_sets
from igfmeta.synthesis.study_sets import set_of_table

TABLE = pd.DataFrame({"x": [1, 3, 5, 2, 9, 4], "m": [24, 20, 31, 40, 52, 12], "y": [0.1, 0.4, -0.2, 0.3, 0.2, 0.6],
                      "v": [0.02, 0.05, 0.1, 0.03, 0.04, 0.2]})  # fmt: skip
NAMED = {"events": "x", "n": "m", "measure": "PLO"}
OF_COUNTS = "method DL and ci HK say nothing to model glmm (mixed model of the counts): accepted are method ML or CE"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    TABLE.to_csv(tmp_path / "rates.csv")

    def go(command, *arguments, of="table"):
        table = ["--data", str(tmp_path / "rates.csv"), "--events", "x", "--n", "m", "--measure", "PLO"]
        evidence = ["--class", "antibody", "--tumor", "ewing_sarcoma,osteosarcoma", "--outcome", "orr", "--measure",
                    "PLO"]  # fmt: skip
        monkeypatch.setattr("sys.argv", ["igfmeta", command, *(table if of == "table" else evidence), *arguments])
        status = cli._run()
        out = capsys.readouterr()
        return status, out.out, " ".join(out.err.split())

    return go


@pytest.fixture(scope="module")
def rates():
    return set_of_table(TABLE, Columns(events="x", n="m"), measure="PLO")


@pytest.fixture(scope="module")
def effects():
    return set_of_table(TABLE, Columns(yi="y", vi="v"))


@pytest.mark.parametrize("of", ["table", "evidence"])
@pytest.mark.parametrize("command", ["influence", "bias"])
def test_what_nothing_heeds_is_refused(run, command, of):
    status, out, err = run(command, "--method", "DL", "--ci", "HK", of=of)
    assert (status, out) == (2, "")
    assert OF_COUNTS in err
    assert "Other measures of rates (--measure PAS, PFT, PLN or PR) are pooled by inverse variance" in err


@pytest.mark.parametrize("command", ["sensitivity", "bias"])
def test_prediction_intervals_are_refused_where_none_is_shown(run, command):
    status, _, err = run(command, "--pi", "z")
    assert status == 2
    assert "--pi says nothing without a prediction interval, which pool and influence give." in err


@pytest.mark.parametrize(("ci", "method"), [("PL", "ML"), ("z", "ML"), ("t", "CE")])
def test_what_the_likelihood_heeds_is_obeyed(run, ci, method):
    own = im.fit_with("glmm", TABLE, **NAMED, ci=ci, method=method).fit
    limits = [own.ci_lower, own.ci_upper]
    status, out, _ = run("influence", "--ci", ci, "--method", method, "--format", "json")
    assert status == 0
    found = json.loads(out)["sets"][0]
    assert (found["method"], found["ci"]) == (method, ci)
    studies, methods = methods_of_sets([set_of_table(TABLE, Columns(events="x", n="m"), measure="PLO")], ci=ci,
                                       method=method.lower())  # fmt: skip
    from igfmeta.synthesis.bias import bias_of
    from igfmeta.synthesis.influence import influence_of
    from igfmeta.synthesis.sensitivity import sensitivity_of

    fits = [influence_of(studies[0], methods).influence.fit, sensitivity_of(studies[0], methods, {}).fit,
            bias_of(studies[0], methods, BiasOptions(force=True, parts=("tests",))).fit]  # fmt: skip
    for fit in fits:
        np.testing.assert_allclose([fit.ci_lower, fit.ci_upper], limits, rtol=1e-10)


def test_each_interval_stands_once_in_the_table_of_choices(rates):
    for ci in ("HK", "z", "t"):
        found = im.sensitivity(TABLE, **NAMED, methods=im.Methods(ci=ci)).sets[0]
        rows = {(round(c.ci_lower, 12), round(c.ci_upper, 12)) for c in found.choices
                if c.kind == "interval" or c.chosen}  # fmt: skip
        assert len(rows) == 3
        assert [c.name for c in found.choices if c.chosen] == [
            {"HK": "Logit-normal, ML, profile likelihood", "z": "Logit-normal, ML, normal (Wald)",
             "t": "Logit-normal, ML, t, k - 1 degrees of freedom"}[ci]
        ]  # fmt: skip


def test_where_another_set_heeds_them_it_is_said_with_the_rates(rates, effects):
    (first, second), methods = methods_of_sets([rates, effects], method="DL", ci="HK")
    assert (methods.method, methods.ci) == ("DL", "HK")
    assert first.remarks()[0].startswith(OF_COUNTS)
    assert second.said == ()
    with pytest.raises(im.InputError, match="ci was 'PL'; accepted are z, t"):
        methods_of_sets([rates, effects], ci="PL")


def test_where_normal_approximations_of_the_rates_heed_them_that_is_said(run):
    status, out, _ = run("sensitivity", "--method", "DL", "--ci", "HK", "--format", "json")
    assert status == 0
    found = json.loads(out)["sets"][0]
    assert found["summary"][-1].startswith(OF_COUNTS)
    assert found["summary"][-1].endswith(
        "Normal approximations of the rates, where they are shown, heed what was asked."
    )
    assert "Logits: DL, interval z" in [choice["name"] for choice in found["choices"]]


def test_python_refuses_what_differs_from_the_defaults(rates):
    with pytest.raises(im.InputError, match="method DL says nothing to model glmm"):
        im.influence(TABLE, **NAMED, methods=im.Methods(method="DL"))
    assert im.influence(TABLE, **NAMED, methods=im.Methods(level=0.9)).sets[0].influence.fit.ci == "PL"


def test_of_a_pool_the_interval_of_its_rates_is_kept():
    pool = im.pool(im.load_evidence(), agent_class="antibody", tumor="ewing_sarcoma", outcome="orr", measure="PLO",
                   by="none", ci="z")  # fmt: skip
    fit = im.influence(pool).sets[0].influence.fit
    assert (fit.ci, fit.ci_lower) == ("z", pytest.approx(pool["orr"].overall.fit.ci_lower, rel=1e-10))
