"""Reconstructed survival curves over the points that they were made from, with the numbers at risk below."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.plots.canvas import BLUE, GREY, INK, SIZE, SMALL
from igfmeta.plots.charts import RED, Panel, chart, plain_ticks
from igfmeta.plots.matplotlib_forest import text_width
from igfmeta.synthesis.survival_curves import ArmCurve, SurvivalCurves
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT, LINE_HEIGHT = 380.0, 230.0, 12.0

#: Colour, dashes and marker of each arm: told apart without colour too.
STYLES = ((BLUE, "-", "o"), (RED, (0, (5, 2)), "s"), (INK, (0, (1, 1.5)), "^"), (GREY, (0, (3, 1, 1, 1)), "D"))


def _style(i: int) -> tuple[Any, Any, Any]:
    return STYLES[i % len(STYLES)]


def survival_curve(result: SurvivalCurves) -> Figure:
    """Return the figure: steps are the reconstruction with its interval, points what was read."""
    last = max(float(arm.found.time[-1]) for arm in result.arms)
    longest = max(text_width(plain(arm.name), SMALL) for arm in result.arms)
    above = LINE_HEIGHT * len(result.arms) + 4
    below = 34 + LINE_HEIGHT * (len(result.arms) + 1)

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top + above, WIDTH, HEIGHT, (0.0, 1.02 * last), (0.0, 1.0))
        heights = [(x / 5, f"{20 * x} %") for x in range(6)]
        panel.frame(axes, x_ticks=plain_ticks(0.0, last), y_ticks=heights, x_label="Time", y_label="Event-free")
        for i, arm in enumerate(result.arms):
            _arm(axes, panel, arm, i)
            _key(axes, left + 6, top + LINE_HEIGHT * i, arm.name, i)
        _at_risk(axes, panel, result, longest)

    return chart(
        draw,
        width=WIDTH,
        height=above + HEIGHT + below - 20,
        title=result.title,
        notes=_notes(result),
        left=40 + longest,
    )


def _arm(axes: Any, panel: Panel, arm: ArmCurve, i: int) -> None:
    colour, dashes, marker = _style(i)
    curve = arm.curve
    x = panel.x(np.concatenate([[0.0], curve.time]))
    for bound, z in ((curve.surv, 4), (curve.ci_lower, 2), (curve.ci_upper, 2)):
        y = panel.y(np.concatenate([[1.0], bound]))
        width, alpha = (1.4, 1.0) if z == 4 else (0.6, 0.55)
        axes.step(x, y, where="post", color=colour, lw=width, ls=dashes, alpha=alpha, zorder=z)
    read = arm.found.curve
    axes.scatter(panel.x(read.time[1:]), panel.y(read.surv[1:]), s=7, marker=marker, facecolors="none",
                 edgecolors=colour, linewidths=0.5, alpha=0.8, zorder=3)  # fmt: skip


def _key(axes: Any, x: float, y: float, name: str, i: int) -> None:
    """Name an arm above the plot, where no curve runs."""
    colour, dashes, marker = _style(i)
    axes.plot([x, x + 24], [y, y], color=colour, lw=1.4, ls=dashes)
    axes.plot([x + 12], [y], marker=marker, ms=3, mfc="none", mec=colour, mew=0.6)
    axes.text(x + 29, y, plain(name), size=SMALL, va="center", color=INK)


def _at_risk(axes: Any, panel: Panel, result: SurvivalCurves, longest: float) -> None:
    y = panel.bottom + 38
    axes.text(panel.left - 16 - longest, y, "At risk (reconstructed)", size=SIZE - 0.5, va="center", color=GREY)
    for i, arm in enumerate(result.arms):
        line = y + LINE_HEIGHT * (i + 1)
        axes.text(panel.left - 16 - longest, line, plain(arm.name), size=SMALL, va="center", color=_style(i)[0])
        for time, n in zip(arm.found.risk_time, arm.found.at_risk_found, strict=True):
            axes.text(float(panel.x(time)), line, f"{n:.0f}", size=SMALL, ha="center", va="center", color=INK)


def _notes(result: SurvivalCurves) -> list[str]:
    level = f"{100 * result.level:g} %"
    notes = [f"Points: read off the printed curve; steps: reconstructed people, thin steps their {level} interval."]
    c = result.comparison
    if c is not None:
        ratio, low, high = (math.exp(x) for x in (c.log_hr, c.ci_lower, c.ci_upper))
        notes.append(f"Hazard ratio {ratio:.2f} ({level} interval {low:.2f} to {high:.2f}), "
                     f"{plain(c.experimental)} against {plain(c.control)}.")  # fmt: skip
    return notes
