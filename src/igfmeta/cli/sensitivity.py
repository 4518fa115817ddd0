"""`igfmeta sensitivity`: the pooled effect under every choice, in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.output import emit, rendered
from igfmeta.cli.request import takes
from igfmeta.cli.study_request import StudyRequest, save_all
from igfmeta.cli.unheard import refuse_unheard
from igfmeta.errors import NothingToPool, check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.study_sets import StudySet

FORMATS = ("table", "json", "csv", "markdown")


@takes(StudyRequest)
def sensitivity(
    request: StudyRequest,
    *,
    context: typer.Context,
    risk: Annotated[
        str | None,
        typer.Option(
            help="Of a table: the column of the risk of bias (low, some concerns, high).",
            rich_help_panel="Columns of a table of your own (--data)",
            metavar="COLUMN",
        ),
    ] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw all as a forest (.svg, .pdf, .png).", metavar="FILE")
    ] = None,
) -> None:
    """Pool under every estimator of tau2, interval, model and selection of studies: one table."""
    from igfmeta.report import sensitivity_summary
    from igfmeta.synthesis.sensitivity import sensitivity_in

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(context, request.needs_of_pi(), *request.needs_of_table())
    sets, methods = request.heeding(request.sets(risk=risk), approximated=True)
    result = sensitivity_in(sets, methods, variants=other_uses(request), prior=request.prior)
    if figure is not None:
        from igfmeta.plots.sensitivity_figures import figures

        save_all(figures(result), figure)
    emit(rendered(result, sensitivity_summary.tables, shape), output)


def other_uses(request: StudyRequest) -> dict[str, tuple[StudySet, ...]]:
    """Return the studies at the other level of `use`, for a request of evidence tables."""
    if request.of_table():
        return {}
    others = {
        "primary": ("sensitivity", "With the rows marked for sensitivity analyses"),
        "sensitivity": ("primary", "Primary rows only"),
    }
    use, words = others[check_choice("use", request.use, tuple(others))]
    try:
        return {words: replace(request, use=use).sets()}
    except NothingToPool:
        return {words: ()}
