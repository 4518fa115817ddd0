"""Results and their forests: what a notebook shows, and what `save` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igfmeta.plots.files import check_suffix, save_forest
from igfmeta.plots.forest import Forest
from igfmeta.plots.html_forest import to_html
from igfmeta.plots.pool_forest import answer_forest
from igfmeta.plots.risk_forest import risk_forest
from igfmeta.synthesis.results import PoolResult
from igfmeta.synthesis.risk_results import RiskResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Kind of result of `fit --model` -> the function that draws its forest (`module:name`).
FORESTS = {
    "FitResult": "igfmeta.plots.fit_forest:fit_forest",
    "MultilevelResult": "igfmeta.plots.multilevel_forest:multilevel_forest",
    "RobustResult": "igfmeta.plots.robust_forest:robust_forest",
}

#: Kind of result -> the function that draws its figure that is no forest.
PICTURES = {
    "HierarchyResult": "igfmeta.plots.matrix:matrix",
    "DoseResult": "igfmeta.plots.dose_curve:dose_curve",
    "SurvivalCurves": "igfmeta.plots.survival_curve:survival_curve",
    "MetaRegression": "igfmeta.plots.bubble:bubble",
    "MultilevelResult": "igfmeta.plots.surrogacy_line:surrogacy_line",
    "Triangulation": "igfmeta.plots.triangulation_scatter:triangulation_scatter",
}


#: Kind of result -> the function that draws its figures, and the one that a notebook shows.
PLOTS = {
    "InfluenceResult": ("igfmeta.plots.influence_figures:figures", "panel"),
    "BiasResult": ("igfmeta.plots.bias_figures:figures", "funnel"),
    "SensitivityResult": ("igfmeta.plots.sensitivity_figures:figures", "forest"),
}


@dataclass(frozen=True, eq=False)
class Forests:
    """The forest plots of a result, by name; draws itself in a notebook."""

    named: tuple[tuple[str, Forest], ...]

    def save(self, path: str | Path) -> list[Path]:
        """Write the figures and return their paths.

        One forest is written to `path`; of several, each gets its name before the suffix (`forest-os.svg`).
        """
        path = Path(path)
        check_suffix(path)
        if len(self.named) == 1:
            return [save_forest(self.named[0][1], path)]
        return [save_forest(forest, path.with_stem(f"{path.stem}-{name}")) for name, forest in self.named]

    def _repr_html_(self) -> str:
        return "\n".join(
            to_html(forest, id_prefix=f"igfmeta-{name}", styled=i == 0) for i, (name, forest) in enumerate(self.named)
        )


def pool_forests(
    result: PoolResult, *, bayes: bool = True, left: Sequence[str] | None = None, right: Sequence[str] | None = None
) -> Forests:
    """Return the forests of a pool, one per answer; for the options see `igfmeta.plots.pool_forest.answer_forest`."""
    names = [f"{a.question.name}-{a.question.measure.lower()}" for a in result]
    plain = [answer.question.name for answer in result]
    chosen = plain if len(set(plain)) == len(plain) else names
    drawn = (answer_forest(answer, bayes=bayes, left=left, right=right) for answer in result)
    return Forests(tuple(zip(chosen, drawn, strict=True)))


def forest_of(result: Any) -> Forest | None:
    """Return the forest of what a model of `fit` returned; None where its kind has none."""
    drawer = FORESTS.get(type(result).__name__)
    if drawer is None:
        return None
    module, _, name = drawer.partition(":")
    forest: Forest = getattr(import_module(module), name)(result)
    return forest


def fit_forests(result: Any) -> Forests:
    """Return the forest of a fit."""
    forest = forest_of(result)
    return Forests(() if forest is None else (("fit", forest),))


def risk_forests(result: RiskResult) -> Forests:
    """Return the forest of a pool of associations; none where only published pools were compared."""
    return Forests((("risk", risk_forest(result)),) if result.groups else ())


def forests(result: Any, **options: Any) -> Forests:
    """Return the forests of a pool, of a fit or of a pool of associations."""
    if isinstance(result, RiskResult):
        return risk_forests(result, **options)
    return pool_forests(result, **options) if isinstance(result, PoolResult) else fit_forests(result, **options)


def figure(result: Any) -> Figure:
    """Return the figure of a result of `PICTURES`."""
    module, _, name = PICTURES[type(result).__name__].partition(":")
    drawn: Figure = getattr(import_module(module), name)(result)
    return drawn


def figures(result: Any, *plots: str) -> dict[str, Figure]:
    """Return figures of a result of `PLOTS` by name: those named, or the one that a notebook shows."""
    function, first = PLOTS[type(result).__name__]
    module, _, name = function.partition(":")
    drawn: list[tuple[str, Figure]] = getattr(import_module(module), name)(result, plots or (first,))
    return dict(drawn)


def html(result: Any) -> str:
    """Return a result as an HTML fragment: its forests, or its figures."""
    if type(result).__name__ in PLOTS:
        from igfmeta.plots.canvas import inline_svg

        return "\n".join(inline_svg(drawn, name) for name, drawn in figures(result).items())
    parts = []
    kind = type(result).__name__
    if kind not in PICTURES or kind in FORESTS:
        parts.append(forests(result)._repr_html_())
    if kind in PICTURES and getattr(result, "pictured", True):
        from igfmeta.plots.canvas import inline_svg

        parts.append(inline_svg(figure(result), result.title))
    return "\n".join(parts)
