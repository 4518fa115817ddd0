"""Studies at risk of bias counted for less: what a study says, to the power of the weight of its judgement.

The discount is that of Spiegelhalter & Best (2003), Stat Med 22:3687, section 4: a study of weight q has the variance
v / q, as if it had the share q of its information. That is its normal likelihood to the power q (Ibrahim & Chen 2000,
Stat Sci 15:46), which is what a hierarchy takes of counts: q x events of q n patients. Weights are a judgement of the
reader; there is no default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from igfmeta.effects.scales import natural
from igfmeta.errors import InputError, listed
from igfmeta.evidence.risk_of_bias import LEVELS, WORDS
from igfmeta.numerics import Floats, t_quantile
from igfmeta.synthesis.pool_models import RANDOM
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.studies import Study


def checked_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return weights by judgement, 1 where none was given.

    Raises
    ------
    InputError
        A judgement that is not known, or a weight outside 0 (excluded) to 1.

    Examples
    --------
    >>> checked_weights({"high": 0.5})["high"], checked_weights({"high": 0.5})["low"]
    (0.5, 1.0)
    """
    given = dict(weights or {})
    wrong = [f"{name}={value:g}" for name, value in given.items() if name not in LEVELS or not 0 < value <= 1]
    if wrong:
        raise InputError(
            f"risk_weights held {listed(wrong)}; accepted are {listed(LEVELS)}, each with a weight above 0 and up to 1."
        )
    return {name: float(given.get(name, 1.0)) for name in LEVELS}


def weighted(
    studies: Sequence[Study], weights: Mapping[str, float], question: Question, *, level: float
) -> list[Study]:
    """Return the studies with their variances divided by the weights of their judgements, and marked.

    Raises
    ------
    InputError
        Counts, which have no variance to divide.
    """
    if all(weight == 1 for weight in weights.values()):
        return list(studies)
    if question.model != RANDOM:
        what = f"{question.label.lower()}{' of one arm' if question.counted else ''}"
        other = "name another --outcome or --measure (PLN, PR, PAS, PFT), " if question.counted else ""
        raise InputError(
            f"risk_weights divide variances, and {what} is pooled from its counts; {other}take --model random, or "
            "restrict with --risk-of-bias."
        )
    return discounted(studies, weights, question.measure, level)


def discounted(studies: Sequence[Study], weights: Mapping[str, float], measure: str, level: float) -> list[Study]:
    """Return the studies with their variances divided by the weights of their judgements, and marked."""
    return [_discounted(study, weights[study.risk], measure, level) for study in studies]


def shares(studies: Sequence[Study], weights: Mapping[str, float]) -> Floats:
    """Return the weight of each study."""
    return np.array([weights[study.risk] for study in studies], dtype=float)


def _discounted(study: Study, weight: float, measure: str, level: float) -> Study:
    if weight == 1:
        return study
    vi = study.vi / weight
    middle, half = study.yi, float(t_quantile(0.5 + level / 2, np.inf)) * vi**0.5
    lower, upper = (float(natural(measure, middle + sign * half)) for sign in (-1, 1))
    note = f"variance divided by {weight:g}: risk of bias {WORDS[study.risk]}"
    marks = tuple(sorted({*study.marks, "r"}))
    return replace(study, vi=vi, ci_lower=lower, ci_upper=upper, notes=(*study.notes, note), marks=marks)


def weighting(
    weights: Mapping[str, float], studies: Sequence[Study], *, variances: bool = True, counts: bool = False
) -> tuple[str, ...]:
    """Return the sentence that stands under what weighted studies gave; none where no weight differs from 1."""
    named = [f"{WORDS[name]} {weight:g}" for name, weight in weights.items() if weight != 1]
    if not named:
        return ()
    how = ["variances are divided by them"] if variances else []
    how += ["the likelihoods of counts are raised to their power"] if counts else []
    concerned = sum(weights[study.risk] != 1 for study in studies)
    if not concerned:
        return (f"Weights by risk of bias: {', '.join(named)}; no study has such a judgement: nothing changes.",)
    where = f"{concerned} of {len(studies)} studies"
    return (f"Weights by risk of bias: {', '.join(named)}, all others 1 ({where}); {' and '.join(how)}.",)
