"""Effects of associations -> studies with labels and sources, and the fits of groups of them in both schools."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from igfmeta.bayes.posterior import normal_normal
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.effects.contrasts import SD, Distance
from igfmeta.evidence.explain import citation_of
from igfmeta.models import pooling as kernel
from igfmeta.models.subgroups import between_groups, classical_variance
from igfmeta.numerics import t_quantile
from igfmeta.synthesis import remarks
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import BetweenGroups
from igfmeta.synthesis.risk_inputs import LeftOut, RiskEffect, population_of, stratum_of, subgroup_of
from igfmeta.synthesis.risk_results import RiskGroup, RiskStudy, RiskUnused
from igfmeta.synthesis.studies import Sources, row_label

#: Scale of the half-normal prior of tau for log ratios per standard deviation. The 0.5 that is usual for log ratios
#: (see `igfmeta.bayes.tau_priors.default_tau_prior`) is taken to be meant for what studies print, top against bottom
#: quarter, which lie 2.54 standard deviations apart: 0.5 / 2.54 = 0.2. It grows with the distance asked for.
SCALE_PER_SD = 0.2

#: Longest name of a cohort that stands in a label.
SHORT = 20


def prior_scale(target: Distance) -> float:
    """Return the scale of the default prior of tau; a distance in units of measurement is taken as of about one SD."""
    return SCALE_PER_SD * (target.amount if target.unit == SD else 1.0)


def default_risk_prior(target: Distance) -> TauPrior:
    """Return the prior of tau where none is named.

    Examples
    --------
    >>> default_risk_prior(Distance(1, "SD")).label
    'half-normal(0.2)'
    """
    return HalfNormal(prior_scale(target))


def reported(row: Row) -> str:
    """Return the numbers and the contrast of a row as printed, in one line."""
    low, high = row["ci_low_text"], row["ci_high_text"]
    interval = f" ({low or '?'} to {high or '?'})" if low or high else ""
    numbers = f"{row['measure']} {row['estimate_text']}{interval}" if row["estimate_text"] else "no number"
    groups = "" if math.isnan(row["quantiles"]) else f" of {row['quantiles']:.0f}"
    contrast = row["contrast"].replace("_", " ")
    unit = row["unit"] if row["contrast"] in ("per_unit", "per_sd") or not contrast else ""
    return f"{numbers}, {unit or contrast + groups}"


def _label(row: Row, sources: Sources) -> str:
    """Return author, year, a short name of the cohort, and the part of it that the row is about."""
    cohort = row["cohort_name"]
    name = row_label(row, sources)
    name = f"{name} ({cohort})" if cohort and len(cohort) <= SHORT else name
    subgroup = subgroup_of(row).replace("_", " ")
    return name if subgroup == "all" else f"{name}, {subgroup}"


def _href(source: dict[str, str]) -> str | None:
    if source.get("doi"):
        return f"https://doi.org/{source['doi']}"
    return f"https://pubmed.ncbi.nlm.nih.gov/{source['pmid']}/" if source.get("pmid") else None


def studies_of(effects: Sequence[RiskEffect], sources: Sources, *, level: float) -> list[RiskStudy]:
    """Return effects as the studies of a pool; labels that would be the same name their row."""
    half = float(t_quantile(0.5 + level / 2, math.inf))
    studies = []
    for effect in effects:
        row, se = effect.row, math.sqrt(effect.vi)
        source = dict(sources.rows.get(row["source_id"], {}))
        studies.append(
            RiskStudy(
                label=_label(row, sources),
                row_id=row["row_id"],
                study_id=row["study_id"],
                population=population_of(row),
                cohort=row["cohort_name"],
                cancer=row["cancer"],
                subgroup=subgroup_of(row),
                stratum=stratum_of(row),
                design=row["design"],
                year=row["year"],
                measure=row["measure"],
                yi=effect.yi,
                vi=effect.vi,
                estimate=math.exp(effect.yi),
                ci_lower=math.exp(effect.yi - half * se),
                ci_upper=math.exp(effect.yi + half * se),
                cases=row["n_cases"],
                controls=row["n_controls"],
                adjusted_for=row["adjusted_for"],
                reported=reported(row),
                derivation=effect.derivation,
                notes=effect.notes,
                note=row["note"],
                citation=citation_of(source) if source else row["source_id"],
                href=_href(source),
            )
        )
    times = Counter((study.label, study.cancer) for study in studies)
    return [
        replace(s, label=f"{s.label} [{s.row_id}]") if times[s.label, s.cancer] > 1 else s for s in studies
    ]  # fmt: skip


def unused_of(left: Sequence[LeftOut], sources: Sources) -> tuple[RiskUnused, ...]:
    """Return rows that were left out as a result shows them."""
    return tuple(
        RiskUnused(
            row_id=item.row["row_id"],
            study_id=item.row["study_id"],
            label=_label(item.row, sources),
            population=population_of(item.row),
            cancer=item.row["cancer"],
            subgroup=subgroup_of(item.row),
            stratum=stratum_of(item.row),
            kind=item.kind,
            reason=item.reason,
            reported=reported(item.row),
            note=item.row["note"],
        )
        for item in left
    )


def measure_of(studies: Sequence[RiskStudy]) -> str:
    """Return the measure that studies have in common, "LOG" where they have none."""
    found = {study.measure for study in studies}
    return found.pop() if len(found) == 1 else "LOG"


Part = tuple[str, str, Sequence[RiskStudy]]


def groups_of(parts: Sequence[Part], methods: Methods, tau_prior: TauPrior) -> list[RiskGroup]:
    """Fit each part (key, label, studies), all in one batch; parts without a study are left out."""
    parts = [part for part in parts if part[2]]
    if not parts:
        return []
    mask = np.arange(max(len(studies) for *_, studies in parts)) < np.array([[len(part[2])] for part in parts])
    yi, vi = np.zeros(mask.shape), np.ones(mask.shape)
    yi[mask] = [study.yi for *_, studies in parts for study in studies]
    vi[mask] = [study.vi for *_, studies in parts for study in studies]
    fits = kernel.pool(yi, vi, mask=mask, **methods.frequentist())
    posteriors = normal_normal(yi, vi, mask=mask, tau_prior=tau_prior, **methods.bayesian())
    groups = []
    for g, (key, label, studies) in enumerate(parts):
        fit, posterior, measure = fits.one(g), posteriors.one(g), measure_of(studies)
        known = [study.cases for study in studies if not math.isnan(study.cases)]
        groups.append(
            RiskGroup(
                key=key,
                label=label,
                measure=measure,
                studies=tuple(studies),
                fit=fit,
                posterior=posterior,
                p_raises=1.0 - float(posterior.probability_below(0.0)),
                cases=float(sum(known)),
                cases_missing=len(studies) - len(known),
                remarks=remarks.of_group(fit, posterior, measure),
            )
        )
    return groups


def between(groups: Sequence[RiskGroup]) -> BetweenGroups | None:
    """Test the groups' estimates against each other; None with fewer than two groups."""
    if len(groups) < 2:
        return None
    variances = [classical_variance([study.vi for study in g.studies], g.fit.tau2) for g in groups]
    q, df, p_value = between_groups([g.fit.estimate for g in groups], variances)
    return BetweenGroups(q=q, df=df, p_value=p_value, groups=len(groups))
