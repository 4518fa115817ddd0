"""The figures of small-study effects, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.errors import InputError, check_choice
from igfmeta.models.bias.selection.model import SelectionModel
from igfmeta.models.bias.selection.registry import WEIGHTS
from igfmeta.numerics import Floats
from igfmeta.plots.by_set import figures_by_set
from igfmeta.plots.canvas import BLUE, GREY, INK, SMALL
from igfmeta.plots.charts import LINE, RED, Panel, chart, effect_ticks, label_points, plain_ticks, spread_of
from igfmeta.plots.funnel_plot import funnel_plot, trim_fill_plot
from igfmeta.plots.step_forest import described
from igfmeta.synthesis.bias_results import BiasOf, BiasResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 330.0, 250.0

#: Colours of the weight functions, told apart in grey too by their dashes.
_STYLES: tuple[tuple[str, Any], ...] = (
    (INK, "-"), (BLUE, (0, (5, 2))), (RED, (0, (1, 1.5))), ("#4d7f17", (0, (5, 2, 1, 2))), ("#7a5195", (0, (3, 1))),
    ("#b35806", (0, (8, 2, 2, 2))),
)  # fmt: skip


def radial_plot(found: BiasOf) -> Figure:
    """Return the radial plot of Galbraith 1988 (Stat Med 7:889): y/s against 1/s, s^2 = v + tau2.

    The slope of the line from 0 to a study is its effect; the band is 2 standard deviations about the pooled effect.
    """
    studies, fit = found.studies, found.fit
    s = np.sqrt(studies.vi + (fit.tau2 or 0.0))
    x, z = 1 / s, studies.yi / s
    right = 1.12 * float(x.max())
    edge = np.array([0.0, right])
    y_limits = spread_of(z, fit.estimate * edge + 2, fit.estimate * edge - 2)

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, WIDTH, HEIGHT, (0.0, right), y_limits)
        band = axes.fill_between(panel.x(edge), panel.y(fit.estimate * edge - 2), panel.y(fit.estimate * edge + 2),
                                 color="#e3e9f1", lw=0, zorder=0)  # fmt: skip
        panel.clip(band)
        panel.clip(axes.plot(panel.x(edge), panel.y(fit.estimate * edge), color=INK, lw=1.1, zorder=2))
        panel.clip(axes.plot(panel.x(edge), panel.y([0, 0]), color=LINE, lw=0.8, zorder=1))
        panel.frame(axes, x_ticks=plain_ticks(0.0, right), y_ticks=plain_ticks(*y_limits),
                    x_label="1/√(v + τ²)", y_label="Effect/√(v + τ²)")  # fmt: skip
        axes.scatter(panel.x(x), panel.y(z), s=20, color=BLUE, edgecolors="white", linewidths=0.4, zorder=4)
        outside = np.abs(z - fit.estimate * x) > 2
        if outside.any():
            label_points(
                axes, panel, x[outside], z[outside], [studies.labels[i] for i in np.flatnonzero(outside)], beside=(x, z)
            )
        _effect_scale(axes, panel, studies.measure, fit.estimate, z / x)

    notes = [f"Line: pooled effect; band: 2 SD. Right: effects as slopes. {described(fit.method, fit.ci)}"]
    return chart(draw, width=WIDTH, height=HEIGHT, right=52, title=f"Radial plot: {studies.label}", notes=notes)


def _effect_scale(axes: Any, panel: Panel, measure: str, estimate: float, effects: Floats) -> None:
    """Write effects where their lines meet the right edge of the plot."""
    right, (low, high) = panel.x_limits[1], panel.y_limits
    from_, to = max(low / right, float(effects.min())), min(high / right, float(effects.max()))
    last = np.inf
    for value, text in effect_ticks(transform_of(measure), min(from_, estimate), max(to, estimate + 1e-9)):
        y = float(panel.y(value * right))
        if panel.top <= y <= panel.bottom and abs(last - y) > 9:
            axes.plot([panel.right, panel.right + 3], [y, y], color=INK, lw=0.8)
            axes.text(panel.right + 6, y, text, size=SMALL, va="center", color=INK)
            last = y
    axes.plot([panel.right] * 2, [panel.top, panel.bottom], color=INK, lw=0.8)


def labbe_plot(found: BiasOf) -> Figure:
    """Return the plot of L'Abbé 1987 (Ann Intern Med 107:224): risk in the experimental arm against the control arm."""
    studies = found.studies
    if studies.measure not in ("OR", "PETO", "RR", "RD", "AS") or not np.isfinite(studies.counts).all():
        raise InputError(
            "The plot labbe needs a measure of counts and the events and patients of both arms of every study."
        )
    a, n1, c, n2 = studies.counts.T
    x, y, size = c / n2, a / n1, n1 + n2
    # Root scale of areas: the largest circle has a radius of 12 points.
    radius = np.maximum(2.0, 12 * np.sqrt(size / size.max()))
    highest = min(1.0, 1.12 * float(max(x.max(), y.max())))
    grid = np.linspace(1e-6, highest, 200)
    line = _labbe_line(studies.measure, found.fit.estimate, grid)

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, HEIGHT, HEIGHT, (-0.05 * highest, highest), (-0.05 * highest, highest))
        panel.clip(axes.plot(panel.x([0, highest]), panel.y([0, highest]), color=GREY, lw=0.9, zorder=1))
        panel.clip(axes.plot(panel.x(grid), panel.y(line), color=RED, lw=1.1, ls=(0, (4, 2)), zorder=2))
        ticks = [(v, f"{100 * v:g}") for v, _ in plain_ticks(0.0, highest)]
        panel.frame(axes, x_ticks=ticks, y_ticks=ticks, x_label="Events in the control arm, %",
                    y_label="Events in the experimental arm, %")  # fmt: skip
        order = np.argsort(-radius, kind="stable")
        circles = axes.scatter(panel.x(x)[order], panel.y(y)[order], s=((2 * radius) ** 2)[order],
                               facecolors="#1f4e7940", edgecolors=BLUE, linewidths=0.8, zorder=3)  # fmt: skip
        circles.set_clip_on(False)

    notes = ["Area of a circle: patients. Full line: no effect; dashed: pooled effect. "
             + described(found.fit.method, found.fit.ci)]  # fmt: skip
    return chart(draw, width=HEIGHT, height=HEIGHT, title=f"L'Abbé plot: {studies.label}", notes=notes)


