"""Summary tables as Markdown."""

from __future__ import annotations

from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain


def markdown_text(text: str) -> str:
    """Return a text that cannot be read as markup, without characters that cannot be seen; a line break stays one."""
    return "<br>".join(map(_escaped, text.split("\n")))


def _escaped(text: str) -> str:
    flat = " ".join(plain(text).split())
    for char in ("\\", "|", "`", "*", "_", "<", ">", "[", "]"):
        flat = flat.replace(char, f"\\{char}") if char not in "<>" else flat
    return flat.replace("<", "&lt;").replace(">", "&gt;")


def _line(cells: tuple[str, ...], *, bold: bool = False) -> str:
    shown = [f"**{cell}**" if bold and cell else cell for cell in map(markdown_text, cells)]
    return "| " + " | ".join(shown) + " |"


def table_to_markdown(table: SummaryTable, *, level: int | None = 2) -> str:
    """Return a summary table as Markdown with its notes as a list; its title is a heading, or without `level` bold."""
    head = _line(tuple(column.heading for column in table.columns))
    rule = "| " + " | ".join("---:" if column.numeric else "---" for column in table.columns) + " |"
    rows = [_line(row, bold=i in table.set_apart) for i, row in enumerate(table.rows)]
    notes = [f"- {markdown_text(note)}" for note in table.notes]
    title = f"**{markdown_text(table.title)}**" if level is None else f"{'#' * level} {markdown_text(table.title)}"
    return "\n".join([title, "", head, rule, *rows, "", *notes, ""])
