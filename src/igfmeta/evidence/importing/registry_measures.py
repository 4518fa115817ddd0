"""Outcome measures of a registered study -> candidate rows: medians, counts, percentages; the rest is listed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igfmeta.evidence.importing.registry_analyses import add_ratio, is_hazard_ratio, words_of
from igfmeta.evidence.importing.registry_reader import UNITS, Doubts, Numbers, Reader
from igfmeta.evidence.importing.registry_study import PEOPLE, Cell, Measure
from igfmeta.evidence.importing.vocabulary import narrowing, normal

#: Why a statistic has no column.
NO_COLUMN = {
    "mean": "is a mean", "least squares mean": "is a mean", "geometric mean": "is a mean",
    "geometric least squares mean": "is a mean", "log mean": "is a mean", "median": "is a median, not of a time",
    "count of units": "counts units that are not people", "number": "is a number, not of people",
}  # fmt: skip
HOLD = "the columns hold hazard ratios, counts and percentages of people, and median times."

#: Units that say per cent of people, and those that do not say of what.
OF_PEOPLE = re.compile(
    rf"^(percentage|percent)( of)?( \w+)? ({'|'.join(PEOPLE)})( with .*| who .*)?$|^({'|'.join(PEOPLE)}) percent$"
)
OF_WHAT = ("percent", "percentage")


UNNAMED = "the title names no outcome of the table of outcomes."


@dataclass(frozen=True)
class Reading:
    """What a measure, one class or one category of it gives: its outcome, its doubts, one number for each group."""

    outcome: str
    doubts: Doubts
    numbers: Numbers
    whole: bool


@dataclass(frozen=True)
class Left:
    """Values of a measure that no column holds, and why."""

    cells: Sequence[Cell]
    reason: str


def add_measure(reader: Reader, measure: Measure) -> None:
    """Add one row for each hazard ratio of a measure, and rows for its medians, counts or percentages."""
    if not measure.posted:
        reader.out.skip(measure.place, measure.title, "its results are not posted yet.")
        return
    if not measure.cells and not measure.analyses:
        reader.out.skip(measure.place, measure.title, "it has no values.")
        return
    outcome, doubts = reader.outcome(measure.title)
    subset = narrowing(measure.population)
    if subset:
        doubts = [*doubts, ("population", measure.population, f"the population says {subset!r}: a subset?")]
    readings, left = _read(reader, measure, outcome, doubts)
    whole = next((r.numbers for r in readings if r.whole and len(readings) == 1), None)
    held: set[str] = set()
    for analysis in measure.analyses:
        if is_hazard_ratio(analysis):
            held |= add_ratio(reader, measure, analysis, outcome, doubts, whole)
        else:
            reader.out.skip(analysis.place, f"{measure.title}: {words_of(analysis)}",
                            "no column holds this statistic; arms are imported where they are posted.")  # fmt: skip
    for reading in readings:
        if not set(reading.numbers.values) <= held:
            _add(reader, measure, reading)
    for each in left:
        statistic = f"{measure.param or 'no statistic'}, {measure.unit or 'no unit'}"
        reader.out.skip(measure.place, f"{measure.title} ({statistic}): {_words(measure, each.cells)}", each.reason)


def _add(reader: Reader, measure: Measure, reading: Reading) -> None:
    """Add the rows of a reading; counts of people are no time to an event, and which outcome they are is asked."""
    kind, key, doubts = reading.numbers.kind, reading.outcome, reading.doubts
    if kind != "median" and reader.vocabulary.kinds.get(key) == "time_to_event":
        asked = f"counts people, and {key} is a time to an event: with it or without it, and at which time?"
        key, doubts = "", [*doubts, ("outcome", measure.title, asked)]
    cells = {"outcome": key, "measure": "median" if kind == "median" else "events"}
    reader.arms(measure.place, cells, doubts, measure.groups, reading.numbers)


def _read(reader: Reader, measure: Measure, outcome: str, doubts: Doubts) -> tuple[list[Reading], list[Left]]:
    """Return what a measure gives, class by class, and what it does not."""
    kind, why = _kind(measure)
    if not kind:
        return [], [Left(measure.cells, why)] if measure.cells else []
    readings: list[Reading] = []
    left: list[Left] = []
    for block, categories in _tables(measure).items():
        cells = [cell for each in categories.values() for cell in each]
        if len({(c.category, c.group) for c in cells}) < len(cells):
            left.append(Left(cells, "it has several values for one group."))
        elif len(categories) == 1 or {normal(title) for title in categories} == {"yes", "no"}:
            title = next(t for t in categories if len(categories) == 1 or normal(t) == "yes")
            key = outcome or (reader.vocabulary.outcome(f"{block} {title}")[0] if _is_unnamed(doubts) else "")
            if key or not _is_unnamed(doubts) or any(map(is_hazard_ratio, measure.analyses)):
                numbers = _numbers(kind, measure, block, categories[title])
                more = [*_of_block(measure, block), *(_adds_up(numbers, cells) if len(categories) == 2 else [])]
                more += _of_whom(measure) if kind == "percent" else []
                readings.append(Reading(key, [*doubts, *more], numbers, not block))
            else:
                left.append(Left(cells, UNNAMED))
        else:
            named, rest = _categories(reader, measure, kind, block, categories)
            readings += named
            left += rest
    return readings, left


def _is_unnamed(doubts: Doubts) -> bool:
    return any("names no outcome" in question for _, _, question in doubts)


def _categories(
    reader: Reader, measure: Measure, kind: str, block: str, categories: Mapping[str, list[Cell]]
) -> tuple[list[Reading], list[Left]]:
    """Return the categories that an outcome names, such as Complete Response; the others are left together."""
    readings: list[Reading] = []
    rest: list[Cell] = []
    for title, cells in categories.items():
        key, question = reader.vocabulary.outcome(title)
        if not key:
            rest += cells
            continue
        asked = question or "is one category of a table; does it alone make the outcome?"
        doubts = [*_of_block(measure, block), ("outcome", f"{measure.title}: {title}", asked)]
        readings.append(Reading(key, doubts, _numbers(kind, measure, block, cells), False))
    reason = "it has several categories; which of them make an outcome is not said."
    return readings, [Left(rest, reason)] if rest else []


def _tables(measure: Measure) -> dict[str, dict[str, list[Cell]]]:
    out: dict[str, dict[str, list[Cell]]] = {}
    for cell in measure.cells:
        out.setdefault(cell.block, {}).setdefault(cell.category, []).append(cell)
    return out


def _kind(measure: Measure) -> tuple[str, str]:
    """Return what the values are: median, events, percent; or blank and why not."""
    param, unit = normal(measure.param), _unit(measure)
    if measure.units_analysed and normal(measure.units_analysed) not in PEOPLE:
        return "", f"it analyses {measure.units_analysed}, not people; {HOLD}"
    if param == "median" and unit in UNITS:
        return "median", ""
    if param == "count of participants" or (param == "number" and unit in PEOPLE):
        return "events", ""
    if param == "number" and (OF_PEOPLE.match(unit) or unit in OF_WHAT):
        return "percent", ""
    if param == "number" and unit.startswith(("proportion", "probability", "fraction")):
        return "", "it is a proportion between 0 and 1; the columns hold percentages, and nothing was converted."
    return "", f"it {NO_COLUMN.get(param, 'is no statistic that the columns know')}; {HOLD}"


def _numbers(kind: str, measure: Measure, block: str, cells: Sequence[Cell]) -> Numbers:
    analysed = measure.analysed_in.get(block, measure.analysed)
    beside = {cell.group: _beside(measure, cell) for cell in cells}
    return Numbers(kind, {cell.group: cell.value for cell in cells}, analysed, measure.unit, beside)


def _beside(measure: Measure, cell: Cell) -> str:
    """Return dispersion and comment of a value, in words.

    An interval of a median or a percentage has no column; it goes into the remarks of the row.
    """
    spread = cell.spread or (f"{cell.lower or '?'} to {cell.upper or '?'}" if cell.lower or cell.upper else "")
    name = measure.dispersion if normal(measure.dispersion) not in ("", "na", "not applicable") else "interval"
    return "; ".join(text for text in (f"{name} {spread}" if spread else "", cell.comment) if text)


def _words(measure: Measure, cells: Sequence[Cell]) -> str:
    """Return every value of some cells with its class, category, group, denominator and dispersion."""
    words = []
    for cell in cells:
        n = measure.analysed_in.get(cell.block, measure.analysed).get(cell.group, "")
        beside = _beside(measure, cell)
        label = ", ".join(text for text in (cell.block, cell.category) if text)
        group = measure.groups.get(cell.group, cell.group)
        value = f"{group}{f' ({label})' if label else ''} {cell.value}"
        words.append(value + (f" ({beside})" if beside else "") + (f", {n} people" if n else ""))
    return " | ".join(words)


def _of_block(measure: Measure, block: str) -> Doubts:
    """Return what a class makes doubtful: what it is, and its denominator where the file holds none of classes."""
    if not block:
        return []
    doubts: Doubts = [("outcome", block, "stands under this class: a time, a subset, or another outcome?")]
    if not measure.has_denominators_of_classes:
        doubts.append(("n_exp", block, "the file holds the people analysed of the whole measure only; this class?"))
    return doubts


def _of_whom(measure: Measure) -> Doubts:
    if _unit(measure) not in OF_WHAT:
        return []
    return [("percent_exp", measure.unit, "says per cent, and not of whom: of the people analysed?")]


def _unit(measure: Measure) -> str:
    return normal(measure.unit.replace("%", " percent "))


def _adds_up(numbers: Numbers, cells: Sequence[Cell]) -> Doubts:
    """Return the groups in which yes and no are not all who were analysed."""
    odd = []
    for group, n in numbers.analysed.items():
        counts = [cell.value for cell in cells if cell.group == group]
        if numbers.kind == "events" and all(each.isdecimal() for each in (n, *counts)):
            odd += [f"{' + '.join(counts)} of {n}"] if sum(map(int, counts)) != int(n) else []
    return [("n_exp", "; ".join(odd), "yes and no do not add up to the people analysed.")] if odd else []
