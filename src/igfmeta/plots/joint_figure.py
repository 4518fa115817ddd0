"""Outcomes of a joint model: the mean effect of each by itself and with the others, and what a new trial would show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from igfmeta.effects.scales import label_of
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, Scale, page, wide_enough
from igfmeta.plots.matplotlib_forest import text_width
from igfmeta.synthesis.joint import JointOutcome, JointResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: In points: the axis, the lines of an outcome and the space after them, the half-height of a marker.
WIDTH, LINE, GAP, HALF = 250.0, 15.0, 9.0, 3.0

#: The axis ends at these ratios at the most; intervals beyond them are cut, and an arrow says so.
WIDEST = math.log(16)


def joint_figure(result: JointResult) -> Figure:
    """Return the figure: two intervals for each outcome, and under the second the prediction interval."""
    title = f"Each outcome by itself, and all {len(result.outcomes)} in one model"
    notes = (
        f"Posterior median and {100 * result.level:g} % credible interval; thin line: prediction interval of a new "
        "trial.",
        "The outcome alone has the same prior of tau. " + _better(result.outcomes),
    )
    names = [f"{each.label} ({each.measure}, k = {each.k})" for each in result.outcomes]
    numbers = [(_number(o.alone_median, o.alone_lower, o.alone_upper), _number(o.median, o.ci_lower, o.ci_upper))
               for o in result.outcomes]  # fmt: skip
    left = MARGIN + max(text_width(name, SIZE, True) for name in names) + 12
    words = left + text_width("together", SIZE) + 10
    right = words + WIDTH + 12
    width = right + max(text_width(text, SIZE) for pair in numbers for text in pair) + MARGIN
    top = MARGIN + 24
    bottom = top + len(names) * (2 * LINE + GAP)
    figure, axes = page(wide_enough(width, title, notes), bottom + 48 + MARGIN)
    scale = _scale(result.outcomes, words)
    axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
    axes.plot([scale.at(0.0)] * 2, [top - 4, bottom], color=GREY, lw=0.7, ls=(0, (1, 2)))
    for i, (outcome, name, (alone, joint)) in enumerate(zip(result.outcomes, names, numbers, strict=True)):
        y = top + i * (2 * LINE + GAP) + LINE / 2
        axes.text(MARGIN, y, name, size=SIZE, weight="bold", va="center", color=INK)
        for row, (word, text) in enumerate((("alone", alone), ("together", joint))):
            axes.text(left, y + row * LINE, word, size=SIZE, va="center", color=(GREY, BLUE)[row])
            axes.text(right, y + row * LINE, text, size=SIZE, va="center", color=INK)
        _interval(axes, scale, y, (outcome.alone_median, outcome.alone_lower, outcome.alone_upper), GREY)
        _line(axes, scale, y + LINE, outcome.pi_lower, outcome.pi_upper, BLUE, 0.8)
        _interval(axes, scale, y + LINE, (outcome.median, outcome.ci_lower, outcome.ci_upper), BLUE)
    scale.draw(axes, bottom)
    measures = " or ".join(dict.fromkeys(label_of(each.measure) for each in result.outcomes))
    axes.text(
        words + WIDTH / 2, bottom + 21, f"{measures} (log scale)", size=SMALL, ha="center", va="center", color=INK
    )
    for i, note in enumerate(notes):
        axes.text(MARGIN, bottom + 36 + 10 * i, note, size=SMALL, va="center", color=GREY)
    return figure


def _number(median: float, lower: float, upper: float) -> str:
    return f"{median:.2f} ({lower:.2f}, {upper:.2f})"


def _better(outcomes: tuple[JointOutcome, ...]) -> str:
    """Return which side favours the experimental arm."""
    lower = sorted({each.measure for each in outcomes if each.better == "lower"})
    higher = sorted({each.measure for each in outcomes if each.better != "lower"})
    sides = [f"{name} below 1" for name in lower] + [f"{name} above 1" for name in higher]
    return f"{' and '.join(sides)} favour{'s' if len(sides) == 1 else ''} the experimental arm."


def _scale(outcomes: tuple[JointOutcome, ...], left: float) -> Scale:
    ends = [math.log(x) for o in outcomes for x in (o.pi_lower, o.pi_upper, o.alone_lower, o.alone_upper)]
    low, high = max(min(ends), -WIDEST), min(max(ends), WIDEST)
    room = 0.05 * (high - low)
    return Scale("HR", min(low, 0.0) - room, max(high, 0.0) + room, left, WIDTH)


def _line(axes: Any, scale: Scale, y: float, lower: float, upper: float, colour: str, width: float) -> None:
    """Draw an interval; an arrow where it is cut."""
    low, high = math.log(lower), math.log(upper)
    axes.plot([scale.cut(low), scale.cut(high)], [y, y], color=colour, lw=width, solid_capstyle="butt")
    for value, end, marker in ((low, scale.low, "<"), (high, scale.high, ">")):
        if (value < end) if marker == "<" else (value > end):
            axes.plot([scale.cut(value)], [y], marker=marker, ms=4, color=colour)


def _interval(axes: Any, scale: Scale, y: float, found: tuple[float, float, float], colour: str) -> None:
    median, lower, upper = found
    _line(axes, scale, y, lower, upper, colour, 2.4)
    x = scale.cut(math.log(median))
    axes.plot([x, x], [y - HALF - 1, y + HALF + 1], color=colour, lw=2.4, solid_capstyle="butt")
