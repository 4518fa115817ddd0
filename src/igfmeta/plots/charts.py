"""A rectangle with two axes on a page: what every plot of points and curves stands on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.plots.canvas import GREY, INK, MARGIN, RATES, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.plots.ticks import linear_ticks, ratio_ticks
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE, RED = "#dddddd", "#b2182b"

Ticks = Sequence[tuple[float, str]]


def spread_of(*values: Any, margin: float = 0.05) -> tuple[float, float]:
    """Return limits that hold all finite values, with a margin at both ends.

    Examples
    --------
    >>> spread_of([0.0, 10.0], margin=0.1)
    (-1.0, 11.0)
    """
    x = np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in values])
    x = x[np.isfinite(x)]
    low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    room = margin * (high - low) if high > low else max(abs(high), 1.0) * 0.1
    return low - room, high + room


def written(value: float) -> str:
    """Return a tick's number with a true minus sign."""
    return f"{value:.10g}".replace("-", "\N{MINUS SIGN}")


def plain_ticks(low: float, high: float) -> Ticks:
    """Return round numbers of an axis and their texts."""
    return [(value, written(value)) for value in linear_ticks(low, high)]


def effect_ticks(transform: str, low: float, high: float) -> Ticks:
    """Return the ticks of an axis of effects: round ratios of logs, percentages of logits, round numbers otherwise."""
    if transform == "exp" and high - low < 600:
        return [(math.log(value), written(value)) for value in ratio_ticks(math.exp(low), math.exp(high))]
    if transform == "expit":
        return _rate_ticks(low, high)
    return plain_ticks(low, high)


def _rate_ticks(low: float, high: float) -> Ticks:
    """Return round percentages where their logits leave room."""
    shown: list[tuple[float, str]] = []
    for rate in RATES:
        value = math.log(rate / (1 - rate))
        if low <= value <= high and (not shown or value - shown[-1][0] > 0.09 * (high - low)):
            shown.append((value, f"{100 * rate:g} %"))
    return shown or plain_ticks(low, high)


@dataclass(frozen=True)
class Panel:
    """A rectangle of the page, in points, and the values at its edges; `up` is False where the axis runs downwards."""

    left: float
    top: float
    width: float
    height: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    up: bool = True

    def x(self, value: Any) -> Any:
        """Return where values lie on the page, across."""
        low, high = self.x_limits
        return self.left + self.width * (np.asarray(value, dtype=float) - low) / (high - low)

    def y(self, value: Any) -> Any:
        """Return where values lie on the page, down."""
        low, high = self.y_limits
        share = (np.asarray(value, dtype=float) - low) / (high - low)
        return self.top + self.height * (1 - share if self.up else share)

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def right(self) -> float:
        return self.left + self.width

    def frame(self, axes: Any, *, x_ticks: Ticks, y_ticks: Ticks, x_label: str, y_label: str) -> None:
        """Draw both axes with ticks, numbers and labels, and light lines across."""
        axes.plot([self.left, self.right], [self.bottom] * 2, color=INK, lw=0.8)
        axes.plot([self.left] * 2, [self.top, self.bottom], color=INK, lw=0.8)
        shown = [(float(self.x(v)), text) for v, text in x_ticks]
        for x, text in [t for t in shown if self.left - 1e-6 <= t[0] <= self.right + 1e-6]:
            axes.plot([x, x], [self.bottom, self.bottom + 3], color=INK, lw=0.8)
            axes.text(x, self.bottom + 10, text, size=SMALL, ha="center", va="center", color=INK)
        for value, text in y_ticks:
            y = float(self.y(value))
            if self.top - 1e-6 <= y <= self.bottom + 1e-6:
                axes.plot([self.left - 3, self.left], [y, y], color=INK, lw=0.8)
                axes.text(self.left - 6, y, text, size=SMALL, ha="right", va="center", color=INK)
        middle = self.left + self.width / 2
        axes.text(middle, self.bottom + 23, plain(x_label), size=SIZE, ha="center", va="center", color=INK)
        widest = max([text_width(text, SMALL) for _, text in y_ticks], default=0.0)
        axes.text(self.left - 14 - widest, self.top + self.height / 2, plain(y_label), size=SIZE, rotation=90,
                  ha="center", va="center", color=INK)  # fmt: skip

    def clip(self, artist: Any) -> None:
        """Keep what was drawn inside the rectangle."""
        from matplotlib.patches import Rectangle

        for each in artist if isinstance(artist, list) else [artist]:
            box = Rectangle((self.left, self.top), self.width, self.height, transform=each.axes.transData)
            each.set_clip_path(box)


