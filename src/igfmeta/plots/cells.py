"""The cells of a hierarchy one under the other: from raw to pooled, and their posterior densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta.bayes.distributions import Empirical, NormalMixture
from igfmeta.effects.scales import null_value
from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, Scale, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.plots.matrix import shown
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
PLOT, ROW, TALL_ROW, TOP = 240.0, 15.0, 19.0, 26.0

#: The axis reaches this probability in the tails of the widest density.
TAIL = 0.01

#: Share of a variance that is added where a density is drawn.
SMOOTHING = 0.01

#: Points at which a density is drawn, and how much of its row it fills.
POINTS, FILLED = 141, 0.85


def _name(cell: Cell) -> str:
    words = [plain(part) for part in (cell.agent_class, cell.tumor) if part != ALL]
    return f"{', '.join(words) or 'All'} (k = {cell.k})"


def _analysis(result: HierarchyResult, values: Sequence[float]) -> Floats:
    """Return values of the reader's scale on the analysis scale; a rate of 0 or 1 lies infinitely far out."""
    with np.errstate(divide="ignore"):
        return np.asarray(special.logit(values) if result.is_rate else np.log(values))


def _raw(result: HierarchyResult, position: int) -> float:
    """Return the effect of a cell's own studies, on the reader's scale.

    The inverse-variance mean of ratios, or events over patients of the arms; NaN where none has an odds ratio.
    """
    agent_class, tumor = result.keys[position]
    own = [s for s in result.studies if agent_class in (s.agent_class, ALL) and tumor in (s.tumor_type, ALL)]
    if result.is_rate:
        return sum(s.counts[0] for s in own) / sum(s.counts[1] for s in own)
    defined = [s for s in own if np.isfinite(s.yi)]
    if not defined:
        return float("nan")
    return float(np.exp(sum(s.yi / s.vi for s in defined) / sum(1 / s.vi for s in defined)))


def _scale(result: HierarchyResult, values: Floats, left: float) -> Scale:
    finite = values[np.isfinite(values)]
    null = null_value(result.question.measure)
    ends = finite if null is None else np.append(finite, [null - 0.2, null + 0.2])
    low, high = float(ends.min()), float(ends.max())
    reach = 0.03 * (high - low)
    return Scale(result.question.measure, low - reach, high + reach, left, PLOT)


def _frame(result: HierarchyResult, axes: Any, scale: Scale, bottom: float) -> None:
    """Draw the axis, and the line of no effect where there is one."""
    scale.draw(axes, bottom)
    null = null_value(result.question.measure)
    if null is not None:
        axes.plot([scale.at(null)] * 2, [MARGIN + 20, bottom], color=INK, lw=0.8, zorder=0)


def shrinkage(result: HierarchyResult) -> Figure:
    """Return, for each cell with studies, its raw effect and where the model puts it."""
    import matplotlib as mpl

    places = [i for i, cell in enumerate(result.cells) if cell.k]
    cells = [result.cells[i] for i in places]
    raw = _analysis(result, [_raw(result, i) for i in places])
    ends = _analysis(result, [v for cell in cells for v in (cell.ci_lower, cell.ci_upper)])
    medians = _analysis(result, [cell.median for cell in cells])
    names = list(map(_name, cells))
    left = MARGIN + max(map(text_width, names)) + 14
    scale = _scale(result, np.concatenate([raw, ends]), left)
    what = "events over patients" if result.is_rate else "their inverse-variance mean"
    note = (
        f"Open circle: the cell's own studies, {what}. Diamond and line: posterior median, {100 * result.level:g} % "
        "interval."
    )
    beyond = ["A circle on the edge of the axis: no event, a rate of 0."] if np.isinf(raw).any() else []
    bottom = MARGIN + TOP + ROW * len(cells)
    with mpl.rc_context(STYLE):
        width = wide_enough(left + PLOT + MARGIN, result.title, [note])
        drawn, axes = page(width, bottom + 38 + 10 * len(beyond))
        axes.text(MARGIN, MARGIN + 4, result.title, size=SIZE + 1, weight="bold", va="center", color=INK)
        _frame(result, axes, scale, bottom)
        for i, name in enumerate(names):
            y = MARGIN + TOP + ROW * (i + 0.5)
            axes.text(MARGIN, y, name, size=SIZE, va="center", color=INK)
            axes.plot([scale.at(end) for end in ends[2 * i : 2 * i + 2]], [y, y], color=GREY, lw=1.0)
            if not np.isnan(raw[i]):
                here, there = scale.cut(float(raw[i])), scale.at(medians[i])
                arrow = {"arrowstyle": "->", "lw": 0.8, "color": INK}
                axes.annotate("", (there, y), (here, y), arrowprops=arrow)
                axes.plot([here], [y], marker="o", ms=4, mfc="white", mec=INK)
            axes.plot([scale.at(medians[i])], [y], marker="D", ms=4.5, color=BLUE)
        for i, text in enumerate([note, *beyond]):
            axes.text(MARGIN, bottom + 27 + 10 * i, text, size=SMALL, va="center", color=GREY)
    return drawn


