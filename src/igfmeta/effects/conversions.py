"""Conversions between measures, with the assumption that each one makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.effects.estimates import columns, refuse
from igfmeta.numerics import Floats, t_quantile


def mean_sd_from_range(minimum: Any, median: Any, maximum: Any, n: Any) -> tuple[Floats, Floats]:
    """Return mean and standard deviation from minimum, median and maximum (Wan 2014, BMC Med Res Methodol 14:135, S1).

    Mean (a + 2m + b)/4; SD (b - a) / (2 z((n - 0.375)/(n + 0.25))) (their eq. 2 and 9); assumes normality.

    Examples
    --------
    >>> mean, sd = mean_sd_from_range([2.0], [8.0], [20.0], [50])
    >>> float(mean[0]), round(float(sd[0]), 4)
    (9.5, 4.0119)
    """
    x = columns(minimum=minimum, median=median, maximum=maximum, n=n)
    _check_order(x, "minimum", "median", "maximum")
    z = t_quantile((x["n"] - 0.375) / (x["n"] + 0.25), np.inf)
    mean = (x["minimum"] + 2 * x["median"] + x["maximum"]) / 4
    return mean, np.asarray((x["maximum"] - x["minimum"]) / (2 * z))


def mean_sd_from_quartiles(q1: Any, median: Any, q3: Any, n: Any) -> tuple[Floats, Floats]:
    """Return mean and standard deviation from the quartiles (Wan 2014, S3).

    Mean (q1 + m + q3)/3; SD (q3 - q1) / (2 z((0.75n - 0.125)/(n + 0.25))) (their eq. 14 and 16); assumes normality.

    Examples
    --------
    >>> mean, sd = mean_sd_from_quartiles([5.0], [8.0], [12.0], [50])
    >>> round(float(mean[0]), 4), round(float(sd[0]), 4)
    (8.3333, 5.3431)
    """
    x = columns(q1=q1, median=median, q3=q3, n=n)
    _check_order(x, "q1", "median", "q3")
    z = t_quantile((0.75 * x["n"] - 0.125) / (x["n"] + 0.25), np.inf)
    return (x["q1"] + x["median"] + x["q3"]) / 3, np.asarray((x["q3"] - x["q1"]) / (2 * z))


def _check_order(x: dict[str, Floats], low: str, middle: str, high: str) -> None:
    refuse(
        (middle, x[middle], ~((x[low] <= x[middle]) & (x[middle] <= x[high])), f"a number from {low} to {high}"),
        ("n", x["n"], ~(x["n"] >= 2), "a number of patients, 2 or more"),
    )


def smd_from_log_or(log_or: Any) -> Floats:
    """Return log OR x sqrt(3)/pi, the standardized mean difference of logistic variables (Hasselblad & Hedges 1995).

    Examples
    --------
    >>> float(smd_from_log_or(np.log(2.5)).round(4))
    0.5052
    """
    return np.asarray(np.asarray(log_or, dtype=float) * np.sqrt(3) / np.pi)


def log_or_from_smd(smd: Any) -> Floats:
    """Return SMD x pi/sqrt(3), the inverse of `smd_from_log_or`."""
    return np.asarray(np.asarray(smd, dtype=float) * np.pi / np.sqrt(3))


def rr_from_or(odds_ratio: Any, baseline_risk: Any) -> Floats:
    """Return OR / (1 - p0 + p0 OR), the risk ratio at the baseline risk p0 (Zhang & Yu 1998, JAMA 280:1690).

    Examples
    --------
    >>> rr_from_or([2.0], [0.15]).round(4)
    array([1.7391])
    """
    x = columns(odds_ratio=odds_ratio, baseline_risk=baseline_risk)
    _check_risk(x, "odds_ratio")
    return x["odds_ratio"] / (1 - x["baseline_risk"] + x["baseline_risk"] * x["odds_ratio"])


def nnt_from_rr(risk_ratio: Any, baseline_risk: Any) -> Floats:
    """Return 1 / (p0 (1 - RR)), the number needed to treat at the baseline risk p0; negative: to harm; inf at RR = 1.

    Examples
    --------
    >>> nnt_from_rr([0.8], [0.15]).round(2)
    array([33.33])
    """
    x = columns(risk_ratio=risk_ratio, baseline_risk=baseline_risk)
    _check_risk(x, "risk_ratio")
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (x["baseline_risk"] * (1 - x["risk_ratio"])))


def _check_risk(x: dict[str, Floats], ratio: str) -> None:
    refuse(
        (ratio, x[ratio], ~(x[ratio] > 0), "a ratio above 0"),
        (
            "baseline_risk",
            x["baseline_risk"],
            ~((x["baseline_risk"] > 0) & (x["baseline_risk"] < 1)),
            "a risk between 0 and 1",
        ),
    )
