"""tau2 of a meta-regression by (restricted) maximum likelihood: the global maximum, found by scanning the score.

As without moderators (`igfmeta.models.tau2_likelihood`) the likelihood can have several maxima. Each change of sign of
the score from + to - on a grid brackets one, Newton's method refines it, and the highest wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.regression.data import Regressions
from igfmeta.models.regression.projection import inner
from igfmeta.models.regression.weighted import weigh_at
from igfmeta.models.tau2_likelihood import PER_DECADE
from igfmeta.models.tau2_scan import Brackets, crossings
from igfmeta.numerics import Floats, Mask

#: Elements of a grid (k x batch x points) evaluated at once: small enough for the cache.
CHUNK = 60_000


@dataclass(frozen=True, eq=False)
class Found:
    """tau2 of each data set, in the batch's units, and how the search ended."""

    tau2: Floats
    converged: Mask
    multimodal: Mask

    @classmethod
    def closed(cls, tau2: Floats) -> Found:
        yes = np.ones(len(tau2), dtype=bool)
        return cls(tau2, yes, ~yes)


def log_likelihood(data: Regressions, tau2: Floats, *, restricted: bool) -> Floats:
    """Return the (restricted) log-likelihood of tau2, shape (batch,), in the units of the data.

    Viechtbauer (2005), eq. 14 and 16, constants included; the restricted one with + log|X'X|/2 (Harville 1974).
    """
    fit = weigh_at(data, tau2)
    log_w = np.log(fit.w, where=data.mask, out=np.zeros_like(fit.w)).sum(axis=0) - data.k * np.log(data.scale)
    out = 0.5 * (log_w - fit.rss - data.k * np.log(2 * np.pi))
    if not restricted:
        return np.asarray(out)
    log_det = 2 * np.log(np.einsum("jjn->jn", fit.r)).sum(axis=0) - data.p * np.log(data.scale)
    return np.asarray(out + 0.5 * data.p * np.log(2 * np.pi) - 0.5 * log_det)


def score(data: Regressions, tau2: Floats, *, restricted: bool) -> tuple[Floats, Floats]:
    """Return twice the derivative of the log-likelihood in tau2, and the derivative of that; shape (batch,).

    y'PPy - tr(P), with slope -2 y'PPPy + tr(PP); for the full likelihood W stands in the traces.
    """
    fit = weigh_at(data, tau2)
    first, second = inner(fit.u, fit.u), -2 * fit.again(fit.u)
    if restricted:
        return first - fit.trace(), second + fit.trace_pp()
    return first - fit.w.sum(axis=0), second + inner(fit.w, fit.w)


def _grids(data: Regressions) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return the smallest grid value above 0, the largest, and the number of points between, of each data set.

    Below a tenth of the smallest variance the weights hardly change. Above max(1.1 RSS/(k - p), 10 max vi), RSS of the
    unweighted regression, the score is negative: y'PPy <= w_max^2 RSS, tr(P) >= (k - p) w_min, and there
    w_max^2 / w_min <= 1.1 / tau2.
    """
    finite = np.where(data.mask, data.v, 0.0)
    low = 0.1 * data.v.min(axis=0)
    high = np.maximum(1.1 * inner(data.y, data.y) / np.maximum(data.df, 1.0), 10 * finite.max(axis=0))
    return low, high, np.ceil(np.log10(high / low)).astype(np.intp) * PER_DECADE + 1


def scores_on_grid(y: Floats, v: Floats, basis: Floats, grid: Floats, *, restricted: bool) -> Floats:
    """Return the score on grids of shape (batch, points).

    `y`, `v` of shape (k, batch or 1) and `basis` of shape (p, k, batch or 1): what is common is computed once.
    """
    w = 1.0 / (v[:, :, None] + grid)
    root = np.sqrt(w)
    z, trace = root * y[:, :, None], w
    done: list[Floats] = []
    for column in basis:
        q = root * column[:, :, None]
        for other in done:
            q = q - inner(other, q) * other
        q = q / np.sqrt(inner(q, q))
        done.append(q)
        z = z - inner(q, z) * q
        if restricted:
            trace = trace - w * (q * q)
    z = z * root
    return np.asarray(inner(z, z) - trace.sum(axis=0))


def _brackets(data: Regressions, *, restricted: bool) -> Brackets:
    """Scan the score of each data set for changes of sign from + to -."""
    at_zero = np.zeros(len(data), dtype=bool)
    found = []
    low, high, points = _grids(data)
    for size in np.unique(points).tolist():
        same = np.flatnonzero(points == size)
        step = max(1, CHUNK // (size * len(data.y)))
        steps = np.linspace(0.0, 1.0, size)
        for part in (same[i : i + step] for i in range(0, len(same), step)):
            some = data.rows(part)
            grid = np.zeros((len(part), 1 + size))
            grid[:, 1:] = np.exp(np.log(low[part])[:, None] + np.log(high / low)[part, None] * steps)
            values = scores_on_grid(some.y, some.v, some.basis, grid, restricted=restricted)
            at_zero[part] = values[:, 0] <= 0
            found.append(crossings(part, grid, values))
    return Brackets.of(found, at_zero)


def maximize(data: Regressions, *, restricted: bool) -> Found:
    """Return the tau2 of the highest (restricted) log-likelihood of each data set, all of which must be estimable."""
    brackets = _brackets(data, restricted=restricted)
    owner = brackets.owner
    candidates = data.rows(owner)

    def equations(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return score(candidates if len(rows) == len(owner) else candidates.rows(rows), t, restricted=restricted)

    def height(t: Floats, rows: NDArray[np.intp]) -> Floats:
        return log_likelihood(data.rows(rows), t, restricted=restricted)

    return Found(*brackets.highest(equations, height))
