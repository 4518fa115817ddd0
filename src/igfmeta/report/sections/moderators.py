"""Moderators: the effect regressed on columns of the evidence, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta.report.content import Block, Paragraph, Section
from igfmeta.report.regression_summary import tables
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis

LEAD = (
    "An association across trials: what differs between trials besides the moderator is not taken out, and with few "
    "trials a slope may be chance (Thompson & Higgins 2002, Stat Med 21:1559)."
)


def section(analysis: Analysis) -> Section | None:
    """Return the regressions of each outcome; those that cannot be made with the reason."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "moderators"), "Moderators", parts, lead=(Paragraph(LEAD, "note"),))


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    blocks: list[Block] = []
    for each in outcome.moderators:
        if each.result is None:
            blocks.append(Paragraph(f"{each.name}: {each.reason}"))
            continue
        for i, made in enumerate(tables(each.result)):
            named = replace(made, title=f"{heading_of(outcome)}: regression on {each.name}")
            blocks.append(table(key_of(analysis, outcome.key, "moderator", each.name, f"{i + 1}"), named))
    return blocks
