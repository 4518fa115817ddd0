"""Relative effects as events per 1,000 patients, at baseline risks that the control arms of the same trials show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from igfmeta.effects.scales import sin_squared
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.results import Answer

#: Months in one unit of a median.
MONTHS = {"months": 1.0, "weeks": 12 / 52.1775, "days": 12 / 365.2425, "years": 12.0}

PER = 1000


@dataclass(frozen=True)
class AtBaseline:
    """What an effect means at one baseline risk.

    Attributes
    ----------
    name : str
        "lowest", "median" or "highest" of the control arms.
    baseline : float
        Risk without the intervention, 0 to 1.
    risk, ci_lower, ci_upper : float
        Risk with it.
    """

    name: str
    baseline: float
    risk: float
    ci_lower: float
    ci_upper: float

    @property
    def difference(self) -> tuple[float, float, float]:
        """More (or, below 0, fewer) events per 1,000: estimate and limits."""
        return (
            PER * (self.risk - self.baseline),
            PER * (self.ci_lower - self.baseline),
            PER * (self.ci_upper - self.baseline),
        )


@dataclass(frozen=True)
class Absolute:
    """Absolute effects of one answer.

    Attributes
    ----------
    arms : int
        Control arms whose risk is known.
    event : str
        What is counted.
    horizon_months : float or None
        Until when, for times to an event; their control risk is 1 - 2^(-horizon / median), a constant hazard.
    at : tuple of AtBaseline
        At the lowest, the median and the highest baseline risk; one where all are equal.
    """

    arms: int
    event: str
    horizon_months: float | None
    at: tuple[AtBaseline, ...]


def risk_with(measure: str, effect: float, baseline: float) -> float:
    """Return the risk with the intervention: the effect on the analysis scale, applied to a baseline risk.

    A hazard ratio supposes proportional hazards: 1 - (1 - p)^HR.

    Examples
    --------
    >>> round(risk_with("OR", math.log(2), 0.2), 4), round(risk_with("HR", math.log(0.5), 0.75), 4)
    (0.3333, 0.5)
    """
    if measure == "HR":
        return 1 - math.pow(1 - baseline, math.exp(effect))
    if measure in ("OR", "PETO"):
        odds = math.exp(effect) * baseline / (1 - baseline) if baseline < 1 else math.inf
        return 1.0 if math.isinf(odds) else odds / (1 + odds)
    if measure == "RR":
        return min(1.0, math.exp(effect) * baseline)
    if measure == "RD":
        return min(1.0, max(0.0, baseline + effect))
    return float(sin_squared(math.asin(math.sqrt(baseline)) + effect))


def absolute_effects(
    answer: Answer, rows: Sequence[Row], *, event: str, horizon_months: float | None
) -> Absolute | None:
    """Return an answer's effect per 1,000 patients; None where no control arm says what the baseline risk is.

    Parameters
    ----------
    answer : Answer
        Of a comparison.
    rows : sequence of mappings
        Of the trials table; a control median may stand on another row of the same comparison and outcome.
    event : str
        What is counted, in words.
    horizon_months : float or None
        For hazard ratios.
    """
    if answer.question.arms == "single_arm" or (answer.question.measure == "HR" and horizon_months is None):
        return None
    used = {row_id for study in answer.overall.studies for row_id in study.row_ids}
    risks: dict[tuple[str, ...], float] = {}
    for row in rows:
        if row["row_id"] in used:
            found = _control_risk(row, rows, horizon_months if answer.question.measure == "HR" else None)
            if found is not None and 0 < found < 1:
                risks.setdefault(_arm(row), found)
    if not risks:
        return None
    fit, values = answer.overall.fit, sorted(risks.values())
    levels = {"lowest": values[0], "median": median(values), "highest": values[-1]}
    if values[0] == values[-1]:
        levels = {"only" if len(values) == 1 else "same in all": values[0]}

    def at(effect: float, baseline: float) -> float:
        return risk_with(answer.question.measure, effect, baseline)

    return Absolute(
        arms=len(values),
        event=event,
        horizon_months=horizon_months if answer.question.measure == "HR" else None,
        at=tuple(
            AtBaseline(name, p, at(fit.estimate, p), at(fit.ci_lower, p), at(fit.ci_upper, p))
            for name, p in levels.items()
        ),
    )


def _arm(row: Row) -> tuple[str, ...]:
    """What makes a control arm: study, arm, stratum."""
    return tuple(str(row[k]) for k in ("study_id", "control", "tumor_type", "tumor_subtype", "population"))


def _control_risk(row: Row, rows: Sequence[Row], horizon: float | None) -> float | None:
    if horizon is None:
        return _ratio(row)
    same = [other for other in rows if _arm(other) == _arm(row) and other["outcome"] == row["outcome"]]
    medians = [_months(each) for each in (row, *same)]
    known = next((m for m in medians if m is not None), None)
    return None if known is None else 1 - 2 ** (-horizon / known)


def _ratio(row: Mapping[str, Any]) -> float | None:
    if row["n_ctl"] != row["n_ctl"] or not row["n_ctl"]:
        return None
    if row["events_ctl"] == row["events_ctl"]:
        return float(row["events_ctl"] / row["n_ctl"])
    percent = row["percent_ctl"]
    return float(percent / 100) if percent == percent else None


def _months(row: Mapping[str, Any]) -> float | None:
    value, unit = row["median_ctl"], row["median_unit"]
    return float(value * MONTHS[unit]) if value == value and unit in MONTHS else None
