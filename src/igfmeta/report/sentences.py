"""The answer to an outcome in one sentence: direction, size, uncertainty, certainty.

The words follow the informative statements of GRADE (Santesso et al. 2020, J Clin Epidemiol 119:126): a plain statement
at high certainty, "probably" at moderate, "may" at low, "the evidence is very uncertain" at very low.
"""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.synthesis.absolute import AtBaseline
from igfmeta.synthesis.analysis import OutcomeAnalysis
from igfmeta.synthesis.certainty import RELEVANT, Rating
from igfmeta.synthesis.results import Answer
from igfmeta.synthesis.risk_results import RiskGroup, ratio

_IS = {"high": "is", "moderate": "is probably", "low": "may be", "very low": "may be"}


def answer_sentence(outcome: OutcomeAnalysis, intervention: str) -> str:
    """Return what an outcome's pool says, in one sentence."""
    if outcome.answer is None or outcome.rating is None:
        assert outcome.missing is not None
        return f"{outcome.missing.question.label}: no answer. {outcome.missing.reason}"
    answer, level = outcome.answer, outcome.rating.level
    if answer.question.arms == "single_arm":
        return _rate(outcome, answer, intervention)
    unsure = ", but the evidence is very uncertain" if level == "very low" else ""
    return (
        f"{answer.question.label}: with {intervention.rstrip(',')} {_effect(outcome, answer, _IS[level])}{unsure} "
        f"({label_of(answer.question.measure)} {_numbers(answer)}; {studies_and_patients(answer)}; "
        f"{_certainty(outcome.rating)}).{_per_thousand(outcome)}{_next(answer)}"
    )


def _certainty(rating: Rating) -> str:
    """Return the certainty, with who says so."""
    return f"{rating.level} certainty{'' if rating.overridden else ', as suggested by rule'}"


def studies_and_patients(answer: Answer) -> str:
    """Return `8 trials, at least 1,733 patients`."""
    group = answer.overall
    what = "study" if answer.question.arms == "single_arm" else "trial"
    plural = {"study": "studies", "trial": "trials"}[what]
    k = f"{group.fit.k} {what if group.fit.k == 1 else plural}"
    if not group.patients:
        return f"{k}, patients not reported"
    return f"{k}, {'at least ' if group.patients_missing else ''}{f.count(group.patients)} patients"


def _numbers(answer: Answer) -> str:
    group, fit = answer.overall, answer.overall.fit
    middle, low, high = (group.natural(v) for v in (fit.estimate, fit.ci_lower, fit.ci_upper))
    return f"{f.number(middle)}, {100 * fit.level:g} % interval {f.number(low)} to {f.number(high)}"


def _effect(outcome: OutcomeAnalysis, answer: Answer, verb: str) -> str:
    """Return what the intervention does, as `there is probably little or no difference`.

    Smaller than the relevant ratio and with no effect in the interval: little or no difference. Smaller, and the
    interval excludes no effect: slightly. An interval with relevant benefit and relevant harm in it decides nothing.
    """
    fit = answer.overall.fit
    ratios = answer.question.measure not in ("RD", "AS")
    far = -math.log(outcome.spec.relevant or RELEVANT) if ratios else 0.1
    name = _name(answer)
    if fit.ci_lower <= -far and fit.ci_upper >= far:
        return f"{name} may be better, worse or the same"
    null = fit.ci_lower <= 0 <= fit.ci_upper
    if null and abs(fit.estimate) < far:
        return f"there {verb} little or no difference in {name}"
    good = (fit.estimate < 0) == (answer.question.better == "lower")
    words = ("better", "worse") if outcome.info.kind == "time_to_event" else ("more frequent", "less frequent")
    first = good if outcome.info.kind == "time_to_event" else fit.estimate > 0
    slightly = "slightly " if abs(fit.estimate) < far else ""
    unsure = ", although no difference cannot be excluded" if null else ""
    return f"{name} {verb} {slightly}{words[0] if first else words[1]}{unsure}"


