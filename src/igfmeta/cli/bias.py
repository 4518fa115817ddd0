"""`igfmeta bias`: small-study effects and selection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import emit, rendered
from igfmeta.cli.request import Many, several, takes
from igfmeta.cli.study_request import StudyRequest, plots_of, save_all
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import InputError, check_choice, listed
from igfmeta.models.bias.names import SELECTIONS, TEST_WORDS

if TYPE_CHECKING:
    from igfmeta.synthesis.bias import BiasOptions

FORMATS = ("table", "json", "csv", "markdown")
PLOTS = ("funnel", "trim-fill", "radial", "labbe", "qq", "drapery", "weights")
_PANEL = "Small-study effects"


def _option(text: str, *names: str, metavar: str | None = "NAME[,NAME]") -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_PANEL, metavar=metavar)


def numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """Return the numbers of an option that holds several, parted by commas.

    Examples
    --------
    >>> numbers("--steps", "0.025,0.5")
    (0.025, 0.5)
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} was {text!r}; accepted are numbers parted by commas, such as 0.025,0.5.") from None


def _refuse_unheard(context: typer.Context, options: BiasOptions) -> None:
    """Refuse options of parts that `--show` leaves out, and of selection models that are not fitted."""
    from igfmeta.models.bias.selection.registry import WEIGHTS

    def part(name: str, *options_of: str) -> Needs:
        return Needs(options_of, name in options.parts, f"the part {name}, which --show leaves out")

    selected = "selection" in options.parts
    weakening = [name for name, weight in WEIGHTS.items() if weight.takes_precision]
    refuse_unheard(
        context,
        part("tests", "test"),
        part("adjusted", "side"),
        part("significance", "target"),
        part("selection", "selection", "steps", "weights", "alternative", "precision"),
        Needs(("steps", "weights"), not selected or "step" in options.selection, "--selection step"),
        Needs(
            ("precision",),
            not selected or any(name in weakening for name in options.selection),
            f"--selection {listed(weakening)}",
        ),
    )


@takes(StudyRequest)
def bias(
    request: StudyRequest,
    *,
    context: typer.Context,
    show: Annotated[Many, _option("Parts: tests, adjusted, selection, copas, significance. Default: all.")] = None,
    test: Annotated[Many, _option(f"Tests of asymmetry: {TEST_WORDS}. Default: all that the data allow.")] = None,
    selection: Annotated[Many, _option(f"Selection models: {', '.join(SELECTIONS)}. Default: all.")] = None,
    steps: Annotated[str, _option("Cut points of the step function of p.", metavar="NUMBER[,NUMBER]")] = "0.025",
    weights: Annotated[
        str | None,
        _option("Weights of its intervals, the first included, given and not estimated.", metavar="NUMBER[,NUMBER]"),
    ] = None,
    alternative: Annotated[
        str, _option("Which effects make small p-values: auto, greater, less, two-sided.", metavar="NAME")
    ] = "auto",
    precision: Annotated[str, _option("Selection weakens with precision: none, sei, vi.", metavar="NAME")] = "none",
    side: Annotated[
        str | None, _option("Where trim and fill looks: left or right. Default: where Egger says.", metavar="NAME")
    ] = None,
    target: Annotated[
        float | None, _option("Orwin's negligible effect, on the analysis scale. Default: half.", metavar="NUMBER")
    ] = None,
    force: Annotated[
        bool,
        _option(
            "Also what is not advised: under 10 studies; for rates what rests on their standard errors.",
            "--force",
            metavar=None,
        ),
    ] = False,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw (.svg, .pdf, .png).", metavar="FILE")] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option(help=f"What to draw: {', '.join(PLOTS)}. Default: funnel.", metavar="NAME[,NAME]"),
    ] = None,
) -> None:
    """Look for small-study effects: tests of asymmetry, adjusted effects, selection models."""
    from igfmeta.report import bias_summary
    from igfmeta.synthesis.bias import BiasOptions, bias_in, refuse_if_all_are_small

    shape = check_choice("--format", output_format, FORMATS)
    plots = plots_of(plot, figure, "funnel")
    request.refuse_prior()
    chosen: dict[str, Any] = {
        "parts": several(show),
        "tests": several(test),
        "selection": several(selection),
        "steps": numbers("--steps", steps),
    }
    options = BiasOptions(
        **{name: value for name, value in chosen.items() if value is not None},
        weights=numbers("--weights", weights),
        alternative=alternative,
        precision=precision,
        side=side,
        target=target,
        force=force,
    ).checked()
    _refuse_unheard(context, options)
    refuse_unheard(context, request.needs_of_pi(), *request.needs_of_table(sizes=True))
    sets, methods = request.heeding(request.sets(), approximated=force)
    result = bias_in(sets, methods, options)
    if figure is not None:
        from igfmeta.plots.bias_figures import figures

        save_all(figures(result, plots), figure)
    refuse_if_all_are_small(result)
    emit(rendered(result, bias_summary.tables, shape), output)
