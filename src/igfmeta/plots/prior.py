"""The prior predictive of a hierarchy as a picture: how far apart two effects may be before any data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.formatting import number
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, Scale, page, wide_enough
from igfmeta.plots.cells import POINTS, TALL_ROW, TOP, densities, draw_density
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.synthesis.prior_meaning import PriorContrast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Length in points; and the factor beyond which the axis ends, however wide the priors.
PLOT, FURTHEST = 220.0, 100.0


def prior_figure(contrasts: Sequence[PriorContrast], *, rates: bool = False) -> Figure:
    """Return, for each pair of effects, the density of their ratio before any data, with 50 and 95 % intervals."""
    import matplotlib as mpl

    what = "odds" if rates else "hazard or odds ratios"
    title = f"Before any data: one effect as a multiple of another ({what})"
    note = "Each density as tall as its row; point: 1; thick line 50 %, thin line 95 % of the prior."
    left = MARGIN + max(text_width(c.name) for c in contrasts) + 14
    middle = left + max(text_width(c.prior, SMALL) for c in contrasts) + 14
    furthest = min(math.log(FURTHEST), 1.15 * max(math.log(c.factor_95) for c in contrasts))
    scale = Scale("HR", -furthest, furthest, middle, PLOT)
    x = np.linspace(scale.low, scale.high, POINTS)
    bottom = MARGIN + TOP + TALL_ROW * len(contrasts)
    right = middle + PLOT + 12
    texts = [f"95 %: 1/{number(c.factor_95, 1)} to {number(c.factor_95, 1)}" for c in contrasts]
    with mpl.rc_context(STYLE):
        width = right + max(text_width(text, SMALL) for text in texts) + MARGIN
        drawn, axes = page(wide_enough(width, title, [note]), bottom + 38)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        axes.plot([scale.at(0.0)] * 2, [MARGIN + 20, bottom], color=INK, lw=0.8, zorder=0)
        scale.draw(axes, bottom)
        for i, (contrast, text) in enumerate(zip(contrasts, texts, strict=True)):
            y = MARGIN + TOP + TALL_ROW * (i + 1) - 4
            axes.text(MARGIN, y - 4, contrast.name, size=SIZE, va="center", color=INK)
            axes.text(left, y - 4, contrast.prior, size=SMALL, va="center", color=GREY)
            draw_density(axes, scale, x, densities(contrast.difference, 1, x)[0], y, BLUE)
            for factor, lw in ((contrast.factor_95, 0.9), (contrast.factor_50, 2.4)):
                end = math.log(factor)
                axes.plot([scale.cut(-end), scale.cut(end)], [y, y], color=BLUE, lw=lw)
            axes.plot([scale.at(0.0)], [y], marker="o", ms=3.2, color=BLUE)
            axes.text(right, y - 4, text, size=SMALL, va="center", color=INK)
        axes.text(MARGIN, bottom + 27, note, size=SMALL, va="center", color=GREY)
    return drawn
