"""What a joint model of several outcomes is fitted to: the contrasts of the same trials, matched across outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Unpack

import numpy as np

from igfmeta.bayes.components import Codes
from igfmeta.bayes.mcmc.joint_data import JointData, Responses
from igfmeta.errors import InputError, NothingToPool, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import Floats
from igfmeta.synthesis.hierarchy_inputs import HierarchyData, default_measure, hierarchy_data
from igfmeta.synthesis.pooling import Which
from igfmeta.synthesis.studies import Study

Pair = tuple[str, str]
Within = Mapping[Pair, float]
Key = tuple[str, ...]

#: Correlation, in the sense of benefit, of the sampling errors of two outcomes of the same patients. Trials do not
#: report it: times to an event are taken to go together more closely than either goes with response.
WITHIN_TIMES, WITHIN_COUNTS = 0.6, 0.4


def outcome_data(
    evidence: Evidence,
    outcomes: Sequence[str],
    *,
    use: str,
    level: float,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> tuple[HierarchyData, ...]:
    """Return the effects of each outcome: hazard ratios of times to an event, both arms of one that is counted.

    Raises
    ------
    InputError
        Fewer than two outcomes, one named twice, or two that are counted.
    NothingToPool
        An outcome without a usable row, or with a single study.
    """
    names = list(dict.fromkeys(outcomes))
    if len(names) < 2:
        raise InputError(f"A joint model takes two outcomes at least, and there is {len(names)}: {listed(names)}.")
    measures = ["HR" if default_measure(evidence, name) == "HR" else "OR" for name in names]
    counted = [name for name, measure in zip(names, measures, strict=True) if measure == "OR"]
    if len(counted) > 1:
        raise InputError(f"A joint model takes one outcome that is counted, and there are {listed(counted)}.")
    found = [
        hierarchy_data(evidence, name, measure=measure, use=use, level=level, risk_weights=risk_weights, **criteria)
        for name, measure in zip(names, measures, strict=True)
    ]
    alone = [data.question.label for data in found if len(data.studies) < 2]
    if alone:
        raise NothingToPool(f"{listed(alone)}: one study; a joint model needs two of each outcome at least.")
    families = {data.question.name: set(data.question.outcomes) for data in found}
    for one, other in combinations(families, 2):
        if families[one] & families[other]:
            raise InputError(f"The outcomes {one} and {other} overlap: name one of them.")
    return tuple(found)


def default_within(data: Sequence[HierarchyData]) -> dict[Pair, float]:
    """Return the correlation of sampling errors that is assumed for each pair of outcomes."""
    out = {}
    for one, other in combinations(data, 2):
        size = WITHIN_COUNTS if one.binomial or other.binomial else WITHIN_TIMES
        same = one.question.better == other.question.better
        out[one.question.name, other.question.name] = size if same else -size
    return out


def checked_within(data: Sequence[HierarchyData], given: Within | None) -> dict[Pair, float]:
    """Return the correlation of each pair, those given in place of the defaults."""
    chosen = default_within(data)
    for pair, value in (given or {}).items():
        known = pair if pair in chosen else pair[::-1]
        if known not in chosen:
            accepted = listed(f"{one},{other}" for one, other in chosen)
            raise InputError(f"within was given for {','.join(pair)}; accepted are {accepted}.")
        if not -1 < value < 1:
            raise InputError(f"within of {','.join(pair)} was {value!r}; accepted is a number between -1 and 1.")
        chosen[known] = value
    return chosen


def _trial(study: Study) -> Key:
    return (study.study_id, study.tumor_type, study.tumor_subtype)


def _contrasts(studies: Sequence[Study]) -> list[Key]:
    """Return what identifies each effect's contrast; the row itself where that is not unique."""
    keys = [(*_trial(study), study.agent_class, study.agent) for study in studies]
    return [key if keys.count(key) == 1 else (*key, *study.row_ids) for key, study in zip(keys, studies, strict=True)]


class _Matched:
    """Every contrast of every outcome, numbered once."""

    def __init__(self, data: Sequence[HierarchyData]) -> None:
        self.keys = [_contrasts(each.studies) for each in data]
        every = list(dict.fromkeys(key for keys in self.keys for key in keys))
        self.number = {key: i for i, key in enumerate(every)}
        trials = list(dict.fromkeys(key[:3] for key in every))
        self.trial: Codes = np.array([trials.index(key[:3]) for key in every], dtype=np.int64)

    def contrast(self, i: int) -> Codes:
        """Return the contrasts of an outcome's effects."""
        return np.array([self.number[key] for key in self.keys[i]], dtype=np.int64)


