"""`igfmeta joint`: survival, progression and response of the same trials in one model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.bayes import priors_of, show
from igfmeta.cli.output import FORMATS, Output, Shape, say_written
from igfmeta.cli.request import Many, several, takes
from igfmeta.cli.sampling import Drawn, sampling
from igfmeta.errors import InputError, check_choice
from igfmeta.files import check_place

if TYPE_CHECKING:
    from igfmeta.synthesis.joint import JointResult


@dataclass
class JointRequest(Drawn):
    """Which studies, which outcomes, what is assumed of them."""

    draws: Annotated[int, sampling("Draws of each chain.")] = 2000
    outcome: Annotated[
        Many,
        typer.Option(
            help="Two outcomes or families at least, one of them counted at most. Default: os, progression, orr.",
            metavar="NAME[,NAME]",
        ),
    ] = None
    within: Annotated[
        Many,
        typer.Option(
            help='Correlation of the sampling errors of two outcomes, such as "os,progression=0.5". Default: 0.6 of '
            "two times to an event, 0.4 of one with response, in the sense of benefit.",
            metavar="NAME,NAME=NUMBER",
        ),
    ] = None
    prior: Annotated[
        Many,
        typer.Option(
            help='Prior of the sd between trials, such as "os=half-normal(0.3)". Default: half-normal(0.5).',
            metavar="OUTCOME=PRIOR",
        ),
    ] = None
    lkj: Annotated[
        float, typer.Option(help="Prior of the correlations: 1 is uniform, more is closer to 0.", metavar="NUMBER")
    ] = 2.0
    relevant: Annotated[
        float,
        typer.Option(help="A relevant ratio below 1; its inverse where more is better.", metavar="NUMBER"),
    ] = 0.8
    use: Annotated[str, typer.Option(help="primary, or sensitivity to add the rows marked so.", metavar="NAME")] = (
        "primary"
    )
    level: Annotated[float, typer.Option(help="Level of every interval.", metavar="NUMBER")] = 0.95

    def model(self) -> JointResult:
        """Fit what was asked for."""
        from igfmeta.synthesis.joint import joint
        from igfmeta.synthesis.questions import DEFAULT_OUTCOMES

        return joint(
            self.evidence(),
            outcomes=several(self.outcome) or DEFAULT_OUTCOMES,
            within=within_of(self.within),
            priors=priors_of(self.prior),
            lkj=self.lkj,
            relevant=self.relevant,
            use=self.use,
            level=self.level,
            plan=self.plan(),
            risk_weights=self.weights(),
            **self.criteria(),
        )


def within_of(texts: list[str] | None) -> dict[tuple[str, str], float]:
    """Return the correlations that texts such as "os,progression=0.5" give.

    Examples
    --------
    >>> within_of(["os, progression=0.5"])
    {('os', 'progression'): 0.5}
    """
    out = {}
    for text in texts or []:
        names, _, number = text.partition("=")
        pair = tuple(name.strip() for name in names.split(","))
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if len(pair) != 2 or not all(pair) or value != value:
            raise InputError(f"--within was {text!r}; accepted is NAME,NAME=NUMBER, such as os,progression=0.5.")
        out[pair[0], pair[1]] = value
    return out


@takes(JointRequest)
def joint(
    request: JointRequest,
    *,
    output_format: Shape = "table",
    output: Output = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Also write the draws as netCDF, which arviz.from_netcdf reads.", metavar="FILE.nc"),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw each outcome alone and together (.svg, .pdf, .png).", metavar="FILE"),
    ] = None,
) -> None:
    """Model several outcomes of the same randomized trials at once, by PyMC: each borrows from the others."""
    from igfmeta.report.joint_summary import tables

    shape = check_choice("--format", output_format, FORMATS)
    if save is not None:
        check_place(save, (".nc",))
    if figure is not None:
        from igfmeta.plots.canvas import check_suffix

        check_suffix(figure)
    result = request.model()
    if save is not None:
        result.sampled.save(save)
        say_written(save)
    if figure is not None:
        from igfmeta.plots.canvas import save as save_figure
        from igfmeta.plots.joint_figure import joint_figure

        say_written(save_figure(joint_figure(result), figure))
    show(result, tables, shape, output)