def _labbe_line(measure: str, effect: float, control: Floats) -> Floats:
    """Return the risk that an effect makes of the risk of the control arm."""
    if measure in ("OR", "PETO"):
        return np.asarray(special.expit(special.logit(control) + effect))
    if measure == "RR":
        return np.asarray(control * np.exp(effect))
    if measure == "RD":
        return np.asarray(control + effect)
    return np.asarray(np.sin(np.clip(np.arcsin(np.sqrt(control)) + effect, 0, np.pi / 2)) ** 2)


def qq_plot(found: BiasOf) -> Figure:
    """Return the standardized residuals against normal quantiles, with a band of 95 % for each order statistic."""
    studies, fit = found.studies, found.fit
    total = studies.vi + (fit.tau2 or 0.0)
    z = np.sort((studies.yi - fit.estimate) / np.sqrt(total - 1 / np.sum(1 / total)))
    order = np.argsort((studies.yi - fit.estimate) / np.sqrt(total - 1 / np.sum(1 / total)), kind="stable")
    k = len(z)
    i = np.arange(1, k + 1)
    x = special.ndtri((i - 0.5) / k)
    low, high = (special.ndtri(special.betaincinv(i, k + 1 - i, p)) for p in (0.025, 0.975))
    limits = spread_of(z, x, low, high)

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, WIDTH, HEIGHT, spread_of(x), limits)
        axes.fill_between(panel.x(x), panel.y(low), panel.y(high), color="#e3e9f1", lw=0, zorder=0)
        panel.clip(axes.plot(panel.x(panel.x_limits), panel.y(panel.x_limits), color=INK, lw=0.9, zorder=1))
        panel.frame(axes, x_ticks=plain_ticks(*panel.x_limits), y_ticks=plain_ticks(*limits),
                    x_label="Normal quantile", y_label="Standardized residual")  # fmt: skip
        axes.scatter(panel.x(x), panel.y(z), s=20, color=BLUE, edgecolors="white", linewidths=0.4, zorder=4)
        out = (z < low) | (z > high)
        if out.any():
            label_points(
                axes, panel, x[out], z[out], [studies.labels[j] for j in order[out]], beside=(x[~out], z[~out])
            )

    notes = [f"Band: 95 % of each residual if effects are normal. {described(fit.method, fit.ci)}"]
    return chart(draw, width=WIDTH, height=HEIGHT, title=f"Normal Q-Q plot: {studies.label}", notes=notes)


