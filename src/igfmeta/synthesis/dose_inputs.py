"""A table of anybody's, or the evidence -> the reported exposure groups of each study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.dose_covariance import DESIGNS
from igfmeta.errors import InputError, Problem, check_choice, listed
from igfmeta.numerics import Floats, t_quantile
from igfmeta.synthesis.dose_tables import Group, Reported

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.evidence.tables import Evidence

#: What a column may be called where its name is not given.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "study": ("id", "study", "study_id"),
    "dose": ("dose", "median_dose"),
    "cases": ("cases", "case", "n_cases"),
    "n": ("n", "person_years", "peryears", "n_total"),
    "design": ("type", "design"),
    "log_rr": ("logrr", "log_rr", "yi"),
    "se": ("se", "sei"),
    "rr": ("rr", "estimate"),
    "lower": ("lower", "ci_lower", "ci_low", "lb"),
    "upper": ("upper", "ci_upper", "ci_high", "ub"),
    "range_low": ("range_low",),
    "range_high": ("range_high",),
    "unit": ("unit", "dose_unit"),
    "reference": ("reference",),
}
TEXTS = ("study", "design", "unit")


def standard_error(lower: float, upper: float, level: float) -> float:
    """Return (log upper - log lower) / (2 z); 0 where the limits are equal, NaN where one is blank."""
    if math.isnan(lower) or math.isnan(upper):
        return math.nan
    return math.log(upper / lower) / (2 * float(t_quantile(0.5 + level / 2, np.inf)))


def named_columns(header: Sequence[str], given: Mapping[str, str | None], file: str | None = None) -> dict[str, str]:
    """Return which column holds what: as named, or by its usual name where it is there.

    Relative risks are taken from `log_rr` with `se`, or from `rr` with `lower` and `upper`; a form whose columns were
    named goes before the usual names of the other.

    Raises
    ------
    InputError
        No dose, no relative risk, or only part of one of the forms.
    """
    unknown = [name for name in given if name not in USUAL_NAMES]
    if unknown:
        raise InputError(f"columns names {listed(unknown)}; accepted are {listed(USUAL_NAMES)}.")
    named = {role: name for role, name in given.items() if name is not None}
    folded = {name.casefold(): name for name in reversed(header)}
    usual = {
        role: next(folded[name] for name in names if name in folded)
        for role, names in USUAL_NAMES.items()
        if role not in named and any(name in folded for name in names)
    }
    found = {**usual, **named}
    forms = (("log_rr", "se"), ("rr", "lower", "upper"))
    chosen = next((f for f in forms if any(r in named for r in f)), None) or next(
        (f for f in forms if all(r in found for r in f)), None
    )
    problems = []
    if chosen is None or not all(role in found for role in chosen):
        problems.append("relative risks: log_rr with se, or rr with lower and upper")
    if "dose" not in found and not ("range_low" in found and "range_high" in found):
        problems.append("doses: dose, or range_low with range_high")
    if problems:
        raise InputError(
            Problem(f"the columns are {listed(header)}; not found: {'; and '.join(problems)}. Name them.", file=file)
        )
    other = {role for form in forms if form != chosen for role in form}
    return {role: name for role, name in found.items() if role not in other}


def from_frame(
    frame: pd.DataFrame, columns: Mapping[str, str | None], *, design: str | None = None, ci_level: float = 0.95
) -> tuple[Reported, ...]:
    """Return the studies of a table, in the order in which they first appear.

    Parameters
    ----------
    frame : DataFrame
        One row per exposure group, reference groups included. `n` is subjects (cases included) for cc and ci, and
        person-time for ir.
    columns : mapping
        Of `USUAL_NAMES`, those whose column has another name.
    design : {"cc", "ci", "ir"}, optional
        Of every study, where the table does not say.
    ci_level : float
        Of the intervals.

    Raises
    ------
    InputError
        Columns that are missing or hold no numbers, ratios that are not above 0, designs and units that change
        within a study: all at once.
    """
    file = frame.attrs.get("file")
    found = named_columns([str(name) for name in frame.columns], columns, file)
    problems = [
        Problem(f"there is no column {name!r}; the columns are {listed(frame.columns)}.", file=file)
        for name in found.values()
        if name not in frame.columns
    ]
    if problems:
        raise InputError(problems)
    rows = frame.index.tolist() if frame.index.name == "row" else list(range(1, len(frame) + 1))
    x = {role: _numbers(frame, name, file, problems) for role, name in found.items() if role not in TEXTS}
    text = {role: ["" if c != c else str(c).strip() for c in frame[found[role]]] for role in TEXTS if role in found}
    if problems:
        raise InputError(problems)
    x = {role: x.get(role, np.full(len(frame), np.nan)) for role in USUAL_NAMES if role not in TEXTS}
    problems = _impossible(x, found, rows, file)
    if problems:
        raise InputError(problems)
    if "log_rr" not in found:
        x["log_rr"] = np.log(x["rr"])
        x["se"] = np.array([standard_error(*limits, ci_level) for limits in zip(x["lower"], x["upper"], strict=True)])
    labels = text.get("study", [file or "the table"] * len(frame))
    members = {label: [i for i, own in enumerate(labels) if own == label] for label in dict.fromkeys(labels)}
    out = []
    for label, at in members.items():
        kind = _one(text.get("design"), at, label, "design", file) or (design or "")
        if kind:
            kind = check_choice(f"design of study {label}", kind, DESIGNS)
        unit = _one(text["unit"], at, label, "unit", file) if "unit" in text else None
        out.append(Reported(label, kind, unit, tuple(_group(x, i, rows) for i in at)))
    return tuple(out)


def _numbers(frame: pd.DataFrame, name: str, file: str | None, problems: list[Problem]) -> Floats:
    if frame[name].dtype.kind not in "iufb":
        problems.append(Problem(f"holds {frame[name].dtype}; accepted are numbers.", file=file, column=name))
        return np.array([])
    return frame[name].to_numpy(dtype=float)


def _impossible(
    x: Mapping[str, Floats], found: Mapping[str, str], rows: Sequence[int], file: str | None
) -> list[Problem]:
    checks = [
        *((role, np.isinf(values), "a finite number") for role, values in x.items()),
        *((role, x[role] <= 0, "a ratio above 0") for role in ("rr", "lower", "upper")),
        ("se", x["se"] < 0, "a standard error of 0 (the reference) or more"),
        ("cases", x["cases"] < 0, "a number of 0 or more"),
        ("n", x["n"] < 0, "a number of 0 or more"),
        ("upper", x["upper"] < x["lower"], "a number not below the lower limit"),
        ("rr", (x["rr"] < x["lower"]) | (x["rr"] > x["upper"]), "a number inside its interval"),
        ("range_high", x["range_high"] < x["range_low"], "a number not below the lower bound"),
    ]
    return [
        Problem(f"found {x[role][i]:g}; accepted is {accepted}.", file=file, row=rows[i], column=found[role])
        for role, bad, accepted in checks
        for i in np.flatnonzero(bad).tolist()
    ]


def _one(values: Sequence[str] | None, at: Sequence[int], label: str, what: str, file: str | None) -> str:
    """Return the one value of a study's rows; blank where there is none."""
    distinct = list(dict.fromkeys(values[i] for i in at if values[i])) if values is not None else []
    if len(distinct) > 1:
        raise InputError(Problem(f"study {label} has {what} {listed(distinct)}; accepted is one.", file=file))
    return distinct[0] if distinct else ""


