"""AACT: the pipe-delimited tables of ClinicalTrials.gov that CTTI publishes, as a folder or a zip archive."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.registry_study import Analysis, Measure, RegistryStudy, SeriousEvents
from igfmeta.evidence.importing.uploads import Upload, as_text

#: Tables that are read, with the columns that each needs.
NEEDED = {
    "studies": ("nct_id",),
    "outcomes": ("id", "nct_id", "title", "units", "param_type"),
    "result_groups": ("id", "nct_id", "title"),
    "outcome_counts": ("outcome_id", "result_group_id", "units", "count"),
    "outcome_measurements": ("outcome_id", "result_group_id", "classification", "category", "param_value"),
    "outcome_analyses": ("id", "outcome_id", "param_type", "param_value"),
    "outcome_analysis_groups": ("outcome_analysis_id", "result_group_id"),
    "designs": ("nct_id", "allocation", "masking"),
    "conditions": ("nct_id", "name"),
    "interventions": ("nct_id", "name"),
    "design_groups": ("nct_id", "group_type", "title"),
    "reported_event_totals": ("nct_id", "ctgov_group_code", "event_type", "subjects_affected", "subjects_at_risk"),
    "milestones": ("nct_id", "result_group_id", "title", "count"),
}

#: Without these there is nothing to import.
REQUIRED = ("studies", "outcomes", "result_groups", "outcome_counts", "outcome_measurements")

Record = Mapping[str, str]
Index = Mapping[str, Mapping[str, list[Record]]]

#: The column by which the rows of a table are looked up.
KEYS = {
    "designs": "nct_id", "conditions": "nct_id", "interventions": "nct_id", "design_groups": "nct_id",
    "outcomes": "nct_id", "result_groups": "nct_id", "reported_event_totals": "nct_id", "milestones": "nct_id",
    "outcome_counts": "outcome_id", "outcome_measurements": "outcome_id", "outcome_analyses": "outcome_id",
    "outcome_analysis_groups": "outcome_analysis_id",
}  # fmt: skip


def fits(upload: Upload) -> bool:
    """Return whether the folder or archive holds tables of AACT."""
    return any(name.rsplit("/", 1)[-1] in ("studies.txt", "outcomes.txt") for name in upload.members)


def studies(upload: Upload) -> list[RegistryStudy]:
    """Return the studies of the tables.

    Raises
    ------
    InputError
        A table that is missing or lacks a column.
    """
    files = {name.rsplit("/", 1)[-1].removesuffix(".txt"): data for name, data in upload.members.items()}
    problems = [Problem(f"lacks the table {name}.txt.", upload.file) for name in REQUIRED if name not in files]
    tables: dict[str, list[Record]] = {name: [] for name in NEEDED}
    for name in NEEDED:
        if name in files:
            try:
                tables[name] = _table(name, files[name])
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    index = {name: _by(tables[name], column) for name, column in KEYS.items()}
    return [_study(study, index) for study in tables["studies"]]


def _table(name: str, data: bytes) -> list[Record]:
    file = f"{name}.txt"
    reader = csv.reader(io.StringIO(as_text(data, file), newline=""), delimiter="|", strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as error:
        raise InputError(Problem(f"cannot be read ({error}).", file, reader.line_num)) from None
    header = lines[0] if lines else []
    missing = [column for column in NEEDED[name] if column not in header]
    problems = [Problem(f"lacks the column {column}.", file) for column in missing]
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            problems.append(Problem(f"has {len(line)} cells where the header has {len(header)}.", file, number))
    if problems:
        raise InputError(problems)
    return [dict(zip(header, (cell.strip() for cell in line), strict=True)) for line in lines[1:]]


def _by(rows: list[Record], column: str) -> Mapping[str, list[Record]]:
    out: dict[str, list[Record]] = {}
    for row in rows:
        out.setdefault(row[column], []).append(row)
    return out


def _study(study: Record, index: Index) -> RegistryStudy:
    nct = study["nct_id"]
    own = {name: index[name].get(nct, []) for name, column in KEYS.items() if column == "nct_id"}
    design: Record = next(iter(own["designs"]), {})
    groups = {row["id"]: row["title"] for row in own["result_groups"]}
    codes = {row.get("ctgov_group_code", ""): row["title"] for row in own["result_groups"]}
    return RegistryStudy(
        nct_id=nct,
        name=study.get("acronym", ""),
        title=study.get("official_title", "") or study.get("brief_title", ""),
        year=study.get("results_first_posted_date", "")[:4],
        phase=study.get("phase", ""),
        allocation=design.get("allocation", ""),
        masking=design.get("masking", ""),
        conditions=tuple(row["name"] for row in own["conditions"]),
        interventions=tuple(row["name"] for row in own["interventions"]),
        arms=tuple((row["title"], row["group_type"]) for row in own["design_groups"]),
        measures=tuple(_measure(row, index, groups) for row in own["outcomes"]),
        serious=tuple(
            SeriousEvents(codes.get(row["ctgov_group_code"], ""), row["subjects_affected"], row["subjects_at_risk"])
            for row in own["reported_event_totals"]
            if row["event_type"].casefold() == "serious"
        ),
        started={groups.get(row["result_group_id"], ""): row["count"] for row in own["milestones"]
                 if row["title"].casefold() == "started"},
    )  # fmt: skip


def _measure(outcome: Record, index: Index, groups: Mapping[str, str]) -> Measure:
    key = outcome["id"]
    counts = index["outcome_counts"].get(key, [])
    people = ("participants", "patients", "subjects")
    analysed = {row["result_group_id"]: row["count"] for row in counts if row["units"].casefold() in people}
    found = index["outcome_measurements"].get(key, [])
    values = tuple(
        (" / ".join(t for t in (row["classification"], row["category"]) if t), row["result_group_id"],
         row["param_value"])
        for row in found
    )  # fmt: skip
    compared = index["outcome_analysis_groups"]
    place = f"outcome {key}"
    return Measure(
        place=place,
        title=outcome["title"],
        param=outcome["param_type"],
        unit=outcome["units"],
        groups={g: groups.get(g, "") for g in dict.fromkeys([*analysed, *(v[1] for v in values)])},
        analysed=analysed,
        values=values,
        analyses=tuple(
            _analysis(
                row, f"{place}, analysis {row['id']}", tuple(g["result_group_id"] for g in compared.get(row["id"], []))
            )
            for row in index["outcome_analyses"].get(key, [])
        ),
    )


def _analysis(row: Record, place: str, groups: tuple[str, ...]) -> Analysis:
    comments = [row.get(name, "") for name in ("groups_description", "p_value_description", "estimate_description")]
    return Analysis(
        place=place,
        groups=groups,
        param_type=row["param_type"],
        value=row["param_value"],
        ci_percent=row.get("ci_percent", ""),
        ci_sides=row.get("ci_n_sides", ""),
        ci_lower=row.get("ci_lower_limit", ""),
        ci_upper=row.get("ci_upper_limit", ""),
        p_value=row.get("p_value_modifier", "") + row.get("p_value", ""),
        comment=" ".join(text for text in comments if text),
    )
