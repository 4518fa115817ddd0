"""`igfmeta fit`: the same engine on any table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.errors import check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.fitting import FitResult

FORMATS = ("table", "json", "csv", "markdown", "html")

_COLUMNS = "Columns: exactly one set"
_MODEL = "Model"
_OUTPUT = "Output"


def _column(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_COLUMNS, metavar="COLUMN")


def _model(text: str, *names: str, metavar: str | None = "NAME") -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_MODEL, metavar=metavar)


def fit(
    data: Annotated[
        Path, typer.Option(help="The table: CSV (comma, semicolon or tab), Parquet or Excel.", metavar="FILE")
    ],
    yi: Annotated[str | None, _column("Effects on the analysis scale, with --vi or --sei.")] = None,
    vi: Annotated[str | None, _column("Their sampling variances.")] = None,
    sei: Annotated[str | None, _column("Their standard errors.")] = None,
    estimate: Annotated[str | None, _column("Estimates, with --lower, --upper and --scale.")] = None,
    lower: Annotated[str | None, _column("Lower limits.")] = None,
    upper: Annotated[str | None, _column("Upper limits.")] = None,
    events1: Annotated[str | None, _column("Events in arm 1, with --n1, --events2, --n2 and --measure.")] = None,
    n1: Annotated[str | None, _column("Patients in arm 1.")] = None,
    events2: Annotated[str | None, _column("Events in arm 2.")] = None,
    n2: Annotated[str | None, _column("Patients in arm 2.")] = None,
    events: Annotated[str | None, _column("Events in a single arm, with --n and --measure.")] = None,
    n: Annotated[str | None, _column("Patients in a single arm.")] = None,
    study: Annotated[str | None, _column("Labels of the studies.")] = None,
    subgroup: Annotated[str | None, _column("Groups to pool apart and to compare.")] = None,
    measure: Annotated[
        str | None, _model("For events: OR, RR, RD, PETO, AS of two arms; PLO, PLN, PR, PAS, PFT of one.")
    ] = None,
    scale: Annotated[
        str | None, _model("log: estimates are ratios (or effects are logs); identity: they are differences.")
    ] = None,
    ci_level: Annotated[float, _model("Level of the intervals in the table.", metavar="NUMBER")] = 0.95,
    zero_cells: Annotated[
        str, _model("What is done about zero cells: none, only0, if0all, all, treatment_arm.")
    ] = "only0",
    method: Annotated[
        str, _model("Estimator of tau2: CE, DL, DL2, CA2, HE, HS, HSK, SJ, ML, REML, EB, PM, PMM, GENQ.")
    ] = "REML",
    ci: Annotated[str, _model("Interval of the pooled effect: z, t, HK, HK-floor, KR.")] = "HK",
    pi: Annotated[str, _model("Prediction interval: z, V, HTS, HK, HK-PR, KR, KR-PR.")] = "HK",
    tau2_ci: Annotated[str, _model("Interval of tau2: QP (Q-profile), PL (profile likelihood), none.")] = "QP",
    level: Annotated[float, _model("Level of every interval in the result.", metavar="NUMBER")] = 0.95,
    subgroup_tau2: Annotated[str, _model("tau2 of the subgroups: separate or common.")] = "separate",
    bayes: Annotated[bool, _model("Also give the Bayesian posterior.", "--bayes", metavar=None)] = False,
    prior: Annotated[str | None, _model('Prior of tau, such as "half-normal(0.5)"; asks for --bayes.')] = None,
    leave_one_out: Annotated[bool, typer.Option("--leave-one-out", help="Also pool without each study.")] = False,
    cumulative: Annotated[
        bool, typer.Option("--cumulative", help="Also pool study after study, in the order of the table.")
    ] = False,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, csv, markdown or html.", rich_help_panel=_OUTPUT)
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.", rich_help_panel=_OUTPUT)
    ] = None,
    forest: Annotated[
        Path | None,
        typer.Option(help="Also draw the forest plot (.svg, .pdf, .png, .html or .txt).", rich_help_panel=_OUTPUT),
    ] = None,
) -> None:
    """Pool the studies of any table: effects, estimates with intervals, or events."""
    from igfmeta.cli.output import emit
    from igfmeta.evidence.columns import read_columns
    from igfmeta.synthesis import fitting
    from igfmeta.synthesis.inputs import Columns
    from igfmeta.synthesis.methods import Methods

    shape = check_choice("--format", output_format, FORMATS)
    columns = Columns(
        yi=yi, vi=vi, sei=sei, estimate=estimate, lower=lower, upper=upper, events1=events1, n1=n1, events2=events2,
        n2=n2, events=events, n=n,
    )  # fmt: skip
    columns.form()
    labels = [name for name in (study, subgroup) if name is not None]
    table = read_columns(data, numeric=list(columns.given().values()), text=labels)
    result = fitting.fit(
        table,
        columns,
        measure=measure,
        scale=scale,
        ci_level=ci_level,
        zero_cells=zero_cells,
        study=study,
        subgroup=subgroup,
        subgroup_tau2=subgroup_tau2,
        leave_one_out=leave_one_out,
        cumulative=cumulative,
        bayes=bayes or prior is not None,
        prior=prior,
        methods=Methods(method=method, ci=ci, pi=pi, tau2_ci=tau2_ci, level=level),
    )
    text = rendered(result, shape)
    if forest is not None:
        from igfmeta.plots.drawn import fit_forests

        for written in fit_forests(result).save(forest):
            typer.echo(f"Written: {written}", err=True)
    emit(text, output)


def rendered(result: FitResult, shape: str) -> str:
    """Return a fit in one of `FORMATS`."""
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(result.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame())
    if shape == "html":
        from igfmeta.report.page import fit_page

        return fit_page(result)
    from igfmeta.report import fit_summary

    tables = fit_summary.tables(result)
    if shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        return "\n".join(map(table_to_markdown, tables))
    from igfmeta.cli.terminal import forest_text, to_text

    return "\n".join([forest_text(result), *map(to_text, tables)])