def draw_density(axes: Any, scale: Scale, x: Floats, density: Floats, y: float, colour: str) -> None:
    """Draw a density on a baseline, as tall as its row allows."""
    from matplotlib.patches import Polygon

    height = (TALL_ROW - 4) * FILLED * density / density.max()
    outline = np.stack([scale.at(x), y - height], axis=1)
    ends = [(scale.at(x[0]), y), (scale.at(x[-1]), y)]
    axes.add_patch(Polygon([ends[0], *outline.tolist(), ends[1]], closed=True, facecolor=colour, alpha=0.35, lw=0))


def densities(distribution: NormalMixture | Empirical, n: int, x: Floats) -> Floats:
    """Return the densities of n distributions at points, shape (n, points).

    Weighted draws, each with its own narrow normal, are smoothed a little: a hundredth is added to the variance.
    """
    if isinstance(distribution, NormalMixture):
        added = SMOOTHING * distribution.moments()[1][:, None] ** 2
        distribution = replace(distribution, sd=np.sqrt(distribution.sd**2 + added))
    return np.stack([distribution.density(np.full(n, value)) for value in x], axis=1)


def half_eyes(result: HierarchyResult) -> Figure:
    """Return the posterior density of every cell and average, with median, 50 % and outer interval.

    Cells without a study are grey: what they say is borrowed.
    """
    import matplotlib as mpl

    rows = (*result.cells, *result.averages)
    n = len(rows)
    means = result.posterior.cells()
    tail = 0.5 - result.level / 2
    quantiles = {p: means.quantile(np.full(n, p)) for p in (TAIL / 2, tail, 0.25, 0.5, 0.75, 1 - tail, 1 - TAIL / 2)}
    names = list(map(_name, rows))
    left = MARGIN + max(map(text_width, names)) + 14
    scale = _scale(result, np.concatenate(list(quantiles.values())), left)
    x = np.linspace(scale.low, scale.high, POINTS)
    heights = densities(means, n, x)
    texts = [f"{shown(result, r.median)} ({shown(result, r.ci_lower)}, {shown(result, r.ci_upper)})" for r in rows]
    note = (
        f"Posterior of the mean effect, each density as tall as its row; point: median; thick line 50 %, thin line "
        f"{100 * result.level:g} %. Grey: no study, all of it borrowed."
    )
    gap = 8.0 if result.averages else 0.0
    bottom = MARGIN + TOP + TALL_ROW * n + gap
    right = left + PLOT + 12
    with mpl.rc_context(STYLE):
        width = wide_enough(right + max(text_width(text, SMALL) for text in texts) + MARGIN, result.title, [note])
        drawn, axes = page(width, bottom + 38)
        axes.text(MARGIN, MARGIN + 4, result.title, size=SIZE + 1, weight="bold", va="center", color=INK)
        _frame(result, axes, scale, bottom)
        for i, (row, name, text) in enumerate(zip(rows, names, texts, strict=True)):
            y = MARGIN + TOP + TALL_ROW * (i + 1) - 4 + (gap if i >= len(result.cells) else 0.0)
            colour = BLUE if row.k else GREY
            axes.text(MARGIN, y - 4, name, size=SIZE, va="center", color=INK if row.k else GREY)
            draw_density(axes, scale, x, heights[i], y, colour)
            for a, b, lw in ((tail, 1 - tail, 0.9), (0.25, 0.75, 2.4)):
                axes.plot([scale.cut(quantiles[a][i]), scale.cut(quantiles[b][i])], [y, y], color=colour, lw=lw)
            axes.plot([scale.cut(quantiles[0.5][i])], [y], marker="o", ms=3.2, color=colour)
            axes.text(right, y - 4, text, size=SMALL, va="center", color=INK if row.k else GREY)
        axes.text(MARGIN, bottom + 27, note, size=SMALL, va="center", color=GREY)
    return drawn
