"""Associations of a circulating marker with risk, dose-response, and the triangulation with trials."""

from __future__ import annotations

from igfmeta.plots.dose_curve import dose_curve
from igfmeta.plots.risk_forest import risk_forest
from igfmeta.plots.triangulation_scatter import triangulation_scatter
from igfmeta.report import dose_summary, risk_summary, triangulation_summary
from igfmeta.report.content import Block, DataTable, ForestPlot, Section
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import in_a_report, key_of, table
from igfmeta.report.sentences import marker_name
from igfmeta.synthesis.analysis import Analysis

#: Tables of studies with more rows than this are folded away.
MOST_OPEN = 12


def section(analysis: Analysis) -> Section | None:
    """Return a subsection for each pool of associations, each curve and each triangulation."""
    below = (*_risks(analysis), *_doses(analysis), *_lines(analysis))
    title = "Epidemiology" if analysis.risks or analysis.doses else "Trials against associations"
    return Section(key_of(analysis, "epidemiology"), title, (), below) if below else None


def _risks(analysis: Analysis) -> list[Section]:
    sections = []
    for i, result in enumerate(analysis.risks):
        key = key_of(analysis, f"risk-{i + 1}")
        made = [in_a_report(each) for each in risk_summary.tables(result, explain=True)]
        blocks: list[Block] = [
            DataTable(f"{key}-{j + 1}", each, folded=j > 0 and len(each.rows) > MOST_OPEN)
            for j, each in enumerate(made)
        ]
        if result.groups:
            blocks.insert(1, ForestPlot(f"{key}-forest", risk_forest(result)))
        sections.append(Section(key, made[0].title.split(":")[0], tuple(blocks)))
    return sections


def _doses(analysis: Analysis) -> list[Section]:
    sections = []
    for i, result in enumerate(analysis.doses):
        key = key_of(analysis, f"dose-{i + 1}")
        made = dose_summary.tables(result)
        drawn = picture(
            f"{key}-curve", dose_curve(result), title=f"Dose-response: {result.title}",
            description="The pooled curve with its band, and the groups of the studies as circles.", data=made[0],
        )  # fmt: skip
        rest = tuple(table(f"{key}-{j + 1}", t) for j, t in enumerate(made[1:]))
        sections.append(Section(key, f"Dose-response: {result.title}", (drawn, *rest)))
    return sections


def _lines(analysis: Analysis) -> list[Section]:
    sections = []
    for i, result in enumerate(analysis.triangulations):
        key = key_of(analysis, f"triangulation-{i + 1}")
        made = triangulation_summary.tables(result)
        blocks: list[Block] = [table(f"{key}-{j + 1}", t) for j, t in enumerate(made)]
        title = f"{result.question.label} against {marker_name(result.marker)}"
        if result.drawable:
            blocks.insert(0, picture(
                f"{key}-scatter", triangulation_scatter(result), title=title,
                description="Each cancer's effect in trials against its risk per SD of the marker, with intervals.",
                data=made[0],
            ))  # fmt: skip
        sections.append(Section(key, title, tuple(blocks)))
    return sections
