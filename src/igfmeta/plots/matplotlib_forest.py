"""A forest for papers: SVG with real text, PDF, PNG; the same bytes for the same input. No pyplot state."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from igfmeta.plots.forest import Forest
from igfmeta.plots.layout import Column, Layout, Line, Mark, lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["svg", "pdf", "png"]

FONT = "DejaVu Sans"
SIZE, SMALL = 8.0, 7.0
#: Lengths in points.
ROW, GAP, PLOT, MARGIN, SQUARE = 13.0, 12.0, 190.0, 12.0, 8.5
INK, GREY, LIGHT, BLUE = "#1a1a1a", "#555555", "#9a9a9a", "#1f4e79"

_BOLD = ("heading", "summary", "total")
_INDENT = {"study": 8.0, "posterior": 8.0, "prediction": 8.0, "note": 8.0}

#: Nothing in a file that changes from run to run.
METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}
STYLE: Any = {
    "svg.hashsalt": "igfmeta",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": FONT,
    "font.size": SIZE,
    "text.parse_math": False,
}


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """Return the width of a text in points, from the font itself."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font.set_size(size, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64


@dataclass(frozen=True)
class Geometry:
    """Where the columns stand, in points from the left: edges of each text column and of the plot."""

    columns: dict[str, tuple[float, float]]
    plot: tuple[float, float]
    width: float
    height: float


def _cell_text(line: Line, column: Column) -> str:
    text = line.cells.get(column.key, "")
    return f"{text} [{line.footnotes}]" if column.key == "label" and line.footnotes else text


def _style_of(line: Line) -> tuple[float, bool]:
    return (SMALL if line.kind == "note" else SIZE), line.kind in _BOLD


def _spans(line: Line) -> bool:
    """Return whether the label of a line may run over the other columns on the left."""
    return line.kind in ("heading", "note")


def _column_width(layout: Layout, column: Column) -> float:
    widths = [text_width(column.heading, SIZE, True)]
    for line in layout.lines:
        size, bold = _style_of(line)
        if not (column.key == "label" and _spans(line)):
            indent = _INDENT.get(line.kind, 0.0) if column.key == "label" else 0.0
            widths.append(indent + text_width(_cell_text(line, column), size, bold))
    return max(widths)


def geometry(layout: Layout) -> Geometry:
    """Return the columns' places: as wide as their widest text, so that no two texts can meet."""
    columns: dict[str, tuple[float, float]] = {}
    x = MARGIN
    for column in layout.left:
        width = _column_width(layout, column)
        columns[column.key] = (x, x + width)
        x += width + GAP
    spanning = [
        MARGIN + _INDENT.get(line.kind, 0.0) + text_width(line.cells["label"], *_style_of(line)) + GAP
        for line in layout.lines
        if _spans(line)
    ]
    x = max([x, *spanning])
    if layout.favours:
        null = layout.null if layout.null is not None else 0.5
        x = max(x, MARGIN + text_width(layout.favours[0], SMALL) - null * PLOT + 8)
    plot = (x, x + PLOT)
    x += PLOT + GAP
    if layout.favours:
        null = layout.null if layout.null is not None else 0.5
        x = max(x, plot[0] + null * PLOT + text_width(layout.favours[1], SMALL) + 8)
    for column in layout.right:
        width = _column_width(layout, column)
        columns[column.key] = (x, x + width)
        x += width + GAP
    below = [text_width(note, SMALL) + 2 * MARGIN for note in layout.notes]
    width = max([x - GAP + MARGIN, 2 * MARGIN + text_width(layout.title, SIZE + 1, True), *(min(b, x) for b in below)])
    wrapped = sum(len(_wrapped(note, width - 2 * MARGIN)) for note in layout.notes)
    height = MARGIN * 2 + ROW * (len(layout.lines) + (3.2 if layout.title else 1.7) + 3.0) + wrapped * ROW * 0.85
    return Geometry(columns, plot, width, height)


def _wrapped(text: str, width: float) -> list[str]:
    lines, current = [], ""
    for word in text.split():
        longer = f"{current} {word}".strip()
        if current and text_width(longer, SMALL) > width:
            lines.append(current)
            current = word
        else:
            current = longer
    return [*lines, current] if current else lines


