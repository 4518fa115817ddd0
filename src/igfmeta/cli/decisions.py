"""`igfmeta predict` and `igfmeta assurance`: what the next trial would show, and its chance of success."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.bayes import priors_of
from igfmeta.cli.request import several
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.report.summary import SummaryTable
    from igfmeta.synthesis.hierarchy import HierarchyResult

FORMATS = ("table", "json", "markdown")

AgentClass = Annotated[str, typer.Option("--class", help="Class of agent.", metavar="NAME")]
Tumor = Annotated[str, typer.Option(help="Type of tumour.", metavar="NAME")]
Outcome = Annotated[str, typer.Option(help="Outcome (os, pfs ...) or family (progression).", metavar="NAME")]
Relevant = Annotated[float, typer.Option(help="A ratio that counts as relevant.", metavar="NUMBER")]
Prior = Annotated[
    list[str] | None,
    typer.Option(help='Prior of a standard deviation: "tumor=half-normal(0.3)".', metavar="COMPONENT=PRIOR"),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Evidence of your own: a folder of tables, or one trials table.", metavar="DIR_OR_FILE"),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same numbers.", metavar="NUMBER")]
Shape = Annotated[str, typer.Option("--format", help="table, json or markdown.", metavar="NAME")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.", metavar="FILE")]


def _model(data: Path | None, outcome: str, relevant: float, prior: list[str] | None, seed: int) -> HierarchyResult:
    from igfmeta.evidence import load_evidence
    from igfmeta.synthesis.hierarchy import hierarchy

    evidence = load_evidence(data, tables=("trials",))
    return hierarchy(evidence, outcome=outcome, relevant=relevant, priors=priors_of(prior), seed=seed)


def _emit(shape: str, table: Callable[[], SummaryTable], payload: Callable[[], Any], output: Path | None) -> None:
    from igfmeta.cli.output import as_json, emit

    if shape == "json":
        emit(as_json(payload()), output)
    elif shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        emit(table_to_markdown(table()), output)
    else:
        from igfmeta.cli.terminal import to_text

        emit(to_text(table()), output)


def predict(
    agent_class: AgentClass,
    tumor: Tumor,
    outcome: Outcome = "os",
    relevant: Relevant = 0.8,
    prior: Prior = None,
    data: Data = None,
    seed: Seed = 1,
    output_format: Shape = "table",
    output: Output = None,
) -> None:
    """Predict the effect of a new trial in a class of agent and type of tumour, from all of the evidence."""
    from igfmeta.report.decision_summary import prediction_table
    from igfmeta.synthesis import decisions

    shape = check_choice("--format", output_format, FORMATS)
    model = _model(data, outcome, relevant, prior, seed)
    found = decisions.predict(model, agent_class=agent_class, tumor=tumor)
    _emit(shape, lambda: prediction_table(model, found), found.to_dict, output)


def assurance(
    agent_class: AgentClass,
    tumor: Tumor,
    events: Annotated[
        list[str], typer.Option(help="Events in both arms; several give a table.", metavar="NUMBER[,...]")
    ],
    outcome: Outcome = "os",
    alpha: Annotated[float, typer.Option(help="Level of the trial's test.", metavar="NUMBER")] = 0.025,
    sides: Annotated[int, typer.Option(help="1 or 2: whether alpha is one- or two-sided.", metavar="1|2")] = 1,
    allocation: Annotated[float, typer.Option(help="Experimental to control.", metavar="NUMBER")] = 1.0,
    relevant: Relevant = 0.8,
    prior: Prior = None,
    data: Data = None,
    seed: Seed = 1,
    output_format: Shape = "table",
    output: Output = None,
) -> None:
    """Give the probability that a new trial succeeds, averaged over what its effect may be."""
    from igfmeta.report.decision_summary import assurance_table
    from igfmeta.synthesis import decisions

    shape = check_choice("--format", output_format, FORMATS)
    numbers = several(events) or ()
    if not all(number.isdigit() for number in numbers):
        raise InputError(f"--events was {','.join(numbers)!r}; accepted are whole numbers such as 250 or 100,250,500.")
    model = _model(data, outcome, relevant, prior, seed)
    design: dict[str, Any] = {"alpha": alpha, "sides": sides, "allocation": allocation}
    cell = decisions.predict(model, agent_class=agent_class, tumor=tumor).cell
    sizes = [int(number) for number in numbers]
    found = decisions.assurance(model, agent_class=agent_class, tumor=tumor, events=sizes, **design)
    _emit(
        shape,
        lambda: assurance_table(model, cell, found, **design),
        lambda: {"cell": dict(cell.__dict__), **design, "trials": [dict(s.__dict__) for s in found]},
        output,
    )
