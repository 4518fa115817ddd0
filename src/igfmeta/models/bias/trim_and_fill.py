"""Trim and fill: the studies that a symmetric funnel would have and this one lacks (Duval & Tweedie 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.models.bias.funnel import Funnel
from igfmeta.models.bias.registry import run_test
from igfmeta.models.pooling import pool_one
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats

Estimator = Literal["L0", "R0", "Q0"]
ESTIMATORS = ("L0", "R0", "Q0")
SIDES = ("left", "right")

#: Trimming ends here where it goes round in circles.
MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class TrimAndFill:
    """The funnel with its missing studies.

    Attributes
    ----------
    estimator : str
    side : {"left", "right"}
        Where studies are missing.
    missing : int
    se_missing : float or None
        None where its formula gives a negative variance.
    p_value : float or None
        Of no missing study; R0 only.
    filled_yi, filled_vi : ndarray of shape (missing,)
        The studies filled in: mirror images of the outermost ones.
    fit : Pooled
        Of all studies with those filled in.
    converged : bool
    """

    estimator: str
    side: str
    missing: int
    se_missing: float | None
    p_value: float | None
    filled_yi: Floats
    filled_vi: Floats
    fit: Pooled
    converged: bool


def trim_and_fill(data: Funnel, *, estimator: str = "L0", side: str | None = None, **options: Any) -> TrimAndFill:
    """Return the number of missing studies and the pool with them filled in (Duval & Tweedie 2000, Biometrics 56:455).

    The studies outermost on the full side are trimmed until their number no longer changes; then they come back with
    their mirror images about the pooled effect of the rest. With the signed ranks of |y - mu|, T their sum over the
    studies above mu and k studies (their section 3):

    L0 = (4 T - k (k + 1))/(2 k - 1);  R0 = gamma - 1, gamma the length of the rightmost run of ranks;
    Q0 = k - 1/2 - sqrt(2 k^2 - 4 T + 1/4).

    Parameters
    ----------
    data : Funnel
    estimator : {"L0", "R0", "Q0"}
    side : {"left", "right"}, optional
        Where studies are missing; by default where Egger's regression without dispersion says.
    **options
        Of `igfmeta.models.pooling.pool`, for every pool on the way.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> data = funnel([0.1, 0.15, 0.2, 0.5, 0.8, 1.1], [0.01, 0.01, 0.02, 0.05, 0.1, 0.2])
    >>> found = trim_and_fill(data)
    >>> found.side, found.missing, round(found.fit.estimate, 3)
    ('left', 2, 0.202)
    """
    estimator = check_choice("estimator", estimator, ESTIMATORS)
    if side is None:
        side = "left" if (run_test("egger-common", data).slope or 0.0) >= 0 else "right"
    side = check_choice("side", side, SIDES)
    options = {**options, "tau2_ci": "none"}
    sign = 1.0 if side == "left" else -1.0
    order = np.argsort(sign * data.yi, kind="stable")
    y, v = sign * data.yi[order], data.vi[order]
    k = len(y)
    trimmed, converged, se, seen = 0, False, None, 0
    middle = 0.0
    while not converged and seen < MOST_STEPS:
        seen += 1
        middle = pool_one(y[: k - trimmed], v[: k - trimmed], **options).estimate
        found, se = _number(y - middle, estimator)
        found = min(found, k - 2)
        converged, trimmed = found == trimmed, found
    outermost = slice(k - trimmed, k)
    filled_y, filled_v = sign * (2 * middle - y[outermost]), v[outermost]
    whole = pool_one(np.append(data.yi, filled_y), np.append(data.vi, filled_v), **options)
    p_value = 0.5 ** (trimmed + 1) if estimator == "R0" else None
    return TrimAndFill(estimator, side, trimmed, se, p_value, filled_y, filled_v, whole, converged)


def _number(deviations: Floats, estimator: str) -> tuple[int, float | None]:
    """Return the estimated number of missing studies and its standard error."""
    k = len(deviations)
    ranks = _midranks(np.abs(deviations))
    above = deviations > 0
    if estimator == "R0":
        highest = float(np.max(ranks, initial=0.0, where=deviations < 0))
        number = float(np.sum(above & (ranks > highest))) - 1
        return max(0, round(number)), float(np.sqrt(2 * max(0.0, number) + 2))
    total = float(ranks[above].sum())
    if estimator == "L0":
        number = (4 * total - k * (k + 1)) / (2 * k - 1)
        slope = 4 / (2 * k - 1)
    else:
        inside = 2 * k**2 - 4 * total + 0.25
        if inside < 0:
            raise InputError("Q0 cannot be computed: the ranks of the studies on one side are too many; use L0 or R0.")
        number = k - 0.5 - np.sqrt(inside)
        slope = 2 / np.sqrt((k - 0.5) ** 2 - number * (2 * k - number - 1))
    variance = (
        k * (k + 1) * (2 * k + 1) + 10 * number**3 + 27 * number**2 + 17 * number
        - 18 * k * number**2 - 18 * k * number + 6 * k**2 * number
    ) / 24  # fmt: skip
    return max(0, round(number)), float(slope * np.sqrt(variance)) if variance >= 0 else None


def _midranks(sizes: Floats) -> Floats:
    """Return ranks, the mean rank for sizes that differ by rounding only: mirror images are not ranked by noise."""
    unit = float(sizes.max()) or 1.0
    _, group, counts = np.unique(np.round(sizes / unit, 12), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[group.reshape(-1)])
