"""The forest of sensitivity: the pooled effect under every choice, one under the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from igfmeta.errors import check_choice
from igfmeta.plots.matplotlib_forest import figure as forest_figure
from igfmeta.plots.step_forest import step_forest
from igfmeta.synthesis.sensitivity_results import SensitivityOf, SensitivityResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sensitivity_forest(found: SensitivityOf) -> Figure:
    """Return the choices as a forest, parted by kind, with the pool itself at the end."""
    fit = found.fit
    groups = [
        (words, [(c.name, c.estimate, c.ci_lower, c.ci_upper) for c in found.choices if c.kind == kind])
        for kind, words in found.kinds.items()
    ]
    forest = step_forest(
        found.studies,
        [(words, steps) for words, steps in groups if steps],
        (found.base, fit.estimate, fit.ci_lower, fit.ci_upper),
        title=f"Sensitivity: {found.studies.label}",
        level=fit.level,
    )
    return forest_figure(forest)


PLOTS: dict[str, Callable[[SensitivityOf], Figure]] = {"forest": sensitivity_forest}


def figures(result: SensitivityResult, plots: Sequence[str] = ("forest",)) -> list[tuple[str, Figure]]:
    """Return the figures that were asked for, by the name of their set."""
    chosen = [check_choice("plot", name, tuple(PLOTS)) for name in plots]
    return [(each.studies.name, PLOTS[name](each)) for each in result.sets for name in chosen]
