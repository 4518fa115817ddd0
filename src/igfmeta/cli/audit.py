"""`igfmeta audit`: what does not fit in evidence tables, row by row; a guard for a repository of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.errors import check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.audit.findings import AuditResult, Severity

FORMATS = ("table", "json", "csv", "markdown")


def audit(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Evidence of your own: a folder of tables, or one table of trials, associations or exposure groups.",
            metavar="DIR_OR_FILE",
        ),
    ] = None,
    severity: Annotated[
        str, typer.Option(help="Show findings from this severity up: error, warning or note.", metavar="NAME")
    ] = "warning",
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Check evidence tables as a careful second statistician would: numbers, counts, duplicates, sources.

    Each finding names its row, rule, numbers and the paper behind the rule; nothing is changed. An error is what
    correctly rounded, correctly entered numbers cannot give. Exit status 1 where an error stands, whatever is shown;
    0 otherwise.
    """
    from igfmeta.cli.output import emit
    from igfmeta.evidence.load import load_evidence, main_tables_of
    from igfmeta.synthesis.audit.findings import SEVERITIES
    from igfmeta.synthesis.audit.run import audit as run_audit

    shape = check_choice("--format", output_format, FORMATS)
    level: Severity = check_choice("--severity", severity, SEVERITIES)  # type: ignore[assignment]
    result = run_audit(load_evidence(data, tables=main_tables_of(data)))
    emit(rendered(result, shape, level), output)
    if not result.passed:
        raise typer.Exit(1)


def rendered(result: AuditResult, shape: str, severity: Severity) -> str:
    """Return an audit in one of `FORMATS`, with the findings of a severity and above."""
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(result.to_dict(severity))
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame(severity))
    from igfmeta.report import audit_summary

    if shape == "markdown":
        return audit_summary.page(result, severity)
    from igfmeta.cli.terminal import to_text

    return "\n".join(map(to_text, audit_summary.tables(result, severity)))
