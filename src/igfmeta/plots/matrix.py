"""Class x tumour as a picture: a matrix of cells, and what the hierarchy made of each raw effect."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igfmeta.errors import InputError
from igfmeta.files import write_whole
from igfmeta.formatting import number
from igfmeta.plots.matplotlib_forest import METADATA, STYLE, text_width
from igfmeta.plots.ticks import ratio_ticks
from igfmeta.synthesis.hierarchy_results import Cell, HierarchyResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".pdf", ".png")

#: Lengths in points.
CELL_WIDTH, CELL_HEIGHT, MARGIN, SMALL, SIZE = 74.0, 34.0, 14.0, 7.0, 8.0
INK, GREY = "#1a1a1a", "#555555"

MATRIX_NOTE = (
    "Posterior median and interval; k studies. Hatched: no study, borrowed. Blue favours the experimental arm."
)
SHRINKAGE_NOTE = "Open circle: the cell's own studies. Diamond and line: posterior median and interval."

#: Ratios at and beyond which the colour is full: blue favours the experimental arm, orange the control. Both ends are
#: equally dark, so that in grey the number and its sign of direction carry the meaning.
FULL = 1.5
_BLUE, _ORANGE = (0.12, 0.38, 0.65), (0.80, 0.40, 0.05)


def shade(ratio: float, *, lower_is_better: bool) -> tuple[float, float, float]:
    """Return the colour of a ratio: white at 1, fuller the further away.

    Examples
    --------
    >>> shade(1.0, lower_is_better=True)
    (1.0, 1.0, 1.0)
    """
    share = min(1.0, abs(math.log(ratio)) / math.log(FULL)) * 0.75
    good = (ratio < 1) == lower_is_better
    end = _BLUE if good else _ORANGE
    return (1 - share * (1 - end[0]), 1 - share * (1 - end[1]), 1 - share * (1 - end[2]))


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return drawn, axes


def matrix(result: HierarchyResult) -> Figure:
    """Return a matrix of classes by tumours: posterior median, interval and k in every cell.

    Cells without a study are hatched and their numbers are grey: they are borrowed altogether.
    """
    import matplotlib as mpl

    classes = list(dict.fromkeys(cell.agent_class for cell in result.cells))
    tumors = list(dict.fromkeys(cell.tumor for cell in result.cells))
    left = MARGIN + max(text_width(_heading(name)) for name in tumors) + 10
    column = max(CELL_WIDTH, *(text_width(_heading(name), SIZE, True) + 12 for name in classes))
    width = left + column * len(classes) + MARGIN
    height = MARGIN * 2 + 34 + CELL_HEIGHT * len(tumors) + 30
    with mpl.rc_context(STYLE):
        drawn, axes = _axes(_wide_enough(width, result, MATRIX_NOTE), height)
        axes.text(MARGIN, MARGIN + 4, _title(result), size=SIZE + 1, weight="bold", va="center", color=INK)
        for i, name in enumerate(classes):
            x = left + column * (i + 0.5)
            axes.text(x, MARGIN + 26, _heading(name), size=SIZE, weight="bold", ha="center", va="center", color=INK)
        for j, name in enumerate(tumors):
            y = MARGIN + 36 + CELL_HEIGHT * (j + 0.5)
            axes.text(MARGIN, y, _heading(name), size=SIZE, va="center", color=INK)
        for cell in result.cells:
            x = left + column * classes.index(cell.agent_class)
            y = MARGIN + 36 + CELL_HEIGHT * tumors.index(cell.tumor)
            _draw_cell(axes, cell, x, y, column, lower_is_better=result.question.better == "lower")
        axes.text(MARGIN, height - MARGIN - 4, MATRIX_NOTE, size=SMALL, va="center", color=GREY)
    return drawn


def _title(result: HierarchyResult) -> str:
    words = {"class": "class of agent", "tumor": "type of tumour"}
    return f"{result.question.label} ({result.question.measure}) by {' and '.join(words[x] for x in result.by)}"


def _wide_enough(width: float, result: HierarchyResult, note: str) -> float:
    """Return a width in which title and note have room too."""
    return max(width, 2 * MARGIN + text_width(_title(result), SIZE + 1, True), 2 * MARGIN + text_width(note, SMALL))


def _heading(name: str) -> str:
    return "All" if name == "all" else plain(name)


def _name(cell: Cell) -> str:
    return ", ".join(plain(part) for part in (cell.agent_class, cell.tumor) if part != "all")


def _draw_cell(axes: Any, cell: Cell, x: float, y: float, width: float, *, lower_is_better: bool) -> None:
    from matplotlib.patches import Rectangle

    empty = cell.k == 0
    face = shade(cell.median, lower_is_better=lower_is_better)
    outer = Rectangle((x + 1, y + 1), width - 2, CELL_HEIGHT - 2, facecolor=face, edgecolor="#bbbbbb", lw=0.6)
    outer.set_hatch("////" if empty else "")
    axes.add_patch(outer)
    if empty:
        axes.add_patch(Rectangle((x + 9, y + 5), width - 18, CELL_HEIGHT - 10, facecolor=face, lw=0))
    ink = GREY if empty else INK
    middle = x + width / 2
    shown = f"{number(cell.median)}" + (f"  (k = {cell.k})" if cell.k else "")
    axes.text(
        middle, y + 12, shown, size=SIZE, ha="center", va="center", color=ink, weight="normal" if empty else "bold"
    )
    interval = f"{number(cell.ci_lower)}, {number(cell.ci_upper)}"
    axes.text(middle, y + 23, interval, size=SMALL - 0.5, ha="center", va="center", color=ink)


def shrinkage(result: HierarchyResult) -> Figure:
    """Return, for each cell with studies, its raw effect (inverse-variance mean) and where the model puts it."""
    import matplotlib as mpl

    cells = [cell for cell in result.cells if cell.k]
    raw = [_raw(result, i) for i, cell in enumerate(result.cells) if cell.k]
    names = [f"{_name(cell)} (k = {cell.k})" for cell in cells]
    left, plot, row = MARGIN + max(map(text_width, names)) + 14, 240.0, 15.0
    height = MARGIN * 2 + 30 + row * len(cells) + 52
    ends = [v for cell in cells for v in (cell.ci_lower, cell.ci_upper)] + raw
    low, high = math.log(min([*ends, 0.8])) - 0.05, math.log(max([*ends, 1.25])) + 0.05

    def at(ratio: float) -> float:
        return left + plot * (math.log(ratio) - low) / (high - low)

    with mpl.rc_context(STYLE):
        drawn, axes = _axes(_wide_enough(left + plot + MARGIN, result, SHRINKAGE_NOTE), height)
        axes.text(MARGIN, MARGIN + 4, _title(result), size=SIZE + 1, weight="bold", va="center", color=INK)
        bottom = MARGIN + 26 + row * len(cells)
        axes.plot([at(1.0)] * 2, [MARGIN + 20, bottom], color=INK, lw=0.8)
        for i, (cell, effect, name) in enumerate(zip(cells, raw, names, strict=True)):
            y = MARGIN + 26 + row * (i + 0.5)
            axes.text(MARGIN, y, name, size=SIZE, va="center", color=INK)
            axes.plot([at(cell.ci_lower), at(cell.ci_upper)], [y, y], color=GREY, lw=1.0)
            axes.annotate(
                "", (at(cell.median), y), (at(effect), y), arrowprops={"arrowstyle": "->", "lw": 0.8, "color": INK}
            )
            axes.plot([at(effect)], [y], marker="o", ms=4, mfc="white", mec=INK)
            axes.plot([at(cell.median)], [y], marker="D", ms=4.5, color="#1f4e79")
        axes.plot([left, left + plot], [bottom, bottom], color=INK, lw=0.8)
        for tick in ratio_ticks(math.exp(low), math.exp(high)):
            axes.plot([at(tick)] * 2, [bottom, bottom + 3], color=INK, lw=0.8)
            axes.text(at(tick), bottom + 10, f"{tick:g}", size=SMALL, ha="center", va="center", color=INK)
        axes.text(MARGIN, height - MARGIN - 4, SHRINKAGE_NOTE, size=SMALL, va="center", color=GREY)
    return drawn


def _raw(result: HierarchyResult, position: int) -> float:
    """Return the inverse-variance mean of a cell's own studies, as a ratio."""
    agent_class, tumor = result.keys[position]
    own = [s for s in result.studies if agent_class in (s.agent_class, "all") and tumor in (s.tumor_type, "all")]
    return math.exp(sum(s.yi / s.vi for s in own) / sum(1 / s.vi for s in own))


def save_figures(result: HierarchyResult, path: str | Path, *, dpi: int = 200) -> list[Path]:
    """Write the matrix to `path` and the shrinkage plot beside it (`name-shrinkage.svg`); the same bytes each time.

    Raises
    ------
    InputError
        A suffix that is not .svg, .pdf or .png, or a place that cannot be written.
    """
    import matplotlib as mpl

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"The figure {path.name!r} ends in {suffix or 'nothing'}; accepted are {', '.join(SUFFIXES)}.")
    places = [path, path.with_stem(f"{path.stem}-shrinkage")]
    for place, drawn in zip(places, (matrix(result), shrinkage(result)), strict=True):
        stream = io.BytesIO()
        with mpl.rc_context(STYLE):
            drawn.savefig(stream, format=suffix[1:], dpi=dpi, metadata=METADATA[suffix[1:]])
        write_whole(place, stream.getvalue())
    return places
