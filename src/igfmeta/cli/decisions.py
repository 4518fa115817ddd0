"""`igfmeta predict`, `assurance` and `worth`: what the next trial would show, and whether it is worth its while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.bayes import priors_of
from igfmeta.cli.output import Output, say_written
from igfmeta.cli.request import several, takes
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.report.summary import SummaryTable
    from igfmeta.synthesis.assurance import Assurance
    from igfmeta.synthesis.hierarchy_results import HierarchyResult
    from igfmeta.synthesis.trial_designs import Design

FORMATS = ("table", "json", "markdown")

#: Sizes in the table of a range; events of a phase III where nothing is said.
ROWS_OF_RANGE, EVENTS = 9, 400

Data = Annotated[
    Path | None,
    typer.Option(help="Evidence of your own: a folder of tables, or one trials table.", metavar="DIR_OR_FILE"),
]
Relevant = Annotated[
    float | None,
    typer.Option(
        help="What is relevant: a ratio (default 0.8; its inverse where more is better), or a rate (default 0.1).",
        metavar="NUMBER",
    ),
]
Prior = Annotated[
    list[str] | None,
    typer.Option(help='Prior of a standard deviation: "tumor=half-normal(0.3)".', metavar="COMPONENT=PRIOR"),
]
Measure = Annotated[
    str | None,
    typer.Option(
        help="HR, OR of two arms, or PLO, the rate of one arm. Default: HR for times to an event, PLO for counts.",
        metavar="NAME",
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same numbers.", metavar="NUMBER")]
Shape = Annotated[str, typer.Option("--format", help="table, json or markdown.", metavar="NAME")]
Sizes = list[str] | None


@dataclass
class CellRequest:
    """A class of agent in a type of tumour, and the model that speaks of it."""

    agent_class: Annotated[str, typer.Option("--class", help="Class of agent.", metavar="NAME")]
    tumor: Annotated[str, typer.Option(help="Type of tumour; all for the average of the class.", metavar="NAME")]
    outcome: Annotated[
        str | None,
        typer.Option(
            help="Outcome (os, pfs, orr ...) or family (progression). Default: os, or progression where no trial of "
            "the class or tumour reported it; orr with a measure of counts.",
            metavar="NAME",
        ),
    ] = None
    measure: Measure = None
    relevant: Relevant = None
    prior: Prior = None
    data: Data = None
    seed: Seed = 1

    def model(self) -> HierarchyResult:
        """Return the hierarchical model."""
        from igfmeta.evidence import load_evidence
        from igfmeta.synthesis.decisions import model_of

        return model_of(
            load_evidence(self.data, tables=("trials",)), agent_class=self.agent_class, tumor=self.tumor,
            outcome=self.outcome, measure=self.measure, relevant=self.relevant, priors=priors_of(self.prior),
            seed=self.seed,
        )  # fmt: skip


@dataclass
class DesignOptions:
    """How a trial is planned."""

    alpha: Annotated[float, typer.Option(help="Level of the trial's test.", metavar="NUMBER")] = 0.025
    sides: Annotated[int, typer.Option(help="1 or 2: whether alpha is one- or two-sided.", metavar="1|2")] = 1
    allocation: Annotated[float, typer.Option(help="Experimental to control.", metavar="NUMBER")] = 1.0
    event_rate: Annotated[
        float | None,
        typer.Option(
            help="Share of the patients who have the event, for a hazard ratio by --patients.", metavar="NUMBER"
        ),
    ] = None
    control_rate: Annotated[
        float | None, typer.Option(help="Rate of the control arm, for an odds ratio.", metavar="NUMBER")
    ] = None
    null_rate: Annotated[float | None, typer.Option(help="Rate to beat, for one arm.", metavar="NUMBER")] = None

    def design(self, *, target_rate: float | None = None) -> Design:
        """Return the design, checked."""
        from igfmeta.synthesis.trial_designs import Design

        return Design(
            alpha=self.alpha, sides=self.sides, allocation=self.allocation, event_rate=self.event_rate,
            control_rate=self.control_rate, null_rate=self.null_rate, target_rate=target_rate,
        )  # fmt: skip


@dataclass
class AssuranceRequest(DesignOptions, CellRequest):
    """A trial in a class of agent and type of tumour."""


@dataclass
class WorthRequest(DesignOptions):
    """The classes of agent that are compared, and the trial that each would get."""

    outcome: Annotated[
        str, typer.Option(help="Outcome (os, pfs, orr ...) or family (progression).", metavar="NAME")
    ] = "os"
    measure: Measure = None
    relevant: Relevant = None
    by: Annotated[str, typer.Option(help="class,tumor or class.", metavar="NAME[,NAME]")] = "class,tumor"
    prior: Prior = None
    data: Data = None
    seed: Seed = 1

    def model(self) -> HierarchyResult:
        """Return the hierarchical model."""
        from igfmeta.evidence import load_evidence
        from igfmeta.synthesis.hierarchy import hierarchy

        return hierarchy(
            load_evidence(self.data, tables=("trials",)), outcome=self.outcome, measure=self.measure,
            by=several([self.by]) or (), relevant=self.relevant, priors=priors_of(self.prior), seed=self.seed,
        )  # fmt: skip


def emit_as(shape: str, table: Callable[[], SummaryTable], payload: Callable[[], Any], output: Path | None) -> None:
    """Print a table, or JSON, or Markdown; or write it to a file."""
    from igfmeta.cli.output import as_json, emit

    if shape == "json":
        emit(as_json(payload()), output)
    elif shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        emit(table_to_markdown(table()), output)
    else:
        from igfmeta.cli.terminal import to_text

        emit(to_text(table()), output)


def sizes_of(option: str, given: Sizes) -> list[int]:
    """Return the sizes that texts mean: numbers, or a range FROM-TO, which gives some sizes over it.

    Examples
    --------
    >>> sizes_of("--events", ["100,250", "500"])
    [100, 250, 500]
    >>> sizes_of("--events", ["50-800"])
    [50, 71, 100, 141, 200, 283, 400, 566, 800]
    """
    from igfmeta.synthesis.assurance import spread

    sizes: list[int] = []
    for text in several(given) or ():
        ends = [part.strip() for part in text.split("-")]
        if not all(part.isdecimal() for part in ends) or len(ends) > 2 or int(ends[0]) > int(ends[-1]):
            accepted = "whole numbers such as 250 or 100,250,500, or a range such as 50-800"
            raise InputError(f"{option} was {text!r}; accepted are {accepted}.")
        first, last = int(ends[0]), int(ends[-1])
        sizes += [first] if len(ends) == 1 or first == 0 else spread(first, last, ROWS_OF_RANGE)
    return sorted(set(sizes))


def _one_unit(events: Sizes, patients: Sizes) -> tuple[str, list[int]]:
    """Return the unit of size that was given, and the sizes."""
    if (events is None) == (patients is None):
        found = "both were given" if events else "neither was given"
        raise InputError(f"The size of the trial is --events or --patients, and {found}.")
    return ("events", sizes_of("--events", events)) if events else ("patients", sizes_of("--patients", patients))


@takes(CellRequest)
def predict(request: CellRequest, *, output_format: Shape = "table", output: Output = None) -> None:
    """Predict the effect of a new trial in a class of agent and type of tumour, from all of the evidence."""
    from igfmeta.report.decision_summary import prediction_table
    from igfmeta.synthesis import decisions

    shape = check_choice("--format", output_format, FORMATS)
    model = request.model()
    found = decisions.predict(model, agent_class=request.agent_class, tumor=request.tumor)
    emit_as(shape, lambda: prediction_table(model, found), lambda: {**model.made_from(), **found.to_dict()}, output)


@takes(AssuranceRequest)
def assurance(
    request: AssuranceRequest,
    *,
    events: Annotated[
        Sizes, typer.Option(help="Events in both arms; several, or a range.", metavar="NUMBER[,...]|FROM-TO")
    ] = None,
    patients: Annotated[
        Sizes, typer.Option(help="Or patients in each arm; several, or a range.", metavar="NUMBER[,...]|FROM-TO")
    ] = None,
    target_rate: Annotated[
        float | None, typer.Option(help="Rate for which power is given, for one arm.", metavar="NUMBER")
    ] = None,
    output_format: Shape = "table",
    output: Output = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the curve over the sizes (.svg, .pdf, .png).", metavar="FILE")
    ] = None,
) -> None:
    """Give the probability that a new trial succeeds, averaged over what its effect may be.

    The size of the trial is --events for a hazard ratio, or --patients in each arm: with --event-rate for a hazard
    ratio, --control-rate for an odds ratio, --null-rate for the rate of one arm.
    """
    from igfmeta.report.decision_summary import assurance_table
    from igfmeta.synthesis.assurance import assurance as plan

    shape = check_choice("--format", output_format, FORMATS)
    unit, sizes = _one_unit(events, patients)
    design, model = request.design(target_rate=target_rate), request.model()

    def planned(these: Sequence[int]) -> Assurance:
        return plan(model, agent_class=request.agent_class, tumor=request.tumor, sizes=these, unit=unit, design=design)

    found = planned(sizes)
    if figure is not None:
        from igfmeta.plots.assurance_curve import assurance_curve, sizes_of_curve
        from igfmeta.plots.canvas import check_suffix, save

        check_suffix(figure)
        written = save(assurance_curve(planned(sizes_of_curve(model, sizes))), figure)
        say_written(written)
    emit_as(shape, lambda: assurance_table(found), found.to_dict, output)


@takes(WorthRequest)
def worth(
    request: WorthRequest,
    *,
    threshold: Annotated[
        float, typer.Option(help="Probability from which a relevant mean effect counts as likely.", metavar="NUMBER")
    ] = 0.8,
    events: Annotated[
        int | None, typer.Option(help="Events of the phase III (default 400 for a hazard ratio).", metavar="NUMBER")
    ] = None,
    patients: Annotated[int | None, typer.Option(help="Or patients in each arm.", metavar="NUMBER")] = None,
    output_format: Shape = "table",
    output: Output = None,
) -> None:
    """Say which class of agent is worth another phase III, given the least effect that counts as relevant."""
    from igfmeta.report.worth_summary import worth_table
    from igfmeta.synthesis.worth import worth as judge

    shape = check_choice("--format", output_format, FORMATS)
    if events is not None and patients is not None:
        raise InputError("The size of the trial is --events or --patients, and both were given.")
    design, model = request.design(), request.model()
    unit, size = ("patients", patients) if patients is not None else ("events", EVENTS if events is None else events)
    found = judge(model, size=size, unit=unit, design=design, threshold=threshold)
    emit_as(shape, lambda: worth_table(found), found.to_dict, output)