def drapery_plot(found: BiasOf) -> Figure:
    """Return the p-value curves of the studies and of the pool (Rücker & Schwarzer 2021, Res Synth Methods 12:308)."""
    studies, fit = found.studies, found.fit
    sei = np.sqrt(studies.vi)
    middle = float(np.median(sei))
    x_limits = spread_of(studies.yi, fit.estimate + np.array([-4, 4]) * max(fit.se, middle / 2), margin=0.1)
    grid = np.linspace(*x_limits, 400)
    from igfmeta.numerics import t_two_sided

    pooled = np.asarray(t_two_sided((grid - fit.estimate) / fit.se, np.inf if fit.df is None else fit.df))
    predicted = None
    if fit.tau2 is not None and fit.pi_df is not None and fit.pi_lower is not None and fit.pi_upper is not None:
        half = (fit.pi_upper - fit.pi_lower) / 2
        from igfmeta.numerics import t_quantile

        scale = half / float(t_quantile(0.5 + fit.level / 2, fit.pi_df))
        predicted = np.asarray(t_two_sided((grid - fit.estimate) / scale, fit.pi_df))
    null = null_value(studies.measure)
    # The deeper the shade, the more weight a study has.
    weight = fit.weights / fit.weights.max()

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, WIDTH, HEIGHT, x_limits, (0.0, 1.0))
        if predicted is not None:
            axes.fill_between(panel.x(grid), panel.y(np.zeros(len(grid))), panel.y(predicted), color="#cfe0f0", lw=0,
                              zorder=0)  # fmt: skip
        for i in np.argsort(weight, kind="stable"):
            curve = 2 * special.ndtr(-np.abs(grid - studies.yi[i]) / sei[i])
            shade = 0.80 - 0.45 * float(weight[i])
            axes.plot(panel.x(grid), panel.y(curve), color=(shade,) * 3, lw=0.8, zorder=1)
        axes.plot(panel.x(grid), panel.y(pooled), color=BLUE, lw=2.0, zorder=3)
        if null is not None and x_limits[0] < null < x_limits[1]:
            axes.plot(panel.x([null, null]), panel.y([0, 1]), color=INK, lw=0.8, zorder=2)
        for p in (0.01, 0.05, 0.1):
            axes.plot([panel.left, panel.right], panel.y([p, p]), color=GREY, lw=0.5, ls=(0, (1, 2)), zorder=2)
        panel.frame(axes, x_ticks=effect_ticks(transform_of(studies.measure), *x_limits),
                    y_ticks=[(v, f"{v:g}") for v in (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)],
                    x_label=label_of(studies.measure).capitalize(), y_label="p-value")  # fmt: skip

    notes = ["Each curve: the p-value of every effect. Grey: studies, the darker the more weight; blue: pool"
             + ("; shaded: prediction." if predicted is not None else "."), described(fit.method, fit.ci)]  # fmt: skip
    return chart(draw, width=WIDTH, height=HEIGHT, title=f"Drapery plot: {studies.label}", notes=notes)


