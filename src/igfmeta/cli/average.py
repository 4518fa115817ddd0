"""`igfmeta average`: effect, heterogeneity and publication bias, averaged over models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from igfmeta.cli.output import emit, rendered
from igfmeta.cli.request import takes
from igfmeta.cli.study_request import StudyRequest, save_all
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "csv", "markdown")
_PANEL = "Models"


def _option(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_PANEL, metavar=metavar)


@takes(StudyRequest)
def average(
    request: StudyRequest,
    *,
    context: typer.Context,
    bias: Annotated[
        str,
        _option(
            "Publication bias: psma (six weight functions, PET, PEESE), steps (two two-sided weight functions), none."
        ),
    ] = "psma",
    favours: Annotated[
        str | None,
        _option(
            "Effects that are published sooner: higher or lower. Default: what favours the experimental arm; of a "
            "table, higher."
        ),
    ] = None,
    mu_prior: Annotated[
        str | None, _option('Prior of the effect where there is one. Default for log ratios: "normal(0, 1)".')
    ] = None,
    peese_scale: Annotated[
        float, _option("Scale of the half-Cauchy prior of the slope of PEESE; that of PET is 1.", "NUMBER")
    ] = 5.0,
    p_effect: Annotated[float, _option("Prior probability of an effect.", "NUMBER")] = 0.5,
    p_heterogeneity: Annotated[float, _option("Prior probability of heterogeneity.", "NUMBER")] = 0.5,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw (.svg, .pdf, .png).", metavar="FILE")] = None,
) -> None:
    """Average over models with and without an effect, heterogeneity and publication bias.

    Gives inclusion Bayes factors, the effect with its probability of being exactly none, and how much more likely
    significant results are to be published. Nothing is sampled. --prior is that of tau.
    """
    from igfmeta.report import average_summary
    from igfmeta.synthesis.averages import average_in

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(
        context,
        *request.needs_of_table(),
        Needs(("pi",), False, "a frequentist prediction interval, which average does not give"),
        Needs(("favours", "peese_scale"), bias == "psma", "--bias psma: the other sets have no side and no PEESE"),
    )
    sets, methods = request.heeding(request.sets(), approximated=True)
    result = average_in(
        sets,
        methods,
        bias=bias,
        favours=favours,
        mu_prior=mu_prior,
        tau_prior=request.prior,
        peese_scale=peese_scale,
        p_effect=p_effect,
        p_heterogeneity=p_heterogeneity,
    )
    text = rendered(result, average_summary.tables, shape)
    if figure is not None:
        from igfmeta.plots.average_figure import figures

        save_all(figures(result), figure)
    emit(text, output)
