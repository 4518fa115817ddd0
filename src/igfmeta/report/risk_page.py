"""Epidemiology as pages: pools of associations, dose-response, and the triangulation with trials."""

from __future__ import annotations

from igfmeta.plots.canvas import inline_svg
from igfmeta.plots.dose_curve import dose_curve
from igfmeta.plots.html_forest import environment, page, to_html
from igfmeta.plots.risk_forest import risk_forest
from igfmeta.plots.triangulation_scatter import triangulation_scatter
from igfmeta.report import dose_summary, triangulation_summary
from igfmeta.report.page import table_to_html
from igfmeta.report.risk_summary import closing_line, tables
from igfmeta.synthesis.dose import DoseResult
from igfmeta.synthesis.risk_results import RiskResult
from igfmeta.synthesis.triangulation_results import Triangulation


def risk_page(result: RiskResult, *, explain: bool) -> str:
    """Return a pool of associations as one HTML page that asks for nothing outside itself."""
    parts = [table_to_html(table) for table in tables(result, explain=explain)]
    if result.groups:
        parts.insert(1, to_html(risk_forest(result), id_prefix="forest", styled=False))
    parts.append(environment().get_template("closing.html.j2").render(lines=[closing_line(result)]))
    return page(f"Risk: {result.question}", parts)


def triangulation_page(result: Triangulation) -> str:
    """Return a triangulation as one HTML page: its tables and what the numbers rest on."""
    parts = [table_to_html(table) for table in triangulation_summary.tables(result)]
    if result.drawable:
        parts.insert(0, inline_svg(triangulation_scatter(result), result.title))
    lines = [triangulation_summary.closing_line(result)]
    parts.append(environment().get_template("closing.html.j2").render(lines=lines))
    return page(f"Triangulation: {result.question.label} and {result.marker}", parts)


def dose_page(result: DoseResult) -> str:
    """Return a dose-response as one HTML page: its tables."""
    parts = [inline_svg(dose_curve(result), result.title)]
    parts += [table_to_html(table) for table in dose_summary.tables(result)]
    return page(f"Dose-response: {result.title}", parts)
