"""Mantel-Haenszel pooling of two arms: sums over studies, no correction of zero cells, one common effect.

Every function takes the cells of the studies as arrays of shape (k,), a and c events of n1 and n2 patients (or in t1
and t2 of person-time), and returns estimate, standard error and the weights of the studies, on the analysis scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from igfmeta.errors import NothingToPool
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, chi2_upper, t_quantile, t_two_sided


@dataclass(frozen=True, eq=False)
class Common:
    """A common effect: estimate and standard error on the analysis scale, and weights of shape (k,)."""

    estimate: float
    se: float
    weights: Floats


@dataclass(frozen=True)
class ChiSquared:
    """A test: its statistic, degrees of freedom and p-value; None where it cannot be computed."""

    statistic: float | None
    df: int
    p_value: float | None


def _ratio(r: float, s: float, variance: float, weights: Floats, what: str) -> Common:
    if r <= 0 or s <= 0:
        arm = "1" if r <= 0 else "2"
        raise NothingToPool(
            f"The Mantel-Haenszel {what} is {'0' if r <= 0 else 'infinite'}: the studies that count have no event in "
            f"arm {arm} that could be compared. A risk difference, or --model glmm or firth, may give an answer."
        )
    return Common(estimate=float(np.log(r / s)), se=float(np.sqrt(variance)), weights=weights)


def odds_ratio(a: Floats, n1: Floats, c: Floats, n2: Floats) -> Common:
    """Return the log odds ratio, R/S with R = sum(ad/N), S = sum(bc/N) (Mantel & Haenszel 1959).

    Variance: Robins, Breslow & Greenland 1986, Biometrics 42:311, which holds for few large and many small studies.
    """
    b, d, n = n1 - a, n2 - c, n1 + n2
    ri, si = a * d / n, b * c / n
    p, q, r, s = (a + d) / n, (b + c) / n, ri.sum(), si.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (p * ri).sum() / (2 * r * r) + (p * si + q * ri).sum() / (2 * r * s) + (q * si).sum() / (2 * s * s)
    return _ratio(r, s, variance, si, "odds ratio")


def risk_ratio(a: Floats, n1: Floats, c: Floats, n2: Floats) -> Common:
    """Return the log risk ratio and its variance (Greenland & Robins 1985, Biometrics 41:55, eq. 4 and 13)."""
    n = n1 + n2
    ri, si = a * n2 / n, c * n1 / n
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = ((n1 * n2 * (a + c) - a * c * n) / n**2).sum() / (ri.sum() * si.sum())
    return _ratio(ri.sum(), si.sum(), variance, si, "risk ratio")


def risk_difference(a: Floats, n1: Floats, c: Floats, n2: Floats) -> Common:
    """Return the risk difference (Greenland & Robins 1985, eq. 7); studies without an event count too.

    Variance: Sato, Greenland & Robins 1989 (Biometrics 45:1323), which unlike that of 1985 holds for many small
    studies as well as for few large ones; metafor uses it too.
    """
    n = n1 + n2
    weights = n1 * n2 / n
    total = weights.sum()
    estimate = (a * n2 / n - c * n1 / n).sum() / total
    first = c * (n1 / n) ** 2 - a * (n2 / n) ** 2 + (n1 / n) * (n2 / n) * (n2 - n1) / 2
    second = (a * (n2 - c) / n + c * (n1 - a) / n) / 2
    return Common(float(estimate), float(np.sqrt((estimate * first.sum() + second.sum()) / total**2)), weights)


def rate_ratio(a: Floats, t1: Floats, c: Floats, t2: Floats) -> Common:
    """Return the log rate ratio of events in person-time (Greenland & Robins 1985, eq. 11 and 14)."""
    t = t1 + t2
    ri, si = a * t2 / t, c * t1 / t
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = ((a + c) * t1 * t2 / t**2).sum() / (ri.sum() * si.sum())
    return _ratio(ri.sum(), si.sum(), variance, si, "rate ratio")


def rate_difference(a: Floats, t1: Floats, c: Floats, t2: Floats) -> Common:
    """Return the rate difference of events in person-time (Greenland & Robins 1985)."""
    weights = t1 * t2 / (t1 + t2)
    estimate = (weights * (a / t1 - c / t2)).sum() / weights.sum()
    variance = (weights**2 * (a / t1**2 + c / t2**2)).sum() / weights.sum() ** 2
    return Common(float(estimate), float(np.sqrt(variance)), weights)


ESTIMATES: dict[str, Callable[[Floats, Floats, Floats, Floats], Common]] = {
    "OR": odds_ratio,
    "RR": risk_ratio,
    "RD": risk_difference,
    "IRR": rate_ratio,
    "IRD": rate_difference,
}


def cochran_mantel_haenszel(a: Floats, n1: Floats, c: Floats, n2: Floats) -> ChiSquared:
    """Test no effect in any 2 x 2 table, with the continuity correction of 1/2 (Mantel & Haenszel 1959, eq. 2).

    Examples
    --------
    >>> test = cochran_mantel_haenszel(*np.array([[4.0, 6.0], [20.0, 30.0], [9.0, 12.0], [21.0, 28.0]]))
    >>> round(test.statistic, 4), round(test.p_value, 4)
    (4.8899, 0.027)
    """
    n, m = n1 + n2, a + c
    excess = (a - n1 * m / n).sum()
    variance = (n1 * n2 * m * (n - m) / (n**2 * (n - 1))).sum()
    return _continuity_corrected(excess, variance)


def rate_cmh(a: Floats, t1: Floats, c: Floats, t2: Floats) -> ChiSquared:
    """Test no effect on a rate in any study (Rothman, Greenland & Lash 2008, eq. 15-11), corrected by 1/2."""
    m, t = a + c, t1 + t2
    return _continuity_corrected((a - m * t1 / t).sum(), (m * t1 * t2 / t**2).sum())


def _continuity_corrected(excess: float, variance: float) -> ChiSquared:
    if variance <= 0:
        return ChiSquared(None, 1, None)
    statistic = float(max(abs(excess) - 0.5, 0.0) ** 2 / variance)
    return ChiSquared(statistic, 1, float(chi2_upper(statistic, 1)))


def _expected(odds: float, n1: Floats, m: Floats, n2: Floats) -> Floats:
    """Return the count a of each table at which its odds ratio is `odds`, margins held: the root of a quadratic."""
    linear = odds * (n1 + m) + n2 - m
    square = odds - 1.0
    # The stable form of the root, which is also the right one at odds 1, where the quadratic is linear.
    return np.asarray(2 * odds * n1 * m / (linear + np.sqrt(linear**2 - 4 * square * odds * n1 * m)))


def breslow_day(odds: float, a: Floats, n1: Floats, c: Floats, n2: Floats) -> tuple[ChiSquared, ChiSquared]:
    """Return the Breslow-Day test that the odds ratios are equal, and Tarone's correction of it.

    Parameters
    ----------
    odds : float
        The Mantel-Haenszel odds ratio.
    a, n1, c, n2 : ndarray of shape (k,)
        Studies with no event, or an event in everybody, say nothing and do not count.

    References
    ----------
    Breslow & Day 1980, eq. 4.30; Tarone 1985, Biometrika 72:91, eq. 5.
    """
    m, n = a + c, n1 + n2
    tells = (m > 0) & (m < n)
    a, n1, n2, m = a[tells], n1[tells], n2[tells], m[tells]
    df = len(a) - 1
    if df < 1:
        return ChiSquared(None, 0, None), ChiSquared(None, 0, None)
    e = _expected(odds, n1, m, n2)
    v = 1 / (1 / e + 1 / (n1 - e) + 1 / (m - e) + 1 / (n2 - m + e))
    plain = float(((a - e) ** 2 / v).sum())
    corrected = plain - float((a - e).sum() ** 2 / v.sum())
    first, second = (ChiSquared(x, df, float(chi2_upper(x, df))) for x in (plain, corrected))
    return first, second


def pooled(common: Common, *, yi: Floats, vi: Floats, level: float, method: str) -> Pooled:
    """Return a common effect as a `Pooled`: a normal interval, and Q of the studies' own effects around it.

    Parameters
    ----------
    common : Common
    yi, vi : ndarray of shape (k,)
        The studies' own effects, their zero cells corrected: only Q is made of them.
    """
    k = len(common.weights)
    q = float((((yi - common.estimate) ** 2) / vi).sum())
    df = len(yi) - 1
    half = float(t_quantile(0.5 + level / 2, np.inf)) * common.se
    i2 = max(0.0, 100 * (q - df) / q) if df > 0 and q > 0 else (0.0 if df > 0 else None)
    statistic = common.estimate / common.se if common.se > 0 else None
    return Pooled.of_likelihood(
        k=k,
        estimate=common.estimate,
        se=common.se,
        statistic=statistic,
        p_value=None if statistic is None else float(t_two_sided(statistic, np.inf)),
        ci_lower=common.estimate - half,
        ci_upper=common.estimate + half,
        tau2=0.0 if k > 1 else None,
        i2=i2,
        i2_q=i2,
        h2=q / df if df > 0 else None,
        q=q,
        q_df=df,
        q_p_value=float(chi2_upper(q, df)) if df > 0 else 1.0,
        weights=100 * common.weights / common.weights.sum(),
        method=method,
        ci="z",
        level=level,
    )
