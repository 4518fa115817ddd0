"""A weighted regression of effects on one predictor, with multiplicative, additive or no dispersion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.bias.funnel import Asymmetry
from igfmeta.numerics import Floats, t_quantile, t_two_sided

#: "multiplicative": standard errors times the root of the weighted residual variance, t with k - 2 df; "none": weights
#: 1/v taken as they are; "moments" and "REML": weights 1/(v + tau2), tau2 of the residuals.
Dispersion = Literal["multiplicative", "none", "moments", "REML"]

#: Points of the scan for maxima of the restricted likelihood, and bisections of each bracket.
POINTS, HALVINGS = 200, 70


@dataclass(frozen=True, eq=False)
class _Fit:
    """Weighted least squares: coefficients, unscaled covariance, residual sum of squares, tr((X'WX)^-1 X'W^2X)."""

    beta: Floats
    covariance: Floats
    rss: float
    leverage: float


def _least_squares(y: Floats, w: Floats, x: Floats) -> _Fit:
    design = np.column_stack([np.ones(len(y)), x])
    spread = design.T @ (w[:, None] * design)
    covariance = np.linalg.inv(spread)
    beta = covariance @ (design.T @ (w * y))
    leverage = float(np.trace(covariance @ (design.T @ ((w * w)[:, None] * design))))
    return _Fit(beta, covariance, float(np.sum(w * (y - design @ beta) ** 2)), leverage)


def _moments(y: Floats, v: Floats, x: Floats) -> float:
    """Return tau2 = (QE - (k - 2)) / (sum w - tr((X'WX)^-1 X'W^2X)), 0 at least (Thompson & Sharp 1999, eq. 5)."""
    fit = _least_squares(y, 1 / v, x)
    return max(0.0, (fit.rss - (len(y) - 2)) / (float(np.sum(1 / v)) - fit.leverage))


def _score(t: float, y: Floats, v: Floats, x: Floats) -> float:
    """Return twice the derivative of the restricted log-likelihood in tau2: y'PPy - tr(P)."""
    w = 1 / (v + t)
    fit = _least_squares(y, w, x)
    residual = y - fit.beta[0] - fit.beta[1] * x
    return float(np.sum((w * residual) ** 2) - w.sum() + fit.leverage)


def _restricted(t: float, y: Floats, v: Floats, x: Floats) -> float:
    fit = _least_squares(y, 1 / (v + t), x)
    return 0.5 * float(-np.sum(np.log(v + t)) + np.linalg.slogdet(fit.covariance)[1] - fit.rss)


def _reml(y: Floats, v: Floats, x: Floats) -> float:
    """Return the residual tau2 at the highest maximum of the restricted likelihood."""
    high = max(float(np.ptp(y)) ** 2, 10 * float(v.max()))
    grid = np.concatenate([[0.0], np.geomspace(0.01 * float(v.min()), high, POINTS)])
    scores = np.array([_score(t, y, v, x) for t in grid])
    maxima = [0.0] if scores[0] <= 0 else []
    for i in np.flatnonzero((scores[:-1] > 0) & (scores[1:] <= 0)):
        a, b = float(grid[i]), float(grid[i + 1])
        for _ in range(HALVINGS):
            middle = 0.5 * (a + b)
            a, b = (middle, b) if _score(middle, y, v, x) > 0 else (a, middle)
        maxima.append(0.5 * (a + b))
    return max(maxima, key=lambda t: _restricted(t, y, v, x)) if maxima else 0.0


def line(
    y: Floats,
    v: Floats,
    predictor: Floats,
    *,
    dispersion: Dispersion = "multiplicative",
    test: Literal["t", "z"] = "t",
    limit_at_zero: bool = True,
    level: float = 0.95,
) -> Asymmetry:
    """Return the test that the slope of y on a predictor is 0.

    Parameters
    ----------
    y, v : ndarray of shape (k,)
        Effects and the inverses of their weights.
    predictor : ndarray of shape (k,)
    dispersion : {"multiplicative", "none", "moments", "REML"}
    test : {"t", "z"}
        t with k - 2 degrees of freedom, or normal.
    limit_at_zero : bool
        Predictor 0 stands for an infinitely large study.
    level : float
        Of the interval of the limit.

    Raises
    ------
    InputError
        A predictor that does not vary, or is not finite.
    """
    k = len(y)
    if infinite := int((~np.isfinite(predictor)).sum()):
        raise InputError(
            f"The predictor of the regression is infinite for {infinite} of {k} studies, without an event."
        )
    if np.ptp(predictor) <= 1e-12 * np.max(np.abs(predictor)):
        raise InputError("The predictor of the regression is the same for every study, so that there is no slope.")
    # Predictor and variances of size 1, so that the sums keep their digits.
    scale, unit = float(np.max(np.abs(predictor))), float(np.median(v))
    x, y, v = predictor / scale, y / np.sqrt(unit), v / unit
    tau2 = {"moments": _moments, "REML": _reml}[dispersion](y, v, x) if dispersion in ("moments", "REML") else 0.0
    fit = _least_squares(y, 1 / (v + tau2), x)
    factor = fit.rss / (k - 2) if dispersion == "multiplicative" else 1.0
    se = np.sqrt(factor * np.diag(fit.covariance))
    df = float(k - 2) if test == "t" else np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = float(fit.beta[1] / se[1])
    half = float(t_quantile(0.5 + level / 2, df)) * float(se[0])
    root = float(np.sqrt(unit))
    limit = root * float(fit.beta[0]) if limit_at_zero else None
    return Asymmetry(
        k=k,
        kind=test,
        statistic=statistic,
        df=df if test == "t" else None,
        p_value=float(t_two_sided(statistic, df)),
        slope=root * float(fit.beta[1]) / scale,
        slope_se=root * float(se[1]) / scale,
        limit=limit,
        limit_lower=None if limit is None else limit - root * half,
        limit_upper=None if limit is None else limit + root * half,
        tau2=unit * tau2 if dispersion in ("moments", "REML") else None,
    )
