"""`igfmeta evidence`: what the tables hold, row by row, with the source of every number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.request import Selected, several, takes
from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.text import plain

if TYPE_CHECKING:
    from igfmeta.evidence.tables import Evidence

FORMATS = ("table", "json", "csv", "markdown")

evidence_app = typer.Typer(
    name="evidence", help="List, filter and show the evidence, with the source of every number.", no_args_is_help=True
)


@evidence_app.command("list")
@takes(Selected)
def list_rows(
    request: Selected,
    *,
    outcome: Annotated[list[str] | None, typer.Option(help="Outcome (os, pfs, orr ...).")] = None,
    outcome_family: Annotated[list[str] | None, typer.Option(help="Family of outcomes.")] = None,
    use: Annotated[list[str] | None, typer.Option(help="primary, sensitivity or exclude.")] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """List the rows that a selection leaves, one line each: what was reported, and how it is used."""
    from igfmeta.cli.output import emit

    shape = check_choice("--format", output_format, FORMATS)
    evidence = request.evidence()
    asked = {"outcome": several(outcome), "outcome_family": several(outcome_family), "use": several(use)}
    criteria = {**request.criteria(), **{name: value for name, value in asked.items() if value is not None}}
    selected = evidence.select(**criteria)
    if not selected.table("trials"):
        raise NothingToPool("No row of the evidence fits the selection.")
    emit(_listing(selected, shape), output)


def _listing(evidence: Evidence, shape: str) -> str:
    from igfmeta.synthesis.studies import reported_numbers

    trials = evidence.trials
    shown = ["row_id", "study_id", "agent", "tumor_type", "phase", "outcome", "use", "source_id"]
    frame = trials[shown].assign(reported=[reported_numbers(row) for row in evidence.table("trials")])
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json({"origin": evidence.origin, "sha256": evidence.fingerprint, "rows": frame.to_dict("records")})
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(frame)
    from igfmeta.report.summary import Column, SummaryTable

    columns = ["row_id", "agent", "tumor_type", "outcome", "reported", "use"]
    studies = trials["study_id"].nunique()
    table = SummaryTable(
        title=f"{evidence.origin}: {len(frame)} rows of {studies} studies",
        columns=tuple(Column(name, numeric=False) for name in columns),
        rows=tuple(tuple(str(value) for value in row) for row in frame[columns].itertuples(index=False)),
        set_apart=frozenset(),
        notes=("igfmeta evidence show STUDY prints every number of a study with its citation.",),
    )
    if shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        return table_to_markdown(table)
    from igfmeta.cli.terminal import to_text

    return to_text(table)


@evidence_app.command("show")
def show(
    study: Annotated[str, typer.Argument(help="A study_id or a row_id, such as fuchs2015 or fuchs2015-01.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Evidence of your own: a folder of tables, or one trials table.", metavar="DIR_OR_FILE"),
    ] = None,
) -> None:
    """Show one study: its citation, and every number that it contributes."""
    from igfmeta.cli.output import emit
    from igfmeta.evidence import load_evidence

    evidence = load_evidence(data, tables=("trials",))
    trials = evidence.table("trials")
    rows = [row["row_id"] for row in trials if study in (row["study_id"], row["row_id"])]
    if not rows:
        import difflib

        near = difflib.get_close_matches(study, {row["study_id"] for row in trials}, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"There is no study or row {study!r} in {evidence.origin}.{hint}")
    emit(plain("\n\n".join(str(evidence.explain(row_id)) for row_id in rows)), None)
