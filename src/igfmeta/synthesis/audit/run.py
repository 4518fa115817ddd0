"""Runs every rule over every table that there is."""

from __future__ import annotations

from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.audit.findings import (
    SEVERITIES,
    AuditResult,
    Finding,
    Remark,
    Rule,
    Severity,
    Table,
    row_id_of,
)
from igfmeta.synthesis.audit.registry import RULES
from igfmeta.version import __version__

TABLES = ("trials", "associations", "dose_response", "risk_of_bias")


def audit(evidence: Evidence) -> AuditResult:
    """Check evidence as a careful second statistician would: numbers against numbers, rows against rows, sources.

    Nothing is changed. What a rule finds is a question to the sources, not a verdict; an error is what correctly
    rounded, correctly entered numbers cannot give.

    Parameters
    ----------
    evidence : Evidence
        Any tables of trials, associations and exposure groups.

    Returns
    -------
    AuditResult

    Examples
    --------
    >>> import igfmeta as im
    >>> result = im.audit(im.load_evidence())
    >>> result.passed, result.counts()["error"]
    (True, 0)
    """
    found = [
        finding
        for name in TABLES
        if evidence.table(name)
        for table in (Table.of(evidence, name),)
        for rule in RULES
        if name in rule.tables
        for finding in _findings(rule, table)
    ]
    found.sort(key=lambda each: (SEVERITIES.index(each.severity), TABLES.index(each.table), each.row, each.rule))
    return AuditResult(
        findings=tuple(found),
        rows={name: len(evidence.table(name)) for name in TABLES if evidence.table(name)},
        rules=RULES,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        version=__version__,
    )


def _findings(rule: Rule, table: Table) -> list[Finding]:
    return [
        Finding(
            table=table.name,
            row=remark.row["file_row"],
            row_id=row_id_of(remark.row),
            study_id=remark.row["study_id"],
            rule=rule.name,
            severity=_severity(rule, remark),
            sentence=remark.sentence,
            numbers=remark.numbers,
            reference=rule.reference,
        )
        for remark in rule.check(table)
    ]


def _severity(rule: Rule, remark: Remark) -> Severity:
    """Return how severe a remark is; one step less where the row never enters a pool."""
    found = remark.severity or rule.severity
    if remark.row.get("use") != "exclude":
        return found
    return SEVERITIES[min(SEVERITIES.index(found) + 1, len(SEVERITIES) - 1)]
