"""What must hold within a row and between tables, beyond the type of each cell. Every check lists all it finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from igfmeta.errors import Problem, listed
from igfmeta.evidence.schema import FOREIGN_KEYS, PRIMARY_KEYS

#: (column, what is wrong)
Finding = tuple[str, str]
Values = Mapping[str, Any]


def interval_in_order(row: Values) -> Iterator[Finding]:
    """The estimate lies inside its interval, and an interval has two limits and a level."""
    low, estimate, high = (row.get(name) for name in ("ci_low", "estimate", "ci_high"))
    if low is not None and high is not None and low > high:
        yield "ci_low", f"found {low:g} above ci_high {high:g}; accepted is ci_low <= ci_high."
    elif estimate is not None:
        if low is not None and estimate < low:
            yield "estimate", f"found {estimate:g} below ci_low {low:g}; accepted is ci_low <= estimate <= ci_high."
        if high is not None and estimate > high:
            yield "estimate", f"found {estimate:g} above ci_high {high:g}; accepted is ci_low <= estimate <= ci_high."


def events_within_n(row: Values) -> Iterator[Finding]:
    """No more events than patients; no arm without patients."""
    for arm in ("exp", "ctl"):
        events, n = row.get(f"events_{arm}"), row.get(f"n_{arm}")
        if n == 0:
            yield f"n_{arm}", "found 0; accepted is a number of patients, 1 or more, or nothing."
        elif events is not None and n is not None and events > n:
            yield f"events_{arm}", f"found {events}; accepted is 0 to n_{arm}, which is {n}."


def reason_given(row: Values) -> Iterator[Finding]:
    """A row that is not primary says why."""
    if row.get("use") in ("sensitivity", "exclude") and not row.get("use_reason"):
        yield "use_reason", f"is blank where use is {row['use']}; a reason is needed."


def sidedness_given(row: Values) -> Iterator[Finding]:
    """A p-value says whether it is one- or two-sided."""
    if "p_value" in row and row["p_value"] and not row.get("p_sided"):
        yield "p_sided", "is blank where there is a p-value; accepted are 1, 2 or unknown."


ROW_CHECKS: dict[str, tuple[Callable[[Values], Iterator[Finding]], ...]] = {
    "trials": (interval_in_order, events_within_n, reason_given, sidedness_given),
    "associations": (interval_in_order, reason_given),
    "dose_response": (interval_in_order,),
}


def within_rows(table: str, rows: Sequence[Values], numbers: Sequence[int], file: str) -> list[Problem]:
    """Return what is wrong within the rows of a table."""
    return [
        Problem(message, file=file, row=number, column=column)
        for row, number in zip(rows, numbers, strict=True)
        for check in ROW_CHECKS.get(table, ())
        for column, message in check(row)
    ]


def repeated_keys(table: str, rows: Sequence[Values], numbers: Sequence[int], file: str) -> list[Problem]:
    """Return rows whose identity another row has."""
    key = PRIMARY_KEYS.get(table)
    first: dict[str, int] = {}
    problems = []
    for row, number in zip(rows, numbers, strict=True):
        value = row.get(key) if key else None
        if value is None:
            continue
        if value in first:
            message = f"found {value!r}, which row {first[value]} has too; each value is needed once."
            problems.append(Problem(message, file=file, row=number, column=key))
        first.setdefault(value, number)
    return problems


def unknown_keys(
    table: str, rows: Sequence[Values], numbers: Sequence[int], file: str, known: Mapping[str, Collection[str]]
) -> list[Problem]:
    """Return cells that refer to nothing; `known` holds the keys of each table that is at hand."""
    import difflib

    problems = []
    for column, target in FOREIGN_KEYS.get(table, {}).items():
        accepted = known.get(target)
        if accepted is None:
            continue
        for row, number in zip(rows, numbers, strict=True):
            value = row.get(column)
            if not value or value in accepted:
                continue
            near = difflib.get_close_matches(value, accepted, n=1)
            choice = (
                f"accepted are {listed(sorted(accepted))}" if len(accepted) <= 30 else f"accepted is a key of {target}"
            )
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems.append(Problem(f"found {value!r}; {choice}.{hint}", file=file, row=number, column=column))
    return problems


def retracted_never_primary(
    table: str, rows: Sequence[Values], numbers: Sequence[int], file: str, retracted: Collection[str]
) -> list[Problem]:
    """Return primary rows that rest on a retracted source."""
    if table not in ("trials", "associations"):
        return []
    return [
        Problem(
            f"found primary, but the source {row['source_id']!r} is retracted; accepted is exclude, with a use_reason.",
            file=file,
            row=number,
            column="use",
        )
        for row, number in zip(rows, numbers, strict=True)
        if row.get("use") == "primary" and row.get("source_id") in retracted
    ]


def repeated_judgements(rows: Sequence[Values], numbers: Sequence[int], file: str) -> list[Problem]:
    """Return judgements of the risk of bias that stand twice."""
    seen: dict[tuple[Any, ...], int] = {}
    problems = []
    for row, number in zip(rows, numbers, strict=True):
        key = tuple(row.get(name) for name in ("study_id", "tool", "domain"))
        if key in seen:
            message = f"judges {key[2]!r} of {key[0]!r} as row {seen[key]} does; each domain of a study is needed once."
            problems.append(Problem(message, file=file, row=number, column="domain"))
        seen.setdefault(key, number)
    return problems
