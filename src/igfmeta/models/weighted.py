"""Weighted means and the sums of weights that every estimator is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.models.batch import Batch
from igfmeta.numerics import Floats, row_sum


@dataclass(frozen=True, eq=False)
class Weighted:
    """A weighted mean of each data set.

    Attributes
    ----------
    w : ndarray of shape (batch, k)
        Weights.
    r : ndarray of shape (batch, k)
        Residuals yi - mu.
    s1, mu : ndarray of shape (batch,)
        Sum of the weights, weighted mean.
    """

    w: Floats
    r: Floats
    s1: Floats
    mu: Floats

    def sum(self, power: int, residual_power: int = 0) -> Floats:
        """Return the sum of w**power * r**residual_power over the studies of each data set."""
        factors = [self.w] * power + [self.r] * residual_power
        out = factors[0]
        for factor in factors[1:]:
            out = out * factor
        return row_sum(out)


def weigh(batch: Batch, w: Floats) -> Weighted:
    """Return the weighted mean with any weights (0 for left-out studies)."""
    s1 = row_sum(w)
    mu = np.vecdot(w, batch.yi) / s1
    return Weighted(w=w, r=batch.yi - mu[..., None], s1=s1, mu=mu)


def weigh_at(batch: Batch, tau2: Floats) -> Weighted:
    """Return the inverse-variance weighted mean at a between-study variance of shape (batch,)."""
    return weigh(batch, 1.0 / (batch.vi + tau2[:, None]))


def generalized_q(batch: Batch, tau2: Floats) -> Floats:
    """Return Q(tau2) = sum of w (yi - mu)^2 with w = 1/(vi + tau2) (DerSimonian & Kacker 2007, eq. 2)."""
    return weigh_at(batch, tau2).sum(1, 2)


def complements(x: Floats) -> Floats:
    """Return, for each element, the sum of the others of its row; x >= 0, shape (batch, k).

    Sum minus element, but for an element that is most of the sum, where that would cancel.
    """
    total = row_sum(x)[:, None]
    out = total - x
    rows, large = np.nonzero(x > 0.5 * total)
    others = x[rows]
    others[np.arange(len(rows)), large] = 0.0
    out[rows, large] = row_sum(others)
    return np.asarray(out)


def trace_pp(w: Floats, s1: Floats) -> Floats:
    """Return tr(PP), P = W - ww'/sum(w): sum w_i^2 (c_i^2 + C_i) / sum(w)^2, c and C the complements of w and w^2."""
    w2 = w * w
    return np.asarray(np.vecdot(w2, complements(w) ** 2 + complements(w2)) / s1**2)


def typical_variance(batch: Batch) -> Floats:
    """Return the typical sampling variance of Higgins & Thompson (2002), eq. 9."""
    w = 1.0 / batch.vi
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((batch.k - 1) * row_sum(w) / np.vecdot(w, complements(w)))
