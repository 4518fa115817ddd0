"""Leave-one-out and cumulative pools: one call of the kernel with a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.models.pooling import pool
from igfmeta.models.results import PooledBatch


def leave_one_out(yi: Any, vi: Any, **options: Any) -> PooledBatch:
    """Pool without each study in turn: row i of the result leaves out study i (Viechtbauer & Cheung 2010).

    Examples
    --------
    >>> leave_one_out([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], method="CE").estimate.round(4)
    array([0.4429, 0.2167, 0.1667])
    """
    k = len(yi)
    return pool(yi, vi, mask=~np.eye(k, dtype=bool), **options)


def cumulative(yi: Any, vi: Any, **options: Any) -> PooledBatch:
    """Pool study after study in the order given: row i of the result holds studies 0 to i (Lau 1992).

    Examples
    --------
    >>> cumulative([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], method="CE").k
    array([1., 2., 3.])
    """
    k = len(yi)
    return pool(yi, vi, mask=np.tri(k, dtype=bool), **options)
