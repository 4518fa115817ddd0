"""Summary tables as plain aligned text, for pipes and files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain

#: Spaces between columns.
GAP = 2

#: No column of words is made narrower than this.
NARROWEST = 14


def _widths(table: SummaryTable, rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the width of each column; where the table is too wide, columns of words share what is missing."""
    headings = [plain(column.heading) for column in table.columns]
    natural = [
        max(len(line) for cell in cells for line in cell.split("\n")) for cells in zip(headings, *rows, strict=True)
    ]
    missing = sum(natural) + GAP * (len(natural) - 1) - width
    words = [i for i, column in enumerate(table.columns) if not column.numeric]
    while missing > 0 and any(natural[i] > NARROWEST for i in words):
        widest = max(words, key=lambda i: natural[i])
        natural[widest] -= 1
        missing -= 1
    return natural


def _lines(cells: Sequence[str], table: SummaryTable, widths: Sequence[int]) -> list[str]:
    """Return a row as lines: cells of words are wrapped, numbers stand one under the other from the first line on."""
    wrapped = [
        cell.split("\n") if column.numeric else textwrap.wrap(cell, width) or [""]
        for cell, column, width in zip(cells, table.columns, widths, strict=True)
    ]
    out = []
    for i in range(max(map(len, wrapped))):
        parts = [
            f"{part[i] if i < len(part) else '':{'>' if column.numeric else '<'}{width}}"
            for part, column, width in zip(wrapped, table.columns, widths, strict=True)
        ]
        out.append((" " * GAP).join(parts).rstrip())
    return out


def to_plain(table: SummaryTable, *, width: int) -> str:
    """Return a table with its title and notes as text of at most `width` columns where its numbers allow."""
    rows = [tuple(plain(cell) for cell in row) for row in table.rows]
    widths = _widths(table, rows, width)
    lines = [plain(table.title), "", *_lines([plain(column.heading) for column in table.columns], table, widths)]
    lines.append("-" * (sum(widths) + GAP * (len(widths) - 1)))
    for i, row in enumerate(rows):
        if i in table.set_apart and i:
            lines.append("")
        lines += _lines(row, table, widths)
    if table.notes:
        lines.append("")
    for note in table.notes:
        lines += textwrap.wrap(plain(note), width)
    return "\n".join(lines) + "\n"
