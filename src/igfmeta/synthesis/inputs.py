"""A table of anybody's -> effect sizes: finds out which form its columns have, and lists what cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from igfmeta.effects import continuous, hazard_ratio, one_arm, rates, two_arm
from igfmeta.effects.estimates import EffectSizes
from igfmeta.errors import InputError, Problem, check_choice, listed
from igfmeta.numerics import Floats, Mask
from igfmeta.synthesis.pool_models import COMPARATIVE_COUNTS, PROPORTIONS

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["identity", "log"]
SCALES = ("identity", "log")

#: What a table may hold, by name, and the columns that say so.
FORMS = {
    "effects with variances": ("yi", "vi"),
    "effects with standard errors": ("yi", "sei"),
    "estimates with intervals": ("estimate", "lower", "upper"),
    "events of two arms": ("events1", "n1", "events2", "n2"),
    "events of one arm": ("events", "n"),
    "events and person-time of two arms": ("events1", "time1", "events2", "time2"),
    "events and person-time of one arm": ("events", "time"),
    "means of two arms": ("mean1", "sd1", "n1", "mean2", "sd2", "n2"),
    "correlations": ("r", "n"),
}


@dataclass(frozen=True)
class Columns:
    """Names of the columns that hold the numbers: exactly those of one of `FORMS`."""

    yi: str | None = None
    vi: str | None = None
    sei: str | None = None
    estimate: str | None = None
    lower: str | None = None
    upper: str | None = None
    events1: str | None = None
    n1: str | None = None
    events2: str | None = None
    n2: str | None = None
    events: str | None = None
    n: str | None = None
    time1: str | None = None
    time2: str | None = None
    time: str | None = None
    mean1: str | None = None
    sd1: str | None = None
    mean2: str | None = None
    sd2: str | None = None
    r: str | None = None

    def given(self) -> dict[str, str]:
        """Return the columns that were named, by role."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def form(self) -> str:
        """Return which of `FORMS` the columns have."""
        given = set(self.given())
        for form, roles in FORMS.items():
            if given == set(roles):
                return form
        accepted = "; ".join(f"{', '.join(roles)} ({form})" for form, roles in FORMS.items())
        found = listed(sorted(given)) if given else "none"
        raise InputError(f"The columns named were {found}; accepted are exactly one of these sets: {accepted}.")


@dataclass(frozen=True, eq=False)
class Effects:
    """Effect sizes of a table, row by row, and the numbers that they are from by role (`events1`, `n1` ...)."""

    sizes: EffectSizes
    numbers: Mapping[str, Floats]

    @property
    def events(self) -> Floats | None:
        """Return the events of single arms."""
        return self.numbers.get("events")

    @property
    def n(self) -> Floats | None:
        """Return the patients of single arms."""
        return self.numbers.get("n")

    @property
    def usable(self) -> Mask:
        return self.sizes.usable


def _column(frame: pd.DataFrame, name: str, role: str) -> tuple[Floats, list[Problem]]:
    """Return a column as numbers; text is refused, also text that looks like a number."""
    file = frame.attrs.get("file")
    if name not in frame.columns:
        return np.array([]), [
            Problem(f"there is no column {name!r} ({role}); the table has {listed(frame.columns)}.", file=file)
        ]
    series = frame[name]
    if series.dtype.kind not in "iuf":
        return np.array([]), [
            Problem(f"holds {series.dtype} where {role} must be numbers; convert it first.", file=file, column=name)
        ]
    return series.to_numpy(dtype=float), []


def _numbers(frame: pd.DataFrame, columns: dict[str, str]) -> dict[str, Floats]:
    read = {role: _column(frame, name, role) for role, name in columns.items()}
    problems = [problem for _, found in read.values() for problem in found]
    if problems:
        raise InputError(problems)
    return {role: values for role, (values, _) in read.items()}


def _check(frame: pd.DataFrame, column: str, bad: Mask, values: Floats, accepted: str) -> list[Problem]:
    file = frame.attrs.get("file")
    return [
        Problem(f"found {values[i]:g}; accepted is {accepted}.", file=file, row=row_number(frame, i), column=column)
        for i in np.flatnonzero(bad).tolist()
    ]


def row_number(frame: pd.DataFrame, position: int) -> int:
    """Return the row as its file counts (the reader leaves it as the index), else as the frame counts, from 1."""
    return int(frame.index[position]) if frame.index.name == "row" else int(position) + 1


def _blank_reason(numbers: dict[str, Floats], columns: dict[str, str], position: int) -> str:
    blank = [columns[role] for role, values in numbers.items() if np.isnan(values[position])]
    return f"{listed(blank)} blank" if blank else ""


def _ready(yi: Floats, vi: Floats, measure: str, derivation: str) -> EffectSizes:
    k = len(yi)
    return EffectSizes(
        measure=measure, yi=yi, vi=vi, derivation=(derivation,) * k, reason=(None,) * k, notes=((),) * k
    )  # fmt: skip


def _effects_with_variances(x: dict[str, Floats], measure: str) -> EffectSizes:
    return _ready(x["yi"], x["vi"] if "vi" in x else x["sei"] ** 2, measure, "given")


def _from_intervals(x: dict[str, Floats], measure: str, level: float) -> EffectSizes:
    """Return effects from intervals: on the log scale for a ratio, as they stand otherwise."""
    if measure == "HR":
        return hazard_ratio.from_interval(x["estimate"], x["lower"], x["upper"], level=level)
    from igfmeta.numerics import t_quantile

    half = float(t_quantile(0.5 + level / 2, np.inf))
    sei = (x["upper"] - x["lower"]) / (2 * half)
    return _ready(x["estimate"], sei**2, measure, "reported_ci")


