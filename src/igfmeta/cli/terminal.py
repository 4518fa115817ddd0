"""Tables for people: by Rich on a terminal, with a small forest where there is room; plain aligned text otherwise."""

from __future__ import annotations

import io
import shutil
import sys
from typing import TYPE_CHECKING

from igfmeta.report.plain import to_plain
from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain

if TYPE_CHECKING:
    from rich.table import Table

    from igfmeta.synthesis.models_of_fit import ModelResult

#: Wide enough for every column of a summary table.
WIDTH = 100

#: Characters of the small forest beside a table.
FOREST = 24


def is_terminal() -> bool:
    """Return whether a person reads standard output directly."""
    return sys.stdout.isatty()


def can_draw() -> bool:
    """Return whether standard output can show block characters."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def to_text(table: SummaryTable) -> str:
    """Return a summary table as text: with colour and rules on a terminal, plain otherwise."""
    return _on_terminal(table) if is_terminal() else to_plain(table, width=WIDTH)


def _rich_table(table: SummaryTable, drawings: list[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    for column in table.columns:
        justify = "right" if column.numeric else "left"
        drawn.add_column(Text(plain(column.heading)), justify=justify, no_wrap=column.numeric, overflow="fold")  # type: ignore[arg-type]
    if drawings:
        drawn.add_column("", no_wrap=True)
    for i, row in enumerate(table.rows):
        if i in table.set_apart and i:
            drawn.add_section()
        extra = [Text(drawings[i])] if drawings else []
        style = "bold" if i in table.set_apart else None
        drawn.add_row(*(Text(plain(cell)) for cell in row), *extra, style=style)
    return drawn


def _on_terminal(table: SummaryTable) -> str:
    from rich.console import Console
    from rich.text import Text

    room = shutil.get_terminal_size((WIDTH, 24)).columns
    drawings: list[str] = []
    if table.marks and can_draw() and room >= WIDTH + FOREST + 2:
        from igfmeta.plots.text_forest import small_forest

        drawings = small_forest(table.marks, null=table.null, width=FOREST)
    stream = io.StringIO()
    width = WIDTH + FOREST + 2 if drawings else WIDTH
    console = Console(file=stream, width=width, force_terminal=True, highlight=False, markup=False, emoji=False)
    console.print(Text(plain(table.title), style="bold"), end="\n\n")
    console.print(_rich_table(table, drawings))
    if table.notes:
        console.print()
    for note in table.notes:
        console.print(Text(plain(note)))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def forest_text(result: ModelResult) -> list[str]:
    """Return the forest of a fit as text, as wide as the terminal up to `WIDTH`; nothing where it has none."""
    from igfmeta.plots.drawn import forest_of
    from igfmeta.plots.text_forest import to_text as forest_to_text

    forest = forest_of(result)
    if forest is None:
        return []
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal() else WIDTH
    return [forest_to_text(forest, width=width, unicode=can_draw())]
