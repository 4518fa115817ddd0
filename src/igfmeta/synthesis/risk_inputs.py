"""Rows of associations -> one effect per population, cancer and subgroup on one scale; and why not, row by row.

Which row speaks for a population, in this order: primary before sensitivity rows; the latest report; the most cases;
the most covariates; a contrast on the scale asked for before one by a standard deviation, and that before quantile
groups; the order of the table. Rows without an interval or without a place on the scale cannot speak at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from igfmeta.effects import hazard_ratio
from igfmeta.effects.contrasts import SD, Distance, distance_of, rescaled, sd_in
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.rows_to_effects import printed_decimals

#: Which stratum a design belongs to; only the first three are pooled, each by itself.
STRATUM_OF = {
    "prospective_nested_case_control": "prospective",
    "prospective_cohort": "prospective",
    "population_case_control": "retrospective",
    "hospital_case_control": "retrospective",
    "case_control_base_not_stated": "retrospective",
    "mendelian_randomization": "genetic",
    "candidate_gene": "candidate_gene",
    "pooled_ipd": "pooled_analysis",
    "pooled_literature": "pooled_analysis",
}
STRATA = {
    "prospective": "Prospective studies",
    "retrospective": "Retrospective studies",
    "genetic": "Mendelian randomization",
}

#: The "biomarker" of rows about genotypes, which are of no circulating level.
GENOTYPE = "genetic"
OBSERVATIONAL = ("prospective", "retrospective")
MEASURES = ("any", "same", "OR", "RR", "HR")

#: Contrasts that name the distance; all others compare quantiles, which takes a normal exposure.
PER_DISTANCE = ("per_sd", "per_unit")

#: Subgroups that are different people, so that both may stand in one pool.
PEOPLE = (("women", "men"), ("premenopausal", "postmenopausal"), ("never_smokers", "ever_smokers"))

#: What stands for a whole study where no subgroup is asked for: all of it, or whom it recruited by sex, menopausal
#: status or smoking. Ages at diagnosis, stages, grades and receptors are parts of it, and have to be asked for.
WHOLE = ("all", "women", "men", "premenopausal", "postmenopausal", "mostly_premenopausal", "male_smokers")

#: Cancers that hold others: where a population has a row for the one, that for the other is a part of it.
HOLDS = {"colon": "colorectal", "rectal": "colorectal"}


@dataclass(frozen=True)
class Asked:
    """Which rows are meant and on which scale.

    Attributes
    ----------
    cancers : tuple of str
    biomarker : str
    subgroups : tuple of str
        In order of preference.
    strata : tuple of str
        Of `STRATA`.
    target : Distance
        What the log ratios are to be per.
    use : {"primary", "sensitivity"}
    measures : str
        One of `MEASURES`.
    sds : mapping
        Standard deviation of the exposure by population or study.
    until : float
        Only reports up to this year.
    """

    cancers: tuple[str, ...]
    biomarker: str
    target: Distance
    subgroups: tuple[str, ...] = WHOLE
    strata: tuple[str, ...] = tuple(STRATA)
    use: str = "primary"
    measures: str = "any"
    sds: Mapping[str, Distance] = field(default_factory=dict)
    until: float = math.inf


@dataclass(frozen=True)
class RiskEffect:
    """The effect of a row on the scale asked for; the row stands for its population."""

    row: Row
    yi: float
    vi: float
    derivation: str
    notes: tuple[str, ...]
    directness: int


@dataclass(frozen=True)
class LeftOut:
    """A row that was found and is not in a pool.

    `kind` groups the reasons: use, pooled_analysis, candidate_gene, design, measure, not_estimable, not_convertible,
    subgroup, same_people.
    """

    row: Row
    kind: str
    reason: str


def population_of(row: Row) -> str:
    """Return the population of a row; a study that names none is one of its own."""
    return str(row["population_id"] or row["study_id"])


def subgroup_of(row: Row) -> str:
    """Return the subgroup of a row; blank means all."""
    return str(row["subgroup"] or "all")


def stratum_of(row: Row) -> str:
    """Return the stratum of a row; a genotype is one of candidate genes, whoever pooled it."""
    return "candidate_gene" if row["biomarker"] == GENOTYPE else STRATUM_OF[row["design"]]


def rows_about(rows: Sequence[Row], asked: Asked) -> list[Row]:
    """Return the rows of the cancers and the biomarker; candidate genes, which name no biomarker, come with each."""
    return [
        row
        for row in rows
        if row["cancer"] in asked.cancers
        and (row["biomarker"] == asked.biomarker or stratum_of(row) == "candidate_gene")
        and not row["year"] > asked.until
    ]


def _why_not(row: Row, asked: Asked) -> tuple[str, str] | None:
    """Return why a row cannot be used, whatever its numbers: a kind and a reason."""
    stratum = stratum_of(row)
    if stratum == "pooled_analysis":
        return "pooled_analysis", "a pool of several studies: compared with, never pooled with its members"
    if stratum == "candidate_gene":
        return "candidate_gene", "a genotype has no place on a scale of exposure: shown, not pooled"
    if stratum not in asked.strata:
        return "design", f"{stratum}: another design than asked for"
    if (why := _why_no_interval(row)) is not None:
        return why
    # A genetic row is marked sensitivity because it is genetic; in a stratum of its own that is no objection.
    accepted = ("primary", "sensitivity") if stratum == "genetic" else ("primary", asked.use)
    if row["use"] not in accepted:
        return "use", f"{row['use']}: {row['use_reason']}"
    if asked.measures not in ("any", "same", row["measure"]):
        return "measure", f"{row['measure']}, where {asked.measures} was asked for"
    if subgroup_of(row) not in asked.subgroups:
        return "subgroup", f"the subgroup {subgroup_of(row)}, which was not asked for"
    return None


def _why_no_interval(row: Row) -> tuple[str, str] | None:
    estimate, low, high = row["estimate"], row["ci_low"], row["ci_high"]
    if math.isnan(estimate):
        return "not_estimable", "no estimate reported"
    if math.isnan(low) or math.isnan(high):
        return "not_estimable", "no interval reported (a p-value for trend is of another test)"
    if math.isnan(row["ci_level"]):
        return "not_estimable", "an interval whose confidence level is not reported"
    return ("not_estimable", "an interval without width") if low == high else None


def _column(rows: Sequence[Row], name: str) -> Any:
    return np.array([row[name] for row in rows], dtype=float)


def sd_of(row: Row, asked: Asked) -> Distance | None:
    """Return the standard deviation of the exposure: as given with the question, else as the row states it."""
    given = asked.sds.get(population_of(row)) or asked.sds.get(row["study_id"])
    return given or sd_in(row["unit"])


def _directness(row: Row, target: Distance) -> int:
    if row["contrast"] not in PER_DISTANCE:
        return 2
    return int((row["contrast"] == "per_sd") != (target.unit == SD))


def _harmonised(rows: Sequence[Row], asked: Asked) -> tuple[list[RiskEffect], list[LeftOut]]:
    """Return the effects of rows with intervals on the scale asked for, and the rows that have no place on it."""
    if not rows:
        return [], []
    texts = [[row[f"{name}_text"] for name in ("estimate", "ci_low", "ci_high")] for row in rows]
    ratios = hazard_ratio.from_interval(
        _column(rows, "estimate"),
        _column(rows, "ci_low"),
        _column(rows, "ci_high"),
        level=_column(rows, "ci_level") / 100,
        decimals=[min(map(printed_decimals, each)) for each in texts],
    )
    steps = [distance_of(row["contrast"], groups=row["quantiles"], unit=row["unit"]) for row in rows]
    made = rescaled(ratios, steps, asked.target, [sd_of(row, asked) for row in rows])
    effects, refused = [], []
    for i, row in enumerate(rows):
        if reason := made.reason[i]:
            refused.append(LeftOut(row, "not_convertible", reason))
            continue
        found = (float(made.yi[i]), float(made.vi[i]), made.derivation[i], made.notes[i])
        effects.append(RiskEffect(row, *found, directness=_directness(row, asked.target)))
    return effects, refused


def _covariates(row: Row) -> int:
    return sum(1 for part in re.split(r"[,;]", row["adjusted_for"]) if part.strip())


def _least(value: float) -> float:
    """Return a number whose order is the other way round; one that is not known comes last."""
    return math.inf if math.isnan(value) else -value


#: Criteria of preference in order: what a row that is preferred has, and the key by which rows are sorted.
PREFERENCE: tuple[tuple[str, Callable[[RiskEffect], float]], ...] = (
    ("primary", lambda effect: float(effect.row["use"] != "primary")),
    ("a later report", lambda effect: _least(effect.row["year"])),
    ("more cases", lambda effect: _least(effect.row["n_cases"])),
    ("more covariates", lambda effect: -float(_covariates(effect.row))),
    ("a contrast nearer to the scale", lambda effect: float(effect.directness)),
    ("the earlier row of the table", lambda effect: float(effect.row["file_row"])),
)


def _preferred_for(one: RiskEffect, other: RiskEffect) -> str:
    """Return the first criterion by which one effect goes before another."""
    return next(name for name, key in PREFERENCE if key(one) != key(other))


def _once(effects: Sequence[RiskEffect]) -> tuple[list[RiskEffect], list[LeftOut]]:
    """Keep one effect per population, cancer, subgroup and stratum, by `PREFERENCE`."""
    chosen: dict[tuple[str, ...], RiskEffect] = {}
    repeated = []
    for effect in sorted(effects, key=lambda effect: tuple(key(effect) for _, key in PREFERENCE)):
        row = effect.row
        key = (stratum_of(row), population_of(row), row["cancer"], subgroup_of(row))
        if key not in chosen:
            chosen[key] = effect
            continue
        kept = chosen[key]
        reason = f"the same people count once, by row {kept.row['row_id']} ({_preferred_for(kept, effect)})"
        repeated.append(LeftOut(row, "same_people", reason))
    return list(chosen.values()), repeated


def different_people(one: str, other: str) -> bool:
    """Return whether two subgroups have no person in common.

    Examples
    --------
    >>> different_people("premenopausal", "postmenopausal"), different_people("all", "women")
    (True, False)
    """
    return one != other and any(one in parts and other in parts for parts in PEOPLE)


def _sharing_nobody(effects: Sequence[RiskEffect], asked: Asked) -> tuple[list[RiskEffect], list[LeftOut]]:
    """Keep those subgroups of a population that share no people, the first ones asked for before the others."""
    chosen: dict[tuple[str, ...], list[RiskEffect]] = {}
    unused = []
    for effect in sorted(effects, key=lambda effect: asked.subgroups.index(subgroup_of(effect.row))):
        row, subgroup = effect.row, subgroup_of(effect.row)
        kept = chosen.setdefault((stratum_of(row), population_of(row), row["cancer"]), [])
        shared = next((other for other in kept if not different_people(subgroup, subgroup_of(other.row))), None)
        if shared is None:
            kept.append(effect)
        else:
            reason = f"people of row {shared.row['row_id']} ({subgroup_of(shared.row)})"
            unused.append(LeftOut(row, "same_people", reason))
    return [effect for members in chosen.values() for effect in members], unused


def _parts(effects: Sequence[RiskEffect]) -> tuple[list[RiskEffect], list[LeftOut]]:
    """Leave out a cancer that is part of another one which the population has in the pool too."""
    held = {(stratum_of(e.row), population_of(e.row), e.row["cancer"]): e.row["row_id"] for e in effects}
    kept, parts = [], []
    for effect in effects:
        row = effect.row
        whole = held.get((stratum_of(row), population_of(row), HOLDS.get(row["cancer"], "")))
        if whole is None:
            kept.append(effect)
        else:
            parts.append(LeftOut(row, "same_people", f"cases of row {whole} ({HOLDS[row['cancer']]})"))
    return kept, parts


def select(rows: Sequence[Row], asked: Asked) -> tuple[list[RiskEffect], list[LeftOut]]:
    """Return the effects that answer a question, in the order of the table, and every other row with its reason.

    Parameters
    ----------
    rows : sequence of mappings
        Of the associations table.
    asked : Asked
    """
    candidates: list[Row] = []
    unused: list[LeftOut] = []
    for row in rows_about(rows, asked):
        why = _why_not(row, asked)
        if why is None:
            candidates.append(row)
        else:
            unused.append(LeftOut(row, *why))
    effects, refused = _harmonised(candidates, asked)
    unused += refused
    for step in (_once, lambda found: _sharing_nobody(found, asked), _parts):
        effects, more = step(effects)
        unused += more
    return (
        sorted(effects, key=lambda effect: effect.row["file_row"]),
        sorted(unused, key=lambda left: left.row["file_row"]),
    )
