"""An audit as tables: what was found, and what each rule found how often."""

from __future__ import annotations

from collections import Counter

from igfmeta.report.markdown import table_to_markdown
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.audit.findings import AuditResult, Finding, Severity


def _words(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(heading, numeric=False) for heading in headings)


def _line(finding: Finding) -> tuple[str, ...]:
    where = f"{finding.table} {finding.row} ({finding.row_id})"
    return (finding.severity, where, finding.rule, finding.sentence)


def counted(result: AuditResult) -> str:
    """Return how much was read and found, as a sentence."""
    read = ", ".join(f"{n} rows of {name}" for name, n in result.rows.items())
    counts = result.counts()
    found = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())
    return f"{read} read against {len(result.rules)} rules: {found}."


def tables(result: AuditResult, severity: Severity) -> tuple[SummaryTable, ...]:
    """Return the findings of a severity and above, and the rules that found anything."""
    shown = result.at_least(severity)
    verdict = "no error stands" if result.passed else "errors stand"
    hidden = len(result.findings) - len(shown)
    notes = [counted(result)]
    if hidden:
        notes.append(f"{hidden} less severe findings are counted below; --severity note shows them.")
    notes.append("A finding is a question to the source, not a verdict; nothing was changed.")
    notes.append(f"{result.origin}, sha256 {result.fingerprint[:12]}, igfmeta {result.version}")
    found = SummaryTable(
        title=f"Audit of {result.origin}: {verdict}",
        columns=_words("Severity", "Row", "Rule", "Finding"),
        rows=tuple(map(_line, shown)),
        set_apart=frozenset(),
        notes=tuple(notes),
    )
    return (found, _rules(result)) if result.findings else (found,)


def _rules(result: AuditResult) -> SummaryTable:
    by_rule = Counter((each.rule, each.severity) for each in result.findings)
    rows = []
    for rule in result.rules:
        numbers = [by_rule[rule.name, severity] for severity in ("error", "warning", "note")]
        rows.append((rule.name, rule.asks, *map(str, numbers), rule.reference))
    return SummaryTable(
        title="Rules, and how often each found something",
        columns=(
            *_words("Rule", "What it asks"),
            Column("Errors"), Column("Warnings"), Column("Notes"),
            *_words("Reference"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=("Of a row marked exclude every finding is one step less severe.",),
    )  # fmt: skip


def page(result: AuditResult, severity: Severity) -> str:
    """Return an audit as a Markdown page."""
    head = (
        "# Audit of the evidence\n\nMade by `igfmeta audit --format markdown`. Rows are numbered as in a spreadsheet.\n"
    )
    return "\n".join([head, *map(table_to_markdown, tables(result, severity))])