def chart(
    draw: Callable[[Any, float, float], None],
    *,
    width: float,
    height: float,
    title: str,
    notes: Sequence[str] = (),
    left: float = 52.0,
    right: float = 0.0,
) -> Figure:
    """Return a figure with a title, a plot of `width` by `height` points, and notes under it.

    Parameters
    ----------
    draw : callable
        `draw(axes, left, top)` draws the plot, its upper left corner at (left, top).
    width, height : float
        Of the plot without its axes' numbers.
    title : str
    notes : sequence of str
    left, right : float
        Room for numbers and labels on both sides.
    """
    import matplotlib as mpl

    title, notes = plain(title), [plain(note) for note in notes]
    top = MARGIN + 22
    whole = wide_enough(MARGIN + left + width + right + MARGIN, title, notes)
    bottom = top + height + 34
    with mpl.rc_context(STYLE):
        drawn, axes = page(whole, bottom + (6 + 11 * len(notes) if notes else 0) + 4)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        draw(axes, MARGIN + left, top)
        for i, note in enumerate(notes):
            axes.text(MARGIN, bottom + 8 + 11 * i, note, size=SMALL, va="center", color=GREY)
    return drawn


def label_points(
    axes: Any,
    panel: Panel,
    x: Any,
    y: Any,
    labels: Sequence[str],
    *,
    most: int = 12,
    radius: Any = 2.5,
    beside: tuple[Any, Any] | None = None,
) -> None:
    """Write names beside the outermost points, each where it meets no other name, no point and no edge.

    The points are taken from the one farthest from the middle inwards; a name that finds no room is left out. `radius`
    is that of the points on the page: one for all, or one for each. `beside` are further points of the plot, which
    names keep away from and which have none.
    """
    px, py = np.asarray(panel.x(x)), np.asarray(panel.y(y))
    centre = np.median(px), np.median(py)
    order = np.argsort(-np.hypot((px - centre[0]) / panel.width, (py - centre[1]) / panel.height), kind="stable")
    r = np.broadcast_to(np.asarray(radius, dtype=float), px.shape)
    taken = [(a - c, b - c, a + c, b + c) for a, b, c in zip(px, py, r, strict=True)]
    if beside is not None:
        further = zip(np.asarray(panel.x(beside[0])), np.asarray(panel.y(beside[1])), strict=True)
        taken += [(a - 2.5, b - 2.5, a + 2.5, b + 2.5) for a, b in further]
    written_names = 0
    for i in order.tolist():
        text, size = plain(labels[i]), SMALL - 1
        w, h = text_width(text, size), size
        off = r[i] + 2.5
        # Each name is held at the end that is next to its point, so that a wrong width moves only the other end.
        for left, top, ha in (
            (px[i] + off, py[i] - h / 2, "left"),
            (px[i] - off - 1 - w, py[i] - h / 2, "right"),
            (px[i] - w / 2, py[i] - off - h, "center"),
            (px[i] - w / 2, py[i] + off, "center"),
        ):
            box = (left, top, left + w, top + h)
            inside = (box[0] >= panel.left + 1 and box[2] <= panel.right and box[1] >= panel.top
                      and box[3] <= panel.bottom - 1)  # fmt: skip
            if inside and not any(_meet(box, other) for j, other in enumerate(taken) if j != i):
                held = {"left": left, "right": left + w, "center": left + w / 2}[ha]
                axes.text(held, top + h / 2, text, size=size, ha=ha, va="center", color=GREY, zorder=6)
                taken.append(box)
                written_names += 1
                break
        if written_names == most:
            return


Box = tuple[float, float, float, float]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
