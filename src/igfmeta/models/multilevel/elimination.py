"""The elimination of nested random effects, level by level, in time proportional to the rows.

With T = D'R^-1 D and c = D'R^-1 C of a group, R the covariance without the group's own effects,

    q = (G^-1 + T)^-1 = (I + G T)^-1 G,  T <- T - T q T,  c <- c - T q c,  C'R^-1 C <- C'R^-1 C - c' q c,
    log|R| <- log|R| + log|I + G T|

(Woodbury; G may be singular), and groups pass T and c to the group above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.models.multilevel.layout import Level
from igfmeta.numerics import Floats


def times(a: Floats, b: Floats) -> Floats:
    """Return a @ b; many products over an inner dimension of one are faster as plain multiplication."""
    return a * b if a.shape[-1] == 1 else a @ b


def conditional(g: Floats, t: Floats) -> tuple[Floats, float]:
    """Return q = (I + G T)^-1 G of each group, and the sum of log|I + G T|; with G = F F', q = F (I + F'T F)^-1 F'."""
    if g.shape[0] == 1:
        m = 1 + g[0, 0] * t
        return g[0, 0] / m, float(np.log(m).sum())
    values, vectors = np.linalg.eigh(g)
    f = vectors * np.sqrt(np.maximum(values, 0.0))
    root = np.linalg.cholesky(np.eye(len(g)) + f.T @ t @ f)
    half = np.linalg.solve(root, np.broadcast_to(f.T, root.shape))
    return half.swapaxes(-1, -2) @ half, 2 * float(np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum())


@dataclass(frozen=True, eq=False)
class Base:
    """Blocks before any nested or crossed effect: T, c per block, C'B^-1 C, log|B|, B^-1 D, B^-1 C and B^-1.

    `within` is the part of C'B^-1 C about the weighted means of the blocks, where the design is an intercept.
    """

    t: Floats
    c: Floats
    s: Floats
    within: Floats
    log_det: float
    weighted_design: Floats
    weighted: Floats
    inverse: tuple[Floats, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """T and c of the groups of a level without and with their own effects, and q."""

    t: Floats
    c: Floats
    q: Floats
    t_after: Floats
    c_after: Floats


def eliminate(levels: Sequence[Level], g: Sequence[Floats], base: Base) -> tuple[list[Step], Floats, float]:
    """Return the steps of nested terms, C'R^-1 C and log|R| after them."""
    t, c, s, log_det = base.t, base.c, base.s, base.log_det
    steps = []
    for n, level in enumerate(levels):
        if n or len(level.starts) < len(t):
            t, c = np.add.reduceat(t, level.starts, axis=0), np.add.reduceat(c, level.starts, axis=0)
        at = level.columns
        q, more = conditional(g[level.term], t[:, at, at])
        qc = q @ c[:, at]
        log_det += more
        s = s - c[:, at].reshape(-1, c.shape[2]).T @ qc.reshape(-1, c.shape[2])
        after = t - t[:, :, at] @ (q @ t[:, at]), c - t[:, :, at] @ qc
        steps.append(Step(t, c, q, *after))
        t, c = after
    return steps, s, log_det


def eliminate_intercepts(levels: Sequence[Level], g: Sequence[Floats], base: Base) -> tuple[list[Step], Floats, float]:
    """Return the same where every nested term is an intercept, by weights, means and squares about them.

    Nothing is subtracted, so that one study far more precise than the others costs no digits.
    """
    t, mean, s, log_det = base.t, base.c / base.t, base.within, base.log_det
    steps = []
    for n, level in enumerate(levels):
        if n or len(level.starts) < len(t):
            total = np.add.reduceat(t, level.starts, axis=0)
            above = np.add.reduceat(t * mean, level.starts, axis=0) / total
            sizes = np.diff(np.append(level.starts, len(t)))
            apart = (np.sqrt(t) * (mean - np.repeat(above, sizes, axis=0)))[:, 0]
            s = s + apart.T @ apart
            t, mean = total, above
        m = 1 + g[level.term][0, 0] * t
        log_det += float(np.log(m).sum())
        after = t / m
        steps.append(Step(t, t * mean, g[level.term][0, 0] / m, after, after * mean))
        t = after
    rooted = (np.sqrt(t) * mean)[:, 0]
    return steps, s + rooted.T @ rooted, log_det
