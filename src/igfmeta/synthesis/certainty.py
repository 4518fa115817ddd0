"""Certainty of an answer by GRADE: for each domain the computed inputs, the rule, what it suggests, what a person says.

References
----------
Guyatt et al. 2011, J Clin Epidemiol 64:383 (introduction), 407 (risk of bias), 1277 (publication bias), 1283
(imprecision), 1294 (inconsistency), 1303 (indirectness). Schoenfeld 1983, Biometrics 39:499 for the events needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igfmeta.evidence.selection import biomarker_selection
from igfmeta.numerics import t_quantile
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.protocol import DOMAINS, Certainty
from igfmeta.synthesis.results import Answer

LEVELS = ("very low", "low", "moderate", "high")

#: Least ratio that patients would notice, where a protocol names none.
RELEVANT = 0.8

#: A rate whose interval is wider than this, in points of probability, is imprecise; twice as wide, very imprecise.
WIDE = 0.2

Input = tuple[str, float | str]


@dataclass(frozen=True)
class Domain:
    """One domain.

    Attributes
    ----------
    name : str
        Of `DOMAINS`.
    inputs : tuple of (name, value)
        Computed from the rows and the fits; shares between 0 and 1 have names that begin with "share".
    rule : str
    suggested : int
        Levels down by the rule.
    rated : int
        Levels down that count: the suggestion, or what a person says.
    reason : str or None
        The person's.
    """

    name: str
    inputs: tuple[Input, ...]
    rule: str
    suggested: int
    rated: int
    reason: str | None


@dataclass(frozen=True)
class Rating:
    """The certainty of an answer: where it starts, the domains, where it ends."""

    start: str
    domains: tuple[Domain, ...]

    @property
    def level(self) -> str:
        down = sum(domain.rated for domain in self.domains)
        return LEVELS[max(0, LEVELS.index(self.start) - down)]

    @property
    def overridden(self) -> bool:
        return any(domain.reason is not None for domain in self.domains)


def rate(answer: Answer, rows: Sequence[Row], *, relevant: float | None, given: Certainty) -> Rating:
    """Rate an answer: randomized comparisons start high, results of one arm low.

    Parameters
    ----------
    answer : Answer
    rows : sequence of mappings
        Of the trials table.
    relevant : float or None
        Least ratio that patients would notice.
    given : Certainty
        Domains that a person rated.
    """
    by_id = {row["row_id"]: row for row in rows}
    one_arm = answer.question.arms == "single_arm"
    ratio = RELEVANT if relevant is None else relevant
    found = {
        "risk_of_bias": _risk_of_bias(answer, by_id),
        "inconsistency": _inconsistency(answer, ratio),
        "indirectness": _indirectness(answer, by_id),
        "imprecision": _imprecise_rate(answer) if one_arm else _imprecision(answer, ratio),
        "publication_bias": _publication(answer),
    }
    domains = []
    for name in DOMAINS:
        inputs, rule, suggested = found[name]
        person = getattr(given, name)
        rated = suggested if person is None else person.downgrade
        domains.append(Domain(name, inputs, rule, suggested, rated, None if person is None else person.reason))
    return Rating(start="low" if one_arm else "high", domains=tuple(domains))


_Found = tuple[tuple[Input, ...], str, int]


def _share(answer: Answer, by_id: Mapping[str, Row], fits: object) -> float:
    """Return the share of the weight that studies have whose first row fits."""
    weights = answer.overall.fit.weights
    chosen = [bool(fits(by_id[study.row_ids[0]])) for study in answer.overall.studies]  # type: ignore[operator]
    return float(sum(w for w, kept in zip(weights, chosen, strict=True) if kept) / sum(weights))


def _risk_of_bias(answer: Answer, by_id: Mapping[str, Row]) -> _Found:
    blind = _share(answer, by_id, lambda row: row["blinding"] == "double_blind")
    hard = answer.question.outcomes[0] in ("os", "os_rate", "ae_death")
    one_arm = answer.question.arms == "single_arm"
    inputs: tuple[Input, ...] = (
        ("share of the weight in double-blind trials", blind),
        ("outcome that knowing the treatment can hardly change", "yes" if hard else "no"),
    )
    rule = (
        "One level down where less than half of the weight is double-blind and the outcome is a judgement, which "
        "death is not. Results of one arm start low for want of a control and go no further down here. What trials did "
        "beyond blinding is not in the evidence tables: a person who has read them should rate this domain."
    )
    return inputs, rule, int(not hard and not one_arm and blind < 0.5)


def _inconsistency(answer: Answer, ratio: float) -> _Found:
    group, fit = answer.overall, answer.overall.fit
    if fit.k < 2 or fit.i2 is None:
        return (("studies", float(fit.k)),), "Not assessable with one study: no level down.", 0
    inputs: list[Input] = [("I2, %", fit.i2), ("tau2", fit.tau2 or 0.0), ("p of Q", fit.q_p_value)]
    crosses = False
    if fit.pi_lower is not None and fit.pi_upper is not None:
        limits = (group.natural(fit.pi_lower), group.natural(fit.pi_upper))
        inputs += [("prediction interval, lower", limits[0] or 0.0), ("prediction interval, upper", limits[1] or 0.0)]
        if answer.question.arms == "comparison":
            wide = (fit.pi_lower, fit.pi_upper)
            own = (fit.ci_lower, fit.ci_upper)
            crosses = _both(wide, ratio, answer) and not _both(own, ratio, answer)
    varied = fit.i2 >= 50 and fit.q_p_value < 0.1
    rule = (
        "One level down where I2 is 50 % or more and Q has p < 0.10, or where the prediction interval holds both "
        "relevant benefit and relevant harm while the confidence interval does not; two where both are so and I2 is "
        "75 % or more."
    )
    return tuple(inputs), rule, 2 if varied and crosses and fit.i2 >= 75 else int(varied or crosses)


def _both(limits: tuple[float, float], ratio: float, answer: Answer) -> bool:
    """Return whether an interval of log ratios holds a relevant benefit and a relevant harm."""
    far = abs(math.log(ratio)) if answer.question.measure not in ("RD", "AS") else 0.1
    return limits[0] <= -far and limits[1] >= far


def _indirectness(answer: Answer, by_id: Mapping[str, Row]) -> _Found:
    chosen = _share(answer, by_id, lambda row: biomarker_selection(row["population"]) == "selected")
    other = _share(answer, by_id, lambda row: row["contrast"] not in ("add_on", "none"))
    tumours = len({study.tumor_type for study in answer.overall.studies})
    classes = len({study.agent_class for study in answer.overall.studies})
    inputs: tuple[Input, ...] = (
        ("types of tumour", float(tumours)),
        ("classes of agent", float(classes)),
        ("share of the weight in patients chosen by a biomarker", chosen),
        ("share of the weight where the comparison does not isolate the agent", other),
    )
    rule = (
        "One level down where more than a quarter of the weight is from comparisons that do not isolate the agent, or "
        "where several classes of agent are pooled into one effect."
    )
    return inputs, rule, int(other > 0.25 or classes > 1)


def events_needed(ratio: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the events with which one trial of equal arms would find a hazard ratio (Schoenfeld 1983, eq. 1).

    Examples
    --------
    >>> round(events_needed(0.8))
    631
    """
    z = float(t_quantile(1 - alpha / 2, math.inf)) + float(t_quantile(power, math.inf))
    return 4 * (z / math.log(ratio)) ** 2


