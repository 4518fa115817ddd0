"""Trials that can be planned: a log-rank test, two proportions, the rate of one arm against a fixed one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from scipy import special

from igfmeta.errors import InputError
from igfmeta.numerics import Floats
from igfmeta.synthesis import power
from igfmeta.synthesis.decisions import relevant_effect, sign_of
from igfmeta.synthesis.hierarchy_results import HierarchyResult

Unit = Literal["events", "patients"]
UNITS = ("events", "patients")

#: The most events or patients of a trial; of proportions, whose power is a sum over counts.
LARGEST = 10**9
LARGEST_BY_COUNTS = 50_000


@dataclass(frozen=True)
class Design:
    """How a trial is decided.

    Attributes
    ----------
    alpha : float
    sides : {1, 2}
        Whether alpha is one- or two-sided; a success favours the experimental arm either way.
    allocation : float
        Experimental to control.
    event_rate : float or None
        Probability that a patient has the event before the analysis, for a hazard ratio planned by patients.
    control_rate : float or None
        Rate of the control arm, for two proportions.
    null_rate, target_rate : float or None
        For one arm: the rate to beat, and the rate for which power is given.
    """

    alpha: float = 0.025
    sides: int = 1
    allocation: float = 1.0
    event_rate: float | None = None
    control_rate: float | None = None
    null_rate: float | None = None
    target_rate: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise InputError(f"alpha was {self.alpha!r}; accepted is a number between 0 and 0.5, such as 0.025.")
        if self.sides not in (1, 2):
            raise InputError(f"sides was {self.sides!r}; accepted are 1 and 2.")
        if not 0 < self.allocation < math.inf:
            raise InputError(f"allocation was {self.allocation!r}; accepted is a ratio above 0, such as 1.")
        for name in ("event_rate", "control_rate", "null_rate", "target_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < 1:
                raise InputError(f"{name} was {rate!r}; accepted is a proportion between 0 and 1, such as 0.3.")

    @property
    def z(self) -> float:
        return power.critical(self.alpha, self.sides)

    def to_dict(self) -> dict[str, Any]:
        """Return what was given."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


@dataclass(frozen=True)
class Success:
    """The chance that a trial of some size succeeds.

    Attributes
    ----------
    events : float or None
        In both arms together, expected ones where the trial is planned by patients; None for proportions.
    patients : int or None
        In each arm.
    boundary : float
        What would just be significant: the observed hazard ratio; for two proportions the rate of the experimental arm
        if the control arm shows its planned rate (NaN if nothing would be); for one arm the number of responders.
    assurance : float
        Probability of success, the uncertainty of the effect included.
    power : float or None
        Probability of success if the effect were the relevant ratio or the target rate: what a design usually quotes.
    """

    events: float | None
    patients: int | None
    boundary: float
    assurance: float
    power: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {name: None if value != value else value for name, value in self.__dict__.items()}


class Trial(Protocol):
    """A trial whose effects are signed so that more is better; `null` is no effect, power is given for `planned`."""

    @property
    def null(self) -> float: ...

    @property
    def planned(self) -> float | None: ...

    def power(self, effect: Floats, size: int) -> Floats: ...

    def success(self, size: int, assurance: float, power: float | None) -> Success: ...


@dataclass(frozen=True)
class _LogRank:
    design: Design
    unit: str
    sign: float
    planned: float | None
    null: float = 0.0

    def _events(self, size: int) -> float:
        return size if self.unit == "events" else 2 * size * (self.design.event_rate or math.nan)

    def power(self, effect: Floats, size: int) -> Floats:
        d = self.design
        return power.log_rank_power(effect, events=self._events(size), allocation=d.allocation, z=d.z)

    def success(self, size: int, assurance: float, power_: float | None) -> Success:
        events = self._events(size)
        least = self.design.z * math.sqrt(power.log_rank_variance(events, self.design.allocation))
        patients = size if self.unit == "patients" else None
        return Success(events, patients, math.exp(self.sign * least), assurance, power_)


