"""The pooled dose-response curve with its band, the studies' groups as circles, and a rug of doses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE
from igfmeta.plots.ticks import linear_ticks, ratio_ticks
from igfmeta.synthesis.dose import DoseResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
PLOT_WIDTH, PLOT_HEIGHT, RUG = 340.0, 215.0, 5.0

#: Radius of the circle of the most precise contrast; area goes with 1/variance.
RADIUS, SMALLEST = 8.0, 1.5

#: Doses on the curve.
POINTS = 201

BAND, LINE = "#c9d7e6", "#dddddd"


def points(result: DoseResult) -> tuple[Floats, Floats, Floats]:
    """Return dose, relative risk and variance of every contrast that was used.

    A study's relative risks are against its own reference dose; they are moved by the curve from there to the common
    reference, so that what a circle is off the curve is what its study saw.
    """
    used = set(result.fit.labels)
    studies = [table.study for table in result.tables if table.label in used]
    dose = np.concatenate([study.dose for study in studies])
    moved = [study.yi + result.curve(study.reference).log_rr[0] for study in studies]
    variance = np.concatenate([np.diag(study.covariance) for study in studies])
    return dose, np.exp(np.concatenate(moved)), variance


def limits(result: DoseResult, curve_low: float, curve_high: float, rr: Floats) -> tuple[float, float]:
    """Return how far the axis of relative risks reaches: over all circles, and over the band up to four times them."""
    low, high = float(min(rr.min(), 1.0)), float(max(rr.max(), 1.0))
    fitted = result.at.rr
    low, high = min(low, float(fitted.min())), max(high, float(fitted.max()))
    low, high = max(min(low, curve_low), low / 2), min(max(high, curve_high), 2 * high)
    margin = max(0.03 * math.log(high / low), 0.02)
    return low * math.exp(-margin), high * math.exp(margin)


def _title(result: DoseResult) -> str:
    k = result.fit.k
    return plain(f"{result.title} ({'1 study' if k == 1 else f'{k} studies'})")


def _notes(result: DoseResult) -> list[str]:
    fit, unit = result.fit, f" {result.unit}" if result.unit else ""
    shape = ", ".join(fit.basis.names)
    return [
        f"Curve: {shape}, with its {100 * fit.level:g} % band, against {result.at.reference:g}{unit} (dotted line).",
        "Circles: groups of the studies, area by precision, moved along the curve to the common reference.",
        "Ticks: doses of all groups.",
    ]


def dose_curve(result: DoseResult) -> Figure:
    """Return the figure: relative risk on a log scale against the dose.

    Parameters
    ----------
    result : DoseResult
        Relative risks are against its reference dose.
    """
    import matplotlib as mpl

    low, high = result.range
    low, high = min(low, result.at.reference), max(high, result.at.reference)
    if high == low:
        low, high = low - 1.0, high + 1.0
    curve = result.curve(np.linspace(low, high, POINTS))
    dose, rr, variance = points(result)
    bottom_rr, top_rr = limits(result, float(curve.ci_lower.min()), float(curve.ci_upper.max()), rr)
    title, notes = _title(result), [plain(note) for note in _notes(result)]
    left, top = MARGIN + 38.0, MARGIN + 26.0
    width, bottom = wide_enough(left + PLOT_WIDTH + MARGIN, title, notes), top + PLOT_HEIGHT
    pad = 0.03 * (high - low)

    def at(value: Any) -> Any:
        return left + PLOT_WIDTH * (np.asarray(value) - low + pad) / (high - low + 2 * pad)

    def up(value: Any) -> Any:
        share = np.log(np.asarray(value) / bottom_rr) / math.log(top_rr / bottom_rr)
        return bottom - PLOT_HEIGHT * np.clip(share, 0.0, 1.0)

    with mpl.rc_context(STYLE):
        drawn, axes = page(width, bottom + 44 + 10 * len(notes))
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        for tick in ratio_ticks(bottom_rr, top_rr):
            y = float(up(tick))
            axes.plot([left, left + PLOT_WIDTH], [y, y], color=LINE, lw=0.5, zorder=0)
            axes.text(left - 6, y, f"{tick:g}", size=SMALL, ha="right", va="center", color=INK)
        axes.text(MARGIN + 4, (top + bottom) / 2, "Relative risk", size=SIZE, rotation=90, ha="center", va="center",
                  color=INK)  # fmt: skip
        axes.plot([left, left + PLOT_WIDTH], [bottom, bottom], color=INK, lw=0.8)
        for tick in linear_ticks(low, high):
            x = float(at(tick))
            axes.plot([x, x], [bottom, bottom + 3], color=INK, lw=0.8)
            text = f"{tick:g}".replace("-", "\N{MINUS SIGN}")
            axes.text(x, bottom + 10, text, size=SMALL, ha="center", va="center", color=INK)
        label = f"Dose ({result.unit})" if result.unit else "Dose"
        axes.text(left + PLOT_WIDTH / 2, bottom + 24, plain(label), size=SIZE, ha="center", va="center", color=INK)
        axes.fill_between(at(curve.dose), up(curve.ci_lower), up(curve.ci_upper), color=BAND, lw=0, zorder=1)
        axes.plot([left, left + PLOT_WIDTH], [up(1.0)] * 2, color=INK, lw=0.8, zorder=2)
        zero = float(at(result.at.reference))
        axes.plot([zero, zero], [bottom, top], color=INK, lw=0.8, ls=(0, (1, 2)), zorder=2)
        _circles(axes, at(dose), up(rr), variance)
        axes.plot(at(curve.dose), up(curve.rr), color=BLUE, lw=1.8, zorder=4)
        for each in sorted({float(d) for table in result.tables for d in table.doses}):
            axes.plot([float(at(each))] * 2, [bottom, bottom - RUG], color=GREY, lw=0.6, zorder=3)
        for i, note in enumerate(notes):
            axes.text(MARGIN, bottom + 40 + 10 * i, note, size=SMALL, va="center", color=GREY)
    return drawn


def _circles(axes: Any, x: Floats, y: Floats, variance: Floats) -> None:
    """Draw one circle per contrast, the large ones first."""
    radius = np.maximum(SMALLEST, RADIUS * np.sqrt(variance.min() / variance))
    order = np.argsort(-radius, kind="stable")
    axes.scatter(x[order], y[order], s=(2 * radius[order]) ** 2, facecolors="none", edgecolors=GREY, linewidths=0.8,
                 zorder=3)  # fmt: skip
