"""The sentences that stand under a pool of associations: what it rests on, and what to know before using it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from igfmeta.synthesis.risk_compare import counted
from igfmeta.synthesis.risk_inputs import PER_DISTANCE, STRATA, Asked, LeftOut, RiskEffect, population_of
from igfmeta.synthesis.risk_results import RiskGroup, RiskStudy, RiskUnused


def measures_in(studies: Sequence[RiskStudy]) -> str:
    """Return how many studies have which measure, such as `6 OR, 2 RR`."""
    return ", ".join(f"{n} {measure}" for measure, n in Counter(study.measure for study in studies).most_common())


def nothing(asked: Asked, left: Sequence[LeftOut]) -> str:
    """Return why there is nothing to pool."""
    what = f"{', '.join(asked.cancers)}, {asked.biomarker}, {asked.target.rule}"
    if not left:
        return f"{what}: the table has no row."
    reasons = counted([(item.kind, item.reason) for item in left])
    return f"{what}: no usable row; {len(left)} found and not used ({reasons})."


def assumptions(effects: Sequence[RiskEffect], groups: Sequence[RiskGroup], asked: Asked) -> tuple[str, ...]:
    """Return what the numbers rest on, as far as it concerns the rows that are in."""
    return (*_rare_disease(groups), *_normal_exposure(effects), *_given_sds(effects, asked), *_dilution(effects))


def _rare_disease(groups: Sequence[RiskGroup]) -> list[str]:
    mixed = [group for group in groups if group.measure == "LOG"]
    counts = "; ".join(f"{group.label}: {measures_in(group.studies)}" for group in mixed)
    return (
        [f"Odds, risk and hazard ratios are pooled as one, the disease taken to be rare ({counts})."] if mixed else []
    )


def _normal_exposure(effects: Sequence[RiskEffect]) -> list[str]:
    grouped = sum(effect.row["contrast"] not in PER_DISTANCE for effect in effects)
    if not grouped:
        return []
    rows = f"{grouped} of {len(effects)} rows compare" if len(effects) > 1 else "The row compares"
    return [
        f"{rows} quantiles: the log risk is taken to be linear in a normal exposure, and quantile groups to be of "
        "equal size, whether their cut points are of controls or of the cohort."
    ]


def _given_sds(effects: Sequence[RiskEffect], asked: Asked) -> list[str]:
    through = {
        name
        for effect in effects
        if ", SD " in effect.derivation
        for name in (population_of(effect.row), effect.row["study_id"])
    }
    return [
        f"SD of the exposure in {name}: {sd.label}, as given with the question"
        + ("." if name in through else "; no row that is in needed it.")
        for name, sd in asked.sds.items()
    ]


def _dilution(effects: Sequence[RiskEffect]) -> list[str]:
    corrected = sum("regression dilution" in effect.row["adjusted_for"] for effect in effects)
    if not 0 < corrected < len(effects):
        return []
    return [f"{corrected} of {len(effects)} rows are corrected for regression dilution, the others not."]


def remarks(
    studies: Sequence[RiskStudy], unused: Sequence[RiskUnused], asked: Asked, by: str | None
) -> tuple[str, ...]:
    """Return what a reader should know before using the numbers."""
    out = [*_mixtures(studies, by), *_kept_out(studies, unused), *_more_than_once(studies, by)]
    if by is not None:
        without = [c for c in asked.cancers if c not in {study.cancer for study in studies}]
        out += [f"No usable row: {', '.join(c.replace('_', ' ') for c in without)}."] if without else []
        single = [c for c, n in Counter(study.cancer for study in studies).items() if n == 1]
        if single:
            names = ", ".join(c.replace("_", " ") for c in sorted(single))
            out.append(
                f"One study ({names}): it enters the test between cancers with its own variance, tau2 taken as 0."
            )
    if any(study.stratum == "genetic" for study in studies):
        out.append(
            "Genetic estimates of different papers may share instruments and outcome data, which the table does not "
            "mark: their pool may look more precise than it is."
        )
    return tuple(out)


def _mixtures(studies: Sequence[RiskStudy], by: str | None) -> list[str]:
    out = []
    cancers = sorted({study.cancer for study in studies})
    if by is None and len(cancers) > 1:
        out.append(f"{len(cancers)} cancers are pooled together ({', '.join(cancers)}); --by cancer parts them.")
    subgroups = Counter(study.subgroup for study in studies)
    if len(subgroups) > 1:
        shown = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in subgroups.most_common())
        out.append(f"Studies of different people are pooled ({shown}); --subgroup parts them.")
    return out


#: Why a population is not in at all, in the order in which reasons are looked for.
_KEPT_OUT = {
    "not_convertible": "their contrasts cannot be put on this scale",
    "not_estimable": "the table has no usable interval of them",
    "subgroup": "the table has only other subgroups of them",
}


def _kept_out(studies: Sequence[RiskStudy], unused: Sequence[RiskUnused]) -> list[str]:
    """Return the populations that are in no pool although there are rows of them."""
    said = {(study.population, study.cancer, study.stratum) for study in studies}
    several = len({item.cancer for item in unused}) > 1
    out = []
    for kind, why in _KEPT_OUT.items():
        found = {(i.population, i.cancer, i.stratum) for i in unused if i.kind == kind and i.stratum in STRATA}
        missing, said = found - said, said | found
        names = sorted({f"{population} ({cancer})" if several else population for population, cancer, _ in missing})
        if names:
            out.append(f"Not in, because {why}: {', '.join(names)}.")
    return out


def _more_than_once(studies: Sequence[RiskStudy], by: str | None) -> list[str]:
    times = Counter((study.population, study.stratum) for study in studies)
    names = sorted({population for (population, _), n in times.items() if n > 1})
    if not names:
        return []
    effect = "; the hierarchical model gives them an effect in common" if by else ""
    return [
        f"Rows of one population that count different people or cancers are taken as independent ({', '.join(names)})"
        f"{effect}."
    ]
