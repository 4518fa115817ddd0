"""Counts from "n and a percentage": only where one whole number can have been meant."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Any

import numpy as np

from igfmeta.effects.estimates import columns, refuse
from igfmeta.numerics import Floats


@dataclass(frozen=True, eq=False)
class CountsFromPercent:
    """Counts that percentages mean.

    Attributes
    ----------
    counts : ndarray of shape (k,)
        NaN where no count or more than one rounds to the percentage.
    candidates : tuple of tuple of int
        Every count that does.
    reason : tuple of (str or None)
        Why there is no count.
    """

    counts: Floats
    candidates: tuple[tuple[int, ...], ...]
    reason: tuple[str | None, ...]


def _candidates(percent: float, n: int, decimals: int) -> tuple[int, ...]:
    """Return the counts x for which 100 x / n, rounded, can be printed as `percent`; halves may go either way.

    In exact decimal arithmetic, because a percentage such as 12.5 stands on the edge between two roundings.
    """
    printed = Decimal(str(round(percent, decimals)))
    half = Decimal(5).scaleb(-decimals - 1)
    low, high = ((printed + sign * half) * n / 100 for sign in (-1, 1))
    first, last = max(0, -floor(-low)), min(n, floor(high))
    return tuple(range(first, last + 1))


def _reason(percent: float, n: int, found: tuple[int, ...]) -> str | None:
    if len(found) == 1:
        return None
    if not found:
        return f"no whole number of {n} rounds to {percent:g} %"
    shown = f"{found[0]} to {found[-1]}" if len(found) > 2 else " or ".join(map(str, found))
    return f"{percent:g} % of {n} can be {shown}"


def counts_from_percent(percent: Any, n: Any, *, decimals: Any) -> CountsFromPercent:
    """Return the counts that percentages mean, where exactly one whole number rounds to them.

    The test is that of Brown & Heathers (2017), Soc Psychol Personal Sci 8:363 (GRIM), turned round.

    Parameters
    ----------
    percent, n : array_like of shape (k,)
    decimals : array_like of int
        Printed decimals of each percentage.

    Raises
    ------
    InputError
        Percentages outside 0..100, sizes that are not whole numbers above 0.

    Examples
    --------
    >>> found = counts_from_percent([8.3, 1.0], [24, 400], decimals=[1, 0])
    >>> found.counts, found.reason
    (array([ 2., nan]), (None, '1 % of 400 can be 2 to 6'))
    """
    x = columns(percent=percent, n=n, decimals=decimals)
    refuse(
        ("percent", x["percent"], ~((x["percent"] >= 0) & (x["percent"] <= 100)), "a percentage from 0 to 100"),
        ("n", x["n"], ~((x["n"] > 0) & (x["n"] == np.floor(x["n"])) & np.isfinite(x["n"])), "a whole number above 0"),
    )
    rows = list(
        zip(x["percent"].tolist(), x["n"].astype(int).tolist(), x["decimals"].astype(int).tolist(), strict=True)
    )
    found = tuple(_candidates(*row) for row in rows)
    return CountsFromPercent(
        counts=np.array([f[0] if len(f) == 1 else np.nan for f in found], dtype=float),
        candidates=found,
        reason=tuple(_reason(p, size, f) for (p, size, _), f in zip(rows, found, strict=True)),
    )