class _Pen:
    """Draws at points from the top left corner."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes

    def text(self, x: float, y: float, text: str, *, right: bool = False, centre: bool = False, **style: Any) -> None:
        align = "center" if centre else "right" if right else "left"
        self.axes.text(x, y, text, ha=align, va="center_baseline", **{"color": INK, "size": SIZE, **style})

    def line(self, x0: float, y0: float, x1: float, y1: float, **style: Any) -> None:
        self.axes.plot([x0, x1], [y0, y1], **{"color": INK, "lw": 0.8, "solid_capstyle": "butt", **style})

    def polygon(self, points: list[tuple[float, float]], **style: Any) -> None:
        from matplotlib.patches import Polygon

        self.axes.add_patch(Polygon(points, closed=True, **style))


def _draw_mark(pen: _Pen, mark: Mark, y: float, plot: tuple[float, float]) -> None:
    left, right = plot

    def at(fraction: float) -> float:
        return left + fraction * (right - left)

    lower, upper = at(mark.lower), at(mark.upper)
    if mark.kind in ("diamond", "hollow_diamond"):
        middle = at(mark.middle) if mark.middle is not None else 0.5 * (lower + upper)
        half = 4.2 if mark.kind == "diamond" else 3.2
        face = BLUE if mark.kind == "diamond" else "white"
        points = [(lower, y), (middle, y - half), (upper, y), (middle, y + half)]
        pen.polygon(points, facecolor=face, edgecolor=BLUE, lw=0.9, zorder=3)
    elif mark.kind == "bar":
        pen.polygon([(lower, y - 1.4), (upper, y - 1.4), (upper, y + 1.4), (lower, y + 1.4)], facecolor=GREY, lw=0)
    else:
        pen.line(lower, y, upper, y, zorder=2)
        if mark.middle is not None:
            half = 0.5 * max(1.6, SQUARE * mark.size)
            x = at(mark.middle)
            corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
            pen.polygon(corners, facecolor=GREY, edgecolor=INK, lw=0.4, zorder=3)
    colour = INK if mark.kind == "square" else BLUE if "diamond" in mark.kind else GREY
    for cut, end, tip in ((mark.cut_lower, left, -1), (mark.cut_upper, right, 1)):
        if cut:
            pen.polygon([(end + tip * 4, y), (end, y - 2.6), (end, y + 2.6)], facecolor=colour, lw=0, zorder=3)


def _draw_line(pen: _Pen, line: Line, layout: Layout, places: Geometry, y: float) -> None:
    size, bold = _style_of(line)
    style: dict[str, Any] = {"size": size, "weight": "bold" if bold else "normal"}
    if line.kind in ("note", "prediction", "posterior"):
        style["color"] = GREY
    for column in (*layout.left, *layout.right):
        text = _cell_text(line, column)
        if not text:
            continue
        start, end = places.columns[column.key]
        if column.right:
            pen.text(end, y, text, right=True, **style)
        else:
            link: dict[str, Any] = {"url": line.href} if line.href else {}
            pen.text(start + _INDENT.get(line.kind, 0.0), y, text, **style, **link)
    if line.mark is not None:
        _draw_mark(pen, line.mark, y, places.plot)


def _draw_axis(pen: _Pen, layout: Layout, places: Geometry, top: float, bottom: float) -> None:
    left, right = places.plot

    def at(fraction: float) -> float:
        return left + fraction * (right - left)

    if layout.null is not None:
        pen.line(at(layout.null), top, at(layout.null), bottom, color=INK, zorder=1)
    if layout.pooled is not None:
        pen.line(at(layout.pooled), top, at(layout.pooled), bottom, color=BLUE, ls=(0, (3, 2)), lw=0.7, zorder=1)
    pen.line(left, bottom, right, bottom)
    for value, text in layout.axis.ticks:
        x = at(layout.axis.fraction(value))
        pen.line(x, bottom, x, bottom + 3)
        pen.text(x, bottom + 9, text, centre=True, size=SMALL)
    if layout.favours:
        x = at(layout.null if layout.null is not None else 0.5)
        pen.text(x - 8, bottom + 20, layout.favours[0], right=True, size=SMALL)
        pen.text(x + 8, bottom + 20, layout.favours[1], size=SMALL)


def figure(forest: Forest) -> Figure:
    """Return a forest plot as a matplotlib figure, high enough for its studies and wide enough for its texts."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    layout = lay_out(forest)
    places = geometry(layout)
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(places.width / 72, places.height / 72), facecolor="white")
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, places.width)
        axes.set_ylim(places.height, 0)
        axes.axis("off")
        _draw(_Pen(axes), layout, places)
    return drawn


def _draw(pen: _Pen, layout: Layout, places: Geometry) -> None:
    y = MARGIN
    if layout.title:
        pen.text(MARGIN, y + 4, layout.title, size=SIZE + 1, weight="bold")
        y += 1.5 * ROW
    y += 0.5 * ROW
    for column in (*layout.left, *layout.right):
        start, end = places.columns[column.key]
        pen.text(end if column.right else start, y, column.heading, right=column.right, weight="bold")
    y += 0.8 * ROW
    pen.line(MARGIN, y, places.width - MARGIN, y, lw=0.6)
    top = y + 2
    y += 0.8 * ROW
    for line in layout.lines:
        if line.kind == "total":
            pen.line(MARGIN, y - 0.5 * ROW, places.width - MARGIN, y - 0.5 * ROW, lw=0.4, color=LIGHT)
        _draw_line(pen, line, layout, places, y)
        y += ROW
    _draw_axis(pen, layout, places, top, y - 0.2 * ROW)
    y += 2.4 * ROW
    for note in layout.notes:
        for part in _wrapped(note, places.width - 2 * MARGIN):
            pen.text(MARGIN, y, part, size=SMALL, color=GREY)
            y += 0.85 * ROW


def render(forest: Forest, kind: Format, *, dpi: int = 200) -> bytes:
    """Return a forest plot as the content of a file; the same forest gives the same bytes."""
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure(forest).savefig(stream, format=kind, dpi=dpi, metadata=METADATA[kind])
    content = stream.getvalue()
    return _described(content, lay_out(forest)) if kind == "svg" else content


def _described(svg: bytes, layout: Layout) -> bytes:
    """Return an SVG with a role, a title and a description for those who cannot see it."""
    text = svg.decode("utf-8")
    start = text.index("<svg ")
    end = text.index(">", start)
    opening = text[start:end] + ' role="img" aria-labelledby="forest-title forest-desc">'
    title = f'<title id="forest-title">{html.escape(layout.title or "Forest plot")}</title>'
    described = f'<desc id="forest-desc">{html.escape(layout.summary_text)}</desc>'
    return f"{text[:start]}{opening}\n {title}\n {described}{text[end + 1 :]}".encode()
