"""Risk of bias of the studies in the pools: lights, a table, and what supports each judgement."""

from __future__ import annotations

from igfmeta.errors import NothingToPool
from igfmeta.plots.risk_of_bias_figures import traffic_lights
from igfmeta.report.content import DataTable, Section
from igfmeta.report.pictures import picture
from igfmeta.report.risk_of_bias_summary import tables
from igfmeta.report.sections.parts import key_of, table
from igfmeta.synthesis.analysis import Analysis
from igfmeta.synthesis.risk_of_bias import risk_of_bias


def section(analysis: Analysis) -> Section | None:
    """Return the judgements of every study that is in a pool of the protocol; None where none was judged."""
    pooled = {study.study_id for _, answer in analysis.answered for study in answer.overall.studies}
    try:
        found = risk_of_bias(analysis.evidence, only=pooled)
    except NothingToPool:
        return None
    judged, support = tables(found, "Risk of bias of the studies pooled")
    lights = picture(
        key_of(analysis, "risk-of-bias-lights"),
        traffic_lights(found),
        title="Risk of bias by study",
        description="One row per study, one light per domain, the overall judgement at the right.",
        data=judged,
    )
    blocks = (
        table(key_of(analysis, "risk-of-bias"), judged),
        lights,
        DataTable(key_of(analysis, "risk-of-bias-support"), support, folded=True),
    )
    return Section(key_of(analysis, "risk-of-bias-section"), "Risk of bias", blocks)
