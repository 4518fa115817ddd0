"""A report as one Markdown document, beside its figures as SVG and its tables as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator

from igfmeta.plots.layout import lay_out
from igfmeta.plots.text_forest import to_text
from igfmeta.report.content import Block, DataTable, ForestPlot, Paragraph, Picture, Points, Report, Section, Verbatim
from igfmeta.report.markdown import markdown_text, table_to_markdown
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.text import plain

#: Where the document looks for its figures.
FIGURES = "figures"


def report_to_markdown(report: Report) -> str:
    """Return a report as Markdown: the same sections in the same order, forests as text, figures as links."""
    parts = [f"# {markdown_text(report.title)}"]
    if report.question:
        parts.append(_line(report.question))
    if report.authors:
        parts.append(_line(", ".join(report.authors)))
    parts.append(_made_from(report))
    for section in report.sections:
        parts += _section(section, 2)
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _made_from(report: Report) -> str:
    made = report.provenance
    stamp = f", {made.stamp}" if made.stamp else ""
    return markdown_text(f"igfmeta {made.version}{stamp}; evidence: {made.evidence}, SHA-256 {made.fingerprint}.")


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * min(level, 6)} {markdown_text(section.title)}"
    for block in section.blocks:
        yield from _block(block)
    for below in section.sections:
        yield from _section(below, level + 1)


def _line(text: str) -> str:
    """Return a text for the start of a line, where some characters would begin a heading, a list or a rule."""
    escaped = markdown_text(text)
    return f"\\{escaped}" if escaped[:1] in ("#", "+", "-", "=", "~") else re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text, kind):
            yield f"> {_line(text)}" if kind == "answer" else _line(text)
        case Points(items):
            yield "\n".join(f"- {_line(item)}" for item in items)
        case DataTable(table=table):
            yield table_to_markdown(table, level=None)
        case ForestPlot(forest=forest):
            yield fenced(to_text(forest))
        case Picture(key, title, description, _, data):
            yield f"![{markdown_text(title)}]({FIGURES}/{key}.svg)"
            yield _line(description)
            yield table_to_markdown(data, level=None)
        case Verbatim(_, title, text):
            yield f"**{markdown_text(title)}**"
            yield fenced(text)


def fenced(text: str) -> str:
    """Return a text as a block of code that nothing inside it can close.

    Examples
    --------
    >>> print(fenced("a ``` b"))
    ````
    a ``` b
    ````
    """
    text = plain(text).strip("\n")
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def tables_of(report: Report) -> dict[str, SummaryTable]:
    """Return every table of a report by key: its own, those behind its figures, and the lines of its forests."""
    found = {}
    for block in report.blocks():
        match block:
            case DataTable(key, table):
                found[key] = table
            case Picture(key=key, data=data):
                found[f"{key}-data"] = data
            case ForestPlot(key, forest):
                layout = lay_out(forest)
                columns = (*layout.left, *layout.right)
                found[key] = SummaryTable(
                    title=layout.title,
                    columns=tuple(Column(column.heading or "Study", numeric=column.right) for column in columns),
                    rows=tuple(tuple(line.cells.get(c.key, "") for c in columns) for line in layout.lines),
                    set_apart=frozenset(),
                    notes=layout.notes,
                )
            case _:
                pass
    return found


def figures_of(report: Report) -> dict[str, str]:
    """Return every figure of a report as SVG by key."""
    return {block.key: block.svg for block in report.blocks() if isinstance(block, Picture)}
