"""Leave-one-out and cumulative pools: one call of the kernel with a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.models.pooling import pool
from igfmeta.models.results import PooledBatch
from igfmeta.numerics import Mask


def without_each(k: int) -> Mask:
    """Return the mask of leave-one-out: row i holds every study but study i; shape (k, k)."""
    return ~np.eye(k, dtype=bool)


def up_to_each(k: int, order: Any = None) -> Mask:
    """Return the mask of a cumulative analysis: row i holds the first i + 1 studies of `order`; shape (k, k)."""
    rank = np.arange(k)
    if order is not None:
        rank = np.empty(k, dtype=int)
        rank[np.asarray(order)] = np.arange(k)
    return np.asarray(rank[None, :] <= np.arange(k)[:, None])


def leave_one_out(yi: Any, vi: Any, **options: Any) -> PooledBatch:
    """Pool without each study in turn: row i of the result leaves out study i (Viechtbauer & Cheung 2010).

    Examples
    --------
    >>> leave_one_out([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], method="CE").estimate.round(4)
    array([0.4429, 0.2167, 0.1667])
    """
    return pool(yi, vi, mask=without_each(len(yi)), **options)


def cumulative(yi: Any, vi: Any, *, order: Any = None, **options: Any) -> PooledBatch:
    """Pool study after study: row i of the result holds the first i + 1 studies (Lau 1992, N Engl J Med 327:248).

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    order : sequence of int, optional
        Positions of the studies in the order in which they enter, such as `numpy.argsort(year, kind="stable")`; by
        default as given.
    **options
        Of `igfmeta.models.pooling.pool`.

    Examples
    --------
    >>> cumulative([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], method="CE").k
    array([1., 2., 3.])
    >>> cumulative([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], order=[2, 1, 0], method="CE").estimate.round(4)
    array([0.8   , 0.4429, 0.2412])
    """
    return pool(yi, vi, mask=up_to_each(len(yi), order), **options)
