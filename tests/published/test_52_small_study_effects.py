"""Trim and fill by metafor, and the regressions of the papers by R's lm, on Hackshaw and on the BCG odds ratios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igfmeta.effects.two_arm import two_arm
from igfmeta.models.bias.excess import excess_significance
from igfmeta.models.bias.failsafe import fail_safe
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.pet_peese import peese, pet
from igfmeta.models.bias.registry import run_test
from igfmeta.models.bias.trim_and_fill import trim_and_fill
from igfmeta.models.bias.waap import uwls

CASE = "52_small_study_effects"


@pytest.fixture
def smoking(case):
    return funnel(case.column("yi"), case.column("vi"))


@pytest.fixture
def bcg():
    rows = pd.read_csv(Path(__file__).parent / "cases" / "data" / "22_bcg_leave_one_out_influence.csv")
    a, b, c, d = (rows[name].to_numpy(dtype=float) for name in ("tpos", "tneg", "cpos", "cneg"))
    effects = two_arm(a, a + b, c, c + d, measure="OR")
    return funnel(effects.yi, effects.vi, counts=np.column_stack([a, a + b, c, c + d]))


@pytest.mark.parametrize("method", ["reml", "dl", "ee"])
@pytest.mark.parametrize("estimator", ["L0", "R0", "Q0"])
def test_trim_and_fill(case, smoking, method, estimator):
    expected = case.values.get(f"trimfill_{method}_{estimator}")
    if expected is None:
        return  # metafor's figures were made for DL with L0 only
    name = {"reml": "REML", "dl": "DL", "ee": "CE"}[method]
    found = trim_and_fill(smoking, estimator=estimator, method=name, ci="z")
    assert (found.missing, found.side) == (expected["k0"], expected["side"])
    assert found.se_missing == pytest.approx(expected["se_k0"], rel=1e-7)
    assert found.p_value == (None if expected["p_k0"] is None else pytest.approx(expected["p_k0"]))
    assert [found.fit.estimate, found.fit.se] == pytest.approx([expected["est"], expected["se"]], rel=1e-8)
    assert found.fit.tau2 == pytest.approx(expected["tau2"], rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("work", "name"), [(pet, "pet"), (peese, "peese")])
def test_pet_and_peese(case, smoking, work, name):
    found, expected = work(smoking), case.values[name]
    ours = [found.estimate, found.se, found.p_value]
    assert ours == pytest.approx([expected["coef"][0], expected["se"][0], expected["p_intercept"]], rel=1e-9)


def test_unrestricted_weighted_mean(case, smoking):
    found, expected = uwls(smoking.yi, smoking.vi, level=0.95, detail=""), case.values["uwls"]
    assert [found.estimate, found.se, found.p_value] == pytest.approx(
        [expected["est"], expected["se"], expected["p"]], rel=1e-10
    )


def test_thompson_sharp_is_the_additive_model_by_moments(case, smoking):
    found, expected = run_test("thompson-sharp", smoking), case.values["regtest_dl_t"]
    assert [found.statistic, found.p_value] == pytest.approx([expected["t"], expected["p"]], rel=1e-8)


@pytest.mark.parametrize(
    ("test", "name"),
    [("harbord", "harbord"), ("peters", "peters"), ("macaskill-fiv", "macaskill_fiv"), ("deeks", "deeks"),
     ("macaskill-fpv", "macaskill_fpv"), ("debray-fiv", "debray_fiv"), ("debray-fav", "debray_fav"),
     ("pustejovsky-rodgers", "pustejovsky")],
)  # fmt: skip
def test_regressions_on_sizes_and_events(case, bcg, test, name):
    found, expected = run_test(test, bcg), case.values[name]
    assert [found.slope, found.slope_se] == pytest.approx([expected["coef"][1], expected["se"][1]], rel=1e-8)
    assert [found.statistic, found.p_value] == pytest.approx([expected["t"], expected["p"]], rel=1e-8)
    if found.limit is not None:
        assert found.limit == pytest.approx(expected["coef"][0], rel=1e-8)


def test_ranks_excess_significance_and_fail_safe_numbers(case, bcg):
    ranks, expected = run_test("begg", bcg), case.values["ranktest_bcg"]
    assert [ranks.statistic, ranks.p_value] == pytest.approx([expected["tau"], expected["p"]], rel=1e-10)
    excess, expected = excess_significance(bcg), case.values["tes_bcg"]
    # With few studies metafor takes the exact distribution rather than chi-squared.
    assert [excess.observed, excess.expected, excess.p_value_exact] == pytest.approx(
        [expected["O"], expected["E"], expected["p"]], rel=1e-9
    )
    numbers = fail_safe(bcg)
    assert [numbers.rosenthal, numbers.rosenberg] == list(case.values["fsn_bcg"].values())
