"""Beta weights: w(p) = p^(delta1 - 1) (1 - p)^(delta2 - 1)."""

from __future__ import annotations

import numpy as np

from igfmeta.numerics import Floats


def log_weight(p: Floats, delta: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Return log w (Citkowicz & Vevea 2017, Psychol Methods 22:28, eq. 6) and its derivatives; precision plays no part.

    The shape of the result follows p and precision, like that of the other weight functions.
    """
    first, second = np.log(p) + 0.0 * precision, np.log1p(-p) + 0.0 * precision
    return (delta[0] - 1) * first + (delta[1] - 1) * second, np.stack([first, second])
