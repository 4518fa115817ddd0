"""Class x tumour as a picture: a matrix of cells with what the model says of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from igfmeta.formatting import number
from igfmeta.plots.canvas import GREY, INK, MARGIN, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
CELL_WIDTH, CELL_HEIGHT = 74.0, 34.0

Colour = tuple[float, float, float]

#: Ratios at and beyond which the colour is full: blue favours the experimental arm, orange the control. Both ends are
#: equally dark, so that in grey the number and its sign of direction carry the meaning.
FULL = 1.5

#: Rate at which the colour is full.
FULL_RATE = 0.4

_BLUE, _ORANGE = (0.12, 0.38, 0.65), (0.80, 0.40, 0.05)


def _towards(end: Colour, share: float) -> Colour:
    part = 0.75 * min(1.0, share)
    return (1 - part * (1 - end[0]), 1 - part * (1 - end[1]), 1 - part * (1 - end[2]))


def shade(ratio: float, *, lower_is_better: bool) -> Colour:
    """Return the colour of a ratio: white at 1, fuller the further away.

    Examples
    --------
    >>> shade(1.0, lower_is_better=True)
    (1.0, 1.0, 1.0)
    """
    good = (ratio < 1) == lower_is_better
    return _towards(_BLUE if good else _ORANGE, abs(math.log(ratio)) / math.log(FULL))


def shade_of_rate(rate: float, *, lower_is_better: bool) -> Colour:
    """Return the colour of a rate: white at 0, fuller the higher it is.

    Examples
    --------
    >>> shade_of_rate(0.0, lower_is_better=False)
    (1.0, 1.0, 1.0)
    """
    return _towards(_ORANGE if lower_is_better else _BLUE, math.sqrt(rate / FULL_RATE))


def heading(name: str) -> str:
    """Return a class or tumour as it is written."""
    return "All" if name == ALL else plain(name)


def shown(result: HierarchyResult, value: float) -> str:
    """Return an effect as it is written in a figure: a ratio, or a rate in percent."""
    return number(100 * value, 1) if result.is_rate else number(value)


def _note(result: HierarchyResult) -> str:
    better = result.question.better == "lower"
    favours = "Blue favours the experimental arm, orange the control."
    colours = f"The {'orange' if better else 'bluer'}, the higher." if result.is_rate else favours
    interval = f"{100 * result.level:g} % interval"
    return f"Posterior median and {interval}; k studies. Hatched: no study, all of it borrowed. {colours}"


def matrix(result: HierarchyResult) -> Figure:
    """Return a matrix of tumours by classes: posterior median, interval and k in every cell.

    Cells without a study are hatched and their numbers are not bold: they are borrowed altogether.
    """
    import matplotlib as mpl

    classes = list(dict.fromkeys(cell.agent_class for cell in result.cells))
    tumors = list(dict.fromkeys(cell.tumor for cell in result.cells))
    title, note = result.title, _note(result)
    left = MARGIN + max(text_width(heading(name)) for name in tumors) + 10
    column = max(CELL_WIDTH, *(text_width(heading(name), SIZE, True) + 12 for name in classes))
    height = MARGIN * 2 + 34 + CELL_HEIGHT * len(tumors) + 24
    with mpl.rc_context(STYLE):
        drawn, axes = page(wide_enough(left + column * len(classes) + MARGIN, title, [note]), height)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        for i, name in enumerate(classes):
            x = left + column * (i + 0.5)
            axes.text(x, MARGIN + 26, heading(name), size=SIZE, weight="bold", ha="center", va="center", color=INK)
        for j, name in enumerate(tumors):
            y = MARGIN + 36 + CELL_HEIGHT * (j + 0.5)
            axes.text(MARGIN, y, heading(name), size=SIZE, va="center", color=INK)
        for cell in result.cells:
            x = left + column * classes.index(cell.agent_class)
            y = MARGIN + 36 + CELL_HEIGHT * tumors.index(cell.tumor)
            _draw_cell(axes, result, cell, x, y, column)
        axes.text(MARGIN, height - MARGIN - 2, note, size=SMALL, va="center", color=GREY)
    return drawn


def _draw_cell(axes: Any, result: HierarchyResult, cell: Cell, x: float, y: float, width: float) -> None:
    from matplotlib.patches import Rectangle

    empty, lower = cell.k == 0, result.question.better == "lower"
    colour = shade_of_rate if result.is_rate else shade
    face = colour(cell.median, lower_is_better=lower)
    outer = Rectangle((x + 1, y + 1), width - 2, CELL_HEIGHT - 2, facecolor=face, edgecolor="#bbbbbb", lw=0.6)
    outer.set_hatch("////" if empty else "")
    axes.add_patch(outer)
    if empty:
        axes.add_patch(Rectangle((x + 9, y + 5), width - 18, CELL_HEIGHT - 10, facecolor=face, lw=0))
    middle = x + width / 2
    text = shown(result, cell.median) + ("" if empty else f"  (k = {cell.k})")
    weight = "normal" if empty else "bold"
    axes.text(middle, y + 12, text, size=SIZE, ha="center", va="center", color=INK, weight=weight)
    interval = f"{shown(result, cell.ci_lower)}, {shown(result, cell.ci_upper)}"
    axes.text(middle, y + 23, interval, size=SMALL - 0.5, ha="center", va="center", color=INK)
