"""Half-normal weights: w(p) = exp(-delta p^2)."""

from __future__ import annotations

from igfmeta.numerics import Floats


def log_weight(p: Floats, delta: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return log w = -delta q p^2 (Preston, Ashby & Smyth 2004, Biometrics 60:177, eq. 1) and its derivative."""
    slope = -precision * p**2
    return delta[0] * slope, slope[None]
