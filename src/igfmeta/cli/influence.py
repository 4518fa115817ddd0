"""`igfmeta influence`: what each study does to the pool, and what would turn its conclusion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.output import emit, rendered
from igfmeta.cli.request import takes
from igfmeta.cli.study_request import StudyRequest, plots_of, save_all
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "csv", "markdown")
_PANEL = "Influence"


@takes(StudyRequest)
def influence(
    request: StudyRequest,
    *,
    context: typer.Context,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Leave out clusters, not studies: study, agent, class or tumor; of a table, a column.",
            rich_help_panel=_PANEL,
            metavar="NAME",
        ),
    ] = None,
    cumulative: Annotated[
        str | None,
        typer.Option(
            help="Also pool study after study: by year, by precision, or as in the table.",
            rich_help_panel=_PANEL,
            metavar="year|precision|table",
        ),
    ] = None,
    gosh: Annotated[
        bool,
        typer.Option(
            "--gosh", help="Also pool all subsets (above 20 studies, of rates 10, a sample).", rich_help_panel=_PANEL
        ),
    ] = False,
    subsets: Annotated[
        int | None,
        typer.Option(help="Size of a sample of subsets; asks for --gosh.", rich_help_panel=_PANEL, metavar="NUMBER"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample of subsets.", rich_help_panel=_PANEL, metavar="NUMBER")] = 1,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw (.svg, .pdf, .png).", metavar="FILE")] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option(
            help="What to draw: panel, baujat, gosh, leave-one-out, cumulative. Default: panel.",
            metavar="NAME[,NAME]",
        ),
    ] = None,
) -> None:
    """Leave out each study in turn: residuals, leverage, Cook's distance, all subsets, fragility."""
    from igfmeta.report import influence_summary
    from igfmeta.synthesis.influence import influence_in

    shape = check_choice("--format", output_format, FORMATS)
    plots = plots_of(plot, figure, "panel")
    request.refuse_prior()
    refuse_unheard(
        context,
        Needs(("seed",), gosh or subsets is not None, "--gosh or --subsets"),
        *request.needs_of_table(year=cumulative == "year"),
    )
    sets, methods = request.heeding(request.sets(cluster=cluster))
    result = influence_in(
        sets,
        methods,
        cumulative=cumulative,
        with_gosh=gosh or subsets is not None,
        subsets=subsets,
        seed=seed,
    )
    text = rendered(result, influence_summary.tables, shape)
    if figure is not None:
        from igfmeta.plots.influence_figures import figures

        save_all(figures(result, plots), figure)
    emit(text, output)
