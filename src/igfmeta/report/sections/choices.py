"""Sensitivity to the method: the pooled effect under every choice that a protocol makes for everybody."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta.plots.sensitivity_figures import sensitivity_forest
from igfmeta.report.content import Block, Section
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table
from igfmeta.report.sensitivity_summary import table_of
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis


def section(analysis: Analysis) -> Section | None:
    """Return one table with every estimator, interval, model and selection of studies, for each outcome."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "choices"), "Sensitivity to the method", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    found = None if outcome.checks is None else outcome.checks.sensitivity
    if found is None:
        return ()
    made = table_of(found)
    drawn = picture(
        key_of(analysis, outcome.key, "choices-forest"),
        sensitivity_forest(found),
        title=f"Sensitivity to the method: {heading_of(outcome)}",
        description="The pooled effect with its interval under every choice, one under the other.",
        data=made,
    )
    return [table(key_of(analysis, outcome.key, "choices"), made), drawn]
