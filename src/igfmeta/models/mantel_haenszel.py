"""Mantel-Haenszel pooling of two arms: sums over studies, no correction of zero cells, one common effect.

The cells of the studies are arrays of shape (k,), a and c events of n1 and n2 patients (or in t1 and t2 of
person-time); a mask of shape (batch, k) says which studies each pool takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from igfmeta.effects.zero_cells import ZERO_CELLS, corrected_studies, increments
from igfmeta.errors import InputError, check_choice
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, Mask, chi2_upper, row_sum, t_quantile, t_two_sided

Cells = tuple[Floats, Floats, Floats, Floats]


@dataclass(frozen=True, eq=False)
class Common:
    """Common effects, shape (batch,): estimate and standard error on the analysis scale, and weights (batch, k).

    An infinite estimate is that of a ratio whose numerator or denominator has no event; NaN, of both.
    """

    estimate: Floats
    se: Floats
    weights: Floats


@dataclass(frozen=True)
class ChiSquared:
    """A test: its statistic, degrees of freedom and p-value; None where it cannot be computed."""

    statistic: float | None
    df: int
    p_value: float | None


def _log_ratio(r: Floats, s: Floats, variance: Floats, weights: Floats) -> Common:
    with np.errstate(divide="ignore", invalid="ignore"):
        return Common(estimate=np.log(r) - np.log(s), se=np.sqrt(variance), weights=weights)


def odds_ratio(a: Floats, n1: Floats, c: Floats, n2: Floats, mask: Mask) -> Common:
    """Return the log odds ratio, R/S with R = sum(ad/N), S = sum(bc/N) (Mantel & Haenszel 1959).

    Variance: Robins, Breslow & Greenland 1986, Biometrics 42:311, which holds for few large and many small studies.
    """
    b, d, n = n1 - a, n2 - c, n1 + n2
    ri, si = mask * (a * d / n), mask * (b * c / n)
    p, q, r, s = (a + d) / n, (b + c) / n, row_sum(ri), row_sum(si)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (
            row_sum(p * ri) / (2 * r * r) + row_sum(p * si + q * ri) / (2 * r * s) + row_sum(q * si) / (2 * s * s)
        )
    return _log_ratio(r, s, variance, si)


def risk_ratio(a: Floats, n1: Floats, c: Floats, n2: Floats, mask: Mask) -> Common:
    """Return the log risk ratio and its variance (Greenland & Robins 1985, Biometrics 41:55, eq. 4 and 13)."""
    n = n1 + n2
    ri, si = mask * (a * n2 / n), mask * (c * n1 / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = row_sum(mask * ((n1 * n2 * (a + c) - a * c * n) / n**2)) / (row_sum(ri) * row_sum(si))
    return _log_ratio(row_sum(ri), row_sum(si), variance, si)


def risk_difference(a: Floats, n1: Floats, c: Floats, n2: Floats, mask: Mask) -> Common:
    """Return the risk difference (Greenland & Robins 1985, eq. 7); studies without an event count too.

    Variance: Sato, Greenland & Robins 1989 (Biometrics 45:1323), which unlike that of 1985 holds for many small
    studies as well as for few large ones; metafor uses it too.
    """
    n = n1 + n2
    weights = mask * (n1 * n2 / n)
    first = c * (n1 / n) ** 2 - a * (n2 / n) ** 2 + (n1 / n) * (n2 / n) * (n2 - n1) / 2
    second = (a * (n2 - c) / n + c * (n1 - a) / n) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        total = row_sum(weights)
        estimate = row_sum(mask * (a * n2 / n - c * n1 / n)) / total
        variance = (estimate * row_sum(mask * first) + row_sum(mask * second)) / total**2
    return Common(estimate, np.sqrt(variance), weights)


def rate_ratio(a: Floats, t1: Floats, c: Floats, t2: Floats, mask: Mask) -> Common:
    """Return the log rate ratio of events in person-time (Greenland & Robins 1985, eq. 11 and 14)."""
    t = t1 + t2
    ri, si = mask * (a * t2 / t), mask * (c * t1 / t)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = row_sum(mask * ((a + c) * t1 * t2 / t**2)) / (row_sum(ri) * row_sum(si))
    return _log_ratio(row_sum(ri), row_sum(si), variance, si)


def rate_difference(a: Floats, t1: Floats, c: Floats, t2: Floats, mask: Mask) -> Common:
    """Return the rate difference of events in person-time (Greenland & Robins 1985)."""
    weights = mask * (t1 * t2 / (t1 + t2))
    with np.errstate(divide="ignore", invalid="ignore"):
        total = row_sum(weights)
        estimate = row_sum(weights * (a / t1 - c / t2)) / total
        variance = row_sum(weights**2 * (a / t1**2 + c / t2**2)) / total**2
    return Common(estimate, np.sqrt(variance), weights)


ESTIMATES: dict[str, Callable[[Floats, Floats, Floats, Floats, Mask], Common]] = {
    "OR": odds_ratio,
    "RR": risk_ratio,
    "RD": risk_difference,
    "IRR": rate_ratio,
    "IRD": rate_difference,
}

NO_SPREAD = "No arm varies (no event, or an event in everybody): the standard error is 0, the interval says nothing."

_WORDS = {"OR": "odds ratio", "RR": "risk ratio", "IRR": "rate ratio"}


def corrected(counts: dict[str, Floats], mask: Mask, policy: str) -> Cells:
    """Return the cells with what a policy adds to them, which for if0all depends on the studies of each pool."""
    policy = check_choice("zero_cells", policy, ZERO_CELLS)
    a, size1, c, size2 = counts.values()
    patients = "n1" in counts
    if policy == "treatment_arm" and not patients:
        raise InputError("zero_cells was 'treatment_arm'; with person-time accepted are none, only0, if0all and all.")
    if policy == "none":
        return a, size1, c, size2
    empty = (a == 0) | (c == 0)
    if patients:
        empty |= (a == size1) | (c == size2)
    add1, add2 = increments(size1, size2, corrected_studies(empty & mask, policy), policy, 0.5)
    grown = 2 if patients else 0  # an increment to events and non-events makes an arm larger by two of them
    return a + add1, size1 + grown * add1, c + add2, size2 + grown * add2


def fits(
    measure: str,
    counts: dict[str, Floats],
    mask: Mask,
    *,
    yi: Floats,
    vi: Floats,
    level: float,
    zero_cells: str = "none",
) -> tuple[Pooled, ...]:
    """Return the Mantel-Haenszel pool of each row of a mask, with Q of the studies' own effects around it.

    Parameters
    ----------
    measure : str
        A key of `ESTIMATES`.
    counts : dict of ndarray of shape (k,)
        events1, n1, events2, n2; or events1, time1, events2, time2.
    mask : ndarray of bool, shape (batch, k)
    yi, vi : ndarray of shape (k,)
        The studies' own effects, their zero cells corrected: only Q is made of them, and not of studies in which
        nobody or everybody had an event.
    level : float
    zero_cells : str
        What is added before pooling; nothing by default, since the sums need no correction.
    """
    common = ESTIMATES[measure](*corrected(counts, mask, zero_cells), mask)
    events = counts["events1"] + counts["events2"]
    everybody = counts["n1"] + counts["n2"] if "n1" in counts else np.inf
    own = mask & (events > 0) & (events < everybody) & np.isfinite(yi)
    with np.errstate(invalid="ignore"):
        q = row_sum(np.where(own, (yi - common.estimate[:, None]) ** 2 / vi, 0.0))
    df = own.sum(axis=1) - 1
    return tuple(
        _one(measure, float(common.estimate[i]), float(common.se[i]), common.weights[i, mask[i]],
             q=float(q[i]), df=int(df[i]), level=level)
        for i in range(len(mask))
    )  # fmt: skip


def _one(measure: str, estimate: float, se: float, weights: Floats, *, q: float, df: int, level: float) -> Pooled:
    k = len(weights)
    if not np.isfinite(estimate):
        reason = _why(measure, estimate) if k else "No study is left."
        return Pooled.missing(reason, k=k, method="MH", ci="z", level=level)
    half = float(t_quantile(0.5 + level / 2, np.inf)) * se
    i2 = max(0.0, 100 * (q - df) / q) if df > 0 and q > 0 else (0.0 if df > 0 else None)
    statistic = estimate / se if se > 0 else None
    return Pooled.of_likelihood(
        k=k,
        estimate=estimate,
        se=se,
        statistic=statistic,
        p_value=None if statistic is None else float(t_two_sided(statistic, np.inf)),
        ci_lower=estimate - half,
        ci_upper=estimate + half,
        tau2=0.0 if k > 1 else None,
        i2=i2,
        i2_q=i2,
        h2=q / df if df > 0 else None,
        q=q,
        q_df=df,
        q_p_value=float(chi2_upper(q, df)) if df > 0 else 1.0,
        weights=100 * weights / weights.sum(),
        method="MH",
        ci="z",
        level=level,
        remarks=() if se > 0 else (NO_SPREAD,),
    )


def _why(measure: str, estimate: float) -> str:
    """Return why a ratio is infinite or undefined."""
    value, arm = ("infinite", "2") if estimate > 0 else ("0", "1")
    where = "either arm" if np.isnan(estimate) else f"arm {arm}"
    return (
        f"The Mantel-Haenszel {_WORDS[measure]} is {'undefined' if np.isnan(estimate) else value}: the studies that "
        f"count have no event in {where} that could be compared. A risk difference, or --model glmm or firth, may give "
        "an answer."
    )


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
