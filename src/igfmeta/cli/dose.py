"""`igfmeta dose`: dose-response meta-analysis of exposure groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import several
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.evidence.tables import Evidence

FORMATS = ("table", "json", "csv", "markdown", "html")

_DATA, _COLUMNS, _MODEL, _OUTPUT = "Data", "Columns of --data FILE that have other names", "Model", "Output"


def _data(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_DATA, metavar=metavar)


def _column(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_COLUMNS, metavar="COLUMN")


def _model(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_MODEL, metavar=metavar)


def _output(text: str, *names: str, metavar: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_OUTPUT, metavar=metavar)


def dose(
    context: typer.Context,
    cancer: Annotated[str | None, _data("Cancer, for the evidence.")] = None,
    biomarker: Annotated[str | None, _data("Marker, for the evidence: igf1, igfbp3 ...")] = None,
    subgroup: Annotated[str | None, _data("Subgroup; default: all, or a study's only one.")] = None,
    data: Annotated[
        Path | None,
        _data(
            "A table of exposure groups, or a folder of evidence of your own. Default: the shipped evidence.",
            "FILE_OR_DIR",
        ),
    ] = None,
    unit: Annotated[str | None, _data("Unit of the dose, where studies differ: they are not mixed.")] = None,
    design: Annotated[
        str | None,
        _data("cc (case-control), ci (cumulative incidence) or ir (incidence rate), where the data do not say."),
    ] = None,
    study: Annotated[str | None, _column("Study [id].")] = None,
    dose_column: Annotated[str | None, _column("Dose [dose]; reference groups too.", "--dose")] = None,
    range_low: Annotated[str | None, _column("Or lower bound of the group [range_low].")] = None,
    range_high: Annotated[str | None, _column("And upper bound [range_high].")] = None,
    cases: Annotated[str | None, _column("Cases [cases].")] = None,
    n: Annotated[str | None, _column("Subjects, cases included, or person-time (ir) [n].", "--n")] = None,
    type_column: Annotated[str | None, _column("Design by study: cc, ci, ir [type].", "--type")] = None,
    log_rr: Annotated[str | None, _column("Log relative risks [logrr], with --se; 0 for the reference.")] = None,
    se: Annotated[str | None, _column("Their standard errors [se]; blank or 0 for the reference.")] = None,
    rr: Annotated[str | None, _column("Or relative risks [rr], with --lower and --upper.")] = None,
    lower: Annotated[str | None, _column("Lower limits [lower].")] = None,
    upper: Annotated[str | None, _column("Upper limits [upper].")] = None,
    ci_level: Annotated[float, _data("Level of the intervals in the data.", "NUMBER")] = 0.95,
    model: Annotated[
        str, _model("linear, quadratic, rcs (restricted cubic spline) or fp (fractional polynomial).")
    ] = "linear",
    knots: Annotated[
        list[str] | None,
        _model("Of rcs: their number, 3 to 7 (default 3), or the doses, such as 0,2,6.5.", "NUMBER[,...]"),
    ] = None,
    powers: Annotated[
        list[str] | None, _model("Of fp: one or two, such as --powers=-1,2. Default: by AIC.", "NUMBER[,NUMBER]")
    ] = None,
    degree: Annotated[int | None, _model("Of fp: 1 or 2 (default) powers to be chosen.", "1|2")] = None,
    stages: Annotated[str, _model("two, or one: studies with too few groups for a curve take part.")] = "two",
    method: Annotated[str, _model("Between-study covariance: reml, ml, mm (two stages) or fixed.")] = "reml",
    covariance: Annotated[
        str, _model("Within studies: gl (Greenland-Longnecker), hamling, or independent (needs no counts).")
    ] = "gl",
    open_ended: Annotated[
        str,
        _model(
            "Dose of an open-ended group: neighbour (half its width beyond the boundary), twenty-percent (beyond "
            "it; below the lowest, half of it) or refuse."
        ),
    ] = "neighbour",
    dose_scale: Annotated[
        str,
        _model(
            "reported; sd: the groups' mean normal scores, which need controls per group and no doses; equal-groups: "
            "those of quantile groups of equal size."
        ),
    ] = "reported",
    reference: Annotated[float | None, _model("Dose with relative risk 1. Default: the lowest.", "DOSE")] = None,
    at: Annotated[list[str] | None, _model("Doses at which to give the curve.", "DOSE[,...]")] = None,
    level: Annotated[float, _model("Level of the intervals in the result.", "NUMBER")] = 0.95,
    figure: Annotated[
        Path | None, _output("Also draw the curve with the studies (.svg, .pdf, .png).", metavar="FILE")
    ] = None,
    output_format: Annotated[str, _output("table, json, csv, markdown or html.", "--format", metavar="NAME")] = "table",
    output: Annotated[Path | None, _output("Write to this file instead.", "--output", "-o", metavar="FILE")] = None,
) -> None:
    """Pool dose-response curves: relative risks by exposure group, from the evidence or any table."""
    from igfmeta.cli.output import emit, rendered
    from igfmeta.report.dose_summary import tables
    from igfmeta.report.risk_page import dose_page
    from igfmeta.synthesis.dose import dose_response

    shape = check_choice("--format", output_format, FORMATS)
    if figure is not None:
        from igfmeta.plots.canvas import check_suffix

        check_suffix(figure)
    refuse_unheard(
        context,
        Needs(("open_ended",), dose_scale == "reported", "--dose-scale reported: normal scores need no doses"),
        Needs(("ci_level",), log_rr is None, "intervals: --log-rr comes with standard errors"),
    )
    columns = {
        "study": study, "dose": dose_column, "range_low": range_low, "range_high": range_high, "cases": cases, "n": n,
        "design": type_column, "log_rr": log_rr, "se": se, "rr": rr, "lower": lower, "upper": upper,
    }  # fmt: skip
    result = dose_response(
        _table(data, columns),
        columns=columns,
        cancer=cancer,
        biomarker=biomarker,
        subgroup=subgroup,
        unit=unit,
        design=design,
        model=model,
        knots=_knots(knots),
        powers=numbers_of("--powers", powers),
        degree=degree,
        stages=stages,
        method=method,
        covariance=covariance,
        open_ended=open_ended,
        dose_scale=dose_scale,
        reference=reference,
        at=numbers_of("--at", at),
        ci_level=ci_level,
        level=level,
    )
    text = rendered(result, tables, shape, page=dose_page)
    if figure is not None:
        from igfmeta.plots.canvas import save
        from igfmeta.plots.dose_curve import dose_curve

        say_written(save(dose_curve(result), figure))
    emit(text, output)


def _table(data: Path | None, columns: dict[str, str | None]) -> Evidence | pd.DataFrame:
    """Return the evidence, or the columns of a table that are needed."""
    if data is None or data.is_dir():
        from igfmeta.evidence import load_evidence

        return load_evidence(data, tables=("dose_response", "associations"))
    from igfmeta.evidence.columns import read_columns
    from igfmeta.evidence.reading import read_table
    from igfmeta.synthesis.dose_inputs import TEXTS, named_columns

    table = read_table(data)
    found = named_columns(table.header, columns, table.file)
    text = [name for role, name in found.items() if role in TEXTS]
    return read_columns(data, numeric=[name for name in found.values() if name not in text], text=text)


def numbers_of(option: str, given: list[str] | None) -> list[float] | None:
    """Return the numbers of an option that may be repeated or hold commas; None where it was not given.

    Examples
    --------
    >>> numbers_of("--at", ["0,12.5", "24"])
    [0.0, 12.5, 24.0]
    """
    from igfmeta.evidence.columns import not_a_number

    texts = several(given)
    if texts is None:
        return None
    wrong = next((text for text in texts if not_a_number(text)), None)
    if wrong is not None:
        raise InputError(f"{option} was {wrong!r}; accepted are numbers, such as 0,12.5,24.")
    return [float(text) for text in texts]


def _knots(given: list[str] | None) -> int | list[float] | None:
    """Return the number of knots where one whole number was given, else where they lie."""
    values = numbers_of("--knots", given)
    if values is not None and len(values) == 1 and values[0].is_integer():
        return int(values[0])
    return values
