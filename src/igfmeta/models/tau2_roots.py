"""tau2 as the root of Q(tau2) = c: Paule-Mandel, empirical Bayes (the same root) and the median-unbiased variant.

Q falls strictly in tau2, so that there is one root, or none where Q(0) < c, and then tau2 = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.batch import Batch
from igfmeta.models.weighted import generalized_q, weigh_at
from igfmeta.numerics import Floats, Mask, chi2_quantile
from igfmeta.solver import bracketed_newton


def q_root(batch: Batch, target: Floats) -> tuple[Floats, Mask]:
    """Return the tau2 at which Q(tau2) = target, 0 where Q(0) is not above the target, and whether it converged.

    Newton's method on 1/Q, which is a straight line in tau2 when the variances are equal and nearly one otherwise.
    """
    tau2, converged = np.zeros(len(batch)), np.ones(len(batch), dtype=bool)
    positive = np.flatnonzero(generalized_q(batch, tau2) > target)
    if not len(positive):
        return tau2, converged
    part, aim = batch.rows(positive), target[positive]

    def equations(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        fit = weigh_at(part.rows(rows), t)
        q = fit.sum(1, 2)
        with np.errstate(divide="ignore"):
            return 1.0 / aim[rows] - 1.0 / q, -fit.sum(2, 2) / (q * q)

    # Q(tau2) <= sum (yi - mean)^2 / tau2, because the weighted mean minimizes the weighted sum and w <= 1/tau2.
    high = (part.yi**2).sum(axis=1) / aim * (1 + 1e-12)
    tau2[positive], converged[positive] = bracketed_newton(equations, np.zeros(len(positive)), high)
    return tau2, converged


def _solve(batch: Batch, target: Floats) -> tuple[Floats, Floats, Mask]:
    """Return tau2, its standard error sqrt(2 k^2 / (k - 1)) / sum(w) (Morris 1983), and whether it converged."""
    tau2, converged = q_root(batch, target)
    return tau2, np.sqrt(2 * batch.k**2 / (batch.k - 1)) / weigh_at(batch, tau2).s1, converged


def paule_mandel(batch: Batch) -> tuple[Floats, Floats, Mask]:
    """Paule & Mandel (1982), J Res Natl Bur Stand 87:377: Q(tau2) = k - 1.

    The empirical Bayes estimator of Morris (1983), J Am Stat Assoc 78:47, is the same root.
    """
    return _solve(batch, batch.k - 1)


def median_unbiased(batch: Batch) -> tuple[Floats, Floats, Mask]:
    """Viechtbauer (2021), the median-unbiased Paule-Mandel estimator: Q(tau2) = median of chi-squared with k - 1 df."""
    return _solve(batch, np.asarray(chi2_quantile(0.5, batch.k - 1)))
