"""Tables on a terminal by Rich; the same tables as plain aligned text when the output is a pipe or a file."""

from __future__ import annotations

import io
import sys

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain

#: Wide enough for every column of a summary table.
WIDTH = 100

_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


def is_terminal() -> bool:
    """Return whether a person reads standard output directly."""
    return sys.stdout.isatty()


def _rich_table(table: SummaryTable, *, rich: bool) -> Table:
    drawn = Table(
        title=Text(plain(table.title), style="bold"),
        title_justify="left",
        box=SIMPLE_HEAD if rich else _ASCII_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        collapse_padding=True,
    )
    for column in table.columns:
        drawn.add_column(
            Text(column.heading),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for i, row in enumerate(table.rows):
        if i in table.set_apart and i:
            drawn.add_section()
        drawn.add_row(*(Text(plain(cell)) for cell in row), style="bold" if i in table.set_apart else None)
    return drawn


def to_text(table: SummaryTable, *, width: int = WIDTH) -> str:
    """Return a summary table as text: with colour and rules on a terminal, plain otherwise."""
    rich = is_terminal()
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=rich,
        no_color=not rich,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(_rich_table(table, rich=rich))
    for note in table.notes:
        console.print(Text(plain(note)))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join(lines) + "\n"
