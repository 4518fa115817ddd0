"""Which rows can answer a question, and for each of the others the reason why not: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igfmeta.synthesis.questions import Question

Row = Mapping[str, Any]
USE_LEVELS = ("primary", "sensitivity")


@dataclass(frozen=True)
class Unused:
    """A row that was found and not used, with the reason.

    `not_estimable` marks a row that answers the question and whose numbers give no effect: a forest keeps its line.
    """

    row_id: str
    study_id: str
    outcome: str
    reason: str
    label: str = ""
    not_estimable: bool = False

    def to_dict(self) -> dict[str, str]:
        """Return the row and the reason."""
        return {name: getattr(self, name) for name in ("row_id", "study_id", "outcome", "reason")}


def _why_use(row: Row, use: str) -> str | None:
    if row["use"] == "primary" or (use == "sensitivity" and row["use"] == "sensitivity"):
        return None
    return f"{row['use']}: {row['use_reason']}"


def _why_design(row: Row, question: Question, regimen: str | None, contrast: str | None) -> str | None:
    if question.arms == "single_arm":
        if row["contrast"] != "none":
            return "a comparison of arms, not a single-arm result"
        if regimen is None and row["regimen"] != "monotherapy":
            return "given in combination, where monotherapy is asked for"
        return None
    if row["contrast"] == "none":
        return "one arm, nothing to compare with"
    if contrast is None and row["contrast"] != "add_on":
        return f"contrast is {row['contrast']}: it does not isolate the agent"
    return None


def _why_measure(row: Row, question: Question, use: str) -> str | None:
    if question.measure == "HR":
        if row["measure"] == "median" and use == "primary":
            return "medians, not a hazard ratio"
        if row["measure"] not in ("HR", "median"):
            return f"reported as {row['measure']}, not as a hazard ratio"
    elif row["measure"] != "events":
        return f"reported as {row['measure']}, not as counts"
    return None


def comparison_of(row: Row) -> tuple[str, ...]:
    """What makes two rows results of the same patients: one study, comparison and stratum."""
    keys = ("study_id", "experimental", "control", "tumor_type", "tumor_subtype", "population")
    return tuple(str(row[key]) for key in keys)


def left_out(row: Row, reason: str) -> Unused:
    """Return the record of a row that is not used."""
    return Unused(row_id=row["row_id"], study_id=row["study_id"], outcome=row["outcome"], reason=reason)


def eligible(
    rows: Sequence[Row],
    question: Question,
    *,
    use: str = "primary",
    regimen: str | None = None,
    contrast: str | None = None,
) -> tuple[list[Row], list[Unused]]:
    """Split the rows of the question's outcomes into those that answer it and those that do not.

    Parameters
    ----------
    rows : sequence of mappings
        Rows of the trials table that the selection left.
    question : Question
    use : {"primary", "sensitivity"}
        "sensitivity" adds the rows marked so, where their study has no primary row.
    regimen, contrast : str or None
        What the selection asked for. Without it single-arm results are of monotherapy only, and comparisons are those
        that isolate the agent (contrast "add_on").

    Returns
    -------
    used : list of mappings
    unused : list of Unused
    """
    used: list[Row] = []
    unused: list[Unused] = []
    for row in rows:
        if row["outcome"] not in question.outcomes:
            continue
        reason = (
            _why_use(row, use)
            or _why_design(row, question, regimen, contrast)
            or _why_measure(row, question, use)
        )  # fmt: skip
        if reason is None:
            used.append(row)
        else:
            unused.append(left_out(row, reason))
    return used, unused


def once_per_study(rows: Sequence[Row], question: Question) -> tuple[list[Row], list[Unused]]:
    """Keep one row per study and comparison, so that no patient counts twice.

    A primary row goes before a sensitivity row, a hazard ratio before medians, then the outcomes in the question's
    order of preference, then the order of the table. Rows of different strata of a study are different patients and
    all stay; a sensitivity row goes where its study has a primary row, because the two may overlap.
    """
    order = {outcome: rank for rank, outcome in enumerate(question.outcomes)}
    ranked = sorted(rows, key=lambda r: (r["use"] != "primary", r["measure"] == "median", order[r["outcome"]]))
    chosen: dict[tuple[str, ...], Row] = {}
    with_primary = {row["study_id"] for row in rows if row["use"] == "primary"}
    unused = []
    for row in ranked:
        key = comparison_of(row)
        if key in chosen:
            reason = f"the same comparison counts once, by row {chosen[key]['row_id']} ({chosen[key]['outcome']})"
            unused.append(left_out(row, reason))
        elif row["use"] != "primary" and row["study_id"] in with_primary:
            unused.append(left_out(row, "a primary row of this study is used; this row may hold the same patients"))
        else:
            chosen[key] = row
    kept = {id(row) for row in chosen.values()}
    return [row for row in rows if id(row) in kept], unused
