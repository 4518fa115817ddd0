"""Which rows of the trials table are meant: every criterion is a column, or a table that a column refers to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from igfmeta.errors import InputError, Problem, listed

if TYPE_CHECKING:
    from igfmeta.evidence.tables import Evidence
    from igfmeta.numerics import Mask

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


def _tumour_groups(evidence: Evidence) -> list[str]:
    groups = dict(zip(evidence.tumors["tumor_type"], evidence.tumors["group"], strict=True))
    return [groups.get(tumour, "") for tumour in evidence.trials["tumor_type"]]


def _families(evidence: Evidence) -> list[str]:
    families = dict(zip(evidence.outcomes["outcome"], evidence.outcomes["family"], strict=True))
    return [families.get(outcome, "") for outcome in evidence.trials["outcome"]]


#: How the value of each criterion is read from the evidence, row by row.
_VALUES: dict[str, Callable[[Evidence], list[str]]] = {
    "agent_class": lambda e: list(e.trials["agent_class"]),
    "agent": lambda e: list(e.trials["agent"]),
    "tumor": lambda e: list(e.trials["tumor_type"]),
    "tumor_group": _tumour_groups,
    "outcome": lambda e: list(e.trials["outcome"]),
    "outcome_family": _families,
    "phase": lambda e: list(e.trials["phase"]),
    "design": lambda e: list(e.trials["design"]),
    "use": lambda e: list(e.trials["use"]),
    "biomarker": lambda e: [biomarker_selection(text) for text in e.trials["population"]],
    "regimen": lambda e: list(e.trials["regimen"]),
    "partners": lambda e: list(e.trials["partners"]),
    "contrast": lambda e: list(e.trials["contrast"]),
    "study": lambda e: list(e.trials["study_id"]),
}


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

    def mask(self, evidence: Evidence) -> Mask:
        """Return which rows of the trials fit; values that no row has are refused together."""
        import numpy as np

        keep = np.ones(len(evidence.trials), dtype=bool)
        problems: list[Problem] = []
        for name, values in _VALUES.items():
            wanted = getattr(self, name)
            if wanted is None:
                continue
            found = values(evidence)
            wanted, unknown = _matched(name, wanted, found, evidence)
            problems += unknown
            keep &= np.array([_fits(name, value, wanted) for value in found], dtype=bool)
        if problems:
            raise InputError(problems)
        if self.year is not None:
            year = evidence.trials["year"].to_numpy()
            keep &= (year >= self.year[0]) & (year <= self.year[1])
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
        "agent": (evidence.agents, "agent"),
        "agent_class": (evidence.agent_classes, "agent_class"),
        "tumor": (evidence.tumors, "tumor_type"),
        "tumor_group": (evidence.tumors, "group"),
        "outcome": (evidence.outcomes, "outcome"),
        "outcome_family": (evidence.outcomes, "family"),
    }
    listed_values = list(tables[name][0][tables[name][1]]) if name in tables else []
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