@dataclass(frozen=True)
class _TwoProportions:
    """Of response, or of not having the event where fewer events are better."""

    design: Design
    sign: float
    planned: float | None
    null: float = 0.0

    @property
    def _control(self) -> float:
        rate = self.design.control_rate or math.nan
        return rate if self.sign > 0 else 1 - rate

    def power(self, effect: Floats, size: int) -> Floats:
        return power.two_proportions_power(effect, control_rate=self._control, n=size, z=self.design.z)

    def success(self, size: int, assurance: float, power_: float | None) -> Success:
        fewest = power.fewest_significant(np.array([float(round(size * self._control))]), size, self.design.z)[0]
        rate = fewest / size if fewest <= size else math.nan
        return Success(None, size, rate if self.sign > 0 else 1 - rate, assurance, power_)


@dataclass(frozen=True)
class _OneProportion:
    """The rate of one arm, or of not having the event where fewer events are better."""

    design: Design
    sign: float
    planned: float | None
    null: float

    def power(self, effect: Floats, size: int) -> Floats:
        level = self.design.alpha / self.design.sides
        return power.one_proportion_power(effect, n=size, null_rate=float(special.expit(self.null)), level=level)

    def success(self, size: int, assurance: float, power_: float | None) -> Success:
        level = self.design.alpha / self.design.sides
        fewest = power.exact_boundary(size, float(special.expit(self.null)), level)
        boundary = math.nan if fewest > size else float(fewest if self.sign > 0 else size - fewest)
        return Success(None, size, boundary, assurance, power_)


def _unsuitable(result: HierarchyResult, unit: str, design: Design) -> str | None:
    """Return why a trial cannot be planned so, as a sentence."""
    label, measure = result.question.label, result.question.measure
    needs = {
        "HR": (design.event_rate, "event_rate", "the probability that a patient has the event before the analysis"),
        "OR": (design.control_rate, "control_rate", "the rate of the control arm"),
        "PLO": (design.null_rate, "null_rate", "the rate that the arm must beat"),
    }
    if measure not in needs:
        return (
            f"{label} is compared as {measure}; assurance takes a hazard ratio, an odds ratio or the rate of one arm."
        )
    if measure != "HR" and unit == "events":
        return f"{label} has no hazard ratio, so events do not make the size of its trial; plan it by patients."
    if unit == "patients" and design.allocation != 1:
        return f"allocation was {design.allocation:g}; patients are counted per arm, in arms of equal size."
    value, name, meaning = needs[measure]
    if unit == "patients" and value is None:
        return f"{name} is missing: {meaning}. Without it patients do not say how much the trial learns."
    return _superfluous(measure, unit, design)


def _superfluous(measure: str, unit: str, design: Design) -> str | None:
    """Return a sentence on a rate that was given and would be ignored."""
    used = {"HR": ["event_rate"] if unit == "patients" else [], "OR": ["control_rate"]}
    wanted = used.get(measure, ["null_rate", "target_rate"])
    given = [name for name in ("event_rate", "control_rate", "null_rate", "target_rate") if getattr(design, name)]
    extra = [name for name in given if name not in wanted]
    return f"{extra[0]} has no meaning for a trial of {measure} planned by {unit}." if extra else None


def planned_trial(result: HierarchyResult, sizes: Sequence[int], unit: str, design: Design) -> Trial:
    """Return the trial that a model, a unit of size and a design mean; what cannot be planned is refused."""
    wrong = _unsuitable(result, unit, design)
    if wrong:
        raise InputError(wrong)
    _check_sizes(sizes, unit, LARGEST if result.question.measure == "HR" else LARGEST_BY_COUNTS)
    sign = sign_of(result)
    if result.question.measure == "HR":
        return _LogRank(design, unit, sign, relevant_effect(result))
    if result.question.measure == "OR":
        return _TwoProportions(design, sign, relevant_effect(result))
    null = sign * float(special.logit(design.null_rate or math.nan))
    target = None if design.target_rate is None else sign * float(special.logit(design.target_rate))
    if target is not None and target <= null:
        raise InputError(
            f"target_rate was {design.target_rate:g} and null_rate {design.null_rate:g}; the target must be better."
        )
    return _OneProportion(design, sign, target, null)


def _check_sizes(sizes: Sequence[int], unit: str, largest: int) -> None:
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or not 0 < n <= largest for n in sizes):
        raise InputError(f"{unit} was {list(sizes)!r}; accepted are whole numbers above 0, up to {largest:,}.")
