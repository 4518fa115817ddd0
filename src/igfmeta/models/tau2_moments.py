"""tau2 by moments: DerSimonian-Laird and its relatives, each a special case of the generalized Q statistic.

With fixed weights a_i the statistic Q_a = sum a_i (yi - mu_a)^2 has expectation
sum a_i vi - sum a_i^2 vi / sum a_i + tau2 (sum a_i - sum a_i^2 / sum a_i), which is solved for tau2
(DerSimonian & Kacker 2007, Contemp Clin Trials 28:105, eq. 6). Its standard error follows from the variance of a
quadratic form in normal variables (Jackson, Turner, Rhodes & Viechtbauer 2014, BMC Med Res Methodol 14:103).

Every function takes a `Batch` and returns (tau2, se_tau2), each of shape (batch,), in units of the batch's scale.
"""

from __future__ import annotations

import numpy as np

from igfmeta.models.batch import Batch
from igfmeta.models.weighted import Weighted, complements, trace_pp, weigh, weigh_at
from igfmeta.numerics import Floats, row_sum

Tau2 = tuple[Floats, Floats]


def _finite_v(batch: Batch) -> Floats:
    """Return the variances with 0 for left-out studies, so that products with a weight of 0 are 0."""
    return np.where(batch.mask, batch.vi, 0.0)


def _traces(fit: Weighted, vi: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return tr(P), tr(PV), tr(PVPV), tr(PVP) and tr(PP) for P = A - aa'/sum(a) and V = diag(vi).

    P has the elements a_i c_i / sum(a), with c_i the sum of the other weights, and -a_i a_j / sum(a). Written with c_i
    nothing cancels when one weight is nearly the whole sum.
    """
    a, s1 = fit.w, fit.s1
    a2, ac = a * a, a * complements(a)
    a2v = a2 * vi
    pvpv = np.vecdot(ac * vi, ac * vi) + np.vecdot(a2v, complements(a2v))
    pvp = np.vecdot(ac * vi, ac) + np.vecdot(a2v, complements(a2))
    return row_sum(ac) / s1, np.vecdot(ac, vi) / s1, pvpv / s1**2, pvp / s1**2, trace_pp(a, s1)


def _by_weights(batch: Batch, a: Floats) -> Tau2:
    """Solve the moment equation for fixed weights `a`."""
    vi = _finite_v(batch)
    fit = weigh(batch, a)
    p, expected_at_zero, pvpv, pvp, pp = _traces(fit, vi)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau2 = np.maximum((fit.sum(1, 2) - expected_at_zero) / p, 0.0)
        se = np.sqrt(2 * pvpv + 4 * tau2 * pvp + 2 * tau2**2 * pp) / p
    return tau2, se


def dersimonian_laird(batch: Batch) -> Tau2:
    """DerSimonian & Laird (1986), eq. 8: weights 1/vi."""
    return _by_weights(batch, 1.0 / batch.vi)


def hedges_olkin(batch: Batch) -> Tau2:
    """Hedges & Olkin (1985), the variance component or Cochran ANOVA estimator: equal weights."""
    return _by_weights(batch, batch.mask.astype(float))


def two_step_dl(batch: Batch) -> Tau2:
    """DerSimonian & Kacker (2007), two-step estimator DL2: weights 1/(vi + tau2) at the DL estimate."""
    return _by_weights(batch, weigh_at(batch, dersimonian_laird(batch)[0]).w)


def two_step_ca(batch: Batch) -> Tau2:
    """DerSimonian & Kacker (2007), two-step estimator CA2: weights 1/(vi + tau2) at the Cochran ANOVA estimate."""
    return _by_weights(batch, weigh_at(batch, hedges_olkin(batch)[0]).w)


def generalized_q_sqrt(batch: Batch) -> Tau2:
    """Jackson (2013), Res Synth Methods 4:220: generalized Q with weights 1/sqrt(vi), which he recommends."""
    return _by_weights(batch, 1.0 / np.sqrt(batch.vi))


def _hunter_schmidt(batch: Batch, factor: Floats) -> Tau2:
    fit = weigh(batch, 1.0 / batch.vi)
    p, _, _, _, pp = _traces(fit, _finite_v(batch))
    tau2 = np.maximum((factor * fit.sum(1, 2) - batch.k) / fit.s1, 0.0)
    se = np.sqrt(2 * (batch.k - 1) + 4 * tau2 * p + 2 * tau2**2 * pp) / fit.s1
    return tau2, factor * se


def hunter_schmidt(batch: Batch) -> Tau2:
    """Hunter & Schmidt (2004), as in Viechtbauer (2005), J Educ Behav Stat 30:261, eq. 12: (Q - k) / sum(w)."""
    return _hunter_schmidt(batch, np.ones(len(batch)))


def hunter_schmidt_k(batch: Batch) -> Tau2:
    """Hunter-Schmidt with the small-sample correction of Brannick et al. (2019): Q times k/(k-1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _hunter_schmidt(batch, batch.k / (batch.k - 1))


def sidik_jonkman(batch: Batch) -> Tau2:
    """Sidik & Jonkman (2005), Appl Stat 54:367, eq. 3: started at the variance of the effects with divisor k.

    Identical effects give 0; otherwise the estimate is above 0 by construction.
    """
    start = row_sum(batch.yi**2) / batch.k
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = weigh_at(batch, start)
        tau2 = start * fit.sum(1, 2) / (batch.k - 1)
        _, _, pvpv, pvp, pp = _traces(fit, _finite_v(batch))
        se = start / (batch.k - 1) * np.sqrt(2 * pvpv + 4 * tau2 * pvp + 2 * tau2**2 * pp)
    return tau2, se
