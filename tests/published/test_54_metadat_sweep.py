"""Eleven data sets that differ in size, scale and heterogeneity: every estimator of tau2 and every test, as metafor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from igfmeta.models.pooling import pool_one

CASE = "54_metadat_sweep"

NAMES = json.loads((Path(__file__).parent / "cases" / f"{CASE}.json").read_text())["values"]
TESTS = {"z": ("z", "z"), "t": ("t", "V"), "knha": ("HK", "HK"), "adhoc": ("HK-floor", "HK")}
FIELDS = ("estimate", "se", "p_value", "ci_lower", "ci_upper", "tau2", "i2", "h2", "q", "q_p_value")


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in NAMES}))
def test_every_estimator_and_test(case, name):
    own = case.data[case.data.set == name]
    y, v = own.yi.to_numpy(), own.vi.to_numpy()
    # metafor stops at steps of 1e-14, whatever the unit, and does not return to 0 exactly.
    size = {"tau2": 1e-6 * np.median(v), "i2": 1e-4, "estimate": 1e-3 * np.sqrt(np.median(v))}
    size |= dict.fromkeys(("ci_lower", "ci_upper", "pi"), size["estimate"])
    for key in (key for key in NAMES if key.split()[0] == name):
        _, method, test = key.split()
        ci, pi = TESTS[test]
        fit = pool_one(y, v, method="CE" if method == "EE" else method.upper(), ci=ci, pi=pi, tau2_ci="none")
        *expected, lower, upper = case.values[key]
        for field, value in zip(FIELDS, expected, strict=True):
            assert getattr(fit, field) == pytest.approx(value, rel=2e-8, abs=1e-8 * size.get(field, 0)), (key, field)
        if lower is not None and test != "adhoc":  # with the floor metafor predicts from it, here from plain HK
            assert [fit.pi_lower, fit.pi_upper] == pytest.approx([lower, upper], rel=2e-8, abs=1e-8 * size["pi"]), key
