"""Counts and percentages against each other, within a row and between outcomes that contain one another."""

from __future__ import annotations

import math
from collections.abc import Iterator

from igfmeta.effects.percentages import counts_from_percent
from igfmeta.synthesis.audit.findings import Remark, Row, Table, row_id_of
from igfmeta.synthesis.audit.printed import Range, half_unit, printed

ARMS = {"exp": "experimental", "ctl": "control"}

#: Outcomes of which the first is part of the second: whoever has the first has the second. With the severity where not.
NESTED = (
    ("cr", "orr", "error"),
    ("orr", "dcr", "error"),
    ("cr", "dcr", "error"),
    ("ae_death", "sae", "warning"),
    ("ae_death", "any_g3plus_ae", "warning"),
    ("hyperglycemia_g3plus", "any_g3plus_ae", "error"),
)


def _decimals(text: str) -> int:
    return max(0, round(-math.log10(2 * half_unit(text)))) if half_unit(text) else 0


def _at_a_fixed_time(table: Table, row: Row) -> bool:
    """Return whether a rate is of survival or progression: then a Kaplan-Meier estimate, which no count need give."""
    family = table.outcomes.get(row["outcome"], {}).get("family", "")
    return family in ("survival", "progression")


def grim(table: Table) -> Iterator[Remark]:
    """A percentage of n patients is that of a whole number, and of the number printed beside it."""
    for row in table.rows:
        if row["measure"] != "events" or _at_a_fixed_time(table, row):
            continue
        for arm in ARMS:
            yield from _grim(row, arm)


def _grim(row: Row, arm: str) -> Iterator[Remark]:
    percent, n, events = row[f"percent_{arm}"], row[f"n_{arm}"], row[f"events_{arm}"]
    if math.isnan(percent) or math.isnan(n):
        return
    text = row[f"percent_{arm}_text"]
    found = counts_from_percent([percent], [n], decimals=[_decimals(text)]).candidates[0]
    if math.isnan(events):
        if not found:
            near = math.floor(percent * n / 100)
            yield Remark(
                row,
                f"{text} % of {n:.0f} in the {ARMS[arm]} arm is no whole number of patients: {near} are "
                f"{100 * near / n:.2f} %, {near + 1} are {100 * (near + 1) / n:.2f} %; another denominator?",
                {"percent": percent, "n": n},
            )
    elif int(events) not in found:
        exact = 100 * events / n
        cut = 0 <= exact - percent < 2 * half_unit(text)
        yield Remark(
            row,
            f"{events:.0f} of {n:.0f} in the {ARMS[arm]} arm are {exact:.2f} %, and {text} % is printed"
            + ("; cut off, not rounded." if cut else "."),
            {"percent": percent, "events": events, "n": n, "exact": exact},
            "note" if cut else "error",
        )


def implied_n(table: Table) -> Iterator[Remark]:
    """A count with its percentage and no n means an n that is not more than the arm has in other rows."""
    for row in table.rows:
        for arm in ARMS:
            percent, n, events = row[f"percent_{arm}"], row[f"n_{arm}"], row[f"events_{arm}"]
            if any(math.isnan(v) for v in (percent, events)) or not math.isnan(n) or events == 0 or percent == 0:
                continue
            share = printed(row, f"percent_{arm}")
            least = math.ceil(100 * events / share.high - 1e-9)
            same = [other for other in table.rows if other is not row and _same_arm(row, other, arm)]
            known = max((other[f"n_{arm}"] for other in same), default=math.nan)
            if known < least:
                yield Remark(
                    row,
                    f"{events:.0f} with {row[f'percent_{arm}_text']} % in the {ARMS[arm]} arm mean {least} patients or "
                    f"more; other rows of the study have {known:.0f}.",
                    {"least": float(least), "known": known},
                )


