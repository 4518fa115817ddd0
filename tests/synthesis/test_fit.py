"""`fit` on anybody's table: every form of columns, labels, groups, what is left out and why."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import igfmeta as im

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"


@pytest.fixture
def bcg():
    return pd.read_csv(CASES / "01_bcg_rr_tau2_estimators.csv")


@pytest.fixture
def schema():
    return json.loads(resources.files("igfmeta").joinpath("schemas/fit.schema.json").read_text())


def test_every_form_of_the_same_data_gives_the_same_pool(bcg):
    bcg["n1"], bcg["n2"] = bcg["tpos"] + bcg["tneg"], bcg["cpos"] + bcg["cneg"]
    bcg["sei"] = np.sqrt(bcg["vi"])
    half = 1.959963984540054 * bcg["sei"]
    bcg["rr"], bcg["lo"], bcg["hi"] = np.exp(bcg["yi"]), np.exp(bcg["yi"] - half), np.exp(bcg["yi"] + half)
    fits = [
        im.fit(bcg, yi="yi", vi="vi"),
        im.fit(bcg, yi="yi", sei="sei"),
        im.fit(bcg, estimate="rr", lower="lo", upper="hi", scale="log"),
        im.fit(bcg, events1="tpos", n1="n1", events2="cpos", n2="n2", measure="RR"),
    ]
    for result in fits:
        assert result.fit.estimate == pytest.approx(-0.71453234215814, rel=1e-8)
        assert result.fit.tau2 == pytest.approx(0.3132432581364806, rel=1e-8)
    assert fits[2].natural(fits[2].fit.estimate) == pytest.approx(np.exp(-0.71453234215814))
    assert fits[0].natural(fits[0].fit.estimate) == pytest.approx(-0.71453234215814)


def test_differences_stand_as_they_are():
    table = pd.DataFrame({"d": [1.0, 2.0, 4.0], "lo": [0.0, 1.5, 3.0], "hi": [2.0, 2.5, 5.0]})
    result = im.fit(table, estimate="d", lower="lo", upper="hi", scale="identity")
    assert [s.estimate for s in result.studies] == [1.0, 2.0, 4.0]
    assert result.measure == "GEN"


def test_proportions_have_exact_intervals_and_come_back_as_proportions():
    table = pd.DataFrame({"x": [0, 3, 5], "n": [24, 20, 31]})
    for measure in ("PLO", "PLN", "PR", "PAS", "PFT"):
        result = im.fit(table, events="x", n="n", measure=measure)
        assert result.studies[0].ci_upper == pytest.approx(1 - 0.025 ** (1 / 24))
        assert 0 <= result.natural(result.fit.estimate) <= 0.2


def test_rows_that_cannot_be_used_stay_with_the_reason():
    table = pd.DataFrame({"a": [0, 4, 3], "n1": [20, 20, 20], "c": [0, 8, 7], "n2": [20, 20, 20]})
    result = im.fit(table, events1="a", n1="n1", events2="c", n2="n2", measure="OR")
    assert result.fit.k == 2
    assert "no event in either arm" in result.studies[0].reason
    assert result.studies[0].weight is None
    blank = im.fit(pd.DataFrame({"y": [0.1, np.nan, 0.3], "v": [0.1, 0.1, 0.1]}), yi="y", vi="v")
    assert blank.studies[1].reason == "y blank"


def test_everything_at_once_is_as_the_schema_says(bcg, schema):
    result = im.fit(
        bcg, yi="yi", vi="vi", study="author", subgroup="alloc", leave_one_out=True, cumulative=True, bayes=True
    )
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    jsonschema.validate(payload, schema)
    assert [len(payload[name]) for name in ("subgroups", "leave_one_out", "cumulative")] == [3, 13, 13]
    assert payload["leave_one_out"][0]["tau2"] == pytest.approx(0.336156701803671, rel=1e-8)
    assert len(result.to_frame()) == 13 + 1 + 3 + 13 + 13


def test_a_prior_and_methods_are_used_and_stated(bcg):
    result = im.fit(
        bcg, yi="yi", vi="vi", bayes=True, prior="half-cauchy(1)", methods=im.Methods(method="PM", interval="shortest")
    )
    assert result.fit.method == "PM"
    assert (result.posterior.tau_prior, result.posterior.interval) == ("half-cauchy(1)", "shortest")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "The columns named were none"),
        ({"yi": "y"}, "accepted are exactly one of these sets"),
        ({"yi": "y", "vi": "v", "sei": "s"}, "exactly one of these sets"),
        ({"yi": "y", "vi": "nope"}, "there is no column 'nope'"),
        ({"yi": "text", "vi": "v"}, "yi must be numbers"),
        ({"yi": "y", "vi": "zero"}, r"row 2, column zero: found 0; accepted is a variance above 0"),
        ({"yi": "y", "sei": "zero"}, "a standard error above 0"),
        ({"yi": "big", "vi": "v"}, "a finite number"),
        ({"yi": "y", "vi": "v", "measure": "OR"}, "it is for events"),
        ({"estimate": "v", "lower": "lo", "upper": "hi"}, "scale is missing"),
        ({"estimate": "v", "lower": "lo", "upper": "hi", "scale": "ln"}, "identity or log"),
        ({"estimate": "v", "lower": "lo", "upper": "hi", "scale": "log", "ci_level": 95}, "between 0 and 1"),
        ({"events": "y", "n": "v", "measure": "PLO"}, "a whole number"),
        ({"events": "a", "n": "n1"}, "measure was None; accepted are PLO"),
        ({"events1": "a", "n1": "n1", "events2": "a", "n2": "n1"}, "measure was None; accepted are OR"),
        ({"events1": "a", "n1": "n1", "events2": "a", "n2": "n1", "measure": "OR", "zero_cells": "x"}, "only0"),
        ({"yi": "y", "vi": "v", "study": "nope"}, "there is no column 'nope'"),
        ({"yi": "y", "vi": "v", "subgroup": "text", "subgroup_tau2": "x"}, "separate or common"),
        ({"yi": "y", "vi": "v", "prior": "x", "bayes": True}, "The prior of tau was 'x'"),
        ({"yi": "y", "vi": "v", "methods": im.Methods(method="x")}, "method was 'x'"),
        ({"yi": "y", "vi": "v", "methods": im.Methods(level=2)}, "level was 2"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(arguments, message):
    table = pd.DataFrame({"y": [0.1, 0.2], "v": [0.9, 1.0], "lo": [0.5, 0.5], "hi": [2.0, 2.0], "zero": [1.0, 0.0],
                          "text": ["0.1", "0.2"], "big": [np.inf, 1.0], "a": [1, 2], "n1": [10, 10]})  # fmt: skip
    with pytest.raises(im.InputError, match=message):
        im.fit(table, **arguments)


def test_an_empty_table_is_nothing_to_pool():
    empty = pd.DataFrame({"y": np.array([], dtype=float), "v": np.array([], dtype=float)})
    with pytest.raises(im.NothingToPool, match="no rows"):
        im.fit(empty, yi="y", vi="v")
    with pytest.raises(im.NothingToPool, match="y blank"):
        im.fit(pd.DataFrame({"y": [np.nan], "v": [1.0]}), yi="y", vi="v")


def test_means_and_correlations_have_measures_of_their_own(tmp_path):
    means = pd.DataFrame(
        {"m1": [55.0, 27, 64], "s1": [47.0, 7, 17], "n1": [155, 31, 75], "m2": [75.0, 29, 119], "s2": [64.0, 4, 29],
         "n2": [156, 32, 71]}
    )  # fmt: skip
    roles = {"mean1": "m1", "sd1": "s1", "n1": "n1", "mean2": "m2", "sd2": "s2", "n2": "n2"}
    ratio = im.fit(means, im.Columns(**roles), measure="ROM")
    assert ratio.to_dict()["natural"]["estimate"] == pytest.approx(np.exp(ratio.fit.estimate))
    table = pd.DataFrame({"r": [0.0, 0.06, 0.36], "n": [123, 95, 69]})
    z = im.fit(table, im.Columns(r="r", n="n"), measure="ZCOR")
    assert z.to_dict()["natural"]["estimate"] == pytest.approx(np.tanh(z.fit.estimate))
    z.forest().save(tmp_path / "forest.txt")
    drawn = (tmp_path / "forest.txt").read_text()
    assert "0.36 [0.13, 0.55]" in drawn  # tanh(0.3769 -/+ 1.96/sqrt(66))
    with pytest.raises(im.InputError, match="ZCOR or COR"):
        im.fit(table, im.Columns(r="r", n="n"), measure="OR")