def _group(x: Mapping[str, Floats], i: int, rows: Sequence[int]) -> Group:
    flag = x["reference"][i]
    return Group(
        row=int(rows[i]),
        dose=float(x["dose"][i]),
        low=float(x["range_low"][i]),
        high=float(x["range_high"][i]),
        cases=float(x["cases"][i]),
        n=float(x["n"][i]),
        log_rr=float(x["log_rr"][i]),
        se=float(x["se"][i]),
        reference=None if math.isnan(flag) else bool(flag),
    )


def from_evidence(
    evidence: Evidence,
    *,
    cancer: str | None,
    biomarker: str | None,
    subgroup: str | None = None,
    design: str | None = None,
    ci_level: float = 0.95,
) -> tuple[Reported, ...]:
    """Return the studies of the evidence's dose-response table on one cancer and one marker.

    Subgroups of a study overlap, and one stands for it: the one that was asked for, or "all", or the only one. The
    design is that of the study's rows in the associations; where these are all excluded, so are its groups.

    Parameters
    ----------
    evidence : Evidence
    cancer, biomarker : str
    subgroup : str, optional
    design : {"cc", "ci", "ir"}, optional
        Where the associations do not say.
    ci_level : float
        Of the intervals.

    Raises
    ------
    InputError
        A cancer, marker or subgroup that the table does not hold; the message lists those it does.
    """
    rows = list(evidence.table("dose_response"))
    for name, value in (("cancer", cancer), ("biomarker", biomarker), ("subgroup", subgroup)):
        there = sorted({row[name] for row in rows})
        if not there:
            raise InputError(f"There is no dose-response table in {evidence.origin}.")
        if value is None and name != "subgroup":
            raise InputError(f"{name} is missing; accepted are {listed(there)}.")
        chosen = None if value is None else check_choice(name, value, there)
        rows = [row for row in rows if chosen is None or row[name] == chosen]
    designs, excluded = _designs(evidence), _excluded(evidence, rows[0]["cancer"], rows[0]["biomarker"])
    out = []
    for study in dict.fromkeys(row["study_id"] for row in rows):
        own = [row for row in rows if row["study_id"] == study]
        kinds = list(dict.fromkeys(row["subgroup"] for row in own))
        kept = kinds[:1] if len(kinds) == 1 else [kind for kind in kinds if kind == "all"]
        own = sorted((row for row in own if row["subgroup"] in (kept or kinds)), key=lambda row: row["group_index"])
        kind, units = designs.get(study) or design or "", {row["dose_unit"] for row in own}
        out.append(
            Reported(
                label=study if kept in ([], ["all"], [""]) else f"{study} ({kept[0]})",
                design=kind,
                unit=units.pop() if len(units) == 1 else "",
                groups=tuple(_evidence_group(row, kind, ci_level) for row in own),
                trouble=excluded.get(study, "")
                or ("" if kept else f"subgroups {listed(kinds)}; choose one with subgroup"),
            )
        )
    return tuple(out)


