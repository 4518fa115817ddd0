"""`igfmeta km`: individual times from a printed Kaplan-Meier figure, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import InputError, check_choice

FORMATS = ("table", "json", "csv", "markdown")


def events_of(given: list[str] | None) -> dict[str, int]:
    """Return totals of events by arm.

    Examples
    --------
    >>> events_of(["cetuximab=110"])
    {'cetuximab': 110}
    """
    out = {}
    for text in given or []:
        name, _, number = text.rpartition("=")
        if not (name.strip() and number.strip().isdecimal()):
            raise InputError(f"--events was {text!r}; accepted is ARM=NUMBER, such as control=134.")
        out[name.strip()] = int(number)
    return out


def km(
    context: typer.Context,
    points: Annotated[Path, typer.Argument(help="Table with the columns arm, time, surv: points of the curves.")],
    at_risk: Annotated[
        Path, typer.Option("--at-risk", help="Table with the columns arm, time, at_risk, as printed.", metavar="FILE")
    ],
    control: Annotated[
        str | None, typer.Option(help="The control arm; the other is compared with it.", metavar="ARM")
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option(help="Printed total of events; may be repeated.", metavar="ARM=NUMBER")
    ] = None,
    heights: Annotated[
        str | None, typer.Option(help="proportion or percent. Default: by the largest height.", metavar="NAME")
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(help="Horizon of the restricted means. Default: the shorter follow-up.", metavar="TIME"),
    ] = None,
    ties: Annotated[str, typer.Option(help="efron or breslow.", metavar="NAME")] = "efron",
    conf_type: Annotated[
        str, typer.Option(help="Scale of the interval of S(t): log, log-log, plain.", metavar="NAME")
    ] = "log",
    level: Annotated[float, typer.Option(help="Level of every interval.", metavar="NUMBER")] = 0.95,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, markdown, or csv: the individual times.")
    ] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the curves over the points (.svg, .pdf, .png).", metavar="FILE")
    ] = None,
) -> None:
    """Rebuild individual times from a Kaplan-Meier figure: hazard ratio, medians, restricted means (Guyot 2012)."""
    from igfmeta.cli.output import emit, rendered
    from igfmeta.report.survival_summary import tables
    from igfmeta.synthesis.survival_curves import survival_curves

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(context, Needs(("ties",), control is not None, "--control: it is of the hazard ratio"))
    if figure is not None:
        from igfmeta.plots.canvas import check_suffix

        check_suffix(figure)
    result = survival_curves(
        points, at_risk, control=control, events=events_of(events), heights=heights, tau=tau, ties=ties,
        conf_type=conf_type, level=level,
    )  # fmt: skip
    text = rendered(result, tables, shape)
    if figure is not None:
        from igfmeta.plots.canvas import save
        from igfmeta.plots.survival_curve import survival_curve

        say_written(save(survival_curve(result), figure))
    emit(text, output)
