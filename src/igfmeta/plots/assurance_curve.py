"""Assurance and power against the size of the trial, with the limit that assurance approaches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.formatting import probability
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.plots.ticks import ratio_ticks
from igfmeta.synthesis.assurance import Assurance, spread
from igfmeta.synthesis.hierarchy_results import HierarchyResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
PLOT_WIDTH, PLOT_HEIGHT = 290.0, 170.0

#: Sizes on a curve: enough that a line through them looks smooth; of one arm, that every tooth is drawn.
POINTS, POINTS_OF_ONE_ARM = 81, 400


def sizes_of_curve(result: HierarchyResult, sizes: Sequence[int]) -> list[int]:
    """Return the sizes of a curve over the range of `sizes`; around one size, from a quarter to four times it."""
    first, last = min(sizes), max(sizes)
    if first == last:
        first, last = max(1, first // 4), 4 * last
    return spread(first, last, POINTS_OF_ONE_ARM if result.question.arms == "single_arm" else POINTS)


def sizes_axis(found: Assurance) -> str:
    """Return what the horizontal axis counts."""
    if found.unit == "events":
        return "Events in both arms"
    return "Patients" if found.result.question.arms == "single_arm" else "Patients in each arm"


def planned_label(found: Assurance) -> str:
    """Return what the power is given for."""
    if found.planned is None:
        return "Power"
    if found.result.question.arms == "single_arm":
        return f"Power at a rate of {100 * found.planned:g} %"
    return f"Power at {found.result.question.measure} {found.planned:g}"


def limit_label(found: Assurance) -> str:
    """Return what assurance approaches as trials grow, such as `P(benefit) = 0.612` or `P(rate > 15 %) > 0.999`."""
    shown = probability(found.limit)
    value = f"{shown[0]} {shown[1:]}" if shown[0] in "<>" else f"= {shown}"
    if found.design.null_rate is None:
        return f"P(benefit) {value}"
    sign = "<" if found.result.question.better == "lower" else ">"
    return f"P(rate {sign} {100 * found.design.null_rate:g} %) {value}"


def _title(found: Assurance) -> str:
    cell = found.cell
    studies = "1 study" if cell.k == 1 else f"{cell.k} studies"
    return plain(f"{found.result.question.label}: {cell.agent_class}, {cell.tumor} ({studies})")


def _note(found: Assurance) -> str:
    d = found.design
    rates = {"event_rate": "event rate", "control_rate": "rate of the control arm", "null_rate": "rate to beat"}
    given = [f"{word} {100 * getattr(d, name):g} %" for name, word in rates.items() if getattr(d, name) is not None]
    parts = [f"{'One' if d.sides == 1 else 'Two'}-sided alpha {d.alpha:g}", *given]
    if found.result.question.arms == "single_arm":
        parts.append("toothed because the boundary is a whole number")
    return "; ".join(parts)


def _sizes(found: Assurance) -> list[float]:
    return [float(t.events if found.unit == "events" else t.patients) for t in found.trials]  # type: ignore[arg-type]


def _labels(found: Assurance) -> list[tuple[float, str, str]]:
    """Return where each line ends, its name and its colour."""
    last = found.trials[-1]
    labels = [
        (last.assurance, "Assurance", BLUE),
        (found.limit, f"Its limit: {limit_label(found)}", INK),
    ]
    return labels if last.power is None else [*labels, (last.power, planned_label(found), GREY)]


def assurance_curve(found: Assurance) -> Figure:
    """Return the curves through the trials of `found`, sizes on a log scale.

    Assurance is the full line, power the dashed one; the dotted line is what assurance approaches.

    Raises
    ------
    InputError
        Fewer than two sizes.
    """
    import matplotlib as mpl

    sizes = _sizes(found)
    if len(set(sizes)) < 2:
        raise InputError(f"A curve takes two sizes at least, and there is {len(set(sizes))}.")
    title, note, labels = _title(found), _note(found), _labels(found)
    left = MARGIN + 34
    room = max(text_width(text, SMALL) for _, text, _ in labels)
    width = wide_enough(left + PLOT_WIDTH + 8 + room + MARGIN, title, [note])
    bottom = MARGIN + 24 + PLOT_HEIGHT
    low, high = np.log(sizes[0]), np.log(sizes[-1])

    def at(size: Any) -> Any:
        return left + PLOT_WIDTH * (np.log(size) - low) / (high - low)

    def up(value: Any) -> Any:
        return bottom - PLOT_HEIGHT * np.asarray(value)

    with mpl.rc_context(STYLE):
        drawn, axes = page(width, bottom + 52)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        _frame(axes, left, bottom, [(float(at(v)), f"{v:,.0f}") for v in ratio_ticks(sizes[0], sizes[-1])])
        axes.text(left + PLOT_WIDTH / 2, bottom + 24, sizes_axis(found), size=SIZE, ha="center", va="center", color=INK)
        axes.plot([left, left + PLOT_WIDTH], [up(found.limit)] * 2, color=INK, lw=1.0, ls=(0, (1, 2)))
        powers = [t.power for t in found.trials if t.power is not None]
        if powers:
            axes.plot(at(sizes), up(powers), color=GREY, lw=1.4, ls=(0, (5, 2)))
        axes.plot(at(sizes), up([t.assurance for t in found.trials]), color=BLUE, lw=1.8)
        _name_lines(axes, left + PLOT_WIDTH + 8, [(float(up(p)), text, colour) for p, text, colour in labels])
        axes.text(MARGIN, bottom + 42, note, size=SMALL, va="center", color=GREY)
    return drawn


def _frame(axes: Any, left: float, bottom: float, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([left, left + PLOT_WIDTH], [bottom, bottom], color=INK, lw=0.8)
    for x, text in ticks:
        axes.plot([x, x], [bottom, bottom + 3], color=INK, lw=0.8)
        axes.text(x, bottom + 10, text, size=SMALL, ha="center", va="center", color=INK)
    for height in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = bottom - PLOT_HEIGHT * height
        axes.plot([left, left + PLOT_WIDTH], [y, y], color="#dddddd", lw=0.5, zorder=0)
        axes.text(left - 6, y, f"{height:g}", size=SMALL, ha="right", va="center", color=INK)


def _name_lines(axes: Any, x: float, labels: Sequence[tuple[float, str, str]], gap: float = 10.0) -> None:
    """Write the names of lines beside their ends, pushed apart where they would overlap."""
    y = -math.inf
    for wanted, text, colour in sorted(labels):
        y = max(wanted, y + gap)
        axes.text(x, y, text, size=SMALL, va="center", color=colour)
