"""tau2 by maximum likelihood, full (ML) and restricted (REML): the global maximum, found by scanning the score.

The log-likelihood of tau2, with mu at its weighted mean, can have several maxima (about 1 in 1,000 ordinary data
sets). The score is evaluated on a grid that reaches from 0 to a bound above which it is negative; each change of sign
from + to - brackets a maximum, Newton's method refines it, and the highest wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.batch import Batch
from igfmeta.models.tau2_scan import Brackets, crossings
from igfmeta.models.weighted import trace_pp, weigh_at
from igfmeta.numerics import Floats, Mask

#: Grid points per decade of tau2.
PER_DECADE = 4

#: Elements of a grid (batch x points x k) evaluated at once: small enough for the cache.
CHUNK = 100_000


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
    """Return twice the derivative of the log-likelihood in tau2, and the derivative of that; shape (batch,)."""
    return _score(batch.yi.T, batch.vi.T, tau2, restricted=restricted)


def _score(y: Floats, v: Floats, tau2: Floats, *, restricted: bool) -> tuple[Floats, Floats]:
    """Return the score and its derivative for arrays of shape (k, n): sums over the first axis run along memory."""
    w = 1.0 / (v + tau2)
    s1 = w.sum(axis=0)
    wr = w * (y - (w * y).sum(axis=0) / s1)
    w2, w2r = w * w, w * wr
    s2 = w2.sum(axis=0)
    first = (wr * wr).sum(axis=0) - s1
    second = 2 * (w2r.sum(axis=0) ** 2 / s1 - (w2r * wr).sum(axis=0)) + s2
    if restricted:
        ratio = s2 / s1
        first = first + ratio
        second = second - 2 * (w2 * w).sum(axis=0) / s1 + ratio**2
    return first, second


def _grids(batch: Batch) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return the smallest grid value above 0, the largest, and the number of points between, of each data set.

    Below a tenth of the smallest variance the weights hardly change. Above the largest value the score is negative:
    with R the range of the effects and t >= max(R^2, 10 max vi) the weights differ by at most 1.1 to 1, so that
    sum(w^2)/sum(w)^2 <= 1.21/k <= 0.605, and the weighted variance of the effects is at most R^2/4 (Popoviciu), so
    that sum(w^2 r^2) <= sum(w)/4. Hence the score is at most sum(w) (1/4 - 1 + 0.605) < 0.
    """
    y, v, mask = batch.yi.T, batch.vi.T, batch.mask.T
    spread = y.max(axis=0) - y.min(axis=0)
    low = 0.1 * v.min(axis=0)
    high = np.maximum(spread**2, 10 * np.where(mask, v, 0.0).max(axis=0))
    return low, high, np.ceil(np.log10(high / low)).astype(np.intp) * PER_DECADE + 1


def _scores_on_grid(
    y: Floats, v: Floats, low: Floats, high: Floats, points: int, *, restricted: bool
) -> tuple[Floats, Floats]:
    """Return grids of shape (batch, 1 + points), the first value 0, and the score on them."""
    steps = np.linspace(0.0, 1.0, points)
    grid = np.zeros((len(y), 1 + points))
    np.exp(np.log(low)[:, None] + np.log(high / low)[:, None] * steps, out=grid[:, 1:])
    # Studies first: sums over them run along memory, several times faster than over short rows.
    y, v = np.ascontiguousarray(y.T)[:, :, None], np.ascontiguousarray(v.T)[:, :, None]
    w = 1.0 / (v + grid)
    s1 = w.sum(axis=0)
    wr = y - (w * y).sum(axis=0) / s1
    wr *= w
    wr *= wr
    values = wr.sum(axis=0) - s1
    if restricted:
        w *= w
        values += w.sum(axis=0) / s1
    return grid, values


def _chunks(points: NDArray[np.intp], k: int) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Return positions of data sets to be scanned together, with their number of grid points."""
    for size in np.unique(points).tolist():
        rows = np.flatnonzero(points == size)
        step = max(1, CHUNK // (size * max(1, k)))
        yield from ((rows[i : i + step], size) for i in range(0, len(rows), step))


def _brackets(batch: Batch, *, restricted: bool) -> Brackets:
    """Scan the score of each data set for changes of sign from + to -."""
    at_zero = np.zeros(len(batch), dtype=bool)
    found = []
    low, high, points = _grids(batch)
    for part, size in _chunks(points, batch.yi.shape[1]):
        grid, values = _scores_on_grid(
            batch.yi[part], batch.vi[part], low[part], high[part], size, restricted=restricted
        )
        at_zero[part] = values[:, 0] <= 0
        found.append(crossings(part, grid, values))
    return Brackets.of(found, at_zero)


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
    brackets = _brackets(batch, restricted=restricted)
    owner = brackets.owner
    y, v = (np.ascontiguousarray(x[owner].T) for x in (batch.yi, batch.vi))

    def equations(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        all_of_them = len(rows) == y.shape[1]
        return _score(*((y, v) if all_of_them else (y[:, rows], v[:, rows])), t, restricted=restricted)

    def height(t: Floats, rows: NDArray[np.intp]) -> Floats:
        return log_likelihood(batch.rows(rows), t, restricted=restricted)

    tau2, converged, multimodal = brackets.highest(equations, height)
    return Maximum(
        tau2=tau2,
        se=_standard_error(batch, tau2, restricted=restricted),
        converged=converged,
        multimodal=multimodal,
        boundary=tau2 == 0,
    )


def _standard_error(batch: Batch, tau2: Floats, *, restricted: bool) -> Floats:
    fit = weigh_at(batch, tau2)
    information = trace_pp(fit.w, fit.s1) if restricted else fit.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(2 / information)
