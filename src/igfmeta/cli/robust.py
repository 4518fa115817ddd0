"""`igfmeta robust`: every result of every study of the evidence, with robust variances."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.fit_options import RobustOptions
from igfmeta.cli.output import say_written
from igfmeta.cli.request import Many, Weighted, several, takes
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "csv", "markdown")
_QUESTION, _MODEL, _OUTPUT = "Question", "Model", "Output"


@dataclass
class RobustRequest(RobustOptions, Weighted):
    """Which studies, and how their results are weighted."""

    outcome: Annotated[
        Many,
        typer.Option(
            help="Outcomes or families with one measure; of several each has its own mean. Default: os.",
            rich_help_panel=_QUESTION,
            metavar="NAME[,NAME]",
        ),
    ] = None
    measure: Annotated[
        str | None,
        typer.Option(
            help="HR; OR, RR, RD, PETO, AS for two arms; PLO, PLN, PR, PAS, PFT for one arm.",
            rich_help_panel=_QUESTION,
            metavar="NAME",
        ),
    ] = None
    use: Annotated[
        str,
        typer.Option(
            help="primary, or sensitivity to add the rows marked so, also beside primary rows of their study.",
            rich_help_panel=_QUESTION,
            metavar="NAME",
        ),
    ] = "primary"
    mods: Annotated[
        str | None,
        typer.Option(
            "--mods",
            "--moderators",
            help="Formula of columns of the trials table and tumor_group, such as '~ year' or '~ outcome - 1'.",
            rich_help_panel=_QUESTION,
            metavar="FORMULA",
        ),
    ] = None
    cluster: Annotated[
        str,
        typer.Option(
            help="What holds results that may depend on each other: study, agent, class, tumor.",
            rich_help_panel=_MODEL,
            metavar="NAME",
        ),
    ] = "study"
    rho: Annotated[
        float | None,
        typer.Option(
            help="Assumed correlation of the sampling errors of two results of the same patients (CHE, CORR); others "
            "are tried too. Default: 0.8.",
            rich_help_panel=_MODEL,
            metavar="NUMBER",
        ),
    ] = None
    level: Annotated[float, typer.Option(help="Level of every interval.", rich_help_panel=_MODEL, metavar="NUMBER")] = (
        0.95
    )


@takes(RobustRequest)
def robust(
    request: RobustRequest,
    *,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, csv or markdown.", rich_help_panel=_OUTPUT)
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.", rich_help_panel=_OUTPUT)
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw the forest of the results by study (.svg, .pdf, .png, .html or .txt).",
            rich_help_panel=_OUTPUT,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Pool every result of every study, dependent as they are: doses, outcomes, cohorts; cluster-robust variances."""
    from igfmeta.cli.output import emit, rendered
    from igfmeta.cli.terminal import forest_text
    from igfmeta.plots.files import check_suffix
    from igfmeta.report.robust_summary import tables
    from igfmeta.synthesis.robust import robust as model

    shape = check_choice("--format", output_format, FORMATS)
    if figure is not None:
        check_suffix(figure)
    own = {f.name for f in fields(RobustRequest)} - {f.name for f in fields(Weighted)} - {"outcome"}
    result = model(
        request.evidence(),
        outcome=several(request.outcome) or "os",
        **{name: getattr(request, name) for name in sorted(own)},
        risk_weights=request.weights(),
        **request.criteria(),
    )
    text = rendered(result, tables, shape, before=forest_text(result) if shape == "table" else ())
    if figure is not None:
        for written in result.forest().save(figure):
            say_written(written)
    emit(text, output)
