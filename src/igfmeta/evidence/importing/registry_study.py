"""A study as registries of trials hold it, whatever the file it came in; every value as text, as posted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from igfmeta.errors import InputError

#: Words for people in the units of denominators and results.
PEOPLE = ("participants", "patients", "subjects", "people")

#: Group -> number, by the title or the identity of the group.
Counts = Mapping[str, str]


def check_nct(option: str, number: str) -> str:
    """Return the number of a study if it is one; otherwise say what is accepted."""
    if re.fullmatch(r"NCT\d{8}", number) is None:
        raise InputError(f"{option} was {number!r}; accepted is NCT and eight digits, such as NCT00769483.")
    return number


def told_apart(titles: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return titles by the code of their group; titles that stand twice get the code behind them.

    Examples
    --------
    >>> told_apart([("EG000", "Arm A"), ("EG001", "Arm B"), ("EG002", "Arm B")])
    {'EG000': 'Arm A', 'EG001': 'Arm B (EG001)', 'EG002': 'Arm B (EG002)'}
    """
    pairs = tuple(titles)
    times = Counter(title for _, title in pairs)
    return {code: title if times[title] == 1 else f"{title} ({code})" for code, title in pairs}


@dataclass(frozen=True)
class Arm:
    """An arm as registered: its label, its type, and the interventions that it is given."""

    label: str
    kind: str
    interventions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """A statistical analysis of an outcome measure, as posted."""

    place: str
    groups: tuple[str, ...]
    param_type: str
    value: str
    dispersion: str
    ci_percent: str
    ci_sides: str
    ci_lower: str
    ci_upper: str
    p_value: str
    method: str
    non_inferiority: str
    comment: str


@dataclass(frozen=True)
class Cell:
    """One value of an outcome measure: its class (`block`), category and group, and what is posted beside it."""

    block: str
    category: str
    group: str
    value: str
    spread: str = ""
    lower: str = ""
    upper: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Measure:
    """An outcome measure: groups by identity, people analysed (by class where that differs), values and analyses."""

    place: str
    title: str
    param: str
    dispersion: str
    unit: str
    units_analysed: str
    population: str
    posted: bool
    groups: Mapping[str, str]
    analysed: Counts
    analysed_in: Mapping[str, Counts]
    has_denominators_of_classes: bool
    cells: tuple[Cell, ...]
    analyses: tuple[Analysis, ...]


@dataclass(frozen=True)
class EventTotals:
    """People with an event in a group: (affected, at risk) of serious and other adverse events, and of death."""

    title: str
    serious: tuple[str, str]
    other: tuple[str, str]
    deaths: tuple[str, str]


@dataclass(frozen=True)
class EventTerm:
    """One adverse event: serious or other, its term, and (affected, at risk) by title of group."""

    kind: str
    term: str
    system: str
    counts: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Period:
    """A period of the participant flow: people by milestone and by reason for leaving, by title of group."""

    title: str
    milestones: Mapping[str, Counts]
    reasons: Mapping[str, Counts]


@dataclass(frozen=True)
class RegistryStudy:
    """A registered study with results; `unread` says what else the file posts of it."""

    nct_id: str
    name: str
    title: str
    year: str
    phase: str
    allocation: str
    masking: str
    conditions: tuple[str, ...]
    interventions: tuple[str, ...]
    arms: tuple[Arm, ...]
    measures: tuple[Measure, ...]
    totals: tuple[EventTotals, ...]
    terms: tuple[EventTerm, ...]
    periods: tuple[Period, ...]
    threshold: str = ""
    unread: tuple[str, ...] = field(default=())

    @property
    def started(self) -> Counts:
        """People who started the first period, by title of group."""
        return self.periods[0].milestones.get("STARTED", {}) if self.periods else {}

    def group_titles(self) -> set[str]:
        """Return the titles of all groups with results."""
        titles = {title for measure in self.measures for title in measure.groups.values()}
        titles |= {each.title for each in self.totals}
        return titles | {title for period in self.periods for counts in period.reasons.values() for title in counts}