def _name(answer: Answer) -> str:
    """Return an outcome as it stands within a sentence; a family of times by what is better when longer."""
    if answer.question.name == "progression":
        return "freedom from progression"
    return f"{answer.question.label[:1].lower()}{answer.question.label[1:]}"


def _rate(outcome: OutcomeAnalysis, answer: Answer, intervention: str) -> str:
    assert outcome.rating is not None
    group, fit = answer.overall, answer.overall.fit
    middle, low, high = (f.percent(group.natural(v), 1) for v in (fit.estimate, fit.ci_lower, fit.ci_upper))
    name = f"{answer.question.label[:1].lower()}{answer.question.label[1:]}"
    spread = ""
    if fit.pi_lower is not None:
        limits = [f.percent(group.natural(v), 0) for v in (fit.pi_lower, fit.pi_upper)]
        level = f"{100 * fit.level:g} %"
        spread = f" The {level} prediction interval for the rate in a new study is {limits[0]} to {limits[1]}."
    return (
        f"{answer.question.label}: with {intervention.rstrip(',')} about {middle} of patients have {_article(name)}"
        f"{name} ({100 * fit.level:g} % interval {low} to {high}; {studies_and_patients(answer)}; no control arm; "
        f"{_certainty(outcome.rating)}).{spread}"
    )


def _article(name: str) -> str:
    return "an " if name == "objective response" else ""


def _per_thousand(outcome: OutcomeAnalysis) -> str:
    if outcome.absolute is None:
        return ""
    found = outcome.absolute
    middle = next((at for at in found.at if at.name == "median"), found.at[0])
    when = "" if found.horizon_months is None else f" by {found.horizon_months:g} months"
    return (
        f" Of 1,000 patients of whom {f.count(1000 * middle.baseline)} would have such an event{when} without it, "
        f"that is {difference_text(middle)} {found.event}."
    )


def difference_text(at: AtBaseline) -> str:
    """Return `19 more (13 fewer to 50 more)`."""
    middle, low, high = (_more(value) for value in at.difference)
    return f"{middle} ({low} to {high})"


def _more(value: float) -> str:
    rounded = round(value)
    if rounded == 0:
        return "0"
    return f"{abs(rounded)} {'more' if rounded > 0 else 'fewer'}"


def _next(answer: Answer) -> str:
    group, fit = answer.overall, answer.overall.fit
    if fit.pi_lower is None:
        return ""
    low, high = group.natural(fit.pi_lower), group.natural(fit.pi_upper)
    level = f"{100 * fit.level:g} %"
    return f" The {level} prediction interval for the effect in a new trial is {f.number(low)} to {f.number(high)}."


def marker_name(biomarker: str) -> str:
    """Return a marker as it is written.

    Examples
    --------
    >>> marker_name("igf1"), marker_name("igf1_igfbp3_ratio")
    ('IGF-1', 'IGF-1 IGFBP-3 ratio')
    """
    named = {"igf1": "IGF-1", "igf2": "IGF-2", "igfbp3": "IGFBP-3"}
    return " ".join(named.get(part, part) for part in biomarker.split("_"))


def risk_sentence(group: RiskGroup, biomarker: str, per: str) -> str:
    """Return what a pool of associations says, in one sentence."""
    fit = group.fit
    middle, low, high = (f.number(ratio(v)) for v in (fit.estimate, fit.ci_lower, fit.ci_upper))
    direction = "rises" if fit.ci_lower > 0 else "falls" if fit.ci_upper < 0 else None
    name = marker_name(biomarker)
    said = f"the risk {direction} with {name}" if direction else f"no clear association with {name}"
    studies = "1 study" if fit.k == 1 else f"{fit.k} studies"
    return f"{group.label}: {said} (ratio {per} {middle}, {100 * fit.level:g} % interval {low} to {high}; {studies})."