def weights_plot(found: BiasOf) -> Figure:
    """Return the estimated chance to be seen against the p-value, for each selection model; 1 at its highest."""
    if not found.selection:
        raise InputError("The plot weights needs selection models: add them to --show, and --force if k < 10.")
    p = np.concatenate([np.linspace(1e-5, 0.1, 400), np.linspace(0.1, 1 - 1e-5, 300)])

    def draw(axes: Any, left: float, top: float) -> None:
        # Small p-values get the room that they need: the axis is the square root of p.
        panel = Panel(left, top, WIDTH, HEIGHT, (0.0, 1.0), (0.0, 1.04))
        ticks = [(np.sqrt(v), f"{v:g}") for v in (0.0, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0)]
        panel.frame(axes, x_ticks=ticks, y_ticks=plain_ticks(0.0, 1.0), x_label="p-value (root scale)",
                    y_label="Relative chance to be seen")  # fmt: skip
        for i, (model, (color, dashes)) in enumerate(zip(found.selection, _STYLES, strict=False)):
            style = {"color": color, "lw": 1.4, "ls": dashes}
            panel.clip(axes.plot(panel.x(np.sqrt(p)), panel.y(_relative(model, p)), zorder=3, **style))
            y = panel.top + 8 + 13 * i
            axes.plot([panel.right + 12, panel.right + 34], [y, y], **style)
            label = "step" if model.kind == "step" else WEIGHTS[model.kind].label
            axes.text(panel.right + 40, y, label, size=SMALL, va="center", color=INK)
        own = _p_values(found)
        for value in own:
            x = float(panel.x(np.sqrt(value)))
            axes.plot([x, x], [panel.bottom, panel.bottom - 5], color=GREY, lw=0.7)

    sided = "two-sided" if found.alternative == "two-sided" else f"one-sided, {found.alternative}"
    return chart(draw, width=WIDTH, height=HEIGHT, right=140, title=f"Selection by p-value: {found.studies.label}",
                 notes=[f"p-values {sided}; strokes: the studies. Each function is 1 at its highest."])  # fmt: skip


def _relative(model: SelectionModel, p: Floats) -> Floats:
    if model.kind == "step":
        values = np.array(model.delta)[np.searchsorted(model.steps, p, side="left")]
    else:
        log_w = WEIGHTS[model.kind].log_weight(p, np.array(model.delta), np.ones(1))[0]
        values = np.exp(log_w - log_w.max())
    return np.asarray(values / values.max())


def _p_values(found: BiasOf) -> Floats:
    z = found.studies.yi / np.sqrt(found.studies.vi)
    if found.alternative == "two-sided":
        return np.asarray(2 * special.ndtr(-np.abs(z)))
    return np.asarray(special.ndtr(-z if found.alternative == "greater" else z))


PLOTS: dict[str, Callable[[BiasOf], Figure]] = {
    "funnel": funnel_plot,
    "trim-fill": trim_fill_plot,
    "radial": radial_plot,
    "labbe": labbe_plot,
    "qq": qq_plot,
    "drapery": drapery_plot,
    "weights": weights_plot,
}


def figures(result: BiasResult, plots: Sequence[str]) -> list[tuple[str, Figure]]:
    """Return the figures that were asked for, named by set (where there are several) and plot."""
    chosen = [check_choice("plot", name, tuple(PLOTS)) for name in plots]
    others = [name for name in chosen if name != "funnel"]
    if others and any(each.studies.counted for each in result.sets):
        raise InputError(
            f"The plot {others[0]} takes sampling variances as known, which rates pooled from counts (PLO) do not "
            "have; name another --measure, or --plot funnel, which has the sizes of the studies."
        )
    return figures_by_set(result.sets, chosen, PLOTS)
