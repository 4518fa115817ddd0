"""The pooled effects: the table of both schools and the forest plot of each outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta.plots.forest import Forest
from igfmeta.plots.pool_forest import answer_forest
from igfmeta.report.content import Block, DataTable, ForestPlot, Section
from igfmeta.report.explanation import tables as explained
from igfmeta.report.sections.parts import by_outcome, facts_of, in_a_report, key_of, link_of
from igfmeta.report.summary import SummaryTable, summary
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.results import Answer


def section(analysis: Analysis) -> Section | None:
    """Return table and forest of each outcome, and how each study's effect came about."""
    parts = [(outcome, _blocks(analysis, outcome, answer)) for outcome, answer in analysis.answered]
    return by_outcome(key_of(analysis, "effects"), "Effects", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, answer: Answer) -> Sequence[Block]:
    studies = answer.overall.studies
    rows = DataTable(
        key_of(analysis, outcome.key, "derivations"),
        explained(answer)[0],
        sortable=True,
        folded=True,
        facts=tuple(map(facts_of, studies)),
        links={(i, 0): link_of(study) for i, study in enumerate(studies)},
    )
    pooled = [DataTable(key_of(analysis, outcome.key, "pooled"), in_a_report(summary(answer)))]
    pooled += [DataTable(key_of(analysis, outcome.key, "by", each.by), _by(each)) for each in outcome.subgroups]
    return [*pooled, ForestPlot(key_of(analysis, outcome.key, "forest"), _linked(answer)), rows]


def _by(answer: Answer) -> SummaryTable:
    """Return the table of another grouping, which its title names."""
    made = in_a_report(summary(answer))
    return replace(made, title=f"{made.title}, by {answer.by.replace('_', ' ')}")


def _linked(answer: Answer) -> Forest:
    """Return the forest with studies that lead to their source in the report."""
    forest = answer_forest(answer)
    places = {study.label: link_of(study).href for study in answer.overall.studies}
    groups = tuple(
        replace(group, rows=tuple(replace(row, href=places.get(row.label)) for row in group.rows))
        for group in forest.groups
    )
    return replace(forest, groups=groups)
