"""Moderators: the effect regressed on columns of the evidence, one at a time, by both schools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta.plots.bubble import bubble
from igfmeta.report import regress_summary, regression_summary
from igfmeta.report.content import Block, Paragraph, Section
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table
from igfmeta.report.summary import SummaryTable
from igfmeta.synthesis.analysis import Analysis, ModeratorFit, OutcomeAnalysis
from igfmeta.synthesis.regress_results import MetaRegression

LEAD = (
    "An association across trials: what differs between trials besides the moderator is not taken out, and with few "
    "trials a slope may be chance (Thompson & Higgins 2002, Stat Med 21:1559)."
)

#: Notes of a table that the report says once, elsewhere.
_SAID_ONCE = ("Data: ", "Not used: ", "Studies are not randomized")


def section(analysis: Analysis) -> Section | None:
    """Return the regressions of each outcome; those that cannot be made with the reason."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "moderators"), "Moderators", parts, lead=(Paragraph(LEAD, "note"),))


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    blocks: list[Block] = []
    for each in outcome.moderators:
        if each.result is None or each.regression is None:
            blocks.append(Paragraph(f"{each.name}: {each.reason}"))
            continue
        key, title = (outcome.key, "moderator", each.name), f"{heading_of(outcome)}: regression on {each.name}"
        frequentist = _frequentist(each.regression, title)
        blocks.append(table(key_of(analysis, *key, "tests"), frequentist))
        blocks += _figure(key_of(analysis, *key, "bubbles"), each, title, frequentist)
        for i, made in enumerate(regression_summary.tables(each.result)):
            named = replace(made, title=f"{title}, posterior")
            blocks.append(table(key_of(analysis, *key, f"{i + 1}"), named))
    return blocks


def _frequentist(result: MetaRegression, title: str) -> SummaryTable:
    made = regress_summary.coefficient_table(result)
    return replace(made, title=title, notes=tuple(note for note in made.notes if not note.startswith(_SAID_ONCE)))


def _figure(key: str, each: ModeratorFit, title: str, data: SummaryTable) -> list[Block]:
    if each.regression is None or each.regression.curve is None:
        return []
    words = f"Effects of studies by {each.name}, with the regression, its interval, and that of a new study."
    return [picture(key, bubble(each.regression), title=title, description=words, data=data)]
