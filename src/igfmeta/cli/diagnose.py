"""`igfmeta diagnose`: whether saved draws can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.request import several
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "markdown")


def diagnose(
    file: Annotated[Path, typer.Argument(help="Draws that bayes --mcmc --save wrote (netCDF).", metavar="FILE.nc")],
    variable: Annotated[
        list[str] | None,
        typer.Option(help="Variables to show. Default: means, standard deviations, cells.", metavar="NAME[,NAME]"),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of every interval.", metavar="NUMBER")] = 0.95,
    output_format: Annotated[str, typer.Option("--format", help="table, json or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw (.svg, .pdf, .png).", metavar="FILE")] = None,
    plot: Annotated[
        list[str] | None,
        typer.Option(
            help="What to draw: rank, energy, ess, loo, ppc, psense. Default: all that the draws allow.",
            metavar="NAME[,NAME]",
        ),
    ] = None,
) -> None:
    """Examine saved draws: convergence, leave-one-out, replications, sensitivity to prior and data."""
    from igfmeta.bayes.mcmc.trust import examine, open_draws
    from igfmeta.cli.output import as_json, emit
    from igfmeta.report.trust_summary import tables

    shape = check_choice("--format", output_format, FORMATS)
    trust = examine(open_draws(str(file)), variables=several(variable), level=level)
    if figure is not None:
        from igfmeta.cli.study_request import save_all
        from igfmeta.plots.draws_figures import figures

        save_all(figures(trust, several(plot)), figure)
    if shape == "json":
        emit(as_json(trust.to_dict()), output)
    elif shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        emit("\n".join(map(table_to_markdown, tables(trust))), output)
    else:
        from igfmeta.cli.terminal import to_text

        emit("\n".join(map(to_text, tables(trust))), output)
