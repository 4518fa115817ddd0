"""Trials as bubbles by their effects on two outcomes, and the trial-level line with its bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import label_of, transform_of
from igfmeta.errors import InputError
from igfmeta.numerics import Floats
from igfmeta.plots.canvas import BLUE, GREY, INK
from igfmeta.plots.charts import Panel, chart, effect_ticks, label_points, spread_of
from igfmeta.synthesis.multilevel_results import MultilevelResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 330.0, 270.0

#: Radius of the most precise trial's bubble, and of the smallest, in points.
RADIUS, SMALLEST = 11.0, 2.5

BAND, WIDE_BAND, FILL = "#c9d7e6", "#e8eef5", "#d9d9d9"
POINTS = 101


@dataclass(frozen=True, eq=False)
class Bubbles:
    """Comparisons with both outcomes: observed effects on the analysis scale, the larger of their variances."""

    labels: tuple[str, ...]
    x: Floats
    y: Floats
    variance: Floats


def bubbles(result: MultilevelResult, *, surrogate: str, true: str) -> Bubbles:
    """Return the comparisons that report both outcomes."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row, trial in zip(result.used, result.trial, strict=True):
        again = 0
        while row.outcome in found.get((trial, again), {}):
            again += 1
        found.setdefault((trial, again), {})[row.outcome] = row
    both = {key: each for key, each in found.items() if surrogate in each and true in each}
    names = [each[true].label if each[true].row is None else trial for (trial, _), each in both.items()]
    return Bubbles(
        labels=_lettered(names),
        x=np.array([each[surrogate].yi for each in both.values()]),
        y=np.array([each[true].yi for each in both.values()]),
        variance=np.array([max(each[surrogate].vi, each[true].vi) for each in both.values()]),
    )


def _lettered(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of comparisons, those of one study told apart by letters.

    Examples
    --------
    >>> _lettered(["Fuchs 2015", "Yu 2015", "Fuchs 2015"])
    ('Fuchs 2015 a', 'Yu 2015', 'Fuchs 2015 b')
    """
    out = []
    for i, label in enumerate(labels):
        number = list(labels[:i]).count(label)
        out.append(f"{label} {chr(ord('a') + number)}" if list(labels).count(label) > 1 else label)
    return tuple(out)


def surrogacy_line(result: MultilevelResult) -> Figure:
    """Return the figure; without a line where there is none, and a note that says why.

    Raises
    ------
    InputError
        A model that is not of two outcomes.
    """
    found = result.surrogacy
    if found is None:
        raise InputError(
            "The figure shows the line between two outcomes, with the random term '~ outcome | study' of structure UN: "
            "give two outcomes of the evidence; of a table the surrogate one (--surrogate)."
        )
    seen = bubbles(result, surrogate=found.surrogate, true=found.true)
    if not len(seen.x):
        raise InputError(f"No comparison reports both {found.surrogate} and {found.true}; there is nothing to draw.")
    x_limits = spread_of(seen.x, [0.0, found.mean[0]], margin=0.16)
    y_limits = spread_of(seen.y, [0.0, found.mean[1]], margin=0.12)
    transform = transform_of(result.measure)

    def draw(axes: Any, left: float, top: float) -> None:
        panel = Panel(left, top, WIDTH, HEIGHT, x_limits, y_limits)
        name = label_of(result.measure)
        panel.frame(
            axes,
            x_ticks=effect_ticks(transform, *x_limits),
            y_ticks=effect_ticks(transform, *y_limits),
            x_label=f"{name}, {found.surrogate}",
            y_label=f"{name}, {found.true}",
        )
        for line in (
            axes.plot(panel.x([0.0, 0.0]), panel.y(y_limits), color=GREY, lw=0.7, ls=(0, (1, 2)), zorder=2),
            axes.plot(panel.x(x_limits), panel.y([0.0, 0.0]), color=GREY, lw=0.7, ls=(0, (1, 2)), zorder=2),
        ):
            panel.clip(line)
        if found.slope is not None and found.slope_se is not None:
            at = found.line(np.linspace(*x_limits, POINTS))
            x = panel.x(at.x)
            for low, high, colour, level in (
                (at.pi_lower, at.pi_upper, WIDE_BAND, 0),
                (at.ci_lower, at.ci_upper, BAND, 1),
            ):
                panel.clip(axes.fill_between(x, panel.y(low), panel.y(high), color=colour, lw=0, zorder=level))
            panel.clip(axes.plot(x, panel.y(at.estimate), color=BLUE, lw=1.6, zorder=3))
        radius = np.maximum(SMALLEST, RADIUS * np.sqrt(seen.variance.min() / seen.variance))
        order = np.argsort(-radius, kind="stable")
        axes.scatter(
            panel.x(seen.x[order]), panel.y(seen.y[order]), s=(2 * radius[order]) ** 2, facecolors=FILL,
            edgecolors=INK, linewidths=0.8, alpha=0.85, zorder=4,
        )  # fmt: skip
        pooled = panel.x(found.mean[:1]), panel.y(found.mean[1:])
        axes.plot(*pooled, marker="D", ms=5, color=BLUE, mec="white", mew=0.6, zorder=5)
        label_points(axes, panel, seen.x, seen.y, seen.labels, radius=radius)

    return chart(draw, width=WIDTH, height=HEIGHT, title=_title(result), notes=_notes(result), left=56.0)


def _title(result: MultilevelResult) -> str:
    found = result.surrogacy
    assert found is not None
    within = "" if result.rho is None else f", ρ within = {result.rho:g}"
    return f"{found.true} against {found.surrogate}: {found.trials} trials with both{within}"


def _notes(result: MultilevelResult) -> list[str]:
    found = result.surrogacy
    assert found is not None
    notes = ["Bubbles: comparisons, area by precision; diamond: pooled effects of both outcomes."]
    if found.slope is None:
        return [*notes, f"No line: effects on {found.surrogate} do not vary between trials beyond chance."]
    if found.slope_se is None:
        return [*notes, "No line: the data do not determine its slope."]
    level = f"{100 * found.level:g} %"
    r2 = "not estimable" if found.r2 is None else f"{found.r2:.2f}"
    if found.r2 is not None and found.r2_ci_lower is not None and found.r2_ci_upper is not None:
        r2 += f" ({found.r2_ci_lower:.2f}, {found.r2_ci_upper:.2f})"
    notes.append(f"Line: slope {found.slope:.2f}, R² trial {r2}; bands: its {level} interval, and that of a new trial.")
    if found.trials < 10:
        notes.append("So few trials cannot validate a surrogate.")
    return notes
