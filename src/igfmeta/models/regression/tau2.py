"""Residual between-study variance of a meta-regression: every estimator, with moderators.

With fixed weights A the statistic y'Py, P = A - AX(X'AX)^-1X'A, has expectation tr(PV) + tau2 tr(P); DerSimonian-Laird
and its relatives solve this for tau2 (Viechtbauer, Lopez-Lopez, Sanchez-Meca & Marin-Martinez 2015, Psychol Methods
20:360, table 1; Jackson 2013, Res Synth Methods 4:220, for any weights). Standard errors follow from the variance of
a quadratic form in normal variables.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.regression.data import Regressions
from igfmeta.models.regression.likelihood import Found, maximize
from igfmeta.models.regression.weighted import weigh, weigh_at
from igfmeta.numerics import Floats, Mask, chi2_quantile
from igfmeta.solver import bracketed_newton


def _finite(data: Regressions) -> Floats:
    """Return the variances with 0 for left-out studies."""
    return np.where(data.mask, data.v, 0.0)


def _moments(data: Regressions, a: Floats) -> Floats:
    """Return tau2 from the moment equation with fixed weights `a`."""
    fit = weigh(data, a)
    return np.maximum((fit.rss - fit.trace(_finite(data))) / fit.trace(), 0.0)


def _dersimonian_laird(data: Regressions) -> Floats:
    return _moments(data, 1.0 / data.v)


def _equal(data: Regressions) -> Floats:
    return data.mask.astype(float)


def _hedges_olkin(data: Regressions) -> Floats:
    return _moments(data, _equal(data))


def _hunter_schmidt(data: Regressions, factor: Floats | float) -> Floats:
    fit = weigh(data, 1.0 / data.v)
    return np.maximum((factor * fit.rss - data.k) / fit.w.sum(axis=0), 0.0)


def _total_variance(data: Regressions) -> Floats:
    """Return the variance of the effects themselves, divisor k: the residuals' and what X explains about the mean."""
    # The part of the effects in the space of X: start is its coefficients, and basis @ coef is X @ start.
    coef = np.linalg.solve(data.back, data.start[:, :, None])[:, :, 0] / np.sqrt(data.scale)[:, None]
    fitted = np.einsum("pkn,np->kn", data.basis, coef)
    whole = data.y + fitted
    centred = np.where(data.mask, whole - whole.sum(axis=0) / data.k, 0.0)
    return np.asarray((centred**2).sum(axis=0) / data.k)


def _sidik_jonkman(data: Regressions) -> Floats:
    """Sidik & Jonkman (2005), Appl Stat 54:367, started at the total variance of the effects, as metafor does."""
    start = _total_variance(data)
    with np.errstate(divide="ignore", invalid="ignore"):
        return start * weigh_at(data, start).rss / data.df


