"""Measures: their names, what no effect is, and the way back from the analysis scale to the reader's scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from igfmeta.errors import check_choice
from igfmeta.numerics import Floats

Transform = Literal["exp", "identity", "expit", "sin2", "square", "tanh"]


@dataclass(frozen=True)
class Measure:
    """An effect measure: name, inverse transformation, no effect on the analysis scale, highest natural value."""

    label: str
    transform: Transform
    null: float | None
    upper: float = np.inf


MEASURES: dict[str, Measure] = {
    "HR": Measure("hazard ratio", "exp", 0.0),
    "OR": Measure("odds ratio", "exp", 0.0),
    "RR": Measure("risk ratio", "exp", 0.0),
    "PETO": Measure("Peto odds ratio", "exp", 0.0),
    "LOG": Measure("ratio", "exp", 0.0),
    "RD": Measure("risk difference", "identity", 0.0),
    "AS": Measure("arcsine difference", "identity", 0.0),
    "MD": Measure("mean difference", "identity", 0.0),
    "SMD": Measure("standardized mean difference", "identity", 0.0),
    "ROM": Measure("ratio of means", "exp", 0.0),
    "ZCOR": Measure("correlation", "tanh", 0.0),
    "COR": Measure("correlation", "identity", 0.0),
    "GEN": Measure("effect", "identity", 0.0),
    "PLO": Measure("proportion (logit)", "expit", None, 1.0),
    "PLN": Measure("proportion (log)", "exp", None, 1.0),
    "PR": Measure("proportion", "identity", None, 1.0),
    "PAS": Measure("proportion (arcsine)", "sin2", None, 1.0),
    "PFT": Measure("proportion (double arcsine)", "sin2", None, 1.0),
    "IRR": Measure("rate ratio", "exp", 0.0),
    "IRD": Measure("rate difference", "identity", 0.0),
    "IRLN": Measure("rate (log)", "exp", None),
    "IR": Measure("rate", "identity", None),
    "IRS": Measure("rate (square root)", "square", None),
}


#: Measures whose values are as small as a unit of time makes them: they are printed with significant digits.
PER_TIME = ("IRD", "IRLN", "IR", "IRS")


def _measure(name: str) -> Measure:
    return MEASURES[check_choice("measure", name, tuple(MEASURES))]


def label_of(measure: str) -> str:
    """Return a measure in words."""
    return _measure(measure).label


def transform_of(measure: str) -> Transform:
    """Return the name of the inverse transformation."""
    return _measure(measure).transform


def null_value(measure: str) -> float | None:
    """Return the value on the analysis scale that means no effect; None for a proportion."""
    return _measure(measure).null


def sin_squared(y: Any) -> Floats:
    """Return sin(y)^2, the inverse of the arcsine square root; 0 or 1 for values outside 0..pi/2.

    Examples
    --------
    >>> sin_squared([-0.1, np.pi / 4, 2.0]).round(12).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.asarray(np.sin(np.clip(y, 0.0, np.pi / 2)) ** 2)


def inverse_double_arcsine(y: Any, n: Any) -> Floats:
    """Return the proportion whose double arcsine, at sample size `n`, is `y` (Miller 1978, Am Stat 32:138).

    With y the mean of the two arcsines, t = 2 y:
    p = (1 - sgn(cos t) sqrt(1 - (sin t + (sin t - 1/sin t)/n)^2)) / 2.
    For one study with its own n the inverse is exact; for a pooled value `n` is the harmonic mean of the sample sizes.
    Values outside the range of the transformation at that n give 0 or 1.

    Parameters
    ----------
    y : array_like
        On the analysis scale of measure PFT.
    n : array_like
        Sample size; broadcasts against `y`.

    Examples
    --------
    >>> float(inverse_double_arcsine(0.5 * (np.arcsin(np.sqrt(3 / 21)) + np.arcsin(np.sqrt(4 / 21))), 20).round(12))
    0.15
    """
    y, n = np.asarray(y, dtype=float), np.asarray(n, dtype=float)
    lowest = 0.5 * np.arcsin(np.sqrt(1 / (n + 1)))
    below, above = y <= lowest, y >= np.pi / 2 - lowest
    t = 2 * np.where(below | above, np.pi / 4, y)
    inner = np.sin(t) + (np.sin(t) - 1 / np.sin(t)) / n
    p = 0.5 * (1 - np.sign(np.cos(t)) * np.sqrt(np.maximum(1 - inner**2, 0.0)))
    return np.where(below, 0.0, np.where(above, 1.0, p))


_INVERSES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "identity": lambda value: value,
    "expit": special.expit,
    "sin2": sin_squared,
    "square": lambda value: np.maximum(value, 0.0) ** 2,
    "tanh": np.tanh,
}


def natural(measure: str, value: Any, *, n_harmonic: float | None = None) -> Any:
    """Return values of the analysis scale on the reader's scale.

    Parameters
    ----------
    measure : str
    value : array_like
    n_harmonic : float, optional
        For PFT: the harmonic mean of the sample sizes of what was pooled. Without it the plain sin(y)^2 is used.

    Examples
    --------
    >>> float(natural("HR", 0.0)), float(natural("PLO", 0.0))
    (1.0, 0.5)
    """
    kind = _measure(measure)
    value = np.asarray(value, dtype=float)
    if measure == "PFT" and n_harmonic is not None:
        return inverse_double_arcsine(value, n_harmonic)
    with np.errstate(over="ignore"):
        back = _INVERSES[kind.transform](value)
    return np.clip(back, 0.0, kind.upper) if kind.null is None else back
