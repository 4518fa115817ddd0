"""Power weights: w(p) = (1 - p)^delta."""

from __future__ import annotations

import numpy as np

from igfmeta.numerics import Floats


def log_weight(p: Floats, delta: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return log w = delta q log(1 - p) and its derivative: a beta weight function with first parameter 1."""
    slope = precision * np.log1p(-p)
    return delta[0] * slope, slope[None]
