"""`igfmeta pool`: the evidence pooled by class of agent and type of tumour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.request import PoolRequest, takes
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.results import PoolResult

FORMATS = ("table", "json", "csv", "markdown", "html")


@takes(PoolRequest)
def pool(
    request: PoolRequest,
    *,
    context: typer.Context,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv, markdown or html.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Per study: numbers as reported, rule, result; and every row not used."),
    ] = False,
    forest: Annotated[
        Path | None, typer.Option(help="Also draw the forest plots (.svg, .pdf, .png, .html or .txt).")
    ] = None,
) -> None:
    """Pool the evidence: overall survival, progression and response, overall and by type of tumour.

    Each row shows the REML estimate with its Hartung-Knapp interval and, beside it, the Bayesian posterior.
    """
    from igfmeta.cli.output import emit

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(context, Needs(("explain",), shape not in ("json", "csv"), "a format for readers; json has it all"))
    result = request.pool()
    text = rendered(result, shape, explain=explain)
    if forest is not None:
        from igfmeta.cli.forest import save_forests

        save_forests(result, forest)
    emit(text, output)


def rendered(result: PoolResult, shape: str, *, explain: bool) -> str:
    """Return a pool in one of `FORMATS`."""
    from igfmeta.report import explanation, summary

    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(result.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame())
    if shape == "html":
        from igfmeta.report.page import pool_page

        return pool_page(result, explain=explain)
    tables = [summary.summary(answer) for answer in result]
    if explain:
        tables += [table for answer in result for table in explanation.tables(answer)]
        tables += [explanation.not_used(missing.question, missing.unused) for missing in result.unanswered]
    if shape == "markdown":
        from igfmeta.report.markdown import markdown_text, table_to_markdown

        return "\n".join([*map(table_to_markdown, tables), *map(markdown_text, summary.closing_lines(result))])
    from igfmeta.cli.terminal import to_text

    return "\n".join([*map(to_text, tables), *summary.closing_lines(result)])
