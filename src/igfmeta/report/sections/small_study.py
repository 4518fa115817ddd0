"""Small-study effects: the funnel, and tests and adjusted effects where there are studies enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta import formatting as f
from igfmeta.plots.funnel_plot import funnel_plot
from igfmeta.report.bias_summary import tables_of
from igfmeta.report.content import Block, Paragraph, Section
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table, words_table
from igfmeta.report.summary import SummaryTable
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.bias_results import BiasOf
from igfmeta.synthesis.pool_models import PROPORTIONS


def section(analysis: Analysis) -> Section | None:
    """Return the funnel of each outcome with three studies or more, and its tests from ten on."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "small-study"), "Small-study effects", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    found = None if outcome.checks is None else outcome.checks.bias
    if found is None or found.studies.k < 3:
        return ()
    funnel = picture(
        key_of(analysis, outcome.key, "funnel"),
        funnel_plot(found),
        title=f"Funnel plot: {heading_of(outcome)}",
        description="Rate of each study against its number of patients, the large studies on top."
        if found.studies.measure in PROPORTIONS
        else "Effect of each study against its standard error, the precise studies on top.",
        data=_points(found, heading_of(outcome)),
    )
    if found.refused is not None:
        return [Paragraph(found.refused.split(" --force")[0], "note"), funnel]
    made = tables_of(replace(found, hints=()))
    tables = [table(key_of(analysis, outcome.key, "bias", str(i + 1)), each) for i, each in enumerate(made)]
    return [funnel, *tables]


def _points(found: BiasOf, heading: str) -> SummaryTable:
    studies, title = found.studies, f"Funnel: {heading}"
    if studies.measure in PROPORTIONS:
        counts = [
            (label, f"{events:.0f}", f"{n:.0f}", f.number(100 * events / n, 1))
            for label, events, n in zip(studies.labels, *studies.rates, strict=True)
        ]
        return words_table(title, ("Study", "Events", "n", "Rate %"), counts, numeric=(1, 2, 3))
    rows = [
        (label, f.number(studies.natural(float(y)), 3), f.number(float(v) ** 0.5, 3))
        for label, y, v in zip(studies.labels, studies.yi, studies.vi, strict=True)
    ]
    return words_table(title, ("Study", "Effect", "Standard error"), rows, numeric=(1, 2))
