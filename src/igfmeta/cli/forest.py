"""`igfmeta forest`: a figure from the same selections as `igfmeta pool`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.request import Request, takes

if TYPE_CHECKING:
    from igfmeta.synthesis.results import PoolResult


@takes(Request)
def forest(
    request: Request,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The figure: .svg, .pdf, .png, .html or .txt.")],
    bayes: Annotated[bool, typer.Option(help="Draw the posterior beside each pooled effect.")] = True,
) -> None:
    """Draw the forest plots of a selection; with several outcomes, one file for each."""
    save_forests(request.pool(), output, bayes=bayes)


def save_forests(result: PoolResult, path: Path, *, bayes: bool = True) -> None:
    """Save the forests of a pool and name the files on standard error."""
    from igfmeta.plots.drawn import pool_forests

    for written in pool_forests(result, bayes=bayes).save(path):
        typer.echo(f"Written: {written}", err=True)
