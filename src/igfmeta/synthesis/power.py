"""The chance that a trial succeeds if its effect is known: log-rank test, two proportions, one proportion.

Every effect is on the analysis scale and signed so that more favours the experimental arm.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from igfmeta.numerics import Floats

#: Probabilities held at once.
AT_ONCE = 2**21


def critical(alpha: float, sides: int) -> float:
    """Return the standard normal deviate that is just significant.

    Examples
    --------
    >>> round(critical(0.05, 2), 3)
    1.96
    """
    return float(special.ndtri(1 - alpha / sides))


def log_rank_variance(events: float, allocation: float) -> float:
    """Return the variance of a log hazard ratio: (1 + r)^2 / (r d), d events (Schoenfeld 1981, Biometrika 68:316)."""
    return (1 + allocation) ** 2 / (allocation * events)


def log_rank_power(effect: Floats, *, events: float, allocation: float, z: float) -> Floats:
    """Return the power at log hazard ratios of which more is better (the sign turned)."""
    return np.asarray(special.ndtr(effect / math.sqrt(log_rank_variance(events, allocation)) - z))


def z_statistic(x_exp: Floats, x_ctl: Floats, n: int) -> Floats:
    """Return the statistic of the z test of two proportions, their variance pooled; 0 where nobody or all respond.

    (p1 - p0) / sqrt(2 p (1 - p) / n), p the mean of both (Fleiss, Levin & Paik 2003, Statistical methods for rates and
    proportions, section 3.1, without continuity correction).
    """
    pooled = (x_exp + x_ctl) / (2 * n)
    variance = 2 * pooled * (1 - pooled) / n
    return np.asarray((x_exp - x_ctl) / n / np.sqrt(np.where(variance > 0, variance, np.inf)))


def fewest_significant(x_ctl: Floats, n: int, z: float) -> Floats:
    """Return the fewest responders that are significantly more than those of the control arm; n + 1 where none are.

    The statistic rises with the responders, so bisection finds them.

    Examples
    --------
    >>> fewest_significant(np.array([0.0, 10.0, 50.0]), 50, 1.96)
    array([ 4., 19., 51.])
    """
    low, high = x_ctl.astype(float), np.full(len(x_ctl), n + 1.0)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = z_statistic(middle, x_ctl, n) >= z
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def binomial_pmf(n: int, rate: Floats) -> Floats:
    """Return the probabilities of 0 to n responders, shape (len(rate), n + 1)."""
    x = np.arange(n + 1.0)
    choose = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return np.asarray(np.exp(choose + special.xlogy(x, rate[:, None]) + special.xlog1py(n - x, -rate[:, None])))


def two_proportions_power(effect: Floats, *, control_rate: float, n: int, z: float) -> Floats:
    """Return the power of the z test of two proportions, n patients in each arm, at log odds ratios.

    Not the normal approximation of its power: the sum over the counts of both arms.

    Parameters
    ----------
    effect : ndarray of shape (m,)
        Log odds ratios of response.
    control_rate : float
    n : int
    z : float

    Examples
    --------
    >>> two_proportions_power(np.array([0.0, 1.0]), control_rate=0.3, n=100, z=1.96).round(3)
    array([0.025, 0.935])
    """
    x = np.arange(n + 1.0)
    needed = fewest_significant(x, n, z)
    control = binomial_pmf(n, np.array([control_rate]))[0]
    # needed rises with the count of the control arm: the counts that x responders beat are the first ones.
    beaten = np.concatenate([[0.0], np.cumsum(control)])[np.searchsorted(needed, x, side="right")]
    rate = special.expit(special.logit(control_rate) + effect)
    parts = np.array_split(rate, 1 + len(rate) * n // AT_ONCE)
    return np.concatenate([binomial_pmf(n, part) @ beaten for part in parts])


def at_least(r: Floats, n: int, rate: Floats) -> Floats:
    """Return P(X >= r) of a binomial variable: the regularized incomplete beta function; 0 where r is above n.

    Examples
    --------
    >>> at_least(np.array([0, 2, 3]), 2, np.array(0.5))
    array([1.  , 0.25, 0.  ])
    """
    inside = (r > 0) & (r <= n)
    tail = special.betainc(np.where(inside, r, 1.0), n - np.where(inside, r, 1.0) + 1, rate)
    return np.where(inside, tail, np.where(r <= 0, 1.0, 0.0))


def exact_boundary(n: int, null_rate: float, level: float) -> int:
    """Return the fewest responders of n with P(X >= r | null rate) <= level; n + 1 where not even all of them do.

    Examples
    --------
    >>> exact_boundary(20, 0.05, 0.025), exact_boundary(2, 0.5, 0.025)
    (4, 3)
    """
    r = np.arange(n + 2.0)
    return int(np.flatnonzero(at_least(r, n, np.asarray(null_rate)) <= level)[0])


def one_proportion_power(logit: Floats, *, n: int, null_rate: float, level: float) -> Floats:
    """Return the power of the exact binomial test at logits of the rate."""
    return at_least(np.asarray(float(exact_boundary(n, null_rate, level))), n, special.expit(logit))
