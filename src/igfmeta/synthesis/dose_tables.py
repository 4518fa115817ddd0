"""The exposure groups of a study -> its contrasts: doses by named rules, and every reason why a study is not used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from igfmeta.effects.dose_covariance import COVARIANCES, covariance
from igfmeta.errors import InputError, check_choice, listed
from igfmeta.models.dose_results import DoseStudy
from igfmeta.numerics import Floats

#: What an open group's dose is: half its neighbour's width beyond its boundary; 20 % above it (below the lowest
#: boundary, half of it); or nothing, and its study is not used.
OPEN_ENDED = ("neighbour", "twenty-percent", "refuse")

#: Doses as reported, or the groups' mean normal scores, in standard deviations: from their shares of the controls, or
#: of groups taken to be of equal size, for quantile groups whose sizes are not printed.
DOSE_SCALES = ("reported", "sd", "equal-groups")


#: Cases, controls, person-time or dose of a group, and logarithms of its relative risk: more is a slip of the pen,
#: and breaks the covariances.
MOST_PEOPLE = 1e12
LARGEST_LOG = 50.0


@dataclass(frozen=True)
class Group:
    """One exposure group as reported; NaN where blank.

    `n` is subjects (cases included) or person-time; `se` is of `log_rr`; `reference` is None where nothing says so.
    """

    row: int
    dose: float
    low: float
    high: float
    cases: float
    n: float
    log_rr: float
    se: float
    reference: bool | None = None

    def is_reference(self) -> bool:
        """Return whether the group is the one that others are compared with: flagged, or a ratio of 1 without error."""
        if self.reference is not None:
            return self.reference
        return (math.isnan(self.se) or self.se == 0) and (math.isnan(self.log_rr) or self.log_rr == 0)


@dataclass(frozen=True)
class Reported:
    """The groups of one study; `design` and `unit` are blank where not known, `unit` is None in a table of one unit.

    `trouble` says why its groups cannot be used as they stand.
    """

    label: str
    design: str
    unit: str | None
    groups: tuple[Group, ...]
    trouble: str = ""


@dataclass(frozen=True, eq=False)
class DoseTable:
    """A study that is used: its groups, the dose of each with the rule behind it, and its contrasts."""

    label: str
    design: str
    unit: str
    groups: tuple[Group, ...]
    doses: tuple[float, ...]
    derivation: tuple[str, ...]
    study: DoseStudy

    @property
    def cases(self) -> float:
        return float(sum(group.cases for group in self.groups))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""
        rows = [
            {
                "row": group.row, "dose": dose, "derivation": rule, "reference": group.is_reference(),
                "log_rr": _plain(group.log_rr), "se": _plain(group.se), "cases": _plain(group.cases),
                "n": _plain(group.n),
            }
            for group, dose, rule in zip(self.groups, self.doses, self.derivation, strict=True)
        ]  # fmt: skip
        return {"study": self.label, "design": self.design, "unit": self.unit, "groups": rows}


@dataclass(frozen=True)
class UnusedStudy:
    """A study that was found and not used, with the reason."""

    label: str
    rows: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Rules:
    """How reported groups become contrasts."""

    covariance: str = "gl"
    open_ended: str = "neighbour"
    dose_scale: str = "reported"

    def checked(self) -> Rules:
        """Return the rules as they are spelled here."""
        return Rules(
            check_choice("covariance", self.covariance, COVARIANCES),
            check_choice("open_ended", self.open_ended, OPEN_ENDED),
            check_choice("dose_scale", self.dose_scale, DOSE_SCALES),
        )


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def assigned(groups: Sequence[Group], rules: Rules) -> tuple[list[float], list[str]]:
    """Return the dose of each group and the rule behind it: given, midpoint, open_*, normal_score.

    Raises
    ------
    InputError
        A group that no rule gives a dose; the sentence is the reason why the study is not used.
    """
    if rules.dose_scale == "sd":
        return _normal_scores(groups, _shares(groups)), ["normal_score"] * len(groups)
    if rules.dose_scale == "equal-groups":
        return _normal_scores(groups, np.full(len(groups), 1 / len(groups))), ["normal_score_equal"] * len(groups)
    none = [group.row for group in groups if all(map(math.isnan, (group.dose, group.low, group.high)))]
    if none:
        raise InputError(f"no dose and no range in {_rows(none)}")
    found = [_dose(group, groups, rules.open_ended) for group in groups]
    return [dose for dose, _ in found], [rule for _, rule in found]


def _dose(group: Group, groups: Sequence[Group], open_ended: str) -> tuple[float, str]:
    if not math.isnan(group.dose):
        return group.dose, "given"
    low, high = group.low, group.high
    if not math.isnan(low) and not math.isnan(high):
        return (low + high) / 2, "midpoint"
    if open_ended == "refuse":
        raise InputError(f"open-ended group without a dose in row {group.row}")
    boundary, up = (low, True) if math.isnan(high) else (high, False)
    if open_ended == "twenty-percent":
        return (1.2 if up else 0.5) * boundary, "open_twenty_percent"
    closed = [g for g in groups if not math.isnan(g.low + g.high)]
    if not closed:
        raise InputError(f"open-ended group without a closed neighbour in row {group.row}")
    neighbour = min(closed, key=lambda g: abs((g.high if up else g.low) - boundary))
    half = (neighbour.high - neighbour.low) / 2
    return (boundary + half if up else max(0.0, boundary - half)), "open_neighbour"


def _shares(groups: Sequence[Group]) -> Floats:
    """Return the groups' shares of the controls; cases are taken out of `n` by the caller where n counts them."""
    sizes = np.array([group.n for group in groups])
    if np.isnan(sizes).any():
        raise InputError("no number of controls, subjects or person-time, which normal scores need")
    return np.asarray(sizes / sizes.sum())


