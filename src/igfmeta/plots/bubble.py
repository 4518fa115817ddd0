"""Studies as bubbles along a moderator, with the line of a meta-regression and its bands; areas by weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.errors import InputError
from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SMALL
from igfmeta.plots.charts import Panel, chart, effect_ticks, label_points, plain_ticks, spread_of
from igfmeta.plots.matplotlib_forest import text_width
from igfmeta.plots.surrogacy_line import BAND, FILL, RADIUS, SMALLEST, WIDE_BAND
from igfmeta.synthesis.regress_results import Curve, MetaRegression

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 380.0, 270.0

#: Half the width of a level's bands, as a share of the distance between levels.
HALF = 0.32


def bubble(result: MetaRegression) -> Figure:
    """Return the bubble plot of a meta-regression.

    Raises
    ------
    InputError
        A formula without moderators.
    """
    curve = result.curve
    if curve is None:
        raise InputError(f"The figure shows effects along a moderator, and the formula {result.formula!r} has none.")
    y = np.array([row.yi for row in result.used], dtype=float)
    weight = np.array([row.weight for row in result.used], dtype=float)
    radius = np.maximum(SMALLEST, RADIUS * np.sqrt(weight / weight.max()))
    null = null_value(result.measure)
    y_limits = spread_of(y, curve.ci_lower, curve.ci_upper, [] if null is None else [null], margin=0.08)
    x_limits = (-0.6, len(curve.levels) - 0.4) if curve.levels else spread_of(curve.places, margin=0.08)
    names = list(curve.levels)
    width = max(WIDTH, len(names) * (max((text_width(n, SMALL) for n in names), default=0.0) + 10))

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, width, HEIGHT, x_limits, y_limits)
        panel.frame(
            axes,
            x_ticks=list(zip(curve.at.tolist(), names, strict=True)) if names else plain_ticks(*x_limits),
            y_ticks=effect_ticks(transform_of(result.measure), *y_limits),
            x_label=curve.variable,
            y_label=label_of(result.measure),
        )
        if null is not None:
            ends = panel.x(x_limits), panel.y([null, null])
            panel.clip(axes.plot(*ends, color=GREY, lw=0.7, ls=(0, (1, 2)), zorder=2))
        x = _spread(curve, y)
        _model(axes, panel, curve)
        order = np.argsort(-radius, kind="stable")
        axes.scatter(
            panel.x(x[order]), panel.y(y[order]), s=(2 * radius[order]) ** 2, facecolors=FILL, edgecolors=INK,
            linewidths=0.8, alpha=0.85, zorder=4,
        )  # fmt: skip
        # Names keep away from the line as from other points.
        beside = None if curve.levels else (curve.at, curve.estimate)
        label_points(axes, panel, x, y, [row.label for row in result.used], radius=radius, beside=beside)

    return chart(draw, width=width, height=HEIGHT, title=result.title, notes=_notes(result, curve), left=MARGIN + 42)


def _spread(curve: Curve, y: Floats) -> Floats:
    """Return where bubbles stand across; those of one level beside each other, in the order of their effects."""
    if not curve.levels:
        return curve.places
    x = curve.places.copy()
    for level in range(len(curve.levels)):
        own = np.flatnonzero(curve.places == level)
        ranked = own[np.argsort(y[own], kind="stable")]
        # Neighbours in rank stand at different places, so that equal effects do not hide each other.
        x[ranked] += HALF * 0.7 * np.resize([0.0, 0.8, -0.8, 0.4, -0.4], len(own)) * (len(own) > 1)
    return x


def _model(axes: Any, panel: Panel, curve: Curve) -> None:
    """Draw the bands and the line, or those of each level."""
    bands = ((curve.pi_lower, curve.pi_upper, WIDE_BAND, 0), (curve.ci_lower, curve.ci_upper, BAND, 1))
    if not curve.levels:
        x = panel.x(curve.at)
        for low, high, colour, order in bands:
            panel.clip(axes.fill_between(x, panel.y(low), panel.y(high), color=colour, lw=0, zorder=order))
        panel.clip(axes.plot(x, panel.y(curve.estimate), color=BLUE, lw=1.6, zorder=3))
        return
    for i, at in enumerate(curve.at):
        x = panel.x([at - HALF, at + HALF])
        for low, high, colour, order in bands:
            edges = panel.y([low[i]] * 2), panel.y([high[i]] * 2)
            panel.clip(axes.fill_between(x, *edges, color=colour, lw=0, zorder=order))
        panel.clip(axes.plot(x, panel.y([curve.estimate[i]] * 2), color=BLUE, lw=1.6, zorder=3))


def _notes(result: MetaRegression, curve: Curve) -> list[str]:
    fit = result.fit
    level = f"{100 * fit.level:g} %"
    bands = f"its {level} interval" if fit.method == "CE" else f"its {level} interval, and that of a new study"
    notes = [f"Bubbles: studies, area by weight. Line: the mean effect; bands: {bands}."]
    return [*notes, f"Other moderators held at: {curve.held}."] if curve.held else notes
