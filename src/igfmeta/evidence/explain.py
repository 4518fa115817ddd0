"""What one row rests on: who reported it, where, and what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Columns that say what a row is about or where it is from; every other filled column is a reported number or its unit.
_DESCRIBES = (
    "row_id", "study_id", "trial_name", "nct_id", "year", "agent", "agent_class", "tumor_type", "tumor_subtype",
    "phase", "design", "blinding", "setting", "population", "regimen", "partners", "experimental", "control",
    "contrast", "shared_control", "outcome", "use", "use_reason", "source_id", "locator", "extraction", "note",
    "file_row", "cohort_name", "country", "cancer", "subgroup", "biomarker", "population_id", "adjusted_for",
)  # fmt: skip


@dataclass(frozen=True)
class RowExplanation:
    """A row of the evidence with its source.

    Attributes
    ----------
    row_id, study_id, outcome : str
    reported : mapping
        Every number of the row, as printed.
    about : mapping
        What the row is about: arms, patients, design.
    citation : str
        The source in one line.
    identifiers : mapping
        pmid, doi, nct_id, those that are known.
    locator, extraction, use, use_reason, note, status : str
    """

    row_id: str
    study_id: str
    outcome: str
    reported: Mapping[str, str]
    about: Mapping[str, str]
    citation: str
    identifiers: Mapping[str, str]
    locator: str
    extraction: str
    use: str
    use_reason: str
    note: str
    status: str

    def __str__(self) -> str:
        def joined(pairs: Mapping[str, str]) -> str:
            return ", ".join(f"{name} {value}" for name, value in pairs.items())

        used = self.use + (f": {self.use_reason}" if self.use_reason else "")
        read = {"double": "two independent readings agree", "single": "one reading", "registry": "registry record"}.get(
            self.extraction, "not stated"
        )
        lines = [
            f"{self.row_id} ({self.outcome})" if self.outcome else self.row_id,
            *(f"  {name.replace('_', ' ')}: {value}" for name, value in self.about.items()),
            f"  reported: {joined(self.reported) or 'no number'}",
            f"  use: {used}",
            f"  source: {self.citation}" + ("" if self.status in ("ok", "") else f" [{self.status.upper()}]"),
            f"  identifiers: {joined(self.identifiers) or 'none'}",
            f"  read from: {self.locator or 'not stated'}; extraction: {read}",
        ]
        return "\n".join([*lines, f"  note: {self.note}"] if self.note else lines)


def citation_of(source: Mapping[str, Any]) -> str:
    """Return a source in one line: author, year, title, journal, volume, pages.

    Examples
    --------
    >>> blank = dict.fromkeys(("volume", "pages"), "")
    >>> citation_of({**blank, "first_author": "Qu X", "year": 2017.0, "title": "T", "journal": "J"})
    'Qu X 2017. T. J'
    """
    year = f"{source['year']:.0f}" if source["year"] == source["year"] and source["year"] else ""
    head = " ".join(part for part in (source["first_author"], year) if part)
    place = " ".join(part for part in (source["journal"], source["volume"]) if part)
    tail = ": ".join(part for part in (place, source["pages"]) if part)
    return ". ".join(part.rstrip(".") for part in (head, source["title"], tail) if part)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:g}"
    return str(value)


def explain_row(row: Mapping[Any, Any], source: Mapping[str, Any] | None) -> RowExplanation:
    """Return the explanation of a row; `source` is None where no table of sources was given."""
    shown = {str(name): _shown(value) for name, value in row.items()}
    numbers = [name for name in shown if name not in _DESCRIBES and not name.endswith("_text")]
    reported = {name: shown.get(f"{name}_text") or shown[name] for name in numbers}
    about = ("agent", "tumor_type", "tumor_subtype", "population", "experimental", "control", "contrast", "cancer",
             "subgroup", "biomarker")  # fmt: skip
    return RowExplanation(
        row_id=shown["row_id"],
        study_id=shown["study_id"],
        outcome=shown.get("outcome", ""),
        reported={name: text for name, text in reported.items() if text},
        about={name: shown[name] for name in about if shown.get(name)},
        citation=citation_of(source) if source else shown["source_id"],
        identifiers={n: str(source[n]) for n in ("pmid", "doi", "nct_id") if source[n]} if source else {},
        locator=shown.get("locator", ""),
        extraction=shown.get("extraction", ""),
        use=shown.get("use", ""),
        use_reason=shown.get("use_reason", ""),
        note=shown.get("note", ""),
        status=source["status"] if source else "",
    )
