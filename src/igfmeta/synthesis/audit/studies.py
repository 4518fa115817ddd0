"""Rows against rows: one trial under two names, control arms counted twice, subsets beside the whole."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from igfmeta.synthesis.audit.findings import Remark, Row, Table, row_id_of

_SUBSET = re.compile(
    r"\b(subsets?|subgroups?|sub-?populations?|biomarker-evaluable|post[- ]hoc|per[- ]protocol)\b", re.IGNORECASE
)


def _ncts(row: Row) -> set[str]:
    return {part.strip().upper() for part in row["nct_id"].split(";") if part.strip()}


def _studies(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["study_id"], []).append(row)
    return found


def same_registration(table: Table) -> Iterator[Remark]:
    """One registration number stands under one study, or not twice in the primary rows of an outcome."""
    studies = _studies(table.rows)
    numbers = {study: set().union(*(_ncts(row) for row in rows)) for study, rows in studies.items()}
    for one, other in combinations(studies, 2):
        shared = numbers[one] & numbers[other]
        if not shared:
            continue
        primary = [{r["outcome"]: r for r in studies[s] if r["use"] == "primary"} for s in (one, other)]
        both = sorted(set(primary[0]) & set(primary[1]))
        row = primary[1][both[0]] if both else studies[other][0]
        counted = f"; both have primary rows of {', '.join(both)}: do they hold the same patients?" if both else "."
        yield Remark(
            row,
            f"{', '.join(sorted(shared))} is the registration of {one} too{counted}",
            {"other_study": one, "nct": ", ".join(sorted(shared))},
            "warning" if both else "note",
        )


_PRINTED = ("estimate", "ci_low", "ci_high", "p_value", "events_exp", "n_exp", "events_ctl", "n_ctl", "percent_exp",
            "percent_ctl", "median_exp", "median_ctl")  # fmt: skip


def same_numbers(table: Table) -> Iterator[Remark]:
    """No two studies of an agent and an outcome print the same numbers: then they may be one trial."""
    seen: dict[tuple[str, ...], Row] = {}
    for row in table.rows:
        numbers = tuple(row[f"{name}_text"] for name in _PRINTED)
        if sum(bool(n) for n in numbers) < 2:
            continue
        earlier = seen.setdefault((row["agent"], row["tumor_type"], row["outcome"], *numbers), row)
        if earlier["study_id"] == row["study_id"]:
            continue
        near = math.isnan(row["year"]) or math.isnan(earlier["year"]) or abs(row["year"] - earlier["year"]) <= 3
        both = row["use"] == earlier["use"] == "primary"
        many = sum(bool(n) for n in numbers) >= 4
        yield Remark(
            row,
            f"Agent, tumour, outcome and every number are those of {earlier['study_id']} (row {earlier['file_row']}): "
            "one trial under two names?",
            {"other_row": row_id_of(earlier)},
            "error" if both and near and many else "warning" if both else "note",
        )


def same_trial_of_associations(table: Table) -> Iterator[Remark]:
    """One cohort stands under one population, so that a pool takes it once."""
    populations: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in table.rows:
        if row["cohort_name"] and row["use"] == "primary":
            key = (row["cohort_name"].casefold(), row["cancer"], row["biomarker"])
            populations.setdefault(key, {}).setdefault(row["population_id"] or row["study_id"], row)
    for found in populations.values():
        (first, earlier), *others = found.items()
        for population, row in others:
            yield Remark(
                row,
                f"{row['cohort_name']} stands under the populations {first} (row {earlier['file_row']}) and "
                f"{population}: a pool would take it twice.",
                {"other_row": row_id_of(earlier)},
            )


def undeclared_shared_control(table: Table) -> Iterator[Remark]:
    """Contrasts of one study with one control arm say so in `shared_control`: else they count as independent."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    keys = ("study_id", "outcome", "control", "tumor_type", "tumor_subtype", "population")
    for row in table.rows:
        if row["control"] and row["contrast"] != "none":
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    for rows in groups.values():
        for one, other in combinations(rows, 2):
            if one["experimental"] == other["experimental"]:
                continue
            if one["shared_control"] and one["shared_control"] == other["shared_control"]:
                continue
            both = one["use"] == other["use"] == "primary"
            yield Remark(
                other,
                f"Rows {one['file_row']} and {other['file_row']} compare two arms with one control arm "
                f"({other['control']}) and do not say so in shared_control.",
                {"other_row": row_id_of(one)},
                "error" if both else "note",
            )


def subset_in_primary(table: Table) -> Iterator[Remark]:
    """A primary row is of all who were randomized or treated, not of a subset; least of all beside the whole."""
    for row in table.rows:
        if row["use"] == "primary" and (word := _SUBSET.search(f"{row['population']} {row['tumor_subtype']}")):
            yield Remark(row, f"The row is primary, and its patients are a {word[0].lower()} by its own words.",
                         {"word": word[0].lower()})  # fmt: skip
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows:
        if row["use"] == "primary":
            key = tuple(row[name] for name in ("study_id", "outcome", "experimental", "control", "tumor_type"))
            groups.setdefault(key, []).append(row)
    for rows in groups.values():
        for one, other in combinations(rows, 2):
            yield from _part_of(one, other)


def _part_of(one: Row, other: Row) -> Iterator[Remark]:
    """Two primary rows of one comparison and outcome whose patients are not said to be different strata."""
    if one["measure"] != other["measure"] or one["tumor_subtype"] != other["tumor_subtype"]:
        return
    small, large = sorted((one, other), key=lambda row: row["n_exp"])
    if not small["n_exp"] < large["n_exp"] or small["population"] == large["population"]:
        return
    if "unselected" in large["population"]:
        yield Remark(
            small,
            f"{small['n_exp']:.0f} patients ({small['population']}) beside {large['n_exp']:.0f} "
            f"({large['population']}, row {large['file_row']}) of one comparison, both primary: the first may be part "
            "of the second.",
            {"other_row": row_id_of(large)},
        )
