"""A pool of associations as a page: its tables and its forest."""

from __future__ import annotations

from igfmeta.plots.html_forest import environment, page, to_html
from igfmeta.plots.risk_forest import risk_forest
from igfmeta.report.page import table_to_html
from igfmeta.report.risk_summary import closing_line, tables
from igfmeta.synthesis.risk_results import RiskResult


def risk_page(result: RiskResult, *, explain: bool) -> str:
    """Return a pool of associations as one HTML page that asks for nothing outside itself."""
    parts = [table_to_html(table) for table in tables(result, explain=explain)]
    if result.groups:
        parts.insert(1, to_html(risk_forest(result), id_prefix="forest", styled=False))
    parts.append(environment().get_template("closing.html.j2").render(lines=[closing_line(result)]))
    return page(f"Risk: {result.question}", parts)
