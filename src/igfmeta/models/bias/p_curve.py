"""p-curve: do the significant p-values pile up near 0, as a true effect makes them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.models.bias.funnel import Funnel
from igfmeta.numerics import Floats

ALPHA = 0.05

#: Power of a study that would be pointless: the flatness test asks whether the curve is flatter than it would give.
THIRD = 1 / 3


@dataclass(frozen=True, eq=False)
class PCurve:
    """A p-curve.

    Attributes
    ----------
    significant, below_half : int
        Studies with p < 0.05 in either direction, and with p < 0.025.
    z_right, p_right, z_right_half, p_right_half : float
        Right skew (Stouffer) of the full and of the half curve.
    z_flat, p_flat, z_flat_half, p_flat_half : float
        Flatter than with 33 % power.
    evidential, inadequate : bool
        There is evidential value; the curve says that there is none worth having.
    power, power_lower, power_upper : float or None
        Average power of the significant studies with a 90 % interval.
    shares : tuple of float
        Shares of the p-values in (0, 0.01], ..., (0.04, 0.05).
    """

    significant: int
    below_half: int
    z_right: float
    p_right: float
    z_right_half: float
    p_right_half: float
    z_flat: float
    p_flat: float
    z_flat_half: float
    p_flat_half: float
    evidential: bool
    inadequate: bool
    power: float
    power_lower: float
    power_upper: float
    shares: tuple[float, ...]


def p_curve(data: Funnel) -> PCurve | None:
    """Return the p-curve of the studies' two-sided normal tests; None where none is significant.

    Simonsohn, Nelson & Simmons 2014, J Exp Psychol Gen 143:534; 2015, J Exp Psychol Gen 144:1146 (the half curve and
    the combined rule: evidential where the half curve is right-skewed with p < 0.05, or both with p < 0.1).

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = p_curve(funnel([0.4, 0.5, 0.8], [0.01, 0.02, 0.05]))
    >>> found.significant, found.evidential
    (3, True)
    """
    z = np.abs(data.yi / data.sei)
    z = z[2 * special.ndtr(-z) < ALPHA]
    if not len(z):
        return None
    half = z[2 * special.ndtr(-z) < ALPHA / 2]
    right, right_half = (_stouffer(_conditional(part, 0.0, a)) for part, a in ((z, ALPHA), (half, ALPHA / 2)))
    third = _noncentrality(THIRD)
    flat, flat_half = (
        _stouffer(_conditional(part, third, a), upper=True) for part, a in ((z, ALPHA), (half, ALPHA / 2))
    )
    ends = np.linspace(0, ALPHA, 6)
    shares = np.histogram(2 * special.ndtr(-z), bins=ends)[0] / len(z)
    p_right, p_half, p_flat, p_flat_half = (float(special.ndtr(x)) for x in (right, right_half, flat, flat_half))
    evidential = p_half < 0.05 or (p_right < 0.1 and p_half < 0.1)
    inadequate = p_flat < 0.05 or (p_flat < 0.1 and p_flat_half < 0.1)
    powers = [_power_where(z, target) for target in (0.0, float(special.ndtri(0.95)), float(special.ndtri(0.05)))]
    return PCurve(len(z), len(half), right, p_right, right_half, p_half, flat, p_flat, flat_half, p_flat_half,
                  bool(evidential), bool(inadequate), powers[0], min(powers[1:]), max(powers[1:]),
                  tuple(float(s) for s in shares))  # fmt: skip


def _conditional(z: Floats, noncentrality: float, alpha: float) -> Floats:
    """Return P(|Z| > z | significant) of Z ~ N(noncentrality, 1): the pp-values."""
    critical = float(special.ndtri(1 - alpha / 2))

    def beyond(x: Floats | float) -> Floats:
        return np.asarray(special.ndtr(noncentrality - x) + special.ndtr(-noncentrality - x))

    return np.asarray(np.clip(beyond(z) / beyond(critical), 1e-300, 1 - 1e-16))


def _stouffer(pp: Floats, *, upper: bool = False) -> float:
    """Return Stouffer's Z of pp-values, or of their complements; 0 for none."""
    if not len(pp):
        return 0.0
    return float((-1 if upper else 1) * special.ndtri(pp).sum() / np.sqrt(len(pp)))


def _noncentrality(power: float) -> float:
    """Return the mean of Z at which a two-sided test at 5 % has this power."""
    critical = float(special.ndtri(1 - ALPHA / 2))
    low, high = 0.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        at = float(special.ndtr(middle - critical) + special.ndtr(-middle - critical))
        low, high = (middle, high) if at < power else (low, middle)
    return low


def _power_where(z: Floats, target: float) -> float:
    """Return the power, 0.05 to 0.99, at which Stouffer's Z of the pp-values is `target`; Z rises with the power."""
    low, high = 0.0501, 0.99
    for _ in range(60):
        middle = (low + high) / 2
        value = _stouffer(_conditional(z, _noncentrality(middle), ALPHA))
        low, high = (middle, high) if value < target else (low, middle)
    return (low + high) / 2
