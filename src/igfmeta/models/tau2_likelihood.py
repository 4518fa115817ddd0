"""tau2 by maximum likelihood, full (ML) and restricted (REML): the global maximum, found by scanning the score.

The log-likelihood of tau2, with mu at its weighted mean, can have several maxima (about 1 in 1,000 ordinary data
sets). The score is evaluated on a grid that reaches from 0 to a bound above which it is negative; each change of sign
from + to - brackets a maximum, Newton's method refines it, and the highest wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.batch import Batch
from igfmeta.models.weighted import trace_pp, weigh_at
from igfmeta.numerics import Floats, Mask, row_sum
from igfmeta.solver import bracketed_newton

#: Grid points per decade of tau2.
PER_DECADE = 4

#: Elements of a grid (batch x points x k) evaluated at once: small enough for the cache.
CHUNK = 200_000


@dataclass(frozen=True, eq=False)
class Maximum:
    """The global maximum of each data set: where, how sure, and whether there were others."""

    tau2: Floats
    se: Floats
    converged: Mask
    multimodal: Mask
    boundary: Mask


def log_likelihood(batch: Batch, tau2: Floats, *, restricted: bool) -> Floats:
    """Return the (restricted) log-likelihood of tau2 up to a constant (Viechtbauer 2005, eq. 14 and 16)."""
    fit = weigh_at(batch, tau2)
    log_w = np.log(fit.w, where=batch.mask, out=np.zeros_like(fit.w)).sum(axis=1)
    out = 0.5 * (log_w - fit.sum(1, 2))
    return out - 0.5 * np.log(fit.s1) if restricted else out


def score(batch: Batch, tau2: Floats, *, restricted: bool) -> tuple[Floats, Floats]:
    """Return twice the derivative of the log-likelihood in tau2, and the derivative of that."""
    fit = weigh_at(batch, tau2)
    w, s1 = fit.w, fit.s1
    wr = w * fit.r
    w2r = w * wr
    s2 = np.vecdot(w, w)
    first = np.vecdot(wr, wr) - s1
    second = -2 * np.vecdot(w2r, wr) + 2 * row_sum(w2r) ** 2 / s1 + s2
    if restricted:
        ratio = s2 / s1
        first = first + ratio
        second = second - 2 * np.vecdot(w * w, w) / s1 + ratio**2
    return first, second


def _bound(batch: Batch) -> Floats:
    """Return a tau2 above which the score is negative.

    With R the range of the effects and t >= max(R^2, 10 max vi): the weights differ by at most 1.1 to 1, so that
    sum(w^2)/sum(w)^2 <= 1.21/k <= 0.605, and the weighted variance of the effects is at most R^2/4 (Popoviciu), so
    that sum(w^2 r^2) <= sum(w)/4. Hence the score is at most sum(w) (1/4 - 1 + 0.605) < 0.
    """
    spread = np.ptp(batch.yi, axis=1)
    largest = np.where(batch.mask, batch.vi, 0.0).max(axis=1, initial=0.0)
    return np.asarray(np.maximum(spread**2, 10 * largest))


def _grids(batch: Batch) -> tuple[Floats, NDArray[np.intp]]:
    """Return the smallest grid value above 0 and the number of points that each data set needs."""
    low = 0.01 * np.where(batch.mask, batch.vi, np.inf).min(axis=1, initial=np.inf)
    decades = np.log10(_bound(batch) / low)
    # Few sizes, so that data sets of one size are scanned together.
    return low, (np.ceil(decades / 4).astype(np.intp) * 4 * PER_DECADE + 1)


def _scores_on_grid(batch: Batch, low: Floats, points: int, *, restricted: bool) -> tuple[Floats, Floats]:
    """Return grids of shape (batch, 1 + points), the first value 0, and the score on them."""
    steps = np.linspace(0.0, 1.0, points)
    grid = low[:, None] * (_bound(batch) / low)[:, None] ** steps
    grid = np.concatenate([np.zeros((len(batch), 1)), grid], axis=1)
    w = 1.0 / (batch.vi[:, None, :] + grid[:, :, None])
    s1 = row_sum(w)
    mu = (w @ batch.yi[:, :, None])[:, :, 0] / s1
    wr = batch.yi[:, None, :] - mu[:, :, None]
    wr *= w
    values = np.vecdot(wr, wr) - s1
    if restricted:
        values += np.vecdot(w, w) / s1
    return grid, values


def _chunks(batch: Batch) -> list[tuple[NDArray[np.intp], int]]:
    """Return positions of data sets to be scanned together, with their number of grid points."""
    _, points = _grids(batch)
    parts = []
    for size in np.unique(points):
        rows = np.flatnonzero(points == size)
        step = max(1, CHUNK // (int(size) * max(1, batch.yi.shape[1])))
        parts += [(rows[i : i + step], int(size)) for i in range(0, len(rows), step)]
    return parts


def _brackets(batch: Batch, *, restricted: bool) -> tuple[NDArray[np.intp], Floats, Floats, Mask]:
    """Return (data set, lower end, upper end) of every maximum above 0, and whether 0 is one too."""
    at_zero = np.zeros(len(batch), dtype=bool)
    rows, lows, highs = [], [], []
    low, _ = _grids(batch)
    for part, points in _chunks(batch):
        grid, values = _scores_on_grid(batch.rows(part), low[part], points, restricted=restricted)
        at_zero[part] = values[:, 0] <= 0
        data_set, step = np.nonzero((values[:, :-1] > 0) & (values[:, 1:] <= 0))
        rows.append(part[data_set])
        lows.append(grid[data_set, step])
        highs.append(grid[data_set, step + 1])
    if not rows:
        empty = np.empty(0)
        return np.empty(0, dtype=np.intp), empty, empty, at_zero
    return np.concatenate(rows), np.concatenate(lows), np.concatenate(highs), at_zero


def maximize(batch: Batch, *, restricted: bool) -> Maximum:
    """Return the tau2 of the highest (restricted) log-likelihood of each data set.

    Parameters
    ----------
    batch : Batch
        Data sets with k >= 2.
    restricted : bool
        REML (Raudenbush 2009; Viechtbauer 2005, eq. 16) rather than ML (eq. 14).

    Returns
    -------
    Maximum
        In units of the batch's scale. Standard errors from the expected information: sqrt(2/tr(PP)) for REML,
        sqrt(2/sum(w^2)) for ML.
    """
    owner, low, high, at_zero = _brackets(batch, restricted=restricted)
    owned = batch.rows(owner)

    def equations(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        part = owned if len(rows) == len(owner) else owned.rows(rows)
        return score(part, t, restricted=restricted)

    root, found = bracketed_newton(equations, low, high)
    zero = np.flatnonzero(at_zero)
    owner = np.concatenate([owner, zero])
    candidates = np.bincount(owner, minlength=len(batch))
    where = np.concatenate([root, np.zeros(len(zero))])
    found = np.concatenate([found, np.ones(len(zero), dtype=bool)])
    height = np.zeros(len(owner))
    contested = np.flatnonzero(candidates[owner] > 1)
    if len(contested):
        height[contested] = log_likelihood(batch.rows(owner[contested]), where[contested], restricted=restricted)
    tau2, converged = np.zeros(len(batch)), np.zeros(len(batch), dtype=bool)
    # Of the maxima of one data set the highest comes last, and the last assignment stands.
    order = np.lexsort((height, owner))
    tau2[owner[order]], converged[owner[order]] = where[order], found[order]
    return Maximum(
        tau2=tau2,
        se=_standard_error(batch, tau2, restricted=restricted),
        converged=converged,
        multimodal=candidates > 1,
        boundary=tau2 == 0,
    )


def _standard_error(batch: Batch, tau2: Floats, *, restricted: bool) -> Floats:
    fit = weigh_at(batch, tau2)
    information = trace_pp(fit.w, fit.s1) if restricted else fit.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(2 / information)
