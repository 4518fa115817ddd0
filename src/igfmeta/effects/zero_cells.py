"""What is done about cells of 0: the named policies."""

from __future__ import annotations

from typing import Literal

import numpy as np

from igfmeta.numerics import Floats, Mask

ZeroCells = Literal["none", "only0", "if0all", "all", "treatment_arm"]

#: none: nothing is added. only0: the increment to every cell of the studies with a 0. if0all: to every study if any has
#: a 0; studies that are not used because they say nothing about the measure do not count. all: to every study.
#: treatment_arm: to the studies with a 0, in each arm in proportion to the inverse size of the other (Sweeting, Sutton
#: & Lambert 2004, Stat Med 23:1351), the sum over both arms being twice the increment.
ZERO_CELLS = ("none", "only0", "if0all", "all", "treatment_arm")


def corrected_studies(has_zero: Mask, policy: str) -> Mask:
    """Return which studies get an increment; the studies of a data set stand in the last axis."""
    if policy == "all":
        return np.ones_like(has_zero)
    if policy == "if0all":
        return np.broadcast_to(has_zero.any(axis=-1, keepdims=True), has_zero.shape)
    return has_zero if policy in ("only0", "treatment_arm") else np.zeros_like(has_zero)


def increments(n1: Floats, n2: Floats, corrected: Mask, policy: str, increment: float) -> tuple[Floats, Floats]:
    """Return what is added to each cell of arm 1 and of arm 2; shape (k,) each."""
    if policy == "treatment_arm":
        first, second = 2 * increment * n1 / (n1 + n2), 2 * increment * n2 / (n1 + n2)
    else:
        first = second = np.full(len(n1), increment)
    return np.where(corrected, first, 0.0), np.where(corrected, second, 0.0)
