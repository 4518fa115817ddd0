"""Tables of metadat with zero cells: Mantel-Haenszel and Peto, the double arcsine and back, as metafor."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import igfmeta as im

CASE = "55_counts_sweep"

NAMES = json.loads((Path(__file__).parent / "cases" / f"{CASE}.json").read_text())["values"]
ARMS = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
RATES = {"events1": "a", "time1": "n1", "events2": "c", "time2": "n2"}
FIELDS = ("estimate", "se", "p_value", "ci_lower", "ci_upper", "q", "q_p_value", "i2")


def _table(case, name) -> pd.DataFrame:
    return case.data[case.data.set == name].reset_index(drop=True)


@pytest.mark.parametrize("key", [key for key in NAMES if not key.endswith(("PFT", "tests"))])
def test_sums_over_tables(case, key):
    name, measure = key.split()
    columns = RATES if measure in ("IRR", "IRD") else ARMS
    options = {} if measure == "PETO" else {"measure": measure}
    fit = im.fit_with("peto" if measure == "PETO" else "mh", _table(case, name), **columns, **options).fit
    assert [getattr(fit, field) for field in FIELDS] == pytest.approx(case.values[key], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("key", [key for key in NAMES if key.endswith("tests")])
def test_of_equal_odds_ratios_and_of_no_effect(case, key):
    found = im.fit_with("mh", _table(case, key.split()[0]), **ARMS, measure="OR").details
    tests = {detail.key: (detail.value, detail.p_value) for detail in found}
    ours = [*tests["breslow_day"], *tests["tarone"], *tests["cmh"]]
    assert ours == pytest.approx([case.values[key][i] for i in (0, 1, 2, 3, 4, 5)], rel=1e-9)


@pytest.mark.parametrize("key", [key for key in NAMES if key.endswith("PFT")])
def test_pooled_double_arcsines_go_back_to_proportions(case, key):
    methods = im.Methods(method="DL", ci="z", pi="z")
    found = im.fit(_table(case, key.split()[0]), events="a", n="n1", measure="PFT", methods=methods)
    fields = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
    assert [found.natural(getattr(found.fit, f)) for f in fields] == pytest.approx(case.values[key], rel=1e-9)
