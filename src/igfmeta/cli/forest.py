"""`igfmeta forest`: a figure from the same selections as `igfmeta pool`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import PoolRequest, several, takes
from igfmeta.cli.unheard import Needs, refuse_unheard

if TYPE_CHECKING:
    from igfmeta.synthesis.results import PoolResult


@takes(PoolRequest)
def forest(
    request: PoolRequest,
    *,
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The figure: .svg, .pdf, .png, .html or .txt.")],
    bayes: Annotated[bool, typer.Option(help="Draw the posterior beside each pooled effect.")] = True,
    left: Annotated[
        list[str] | None,
        typer.Option(help="Columns left of the plot: experimental, control, n, agent, class, tumor, phase, year ..."),
    ] = None,
    right: Annotated[
        list[str] | None, typer.Option(help="Columns right of it: estimate, weight, or any of the others.")
    ] = None,
) -> None:
    """Draw the forest plots of a selection; with several outcomes, one file for each."""
    refuse_unheard(context, Needs(("prior",), bayes, "the posterior, which --no-bayes leaves out"))
    save_forests(request.pool(), output, bayes=bayes, left=several(left), right=several(right))


def save_forests(result: PoolResult, path: Path, **options: Any) -> None:
    """Save the forests of a pool and name the files on standard error."""
    from igfmeta.plots.drawn import pool_forests

    for written in pool_forests(result, **options).save(path):
        say_written(written)
