"""Results as pages: one HTML file that asks for nothing outside itself."""

from __future__ import annotations

from igfmeta.plots.drawn import forest_of
from igfmeta.plots.html_forest import environment, page, to_html
from igfmeta.plots.pool_forest import answer_forest
from igfmeta.report import explanation, of_fit
from igfmeta.report.summary import SummaryTable, closing_lines, summary
from igfmeta.synthesis.models_of_fit import ModelResult
from igfmeta.synthesis.results import PoolResult
from igfmeta.text import plain


def table_to_html(table: SummaryTable) -> str:
    """Return a summary table as HTML: caption, column headings, row headings, notes as a list."""
    rows = [tuple(plain(cell) for cell in row) for row in table.rows]
    return environment().get_template("table.html.j2").render(table=table, rows=rows)


def _section(heading: str, fragments: list[str]) -> str:
    from markupsafe import Markup, escape

    # The fragments come from templates that escape what they print.
    return (
        f"<section>\n<h2>{escape(plain(heading))}</h2>\n{Markup('').join(Markup(part) for part in fragments)}</section>"
    )


def pool_page(result: PoolResult, *, explain: bool) -> str:
    """Return a pool as a page: per answer its table and its forest, and what was used and not used if asked."""
    sections = []
    for i, answer in enumerate(result):
        forest = to_html(answer_forest(answer), id_prefix=f"forest-{i + 1}", styled=False)
        parts = [table_to_html(summary(answer)), forest]
        if explain:
            parts += [table_to_html(table) for table in explanation.tables(answer)]
        sections.append(_section(answer.question.label, parts))
    if explain and result.unanswered:
        tables = [explanation.not_used(missing.question, missing.unused) for missing in result.unanswered]
        sections.append(_section("Not answered", [table_to_html(table) for table in tables]))
    closing = environment().get_template("closing.html.j2").render(lines=closing_lines(result))
    return page(f"Pooled: {result.origin}", [*sections, closing])


def fit_page(result: ModelResult) -> str:
    """Return what a model of `fit` returned as a page: its forest, if it has one, and its tables."""
    forest = forest_of(result)
    parts = [] if forest is None else [to_html(forest, id_prefix="forest", styled=False)]
    parts += [table_to_html(table) for table in of_fit.tables(result)]
    return page(f"Pooled: {result.file or 'table'}", parts)