def q_root(data: Regressions, target: Floats) -> tuple[Floats, Mask]:
    """Return the tau2 at which y'Py = target, 0 where it is not above the target at 0, and whether it converged.

    Newton's method on 1/Q, which is a straight line in tau2 when the variances are equal and nearly one otherwise.
    """
    tau2, converged = np.zeros(len(data)), np.ones(len(data), dtype=bool)
    positive = np.flatnonzero(weigh_at(data, tau2).rss > target)
    if not len(positive):
        return tau2, converged
    part, aim = data.rows(positive), target[positive]

    def equations(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        some = part if len(rows) == len(part) else part.rows(rows)
        fit = weigh_at(some, t)
        with np.errstate(divide="ignore"):
            return 1.0 / aim[rows] - 1.0 / fit.rss, -np.square(fit.u).sum(axis=0) / fit.rss**2

    # Q(tau2) <= RSS/tau2, because the weighted residuals minimize Q and w <= 1/tau2.
    high = np.square(part.y).sum(axis=0) / aim * (1 + 1e-12)
    tau2[positive], converged[positive] = bracketed_newton(equations, np.zeros(len(positive)), high)
    return tau2, converged


def _rooted(data: Regressions, target: Floats) -> Found:
    tau2, converged = q_root(data, target)
    return Found(tau2, converged, np.zeros(len(data), dtype=bool))


def _closed(estimate: Callable[[Regressions], Floats]) -> Callable[[Regressions], Found]:
    return lambda data: Found.closed(estimate(data))


ESTIMATORS: dict[str, Callable[[Regressions], Found]] = {
    "CE": _closed(lambda data: np.zeros(len(data))),
    "DL": _closed(_dersimonian_laird),
    "DL2": _closed(lambda data: _moments(data, weigh_at(data, _dersimonian_laird(data)).w)),
    "CA2": _closed(lambda data: _moments(data, weigh_at(data, _hedges_olkin(data)).w)),
    "HE": _closed(_hedges_olkin),
    "HS": _closed(lambda data: _hunter_schmidt(data, 1.0)),
    "HSK": _closed(lambda data: _hunter_schmidt(data, data.k / data.df)),
    "SJ": _closed(_sidik_jonkman),
    "ML": lambda data: maximize(data, restricted=False),
    "REML": lambda data: maximize(data, restricted=True),
    "EB": lambda data: _rooted(data, data.df),
    "PM": lambda data: _rooted(data, data.df),
    "PMM": lambda data: _rooted(data, np.asarray(chi2_quantile(0.5, data.df))),
    "GENQ": _closed(lambda data: _moments(data, 1.0 / np.sqrt(data.v))),
}


def estimate(data: Regressions, method: str) -> Found:
    """Return tau2 of every data set, in the batch's units; NaN where a data set is not estimable."""
    if data.estimable.all():
        return ESTIMATORS[method](data)
    n = len(data)
    tau2, converged, multimodal = np.full(n, np.nan), np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    some = np.flatnonzero(data.estimable)
    if len(some):
        found = ESTIMATORS[method](data.rows(some))
        tau2[some], converged[some], multimodal[some] = found.tau2, found.converged, found.multimodal
    return Found(tau2, converged, multimodal)


def _quadratic_form(data: Regressions, a: Floats, tau2: Floats) -> Floats:
    """Return the standard deviation of y'Py, P of the weights `a`: sqrt(2 tr(PS PS)), S = V + tau2 I."""
    total = np.where(data.mask, data.v + tau2, 0.0)
    return np.sqrt(2 * weigh(data, a).trace_pdpe(total, total))


#: Weights of the moment estimators, whose standard errors are those of y'Py / tr(P).
_WEIGHTS: dict[str, Callable[[Regressions], Floats]] = {
    "DL": lambda data: 1.0 / data.v,
    "DL2": lambda data: weigh_at(data, _dersimonian_laird(data)).w,
    "CA2": lambda data: weigh_at(data, _hedges_olkin(data)).w,
    "HE": _equal,
    "GENQ": lambda data: 1.0 / np.sqrt(data.v),
}


def standard_error(data: Regressions, method: str, tau2: Floats) -> Floats:
    """Return the standard error of tau2, in the batch's units; NaN for the common-effect model.

    ML and REML: from the expected information (Viechtbauer 2005); PM, EB and PMM: Morris (1983).
    """
    if method == "CE":
        return np.full(len(data), np.nan)
    if method in _WEIGHTS:
        a = _WEIGHTS[method](data)
        return np.asarray(_quadratic_form(data, a, tau2) / weigh(data, a).trace())
    if method in ("HS", "HSK"):
        factor = data.k / data.df if method == "HSK" else 1.0
        w = 1.0 / data.v
        return np.asarray(factor * _quadratic_form(data, w, tau2) / w.sum(axis=0))
    if method == "SJ":
        start = _total_variance(data)
        return np.asarray(start / data.df * _quadratic_form(data, weigh_at(data, start).w, tau2))
    fit = weigh_at(data, tau2)
    ones = np.ones_like(fit.w)
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "REML":
            return np.sqrt(2 / fit.trace_pdpe(ones, ones))
        if method == "ML":
            return np.sqrt(2 / np.square(fit.w).sum(axis=0))
        return np.asarray(np.sqrt(2 * data.k**2 / data.df) / fit.w.sum(axis=0))
