"""`igfmeta bayes`: class of agent and type of tumour in one hierarchical model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.request import Many, Selected, several, takes
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.bayes.tau_priors import TauPrior
    from igfmeta.synthesis.hierarchy import HierarchyResult

FORMATS = ("table", "json", "csv", "markdown")


@dataclass
class HierarchyRequest(Selected):
    """Which studies, which outcome, which priors."""

    outcome: Annotated[str, typer.Option(help="Outcome (os, pfs ...) or family (progression).", metavar="NAME")] = "os"
    by: Annotated[str, typer.Option(help="class,tumor or one of them.", metavar="NAME[,NAME]")] = "class,tumor"
    relevant: Annotated[float, typer.Option(help="A ratio that counts as relevant.", metavar="NUMBER")] = 0.8
    prior: Annotated[
        Many,
        typer.Option(
            help='Prior of a standard deviation, such as "tumor=half-normal(0.3)"; components are class, tumor, '
            "class:tumor, agent, study.",
            metavar="COMPONENT=PRIOR",
        ),
    ] = None
    use: Annotated[str, typer.Option(help="primary, or sensitivity to add the rows marked so.", metavar="NAME")] = (
        "primary"
    )
    level: Annotated[float, typer.Option(help="Level of every interval.", metavar="NUMBER")] = 0.95
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.", metavar="NUMBER")] = 1

    def model(self) -> HierarchyResult:
        """Fit what was asked for."""
        from igfmeta.synthesis.hierarchy import hierarchy

        return hierarchy(
            self.evidence(),
            outcome=self.outcome,
            by=several([self.by]) or (),
            relevant=self.relevant,
            priors=priors_of(self.prior),
            use=self.use,
            level=self.level,
            seed=self.seed,
            **self.criteria(),
        )


def priors_of(texts: list[str] | None) -> dict[str, TauPrior]:
    """Return the priors that texts such as "tumor=half-normal(0.3)" name."""
    from igfmeta.bayes.tau_priors import parse_tau_prior

    out = {}
    for text in texts or []:
        name, found, prior = text.partition("=")
        if not found:
            raise InputError(f"--prior was {text!r}; accepted is COMPONENT=PRIOR, such as tumor=half-normal(0.3).")
        out[name.strip()] = parse_tau_prior(prior)
    return out


@takes(HierarchyRequest)
def bayes(
    request: HierarchyRequest,
    *,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the matrix of cells, and beside it the shrinkage (.svg, .pdf, .png).")
    ] = None,
) -> None:
    """Model an outcome by class of agent and type of tumour at once: every cell, empty ones included."""
    from igfmeta.cli.output import emit

    shape = check_choice("--format", output_format, FORMATS)
    result = request.model()
    text = rendered(result, shape)
    if figure is not None:
        from igfmeta.plots.matrix import save_figures

        for written in save_figures(result, figure):
            typer.echo(f"Written: {written}", err=True)
    emit(text, output)


def rendered(result: HierarchyResult, shape: str) -> str:
    """Return a hierarchy in one of `FORMATS`."""
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(result.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame())
    from igfmeta.report.hierarchy_summary import tables

    if shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        return "\n".join(map(table_to_markdown, tables(result)))
    from igfmeta.cli.terminal import to_text

    return "\n".join(map(to_text, tables(result)))
