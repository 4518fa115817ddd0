"""Statistical analyses of a registered study: hazard ratios -> candidate rows; what is ambiguous in them is listed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from igfmeta.evidence.importing.registry_reader import Doubts, Numbers, Reader, Row
from igfmeta.evidence.importing.registry_study import Analysis, Measure
from igfmeta.evidence.importing.vocabulary import normal


def is_hazard_ratio(analysis: Analysis) -> bool:
    """Return whether an analysis estimates a ratio of hazards."""
    param = normal(analysis.param_type)
    return "hazard ratio" in param or param in ("hr", "cox proportional hazard")


def words_of(a: Analysis) -> str:
    """Return an analysis in words, nothing left out."""
    interval = f"{a.ci_lower or '?'} to {a.ci_upper or '?'}" if a.ci_lower or a.ci_upper else ""
    sides = "one-sided " if _is_one_sided(a) else ""
    parts = (
        f"{a.param_type or 'no parameter'} {a.value}".strip(),
        f"{a.ci_percent + ' % ' if a.ci_percent else ''}{sides}CI {interval}" if interval else "",
        a.dispersion,
        f"p {a.p_value}" if a.p_value else "",
        a.method,
        "" if _tests_superiority(a) else a.non_inferiority.casefold().replace("_", " "),
        a.comment,
    )
    return ", ".join(part for part in parts if part)


def add_ratio(
    reader: Reader, measure: Measure, a: Analysis, outcome: str, doubts: Doubts, numbers: Numbers | None
) -> set[str]:
    """Add the row of a hazard ratio, with the medians of its arms; return the groups that it says all of."""
    doubts = list(doubts)
    remarks = (a.dispersion, a.method, a.comment)
    own: Row = {**reader.shared, "outcome": outcome, "measure": "HR"}
    own |= _estimate(a, doubts) | _p_value(a, doubts)
    pair = _pair(reader, measure, a)
    note = [text for text in remarks if text]
    groups: dict[str, str] = {}
    if pair is None:
        titles = " | ".join(measure.groups.get(g, g) for g in a.groups)
        doubts.append(("experimental", titles, "the record does not say which of these is the control."))
    else:
        groups = {pair[0]: "exp", pair[1]: "ctl"}
        titles_of = {g: measure.groups[g] for g in pair}
        own |= {"experimental": titles_of[pair[0]], "control": titles_of[pair[1]]}
        own |= {f"n_{arm}": measure.analysed.get(g, "") for g, arm in groups.items()}
        if numbers is not None and numbers.kind == "median":
            for g, arm in groups.items():
                own |= numbers.cells(g, arm)
            doubts += numbers.doubts(groups)
            note += [numbers.note(groups)] if numbers.note(groups) else []
        elif numbers is not None and numbers.kind == "events":
            found = " v ".join(f"{numbers.values.get(g, '?')} of {numbers.analysed.get(g, '?')}" for g in pair)
            doubts.append(("events_exp", found, "were counted: people with the event, or without it?"))
        doubts += [*reader.of_pair(*titles_of.values()), *reader.fewer(titles_of, measure.analysed)]
        medians = numbers.values if numbers is not None and numbers.kind == "median" else {}
        doubts.append(("estimate", f"{a.value} {a.comment}".strip(), _direction(a, medians, pair)))
    reader.out.row(a.place, {**own, "note": "; ".join(note)}, doubts)
    return set(groups) if numbers is not None and numbers.kind != "percent" else set()


def _estimate(a: Analysis, doubts: Doubts) -> Row:
    """Return estimate and interval, or list why they were not taken."""
    limits = f"{a.ci_lower or '?'} to {a.ci_upper or '?'}"
    if "log" in normal(a.param_type).split():
        doubts.append(("estimate", f"{a.value} ({limits})", f"was posted as {a.param_type!r}, a logarithm: no ratio."))
        return {}
    out = {"estimate": a.value}
    if not (a.ci_lower or a.ci_upper):
        return out
    if _is_one_sided(a):
        doubts.append(("ci_low", f"{limits} ({a.ci_percent} %)", "the interval was posted as one-sided."))
        return out
    if not (a.ci_lower and a.ci_upper):
        doubts.append(("ci_low", limits, "one limit was posted, and not that the interval is one-sided."))
        return out
    if not a.ci_percent:
        doubts.append(("ci_level", limits, "the level of the interval is not posted."))
    return out | {"ci_low": a.ci_lower, "ci_high": a.ci_upper, "ci_level": a.ci_percent.rstrip("% ")}


def _p_value(a: Analysis, doubts: Doubts) -> Row:
    if not a.p_value:
        return {}
    if not _tests_superiority(a):
        doubts.append(
            ("p_value", f"{a.p_value} ({a.non_inferiority})", "is of a test against a margin, not against 1.")
        )
        return {}
    words = normal(a.comment)
    one, two = (bool(re.search(rf"\b({n}) (sided|tailed)\b", words)) for n in ("1|one", "2|two"))
    return {"p_value": a.p_value.lstrip("= "), "p_sided": "unknown" if one == two else "1" if one else "2"}


def _is_one_sided(a: Analysis) -> bool:
    return normal(a.ci_sides) in ("one sided", "1 sided")


def _tests_superiority(a: Analysis) -> bool:
    """Return whether an analysis tests superiority, or does not say what."""
    return normal(a.non_inferiority).removesuffix(" legacy") in ("", "superiority", "superiority or other", "other")


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
