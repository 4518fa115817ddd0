"""Intervals against their own estimates, and against those of other rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from igfmeta.synthesis.audit.findings import Remark, Row, Table, row_id_of
from igfmeta.synthesis.audit.printed import Range, has_interval, level_of, log_printed

#: Off the middle by more than this share of the half-width, beyond rounding, no interval in use can be.
GROSS = 0.5
#: Up to this share an interval by profile likelihood or score is asymmetric by right.
SLIGHT = 0.02


def asymmetric(row: Row) -> Iterator[Remark]:
    """The estimate stands in the middle of its interval on the log scale, as far as rounding can tell."""
    if not has_interval(row):
        return
    low, estimate, high = (log_printed(row, name) for name in ("ci_low", "estimate", "ci_high"))
    half = 0.5 * math.log(row["ci_high"] / row["ci_low"])
    middle = Range(0.5 * (low.low + high.low), 0.5 * (low.high + high.high))
    share = middle.gap(estimate) / half
    if share <= SLIGHT:
        return
    below, above = row["estimate"] - row["ci_low"], row["ci_high"] - row["estimate"]
    guess = ""
    if abs(below - above) < 0.1 * (below + above):
        guess = " It is in the middle on the scale as printed: an interval of a difference, or not of a ratio?"
    center = math.sqrt(row["ci_low"] * row["ci_high"])
    yield Remark(
        row,
        f"{row['estimate']:g} lies {100 * share:.0f} % of the half-width off the middle of {row['ci_low']:g} to "
        f"{row['ci_high']:g} on the log scale, beyond what rounding explains; the middle is "
        f"{center:.3g}.{guess}",
        {"share_off": share, "middle": center},
        "error" if share > GROSS else None,
    )


def without_level(row: Row) -> Iterator[Remark]:
    """An interval says its level; without it there is no standard error."""
    if has_interval(row) and math.isnan(level_of(row)):
        yield Remark(
            row, f"The interval {row['ci_low']:g} to {row['ci_high']:g} has no level; no effect is made of it."
        )


def identical_triples(table: Table) -> Iterator[Remark]:
    """Estimate and both limits are the same in two rows: one of them may have been copied."""
    first: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows:
        if not has_interval(row):
            continue
        key = tuple(row[f"{name}_text"] for name in ("estimate", "ci_low", "ci_high"))
        for earlier in first.get(key, ()):
            same = earlier["study_id"] == row["study_id"] or earlier["source_id"] == row["source_id"]
            where = "of the same study" if same else f"of {earlier['study_id']}"
            yield Remark(
                row,
                f"{key[0]} ({key[1]} to {key[2]}) is also printed in row {earlier['file_row']} "
                f"({row_id_of(earlier)}), {where}; copied, or a coincidence?",
                {"other_row": row_id_of(earlier)},
                "warning" if same else "note",
            )
        first.setdefault(key, []).append(row)
