"""Which rows of the trials table are meant: every criterion is a column, or a table that a column refers to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from igfmeta.errors import InputError, Problem, listed
from igfmeta.evidence.risk_of_bias import LEVELS, NOT_JUDGED, overall

if TYPE_CHECKING:
    from igfmeta.evidence.tables import Evidence

Choice = str | Sequence[str] | None
Years = int | tuple[int, int] | None


class Criteria(TypedDict, total=False):
    """The criteria of a selection, each a value or several."""

    agent_class: Choice
    agent: Choice
    tumor: Choice
    tumor_group: Choice
    outcome: Choice
    outcome_family: Choice
    phase: Choice
    design: Choice
    year: Years
    use: Choice
    biomarker: Choice
    regimen: Choice
    partners: Choice
    contrast: Choice
    study: Choice
    risk_of_bias: Choice


#: Words of `population` that say that patients were chosen, or are set apart, by a biomarker.
_CHOSEN = re.compile(
    r"\b(KRAS|NRAS|RAS|BRAF|EGFR mutation|ALK|HER2|HR[-+]|HR-positive|ER[-+]|ER-positive|Ki67|IGF-?1R?|HRG)|"
    r"\b(wild-type|mutant|mutation|mRNA|IHC|biomarker-evaluable)\b"
)
_UNCHOSEN = re.compile(r"\bunselected\b")


def biomarker_selection(population: str) -> str:
    """Return how patients were chosen by a biomarker, from the words of `population`.

    "unselected" where the text says so; "selected" where it names a biomarker; "not_stated" otherwise.

    Examples
    --------
    >>> biomarker_selection("advanced, unselected"), biomarker_selection("KRAS wild-type metastatic")
    ('unselected', 'selected')
    >>> biomarker_selection("recurrent or refractory")
    'not_stated'
    """
    if _UNCHOSEN.search(population):
        return "unselected"
    return "selected" if _CHOSEN.search(population) else "not_stated"


def _lookup(evidence: Evidence, table: str, key: str, value: str) -> list[str]:
    """Return, for each row of the trials, what its `key` means in another table."""
    meaning = {row[key]: row[value] for row in evidence.table(table)}
    return [meaning.get(row[key], "") for row in evidence.table("trials")]


def _values(name: str, evidence: Evidence) -> list[str]:
    """Return the values of a criterion, row by row."""
    if name == "tumor_group":
        return _lookup(evidence, "tumors", "tumor_type", "group")
    if name == "outcome_family":
        return _lookup(evidence, "outcomes", "outcome", "family")
    if name == "biomarker":
        return [biomarker_selection(row["population"]) for row in evidence.table("trials")]
    if name == "risk_of_bias":
        judged = overall(evidence.table("risk_of_bias"))
        return [judged.get(row["study_id"], NOT_JUDGED) for row in evidence.table("trials")]
    column = {"tumor": "tumor_type", "study": "study_id"}.get(name, name)
    return [row[column] for row in evidence.table("trials")]


@dataclass(frozen=True)
class Selection:
    """A selection: for each criterion the values wanted, or None."""

    agent_class: tuple[str, ...] | None = None
    agent: tuple[str, ...] | None = None
    tumor: tuple[str, ...] | None = None
    tumor_group: tuple[str, ...] | None = None
    outcome: tuple[str, ...] | None = None
    outcome_family: tuple[str, ...] | None = None
    phase: tuple[str, ...] | None = None
    design: tuple[str, ...] | None = None
    year: tuple[int, int] | None = None
    use: tuple[str, ...] | None = None
    biomarker: tuple[str, ...] | None = None
    regimen: tuple[str, ...] | None = None
    partners: tuple[str, ...] | None = None
    contrast: tuple[str, ...] | None = None
    study: tuple[str, ...] | None = None
    risk_of_bias: tuple[str, ...] | None = None

    @classmethod
    def of(cls, criteria: Mapping[str, Any]) -> Selection:
        """Return the selection that keyword arguments mean."""
        accepted = [field.name for field in fields(cls)]
        unknown = [name for name in criteria if name not in accepted]
        if unknown:
            raise InputError(f"There is no criterion {listed(unknown)}; accepted are {listed(accepted)}.")
        given = {name: value for name, value in criteria.items() if value is not None}
        year = given.pop("year", None)
        values = {name: _several(name, value) for name, value in given.items()}
        return cls(**values, year=None if year is None else _year_range(year))

    def mask(self, evidence: Evidence) -> list[bool]:
        """Return which rows of the trials fit; values that no row has are refused together."""
        rows = evidence.table("trials")
        keep = [True] * len(rows)
        problems: list[Problem] = []
        for name in (field.name for field in fields(self) if field.name != "year"):
            wanted = getattr(self, name)
            if wanted is None:
                continue
            found = _values(name, evidence)
            wanted, unknown = _matched(name, wanted, found, evidence)
            problems += unknown
            keep = [kept and _fits(name, value, wanted) for kept, value in zip(keep, found, strict=True)]
        if problems:
            raise InputError(problems)
        if self.year is not None:
            first, last = self.year
            keep = [kept and first <= row["year"] <= last for kept, row in zip(keep, rows, strict=True)]
        return keep


def _several(name: str, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, Sequence) or not values or not all(isinstance(each, str) for each in values):
        raise InputError(f"{name} was {value!r}; accepted is a text or a list of texts.")
    return tuple(values)


def _year_range(year: Any) -> tuple[int, int]:
    if isinstance(year, int) and not isinstance(year, bool):
        return year, year
    if isinstance(year, Sequence) and len(year) == 2 and all(isinstance(y, int) for y in year) and year[0] <= year[1]:
        return int(year[0]), int(year[1])
    raise InputError(f"year was {year!r}; accepted is a year, or a pair (from, to) in order.")


def _fits(name: str, value: str, wanted: Sequence[str]) -> bool:
    """Return whether a value is wanted; `partners` fits on any of its parts."""
    return value in wanted or (name == "partners" and any(part in wanted for part in value.split("+")))


def _vocabulary(name: str, found: Sequence[str], evidence: Evidence) -> list[str]:
    """Return the values of a criterion: those of its vocabulary table where there is one, and those of the rows."""
    tables = {
        "agent": ("agents", "agent"),
        "agent_class": ("agent_classes", "agent_class"),
        "tumor": ("tumors", "tumor_type"),
        "tumor_group": ("tumors", "group"),
        "outcome": ("outcomes", "outcome"),
        "outcome_family": ("outcomes", "family"),
    }
    table, column = tables.get(name, ("", ""))
    listed_values = [row[column] for row in evidence.table(table)]
    if name == "risk_of_bias":
        return list(LEVELS)
    parts = [part for value in found for part in value.split("+")] if name == "partners" else []
    return sorted({value for value in (*listed_values, *found, *parts) if value})


def _matched(
    name: str, wanted: Sequence[str], found: Sequence[str], evidence: Evidence
) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the values as the evidence spells them, and the problems of those that it does not hold."""
    accepted = _vocabulary(name, found, evidence)
    spelled = {value.casefold(): value for value in accepted}
    problems = []
    for value in wanted:
        if value.casefold() in spelled:
            continue
        near = difflib.get_close_matches(value.casefold(), spelled, n=2)
        hint = f" Did you mean {' or '.join(spelled[each] for each in near)}?" if near else ""
        choice = (
            f"accepted are {listed(accepted)}." if len(accepted) <= 40 else f"it is none of the {len(accepted)} known."
        )
        problems.append(Problem(f"{name} was {value!r}; {choice}{hint}"))
    return tuple(spelled.get(value.casefold(), value) for value in wanted), problems
