"""The funnel of single-arm rates: rate against the number of patients; a standard error would hold the rate itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta import formatting as f
from igfmeta.models.rate_limits import rate_limit
from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, INK
from igfmeta.plots.charts import RED, Panel, Ticks, chart, plain_ticks, written
from igfmeta.plots.ticks import ratio_ticks
from igfmeta.synthesis.bias_results import BiasOf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 330.0, 250.0

#: Sizes at which curves are computed, and the band of the pool.
SIZES, BAND = 120, "#e3e9f1"


def rate_funnel(found: BiasOf) -> Figure:
    """Return the rates of the studies against their sizes on a log scale, the large ones on top (Hunter et al. 2014).

    Dashed: exact binomial limits about one common rate, as in the funnel plots of Spiegelhalter 2005 (Stat Med
    24:1185). Where the pool is of the counts, a band says where rates lie with its tau2, and the binomial-normal
    regression on 1/n is drawn.
    """
    studies = found.studies
    events, n = studies.rates
    sizes = np.exp(np.linspace(math.log(0.85 * n.min()), math.log(1.15 * n.max()), SIZES))
    centre = studies.natural(found.fit.estimate)
    common = float(events.sum() / n.sum())
    dashed = _limits(sizes, float(special.logit(common)), 0.0) if 0 < common < 1 else None
    band = None
    if studies.counted and math.isfinite(found.fit.estimate) and found.fit.tau2:
        band = _limits(sizes, found.fit.estimate, found.fit.tau2)
    test = dict(found.tests).get("rate-peters")
    line = None
    if test is not None and test.limit is not None and test.slope is not None:
        line = special.expit(test.limit + test.slope / sizes)
    curves = [curve for pair in (dashed, band) if pair is not None for curve in pair]
    highest = max(float(np.max(events / n)), *(float(np.quantile(curve, 0.9)) for curve in curves), 0.02)
    limits = (-0.03 * highest, min(1.0, 1.1 * highest))

    def draw(axes: Any, left: float, top: float) -> None:
        ends = math.log(float(sizes[0])), math.log(float(sizes[-1]))
        panel = Panel(left, top, WIDTH, HEIGHT, limits, ends)
        y = panel.y(np.log(sizes))
        if band is not None:
            panel.clip(axes.fill_betweenx(y, panel.x(band[0]), panel.x(band[1]), color=BAND, lw=0, zorder=0))
        if dashed is not None:
            for curve in dashed:
                panel.clip(axes.plot(panel.x(curve), y, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=2))
        if centre is not None:
            axes.plot([float(panel.x(centre))] * 2, [panel.top, panel.bottom], color=INK, lw=1.0, zorder=2)
        if line is not None:
            panel.clip(axes.plot(panel.x(line), y, color=RED, lw=1.1, zorder=3))
        ticks = [(value, written(100 * value)) for value, _ in plain_ticks(0.0, limits[1])]
        panel.frame(axes, x_ticks=ticks, y_ticks=_size_ticks(*ends), x_label="Rate, %", y_label="Patients (log scale)")
        axes.scatter(panel.x(events / n), panel.y(np.log(n)), s=20, color=BLUE, edgecolors="white", linewidths=0.4,
                     zorder=5)  # fmt: skip

    notes = [
        f"k = {studies.k}. Full line: pooled rate."
        + (f" Dashed: exact 95 % limits if all had one rate, {f.percent(common, 1)}." if dashed is not None else "")
    ]
    if band is not None:
        notes.append("Shaded: where 95 % of rates lie with the heterogeneity of the pool.")
    if line is not None and test is not None:
        notes.append(f"Red: binomial-normal regression on 1/n, {f.p_value(test.p_value)}.")
    return chart(draw, width=WIDTH, height=HEIGHT, title=f"Funnel plot: {studies.label}", notes=notes)


def _limits(sizes: Floats, theta: float, tau2: float) -> tuple[Floats, Floats]:
    return rate_limit(sizes, theta, tau2, 0.025), rate_limit(sizes, theta, tau2, 0.975)


def _size_ticks(low: float, high: float) -> Ticks:
    return [(math.log(value), written(value)) for value in ratio_ticks(math.exp(low), math.exp(high))]
