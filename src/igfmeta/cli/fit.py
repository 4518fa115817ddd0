"""`igfmeta fit`: the same engine on any table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.fit_batch import fit_batch, refuse_without_batch
from igfmeta.cli.fit_options import FitRequest, TableOptions, flag
from igfmeta.cli.output import say_written
from igfmeta.cli.request import takes
from igfmeta.cli.unheard import refuse_unheard, was_written, written
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.models_of_fit import ModelResult

FORMATS = ("table", "json", "csv", "markdown", "html")

_OUTPUT = "Output"

#: What the command itself heeds, whatever the model.
_OF_THE_COMMAND = {"data", "model", "output_format", "output", "forest", "figure"}


@takes(FitRequest)
def fit(
    request: FitRequest,
    *,
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help="The table: CSV (comma, semicolon or tab), Parquet or Excel.", metavar="FILE")
    ],
    output_format: Annotated[
        str,
        typer.Option(
            "--format", help="table, json, csv, markdown or html; with --batch csv or jsonl.", rich_help_panel=_OUTPUT
        ),
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.", rich_help_panel=_OUTPUT)
    ] = None,
    forest: Annotated[
        Path | None,
        typer.Option(help="Also draw the forest plot (.svg, .pdf, .png, .html or .txt).", rich_help_panel=_OUTPUT),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw the bubble plot of a meta-regression, or the forest of model robust by study (.svg, .pdf, "
            ".png).",
            rich_help_panel=_OUTPUT,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Fit a model to the studies of any table: effects, estimates with intervals, or events."""
    from igfmeta.cli.output import emit, rendered
    from igfmeta.cli.terminal import forest_text
    from igfmeta.evidence.columns import read_columns
    from igfmeta.report.of_fit import tables
    from igfmeta.synthesis import models_of_fit as models

    given = _given(context)
    if request.batch is not None:
        shape = output_format if was_written(context, "output_format") else None
        fit_batch(request, data, given=written(context), shape=shape, output=output)
        return
    refuse_without_batch(given)
    shape = check_choice("--format", output_format, FORMATS)
    model = check_choice("--model", request.model, models.MODEL_NAMES)
    models.refuse_unheeded(model, given, written=flag)
    columns = request.columns()
    refuse_unheard(context, *request.needs(columns.form(), figure=figure is not None))
    _check_files(model, forest, figure)
    table = read_columns(data, numeric=list(columns.given().values()), text=request.labels())
    result = models.fit_with(model, table, columns, **request.options(given))
    before = forest_text(result) if shape == "table" else ()
    text = rendered(result, tables, shape, page=_page, before=before)
    if forest is not None:
        _save_forest(result, model, forest)
    if figure is not None:
        _save_figure(result, model, figure)
    emit(text, output)


def _given(context: typer.Context) -> list[str]:
    """Return the options of a model that the user wrote; the columns of numbers are those of the table's form."""
    from dataclasses import fields

    columns = {f.name for f in fields(TableOptions)} - {"study", "subgroup"}
    return [name for name in written(context) if name not in columns | _OF_THE_COMMAND]


def _check_files(model: str, forest: Path | None, figure: Path | None) -> None:
    """Refuse files that no figure can be written to, before anything is fitted."""
    from igfmeta.plots import canvas, files

    if forest is not None:
        files.check_suffix(forest)
    if figure is not None:
        # Model robust draws its forest.
        (files if model == "robust" else canvas).check_suffix(figure)


def _save_forest(result: ModelResult, model: str, path: Path) -> None:
    from igfmeta.plots.drawn import Forests, forest_of

    drawn = forest_of(result)
    if drawn is None:
        raise InputError(f"--forest was given; a fit by model {model} has no forest plot.")
    for place in Forests((("fit", drawn),)).save(path):
        say_written(place)


def _save_figure(result: ModelResult, model: str, path: Path) -> None:
    from igfmeta.plots.canvas import save
    from igfmeta.plots.drawn import PICTURES
    from igfmeta.plots.drawn import figure as figure_of

    if model == "robust":
        _save_forest(result, model, path)
        return
    if type(result).__name__ not in PICTURES:
        raise InputError(f"--figure was given; a fit by model {model} has no figure but its forest (--forest).")
    say_written(save(figure_of(result), path))


def _page(result: ModelResult) -> str:
    from igfmeta.report.page import fit_page

    return fit_page(result)
