"""Two states of the evidence compared: which studies and rows came, went or changed, cell by cell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from igfmeta.evidence.schema import PRIMARY_KEYS, TABLES
from igfmeta.evidence.tables import Evidence

Row = Mapping[str, Any]
Kind = Literal["came", "went", "changed"]

#: What makes a row of a table without a primary key the same row.
_KEYS = {
    "dose_response": ("study_id", "cancer", "subgroup", "biomarker", "group_index"),
    "risk_of_bias": ("study_id", "tool", "domain"),
}

#: Tables whose rows are numbers of studies.
OF_STUDIES = ("trials", "associations", "dose_response")


@dataclass(frozen=True)
class Cell:
    """A cell that is not what it was; a blank one is empty text."""

    column: str
    old: str
    new: str


@dataclass(frozen=True)
class RowChange:
    """A row that came, went or changed.

    Attributes
    ----------
    table, key : str
        The table, and what identifies the row in it.
    study : str
        Of a row of a study; empty for a vocabulary.
    kind : {"came", "went", "changed"}
    cells : tuple of Cell
        Of a changed row, those that differ; of another, every cell that is not blank.
    """

    table: str
    key: str
    study: str
    kind: Kind
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class StudyChange:
    """A study that came, went or changed, with how many of its rows did what."""

    study: str
    kind: Kind
    rows_came: int
    rows_went: int
    rows_changed: int


@dataclass(frozen=True)
class EvidenceDiff:
    """Two states of the evidence compared.

    Attributes
    ----------
    old, new : str
        SHA-256 of the two.
    studies : tuple of StudyChange
    rows : tuple of RowChange
    """

    old: str
    new: str
    studies: tuple[StudyChange, ...]
    rows: tuple[RowChange, ...]


def compare_evidence(old: Evidence, new: Evidence) -> EvidenceDiff:
    """Compare two states of the evidence.

    Rows are the same where their identity is (`row_id`, or the key of a vocabulary; study, cancer, subgroup, marker and
    group of a dose-response row), wherever they stand in the file. Numbers are compared as numbers: 1.0 printed as 1.00
    is no change.

    Examples
    --------
    >>> from igfmeta.evidence import load_evidence
    >>> evidence = load_evidence()
    >>> compare_evidence(evidence, evidence.select(agent="linsitinib")).studies[0].kind
    'went'
    """
    rows = tuple(change for table in TABLES for change in _table(table, old.table(table), new.table(table)))
    return EvidenceDiff(old.fingerprint, new.fingerprint, _studies(old, new, rows), rows)


def _table(table: str, old: Sequence[Row], new: Sequence[Row]) -> list[RowChange]:
    before, after = _by_key(table, old), _by_key(table, new)
    changes = []
    for key in [*before, *(key for key in after if key not in before)]:
        was, is_ = before.get(key), after.get(key)
        cells = _cells(table, was or {}, is_ or {})
        if not cells:
            continue
        kind: Kind = "came" if was is None else "went" if is_ is None else "changed"
        row = is_ or was or {}
        changes.append(RowChange(table, key, row.get("study_id", "") if table in OF_STUDIES else "", kind, cells))
    return changes


def _by_key(table: str, rows: Sequence[Row]) -> dict[str, Row]:
    """Return rows by identity; rows of one identity are told apart by their order."""
    seen: Counter[str] = Counter()
    found = {}
    for row in rows:
        key = _key(table, row)
        seen[key] += 1
        found[key if seen[key] == 1 else f"{key} ({seen[key]})"] = row
    return found


def _key(table: str, row: Row) -> str:
    if table in PRIMARY_KEYS:
        return str(row[PRIMARY_KEYS[table]])
    return ", ".join(text for name in _KEYS[table] if (text := _text(row[name])))


def _cells(table: str, was: Row, is_: Row) -> tuple[Cell, ...]:
    cells = [Cell(name, _shown(was, name), _shown(is_, name))
             for name in TABLES[table].model_fields if not _same(was.get(name), is_.get(name))]  # fmt: skip
    return tuple(cell for cell in cells if cell.old != cell.new)


def _shown(row: Row, name: str) -> str:
    """Return a cell as it was printed."""
    printed = row.get(f"{name}_text")
    return str(printed) if printed else _text(row.get(name))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) and value == round(value) and abs(value) < 1e6 else str(value)


def _same(one: Any, other: Any) -> bool:
    """Return whether two typed cells are equal; an inequality is NaN and is compared as text by the caller."""
    return bool(one == other)


def _studies(old: Evidence, new: Evidence, rows: Sequence[RowChange]) -> tuple[StudyChange, ...]:
    before, after = _study_ids(old), _study_ids(new)
    counts: dict[str, Counter[str]] = {}
    for change in rows:
        if change.study:
            counts.setdefault(change.study, Counter())[change.kind] += 1
    return tuple(
        StudyChange(
            study=study,
            kind="came" if study not in before else "went" if study not in after else "changed",
            rows_came=count["came"],
            rows_went=count["went"],
            rows_changed=count["changed"],
        )
        for study, count in sorted(counts.items())
    )


def _study_ids(evidence: Evidence) -> set[str]:
    return {row["study_id"] for table in OF_STUDIES for row in evidence.table(table)}
