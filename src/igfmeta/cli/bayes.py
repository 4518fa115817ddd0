"""`igfmeta bayes`: class of agent and type of tumour in one hierarchical model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from igfmeta.cli.output import FORMATS, Output, Shape, Shown, emit, rendered, say_written
from igfmeta.cli.request import Many, several, takes
from igfmeta.cli.sampling import Drawn, sampling
from igfmeta.cli.unheard import refuse_unheard
from igfmeta.errors import InputError, check_choice, listed
from igfmeta.files import check_place

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Sampled
    from igfmeta.bayes.tau_priors import TauPrior
    from igfmeta.report.summary import SummaryTable
    from igfmeta.synthesis.hierarchy_results import HierarchyResult
    from igfmeta.synthesis.metaregression import RegressionResult


@dataclass
class HierarchyRequest(Drawn):
    """Which studies, which outcome, which priors."""

    outcome: Annotated[str, typer.Option(help="Outcome (os, pfs ...) or family (progression).", metavar="NAME")] = "os"
    measure: Annotated[
        str | None,
        typer.Option(
            help="HR, OR of two arms, or PLO, the rate of one arm. Default: HR; for counted outcomes PLO.",
            metavar="NAME",
        ),
    ] = None
    by: Annotated[
        str | None, typer.Option(help="class,tumor or one of them. Default: both.", metavar="NAME[,NAME]")
    ] = None
    mods: Annotated[
        str | None,
        typer.Option(
            help='Instead of class and tumour: a regression on columns of the trials table, such as "~ year + '
            'C(phase)"; the frequentist one is `regress`.',
            metavar="FORMULA",
        ),
    ] = None
    relevant: Annotated[
        float | None,
        typer.Option(help="What counts as relevant: a ratio (default 0.8), or a rate (default 0.1).", metavar="NUMBER"),
    ] = None
    prior: Annotated[
        Many,
        typer.Option(
            help='Prior of a standard deviation, such as "tumor=half-normal(0.3)" or "study=half-t(0.3, 4)"; '
            "components are class, tumor, class:tumor, agent, study.",
            metavar="COMPONENT=PRIOR",
        ),
    ] = None
    use: Annotated[str, typer.Option(help="primary, or sensitivity to add the rows marked so.", metavar="NAME")] = (
        "primary"
    )
    level: Annotated[float, typer.Option(help="Level of every interval.", metavar="NUMBER")] = 0.95
    mcmc: Annotated[bool, typer.Option("--mcmc", help="Draw everything with PyMC instead; compiles first.")] = False
    study_effects: Annotated[
        str, sampling("normal; t or mixture let outlying studies lie far out, and need --mcmc.", "NAME")
    ] = "normal"

    def model(self) -> HierarchyResult:
        """Fit what was asked for."""
        from igfmeta.synthesis.hierarchy import FACTORS, hierarchy

        return hierarchy(
            self.evidence(),
            outcome=self.outcome,
            measure=self.measure,
            by=FACTORS if self.by is None else several([self.by]) or (),
            relevant=self.relevant,
            priors=priors_of(self.prior),
            use=self.use,
            level=self.level,
            seed=self.seed,
            engine="mcmc" if self.mcmc else "exact",
            study_effects=self.study_effects,
            plan=self.plan(),
            risk_weights=self.weights(),
            **self.criteria(),
        )

    def regression(self) -> RegressionResult:
        """Fit the regression that was asked for."""
        from igfmeta.synthesis.metaregression import metaregression

        priors = priors_of(self.prior)
        if not set(priors) <= {"study"}:
            raise InputError("With --mods the one component is study: --prior study=half-normal(0.5).")
        return metaregression(
            self.evidence(),
            self.mods or "",
            outcome=self.outcome,
            measure=self.measure,
            prior=priors.get("study"),
            use=self.use,
            level=self.level,
            seed=self.seed,
            engine="mcmc" if self.mcmc else "exact",
            study_effects=self.study_effects,
            plan=self.plan(),
            risk_weights=self.weights(),
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
    context: typer.Context,
    output_format: Shape = "table",
    output: Output = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw the matrix of cells, and beside it NAME-shrinkage and NAME-densities (.svg, .pdf, .png).",
            metavar="FILE",
        ),
    ] = None,
    figure_prior: Annotated[
        Path | None,
        typer.Option(help="Also draw what the priors say before any data (.svg, .pdf, .png).", metavar="FILE"),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Also write the draws as netCDF, which arviz.from_netcdf reads; needs --mcmc.", metavar="FILE.nc"
        ),
    ] = None,
) -> None:
    """Model an outcome by class of agent and type of tumour at once: every cell, empty ones included."""
    from igfmeta.report.hierarchy_summary import tables

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(context, request.needs_of_sampling(mcmc=request.mcmc))
    if save is not None:
        if not request.mcmc:
            raise InputError("--save writes the draws of --mcmc, which was not given; --format json has the summaries.")
        check_place(save, (".nc",))
    for drawing in (figure, figure_prior):
        if drawing is not None:
            check_place(drawing, (".svg", ".pdf", ".png"))
    if request.mods is not None:
        unfit = {"--by": request.by, "--relevant": request.relevant, "--figure": figure, "--figure-prior": figure_prior}
        given = [name for name, value in unfit.items() if value is not None]
        if given:
            raise InputError(f"--mods gives a regression, without cells: leave out {listed(given)}.")
        from igfmeta.report import regression_summary

        regression = request.regression()
        _keep(regression.sampled, save)
        show(regression, regression_summary.tables, shape, output)
        return
    result = request.model()
    _keep(result.sampled, save)
    if figure is not None:
        from igfmeta.plots.hierarchy_files import save_figures

        for written in save_figures(result, figure):
            say_written(written)
    if figure_prior is not None:
        from igfmeta.plots.canvas import save as save_figure
        from igfmeta.plots.prior import prior_figure
        from igfmeta.synthesis.prior_meaning import prior_meaning

        meaning = prior_meaning(priors_of(request.prior), rates=result.is_rate)
        say_written(save_figure(prior_figure(meaning, rates=result.is_rate), figure_prior))
    show(result, tables, shape, output)


def _keep(sampled: Sampled | None, place: Path | None) -> None:
    if sampled is not None and place is not None:
        sampled.save(place)
        say_written(place)


class Warned(Shown, Protocol):
    """A result that may say that its draws cannot be trusted."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the sentences."""


def show[R: Warned](result: R, tables: Callable[[R], Sequence[SummaryTable]], shape: str, output: Path | None) -> None:
    """Print a result in one of `FORMATS`, or write it to a file; warnings that a format cannot hold go to stderr."""
    if shape == "csv":
        for warning in result.warnings:
            typer.echo(f"Warning: {warning}", err=True)
    emit(rendered(result, tables, shape), output)
