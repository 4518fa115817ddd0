"""A forest in the terminal: block characters, or plain ASCII where they cannot be shown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from igfmeta.plots.forest import Forest, Triple
from igfmeta.plots.layout import Layout, Line, Mark, lay_out, mark_of
from igfmeta.plots.ticks import axis_for

_BLOCKS = {"line": "─", "square": "■", "diamond": "◆", "hollow_diamond": "◇", "bar": "━", "left": "◂", "right": "▸",
           "null": "│"}  # fmt: skip
_ASCII = {"line": "-", "square": "#", "diamond": "*", "hollow_diamond": "o", "bar": "=", "left": "<", "right": ">",
          "null": "|"}  # fmt: skip

_TO_ASCII = str.maketrans({"–": "-", "\N{MINUS SIGN}": "-", "τ": "tau", "²": "2", "…": "~"})

#: Columns of characters for the plot: at least, and at most; and for the labels where room is short.
NARROWEST, WIDEST = 20, 44
SHORTEST = 12


def _cells(width: int, null: float | None, signs: dict[str, str]) -> list[str]:
    cells = [" "] * width
    if null is not None:
        cells[round(null * (width - 1))] = signs["null"]
    return cells


def _drawn(mark: Mark | None, width: int, null: float | None, signs: dict[str, str]) -> str:
    cells = _cells(width, null, signs)
    if mark is None:
        return "".join(cells)
    first, last = round(mark.lower * (width - 1)), round(mark.upper * (width - 1))
    for i in range(first, last + 1):
        cells[i] = signs["bar"] if mark.kind == "bar" else signs["line"]
    if mark.cut_lower:
        cells[0] = signs["left"]
    if mark.cut_upper:
        cells[-1] = signs["right"]
    if mark.middle is not None:
        cells[round(mark.middle * (width - 1))] = signs[mark.kind]
    return "".join(cells)


def _label(line: Line, width: int) -> str:
    text = line.cells.get("label", "") + (f" [{line.footnotes}]" if line.footnotes else "")
    indent = "" if line.kind in ("heading", "summary", "total") else "  "
    shown = indent + text
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _axis(layout: Layout, width: int) -> str:
    """Return the numbers under the plot, those that find room."""
    cells = [" "] * width
    for value, text in layout.axis.ticks:
        start = round(layout.axis.fraction(value) * (width - 1)) - len(text) // 2
        start = min(max(start, 0), width - len(text))
        around = cells[max(start - 1, 0) : start + len(text) + 1]
        if all(cell == " " for cell in around):
            cells[start : start + len(text)] = text
    return "".join(cells)


def small_forest(marks: Sequence[Triple], *, null: float | None, width: int) -> list[str]:
    """Return one line per pooled effect: its interval and diamond in block characters, on one common axis."""
    values = [value for triple in marks for value in triple if value is not None]
    estimates = [triple[0] for triple in marks if triple[0] is not None]
    axis = axis_for([*estimates, *([null] if null is not None else [])], values, ratio=False, bounded=null is None)
    at = axis.fraction(null) if null is not None else None
    return [_drawn(mark_of("diamond", triple, axis), width, at, _BLOCKS) for triple in marks]


def to_text(forest: Forest, *, width: int = 100, unicode: bool = True) -> str:
    """Return a forest plot as text.

    Parameters
    ----------
    forest : Forest
    width : int
        Characters in a line; the least is what the columns on the right, short labels and a short plot need.
    unicode : bool
        Block characters, or ASCII.
    """
    layout, signs = lay_out(forest), _BLOCKS if unicode else _ASCII
    widths = {
        column.key: max([len(column.heading), *(len(line.cells.get(column.key, "")) for line in layout.lines)])
        for column in layout.right
    }
    taken = sum(2 + each for each in widths.values())
    labels = max(
        (len(_label(line, 10_000)) for line in layout.lines if line.kind not in ("heading", "note")), default=5
    )
    label = min(labels, max(SHORTEST, width - taken - NARROWEST - 2))
    plot = max(NARROWEST, min(WIDEST, width - taken - label - 2))

    def joined(first: str, drawing: str, cells: dict[str, str]) -> str:
        right = "".join(f"  {cells.get(column.key, ''):>{widths[column.key]}}" for column in layout.right)
        return f"{first:<{label}}  {drawing}{right}".rstrip()

    lines = textwrap.wrap(layout.title, width)
    lines.append(joined("Study", " " * plot, {column.key: column.heading for column in layout.right}))
    for line in layout.lines:
        if line.kind in ("heading", "note"):
            lines.append(_label(line, width))
        else:
            if line.kind == "total":
                lines.append("")
            lines.append(joined(_label(line, label), _drawn(line.mark, plot, layout.null, signs), line.cells))
    lines.append(f"{'':<{label}}  {_axis(layout, plot)}".rstrip())
    if layout.favours:
        arrow = ("◂ ", " ▸") if unicode else ("< ", " >")
        lines.append(f"{'':<{label}}  {arrow[0]}{layout.favours[0]} | {layout.favours[1]}{arrow[1]}")
    text = "\n".join([*lines, "", *(part for note in layout.notes for part in textwrap.wrap(note, width))]) + "\n"
    return text if unicode else text.translate(_TO_ASCII)
