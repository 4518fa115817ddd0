"""Effects of two arms from means: mean difference, standardized mean difference, ratio of means; and correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from igfmeta.effects.estimates import EffectSizes, columns, effect_sizes, refuse
from igfmeta.errors import check_choice
from igfmeta.numerics import Floats, Mask

MeansMeasure = Literal["MD", "SMD", "ROM"]
CorrelationMeasure = Literal["ZCOR", "COR"]


@dataclass(frozen=True, eq=False)
class _Arms:
    """Means, standard deviations and numbers of patients of arm 1 and arm 2."""

    m1: Floats
    s1: Floats
    n1: Floats
    m2: Floats
    s2: Floats
    n2: Floats


Effect = tuple[Floats, Floats]


def _mean_difference(x: _Arms) -> Effect:
    """m1 - m2, s1^2/n1 + s2^2/n2: the variances of the arms may differ."""
    return x.m1 - x.m2, x.s1**2 / x.n1 + x.s2**2 / x.n2


def small_sample_factor(df: Floats) -> Floats:
    """Return J(m) = G(m/2) / (sqrt(m/2) G((m-1)/2)), which makes d unbiased (Hedges 1981, eq. 6e).

    Examples
    --------
    >>> small_sample_factor(np.array([10.0])).round(6).tolist()
    [0.922746]
    """
    half = df / 2
    return np.asarray(np.exp(special.gammaln(half) - special.gammaln(half - 0.5)) / np.sqrt(half))


def _standardized(x: _Arms) -> Effect:
    """Hedges (1981, 1982): g = J(m) (m1 - m2)/s, m = n1 + n2 - 2; 1/n1 + 1/n2 + g^2/(2 (n1 + n2))."""
    df = x.n1 + x.n2 - 2
    pooled = np.sqrt(((x.n1 - 1) * x.s1**2 + (x.n2 - 1) * x.s2**2) / df)
    g = small_sample_factor(df) * (x.m1 - x.m2) / pooled
    return g, 1 / x.n1 + 1 / x.n2 + g**2 / (2 * (x.n1 + x.n2))


def _ratio_of_means(x: _Arms) -> Effect:
    """Hedges, Gurevitch & Curtis (1999), eq. 1: log(m1/m2), s1^2/(n1 m1^2) + s2^2/(n2 m2^2)."""
    return np.log(x.m1 / x.m2), x.s1**2 / (x.n1 * x.m1**2) + x.s2**2 / (x.n2 * x.m2**2)


_OF_MEANS: dict[str, Callable[[_Arms], Effect]] = {
    "MD": _mean_difference,
    "SMD": _standardized,
    "ROM": _ratio_of_means,
}
MEANS_MEASURES = tuple(_OF_MEANS)


def two_means(
    mean1: Any, sd1: Any, n1: Any, mean2: Any, sd2: Any, n2: Any, *, measure: MeansMeasure | str
) -> EffectSizes:
    """Return effects of arm 1 against arm 2 from means, standard deviations and numbers of patients.

    Parameters
    ----------
    mean1, sd1, n1, mean2, sd2, n2 : array_like of shape (k,)
        NaN where not reported.
    measure : {"MD", "SMD", "ROM"}
        Mean difference, standardized mean difference (Hedges' g with its exact small-sample factor), log ratio of
        means.

    Returns
    -------
    EffectSizes
        Rows that cannot be used keep their place with the reason: a blank, for ROM means that are not of one sign, a
        variance of 0.

    Raises
    ------
    InputError
        Standard deviations below 0, numbers of patients that are not whole or below 2: all at once.

    References
    ----------
    Hedges 1981, J Educ Stat 6:107; Hedges 1982, Psychol Bull 92:490 (variance); Hedges, Gurevitch & Curtis 1999,
    Ecology 80:1150.

    Examples
    --------
    >>> g = two_means([55], [47], [155], [75], [64], [156], measure="SMD")
    >>> g.yi.round(4), g.vi.round(4)
    (array([-0.3552]), array([0.0131]))
    """
    measure = check_choice("measure", measure, MEANS_MEASURES)
    x = columns(mean1=mean1, sd1=sd1, n1=n1, mean2=mean2, sd2=sd2, n2=n2)
    refuse(*(check for arm in "12" for check in _arm_checks(x, f"sd{arm}", f"n{arm}")))
    blank = np.isnan(list(x.values())).any(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _OF_MEANS[measure](_Arms(*x.values()))
        one_sign = x["mean1"] * x["mean2"] > 0
    reasons = [
        _first(
            (blank[i], "a mean, standard deviation or number of patients is blank"),
            (measure == "ROM" and not one_sign[i], "means that are 0 or of different signs have no ratio"),
            (not (np.isfinite(yi[i]) and vi[i] > 0), "standard deviations of 0"),
        )
        for i in range(len(yi))
    ]
    return effect_sizes(measure, yi, vi, derivation="means", reason=reasons)


def _first(*checks: tuple[Any, str]) -> str | None:
    """Return the reason of the first check that holds."""
    return next((reason for holds, reason in checks if holds), None)


def _arm_checks(x: dict[str, Floats], sd: str, n: str) -> list[tuple[str, Floats, Mask, str]]:
    size, spread = x[n], x[sd]
    whole = np.isnan(size) | ((size == np.floor(size)) & (size >= 2) & np.isfinite(size))
    return [
        (n, size, ~whole, "a whole number, 2 or more"),
        (sd, spread, ~(np.isnan(spread) | ((spread >= 0) & np.isfinite(spread))), "a number, 0 or more"),
    ]


_OF_CORRELATIONS: dict[str, Callable[[Floats, Floats], Effect]] = {
    "ZCOR": lambda r, n: (np.arctanh(r), 1 / (n - 3)),
    "COR": lambda r, n: (r, (1 - r**2) ** 2 / (n - 1)),
}
CORRELATION_MEASURES = tuple(_OF_CORRELATIONS)


def correlations(r: Any, n: Any, *, measure: CorrelationMeasure | str) -> EffectSizes:
    """Return effects from correlation coefficients and sample sizes.

    Parameters
    ----------
    r, n : array_like of shape (k,)
        NaN where not reported.
    measure : {"ZCOR", "COR"}
        Fisher's z = atanh(r) with variance 1/(n - 3), or r itself with (1 - r^2)^2/(n - 1).

    Returns
    -------
    EffectSizes

    Raises
    ------
    InputError
        Correlations outside -1..1, sample sizes that are not whole or below 4: all at once.

    References
    ----------
    Fisher 1921, Metron 1:3; Hedges & Olkin 1985, Statistical Methods for Meta-Analysis, eq. 11.3 and 11.5.

    Examples
    --------
    >>> z = correlations([0.36], [69], measure="ZCOR")
    >>> z.yi.round(4), z.vi.round(4)
    (array([0.3769]), array([0.0152]))
    """
    measure = check_choice("measure", measure, CORRELATION_MEASURES)
    x = columns(r=r, n=n)
    size, value = x["n"], x["r"]
    whole = np.isnan(size) | ((size == np.floor(size)) & (size >= 4) & np.isfinite(size))
    refuse(
        ("n", size, ~whole, "a whole number, 4 or more"),
        ("r", value, ~(np.isnan(value) | (abs(value) <= 1)), "a correlation, -1 to 1"),
    )
    with np.errstate(divide="ignore"):
        yi, vi = _OF_CORRELATIONS[measure](value, size)
    reasons = [
        _first(
            (np.isnan(value[i]) or np.isnan(size[i]), "the correlation or the sample size is blank"),
            (abs(value[i]) == 1, "a correlation of 1 or -1 has no sampling variance"),
        )
        for i in range(len(yi))
    ]
    return effect_sizes(measure, yi, vi, derivation="correlation", reason=reasons)