def _imprecision(answer: Answer, ratio: float) -> _Found:
    group, fit = answer.overall, answer.overall.fit
    information = sum(1 / study.vi for study in group.studies)
    ratios = answer.question.measure not in ("RD", "AS")
    events, needed = 4 * information, events_needed(ratio)
    limits = (group.natural(fit.ci_lower) or 0.0, group.natural(fit.ci_upper) or 0.0)
    inputs: list[Input] = [("interval, lower", limits[0]), ("interval, upper", limits[1]), ("relevant ratio", ratio)]
    if ratios:
        inputs += [("events that the variances amount to, 4 / var", events), ("events needed for that ratio", needed)]
    far = abs(math.log(ratio)) if ratios else 0.1
    both = _both((fit.ci_lower, fit.ci_upper), ratio, answer)
    null = fit.ci_lower <= 0 <= fit.ci_upper
    one = null and (fit.ci_lower <= -far or fit.ci_upper >= far)
    few = ratios and events < needed
    rule = (
        "Two levels down where the interval holds both a relevant benefit and a relevant harm; one where it holds no "
        "effect and a relevant one, or where the information is less than one trial with 80 % power for the relevant "
        "ratio would have."
    )
    return tuple(inputs), rule, 2 if both else int(one or few)


def _imprecise_rate(answer: Answer) -> _Found:
    group, fit = answer.overall, answer.overall.fit
    lower, upper = group.natural(fit.ci_lower) or 0.0, group.natural(fit.ci_upper) or 0.0
    inputs: tuple[Input, ...] = (
        ("share with the event, lower limit", lower),
        ("share with the event, upper limit", upper),
        ("patients", group.patients),
    )
    rule = (
        f"One level down where the interval of the rate is wider than {100 * WIDE:.0f} points, two where it is wider "
        f"than {200 * WIDE:.0f}."
    )
    return inputs, rule, int(upper - lower > WIDE) + int(upper - lower > 2 * WIDE)


#: Reasons of rows whose study reports the outcome, in a design that is eligible, and prints no effect.
_SILENT = ("exclude: no value seen yet", "medians, not a hazard ratio")


def _publication(answer: Answer) -> _Found:
    used = {study.study_id for study in answer.overall.studies}
    silent = {u.study_id for u in answer.unused if u.not_estimable or u.reason.startswith(_SILENT)} - used
    share = len(silent) / (len(silent) + len(used))
    inputs: tuple[Input, ...] = (
        ("studies in the pool", float(len(used))),
        ("studies found that report it without a usable result (no value, medians alone)", float(len(silent))),
        ("share of studies without a usable result", share),
    )
    rule = (
        "One level down where more than a third of the studies that were found for this outcome have no usable result. "
        "Tests of asymmetry need ten studies; trials that were never reported are not in the evidence tables."
    )
    return inputs, rule, int(share > 1 / 3)
