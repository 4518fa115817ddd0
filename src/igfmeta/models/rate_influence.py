"""What each single arm, or each cluster of arms, does to a pool of rates by the binomial model of their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.models.count_kernels import Binomial
from igfmeta.models.influence import COOK_PROBABILITY, DFBETAS_LIMIT
from igfmeta.models.normal_mixing import contributions
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.numerics import Floats, Mask, chi2_upper

#: Nodes and reach, in standard deviations, of the expectation over the normal distribution of a logit.
POINTS, REACH = 1201, 9.0

#: Nodes of the likelihood's integral, as where the model is fitted.
NODES = 61


@dataclass(frozen=True, eq=False)
class RateInfluence:
    """Deletion diagnostics of one pool of rates. Arrays of shape (k,) are of arms, (units,) of what is deleted.

    Attributes
    ----------
    fit : Pooled
        With every arm.
    fits : PooledBatch
        Row 0: with every arm; row u + 1: without unit u. Their `q` is the likelihood-ratio statistic of one common
        rate.
    membership : ndarray of bool, shape (units, k)
        Which arms a unit holds.
    weights : ndarray of shape (k,)
        Share of the observed information about the mean logit, in percent.
    expected : ndarray of shape (k,)
        Events that the pool without the arm's unit predicts.
    tail : ndarray of shape (k,)
        Mid-p: the predicted probability of fewer events plus half that of as many; NaN where the others give no model.
    residual : ndarray of shape (k,)
        Its normal deviate, above 0 where there were more events than predicted.
    cook_d, cov_r, dfbetas : ndarray of shape (units,)
    influential : ndarray of bool, shape (units,)
        P(chi2_1 < Cook's distance) > 0.5 or |DFBETAS| > 1, the limits of Viechtbauer & Cheung (2010).
    """

    fit: Pooled
    fits: PooledBatch
    membership: Mask
    weights: Floats
    expected: Floats
    tail: Floats
    residual: Floats
    cook_d: Floats
    cov_r: Floats
    dfbetas: Floats
    influential: Mask

    @property
    def without(self) -> PooledBatch:
        """Row u: without unit u."""
        return self.fits.rows(slice(1, None))


def rate_influence(
    events: Floats, n: Floats, whole: Pooled, without: Sequence[Pooled], membership: Mask
) -> RateInfluence:
    """Return the deletion diagnostics of a pool of rates from its fits without each unit.

    With theta, se of the mean logit of the whole pool, and theta_(u), tau2_(u), se_(u) those without unit u:

    - residual: the count x of n of an arm against its predictive distribution given the other units, binomial with a
      logit normal around theta_(u), variance tau2_(u) + se_(u)^2. A count is discrete, so that the mid-p value stands
      for the distribution function (cross-validatory mixed predictive checks of Marshall & Spiegelhalter 2003, Stat Med
      22:1649, and 2007, Bayesian Anal 2:409), and its normal deviate for the studentized deleted residual of
      Viechtbauer & Cheung 2010 (Res Synth Methods 1:112), which has the same variances (quantile residuals: Dunn &
      Smyth 1996, J Comput Graph Stat 5:236).
    - Cook's distance ((theta - theta_(u))/se)^2, from fits without the unit (Cook 1977, Technometrics 19:15; in
      generalized linear mixed models Xiang, Tse & Lee 2002, Comput Stat Data Anal 40:759)
    - DFBETAS (theta - theta_(u))/s_(u), with s_(u) the standard error that all arms would have with tau2_(u), from the
      observed information about theta alone; covariance ratio (se_(u)/se)^2, from that about theta and tau2 (Belsley,
      Kuh & Welsch 1980; Viechtbauer & Cheung 2010).

    Parameters
    ----------
    events, n : ndarray of shape (k,)
    whole : Pooled
        On the logit scale, by `igfmeta.models.glmm`.
    without : sequence of Pooled
        Of each unit; where nobody (or everybody) is left that responded the estimate is infinite, and what rests on a
        model of the others is NaN.
    membership : ndarray of bool, shape (units, k)

    Examples
    --------
    >>> from igfmeta.models.glmm import glmm_one
    >>> x, n = np.array([1.0, 3.0, 5.0, 9.0]), np.array([24.0, 20.0, 31.0, 30.0])
    >>> def fitted(keep):
    ...     return glmm_one("PLO", "logit-normal", {"events": x[keep], "n": n[keep]}, typical=0.4).fit
    >>> inside = np.eye(4, dtype=bool)
    >>> found = rate_influence(x, n, fitted(np.arange(4)), [fitted(~unit) for unit in inside], inside)
    >>> found.residual.round(3).tolist()
    [-2.003, -0.042, 0.089, 2.077]
    """
    fits = PooledBatch.stacked([whole, *without], np.vstack([np.ones((1, len(n)), dtype=bool), ~membership]))
    theta, tau2, se = fits.estimate[1:], np.nan_to_num(fits.tau2[1:]), fits.se[1:]
    unit_of = membership.argmax(axis=0)
    spread = np.sqrt(tau2 + se**2)
    expected, below, above = predicted(events, n, theta[unit_of], spread[unit_of])
    with np.errstate(invalid="ignore"):
        residual = np.where(below <= above, special.ndtri(below), -special.ndtri(above))
        shift = fits.estimate[0] - theta
        cook_d = (shift / fits.se[0]) ** 2
    dfbetas = shift / _standard_errors(events, n, float(fits.estimate[0]), tau2)
    influential = (1 - chi2_upper(cook_d, 1) > COOK_PROBABILITY) | (np.abs(dfbetas) > DFBETAS_LIMIT)
    return RateInfluence(
        fit=whole,
        fits=fits,
        membership=membership,
        weights=whole.weights,
        expected=expected,
        tail=below,
        residual=residual,
        cook_d=cook_d,
        cov_r=(se / fits.se[0]) ** 2,
        dfbetas=dfbetas,
        influential=influential,
    )


def predicted(events: Floats, n: Floats, theta: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the expected count of each arm, and the probabilities of fewer and of more events, half of a tie in each.

    The count is binomial with a normal logit: mean theta, standard deviation spread; NaN where these are not finite.
    Both tails are summed from their small ends, so that neither is a difference from 1.

    Examples
    --------
    >>> one = np.array([1.0]), np.array([2.0]), np.array([0.0]), np.array([0.0])
    >>> [float(part[0].round(12)) for part in predicted(*one)]
    [1.0, 0.5, 0.5]
    """
    z = np.linspace(-REACH, REACH, POINTS)
    weight = np.exp(-0.5 * z * z)
    weight /= weight.sum()
    out = np.full((3, len(n)), np.nan)
    kernel = Binomial(events, n, np.zeros_like(n))
    for i in np.flatnonzero(np.isfinite(theta) & np.isfinite(spread)):
        x, size = float(events[i]), float(n[i])
        eta = theta[i] + spread[i] * z
        p = special.expit(eta)
        fewer = special.betaincc(x, size - x + 1, p) if x > 0 else np.zeros_like(p)
        more = special.betainc(x + 1, size - x, p) if x < size else np.zeros_like(p)
        tie = np.exp(kernel.take(np.array([i])).log_f(eta[None, :])[0])
        out[:, i] = size * (weight @ p), weight @ (fewer + 0.5 * tie), weight @ (more + 0.5 * tie)
    return out[0], out[1], out[2]


def _standard_errors(events: Floats, n: Floats, theta: float, tau2: Floats) -> Floats:
    """Return the standard error of theta that all arms have at each tau2, from the observed information."""
    k, units = len(n), len(tau2)
    kernel = Binomial(events, n, np.zeros_like(n)).take(np.tile(np.arange(k), units))
    if not np.isfinite(theta):
        return np.full(units, np.nan)
    parts = contributions(kernel, np.full(k * units, theta), np.repeat(tau2, k), nodes=NODES)
    return np.asarray(1 / np.sqrt(-parts.theta_theta.reshape(units, k).sum(axis=1)))
