"""The columns of the evidence that may explain why studies differ: one row per study of a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from igfmeta.errors import InputError, Problem, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.studies import Study

if TYPE_CHECKING:
    import pandas as pd


def moderators_of(evidence: Evidence, studies: Sequence[Study], names: Sequence[str]) -> pd.DataFrame:
    """Return the columns of the trials table, and `tumor_group`, for each study; `names` are those that are needed.

    Raises
    ------
    InputError
        Rows that were combined into one study differ in what is needed.
    """
    import pandas as pd

    groups = {row["tumor_type"]: row["group"] for row in evidence.table("tumors")}
    rows: dict[str, Mapping[str, Any]] = {
        row["row_id"]: {**row, "tumor_group": groups.get(row["tumor_type"], row["tumor_type"])}
        for row in evidence.table("trials")
    }
    frame = pd.DataFrame([rows[study.row_ids[0]] for study in studies])
    _refuse_mixed(rows, studies, [name for name in names if name in frame])
    frame.index = pd.Index(frame["file_row"].tolist(), name="row")
    # What was read beside the columns of the table: texts of numbers, and places in the file.
    frame = frame[[name for name in map(str, frame) if not name.endswith("_text") and name != "file_row"]]
    frame.attrs["file"] = "trials.csv"
    return frame


def _refuse_mixed(rows: Mapping[str, Mapping[str, Any]], studies: Sequence[Study], names: Sequence[str]) -> None:
    problems = []
    for name in names:
        for study in studies:
            values = {str(rows[row][name]) for row in study.row_ids}
            if len(values) > 1:
                problems.append(
                    Problem(
                        f"The rows {', '.join(study.row_ids)} are one study, and {name} is {listed(sorted(values))} in "
                        "them: it cannot be a moderator here.",
                        file="trials.csv",
                        column=name,
                    )
                )
    if problems:
        raise InputError(problems)
