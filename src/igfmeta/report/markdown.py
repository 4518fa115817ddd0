"""Summary tables as Markdown."""

from __future__ import annotations

from igfmeta.report.summary import SummaryTable


def _cell(text: str) -> str:
    """Return a cell whose text cannot be read as markup; a line break stays one."""
    return "<br>".join(map(_escaped, text.split("\n")))


def _escaped(text: str) -> str:
    flat = " ".join(text.split())
    for char in ("\\", "|", "`", "*", "_", "<", ">", "[", "]"):
        flat = flat.replace(char, f"\\{char}") if char not in "<>" else flat
    return flat.replace("<", "&lt;").replace(">", "&gt;")


def _line(cells: tuple[str, ...], *, bold: bool = False) -> str:
    shown = [f"**{cell}**" if bold and cell else cell for cell in map(_cell, cells)]
    return "| " + " | ".join(shown) + " |"


def table_to_markdown(table: SummaryTable) -> str:
    """Return a summary table as a Markdown section with its notes as a list."""
    head = _line(tuple(column.heading for column in table.columns))
    rule = "| " + " | ".join("---:" if column.numeric else "---" for column in table.columns) + " |"
    rows = [_line(row, bold=i in table.set_apart) for i, row in enumerate(table.rows)]
    notes = [f"- {_cell(note)}" for note in table.notes]
    return "\n".join([f"## {_cell(table.title)}", "", head, rule, *rows, "", *notes, ""])
