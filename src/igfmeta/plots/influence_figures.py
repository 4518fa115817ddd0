"""The figures of influence: panel of diagnostics, Baujat, GOSH, forests without each study and study after study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, transform_of
from igfmeta.errors import InputError
from igfmeta.models.influence import Influence
from igfmeta.models.rate_influence import RateInfluence
from igfmeta.numerics import Floats
from igfmeta.plots.by_set import figures_by_set
from igfmeta.plots.canvas import BLUE, GREY, INK, SMALL
from igfmeta.plots.charts import LINE, RED, Panel, chart, effect_ticks, label_points, plain_ticks, spread_of
from igfmeta.plots.matplotlib_forest import figure as forest_figure
from igfmeta.plots.matplotlib_forest import text_width
from igfmeta.plots.step_forest import Step, described, step_forest
from igfmeta.synthesis.influence_results import InfluenceOf, InfluenceResult
from igfmeta.synthesis.rate_pools import EXACT
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points of the panel of diagnostics.
ROW, STRIP, GAP = 12.0, 74.0, 14.0

#: Cells of the density of a GOSH plot, across and up: at most, and at least where few subsets would be lost in many.
CELLS, FEWEST_CELLS = (120, 90), (24, 18)


#: Label, values, limits, and where nothing happened.
Strip = tuple[str, Floats, tuple[float, ...], float]

#: P(chi2_1 < Cook's distance) = 0.5.
COOK_LIMIT = 0.4549


def _strips(found: Influence, k: int) -> list[Strip]:
    without = found.without
    return [
        ("rstudent", found.rstudent, (-1.96, 1.96), 0.0),
        ("DFFITS", found.dffits, (-3 / np.sqrt(k - 1), 3 / np.sqrt(k - 1)), 0.0),
        ("Cook's distance", found.cook_d, (COOK_LIMIT,), 0.0),
        ("Covariance ratio", found.cov_r, (), 1.0),
        ("τ² without", without.tau2, (), float(found.fits.tau2[0])),
        ("QE without", without.q, (), float(found.fits.q[0])),
        ("Hat", np.where(found.membership, found.hat, 0).sum(axis=1), (3 / k,), 1 / k),
    ]


def _rate_strips(found: RateInfluence) -> list[Strip]:
    """Return the diagnostics of rates; a cluster of several studies has no residual of its own."""
    without, whole = found.without, found.fits
    first = found.membership.argmax(axis=1)
    residual = np.where(found.membership.sum(axis=1) == 1, found.residual[first], np.nan)
    strips: list[Strip] = [
        ("Residual", residual, (-1.96, 1.96), 0.0),
        ("DFBETAS", found.dfbetas, (-1.0, 1.0), 0.0),
        ("Cook's distance", found.cook_d, (COOK_LIMIT,), 0.0),
        ("Covariance ratio", found.cov_r, (), 1.0),
        ("τ² without", without.tau2, (), float(whole.tau2[0])),
        ("Q without", without.q, (), float(whole.q[0])),
        ("Weight %", np.where(found.membership, found.weights, 0).sum(axis=1), (), 100 / len(residual)),
    ]
    return [strip for strip in strips if np.isfinite(strip[1]).any() and np.isfinite(strip[3])]


def influence_panel(result: InfluenceOf) -> Figure:
    """Return the diagnostics of every unit left out, one strip each; the limits of Viechtbauer & Cheung dashed."""
    found, studies = result.influence, result.studies
    strips = _rate_strips(found) if isinstance(found, RateInfluence) else _strips(found, studies.k)
    predicted = any(label == "Residual" for label, *_ in strips)
    names = [plain(name) for name in result.units]
    room = max(text_width(name, SMALL) for name in names) + 8
    height = ROW * len(names)
    marked = found.influential

    def draw(axes: Any, left: float, top: float) -> None:
        for u, name in enumerate(names):
            y = top + 14 + ROW * (u + 0.5)
            axes.text(left - 8, y, name, size=SMALL, ha="right", va="center", color=RED if marked[u] else INK)
            across = len(strips) * (STRIP + GAP) - GAP
            axes.plot([left, left + across], [y, y], color=LINE, lw=0.5, zorder=0)
        for i, (label, values, limits, middle) in enumerate(strips):
            largest = float(np.abs(values[np.isfinite(values)]).max(initial=1e-12))
            near = [v for v in limits if abs(v) < 2.5 * largest]
            panel = Panel(left + i * (STRIP + GAP), top + 14, STRIP, height, spread_of(values, middle, near),
                          (0, len(names)), up=False)  # fmt: skip
            _strip(axes, panel, label, values, near, middle, marked)

    unit = "study" if studies.clusters is None else "cluster"
    notes = [
        f"Each row: without this {unit}. Full line: nothing left out (0 for residuals and shifts, 1 for the ratio); "
        "dashed: limits of Viechtbauer & Cheung (2010)." + (" Red: influential." if marked.any() else ""),
        *(["Residual: the count against its prediction by the others, as a normal deviate."] if predicted else []),
        _how(result),
    ]  # fmt: skip
    return chart(draw, width=len(strips) * (STRIP + GAP) - GAP, height=height + 14, title=f"Influence: {studies.label}",
                 notes=notes, left=room)  # fmt: skip


def _strip(
    axes: Any, panel: Panel, label: str, values: Floats, limits: Sequence[float], middle: float, marked: Any
) -> None:
    axes.text(panel.left + panel.width / 2, panel.top - 8, label, size=SMALL, ha="center", va="center", weight="bold",
              color=INK)  # fmt: skip
    axes.plot([panel.left, panel.right], [panel.bottom] * 2, color=INK, lw=0.8)
    last = -np.inf
    for value, text in plain_ticks(*panel.x_limits):
        x, half = float(panel.x(value)), text_width(text, SMALL - 1) / 2
        if x - half > last + 3:
            axes.plot([x, x], [panel.bottom, panel.bottom + 3], color=INK, lw=0.8)
            axes.text(x, panel.bottom + 9, text, size=SMALL - 1, ha="center", va="center", color=INK)
            last = x + half
    axes.plot([float(panel.x(middle))] * 2, [panel.top, panel.bottom], color=GREY, lw=0.8, zorder=1)
    for limit in limits:
        axes.plot([float(panel.x(limit))] * 2, [panel.top, panel.bottom], color=GREY, lw=0.8, ls=(0, (4, 2)), zorder=1)
    finite = np.isfinite(values)
    y = panel.y(np.arange(len(values)) + 0.5)
    axes.scatter(panel.x(values)[finite], y[finite], s=16, zorder=3, linewidths=0,
                 color=np.where(marked, RED, BLUE)[finite].tolist())  # fmt: skip


def baujat_plot(result: InfluenceOf) -> Figure:
    """Return what each study adds to heterogeneity against what it does to the pooled effect (Baujat 2002)."""
    found, studies = result.influence, result.studies
    if isinstance(found, RateInfluence):
        raise InputError(
            f"The plot baujat takes sampling variances as known, which rates pooled from counts ({studies.measure}) do "
            "not have; name another --measure, or another --plot."
        )
    x = np.array([found.residual2[rows].sum() for rows in found.membership])
    y = found.shift2

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, 330, 240, (0.0, spread_of(x, margin=0.15)[1]), (0.0, spread_of(y, margin=0.12)[1]))
        panel.frame(axes, x_ticks=plain_ticks(*panel.x_limits), y_ticks=plain_ticks(*panel.y_limits),
                    x_label="Squared Pearson residual", y_label="Change of the pooled effect")  # fmt: skip
        marks = np.where(found.influential, RED, BLUE).tolist()
        axes.scatter(panel.x(x), panel.y(y), s=22, color=marks, linewidths=0, zorder=3)
        label_points(axes, panel, x, y, result.units)

    return chart(draw, width=330, height=240, title=f"Baujat plot: {studies.label}",
                 notes=["Upwards: squared change of the pooled effect over its variance. "
                        + described(found.fits.method, found.fits.ci)])  # fmt: skip


def gosh_plot(result: InfluenceOf) -> Figure:
    """Return the density of the pools of all subsets, pooled effect against I2, with both margins."""
    if result.gosh is None:
        raise InputError("The plot gosh needs the pools of subsets: add --gosh.")
    found, studies = result.gosh, result.studies
    if not np.isfinite(found.estimate).any():
        raise InputError("The plot gosh has nothing to show: nobody, or everybody, responded in every study.")
    # Some pools of two studies lie far out: the plot shows all but one in 500 at either end.
    # A rate of 0 or 1 has no logit.
    finite = np.isfinite(found.estimate)
    low, high = np.quantile(found.estimate[finite], [0.002, 0.998])
    share = np.clip(np.sqrt(len(found)) / 100, 0.0, 1.0)
    across, up = (int(max(least, share * most)) for least, most in zip(FEWEST_CELLS, CELLS, strict=True))
    edges_x = np.linspace(*spread_of([low, high], margin=0.03), across + 1)
    edges_y = np.linspace(0.0, 100.0, up + 1)
    table = np.histogram2d(found.estimate[finite], found.i2[finite], bins=(edges_x, edges_y))[0]
    shade = np.ma.masked_equal(np.log1p(table.T), 0.0)

    def draw(axes: Any, left: float, top: float) -> None:
        top = top + 40
        panel = Panel(left, top, 330, 220, (float(edges_x[0]), float(edges_x[-1])), (0.0, 100.0))
        axes.imshow(shade, extent=(panel.left, panel.right, panel.bottom, panel.top), origin="lower", aspect="auto",
                    cmap="Blues", interpolation="nearest", zorder=0,
                    vmin=-0.25 * float(shade.max()))  # fmt: skip
        panel.frame(axes, x_ticks=effect_ticks(transform_of(studies.measure), *panel.x_limits),
                    y_ticks=plain_ticks(0, 100), y_label="I² %",
                    x_label=f"Pooled {label_of(studies.measure)}")  # fmt: skip
        if np.isfinite(result.influence.fit.estimate):
            x = float(panel.x(result.influence.fit.estimate))
            axes.plot([x, x], [panel.top, panel.bottom], color=RED, lw=1.0, ls=(0, (4, 2)))
        _margin(axes, panel.x(edges_x), table.sum(axis=1), base=top - 4, reach=-32.0, across=True)
        _margin(axes, panel.y(edges_y), table.sum(axis=0), base=panel.right + 4, reach=32.0, across=False)

    kind = "all subsets of two studies and more" if found.exhaustive else "a random sample of the subsets"
    ends = int((~finite).sum())
    notes = [
        f"{f.count(len(found))} pools by {found.method}, {kind}. Dashed: the pool of all studies. "
        "Shade: logarithm of the number.",
        *([f"Not shown: {f.count(ends)} subsets in which nobody, or everybody, responded."] if ends else []),
    ]
    return chart(draw, width=330, height=260, right=40, title=f"GOSH: {studies.label}", notes=notes)


def _margin(axes: Any, edges: Any, counts: Any, *, base: float, reach: float, across: bool) -> None:
    """Draw a histogram along one side of a plot."""
    tops = base + reach * counts / counts.max()
    along, out = np.repeat(edges, 2)[1:-1], np.repeat(tops, 2)
    if across:
        axes.fill_between(along, base, out, color=BLUE, lw=0)
    else:
        axes.fill_betweenx(along, base, out, color=BLUE, lw=0)


def _steps(labels: Sequence[str], fits: Any, first: int = 0) -> list[Step]:
    def value(name: str, row: int) -> float | None:
        number = float(getattr(fits, name)[row])
        # An infinite logit is a rate of 0 or 1, which the forest of rates can show.
        return None if np.isnan(number) else number

    return [
        (label, value("estimate", i), value("ci_lower", i), value("ci_upper", i))
        for i, label in enumerate(labels, start=first)
    ]


def _how(result: InfluenceOf) -> str:
    """Return how the pools of a forest were made."""
    fits = result.influence.fits
    if not result.studies.counted:
        return described(fits.method, fits.ci)
    if fits.ci == EXACT:
        return "Exact intervals of the sums"
    return f"Binomial likelihood; {described(fits.method, fits.ci)} (exact of the sum where nobody responded)"


def leave_one_out_forest(result: InfluenceOf) -> Figure:
    """Return the pool without each unit, one under the other."""
    fits = result.influence.fits
    forest = step_forest(
        result.studies,
        [(None, _steps([f"Without {unit}" for unit in result.units], fits, first=1))],
        _steps(["All studies"], fits)[0],
        title=f"Leave one out: {result.studies.label}",
        lines=[_how(result)],
        level=fits.level,
    )
    return forest_figure(forest)


def cumulative_forest(result: InfluenceOf) -> Figure:
    """Return the pool study after study, one under the other."""
    steps = result.cumulative
    if steps is None:
        raise InputError("The plot cumulative needs an order: add --cumulative year, precision or table.")
    fits = steps.fits
    forest = step_forest(
        result.studies,
        [(None, _steps([f"+ {label}" for label in steps.labels], fits))],
        _steps(["All studies"], result.influence.fits)[0],
        title=f"Cumulative, by {steps.order}: {result.studies.label}",
        lines=[_how(result)],
        level=fits.level,
    )
    return forest_figure(forest)


PLOTS: dict[str, Callable[[InfluenceOf], Figure]] = {
    "panel": influence_panel,
    "baujat": baujat_plot,
    "gosh": gosh_plot,
    "leave-one-out": leave_one_out_forest,
    "cumulative": cumulative_forest,
}


def figures(result: InfluenceResult, plots: Sequence[str]) -> list[tuple[str, Figure]]:
    """Return the figures that were asked for, named by set (where there are several) and plot."""
    return figures_by_set(result.sets, plots, PLOTS)
