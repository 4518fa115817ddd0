"""Proportions of one arm: transformations for pooling, and each study's own interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import special

from igfmeta.effects.estimates import EffectSizes, columns, effect_sizes, refuse
from igfmeta.effects.two_arm import check_increment, count_checks
from igfmeta.effects.zero_cells import ZERO_CELLS, ZeroCells, corrected_studies
from igfmeta.errors import InputError, check_choice, check_level
from igfmeta.numerics import Floats, t_quantile

OneArmMeasure = Literal["PLO", "PLN", "PR", "PAS", "PFT"]
ProportionInterval = Literal["clopper_pearson", "wilson", "agresti_coull"]

Effect = tuple[Floats, Floats]


def _logit(x: Floats, n: Floats) -> Effect:
    """log(x/(n-x)), 1/x + 1/(n-x)."""
    return np.log(x / (n - x)), 1 / x + 1 / (n - x)


def _log(x: Floats, n: Floats) -> Effect:
    """log(x/n), 1/x - 1/n."""
    return np.log(x / n), 1 / x - 1 / n


def _raw(x: Floats, n: Floats) -> Effect:
    """x/n, p(1-p)/n."""
    return x / n, x * (n - x) / n**3


def _arcsine(x: Floats, n: Floats) -> Effect:
    """asin sqrt(x/n), 1/(4n)."""
    return np.arcsin(np.sqrt(x / n)), 1 / (4 * n)


def _double_arcsine(x: Floats, n: Floats) -> Effect:
    """Freeman & Tukey (1950), eq. 3, halved: (asin sqrt(x/(n+1)) + asin sqrt((x+1)/(n+1)))/2, 1/(4n+2)."""
    return 0.5 * (np.arcsin(np.sqrt(x / (n + 1))) + np.arcsin(np.sqrt((x + 1) / (n + 1)))), 1 / (4 * n + 2)


_EFFECTS: dict[str, Callable[[Floats, Floats], Effect]] = {
    "PLO": _logit,
    "PLN": _log,
    "PR": _raw,
    "PAS": _arcsine,
    "PFT": _double_arcsine,
}
ONE_ARM_MEASURES = tuple(_EFFECTS)

#: Measures whose variance does not depend on the count, so that zero cells need no correction.
_NEVER_CORRECTED = ("PAS", "PFT")


def one_arm(
    events: Any,
    n: Any,
    *,
    measure: OneArmMeasure | str,
    zero_cells: ZeroCells | str = "only0",
    increment: float = 0.5,
) -> EffectSizes:
    """Return transformed proportions.

    Parameters
    ----------
    events, n : array_like of shape (k,)
    measure : {"PLO", "PLN", "PR", "PAS", "PFT"}
        Logit, log, raw, arcsine, Freeman-Tukey double arcsine.
    zero_cells : {"only0", "none", "if0all", "all"}
        What is added to responders and non-responders where there are none of either; not used by PAS and PFT.
    increment : float

    Returns
    -------
    EffectSizes

    Raises
    ------
    InputError
        Counts that are negative, not whole, or above n; the policy "treatment_arm", which needs two arms.

    Examples
    --------
    >>> one_arm([0, 3], [24, 20], measure="PAS").yi.round(4)
    array([0.    , 0.3977])
    """
    measure = check_choice("measure", measure, ONE_ARM_MEASURES)
    policy = check_choice("zero_cells", zero_cells, [name for name in ZERO_CELLS if name != "treatment_arm"])
    check_increment(increment)
    columns_ = columns(events=events, n=n)
    refuse(*count_checks(columns_, "events", "n"))
    x, size = columns_["events"], columns_["n"]
    corrected = corrected_studies((x == 0) | (x == size), "none" if measure in _NEVER_CORRECTED else policy)
    add = np.where(corrected, increment, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _EFFECTS[measure](x + add, size + 2 * add)
    blank = np.isnan(x + size)
    reasons = [
        "a count is blank"
        if missing
        else None
        if np.isfinite(y) and v > 0
        else "a cell of 0 and no correction (zero_cells 'none')"
        for missing, y, v in zip(blank, yi, vi, strict=True)
    ]
    notes = [(f"{a:.3g} added to responders and non-responders",) if a > 0 else () for a in add]
    return effect_sizes(measure, yi, vi, derivation="counts", reason=reasons, notes=notes)


def _clopper_pearson(x: Floats, n: Floats, level: float) -> Effect:
    """Clopper & Pearson (1934): beta quantiles; at least the nominal coverage."""
    tail = 0.5 - level / 2
    lower = np.where(x > 0, special.betaincinv(np.maximum(x, 1), n - x + 1, tail), 0.0)
    upper = np.where(x < n, special.betaincinv(x + 1, np.maximum(n - x, 1), 1 - tail), 1.0)
    return lower, upper


def _wilson(x: Floats, n: Floats, level: float) -> Effect:
    """Wilson (1927): the values that a score test does not reject."""
    z2 = float(t_quantile(0.5 + level / 2, np.inf)) ** 2
    middle = (x + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (x * (n - x) / n + z2 / 4)) / (n + z2)
    return np.where(x > 0, middle - half, 0.0), np.where(x < n, middle + half, 1.0)


def _agresti_coull(x: Floats, n: Floats, level: float) -> Effect:
    """Agresti & Coull (1998): the Wald interval around Wilson's middle; cut at 0 and 1."""
    z = float(t_quantile(0.5 + level / 2, np.inf))
    size = n + z**2
    middle = (x + z**2 / 2) / size
    half = z * np.sqrt(middle * (1 - middle) / size)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


_INTERVALS = {"clopper_pearson": _clopper_pearson, "wilson": _wilson, "agresti_coull": _agresti_coull}


def proportion_interval(
    events: Any, n: Any, *, level: float = 0.95, method: ProportionInterval | str = "clopper_pearson"
) -> tuple[Floats, Floats]:
    """Return lower and upper limits of each study's proportion.

    statsmodels has these intervals too; they are written here because importing it would more than double the time
    that a pool takes from start to answer. The tests hold the two together.

    Parameters
    ----------
    events, n : array_like of shape (k,)
    level : float
    method : {"clopper_pearson", "wilson", "agresti_coull"}

    Raises
    ------
    InputError
        Counts that cannot be, or an option that is not accepted.

    Examples
    --------
    >>> lower, upper = proportion_interval([0], [24])
    >>> float(lower[0]), round(float(upper[0]), 4)
    (0.0, 0.1425)
    """
    method = check_choice("method", method, tuple(_INTERVALS))
    level = check_level(level)
    x = columns(events=events, n=n)
    refuse(*count_checks(x, "events", "n"))
    if np.isnan(x["events"] + x["n"]).any():
        raise InputError("events or n is blank; a proportion needs both.")
    lower, upper = _INTERVALS[method](x["events"], x["n"], level)
    return np.asarray(lower), np.asarray(upper)
