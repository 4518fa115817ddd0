"""`igfmeta rob`: the risk of bias of the studies, as tables and as traffic lights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.request import Selected, several, takes
from igfmeta.cli.study_request import save_all
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "csv", "markdown")


@takes(Selected)
def rob(
    request: Selected,
    *,
    outcome: Annotated[list[str] | None, typer.Option(help="Studies with a row of this outcome (os, pfs ...).")] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw lights per study and a summary: FILE-lights, FILE-summary (.svg, .pdf, .png).",
                     metavar="FILE"),
    ] = None,
) -> None:  # fmt: skip
    """Show the risk of bias of the studies: a judgement per domain, what supports it, the worst as overall.

    Judgements are read from risk_of_bias.csv beside the trials. Those that ship follow from the evidence table by rule
    (blinding, early stopping, subsets, retraction) and name their row; they are no RoB 2 assessment.
    """
    from igfmeta.cli.output import emit, rendered
    from igfmeta.report import risk_of_bias_summary
    from igfmeta.synthesis.risk_of_bias import risk_of_bias

    shape = check_choice("--format", output_format, FORMATS)
    asked = several(outcome)
    criteria = {**request.criteria(), **({} if asked is None else {"outcome": asked})}
    result = risk_of_bias(request.evidence(), **criteria)
    if figure is not None:
        from igfmeta.plots.risk_of_bias_figures import figures

        save_all(figures(result), figure)
    emit(rendered(result, risk_of_bias_summary.tables, shape), output)
