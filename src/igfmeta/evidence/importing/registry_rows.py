"""A registered study -> candidate rows: hazard ratios, medians, counts and percentages, people with serious events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from igfmeta.evidence.importing.candidates import Collector, Doubt, of_study
from igfmeta.evidence.importing.registry_study import Analysis, Measure, RegistryStudy
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal

PHASES = {"phase1": "1", "phase1/phase2": "1/2", "phase2": "2", "phase2/phase3": "2/3", "phase3": "3"}
CONTROLS = ("active_comparator", "placebo_comparator", "sham_comparator", "no_intervention")
UNITS = {"month": "months", "months": "months", "week": "weeks", "weeks": "weeks", "day": "days", "days": "days",
         "year": "years", "years": "years"}  # fmt: skip
Cells = dict[str, str]
Doubts = list[tuple[str, str, str]]


@dataclass(frozen=True)
class Reader:
    """Where rows of one study go, and the words by which they are read."""

    study: RegistryStudy
    vocabulary: Vocabulary
    control: str | None
    out: Collector
    shared: Mapping[str, str]

    def role(self, title: str) -> str:
        """Return experimental, control, or blank where the record does not say."""
        if self.control is not None:
            return "control" if normal(title) == normal(self.control) else "experimental"
        kinds = {kind.casefold().replace(" ", "_") for label, kind in self.study.arms if normal(label) == normal(title)}
        if kinds == {"experimental"}:
            return "experimental"
        return "control" if len(kinds) == 1 and kinds <= set(CONTROLS) else ""


def add_study(study: RegistryStudy, vocabulary: Vocabulary, control: str | None, out: Collector) -> None:
    """Add the candidate rows and the source of a study."""
    source = study.nct_id.casefold()
    out.source({"source_id": source, "type": "registry", "year": study.year, "title": study.title,
                "journal": "ClinicalTrials.gov", "nct_id": study.nct_id, "status": "ok"})  # fmt: skip
    before = len(out.rows)
    reader = Reader(study, vocabulary, control, out, _shared(study, vocabulary, out))
    for measure in study.measures:
        _measure(reader, measure)
    _serious(reader)
    if len(out.rows) == before and not study.measures:
        out.skip(study.nct_id, "the study", "it has no results section.")


def _shared(study: RegistryStudy, vocabulary: Vocabulary, out: Collector) -> Cells:
    """Return the cells that all rows of a study have in common, and list what is not plain."""
    cells = {
        "study_id": study.nct_id.casefold(), "trial_name": study.name, "nct_id": study.nct_id, "year": study.year,
        "source_id": study.nct_id.casefold(), "extraction": "registry",
    }  # fmt: skip

    def one(column: str, found: tuple[str, ...], words: tuple[str, ...]) -> None:
        if len(found) == 1:
            cells[column] = found[0]
        else:
            why = (
                f"{', '.join(found)} are named; which one?" if found else "no name of the tables is among these words."
            )
            out.doubts.append(Doubt(of_study(cells["study_id"]), column, study.nct_id, "; ".join(words), why))

    one("agent", vocabulary.agent(study.interventions), study.interventions)
    one("tumor_type", vocabulary.tumor(study.conditions), study.conditions)
    cells["agent_class"] = vocabulary.classes.get(cells.get("agent", ""), "")
    _coded(cells, study, out)
    return cells


def _coded(cells: Cells, study: RegistryStudy, out: Collector) -> None:
    phase = normal(study.phase.replace("/", "|")).replace("phase ", "phase").replace(" phase", "/phase")
    masking, allocation = normal(study.masking), normal(study.allocation)
    found = {
        "phase": PHASES.get(phase, ""),
        "design": "randomized" if allocation == "randomized" else "",
        "blinding": "open_label" if masking.startswith("none")
        else "double_blind" if masking.startswith(("double", "triple", "quadruple")) else "",
    }  # fmt: skip
    for column, text in (("phase", study.phase), ("design", study.allocation), ("blinding", study.masking)):
        cells[column] = found[column]
        if text and not found[column]:
            out.doubts.append(
                Doubt(of_study(cells["study_id"]), column, study.nct_id, text, "no value of the column says just this.")
            )


def _measure(reader: Reader, measure: Measure) -> None:
    """Add one row for each hazard ratio of a measure, or else for its medians, counts or percentages."""
    outcome, doubt = reader.vocabulary.outcome(measure.title)
    doubts: Doubts = [("outcome", measure.title, doubt)] if doubt else []
    kind, values = _values(measure)
    if kind == "median" and normal(measure.unit) not in UNITS:
        doubts.append(("median_unit", measure.unit, "is no unit of time of the column."))
    for analysis in measure.analyses:
        if not _is_hazard_ratio(analysis):
            what = f"{measure.title}: {analysis.param_type or 'p-value'} {analysis.value or analysis.p_value}"
            reader.out.skip(analysis.place, what, "no column holds this statistic.")
    ratios = [a for a in measure.analyses if _is_hazard_ratio(a)]
    for analysis in ratios:
        _ratio(reader, measure, analysis, {"outcome": outcome}, doubts, values if kind == "median" else {})
    if ratios:
        return
    if not kind:
        what = f"{measure.title} ({measure.param or 'no statistic'}, {measure.unit or 'no unit'})"
        reader.out.skip(
            measure.place, what, "it is no median time, number or percentage of people, one for each group."
        )
    elif not outcome and doubt.startswith("the title names no outcome"):
        reader.out.skip(measure.place, measure.title, doubt)
    else:
        cells = {"outcome": outcome, "measure": "median" if kind == "median" else "events"}
        _arms(
            reader, measure.place, cells, doubts, measure.groups, _Numbers(kind, values, measure.analysed, measure.unit)
        )


def _values(measure: Measure) -> tuple[str, dict[str, str]]:
    """Return what a measure reports for each group: median, events, percent; blank where it is not one value each."""
    values = {group: value for _, group, value in measure.values}
    if not values or len(values) != len(measure.values):
        return "", {}
    param, unit = normal(measure.param), normal(measure.unit)
    if param == "median" and unit in UNITS:
        return "median", values
    if param == "count of participants" or (param == "number" and unit in ("participants", "patients", "subjects")):
        return "events", values
    if "%" in measure.unit or unit.startswith("percent"):
        return "percent", values
    return "", {}


def _is_hazard_ratio(analysis: Analysis) -> bool:
    return "hazard ratio" in normal(analysis.param_type) or normal(analysis.param_type) == "cox proportional hazard"


@dataclass(frozen=True)
class _Numbers:
    """One number for each group of what a measure reports, and the people analysed."""

    kind: str
    values: Mapping[str, str]
    analysed: Mapping[str, str]
    unit: str = ""

    def cells(self, group: str, arm: str) -> Cells:
        """Return the cells of an arm (`exp` or `ctl`)."""
        column = {"median": "median", "events": "events", "percent": "percent"}[self.kind]
        value = self.values.get(group, "")
        reached = normal(value) not in ("na", "nr", "not reached", "")
        out = {f"n_{arm}": self.analysed.get(group, ""), f"{column}_{arm}": value if reached else ""}
        return out | ({"median_unit": UNITS[normal(self.unit)]} if self.kind == "median" else {})


def _ratio(
    reader: Reader, measure: Measure, a: Analysis, cells: Cells, doubts: Doubts, medians: Mapping[str, str]
) -> None:
    """Add the row of a hazard ratio."""
    doubts = list(doubts)
    own = {**reader.shared, **cells, "measure": "HR", "note": a.comment, "ci_level": a.ci_percent.rstrip("% ")}
    if "log" in normal(a.param_type).split():
        doubts.append(("estimate", a.value, f"was posted as {a.param_type!r}: a logarithm is not a ratio."))
    else:
        own["estimate"] = a.value
        if "one" in normal(a.ci_sides):
            doubts.append(("ci_low", f"{a.ci_lower} to {a.ci_upper}", "the interval was posted as one-sided."))
        else:
            own |= {"ci_low": a.ci_lower, "ci_high": a.ci_upper}
    own |= _p_value(a)
    pair = _pair(reader, measure, a)
    if pair is None:
        titles = " | ".join(measure.groups.get(g, g) for g in a.groups)
        doubts.append(("experimental", titles, "the record does not say which of these is the control."))
    else:
        numbers = _Numbers("median", medians, measure.analysed, measure.unit)
        usable = bool(medians)
        for group, arm, column in zip(pair, ("exp", "ctl"), ("experimental", "control"), strict=True):
            own[column] = measure.groups[group]
            own |= numbers.cells(group, arm) if usable else {f"n_{arm}": measure.analysed.get(group, "")}
        direction = _direction(a, medians, pair)
        doubts.append(("estimate", f"{a.value} {a.comment}".strip(), direction))
    reader.out.row(a.place, own, doubts)


def _pair(reader: Reader, measure: Measure, a: Analysis) -> tuple[str, str] | None:
    roles = {reader.role(measure.groups.get(g, "")): g for g in a.groups}
    if len(a.groups) != 2 or set(roles) != {"experimental", "control"}:
        return None
    return roles["experimental"], roles["control"]


def _direction(a: Analysis, medians: Mapping[str, str], pair: tuple[str, str]) -> str:
    """Return the question of which arm is the numerator, with what the medians say."""
    question = "check that below 1 favours the experimental arm; the record has no field for it"
    try:
        longer = float(medians[pair[0]]) > float(medians[pair[1]])
        return f"{question}. The medians {'agree' if longer == (float(a.value) < 1) else 'point the other way'}."
    except (KeyError, ValueError):
        return f"{question}."


def _p_value(a: Analysis) -> Cells:
    if not a.p_value:
        return {}
    words = normal(a.comment)
    one, two = (bool(re.search(rf"\b({n}) (sided|tailed)\b", words)) for n in ("1|one", "2|two"))
    return {"p_value": a.p_value.lstrip("= "), "p_sided": "unknown" if one == two else "1" if one else "2"}


def _arms(
    reader: Reader, place: str, cells: Cells, doubts: Doubts, groups: Mapping[str, str], numbers: _Numbers
) -> None:
    """Add a row for each experimental group against the one control, or for each group where roles are not clear."""
    groups = {g: title for g, title in groups.items() if g in numbers.values and normal(title) != "total"}
    roles = {g: reader.role(title) for g, title in groups.items()}
    controls = [g for g, role in roles.items() if role == "control"]
    tested = [g for g, role in roles.items() if role == "experimental"]
    if len(controls) == 1 and tested and len(tested) + 1 == len(groups):
        shared = f"{reader.study.nct_id.casefold()}_{controls[0].casefold()}" if len(tested) > 1 else ""
        for g in tested:
            own = {"experimental": groups[g], "control": groups[controls[0]], "shared_control": shared}
            both = numbers.cells(g, "exp") | numbers.cells(controls[0], "ctl")
            reader.out.row(place, {**reader.shared, **cells, **own, **both}, doubts)
        return
    for g, title in groups.items():
        own = {"experimental": title, **numbers.cells(g, "exp")}
        more: Doubts = []
        if len(groups) == 1:
            own["contrast"] = "none"
        else:
            others = " | ".join(t for k, t in groups.items() if k != g)
            more = [("control", others, "the record does not say which group is the control; name it by --control.")]
        reader.out.row(place, {**reader.shared, **cells, **own}, [*doubts, *more])


def _serious(reader: Reader) -> None:
    if "sae" not in reader.vocabulary.outcomes or not reader.study.serious:
        return
    groups = {f"EG{i:03d}": each for i, each in enumerate(reader.study.serious)}
    numbers = _Numbers(
        "events", {g: e.affected for g, e in groups.items()}, {g: e.at_risk for g, e in groups.items()}
    )  # fmt: skip
    titles = {g: e.title for g, e in groups.items()}
    _arms(reader, "adverse events, serious", {"outcome": "sae", "measure": "events"}, [], titles, numbers)
    fewer = [
        f"{e.title}: {e.at_risk} of {reader.study.started[e.title]}"
        for e in groups.values()
        if e.title in reader.study.started and e.at_risk != reader.study.started[e.title]
    ]
    if fewer:
        place = "adverse events, serious"
        question = "people at risk differ from those who started; which n is meant?"
        reader.out.doubts.append(Doubt(reader.out.rows[-1]["row_id"], "n_exp", place, "; ".join(fewer), question))
