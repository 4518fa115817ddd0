"""Printed numbers as what they are: ranges that round to what is printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from statistics import NormalDist
from typing import Any

NORMAL = NormalDist()


@dataclass(frozen=True)
class Range:
    """All values from `low` to `high`."""

    low: float
    high: float

    def gap(self, other: Range) -> float:
        """Return how far two ranges lie apart; 0 where they meet."""
        return max(0.0, self.low - other.high, other.low - self.high)

    def absolute(self) -> Range:
        """Return the range of the absolute value."""
        if self.low <= 0 <= self.high:
            return Range(0.0, max(-self.low, self.high))
        return Range(*sorted((abs(self.low), abs(self.high))))


def half_unit(text: str) -> float:
    """Return half a unit in the last printed place.

    Examples
    --------
    >>> half_unit("0.90"), half_unit("14"), half_unit("1e-3")
    (0.005, 0.5, 0.0005)
    """
    try:
        exponent = Decimal(text.strip().lstrip("<>= ")).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0


def printed(row: Mapping[str, Any], column: str) -> Range:
    """Return what a printed number can have been before it was rounded."""
    half = half_unit(str(row[f"{column}_text"]))
    return Range(row[column] - half, row[column] + half)


def log_printed(row: Mapping[str, Any], column: str) -> Range:
    """Return what the logarithm of a printed ratio can have been."""
    found = printed(row, column)
    return Range(math.log(found.low) if found.low > 0 else -math.inf, math.log(found.high))


def has_interval(row: Mapping[str, Any]) -> bool:
    """Return whether estimate and both limits are there, and the limits differ."""
    return not any(math.isnan(row[n]) for n in ("estimate", "ci_low", "ci_high")) and row["ci_low"] < row["ci_high"]


def level_of(row: Mapping[str, Any]) -> float:
    """Return the level of a row's interval, 0 to 1; 0.95 in tables that have no such column."""
    return float(row["ci_level"]) / 100 if "ci_level" in row else 0.95


def log_se(row: Mapping[str, Any]) -> Range | None:
    """Return what the standard error of the log ratio can be, from the interval; None without interval or level."""
    level = level_of(row)
    if not has_interval(row) or math.isnan(level):
        return None
    low, high = log_printed(row, "ci_low"), log_printed(row, "ci_high")
    twice = 2 * NORMAL.inv_cdf(0.5 + level / 2)
    return Range(max(0.0, high.low - low.high) / twice, (high.high - low.low) / twice)


def z_from_interval(row: Mapping[str, Any]) -> Range | None:
    """Return what estimate / standard error can be on the log scale."""
    se = log_se(row)
    if se is None or se.low <= 0 or not math.isfinite(se.high):
        return None
    estimate = log_printed(row, "estimate")
    corners = [y / s for y in (estimate.low, estimate.high) for s in (se.low, se.high)]
    return Range(min(corners), max(corners))


def p_printed(text: str) -> Range:
    """Return what a printed p-value can have been; an inequality is the range that it says.

    Examples
    --------
    >>> p_printed("<0.001")
    Range(low=0.0, high=0.001)
    """
    text = text.strip()
    number = float(text.lstrip("<>= "))
    if text.startswith("<"):
        return Range(0.0, number)
    if text.startswith(">"):
        return Range(number, 1.0)
    half = half_unit(text)
    return Range(max(0.0, number - half), min(1.0, number + half))


def z_of_p(p: float) -> float:
    """Return the normal quantile of a probability, infinite at 0 and 1."""
    return NORMAL.inv_cdf(p) if 0 < p < 1 else math.copysign(math.inf, p - 0.5)


def z_two_sided(p: Range) -> Range:
    """Return |z| from a two-sided p-value."""
    return Range(-z_of_p(p.high / 2), -z_of_p(p.low / 2))


def z_one_sided(p: Range) -> Range:
    """Return z from a p-value of the test for benefit, z below 0 where the p-value is below 1/2."""
    return Range(z_of_p(p.low), z_of_p(p.high))