def _normal_scores(groups: Sequence[Group], shares: Floats) -> list[float]:
    """Return the mean of a standard normal variable in each group, from the groups' shares of the population.

    (phi(a) - phi(b)) / (share) between the quantiles a and b (Chene & Thompson 1996, Am J Epidemiol 144:610).
    """
    order = np.argsort([_position(group) for group in groups], kind="stable")
    share = shares[order]
    edges = special.ndtri(np.clip(np.concatenate([[0.0], np.cumsum(share)]), 0.0, 1.0))
    density = np.exp(-0.5 * edges**2) / math.sqrt(2 * math.pi)
    scores = np.empty(len(groups))
    scores[order] = (density[:-1] - density[1:]) / share
    return [float(score) for score in scores]


def _position(group: Group) -> float:
    """Return what puts the groups of a study in order: dose, else what is known of the range, else row."""
    if not math.isnan(group.dose):
        return group.dose
    known = [bound for bound in (group.low, group.high) if not math.isnan(bound)]
    return sum(known) / len(known) if known else float(group.row)


def usable(reported: Reported, rules: Rules) -> DoseTable:
    """Return the contrasts of a study.

    Raises
    ------
    InputError
        Every reason why it cannot be used.
    """
    if reported.trouble:
        raise InputError(reported.trouble)
    groups = reported.groups
    doses: list[float] = []
    derivation: list[str] = []
    reasons = _reasons(reported, rules)
    try:
        doses, derivation = assigned(_population(reported) if rules.dose_scale == "sd" else groups, rules)
    except InputError as error:
        reasons.append(str(error))
    if rules.dose_scale == "reported" and len(set(doses)) == 1:
        reasons.append("the doses of its groups do not differ")
    if reasons:
        raise InputError("; ".join(reasons))
    first = next(i for i, group in enumerate(groups) if group.is_reference())
    at = [first, *(i for i in range(len(groups)) if i != first)]
    y, se = (np.array([getattr(groups[i], name) for i in at[1:]]) for name in ("log_rr", "se"))
    cases, n = (np.array([getattr(groups[i], name) for i in at]) for name in ("cases", "n"))
    try:
        matrix = covariance(y, se**2, cases, n, reported.design or "cc", method=rules.covariance)
    except InputError as error:
        raise InputError(_in_groups(error, [groups[i].row for i in at])) from None
    study = DoseStudy(reported.label, doses[at[0]], np.array([doses[i] for i in at[1:]]), y, matrix)
    unit = reported.unit or "" if rules.dose_scale == "reported" else "SD"
    return DoseTable(reported.label, reported.design, unit, groups, tuple(doses), tuple(derivation), study)


