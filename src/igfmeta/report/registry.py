"""The sections of a report, in order.

How to add one: write a module in `igfmeta.report.sections` with a function `section(analysis)` that takes an
`igfmeta.synthesis.analysis.Analysis` and returns an `igfmeta.report.content.Section`, or None where the analysis has
nothing for it: a section without content is absent, never empty. Then name it here in one line. What it shows must be
in the analysis: a new fit is made in `igfmeta.synthesis.analysis`, once, and held there. Blocks are those of
`igfmeta.report.content`: tables go in as `DataTable`, matplotlib figures through `igfmeta.report.pictures.picture` with
the table of the numbers behind them, forests as `ForestPlot`; `igfmeta.report.sections.parts.by_outcome` makes one
subsection per outcome. HTML, Markdown, CSV and JSON follow by themselves. Keys must be unique: use `key_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from igfmeta.report.content import Provenance, Section
from igfmeta.report.sections import (
    bayesian,
    certainty,
    characteristics,
    choices,
    closing,
    effects,
    epidemiology,
    findings,
    flow,
    heterogeneity,
    influence,
    matrix,
    methods,
    moderators,
    risk_of_bias,
    sensitivity,
    several_results,
    small_study,
)
from igfmeta.synthesis.analysis import Analysis

#: Of one question.
OF_A_QUESTION: tuple[Callable[[Analysis], Section | None], ...] = (
    flow.section,
    characteristics.section,
    risk_of_bias.section,
    effects.section,
    matrix.section,
    heterogeneity.section,
    moderators.section,
    sensitivity.section,
    choices.section,
    several_results.section,
    influence.section,
    small_study.section,
    bayesian.section,
    epidemiology.section,
    certainty.section,
)

#: Before the questions, and after them, of all together.
BEFORE: tuple[Callable[[Sequence[Analysis]], Section | None], ...] = (findings.answers, findings.summary_of_findings)
AFTER: tuple[Callable[[Sequence[Analysis]], Section | None], ...] = (
    closing.limits,
    methods.section,
    closing.sources,
    closing.extraction,
)

#: At the end, of what the report was made from.
LAST: tuple[Callable[[Provenance], Section], ...] = (closing.protocol, closing.software, closing.reproduce)
