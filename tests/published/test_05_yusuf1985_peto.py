"""Beta blockers after myocardial infarction (Yusuf 1985): the Peto odds ratio as metafor's rma.peto gives it."""

from __future__ import annotations

import math

import pytest

from igfmeta.effects.two_arm import two_arm
from igfmeta.models.pooling import pool_one

CASE = "05_yusuf1985_peto"


@pytest.mark.parametrize("table", ["6", "9", "10", "11"])
def test_peto_pool(case, table):
    rows = case.data[case.data["table"] == table].dropna()
    expected = case.values[f"table{table}"]
    effects = two_arm(*(rows[name].to_numpy() for name in ("ai", "n1i", "ci", "n2i")), measure="PETO")
    fit = pool_one(effects.yi[effects.usable], effects.vi[effects.usable], method="CE", ci="z")
    # metafor's k counts the trials without an event, which have no weight in its pool either.
    assert len(effects) == expected["k"]
    assert fit.estimate == pytest.approx(expected["est"], rel=1e-10)
    assert fit.se == pytest.approx(expected["se"], rel=1e-10)
    assert fit.p_value == pytest.approx(expected["pval"], rel=1e-9)
    assert fit.q == pytest.approx(expected["QE"], rel=1e-10)
    assert fit.q_p_value == pytest.approx(expected["QEp"], rel=1e-9)
    assert [math.exp(fit.ci_lower), math.exp(fit.ci_upper)] == pytest.approx([expected["ci_lb"], expected["ci_ub"]])


def test_studies_without_an_event_are_kept_with_the_reason(case):
    rows = case.data.dropna()
    effects = two_arm(*(rows[name].to_numpy() for name in ("ai", "n1i", "ci", "n2i")), measure="PETO")
    silent = (rows["ai"] + rows["ci"] == 0).to_numpy()
    assert silent.any()
    assert (effects.usable == ~silent).all()
    assert all("no event in either arm" in effects.reason[i] for i in silent.nonzero()[0])
