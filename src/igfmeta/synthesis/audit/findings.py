"""What an audit finds: a row, a rule, the numbers, how severe it is, a sentence, the paper behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from igfmeta.evidence.tables import Evidence

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Severity = Literal["error", "warning", "note"]
#: From what must not stand to what a reader should know.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Remark:
    """What a check says of a row: a sentence, its numbers, and a severity where it is not that of the rule."""

    row: Row
    sentence: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    severity: Severity | None = None


@dataclass(frozen=True)
class Table:
    """A table under audit, with what its rows refer to."""

    name: str
    rows: tuple[Row, ...]
    sources: Mapping[str, Row]
    outcomes: Mapping[str, Row]
    studies: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, evidence: Evidence, name: str) -> Table:
        return cls(
            name=name,
            rows=evidence.table(name),
            sources={row["source_id"]: row for row in evidence.table("sources")},
            outcomes={row["outcome"]: row for row in evidence.table("outcomes")},
            studies=_rows_of_studies(evidence.table("trials")),
        )


def _rows_of_studies(trials: Sequence[Row]) -> dict[str, frozenset[str]]:
    """Return the rows of trials of each study."""
    found: dict[str, set[str]] = {}
    for row in trials:
        found.setdefault(row["study_id"], set()).add(row["row_id"])
    return {study: frozenset(rows) for study, rows in found.items()}


Check = Callable[[Table], Iterator[Remark]]


@dataclass(frozen=True)
class Rule:
    """One rule: its name, what it asks, the tables it reads, and the paper behind it."""

    name: str
    asks: str
    severity: Severity
    tables: tuple[str, ...]
    check: Check
    reference: str


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found.

    Attributes
    ----------
    table : str
    row : int
        As a spreadsheet shows it: the header is row 1.
    row_id, study_id : str
    rule : str
    severity : {"error", "warning", "note"}
    sentence : str
    numbers : mapping
        What the rule computed.
    reference : str
        The paper behind the rule.
    """

    table: str
    row: int
    row_id: str
    study_id: str
    rule: str
    severity: Severity
    sentence: str
    numbers: Mapping[str, float | str]
    reference: str

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "numbers": {n: _plain(value) for n, value in self.numbers.items()}}


def _plain(value: float | str) -> float | str | None:
    """Return a number as JSON has it: six significant digits, nothing for what is not finite."""
    if isinstance(value, str):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def row_id_of(row: Row) -> str:
    """Return the identity of a row; an exposure group is named by its study, cancer, subgroup, marker, number."""
    if "row_id" in row:
        return str(row["row_id"])
    if "judgement" in row:
        return f"{row['study_id']}/{row['tool']}/{row['domain']}"
    group = f"{row['group_index']:.0f}"
    return "/".join(str(part) for part in (row["study_id"], row["cancer"], row["subgroup"], row["biomarker"], group))


@dataclass(frozen=True)
class AuditResult:
    """Everything that an audit found, the most severe first.

    Attributes
    ----------
    findings : tuple of Finding
    rows : mapping
        How many rows of each table were read.
    rules : tuple of Rule
    origin, fingerprint, version : str
    """

    findings: tuple[Finding, ...]
    rows: Mapping[str, int]
    rules: tuple[Rule, ...]
    origin: str
    fingerprint: str
    version: str

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of a severity and above."""
        accepted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(each for each in self.findings if each.severity in accepted)

    def counts(self) -> dict[str, int]:
        """Return how many findings of each severity there are."""
        return {name: sum(each.severity == name for each in self.findings) for name in SEVERITIES}

    @property
    def passed(self) -> bool:
        """Whether no error stands."""
        return not self.at_least("error")

    def to_dict(self, severity: Severity = "note") -> dict[str, Any]:
        """Return the findings of a severity and above, and the rules, as plain values (JSON)."""
        return {
            "igfmeta": self.version,
            "origin": self.origin,
            "sha256": self.fingerprint,
            "rows": dict(self.rows),
            "passed": self.passed,
            "counts": self.counts(),
            "shown": severity,
            "findings": [each.to_dict() for each in self.at_least(severity)],
            "rules": [
                {"rule": r.name, "asks": r.asks, "severity": r.severity, "tables": list(r.tables),
                 "reference": r.reference}
                for r in self.rules
            ],
        }  # fmt: skip

    def to_frame(self, severity: Severity = "note") -> pd.DataFrame:
        """Return one row per finding."""
        import pandas as pd

        columns = ["severity", "table", "row", "row_id", "study_id", "rule", "sentence", "numbers", "reference"]
        records = [
            {**each.to_dict(), "numbers": numbers_of(each)} for each in self.at_least(severity)
        ]  # fmt: skip
        return pd.DataFrame(records, columns=columns)


def numbers_of(finding: Finding) -> str:
    """Return the numbers of a finding in one line."""
    return "; ".join(
        f"{name} {value:.4g}" if not isinstance(value, str) else f"{name} {value}"
        for name, value in finding.numbers.items()
    )


def each_row(check: Callable[[Row], Iterator[Remark]]) -> Check:
    """Return a check of a table from a check of one row."""

    def of_table(table: Table) -> Iterator[Remark]:
        for row in table.rows:
            yield from check(row)

    return of_table


def with_number(rows: Sequence[Row], *columns: str) -> list[Row]:
    """Return the rows that have a number in every column."""
    return [row for row in rows if not any(math.isnan(row[column]) for column in columns)]
