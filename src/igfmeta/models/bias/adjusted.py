"""A pooled effect after an adjustment for small-study effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.errors import InputError
from igfmeta.numerics import t_quantile, t_two_sided


@dataclass(frozen=True)
class Adjusted:
    """An adjusted effect on the analysis scale.

    Attributes
    ----------
    estimate, se, ci_lower, ci_upper, p_value : float
    df : float or None
        None for a normal test.
    tau2 : float or None
    detail : str
        What the adjustment did, in words.
    """

    estimate: float
    se: float
    df: float | None
    ci_lower: float
    ci_upper: float
    p_value: float
    tau2: float | None
    detail: str


def adjusted(
    estimate: float, se: float, df: float | None, *, level: float, detail: str, tau2: float | None = None
) -> Adjusted:
    """Return an adjusted effect with its interval and test.

    Raises
    ------
    InputError
        The standard error is 0: the effects lie exactly on the line.
    """
    if not se > 0:
        raise InputError(
            "The effects lie exactly on the fitted line: there is no dispersion to make a standard error of."
        )
    free = np.inf if df is None else df
    half = float(t_quantile(0.5 + level / 2, free)) * se
    p_value = float(t_two_sided(estimate / se, free))
    return Adjusted(estimate, se, df, estimate - half, estimate + half, p_value, tau2, detail)