def _same_arm(one: Row, other: Row, arm: str) -> bool:
    side = {"exp": "experimental", "ctl": "control"}[arm]
    keys = ("study_id", side, "tumor_type", "tumor_subtype", "population")
    return all(one[key] == other[key] for key in keys) and not math.isnan(other[f"n_{arm}"])


def _share(row: Row, arm: str) -> Range | None:
    """Return the range of an arm's proportion, in percent, from counts where they are there, else as printed."""
    events, n, percent = row[f"events_{arm}"], row[f"n_{arm}"], row[f"percent_{arm}"]
    if not (math.isnan(events) or math.isnan(n)) and n > 0:
        return Range(100 * events / n, 100 * events / n)
    return None if math.isnan(percent) else printed(row, f"percent_{arm}")


def nested(table: Table) -> Iterator[Remark]:
    """Complete responses are responses, and responses are disease control: the part is not more than the whole."""
    by_arm: dict[tuple[str, ...], list[Row]] = {}
    keys = ("study_id", "experimental", "control", "tumor_type", "tumor_subtype", "population")
    for row in table.rows:
        if row["measure"] == "events":
            by_arm.setdefault(tuple(row[key] for key in keys), []).append(row)
    for rows in by_arm.values():
        for part_name, whole_name, severity in NESTED:
            for part in (r for r in rows if r["outcome"] == part_name):
                for whole in (r for r in rows if r["outcome"] == whole_name):
                    yield from _nested(part, whole, severity)


def _nested(part: Row, whole: Row, severity: str) -> Iterator[Remark]:
    for arm, name in ARMS.items():
        small, large = _share(part, arm), _share(whole, arm)
        if small is None or large is None or small.low <= large.high:
            continue
        same_n = part[f"n_{arm}"] == whole[f"n_{arm}"]
        yield Remark(
            part,
            f"{part['outcome']} in the {name} arm is {small.low:.3g} % or more, and {whole['outcome']}, which contains "
            f"it, {large.high:.3g} % or less (row {whole['file_row']})"
            + ("." if same_n else "; the denominators differ or are not both known."),
            {"part": small.low, "whole": large.high, "other_row": row_id_of(whole)},
            "error" if severity == "error" and same_n else "warning",
        )


def groups_of_doses(table: Table) -> Iterator[Remark]:
    """Exposure groups of one study: one referent, with the ratio 1; the adjusted ratio not far from the crude one."""
    tables: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows:
        key = tuple(row[name] for name in ("study_id", "cancer", "subgroup", "biomarker"))
        tables.setdefault(key, []).append(row)
    for rows in tables.values():
        if all(math.isnan(row["estimate"]) for row in rows):
            continue
        referents = [row for row in rows if row["reference"] == "1"]
        if len(referents) != 1:
            yield Remark(rows[0], f"{len(referents)} referent groups; a table of exposure groups has one.",
                         {"referents": float(len(referents))})  # fmt: skip
            continue
        referent = referents[0]
        if not math.isnan(referent["estimate"]) and referent["estimate"] != 1:
            yield Remark(referent, f"The referent group has the ratio {referent['estimate']:g}; accepted is 1.")
        for row in rows:
            if row is not referent:
                yield from _crude(row, referent)


def _crude(row: Row, referent: Row) -> Iterator[Remark]:
    numbers = [each[name] for each in (row, referent) for name in ("n_cases", "n_controls_or_person_years")]
    if any(math.isnan(v) or v <= 0 for v in (*numbers, row["estimate"])):
        return
    crude = math.log(numbers[0] * numbers[3] / (numbers[1] * numbers[2]))
    adjusted = math.log(row["estimate"])
    if abs(crude - adjusted) > math.log(2):
        yield Remark(
            row,
            f"The ratio is {row['estimate']:g}; the counts of the group and of the referent give "
            f"{math.exp(crude):.2f}, a factor of more than 2 away. Rows exchanged, or heavy confounding?",
            {"crude": math.exp(crude), "adjusted": row["estimate"]},
        )
