"""Where the rows of a pool went, drawn as PRISMA 2020 draws it: boxes going down, what was left out beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.plots.canvas import INK, MARGIN, SIZE, page
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
MAIN, SIDE, ACROSS, DOWN, LINE, PADDING = 190.0, 270.0, 26.0, 22.0, 12.0, 7.0


@dataclass(frozen=True)
class Stage:
    """A box, and the box beside it with what is left out on the way to the next; lines of text."""

    lines: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def flow_figure(stages: Sequence[Stage]) -> Figure:
    """Return a flow of evidence; the first line of each box is bold."""
    import matplotlib as mpl

    main = [_wrapped(stage.lines, MAIN) for stage in stages]
    side = [_wrapped(stage.left_out, SIDE) for stage in stages]
    heights = [_height(lines) for lines in main]
    gaps = [max(DOWN, _height(lines) - height / 2 + 8) if lines else DOWN
            for lines, height in zip(side, heights, strict=True)]  # fmt: skip
    total = 2 * MARGIN + sum(heights) + sum(gaps[:-1])
    with mpl.rc_context(STYLE):
        drawn, axes = page(2 * MARGIN + MAIN + ACROSS + SIDE, total)
        y = MARGIN
        for i, (lines, beside, height, gap) in enumerate(zip(main, side, heights, gaps, strict=True)):
            _box(axes, MARGIN, y, MAIN, height, lines)
            bottom = y + height
            if beside:
                middle = y + height / 2
                _arrow(axes, (MARGIN + MAIN, middle), (MARGIN + MAIN + ACROSS, middle))
                _box(axes, MARGIN + MAIN + ACROSS, middle - 14, SIDE, _height(beside), beside)
            if i < len(stages) - 1:
                _arrow(axes, (MARGIN + MAIN / 2, bottom), (MARGIN + MAIN / 2, bottom + gap))
            y = bottom + gap
    return drawn


def _height(lines: Sequence[Any]) -> float:
    return LINE * len(lines) + 2 * PADDING if lines else 0.0


def _wrapped(texts: Sequence[str], width: float) -> list[tuple[str, bool]]:
    """Return lines that fit into a box, with whether each is bold."""
    lines: list[tuple[str, bool]] = []
    for i, text in enumerate(texts):
        line = ""
        for word in plain(text).split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, SIZE, i == 0) > width - 2 * PADDING:
                lines.append((line, i == 0))
                line = f"   {word}" if i else word
            else:
                line = longer
        lines.append((line, i == 0))
    return lines


def _box(axes: Any, x: float, y: float, width: float, height: float, lines: Sequence[tuple[str, bool]]) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor=INK, lw=0.8))
    for i, (text, bold) in enumerate(lines):
        weight = "bold" if bold else "normal"
        axes.text(x + PADDING, y + PADDING + LINE * (i + 0.5), text, size=SIZE, va="center", color=INK, weight=weight)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "lw": 0.8, "color": INK, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
    axes.annotate("", end, start, arrowprops=style)
