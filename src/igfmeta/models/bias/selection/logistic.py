"""Logistic weights: w(p) = 2 exp(-delta p)/(1 + exp(-delta p))."""

from __future__ import annotations

import numpy as np
from scipy import special

from igfmeta.numerics import Floats


def log_weight(p: Floats, delta: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return log w = log 2 - log(1 + exp(delta q p)) (Preston, Ashby & Smyth 2004, eq. 3) and its derivative."""
    x = precision * p
    return np.log(2.0) + special.log_expit(-delta[0] * x), (-x * special.expit(delta[0] * x))[None]
