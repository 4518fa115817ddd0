"""`igfmeta triangulate`: the effects of trials against what a marker means for the risk of the same cancers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import Selected, takes
from igfmeta.cli.sampling import SAMPLING
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import check_choice

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan
    from igfmeta.evidence.tables import Evidence
    from igfmeta.synthesis.triangulation_results import Triangulation

FORMATS = ("table", "json", "csv", "markdown", "html")

_QUESTION, _SAMPLING = "Question", "Sampling (with --mcmc)"


def _asked(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_QUESTION, metavar=metavar)


def _sampling(text: str, metavar: str = "NUMBER") -> Any:
    return typer.Option(help=text, rich_help_panel=_SAMPLING, metavar=metavar)


@dataclass
class TriangulationRequest(Selected):
    """Which trials, which predictor, which model."""

    outcome: Annotated[str, _asked("Outcome of the trials (os, pfs ...) or family (progression).")] = "os"
    measure: Annotated[str | None, _asked("HR; OR, RR ... for counted outcomes.")] = None
    marker: Annotated[str, _asked("Circulating marker: igf1, igfbp3 ...")] = "igf1"
    predictor: Annotated[
        str,
        _asked("Associations: prospective, or observational for retrospective ones too. Genetic ones come by "
               "themselves."),
    ] = "prospective"  # fmt: skip
    exposure_sd: Annotated[
        list[str] | None,
        _asked('SD of the exposure in a population or study, such as "uk_biobank=5.7 nmol/L".', "NAME=AMOUNT UNIT"),
    ] = None
    use: Annotated[str, _asked("primary, or sensitivity to add the rows marked so.")] = "primary"
    slope_prior: Annotated[
        float | None, _asked("SD of the slope's normal prior around 0. Default: 2.5 for hazard ratios.", "NUMBER")
    ] = None
    level: Annotated[float, _asked("Level of every interval.", "NUMBER")] = 0.95
    seed: Annotated[int, _asked("The same seed gives the same numbers.", "NUMBER")] = 1
    mcmc: Annotated[
        bool,
        typer.Option("--mcmc", help="Draw the joint model with PyMC instead; compiles first.",
                     rich_help_panel=_QUESTION),
    ] = False  # fmt: skip
    draws: Annotated[int, _sampling("Draws of each chain.")] = 1000
    tune: Annotated[int, _sampling("Draws of each chain that are thrown away first.")] = 1000
    chains: Annotated[int, _sampling("Chains.")] = 4
    cores: Annotated[int, _sampling("Chains sampled at once.")] = 2
    sampler: Annotated[str | None, _sampling("pymc or nutpie. Default: nutpie where it is installed.", "NAME")] = None

    def evidence(self) -> Evidence:
        """Return trials and associations."""
        from igfmeta.evidence import load_evidence

        return load_evidence(self.data, tables=("trials", "associations"))

    def triangulate(self) -> Triangulation:
        """Relate what was asked for."""
        from igfmeta.cli.risk import sds_of
        from igfmeta.synthesis.triangulation import triangulate

        return triangulate(
            self.evidence(),
            outcome=self.outcome,
            measure=self.measure,
            marker=self.marker,
            predictor=self.predictor,
            exposure_sd=sds_of(self.exposure_sd),
            use=self.use,
            slope_prior=self.slope_prior,
            level=self.level,
            seed=self.seed,
            engine="mcmc" if self.mcmc else "exact",
            plan=self.plan() if self.mcmc else None,
            **self.criteria(),
        )

    def plan(self) -> Plan:
        """Return how to sample; a progress bar where a person looks on."""
        from igfmeta.bayes.mcmc.sampling import Plan

        return Plan(
            draws=self.draws,
            tune=self.tune,
            chains=self.chains,
            cores=self.cores,
            seed=self.seed,
            sampler=self.sampler,
            progress=sys.stderr.isatty(),
        )


@takes(TriangulationRequest)
def triangulate(
    request: TriangulationRequest,
    *,
    context: typer.Context,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv, markdown or html.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the scatter with its bands (.svg, .pdf, .png).", metavar="FILE")
    ] = None,
) -> None:
    """Ask whether trials show more in cancers whose risk depends more on a circulating marker.

    The slope comes with errors in both variables: by restricted likelihood, and from one Bayesian model of all studies
    and all trials; Mendelian randomization is a second, independent predictor.
    """
    from igfmeta.cli.output import emit, rendered
    from igfmeta.report.risk_page import triangulation_page
    from igfmeta.report.triangulation_summary import closing_line, tables

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(context, Needs(SAMPLING, request.mcmc, "--mcmc"))
    if figure is not None:
        from igfmeta.plots.canvas import check_suffix

        check_suffix(figure)
    result = request.triangulate()
    text = rendered(result, tables, shape, page=triangulation_page, after=[closing_line(result)])
    if figure is not None:
        from igfmeta.plots.canvas import save
        from igfmeta.plots.triangulation_scatter import triangulation_scatter

        say_written(save(triangulation_scatter(result), figure))
    emit(text, output)