def _designs(evidence: Evidence) -> dict[str, str]:
    """Return what kind of table the associations say that each study has: cc or ir; studies of neither are left out."""
    kinds = {"prospective_cohort": "ir"}
    found: dict[str, set[str]] = {}
    for row in evidence.table("associations"):
        kind = "cc" if "case_control" in row["design"] else kinds.get(row["design"], "")
        found.setdefault(row["study_id"], set()).add(kind)
    return {study: kinds_of.pop() for study, kinds_of in found.items() if len(kinds_of) == 1}


def _excluded(evidence: Evidence, cancer: str, biomarker: str) -> dict[str, str]:
    """Return the studies whose associations are all excluded, with the reason: their groups are in no curve either."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in evidence.table("associations"):
        if (row["cancer"], row["biomarker"]) == (cancer, biomarker):
            found.setdefault(row["study_id"], []).append(row)
    return {
        study: f"excluded in the associations: {rows[0]['use_reason']}"
        for study, rows in found.items()
        if all(row["use"] == "exclude" for row in rows)
    }


def _evidence_group(row: Mapping[str, Any], design: str, level: float) -> Group:
    """Return a row as a group; in a case-control table the column of controls does not count the cases."""
    against = row["n_controls_or_person_years"]
    return Group(
        row=row["file_row"],
        dose=row["median_dose"],
        low=row["range_low"],
        high=row["range_high"],
        cases=row["n_cases"],
        n=against + row["n_cases"] if design == "cc" else against,
        log_rr=math.log(row["estimate"]),
        se=standard_error(row["ci_low"], row["ci_high"], level),
        reference=row["reference"] == "1",
    )
