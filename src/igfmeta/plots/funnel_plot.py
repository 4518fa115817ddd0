"""Funnel plots: contour-enhanced, with the studies that trim and fill adds, with the line of Egger's regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.errors import InputError
from igfmeta.plots.canvas import BLUE, GREY, INK, SMALL
from igfmeta.plots.charts import RED, Panel, chart, effect_ticks, plain_ticks, spread_of
from igfmeta.plots.rate_funnel import rate_funnel
from igfmeta.synthesis.bias_results import BiasOf
from igfmeta.synthesis.pool_models import PROPORTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 330.0, 250.0

#: Two-sided levels of the contours and their shades, the outermost first.
CONTOURS = ((0.01, "#e8e8e8"), (0.05, "#d0d0d0"), (0.1, "#b8b8b8"))


def funnel_plot(found: BiasOf) -> Figure:
    """Return the contour-enhanced funnel (Peters 2008, J Clin Epidemiol 61:991): contours are about no effect.

    With them the eye sees whether what is missing would not have been significant. The dashed lines are the 95 %
    limits about the common-effect mean without heterogeneity. Rates of single arms stand against their sizes.
    """
    if found.studies.measure in PROPORTIONS:
        return rate_funnel(found)
    return _funnel(found, filled=False)


def trim_fill_plot(found: BiasOf) -> Figure:
    """Return the funnel with the studies that trim and fill (L0) adds, hollow."""
    if not found.trim_and_fill:
        raise InputError("The plot trim-fill needs trim and fill: adjusted in --show, --force if k < 10, --side.")
    return _funnel(found, filled=True)


def _funnel(found: BiasOf, *, filled: bool) -> Figure:
    studies = found.studies
    y, sei = studies.yi, np.sqrt(studies.vi)
    null = null_value(studies.measure)
    added = found.trim_and_fill[0] if filled else None
    all_y = y if added is None else np.append(y, added.filled_yi)
    deepest = float(sei.max()) * 1.06
    mean = float(np.sum(y / studies.vi) / np.sum(1 / studies.vi)) if added is None else added.fit.estimate
    half = 1.959964 * deepest
    x_limits = spread_of(all_y, [mean - half, mean + half], [] if null is None else [null], margin=0.02)
    regression = dict(found.tests).get("egger")

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, WIDTH, HEIGHT, x_limits, (0.0, deepest), up=False)
        if null is not None:
            _contours(axes, panel, null, deepest)
        for side in (-1, 1):
            _inside(axes, panel, [mean, mean + side * half], [0, deepest], color=INK, lw=0.9, ls=(0, (4, 2)))
        _inside(axes, panel, [mean, mean], [0, deepest], color=INK, lw=0.9, ls=(0, (4, 2)))
        if regression is not None and regression.limit is not None and regression.slope is not None and added is None:
            ends = np.array([0.0, deepest])
            _inside(axes, panel, regression.limit + regression.slope * ends, ends, color=RED, lw=1.1)
        panel.frame(axes, x_ticks=effect_ticks(transform_of(studies.measure), *x_limits),
                    y_ticks=plain_ticks(0.0, deepest), x_label=label_of(studies.measure).capitalize(),
                    y_label="Standard error")  # fmt: skip
        if added is not None:
            axes.scatter(panel.x(added.filled_yi), panel.y(np.sqrt(added.filled_vi)), s=20, facecolors="white",
                         edgecolors=RED, linewidths=1.0, zorder=4)  # fmt: skip
        axes.scatter(panel.x(y), panel.y(sei), s=20, color=BLUE, edgecolors="white", linewidths=0.4, zorder=5)
        if null is not None:
            _key(axes, panel)

    notes = [f"k = {studies.k}. Dashed: " + ("common-effect mean" if added is None else "pooled effect with the "
             "studies filled in") + " and the 95 % limits about it without heterogeneity."]  # fmt: skip
    if added is not None:
        notes.append(f"Hollow: {added.missing} studies filled in on the {added.side} by {added.estimator}.")
    elif regression is not None:
        notes.append(f"Red: Egger's regression, {f.p_value(regression.p_value)}.")
    title = "Trim and fill" if filled else "Funnel plot"
    return chart(draw, width=WIDTH, height=HEIGHT, right=84 if null is not None else 0,
                 title=f"{title}: {studies.label}", notes=notes)  # fmt: skip


def _inside(axes: Any, panel: Panel, x: Any, y: Any, **style: Any) -> None:
    panel.clip(axes.plot(panel.x(x), panel.y(y), zorder=3, **style))


def _contours(axes: Any, panel: Panel, null: float, deepest: float) -> None:
    """Shade where a study's own test of no effect has p below each level."""
    depth = np.array([0.0, deepest])
    low, high = panel.x_limits
    for (alpha, shade), inner in zip(CONTOURS, (None, 0.01, 0.05), strict=True):
        z = float(special.ndtri(1 - alpha / 2))
        outer = np.inf if inner is None else float(special.ndtri(1 - inner / 2))
        for side in (-1, 1):
            near = null + side * z * depth
            far = np.full(2, high if side > 0 else low) if np.isinf(outer) else null + side * outer * depth
            band = axes.fill_betweenx(panel.y(depth), panel.x(near), panel.x(far), color=shade, lw=0, zorder=0)
            panel.clip(band)
    panel.clip(axes.plot(panel.x([null, null]), panel.y(depth), color="white", lw=1.0, zorder=1))


def _key(axes: Any, panel: Panel) -> None:
    from matplotlib.patches import Rectangle

    x = panel.right + 14
    axes.text(x, panel.top + 4, "p of a study", size=SMALL, va="center", color=GREY)
    names = ("p < 0.01", "0.01 to 0.05", "0.05 to 0.1")
    for i, ((_, shade), name) in enumerate(zip(CONTOURS, names, strict=True)):
        y = panel.top + 18 + 13 * i
        axes.add_patch(Rectangle((x, y - 4), 10, 8, facecolor=shade, edgecolor=GREY, linewidth=0.4))
        axes.text(x + 15, y, name, size=SMALL, va="center", color=INK)
    y = panel.top + 18 + 39
    axes.add_patch(Rectangle((x, y - 4), 10, 8, facecolor="white", edgecolor=GREY, linewidth=0.4))
    axes.text(x + 15, y, "p > 0.1", size=SMALL, va="center", color=INK)
