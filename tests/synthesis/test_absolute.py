"""Relative effects per 1,000, and certainty by stated rules."""

from __future__ import annotations

import math

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.synthesis.absolute import AtBaseline, absolute_effects, risk_with
from igfmeta.synthesis.certainty import events_needed, rate
from igfmeta.synthesis.pooling import pool
from igfmeta.synthesis.protocol import Certainty


@pytest.mark.parametrize("measure", ["HR", "OR", "RR", "RD", "PETO", "AS"])
@pytest.mark.parametrize("baseline", [0.01, 0.3, 0.95])
def test_no_effect_leaves_the_baseline_risk(measure, baseline):
    assert risk_with(measure, 0.0, baseline) == pytest.approx(baseline, rel=1e-12)


def test_risks_by_hand():
    assert risk_with("HR", math.log(2), 0.5) == pytest.approx(0.75)
    assert risk_with("OR", math.log(3), 0.25) == pytest.approx(0.5)
    assert risk_with("RR", math.log(1.5), 0.2) == pytest.approx(0.3)
    assert risk_with("RR", math.log(4), 0.5) == 1.0
    assert AtBaseline("median", 0.2, 0.25, 0.19, 0.3).difference == pytest.approx((50, -10, 100))


def test_baseline_risks_are_those_of_the_control_arms():
    evidence = load_evidence(tables=("trials",))
    answer = pool(evidence, agent_class="antibody", outcome="os")["os"]
    found = absolute_effects(answer, evidence.table("trials"), event="deaths", horizon_months=12)
    # Of the eight trials seven print a control median, in months (one of them on another row of the same comparison).
    medians = {10.38, 14.0, 9.8, 6.2, 7.2, 10.8, 5.9}
    assert found.arms == len(medians)
    assert found.at[0].baseline == pytest.approx(1 - 2 ** (-12 / max(medians)))
    assert found.at[-1].baseline == pytest.approx(1 - 2 ** (-12 / min(medians)))
    assert found.at[1].baseline == pytest.approx(1 - 2 ** (-12 / sorted(medians)[3]))


def test_events_needed_are_schoenfelds():
    # (1.959964 + 0.841621)^2 * 4 / ln(0.75)^2
    assert events_needed(0.75) == pytest.approx(4 * (1.959964 + 0.841621) ** 2 / math.log(0.75) ** 2, rel=1e-5)


def test_one_arm_starts_low_and_a_wide_interval_with_benefit_and_harm_goes_down_two():
    evidence = load_evidence(tables=("trials",))
    rows, nobody = evidence.table("trials"), Certainty()
    one_arm = pool(evidence, agent_class="antibody", outcome="orr", measure="PLO")["orr"]
    assert rate(one_arm, rows, relevant=None, given=nobody).start == "low"
    wide = pool(evidence, agent_class="tki", outcome="progression")["progression"]
    rating = rate(wide, rows, relevant=0.8, given=nobody)
    assert rating.start == "high"
    assert {d.name: d.suggested for d in rating.domains}["imprecision"] == 2