def _reasons(reported: Reported, rules: Rules) -> list[str]:
    """Return what is missing of a study apart from its doses."""
    reasons, groups = [], reported.groups
    references = sum(group.is_reference() for group in groups)
    if references != 1:
        reasons.append(
            "no reference group" if not references else f"{references} groups look like the reference; one is needed"
        )
    elif len(groups) == 1:
        reasons.append("no group besides the reference")
    if any(group.is_reference() and abs(group.log_rr) > 0 for group in groups):
        reasons.append("the reference group has a relative risk other than 1")
    rest = [group for group in groups if not group.is_reference()]
    blank = [group.row for group in rest if math.isnan(group.log_rr)]
    if blank:
        reasons.append(f"no estimate in {_rows(blank)}")
    unsure = [group.row for group in rest if group.row not in blank and not group.se > 0]
    if unsure:
        reasons.append(f"no interval or standard error in {_rows(unsure)}")
    vast = [group.row for group in groups if max(group.cases, group.n) > MOST_PEOPLE]
    if vast:
        reasons.append(f"cases, controls or person-time above {MOST_PEOPLE:g} in {_rows(vast)}")
    more = [group.row for group in groups if reported.design in ("cc", "ci") and group.cases > group.n]
    if more:
        reasons.append(f"more cases than subjects in {_rows(more)}")
    far = [g.row for g in groups if max(abs(g.dose), abs(g.low), abs(g.high)) > MOST_PEOPLE]
    far += [g.row for g in groups if max(abs(g.log_rr), g.se) > LARGEST_LOG]
    if far:
        reasons.append(
            f"a dose above {MOST_PEOPLE:g}, or a log relative risk or error above {LARGEST_LOG:g}, "
            f"in {_rows(sorted(set(far)))}"
        )
    if rules.dose_scale == "reported" and reported.unit == "":
        reasons.append("unit of the dose not stated")
    if rules.covariance != "independent":
        if any(math.isnan(group.cases) or math.isnan(group.n) for group in groups):
            reasons.append("cases, or controls or person-time, not known for every group")
        if not reported.design:
            reasons.append("not known whether case-control, cumulative incidence or incidence rate")
    return reasons


def _rows(rows: Sequence[int]) -> str:
    return f"row {rows[0]}" if len(rows) == 1 else f"rows {', '.join(map(str, rows))}"


def _population(reported: Reported) -> tuple[Group, ...]:
    """Return the groups with the cases of a case-control study taken out of `n`: controls are the population."""
    if reported.design != "cc":
        return reported.groups
    return tuple(replace(group, n=group.n - group.cases) for group in reported.groups)


def _in_groups(error: InputError, rows: Sequence[int]) -> str:
    """Return what the covariance refused, with the rows of the file; relative risks start at the second group."""
    said = []
    for problem in error.problems:
        at = None if problem.row is None else problem.row - 1 + (problem.column in ("log_rr", "vi"))
        where = "" if at is None else f" in row {rows[at]}"
        column = f"{problem.column}{where}: " if problem.column else ""
        said.append(f"{column}{problem.message}")
    return "; ".join(said)


def contrasts(
    reported: Sequence[Reported], rules: Rules, *, unit: str | None = None
) -> tuple[tuple[DoseTable, ...], tuple[UnusedStudy, ...]]:
    """Return the studies that are used and those that are not, with the reason.

    Raises
    ------
    InputError
        Usable studies of several units, with the units to choose from; a unit that none has.
    """
    rules = rules.checked()
    used: list[DoseTable] = []
    unused: list[UnusedStudy] = []
    for study in reported:
        rows = tuple(group.row for group in study.groups)
        try:
            used.append(usable(study, rules))
        except InputError as error:
            unused.append(UnusedStudy(study.label, rows, str(error)))
    units = list(dict.fromkeys(table.unit for table in used))
    if unit is not None:
        check_choice("unit", unit, list(dict.fromkeys([*units, *(study.unit for study in reported if study.unit)])))
        other = [table for table in used if table.unit != unit]
        rows_of = {study.label: tuple(group.row for group in study.groups) for study in reported}
        unused += [UnusedStudy(t.label, rows_of[t.label], f"doses in {t.unit}, not in {unit}") for t in other]
        used = [table for table in used if table.unit == unit]
    elif len(units) > 1:
        names = listed(repr(name) if name else "no unit" for name in units)
        raise InputError(f"The studies give doses in {names}, which are not mixed; choose one with unit.")
    return tuple(used), tuple(unused)
