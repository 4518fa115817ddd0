"""`igfmeta regress`: meta-regression of the evidence."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.fit_options import RegressionOptions
from igfmeta.cli.output import rendered, say_written
from igfmeta.cli.request import Weighted, takes
from igfmeta.cli.unheard import refuse_unheard
from igfmeta.errors import InputError, check_choice

FORMATS = ("table", "json", "csv", "markdown")
_QUESTION, _MODEL, _OUTPUT = "Question", "Model", "Output"


@dataclass
class RegressRequest(RegressionOptions, Weighted):
    """Which studies, which moderators, and what is asked of the regression."""

    mods: Annotated[
        str | None,
        typer.Option(
            "--mods",
            "--moderators",
            help="Formula of columns of the trials table and tumor_group, such as '~ C(tumor_group) + year'.",
            rich_help_panel=_QUESTION,
            metavar="FORMULA",
        ),
    ] = None
    outcome: Annotated[
        str, typer.Option(help="Outcome (os, pfs, orr ...) or family (progression).", rich_help_panel=_QUESTION)
    ] = "os"
    measure: Annotated[
        str | None,
        typer.Option(help="HR; OR, RR, RD for two arms; PLO, PLN, PR for one arm.", rich_help_panel=_QUESTION),
    ] = None
    use: Annotated[
        str, typer.Option(help="primary, or sensitivity to add the rows marked so.", rich_help_panel=_QUESTION)
    ] = "primary"
    method: Annotated[
        str,
        typer.Option(
            help="Estimator of the residual tau2: CE (common effect), DL, DL2, CA2, HE, HS, HSK, SJ, ML, REML, EB, PM, "
            "PMM, GENQ.",
            rich_help_panel=_MODEL,
        ),
    ] = "REML"
    ci: Annotated[str, typer.Option(help="Tests and intervals: z, t, HK, HK-floor, KR.", rich_help_panel=_MODEL)] = "HK"
    level: Annotated[float, typer.Option(help="Level of every interval.", rich_help_panel=_MODEL)] = 0.95


@takes(RegressRequest)
def regress(
    request: RegressRequest,
    *,
    context: typer.Context,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, csv or markdown.", rich_help_panel=_OUTPUT)
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.", rich_help_panel=_OUTPUT)
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw the bubble plot (.svg, .pdf, .png).", rich_help_panel=_OUTPUT, metavar="FILE"),
    ] = None,
) -> None:
    """Regress effects on columns of the evidence: what goes with year, phase, tumour. (Bayesian: bayes --mods.)"""
    from igfmeta.cli.output import emit
    from igfmeta.plots.canvas import check_suffix, save
    from igfmeta.report.regress_summary import tables
    from igfmeta.synthesis.regress import regress as model

    shape = check_choice("--format", output_format, FORMATS)
    if request.mods is None:
        raise InputError("--mods is missing: a formula of moderators, such as '~ C(tumor_group) + year'.")
    refuse_unheard(context, *request.needs_of_regression(figure=figure is not None))
    if figure is not None:
        check_suffix(figure)
    names = [f.name for f in fields(RegressRequest) if f.name not in {s.name for s in fields(Weighted)} | {"mods"}]
    asked = {name: getattr(request, name) for name in names}
    result = model(request.evidence(), request.mods, **asked, risk_weights=request.weights(), **request.criteria())
    if figure is not None:
        from igfmeta.plots.bubble import bubble

        say_written(save(bubble(result), figure))
    emit(rendered(result, tables, shape), output)
