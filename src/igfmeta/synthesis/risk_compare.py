"""Published pools that stand as rows of the table, and our pools of its single studies on the same contrast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from igfmeta.effects.contrasts import SD, Distance, distance_of
from igfmeta.models.pooling import pool_one
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.risk_fits import reported
from igfmeta.synthesis.risk_inputs import (
    OBSERVATIONAL,
    WHOLE,
    Asked,
    LeftOut,
    RiskEffect,
    population_of,
    rows_about,
    select,
    stratum_of,
    subgroup_of,
)
from igfmeta.synthesis.risk_published import Comparison, Ours
from igfmeta.synthesis.risk_results import ratio
from igfmeta.synthesis.studies import Sources, row_label

#: What the kinds of reasons mean, in the words of a count; a mark of the table speaks for itself.
KINDS = {
    "design": "of another design",
    "measure": "of another measure",
    "not_estimable": "without estimate or interval",
    "not_convertible": "without a place on the scale",
    "subgroup": "of subgroups not asked for",
    "same_people": "of people counted already",
    "pooled_analysis": "pools of several studies",
    "candidate_gene": "of candidate genes",
}


def counted(reasons: Sequence[tuple[str, str]]) -> str:
    """Return counts of (kind, reason) in words, the most frequent first.

    Examples
    --------
    >>> counted([("use", "exclude: retracted"), ("subgroup", "women"), ("subgroup", "men")])
    '2 of subgroups not asked for, 1 marked "retracted"'
    """
    words = [KINDS.get(kind) or f'marked "{reason.partition(": ")[2] or reason}"' for kind, reason in reasons]
    return ", ".join(f"{n} {word}" for word, n in Counter(words).most_common())


def compare(rows: Sequence[Row], asked: Asked, sources: Sources, methods: Methods) -> tuple[Comparison, ...]:
    """Return the published pools of the cancers and the biomarker asked for, each with ours on its contrast.

    Ours are of the single studies of the same cancer and subgroup, by the estimator and interval of `methods`:
    prospective ones, prospective and retrospective ones, and the latter among the reports up to the published year.

    Parameters
    ----------
    rows : sequence of mappings
        Of the associations table.
    asked : Asked
        Its subgroups, strata, measures and target give way to those of each published pool.
    sources : Sources
    methods : Methods
    """
    found = [row for row in rows_about(rows, asked) if stratum_of(row) == "pooled_analysis"]
    ordered = sorted(found, key=lambda row: (row["cancer"], row["year"], row["file_row"]))
    return tuple(_comparison(row, rows, asked, sources, methods) for row in ordered)


def _like(row: Row, asked: Asked, distance: Distance) -> Asked:
    """Return the question that a published pool answered, asked of the single studies."""
    whole = subgroup_of(row) in WHOLE[:3]
    return replace(
        asked,
        cancers=(row["cancer"],),
        subgroups=WHOLE if whole else (subgroup_of(row),),
        strata=OBSERVATIONAL,
        measures="any",
        target=distance,
    )


def _ours(label: str, effects: Sequence[RiskEffect], methods: Methods) -> Ours:
    years = [e.row["year"] for e in effects if not math.isnan(e.row["year"])] or [math.nan]
    numbers: dict[str, float | None] = dict.fromkeys(("estimate", "ci_lower", "ci_upper"))
    if effects:
        yi, vi = (np.array([getattr(effect, name) for effect in effects]) for name in ("yi", "vi"))
        fit = pool_one(yi, vi, **methods.frequentist())
        numbers = {name: ratio(getattr(fit, name)) for name in numbers}
    return Ours(label=label, k=len(effects), first_year=min(years), last_year=max(years), **numbers)


def _pools(row: Row, rows: Sequence[Row], like: Asked, methods: Methods) -> list[Ours]:
    """Return our pools beside a published one; one that holds the same rows as the one before is not repeated."""
    effects = select(rows, like)[0]
    prospective = [effect for effect in effects if stratum_of(effect.row) == "prospective"]
    wanted = [("ours, prospective", prospective), ("ours, prospective and retrospective", effects)]
    if not math.isnan(row["year"]):
        by_then = select(rows, replace(like, until=row["year"]))[0]
        wanted.append((f"ours, reports up to {row['year']:.0f}", by_then))
    seen: list[list[str]] = []
    made = []
    for label, members in wanted:
        ids = [effect.row["row_id"] for effect in members]
        if ids not in seen:
            made.append(_ours(label, members, methods))
        seen.append(ids)
    return made


def _comparison(row: Row, rows: Sequence[Row], asked: Asked, sources: Sources, methods: Methods) -> Comparison:
    distance = distance_of(row["contrast"], groups=row["quantiles"], unit=row["unit"])
    ours: list[Ours] = []
    if isinstance(distance, str):
        facts = [f"Not put beside ours: {distance}."]
    else:
        like = _like(row, asked, distance)
        ours = _pools(row, rows, like, methods)
        facts = [
            *_about_the_published(row, distance),
            *_about_the_table(row, [r for r in rows_about(rows, like) if stratum_of(r) in OBSERVATIONAL]),
            *_about_ours(row, *select(rows, like)),
            *_agreement(row, ours),
        ]
    return Comparison(
        label=row_label(row, sources),
        row_id=row["row_id"],
        cohort=row["cohort_name"],
        cancer=row["cancer"],
        biomarker=row["biomarker"],
        subgroup=subgroup_of(row),
        design=row["design"],
        year=row["year"],
        cases=row["n_cases"],
        measure=row["measure"],
        contrast=reported(row).rpartition(", ")[2],
        estimate=finite(row["estimate"]),
        ci_lower=finite(row["ci_low"]),
        ci_upper=finite(row["ci_high"]),
        distance=None if isinstance(distance, str) else distance,
        ours=tuple(ours),
        facts=tuple(facts),
    )


def _about_the_published(row: Row, distance: Distance) -> list[str]:
    size = "" if math.isnan(row["n_cases"]) else f", {row['n_cases']:,.0f} cases"
    facts = [f"Published: {row['cohort_name'] or row['study_id']}{size}."]
    if distance.unit == SD and distance.amount != 1:
        facts.append(f"Its contrast: {distance.rule}; ours are put on it from what each study prints.")
    return facts


def _about_the_table(row: Row, about: Sequence[Row]) -> list[str]:
    """Return how much of what was published by then the table has: it does not list the members of a pool."""
    then = [r for r in about if not r["year"] > row["year"]]
    when = "" if math.isnan(row["year"]) else f" of {row['year']:.0f} or before"
    return [
        f"The table does not list its members; of single studies{when} it has {_number(len(then), 'row')} from "
        f"{_number(len({r['study_id'] for r in then}), 'report')}."
    ]


def _number(n: int, one: str, several: str = "") -> str:
    return f"{n} {one if n == 1 else several or one + 's'}"


def _about_ours(row: Row, effects: Sequence[RiskEffect], left: Sequence[LeftOut]) -> list[str]:
    facts = []
    aside = ("pooled_analysis", "candidate_gene", "design")
    reasons = [(item.kind, item.reason) for item in left if item.kind not in aside]
    if reasons:
        facts.append(f"Rows of single studies that are in none of our pools: {counted(reasons)}.")
    facts += _absent(row, effects, left)
    later = sum(effect.row["year"] > row["year"] for effect in effects)
    if later:
        facts.append(f"{later} of our {_number(len(effects), 'study', 'studies')} came later.")
    return facts


def _absent(row: Row, effects: Sequence[RiskEffect], left: Sequence[LeftOut]) -> list[str]:
    """Return the populations of that time that none of our pools holds because their reports print too little."""
    ours = {population_of(effect.row) for effect in effects}
    silent = sorted(
        {
            population_of(item.row)
            for item in left
            if item.kind in ("not_estimable", "not_convertible") and not item.row["year"] > row["year"]
        }
        - ours
    )
    if not silent:
        return []
    are = "is" if len(silent) == 1 else "are"
    said = f"{_number(len(silent), 'population')} of that time {are} in none of our pools, because the table has no "
    said += f"interval of them on this scale ({', '.join(silent)})"
    tail = "; a pool of the original data can hold them all the same" if row["design"] == "pooled_ipd" else ""
    return [f"{said}{tail}."]


def _agreement(row: Row, ours: Sequence[Ours]) -> list[str]:
    """Return whether the published estimate lies in the interval of our first pool, and ours in the published one."""
    mine = next((each for each in ours if each.estimate is not None), None)
    if mine is None or mine.estimate is None or math.isnan(row["estimate"]):
        return []
    facts = [_difference(row, mine)]
    if mine.ci_lower is not None and mine.ci_upper is not None:
        where = "inside" if mine.ci_lower <= row["estimate"] <= mine.ci_upper else "outside"
        facts.append(f"The published estimate lies {where} our interval.")
    if math.isnan(row["ci_low"]) or math.isnan(row["ci_high"]):
        return [*facts, "The table has no interval of the published estimate."]
    where = "inside" if row["ci_low"] <= mine.estimate <= row["ci_high"] else "outside"
    return [*facts, f"Our estimate lies {where} the published interval."]


def _difference(row: Row, mine: Ours) -> str:
    """Return how many times the published estimate ours is, and how many times as wide its interval."""
    times = (mine.estimate or math.nan) / row["estimate"]
    which = mine.label.removeprefix("ours, ")
    said = f"Our estimate ({which}, k = {mine.k}) is {times:.2f} times the published one"
    if mine.ci_lower is None or mine.ci_upper is None or math.isnan(row["ci_low"]) or math.isnan(row["ci_high"]):
        return f"{said}."
    wide = math.log(mine.ci_upper / mine.ci_lower) / math.log(row["ci_high"] / row["ci_low"])
    return f"{said}, and its interval {wide:.1f} times as wide on the log scale."
