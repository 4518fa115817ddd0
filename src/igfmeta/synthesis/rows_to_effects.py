"""Reported numbers -> effect sizes: picks, for each row, the first rule that its numbers allow.

The rules in order of trust. Hazard ratios: the interval at its printed level; the p-value; events in both arms with a
p-value and the direction of the medians (Tierney 2007); medians with events, in sensitivity analyses only. Counts: as
printed, else the one count that a percentage can mean (GRIM).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from igfmeta.effects import hazard_ratio, one_arm, percentages, two_arm
from igfmeta.effects.estimates import EffectSizes
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.questions import Question


@dataclass(frozen=True)
class RowEffect:
    """The effect of one row, or the reason why it has none.

    `counts` holds the events and patients that entered the calculation, as (events_exp, n_exp, events_ctl, n_ctl).
    """

    row: Row
    yi: float
    vi: float
    derivation: str
    reason: str | None
    notes: tuple[str, ...]
    counts: tuple[float, float, float, float]


def _known(row: Row, *columns: str) -> bool:
    return not any(np.isnan(row[column]) for column in columns)


def _column(rows: Sequence[Row], name: str) -> Any:
    return np.array([row[name] for row in rows], dtype=float)


def printed_decimals(text: str) -> int:
    """Return how many decimals a printed number has.

    Examples
    --------
    >>> printed_decimals("0.90"), printed_decimals("14")
    (2, 0)
    """
    return len(text.strip().partition(".")[2])


def _printed_counts(row: Row) -> tuple[float, float, float, float]:
    return (row["events_exp"], row["n_exp"], row["events_ctl"], row["n_ctl"])


def _unpack(rows: Sequence[Row], effects: EffectSizes) -> list[RowEffect]:
    return [
        RowEffect(
            row=row,
            yi=float(effects.yi[i]),
            vi=float(effects.vi[i]),
            derivation=effects.derivation[i],
            reason=effects.reason[i],
            notes=effects.notes[i],
            counts=_printed_counts(row),
        )
        for i, row in enumerate(rows)
    ]


def _refused(rows: Sequence[Row], reason: str) -> list[RowEffect]:
    nan = float("nan")
    return [RowEffect(row, nan, nan, "", reason, (), _printed_counts(row)) for row in rows]


def _from_interval(rows: Sequence[Row]) -> list[RowEffect]:
    texts = [[row[f"{name}_text"] for name in ("estimate", "ci_low", "ci_high")] for row in rows]
    decimals = np.array([[printed_decimals(text) for text in row] for row in texts])
    effects = hazard_ratio.from_interval(
        _column(rows, "estimate"),
        _column(rows, "ci_low"),
        _column(rows, "ci_high"),
        level=_column(rows, "ci_level") / 100,
        decimals=decimals.min(axis=1),
    )
    return _unpack(rows, effects)


def _from_p_value(rows: Sequence[Row]) -> list[RowEffect]:
    sided = [row["p_sided"] or "unknown" for row in rows]
    return _unpack(rows, hazard_ratio.from_p_value(_column(rows, "estimate"), _column(rows, "p_value"), sided=sided))


def _from_events(rows: Sequence[Row]) -> list[RowEffect]:
    effects = hazard_ratio.from_events_and_p(
        _column(rows, "events_exp"),
        _column(rows, "events_ctl"),
        _column(rows, "p_value"),
        favours_experimental=_column(rows, "median_exp") > _column(rows, "median_ctl"),
    )
    return _unpack(rows, effects)


def _from_medians(rows: Sequence[Row]) -> list[RowEffect]:
    effects = hazard_ratio.from_medians(
        _column(rows, "median_exp"),
        _column(rows, "median_ctl"),
        events_exp=_column(rows, "events_exp"),
        events_ctl=_column(rows, "events_ctl"),
    )
    return _unpack(rows, effects)


def _hazard_ratio_rule(row: Row) -> str:
    if row["measure"] == "median":
        return "medians"
    if _known(row, "estimate", "ci_low", "ci_high"):
        return "interval" if _known(row, "ci_level") else "no level"
    if _known(row, "estimate"):
        if not row["p_value_text"]:
            return "no uncertainty"
        return "p_value" if _known(row, "p_value") else "inequality"
    if _known(row, "events_exp", "events_ctl", "p_value", "median_exp", "median_ctl") and row["p_sided"] == "2":
        return "events"
    return "no estimate"


_HAZARD_RATIO_RULES: dict[str, Callable[[Sequence[Row]], list[RowEffect]]] = {
    "interval": _from_interval,
    "p_value": _from_p_value,
    "events": _from_events,
    "medians": _from_medians,
    "no level": lambda rows: _refused(rows, "an interval whose confidence level is not reported"),
    "no uncertainty": lambda rows: _refused(rows, "an estimate without interval or p-value"),
    "inequality": lambda rows: _refused(rows, "a p-value printed as an inequality gives no standard error"),
    "no estimate": lambda rows: _refused(rows, "no estimate reported"),
}


def _hazard_ratios(rows: Sequence[Row]) -> list[RowEffect]:
    by_rule: dict[str, list[Row]] = {}
    for row in rows:
        by_rule.setdefault(_hazard_ratio_rule(row), []).append(row)
    return [effect for rule, members in by_rule.items() for effect in _HAZARD_RATIO_RULES[rule](members)]


@dataclass(frozen=True)
class _Arm:
    """Events and patients of one arm, and how the events were come by."""

    events: float
    n: float
    derivation: str
    reason: str | None


def _arm(row: Row, side: str) -> _Arm:
    events, n, percent = row[f"events_{side}"], row[f"n_{side}"], row[f"percent_{side}"]
    name = {"exp": "experimental", "ctl": "control"}[side]
    if np.isnan(n):
        return _Arm(np.nan, np.nan, "", f"number of patients in the {name} arm not reported")
    if not np.isnan(events):
        return _Arm(events, n, "counts", None)
    if np.isnan(percent):
        return _Arm(np.nan, n, "", f"neither count nor percentage reported for the {name} arm")
    text = row[f"percent_{side}_text"]
    counts = percentages.counts_from_percent([percent], [n], decimals=[printed_decimals(text)])
    return _Arm(float(counts.counts[0]), n, "counts_from_percent", counts.reason[0])


def _counts(rows: Sequence[Row], question: Question) -> list[RowEffect]:
    sides = ("exp",) if question.arms == "single_arm" else ("exp", "ctl")
    arms = [[_arm(row, side) for side in sides] for row in rows]
    why = ["; ".join(arm.reason for arm in pair if arm.reason) or None for pair in arms]
    refused = [r for row, reason in zip(rows, why, strict=True) if reason for r in _refused([row], reason)]
    rows = [row for row, reason in zip(rows, why, strict=True) if reason is None]
    arms = [pair for pair, reason in zip(arms, why, strict=True) if reason is None]
    if not rows:
        return refused
    numbers = np.array([[value for arm in pair for value in (arm.events, arm.n)] for pair in arms]).T
    if question.arms == "single_arm":
        effects = one_arm.one_arm(*numbers, measure=question.measure)
    else:
        effects = two_arm.two_arm(*numbers, measure=question.measure)
    computed = []
    for i, effect in enumerate(_unpack(rows, effects)):
        rule = "counts"
        if any(arm.derivation == "counts_from_percent" for arm in arms[i]):
            rule = "counts_from_percent"
        counts = (*numbers[:, i].tolist(), *[float("nan")] * (4 - len(numbers)))
        computed.append(replace(effect, derivation=rule, counts=counts))
    return refused + computed


def effects_of(rows: Sequence[Row], question: Question) -> list[RowEffect]:
    """Return the effect of each row on the question's analysis scale, in the order of `rows`."""
    if not rows:
        return []
    effects = _hazard_ratios(rows) if question.measure == "HR" else _counts(rows, question)
    order = {id(row): i for i, row in enumerate(rows)}
    return sorted(effects, key=lambda effect: order[id(effect.row)])
