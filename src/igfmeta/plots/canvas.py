"""What the figures of a hierarchy share: a page measured in points, an axis with plain numbers, fixed bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import special

from igfmeta.effects.scales import transform_of
from igfmeta.errors import InputError
from igfmeta.files import write_whole
from igfmeta.plots.matplotlib_forest import METADATA, STYLE, text_width
from igfmeta.plots.ticks import linear_ticks, ratio_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".pdf", ".png")

#: Lengths in points.
MARGIN, SMALL, SIZE = 14.0, 7.0, 8.0
INK, GREY, BLUE = "#1a1a1a", "#555555", "#1f4e79"

#: Rates whose logits make ticks.
RATES = tuple(p / 1000 for p in (1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 700, 800, 900, 950, 980, 990, 995, 998, 999))


def page(width: float, height: float) -> tuple[Figure, Any]:
    """Return a figure and its only axes, which measure in points from the upper left corner."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return drawn, axes


def wide_enough(width: float, title: str, notes: Sequence[str]) -> float:
    """Return a width in which title and notes have room too."""
    texts = [text_width(title, SIZE + 1, True), *(text_width(note, SMALL) for note in notes)]
    return max(width, 2 * MARGIN + max(texts))


@dataclass(frozen=True)
class Scale:
    """A horizontal axis of the page: values of the analysis scale, written as the reader knows them.

    Attributes
    ----------
    measure : str
    low, high : float
        On the analysis scale.
    left, width : float
        On the page, in points.
    """

    measure: str
    low: float
    high: float
    left: float
    width: float

    def at(self, value: Any) -> Any:
        """Return where a value lies on the page."""
        return self.left + self.width * (value - self.low) / (self.high - self.low)

    def cut(self, value: float) -> float:
        """Return where a value lies on the page, cut to the axis."""
        return float(self.at(min(self.high, max(self.low, value))))

    def ticks(self) -> list[tuple[float, str]]:
        """Return where on the page the ticks stand, and their numbers."""
        kind = transform_of(self.measure)
        if kind == "exp":
            values = ratio_ticks(math.exp(self.low), math.exp(self.high))
            return [(self.at(math.log(v)), f"{v:g}") for v in values]
        if kind == "expit":
            return self._rates()
        return [(self.at(v), f"{v:g}") for v in linear_ticks(self.low, self.high)]

    def _rates(self) -> list[tuple[float, str]]:
        shown: list[tuple[float, str]] = []
        for rate in RATES:
            value, text = float(special.logit(rate)), f"{100 * rate:g} %"
            room = text_width(text, SMALL) + 5
            if self.low <= value <= self.high and (not shown or self.at(value) - shown[-1][0] > room):
                shown.append((self.at(value), text))
        return shown

    def draw(self, axes: Any, y: float) -> None:
        """Draw the line, its ticks and their numbers at a height of the page."""
        axes.plot([self.left, self.left + self.width], [y, y], color=INK, lw=0.8)
        for x, text in self.ticks():
            axes.plot([x, x], [y, y + 3], color=INK, lw=0.8)
            axes.text(x, y + 10, text, size=SMALL, ha="center", va="center", color=INK)


def check_suffix(path: Path) -> str:
    """Return the suffix of a figure's file, or raise a sentence that lists what is accepted."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"The figure {path.name!r} ends in {suffix or 'nothing'}; accepted are {', '.join(SUFFIXES)}.")
    return suffix


def _bytes(drawn: Figure, kind: str, dpi: int) -> bytes:
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        drawn.savefig(stream, format=kind, dpi=dpi, metadata=METADATA[kind])
    return stream.getvalue()


def inline_svg(drawn: Figure, label: str) -> str:
    """Return a figure as an SVG element for a page or a notebook, as wide as there is room, with a label in words."""
    text = _bytes(drawn, "svg", 72).decode("utf-8")
    attributes = f'role="img" aria-label="{escape(label)}" style="max-width: 100%; height: auto"'
    return text[text.index("<svg") :].replace("<svg", f"<svg {attributes}", 1)


def save(drawn: Figure, path: str | Path, *, dpi: int = 200) -> Path:
    """Write a figure and return its path: whole or not at all, the same bytes each time.

    Raises
    ------
    InputError
        A suffix that is not .svg, .pdf or .png, or a place that cannot be written.
    """
    path = Path(path)
    write_whole(path, _bytes(drawn, check_suffix(path)[1:], dpi))
    return path
