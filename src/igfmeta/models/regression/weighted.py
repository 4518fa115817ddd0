"""Weighted regressions, and the traces of their projections that every estimator of tau2 is made of.

With weights w, P = W - W X (X'WX)^-1 X'W has the elements w_i (1 - h_i) and -sqrt(w_i w_j) q_i'q_j, where q holds
orthonormal columns of sqrt(W) X and h_i = q_i'q_i is the leverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.regression.data import Regressions
from igfmeta.models.regression.projection import inner, orthonormal, project, triangular_inverse
from igfmeta.numerics import Floats

#: A leverage closer to 1 than this is computed without its own study, where 1 - h would lose its digits.
CLOSE = 1e-4

#: Elements of a (k, k, batch) block held at once.
BLOCK = 2_000_000


@dataclass(frozen=True, eq=False)
class WeightedFit:
    """A weighted regression of each data set, in the batch's units.

    Attributes
    ----------
    w, root : ndarray of shape (k, batch)
        Weights and their square roots.
    columns : ndarray of shape (p, k, batch)
        sqrt(W) X.
    q, r : ndarray of shape (p, k, batch) and (p, p, batch)
        columns = q r.
    projected : ndarray of shape (p, batch)
        q'sqrt(W) y.
    z : ndarray of shape (k, batch)
        sqrt(W) times the residuals.
    """

    w: Floats
    root: Floats
    columns: Floats
    q: Floats
    r: Floats
    projected: Floats
    z: Floats

    @property
    def rss(self) -> Floats:
        """Return y'Py, the weighted sum of squared residuals (Q at these weights)."""
        return inner(self.z, self.z)

    @property
    def u(self) -> Floats:
        """Return Py, the weighted residuals."""
        return self.root * self.z

    @cached_property
    def leverage(self) -> Floats:
        return np.asarray(np.einsum("pk...,pk...->k...", self.q, self.q))

    @cached_property
    def inverse(self) -> Floats:
        """Return r^-1, shape (batch, p, p); the covariance of the coefficients is this times its transpose."""
        return triangular_inverse(self.r)

    def coefficients(self) -> Floats:
        """Return the coefficients of the basis, shape (batch, p)."""
        return np.asarray(np.einsum("nij,jn->ni", self.inverse, self.projected))

    def again(self, x: Floats) -> Floats:
        """Return x'Px for x of shape (k, batch)."""
        rest = project(self.q, self.root * x)[1]
        return inner(rest, rest)

    @cached_property
    def free(self) -> Floats:
        """Return 1 - h, to full precision also where h is nearly 1; shape (k, batch)."""
        free = np.maximum(1.0 - self.leverage, 0.0)
        rows, sets = np.nonzero((free < CLOSE) & (self.w > 0))
        if len(rows):
            free[rows, sets] = self._without_itself(rows, sets)
        return free

    def _without_itself(self, rows: NDArray[np.intp], sets: NDArray[np.intp]) -> Floats:
        """Return 1 - h_i = 1 / (1 + x_i'(X'WX without i)^-1 x_i w_i)."""
        columns = self.columns[:, :, sets].copy()
        own = columns[:, rows, np.arange(len(rows))].copy()
        columns[:, rows, np.arange(len(rows))] = 0.0
        _, r, aliased = orthonormal(columns, threshold=1e-14)
        inverse = triangular_inverse(r)
        excess = np.sum(np.einsum("nij,in->nj", inverse, own) ** 2, axis=1)
        return np.where(aliased.any(axis=0), 0.0, 1.0 / (1.0 + excess))

    def trace(self, d: Floats | float = 1.0) -> Floats:
        """Return tr(P diag(d))."""
        return np.asarray((self.w * self.free * d).sum(axis=0))

    def trace_pp(self) -> Floats:
        """Return tr(PP) from p x p products: quick, for slopes; digits are lost where one leverage is nearly 1."""
        first = np.einsum("ikn,jkn,kn->nij", self.q, self.q, self.w)
        return np.asarray((self.w**2 * (1 - 2 * self.leverage)).sum(axis=0) + (first**2).sum(axis=(1, 2)))

    def trace_pdpe(self, d: Floats, e: Floats) -> Floats:
        """Return tr(P diag(d) P diag(e)), element by element so that nothing cancels."""
        wd, we = self.w * d, self.w * e
        diagonal = (wd * we * self.free**2).sum(axis=0)
        k, n = self.w.shape
        step = max(1, BLOCK // max(1, k * n))
        across = np.zeros(n)
        for i in range(0, k, step):
            near = np.einsum("pin,pjn->ijn", self.q[:, i : i + step], self.q) ** 2
            near[np.arange(len(near)), np.arange(i, i + len(near))] = 0.0
            across += np.einsum("ijn,in,jn->n", near, wd[i : i + step], we)
        return np.asarray(diagonal + across)


def weigh(data: Regressions, w: Floats) -> WeightedFit:
    """Return the weighted regressions with weights of shape (k, batch), 0 for left-out studies."""
    root = np.sqrt(w)
    columns = root * data.basis
    q, r, _ = orthonormal(columns)
    projected, z = project(q, root * data.y)
    return WeightedFit(w, root, columns, q, r, projected, z)


def weigh_at(data: Regressions, tau2: Floats) -> WeightedFit:
    """Return the inverse-variance weighted regressions at tau2 of shape (batch,)."""
    return weigh(data, 1.0 / (data.v + tau2))
