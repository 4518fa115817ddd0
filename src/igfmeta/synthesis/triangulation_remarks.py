"""What a triangulation says in words: first what can be told, then how little the types of tumour at hand can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.bayes.slope import SlopePosterior
from igfmeta.models.errors_in_variables import FEWEST, ErrorsInVariables
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.triangulation_results import Unit

#: Below this share of the prior sd taken away, the posterior of the slope is its prior.
LITTLE = 0.2


def sentences(
    units: Sequence[Unit],
    line: ErrorsInVariables | None,
    posterior: SlopePosterior | None,
    question: Question,
    level: float,
) -> tuple[str, ...]:
    """Return what the data say of the slope, the verdict first."""
    said = [_verdict(units, line, posterior, question, level)]
    if line is not None:
        said.append(_of_the_line(line))
    elif units:
        said.append(f"A line with errors in both directions needs {FEWEST} types of tumour.")
    if posterior is not None:
        said.append(_of_the_posterior(units, posterior, question, level))
    said.append(
        "Types of tumour differ in much besides this marker, and so do the people who were followed and those who were "
        "treated: even a slope told from 0 would be an association between averages."
    )
    return tuple(said)


def _verdict(
    units: Sequence[Unit],
    line: ErrorsInVariables | None,
    posterior: SlopePosterior | None,
    question: Question,
    level: float,
) -> str:
    k = len(units)
    if posterior is None:
        types = "no type of tumour has" if k == 0 else "only one type of tumour has"
        return f"Nothing can be said: {types} both a predictor and a trial."
    direction = _direction(line, posterior, level)
    if direction == 0:
        return (
            f"With {k} types of tumour nothing can be said on whether the treatment works better where the "
            "marker matters more: the slope is not told from 0, in either direction."
        )
    better = (direction < 0) == (question.better == "lower")
    return (
        f"Over {k} types of tumour the treatment works {'better' if better else 'worse'} where the marker "
        "matters more: both schools tell the slope from 0."
    )


def _direction(line: ErrorsInVariables | None, posterior: SlopePosterior, level: float) -> int:
    """Return the sign of the slope where both schools tell it from 0; else 0."""
    if line is None:
        return 0
    lower = min(line.ci_lower, posterior.quantile(0.5 - level / 2))
    upper = max(line.ci_upper, posterior.quantile(0.5 + level / 2))
    return 1 if lower > 0 else -1 if upper < 0 else 0


def _of_the_line(line: ErrorsInVariables) -> str:
    said = f"Reliability of the predictors {f.percent(line.reliability)}"
    if line.reliability == 0:
        return f"{said}: they do not differ beyond their errors, so that these data are compatible with any slope."
    if not line.bounded:
        return f"{said}; the interval of the slope has no bound, so that these data are compatible with almost any."
    return f"{said}; {line.k} points leave {line.k - 2} degrees of freedom to the slope."


def _of_the_posterior(units: Sequence[Unit], posterior: SlopePosterior, question: Question, level: float) -> str:
    low, high = min(unit.x for unit in units), max(unit.x for unit in units)
    tails = (0.5, 0.5 - level / 2, 0.5 + level / 2)
    factors = sorted(math.exp(posterior.quantile(p) * (high - low)) for p in tails)
    learned = posterior.learned
    how = "the posterior of the slope is hardly more than its prior" if learned < LITTLE else "the rest is prior"
    return (
        f"The data take {f.percent(max(learned, 0.0))} off the prior sd of the slope: {how}. From the smallest to the "
        f"largest risk seen ({f.number(math.exp(low))} to {f.number(math.exp(high))} per SD) the {question.measure} "
        f"changes by a factor of {f.number(factors[1])} ({f.interval(factors[0], factors[2])})."
    )
