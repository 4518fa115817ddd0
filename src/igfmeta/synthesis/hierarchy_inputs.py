"""What a hierarchical model is fitted to: effects or counts, each with its class, tumour, agent, study, control arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from igfmeta.bayes.components import Codes
from igfmeta.effects.shared_control import shared_covariance
from igfmeta.effects.two_arm import two_arm
from igfmeta.errors import InputError, check_choice
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import Floats
from igfmeta.synthesis.pooling import Which, effects_for, outcome_vocabulary
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.risk_weights import checked_weights, discounted, shares, weighting
from igfmeta.synthesis.rows_to_effects import RowEffect
from igfmeta.synthesis.studies import Study, added_arms, own_interval, studies_of

#: What a hierarchy compares: a hazard ratio, an odds ratio of two arms, the rate of one arm on the logit scale.
MEASURES = ("HR", "OR", "PLO")

#: Measures that are defined for every table of counts, zeros included: they find the rows that have counts.
_ALWAYS_DEFINED = {"OR": "AS", "PLO": "PAS"}

#: Contrasts with a control arm in common are one effect only where these agree.
_APART = ("agent_class", "agent")


@dataclass(frozen=True, eq=False)
class HierarchyData:
    """Effects and where each belongs.

    Attributes
    ----------
    question : Question
    studies : tuple of Study
        One per effect; contrasts of one agent with one control arm are one effect.
    y : ndarray of shape (k,)
        On the analysis scale; NaN where counts alone do not give an effect.
    covariance : ndarray of shape (k, k)
        Of the sampling errors, with those of contrasts that share a control arm.
    counts : ndarray of shape (k, 4)
        Events and patients, experimental and control; NaN for hazard ratios and for the control of single arms.
    trial, control : ndarray of shape (k,)
        Which trial and which control arm each effect has, from 0. Cohorts of a trial with different tumours are
        counted as trials of their own.
    share : ndarray of shape (k,)
        Power of the likelihood of each effect's counts: its weight by risk of bias. The covariance is divided by it.
    """

    question: Question
    studies: tuple[Study, ...]
    y: Floats
    covariance: Floats
    counts: Floats
    trial: Codes
    control: Codes
    share: Floats

    @property
    def binomial(self) -> bool:
        return self.question.measure != "HR"


def default_measure(evidence: Evidence, outcome: str) -> str:
    """Return HR for times to an event, PLO (the rate of one arm) for counts."""
    info = outcome_vocabulary(evidence).get(outcome)
    return "HR" if info is None or info.kind == "time_to_event" else "PLO"


def hierarchy_data(
    evidence: Evidence,
    outcome: str,
    *,
    measure: str | None = None,
    use: str = "primary",
    level: float = 0.95,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> HierarchyData:
    """Return what a hierarchical model of an outcome is fitted to.

    Raises
    ------
    InputError
        An outcome, a measure, a use, a weight or a criterion that is not accepted.
    NothingToPool
        No usable row.
    """
    if measure is not None:
        measure = check_choice("measure", measure, MEASURES)
    weights = checked_weights(risk_weights)
    wanted = measure or default_measure(evidence, outcome)
    if wanted != "HR" and outcome in {info.family for info in outcome_vocabulary(evidence).values()}:
        raise InputError(f"{outcome} is a family of times to an event; accepted for it is the measure HR.")
    found, effects, sources = effects_for(
        evidence, outcome, measure=_ALWAYS_DEFINED.get(wanted, wanted), use=use, **criteria
    )
    question = replace(found, measure=wanted)
    studies = studies_of(effects, found.measure, sources, level=level, apart=_APART)
    counts = _counts(studies, effects)
    if wanted != "HR":
        studies = _on_scale(studies, counts, wanted, level)
    y, v = (np.array([getattr(study, name) for study in studies]) for name in ("yi", "vi"))
    arms = [_control_arm(study, effects) for study in studies]
    covariance = np.diag(v)
    if wanted == "HR":
        groups = [arm if arms.count(arm) > 1 else "" for arm in arms]
        covariance, _ = shared_covariance(v, groups, measure="HR", events_ctl=counts[:, 2], n_ctl=counts[:, 3])
    share = shares(studies, weights)
    if np.any(share != 1):
        covariance = covariance / np.sqrt(np.outer(share, share))
        studies = discounted(studies, weights, wanted, level)
    return HierarchyData(
        question=question,
        studies=tuple(studies),
        y=y,
        covariance=covariance,
        counts=counts,
        trial=_numbered(["\x1f".join((s.study_id, s.tumor_type, s.tumor_subtype)) for s in studies]),
        control=_numbered(arms),
        share=share,
    )


def weighting_of(weights: Mapping[str, float] | None, data: Sequence[HierarchyData]) -> tuple[str, ...]:
    """Return the sentence on weights by risk of bias, where there are any."""
    return weighting(
        checked_weights(weights),
        list({(s.study_id, s.row_ids): s for each in data for s in each.studies}.values()),
        variances=any(not each.binomial for each in data),
        counts=any(each.binomial for each in data),
    )


def _numbered(names: Sequence[str]) -> Codes:
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.int64)


def _control_arm(study: Study, effects: Sequence[RowEffect]) -> str:
    """Return the name of a study's control arm: its own, unless the table says that it is shared."""
    row = next(effect.row for effect in effects if effect.row["row_id"] == study.row_ids[0])
    shared = row["shared_control"]
    names = (row["study_id"], shared, row["tumor_type"], row["tumor_subtype"]) if shared else (row["row_id"],)
    return "\x1f".join(names)


def _counts(studies: Sequence[Study], effects: Sequence[RowEffect]) -> Floats:
    """Return events and patients: arms of one agent added up, a shared control arm counted once."""
    by_row = {effect.row["row_id"]: effect for effect in effects}
    return np.array([added_arms([by_row[row_id] for row_id in study.row_ids]) for study in studies])


def _on_scale(studies: Sequence[Study], counts: Floats, measure: str, level: float) -> list[Study]:
    """Return studies with the effect that is shown: the raw rate, or the log odds ratio (0.5 added where it must)."""
    if measure == "OR":
        sizes = two_arm(*counts.T, measure="OR")
        y, v = sizes.yi, sizes.vi
    else:
        events, n = counts[:, 0] + 0.5, counts[:, 1] + 1
        y, v = np.log(events / (n - events)), 1 / events + 1 / (n - events)
    shown = []
    for i, study in enumerate(studies):
        limits = own_interval(y[i], v[i], counts[i], measure, level)
        estimate, lower, upper = (float("nan") if not np.isfinite(y[i]) else x for x in limits)
        shown.append(
            replace(
                study,
                yi=float(y[i]),
                vi=float(v[i]),
                estimate=estimate,
                ci_lower=lower,
                ci_upper=upper,
                counts=tuple(counts[i].tolist()),
            )
        )
    return shown