#: Forms whose numbers a measure turns into effects: the measures, and what computes them from the numbers by role.
_FROM_NUMBERS: dict[str, tuple[tuple[str, ...], Callable[..., EffectSizes]]] = {
    "events of two arms": (COMPARATIVE_COUNTS, two_arm.two_arm),
    "events of one arm": (PROPORTIONS, one_arm.one_arm),
    "events and person-time of two arms": (rates.RATE_COMPARISONS, rates.two_arm_rates),
    "events and person-time of one arm": (rates.RATES, rates.one_arm_rates),
    "means of two arms": (continuous.MEANS_MEASURES, continuous.two_means),
    "correlations": (continuous.CORRELATION_MEASURES, continuous.correlations),
}


def effects_from(
    frame: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    scale: Scale | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
) -> Effects:
    """Return the effect sizes of a table.

    Parameters
    ----------
    frame : DataFrame
        Numeric columns; a blank (NaN) makes its row unusable, with the reason.
    columns : Columns
        Which column holds what.
    measure : str, optional
        For events: OR, RR, RD, PETO, AS of two arms; PLO, PLN, PR, PAS, PFT of one. For events in person-time: IRR,
        IRD of two arms; IRLN, IR, IRS of one. For means: MD, SMD, ROM. For correlations: ZCOR, COR.
    scale : {"log", "identity"}, optional
        For estimates with intervals, required: "log" if they are ratios. For effects: "log" says that they are logs,
        so that results are printed as ratios.
    ci_level : float
        Of the intervals in the table.
    zero_cells : str
        What is done about zero cells; see `igfmeta.effects.two_arm.two_arm`.

    Raises
    ------
    InputError
        With every problem of every row at once.
    """
    form, named = columns.form(), columns.given()
    if scale is not None:
        check_choice("scale", scale, SCALES)
    numbers = _numbers(frame, named)
    complete = ~np.any([np.isnan(values) for values in numbers.values()], axis=0)
    _refuse_impossible(frame, named, numbers)
    compute, shown = _rule(form, measure, scale, ci_level, zero_cells)
    try:
        computed = compute({role: values[complete] for role, values in numbers.items()})
    except InputError as error:
        raise InputError([_in_table(problem, frame, complete) for problem in error.problems]) from None
    sizes = _spread(computed, complete, numbers, named, shown)
    return Effects(sizes=sizes, numbers=numbers)


def _in_table(problem: Problem, frame: pd.DataFrame, complete: Mask) -> Problem:
    """Return a problem found in the complete rows with the row number of the table."""
    if problem.row is None:
        return problem
    position = int(np.flatnonzero(complete)[problem.row - 1])
    return replace(problem, file=frame.attrs.get("file"), row=row_number(frame, position))


def _refuse_impossible(frame: pd.DataFrame, named: dict[str, str], x: dict[str, Floats]) -> None:
    problems: list[Problem] = []
    for role, values in x.items():
        name = named[role]
        problems += _check(frame, name, np.isinf(values), values, "a finite number")
        if role in ("vi", "sei"):
            what = "variance" if role == "vi" else "standard error"
            problems += _check(frame, name, np.isfinite(values) & (values <= 0), values, f"a {what} above 0")
    if problems:
        raise InputError(problems)


def _rule(
    form: str, measure: str | None, scale: Scale | None, ci_level: float, zero_cells: str
) -> tuple[Callable[[dict[str, Floats]], EffectSizes], str]:
    """Return what computes the effects, and the measure that the result is shown as."""
    if form in _FROM_NUMBERS:
        accepted, function = _FROM_NUMBERS[form]
        chosen = check_choice("measure", measure, accepted)
        policy = {"zero_cells": zero_cells} if form.startswith("events") else {}
        return lambda x: function(**x, measure=chosen, **policy), chosen
    if measure is not None:
        raise InputError(
            f"measure was {measure!r}; it is for events, means and correlations. For {form} use scale: log or identity."
        )
    if form == "estimates with intervals":
        if scale is None:
            raise InputError("scale is missing: log if the estimates are ratios, identity if they are differences.")
        shown = "HR" if scale == "log" else "GEN"
        return lambda x: _from_intervals(x, shown, ci_level), "LOG" if scale == "log" else "GEN"
    shown = "LOG" if scale == "log" else "GEN"
    return lambda x: _effects_with_variances(x, shown), shown


def _spread(
    sizes: EffectSizes, complete: Mask, numbers: dict[str, Floats], named: dict[str, str], shown: str
) -> EffectSizes:
    """Return effects with a place for every row of the table, those with a blank given their reason."""
    k = len(complete)
    yi, vi = np.full(k, np.nan), np.full(k, np.nan)
    yi[complete], vi[complete] = sizes.yi, sizes.vi
    position = np.cumsum(complete) - 1

    def per_row(values: Sequence[Any], blank: Callable[[int], Any]) -> tuple[Any, ...]:
        return tuple(values[position[i]] if complete[i] else blank(i) for i in range(k))

    return EffectSizes(
        measure=shown,
        yi=yi,
        vi=vi,
        derivation=per_row(sizes.derivation, lambda _: ""),
        reason=per_row(sizes.reason, lambda i: _blank_reason(numbers, named, i)),
        notes=per_row(sizes.notes, lambda _: ()),
    )