def joint_data(data: Sequence[HierarchyData], within: Within) -> JointData:
    """Return the effects of several outcomes as one data set.

    The sampling errors of outcomes p and q of one contrast have the correlation `within` (p, q); those of two contrasts
    that share a control arm that times the square root of their correlations in p and in q.
    """
    matched = _Matched(data)
    names = tuple(each.question.name for each in data)
    normal = [i for i, each in enumerate(data) if not each.binomial]
    outcome = np.concatenate([np.full(len(data[i].studies), i) for i in normal]).astype(np.int64)
    contrast = np.concatenate([matched.contrast(i) for i in normal])
    return JointData(
        names=names,
        y=np.concatenate([data[i].y for i in normal]),
        covariance=_covariance(data, normal, outcome, contrast, within),
        outcome=outcome,
        contrast=contrast,
        trial=matched.trial,
        responses=_responses(data, matched, outcome, within),
    )


def names_of(data: Sequence[HierarchyData], given: JointData) -> dict[str, list[str]]:
    """Return what effects, arms, control arms and trials of the draws are called: by the rows of the evidence."""
    rows = [["+".join(study.row_ids) for study in each.studies] for each in data]
    normal = [name for each, names in zip(data, rows, strict=True) if not each.binomial for name in names]
    arms = [name for each, names in zip(data, rows, strict=True) if each.binomial for name in names]
    matched = _Matched(data)
    trials: dict[int, list[str]] = {}
    for key, contrast in matched.number.items():
        trials.setdefault(int(given.units[contrast]), []).append(key[0])
    out = {"effect": normal, "trial": ["+".join(dict.fromkeys(trials[unit])) for unit in sorted(trials)]}
    if given.responses is not None:
        control = given.responses.control.tolist()
        out |= {"arm": arms, "control": [arms[control.index(i)] for i in range(max(control) + 1)]}
    return out


def correlation_of(within: Within, one: str, other: str) -> float:
    """Return the assumed correlation of two outcomes, in either order."""
    return within[one, other] if (one, other) in within else within[other, one]


def _covariance(
    data: Sequence[HierarchyData], normal: Sequence[int], outcome: Codes, contrast: Codes, within: Within
) -> Floats:
    """Return the covariance of the sampling errors of the normal effects."""
    names = [each.question.name for each in data]
    between = np.eye(len(names))
    for i in normal:
        for j in normal:
            if i != j:
                between[i, j] = correlation_of(within, names[i], names[j])
    sizes = int(contrast.max()) + 1
    shared = np.zeros((len(names), sizes, sizes))
    variance = np.concatenate([np.diag(data[i].covariance) for i in normal])
    for i in normal:
        own, sd = contrast[outcome == i], np.sqrt(np.diag(data[i].covariance))
        shared[i][np.ix_(own, own)] = data[i].covariance / np.outer(sd, sd)
    a, b = np.meshgrid(contrast, contrast, indexing="ij")
    p, q = np.meshgrid(outcome, outcome, indexing="ij")
    overlap = np.where(a == b, 1.0, np.sqrt(np.maximum(shared[p, a, b], 0) * np.maximum(shared[q, a, b], 0)))
    sd = np.sqrt(variance)
    return np.asarray(between[p, q] * overlap * np.outer(sd, sd))


def _responses(data: Sequence[HierarchyData], matched: _Matched, outcome: Codes, within: Within) -> Responses | None:
    counted = [i for i, each in enumerate(data) if each.binomial]
    if not counted:
        return None
    arms = data[counted[0]]
    _, first, control = np.unique(arms.control, return_index=True, return_inverse=True)
    names = [each.question.name for each in data]
    return Responses(
        outcome=counted[0],
        contrast=matched.contrast(counted[0]),
        events=arms.counts[:, 0],
        n=arms.counts[:, 1],
        control=control.astype(np.int64),
        control_events=arms.counts[first, 2],
        control_n=arms.counts[first, 3],
        correlation=np.array([correlation_of(within, names[i], names[counted[0]]) for i in outcome.tolist()]),
        share=arms.share,
        control_share=arms.share[first],
    )


def reported_together(data: Sequence[HierarchyData]) -> dict[Pair, int]:
    """Return how many trials report both outcomes of each pair."""
    trials = [{_trial(study) for study in each.studies} for each in data]
    names = [each.question.name for each in data]
    return {(names[i], names[j]): len(trials[i] & trials[j]) for i, j in combinations(range(len(data)), 2)}
