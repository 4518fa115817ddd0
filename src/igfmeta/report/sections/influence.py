"""Influence: the pool without each study, as it grew, and what would turn its conclusion."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta.plots.influence_figures import baujat_plot, influence_panel
from igfmeta.report.content import Block, Section
from igfmeta.report.influence_summary import tables_of
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis


def section(analysis: Analysis) -> Section | None:
    """Return tables and figures of influence for each outcome with three studies or more."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "influence"), "Influence of single studies", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    found = None if outcome.checks is None else outcome.checks.influence
    if found is None:
        return ()
    made = tables_of(found)
    blocks: list[Block] = [
        table(key_of(analysis, outcome.key, "influence", str(i + 1)), each) for i, each in enumerate(made)
    ]
    rates = found.studies.counted
    panel = picture(
        key_of(analysis, outcome.key, "influence-panel"),
        influence_panel(found),
        title=f"Influence: {heading_of(outcome)}",
        description="One row per study: residual against the others' prediction, DFBETAS, Cook's distance, covariance "
        "ratio, tau2, likelihood ratio of a common rate, weight."
        if rates
        else "One row per study: residual, DFFITS, Cook's distance, covariance ratio, tau2, QE, hat.",
        data=made[0],
    )
    if rates:
        return [blocks[0], panel, *blocks[1:]]
    baujat = picture(
        key_of(analysis, outcome.key, "baujat"),
        baujat_plot(found),
        title=f"Baujat plot: {heading_of(outcome)}",
        description="What each study adds to heterogeneity against what it does to the pooled effect.",
        data=made[1],
    )
    return [blocks[0], panel, *blocks[1:], baujat]
