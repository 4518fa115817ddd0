"""Trial effects against risk, by cancer: both error bars, the line with its band, and the band of a new cancer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import label_of
from igfmeta.errors import NothingToPool
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.plots.ticks import ratio_ticks
from igfmeta.synthesis.triangulation_results import PredictorFit, Triangulation, Unit
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
WIDTH, HEIGHT, GAP = 270.0, 220.0, 62.0

POINTS = 61
BAND, PREDICTION, LINE = "#c3d3e5", "#e9eff6", "#d5d5d5"

#: The axis of effects reaches over the intervals of the points and the bands at their narrowest, but not further than
#: REACH beyond the points; and some room.
REACH, ROOM = math.log(3.0), 0.1

#: Height of a line of text, and how far a label stands from its point.
ROW, OFF = 9.0, 5.0

#: Where a label may stand: right or left of its point, and how many half rows above or below it.
SIDES = tuple((across, rows) for rows in (-1, 1, -3, 3, -5, 5) for across in (1, -1))

Box = tuple[float, float, float, float]


def triangulation_scatter(result: Triangulation) -> Figure:
    """Return the figure: a panel for each predictor with two cancers or more.

    Parameters
    ----------
    result : Triangulation

    Raises
    ------
    NothingToPool
        No predictor with two cancers.
    """
    import matplotlib as mpl

    fits = [fit for fit in result.predictors if fit.posterior is not None]
    if not result.drawable:
        raise NothingToPool("There is nothing to draw: no predictor has two cancers with trials.")
    title = plain(result.title)
    notes = _notes(result, fits)
    left, top = MARGIN + 40.0, MARGIN + 46.0
    width = left + len(fits) * WIDTH + (len(fits) - 1) * GAP + MARGIN
    with mpl.rc_context(STYLE):
        drawn, axes = page(wide_enough(width, title, notes), top + HEIGHT + 50 + 10 * len(notes))
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        for i, fit in enumerate(fits):
            _Panel(result, fit, left + i * (WIDTH + GAP), top).draw(axes)
        for i, note in enumerate(notes):
            axes.text(MARGIN, top + HEIGHT + 46 + 10 * i, note, size=SMALL, va="center", color=GREY)
    return drawn


def _notes(result: Triangulation, fits: Sequence[PredictorFit]) -> list[str]:
    level = f"{100 * result.level:g} %"
    notes = [
        f"Points: cancers with {level} intervals of both; solid line and dark band: posterior of the line; light band: "
        "true effect in a cancer not seen.",
    ]
    if any(fit.line is not None and fit.line.bounded for fit in fits):
        notes.append("Dashed line: errors in variables by restricted likelihood.")
    unbounded = [fit.label for fit in fits if fit.line is None or not fit.line.bounded]
    if unbounded:
        notes.append(f"Without a bounded interval of the slope by restricted likelihood: {', '.join(unbounded)}.")
    return [plain(note) for note in notes]


class _Panel:
    """One predictor: its axes, bands, points and labels."""

    def __init__(self, result: Triangulation, fit: PredictorFit, left: float, top: float) -> None:
        self.result, self.fit, self.left, self.top = result, fit, left, top
        self.bottom = top + HEIGHT
        x = [value for unit in fit.units for value in unit.interval("x", fit.level)]
        y = [unit.y for unit in fit.units]
        limits = [value for unit in fit.units for value in unit.interval("y", fit.level)]
        pad = 0.05 * (max(x) - min(x))
        self.x_low, self.x_high = min(x) - pad, max(x) + pad
        xi = np.linspace(self.x_low, self.x_high, POINTS)
        posterior = fit.posterior
        assert posterior is not None
        tails = (0.5 - fit.level / 2, 0.5 + fit.level / 2)
        self.xi, self.new = xi, posterior.band(xi, tails, new_unit=True)
        self.low, self.middle, self.high = posterior.band(xi, (tails[0], 0.5, tails[1]))
        narrow = int((self.new[1] - self.new[0]).argmin())
        self.y_low = max(min(*limits, self.new[0][narrow]), min(*y, 0.0) - REACH) - ROOM
        self.y_high = min(max(*limits, self.new[1][narrow]), max(*y, 0.0) + REACH) + ROOM

    def at(self, x: Any) -> Any:
        return self.left + WIDTH * (np.asarray(x) - self.x_low) / (self.x_high - self.x_low)

    def up(self, y: Any) -> Any:
        return self.bottom - HEIGHT * np.clip((np.asarray(y) - self.y_low) / (self.y_high - self.y_low), 0.0, 1.0)

    def draw(self, axes: Any) -> None:
        self._frame(axes)
        self._bands(axes)
        for unit in self.fit.units:
            (x0, x1), (y0, y1) = (unit.interval(axis, self.fit.level) for axis in "xy")
            axes.plot(self.at([x0, x1]), [self.up(unit.y)] * 2, color=INK, lw=0.9, zorder=5)
            axes.plot([self.at(unit.x)] * 2, self.up([y0, y1]), color=INK, lw=0.9, zorder=5)
            axes.plot([self.at(unit.x)], [self.up(unit.y)], marker="o", ms=4.5, color=INK, zorder=6)
        self._labels(axes)

    def _frame(self, axes: Any) -> None:
        axes.text(self.left, self.top - 12, self.fit.label, size=SIZE, weight="bold", va="center", color=INK)
        right = self.left + WIDTH
        for tick in ratio_ticks(math.exp(self.y_low), math.exp(self.y_high)):
            y = float(self.up(math.log(tick)))
            axes.plot([self.left, right], [y, y], color=LINE, lw=0.5, zorder=3)
            axes.text(self.left - 6, y, f"{tick:g}", size=SMALL, ha="right", va="center", color=INK)
        axes.plot([self.left, right], [self.bottom] * 2, color=INK, lw=0.8, zorder=4)
        axes.plot([self.left, right], [self.up(0.0)] * 2, color=INK, lw=0.8, zorder=4)
        last = -math.inf
        for tick in _risk_ticks(math.exp(self.x_low), math.exp(self.x_high)):
            x, text = float(self.at(math.log(tick))), f"{tick:g}"
            axes.plot([x, x], [self.bottom, self.bottom + 3], color=INK, lw=0.8)
            if x - text_width(text, SMALL) / 2 > last + 4:
                axes.text(x, self.bottom + 10, text, size=SMALL, ha="center", va="center", color=INK)
                last = x + text_width(text, SMALL) / 2
        label = f"Risk ratio per SD of {self.result.marker.replace('_', ' ')}"
        axes.text(self.left + WIDTH / 2, self.bottom + 24, label, size=SIZE, ha="center", va="center", color=INK)
        effect = label_of(self.result.question.measure).capitalize()
        axes.text(self.left - 38, (self.top + self.bottom) / 2, effect, size=SIZE, rotation=90, ha="center",
                  va="center", color=INK)  # fmt: skip

    def _bands(self, axes: Any) -> None:
        xi = self.xi
        axes.fill_between(self.at(xi), self.up(self.new[0]), self.up(self.new[1]), color=PREDICTION, lw=0, zorder=1)
        axes.fill_between(self.at(xi), self.up(self.low), self.up(self.high), color=BAND, lw=0, zorder=2)
        axes.plot(self.at(xi), self.up(self.middle), color=BLUE, lw=1.8, zorder=4)
        if self.fit.line is not None and self.fit.line.bounded:
            line = self.fit.line.at(xi)
            inside = (line > self.y_low) & (line < self.y_high)
            axes.plot(self.at(xi)[inside], self.up(line)[inside], color=INK, lw=1.2, ls=(0, (4, 3)), zorder=4)

    def _labels(self, axes: Any) -> None:
        """Write the cancers beside their points, in the first corner that nothing else occupies."""
        taken: list[Box] = [self._around(unit.x, unit.y) for unit in self.fit.units]
        for unit in self.fit.units:
            (x0, x1), (y0, y1) = (unit.interval(axis, self.fit.level) for axis in "xy")
            x, y = float(self.at(unit.x)), float(self.up(unit.y))
            taken.append((float(self.at(x0)), y - 1, float(self.at(x1)), y + 1))
            taken.append((x - 1, float(self.up(y1)), x + 1, float(self.up(y0))))
        null = float(self.up(0.0))
        taken.append((self.left, null - 1, self.left + WIDTH, null + 1))
        for x, y in zip(self.at(self.xi).tolist(), self.up(self.middle).tolist(), strict=True):
            taken.append((x - WIDTH / POINTS, y - 1.5, x + WIDTH / POINTS, y + 1.5))
        for unit in sorted(self.fit.units, key=lambda unit: unit.y):
            boxes = self._places(unit)
            inside = [box for box in boxes if box[0] > self.left and box[2] < self.left + WIDTH] or boxes
            chosen = min(inside, key=lambda box: (sum(_overlap(box, other) for other in taken), inside.index(box)))
            taken.append(chosen)
            axes.text(chosen[0], (chosen[1] + chosen[3]) / 2, unit.label, size=SMALL, va="center", color=INK, zorder=7)

    def _places(self, unit: Unit) -> list[Box]:
        """Return where the label of a point may stand: in its corners, at the ends of its intervals, farther off."""
        x, y, wide = float(self.at(unit.x)), float(self.up(unit.y)), text_width(unit.label, SMALL)
        (x0, x1), (y0, y1) = (unit.interval(axis, self.fit.level) for axis in "xy")
        above, below = float(self.up(y1)) - ROW / 2 - 2, float(self.up(y0)) + ROW / 2 + 2
        shifts = (x - wide / 2, x - 3, x + 3 - wide)
        ends = [_box(start, middle, wide) for middle in (above, below) for start in shifts]
        ends += [_box(float(self.at(x1)) + 3, y, wide), _box(float(self.at(x0)) - 3 - wide, y, wide)]
        near, far = ([_corner(x, y, wide, *side) for side in sides] for sides in (SIDES[:4], SIDES[4:]))
        return [*near, *ends, *far]

    def _around(self, x: float, y: float) -> Box:
        at, up = float(self.at(x)), float(self.up(y))
        return at - 3, up - 3, at + 3, up + 3


def _corner(x: float, y: float, wide: float, across: int, rows: int) -> Box:
    """Return where a label of this width lies: to the right or left, some half rows above (negative) or below."""
    return _box(x + OFF if across > 0 else x - OFF - wide, y + rows * (ROW / 2 + 2), wide)


def _box(start: float, middle: float, wide: float) -> Box:
    return start, middle - ROW / 2, start + wide, middle + ROW / 2


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def _risk_ticks(low: float, high: float) -> list[float]:
    """Return ratios for an axis that may be short: tenths or twentieths where ratio ticks are too few."""
    ticks = [tick for tick in ratio_ticks(low, high) if low <= tick <= high]
    if len(ticks) >= 3:
        return ticks
    step = next(step for step in (0.2, 0.1, 0.05, 0.02, 0.01, 0.005) if (high - low) / step >= 3 or step == 0.005)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 6) for i in range(first, last + 1)]
