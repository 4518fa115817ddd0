"""An average over models in three panels: the effect with its spike at none, the probabilities, the weight function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value
from igfmeta.plots.canvas import BLUE, GREY, INK, MARGIN, SIZE, SMALL, Scale, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.synthesis.averages import AverageOf, AverageResult
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
LEFT, WIDTH, DENSITY_HEIGHT, ROW, WEIGHT_HEIGHT, GAP = 96.0, 300.0, 110.0, 17.0, 90.0, 46.0

#: Points on a density, and the probability that is left out at each end.
POINTS, TAIL = 301, 0.001

PALE = "#c9d8e8"

_ROWS = (("effect", "Effect"), ("heterogeneity", "Heterogeneity"), ("bias", "Publication bias"))


def figures(result: AverageResult) -> list[tuple[str, Figure]]:
    """Return the figure of each set of studies with its name."""
    return [(part.studies.name, average_figure(part)) for part in result]


def average_figure(part: AverageOf) -> Figure:
    """Return the figure of one average.

    Top: the density of the effect given that there is one, and with no bias dashed; the bar at no effect is as high as
    its probability, on the scale at the right. Middle: probabilities before (ring) and after (dot). Bottom: the weight
    function with its interval.
    """
    import matplotlib as mpl

    title = plain(f"{part.studies.label}: averaged over {len(part.averaged.members)} models")
    weights = part.averaged.weights()
    shown = [(name, label) for name, label in _ROWS if part.averaged.inclusion(name).prior > 0]
    top = MARGIN + 34
    middle = top + DENSITY_HEIGHT + GAP + 8
    bottom = middle + ROW * len(shown) + GAP
    height = bottom + (WEIGHT_HEIGHT + 48 if weights else 0)
    width = wide_enough(LEFT + WIDTH + 74 + MARGIN, title, [])
    with mpl.rc_context(STYLE):
        drawn, axes = page(width, height)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        _effect(axes, part, top)
        _probabilities(axes, part, shown, middle)
        if weights:
            _weights(axes, part, bottom)
    return drawn


def _ruler(axes: Any, y: float, text: str) -> None:
    axes.text(LEFT + WIDTH / 2, y, text, size=SIZE, ha="center", va="center", color=INK)


def _effect(axes: Any, part: AverageOf, top: float) -> None:
    averaged, base = part.averaged, top + DENSITY_HEIGHT
    has_effect = averaged.inclusion("effect").prior > 0
    of = averaged.mu_given_effect if has_effect else averaged.mu
    null = null_value(part.studies.measure) or 0.0
    low, high = of.quantile((TAIL, 1 - TAIL)) if has_effect else (-1.0, 1.0)
    margin = 0.04 * (high - low)
    low, high = min(float(low), null) - margin, max(float(high), null) + margin
    scale = Scale(part.studies.measure, low, high, LEFT, WIDTH)
    x = np.linspace(low, high, POINTS)
    if has_effect:
        density, plain_density = of.density(x), part.without_bias.density(x)
        highest = max(float(density.max()), float(plain_density.max())) * 1.04
        up = base - DENSITY_HEIGHT * density / highest
        axes.fill_between(scale.at(x), up, base, color=PALE, lw=0)
        axes.plot(scale.at(x), up, color=BLUE, lw=1.6)
        axes.plot(scale.at(x), base - DENSITY_HEIGHT * plain_density / highest, color=GREY, lw=1.2, ls=(0, (4, 2)))
    spike = averaged.mu.spike
    at = scale.at(null)
    axes.plot([at, at], [base, base - DENSITY_HEIGHT * spike], color=INK, lw=3.0, solid_capstyle="butt")
    for share in (0.0, 0.5, 1.0):
        y = base - DENSITY_HEIGHT * share
        axes.plot([LEFT + WIDTH, LEFT + WIDTH + 3], [y, y], color=INK, lw=0.8)
        axes.text(LEFT + WIDTH + 6, y, f"{share:g}", size=SMALL, va="center", color=INK)
    axes.plot([LEFT + WIDTH] * 2, [base - DENSITY_HEIGHT, base], color=INK, lw=0.8)
    axes.text(LEFT + WIDTH + 24, base - DENSITY_HEIGHT / 2, "P(no effect)", size=SMALL, rotation=90, va="center",
              ha="center", color=INK)  # fmt: skip
    scale.draw(axes, base)
    _ruler(axes, base + 26, label_of(part.studies.measure).capitalize())
    _key(axes, top - 10, spike, has_effect)


def _key(axes: Any, y: float, spike: float, has_effect: bool) -> None:
    """Name the lines, above the density."""
    x = LEFT
    entries: list[tuple[str, dict[str, Any]]] = []
    if has_effect:
        entries = [
            ("given an effect", {"color": BLUE, "lw": 1.6}),
            ("and no bias", {"color": GREY, "lw": 1.2, "ls": (0, (4, 2))}),
        ]
    entries.append((f"no effect: {f.probability(spike)}", {"color": INK, "lw": 3.0, "solid_capstyle": "butt"}))
    for text, style in entries:
        axes.plot([x, x + 16], [y, y], **style)
        axes.text(x + 20, y, text, size=SMALL, va="center", color=INK)
        x += 20 + text_width(text, SMALL) + 16


def _probabilities(axes: Any, part: AverageOf, shown: list[tuple[str, str]], top: float) -> None:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = LEFT + WIDTH * share
        axes.plot([x, x], [top - 6, top + ROW * len(shown) - 4], color="#dddddd", lw=0.5, zorder=0)
        axes.text(x, top + ROW * len(shown) + 4, f"{share:g}", size=SMALL, ha="center", va="center", color=INK)
    for i, (name, label) in enumerate(shown):
        found, y = part.averaged.inclusion(name), top + ROW * i + 3
        before, after = LEFT + WIDTH * found.prior, LEFT + WIDTH * found.probability
        axes.text(LEFT - 8, y, label, size=SIZE, ha="right", va="center", color=INK)
        axes.plot([before, after], [y, y], color=BLUE, lw=1.4, zorder=1)
        axes.plot([before], [y], marker="o", ms=5, mfc="white", mec=INK, mew=0.9, zorder=2)
        axes.plot([after], [y], marker="o", ms=5.5, mfc=BLUE, mec=BLUE, zorder=3)
        axes.text(LEFT + WIDTH + 8, y, _factor(found.bf), size=SMALL, va="center", color=INK)
    _ruler(axes, top + ROW * len(shown) + 16, "Probability before (ring) and after (dot)")


def _factor(value: float | None) -> str:
    if value is None:
        return ""
    return f"BF {value:.2g}" if value >= 1e4 or value < 1e-3 else f"BF {value:.3g}"


def _weights(axes: Any, part: AverageOf, top: float) -> None:
    """Draw the steps; intervals of p are drawn equally wide, because most of them are narrow."""
    weights, base = part.averaged.weights(), top + WEIGHT_HEIGHT
    step = WIDTH / len(weights)

    def up(value: float) -> float:
        return base - WEIGHT_HEIGHT * value

    for share in (0.0, 0.5, 1.0):
        axes.plot([LEFT, LEFT + WIDTH], [up(share)] * 2, color="#dddddd", lw=0.5, zorder=0)
        axes.text(LEFT - 6, up(share), f"{share:g}", size=SMALL, ha="right", va="center", color=INK)
    for i, w in enumerate(weights):
        left, right = LEFT + step * i, LEFT + step * (i + 1)
        axes.fill_between([left, right], up(w.lower), up(w.upper), color=PALE, lw=0)
        axes.plot([left, right], [up(w.mean)] * 2, color=BLUE, lw=1.8)
        axes.text(left, base + 9, f"{w.p_from:g}", size=SMALL, ha="center", va="center", color=INK)
        if i:
            axes.plot([left, left], [up(weights[i - 1].mean), up(w.mean)], color=BLUE, lw=0.8)
        axes.plot([left, left], [base, base + 3], color=INK, lw=0.8)
    axes.text(LEFT + WIDTH, base + 9, "1", size=SMALL, ha="center", va="center", color=INK)
    axes.plot([LEFT, LEFT + WIDTH], [base, base], color=INK, lw=0.8)
    axes.text(MARGIN, top + WEIGHT_HEIGHT / 2, "Published,\nrelative to\nthe most\nsignificant", size=SMALL,
              va="center", color=INK)  # fmt: skip
    _ruler(axes, base + 24, "One-sided p-value")
