"""AACT: the pipe-delimited tables of ClinicalTrials.gov that CTTI publishes, as a folder or a zip archive.

Names of tables and columns are those of the schema `ctgov` (ctti-clinicaltrials/aact: `db/structure.sql` of 2024 and
`lib/aact/mapping.json`, which says from which field of the registry's API version 2 each column comes). Exports are
PostgreSQL's CSV with `|` between cells and a header. The identity of a group is `result_group_id`; group codes (OG000,
EG000, FG000) repeat between outcome measures. Earlier schemas lack `outcomes.units_analyzed`,
`reported_event_totals` and the raw limits of intervals; what is absent is blank.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.registry_study import (
    PEOPLE,
    Analysis,
    Arm,
    Cell,
    Counts,
    EventTerm,
    EventTotals,
    Measure,
    Period,
    RegistryStudy,
    told_apart,
)
from igfmeta.evidence.importing.uploads import Upload, as_text

#: Tables that are read, with the columns that each needs; all have `nct_id`.
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
    "intervention_other_names": ("nct_id", "name"),
    "design_groups": ("nct_id", "group_type", "title"),
    "design_group_interventions": ("nct_id", "design_group_id", "intervention_id"),
    "reported_event_totals": ("nct_id", "ctgov_group_code", "event_type", "subjects_affected", "subjects_at_risk"),
    "reported_events": ("nct_id", "event_type", "adverse_event_term", "subjects_affected", "subjects_at_risk"),
    "milestones": ("nct_id", "result_group_id", "title", "count"),
    "drop_withdrawals": ("nct_id", "result_group_id", "reason", "count"),
}

#: Without these there is nothing to import.
REQUIRED = ("studies", "outcomes", "result_groups", "outcome_counts", "outcome_measurements")

Record = Mapping[str, str]
Index = Mapping[str, Mapping[str, list[Record]]]

#: The column by which the rows of a table are looked up, where that is not the study.
KEYS = {
    "outcome_counts": "outcome_id", "outcome_measurements": "outcome_id", "outcome_analyses": "outcome_id",
    "outcome_analysis_groups": "outcome_analysis_id",
}  # fmt: skip


def fits(upload: Upload) -> bool:
    """Return whether the folder or archive holds tables of AACT."""
    return are_tables(upload.members)


def are_tables(names: Iterable[str]) -> bool:
    """Return whether names of files are those of AACT.

    Examples
    --------
    >>> are_tables(["export/studies.txt", "export/outcomes.txt"]), are_tables(["a.csv"])
    (True, False)
    """
    return any(name.rsplit("/", 1)[-1] in ("studies.txt", "outcomes.txt") for name in names)


def table_name(file: str) -> str:
    """Return the table that a file of an export holds."""
    return file.rsplit("/", 1)[-1].removesuffix(".txt")


def studies(upload: Upload) -> list[RegistryStudy]:
    """Return the studies of the tables.

    Raises
    ------
    InputError
        A table that is missing or lacks a column.
    """
    files = {table_name(name): data for name, data in upload.members.items()}
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
    index = {name: _by(rows, KEYS.get(name, "nct_id")) for name, rows in tables.items()}
    others = sorted(name for name in files if name not in NEEDED)
    unread = (f"the tables {', '.join(others)}",) if others else ()
    return [_study(study, index, unread) for study in tables["studies"]]


def _table(name: str, data: bytes) -> list[Record]:
    file = f"{name}.txt"
    reader = csv.reader(io.StringIO(as_text(data, file), newline=""), delimiter="|", strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as error:
        raise InputError(Problem(f"cannot be read ({error}).", file, reader.line_num)) from None
    header = lines[0] if lines else []
    problems = [Problem(f"lacks the column {column}.", file) for column in NEEDED[name] if column not in header]
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


def _study(study: Record, index: Index, unread: tuple[str, ...]) -> RegistryStudy:
    nct = study["nct_id"]
    own = {name: rows.get(nct, []) for name, rows in index.items() if name not in KEYS}
    design: Record = next(iter(own["designs"]), {})
    groups = {row["id"]: row["title"] for row in own["result_groups"]}
    return RegistryStudy(
        nct_id=nct,
        name=study.get("acronym", ""),
        title=study.get("official_title", "") or study.get("brief_title", ""),
        year=study.get("results_first_posted_date", "")[:4],
        phase=study.get("phase", ""),
        allocation=design.get("allocation", ""),
        masking=design.get("masking", ""),
        conditions=tuple(row["name"] for row in own["conditions"]),
        interventions=tuple(row["name"] for row in (*own["interventions"], *own["intervention_other_names"])),
        arms=_arms(own),
        measures=tuple(_measure(row, index, groups) for row in own["outcomes"]),
        totals=_totals(own),
        terms=_terms(own),
        periods=_periods(own, groups),
        threshold=next((row.get("frequency_threshold", "") for row in own["reported_events"]), ""),
        unread=unread,
    )


def _arms(own: Mapping[str, list[Record]]) -> tuple[Arm, ...]:
    drugs = {row.get("id", ""): row["name"] for row in own["interventions"]}
    given = _by(own["design_group_interventions"], "design_group_id")
    return tuple(
        Arm(row["title"], row["group_type"],
            tuple(drugs.get(each["intervention_id"], "") for each in given.get(row.get("id", ""), [])))
        for row in own["design_groups"]
    )  # fmt: skip


def _codes(own: Mapping[str, list[Record]]) -> dict[str, str]:
    """Return titles of the groups of adverse events by their code; EG000 and so on stand once in a study."""
    pairs = ((row.get("ctgov_group_code", ""), row["title"]) for row in own["result_groups"])
    return told_apart(pair for pair in pairs if not pair[0].startswith(("OG", "FG", "BG")))


def _pair(row: Record) -> tuple[str, str]:
    return row["subjects_affected"], row["subjects_at_risk"]


def _totals(own: Mapping[str, list[Record]]) -> tuple[EventTotals, ...]:
    codes, none = _codes(own), ("", "")
    out = []
    for code, rows in _by(own["reported_event_totals"], "ctgov_group_code").items():
        kinds = {row["event_type"].casefold(): _pair(row) for row in rows}
        out.append(
            EventTotals(codes.get(code, code), *(kinds.get(kind, none) for kind in ("serious", "other", "deaths")))
        )
    return tuple(out)


def _terms(own: Mapping[str, list[Record]]) -> tuple[EventTerm, ...]:
    codes = _codes(own)
    found: dict[tuple[str, str, str], dict[str, tuple[str, str]]] = {}
    for row in own["reported_events"]:
        code = row.get("ctgov_group_code", "")
        key = (row["event_type"].casefold(), row["adverse_event_term"], row.get("organ_system", ""))
        found.setdefault(key, {})[codes.get(code, code)] = _pair(row)
    return tuple(EventTerm(*key, counts) for key, counts in found.items())


def _periods(own: Mapping[str, list[Record]], groups: Mapping[str, str]) -> tuple[Period, ...]:
    found: dict[str, tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]] = {}
    for i, (table, column) in enumerate((("milestones", "title"), ("drop_withdrawals", "reason"))):
        for row in own[table]:
            kinds = found.setdefault(row.get("period", ""), ({}, {}))[i]
            kind = row[column].upper() if i == 0 else row[column]
            kinds.setdefault(kind, {})[groups.get(row["result_group_id"], "")] = row["count"]
    return tuple(Period(title, *kinds) for title, kinds in found.items())


def _measure(outcome: Record, index: Index, groups: Mapping[str, str]) -> Measure:
    key = outcome["id"]
    counts = [row for row in index["outcome_counts"].get(key, []) if row.get("scope", "").casefold() in ("measure", "")]
    analysed: Counts = {row["result_group_id"]: row["count"] for row in counts if row["units"].casefold() in PEOPLE}
    cells = tuple(
        Cell(row["classification"], row["category"], row["result_group_id"], row["param_value"],
             row.get("dispersion_value", ""),
             row.get("dispersion_lower_limit_raw", "") or row.get("dispersion_lower_limit", ""),
             row.get("dispersion_upper_limit_raw", "") or row.get("dispersion_upper_limit", ""),
             row.get("explanation_of_na", ""))
        for row in index["outcome_measurements"].get(key, [])
    )  # fmt: skip
    place = f"outcome {key}"
    return Measure(
        place=place,
        title=outcome["title"],
        param=outcome["param_type"],
        dispersion=outcome.get("dispersion_type", ""),
        unit=outcome["units"],
        units_analysed=outcome.get("units_analyzed", ""),
        population=outcome.get("population", ""),
        posted=bool(cells) or not outcome.get("anticipated_posting_date"),
        groups={g: groups.get(g, "") for g in dict.fromkeys([*analysed, *(cell.group for cell in cells)])},
        analysed=analysed,
        analysed_in={},
        has_denominators_of_classes=False,
        cells=cells,
        analyses=tuple(
            _analysis(row, f"{place}, analysis {row['id']}", index["outcome_analysis_groups"].get(row["id"], []))
            for row in index["outcome_analyses"].get(key, [])
        ),
    )


def _analysis(row: Record, place: str, groups: list[Record]) -> Analysis:
    comments = ("groups_description", "p_value_description", "estimate_description", "non_inferiority_description",
                "method_description", "ci_upper_limit_na_comment", "other_analysis_description")  # fmt: skip
    return Analysis(
        place=place,
        groups=tuple(each["result_group_id"] for each in groups),
        param_type=row["param_type"],
        value=row["param_value"],
        dispersion=f"{row.get('dispersion_type', '')} {row.get('dispersion_value', '')}".strip(),
        ci_percent=row.get("ci_percent", ""),
        ci_sides=row.get("ci_n_sides", ""),
        ci_lower=row.get("ci_lower_limit_raw", "") or row.get("ci_lower_limit", ""),
        ci_upper=row.get("ci_upper_limit_raw", "") or row.get("ci_upper_limit", ""),
        p_value=row.get("p_value_raw", "") or row.get("p_value_modifier", "") + row.get("p_value", ""),
        method=row.get("method", ""),
        non_inferiority=row.get("non_inferiority_type", ""),
        comment=" ".join(text for text in (row.get(name, "") for name in comments) if text),
    )
