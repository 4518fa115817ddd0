"""Negative-exponential weights: w(p) = exp(-delta p)."""

from __future__ import annotations

from igfmeta.numerics import Floats


def log_weight(p: Floats, delta: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return log w = -delta q p (Preston, Ashby & Smyth 2004, Biometrics 60:177, eq. 2) and its derivative."""
    slope = -precision * p
    return delta[0] * slope, slope[None]
