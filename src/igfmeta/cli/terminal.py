"""Tables on a terminal by Rich; the same tables as plain aligned text when the output is a pipe or a file."""

from __future__ import annotations

import io
import shutil
import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain

if TYPE_CHECKING:
    from igfmeta.synthesis.fitting import FitResult

#: Wide enough for every column of a summary table.
WIDTH = 100

_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


def is_terminal() -> bool:
    """Return whether a person reads standard output directly."""
    return sys.stdout.isatty()


def _rich_table(table: SummaryTable, *, rich: bool) -> Table:
    drawn = Table(
        box=SIMPLE_HEAD if rich else _ASCII_HEAD,
        pad_edge=False,
        show_edge=False,
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
    console.print(Text(plain(table.title), style="bold" if rich else ""), end="\n\n")
    console.print(_rich_table(table, rich=rich))
    if table.notes:
        console.print()
    for note in table.notes:
        console.print(Text(plain(note)))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join(lines) + "\n"


def can_draw() -> bool:
    """Return whether standard output can show block characters."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def forest_text(result: FitResult) -> str:
    """Return the forest of a fit as text, as wide as the terminal up to `WIDTH`."""
    from igfmeta.plots.fit_forest import fit_forest
    from igfmeta.plots.text_forest import to_text as forest_to_text

    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal() else WIDTH
    return forest_to_text(fit_forest(result), width=width, unicode=can_draw())
