"""Round numbers on an axis, and how far the axis reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: How many ticks an axis should have.
FEWEST, MOST = 3, 7

#: A log axis ends here, well inside what a float can hold as a ratio.
FURTHEST = 600.0


@dataclass(frozen=True)
class Axis:
    """An axis on the drawn scale.

    Attributes
    ----------
    low, high : float
    ticks : tuple of (position, text)
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def fraction(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high end, cut to that range."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def _plain(value: float) -> str:
    text = f"{value:.10g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else f"{value:g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _in_range(values: Sequence[float], low: float, high: float) -> list[float]:
    slack = 1e-9 * (high - low)
    return [value for value in values if low - slack <= value <= high + slack]


def linear_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two limits, their step 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> linear_ticks(0, 47)
    [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / MOST))
    step = next(power * m for m in (1, 2, 5, 10, 20) if (high - low) / (power * m) <= MOST - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def ratio_ticks(low: float, high: float) -> list[float]:
    """Return round ratios between two ratios, 1 among them where it lies between.

    Examples
    --------
    >>> ratio_ticks(0.3, 3.2), ratio_ticks(0.7, 1.6)
    ([0.5, 1.0, 2.0], [0.75, 1.0, 1.25, 1.5])
    >>> ratio_ticks(0.013, 9)
    [0.0625, 0.25, 1.0, 4.0]
    """
    reach = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    step = 3 * max(1, math.ceil(len(reach) / (3 * (MOST - 1))))
    families: list[list[float]] = [
        linear_ticks(low, high) if high < 1.7 * low else [],
        [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5],
        [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2],
        [2.0**i for i in range(-4, 5)],
        [m * 10.0**i for i in reach for m in (1, 2, 5)],
        [4.0**i for i in range(-2, 5)],
        [m * 10.0**i for i in reach for m in (1, 3)],
        [10.0**i for i in reach],
        [10.0**i for i in reach if i % 2 == 0],
        [10.0**i for i in reach if i % step == 0],
        [v for v in linear_ticks(low, high) if v > 0],
    ]
    fits = [_in_range([math.log(v) for v in family], math.log(low), math.log(high)) for family in families]
    usable = [found for found in fits if FEWEST <= len(found) <= MOST] or [max(fits, key=len)]
    telling = [found for found in usable if any(abs(v) < 1e-9 for v in found)] if low <= 1 <= high else usable
    spread = [found for found in telling if _even(found, math.log(high) - math.log(low))]
    return [float(f"{math.exp(value):.12g}") for value in (spread or telling or usable)[0]]


def _even(values: Sequence[float], span: float) -> bool:
    """Return whether ticks reach over most of the axis and leave room for their numbers."""
    gaps = [b - a for a, b in pairwise(values)]
    return values[-1] - values[0] > 0.5 * span and min(gaps) > 0.07 * span


def axis_for(
    estimates: Sequence[float], limits: Sequence[float], *, ratio: bool, bounded: bool, correlation: bool = False
) -> Axis:
    """Return the axis of a forest.

    It shows every estimate and pooled interval, and of the studies' intervals as much as does not dwarf the rest: they
    are cut one span of the estimates beyond the outermost.

    Parameters
    ----------
    estimates : sequence of float
        What must be visible.
    limits : sequence of float
        What should be.
    ratio : bool
        The drawn scale is a logarithm; ticks are round ratios.
    bounded : bool
        The drawn scale is percent.
    correlation : bool
        The drawn scale is Fisher's z; ticks are round correlations.
    """
    low, high = (min(estimates), max(estimates)) if estimates else (0.0, 0.0)
    widths = sorted(abs(limit - low) for limit in limits) or [0.0]
    span = max(high - low, 0.5 * widths[len(widths) // 2], math.log(1.25) if ratio else 1e-12 + 0.02 * abs(high))
    low, high = max(min([*limits, low]), low - span), min(max([*limits, high]), high + span)
    margin = 0.04 * (high - low)
    low, high = low - margin, high + margin
    if bounded:
        low, high = max(low, 0.0), min(high, 100.0)
    if high <= low:
        low, high = low - 1.0, high + 1.0
    if ratio:
        low, high = max(low, -FURTHEST), min(high, FURTHEST)
        return Axis(low, high, tuple((math.log(v), _plain(v)) for v in ratio_ticks(math.exp(low), math.exp(high))))
    if correlation:
        inside = [r for r in linear_ticks(math.tanh(low), math.tanh(high)) if abs(r) < 1]
        return Axis(low, high, tuple((math.atanh(r), _plain(r)) for r in inside))
    return Axis(low, high, tuple((v, _plain(v)) for v in linear_ticks(low, high)))
