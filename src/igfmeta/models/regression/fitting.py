"""Fits meta-regressions: the one entry to the kernel, for one analysis and for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.registry import TAU2_METHODS, Tau2Method
from igfmeta.models.regression import tau2 as residual
from igfmeta.models.regression.data import Regressions, arrange, prepare
from igfmeta.models.regression.inference import TESTS, RegressionTest, coefficient_df, covariance, omnibus
from igfmeta.models.regression.likelihood import Found, log_likelihood
from igfmeta.models.regression.results import Regression, RegressionBatch
from igfmeta.models.regression.weighted import weigh_at
from igfmeta.numerics import Floats, chi2_quantile, chi2_upper, t_quantile, t_two_sided


def regress(
    yi: Any,
    vi: Any,
    x: Any,
    *,
    mask: Any = None,
    method: Tau2Method = "REML",
    test: RegressionTest = "HK",
    level: float = 0.95,
    names: Sequence[str] | None = None,
) -> RegressionBatch:
    """Fit a batch of meta-regressions yi ~ N(x_i'beta, vi + tau2), the mixed-effects model.

    Weighted regression without between-study variance is `method="CE"`; with `test="HK"` its standard errors are
    those of weighted least squares with a multiplicative variance, as Egger's regression has them.

    Parameters
    ----------
    yi, vi : array_like of shape (k,) or (batch, k)
        Effects on the analysis scale and their sampling variances.
    x : array_like of shape (k, p) or (batch, k, p)
        Moderators, with a column of ones for the intercept if there is to be one.
    mask : array_like of bool, broadcastable to (batch, k), optional
        True for the studies of a data set.
    method : str
        Estimator of the residual tau2: those of `igfmeta.models.pooling.pool`, generalized to moderators.
    test : {"HK", "HK-floor", "KR", "t", "z"}
    level : float
        Of all intervals.
    names : sequence of str, optional
        Of the columns of `x`.

    Returns
    -------
    RegressionBatch
        NaN for a data set without more studies than coefficients, or with a column that others determine.

    Raises
    ------
    InputError
        Options that are not accepted, or data that cannot be used, each row named.

    References
    ----------
    Viechtbauer 2005, J Educ Behav Stat 30:261; Knapp & Hartung 2003, Stat Med 22:2693; Viechtbauer et al. 2015,
    Psychol Methods 20:360.

    Examples
    --------
    >>> y, v = [0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.04]
    >>> batch = regress(y, v, [[1, 0], [1, 1], [1, 2], [1, 3]], method="DL", test="z")
    >>> batch.beta.round(4), batch.tau2
    (array([[0.0869, 0.2821]]), array([0.]))
    """
    method, test = checked_names(method, test)  # type: ignore[assignment]
    level = check_level(level)
    data = prepare(yi, vi, x, mask)
    labels = tuple(names) if names is not None else tuple(f"x{j}" for j in range(data.p))
    if len(labels) != data.p:
        raise InputError(f"names has {len(labels)} entries; accepted is one for each of the {data.p} columns of X.")
    return _assemble(data, residual.estimate(data, method), method=method, test=test, level=level, names=labels)


def checked_names(method: str, test: str) -> tuple[str, str]:
    """Return the names of the methods as they are spelled here; what is accepted is listed otherwise."""
    return check_choice("method", method, TAU2_METHODS), check_choice("test", test, TESTS)


def regress_one(yi: Any, vi: Any, x: Any, **options: Any) -> Regression:
    """Fit one meta-regression; the options are those of `regress`.

    Raises
    ------
    NothingToPool
        There are not more studies than coefficients, or a column is a combination of those before it.

    Examples
    --------
    >>> fit = regress_one([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.04], [[1, 0], [1, 1], [1, 2], [1, 3]])
    >>> fit.coefficients[1].name, round(fit.coefficients[1].estimate, 4), fit.qe_df
    ('x1', 0.2821, 2)
    """
    if np.ndim(yi) != 1:
        raise InputError(f"yi has {np.ndim(yi)} dimensions; accepted is one, the studies of one data set.")
    if np.size(yi) == 0:
        raise NothingToPool("There is no study to regress.")
    return regress(yi, vi, x, **options).one()


def intercept_of(data: Regressions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which data sets have a column that is the same for all their studies, shape (batch, p)."""
    forward = np.linalg.inv(data.back)
    x = np.einsum("pkn,npj->jkn", data.basis, forward)
    high = np.where(data.mask, x, -np.inf).max(axis=1)
    low = np.where(data.mask, x, np.inf).min(axis=1)
    return np.asarray((high - low <= 1e-9 * np.abs(high)) & (high != 0)).T


def _assemble(
    data: Regressions, found: Found, *, method: str, test: str, level: float, names: tuple[str, ...]
) -> RegressionBatch:
    bad = ~data.estimable
    tau2 = np.where(bad, 0.0, found.tau2)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = weigh_at(data, tau2)
        cov = covariance(data, fit, test)
        df = np.broadcast_to(coefficient_df(cov), cov.beta.shape)
        se = np.sqrt(np.einsum("njj->nj", cov.vcov))
        half = t_quantile(0.5 + level / 2, np.where(df > 0, df, np.nan)) * se
        common = weigh_at(data, np.zeros(len(data)))
        typical = data.df / common.trace()
        qe = common.rss
        se_tau2 = residual.standard_error(data, method, tau2)
    constant = intercept_of(data).all(axis=0) if len(data) else np.zeros(data.p, dtype=bool)
    tested = np.flatnonzero(~constant) if not constant.all() else np.arange(data.p)
    model = omnibus(cov, np.eye(data.p)[tested])
    lower, upper = _q_profile(data, level) if method != "CE" else (np.full(len(data), np.nan),) * 2
    i2, h2 = _heterogeneity(tau2, typical, qe, data.df, method)

    def blank(values: Floats) -> Floats:
        out = np.array(values, dtype=float)
        out[bad] = np.nan
        return out

    return RegressionBatch(
        names=names,
        k=data.k,
        beta=blank(cov.beta),
        se=blank(se),
        statistic=blank(cov.beta / se),
        df=blank(df),
        p_value=blank(t_two_sided(cov.beta / se, df)),
        ci_lower=blank(cov.beta - half),
        ci_upper=blank(cov.beta + half),
        covariance=cov,
        tau2=blank(tau2 * data.scale),
        se_tau2=blank(se_tau2 * data.scale),
        tau2_ci_lower=blank(lower * data.scale),
        tau2_ci_upper=blank(upper * data.scale),
        tau2_total=_total(data, method, bool(constant.any())),
        i2=blank(i2),
        h2=blank(h2),
        qe=blank(qe),
        qe_df=data.df,
        qe_p_value=blank(chi2_upper(qe, np.maximum(data.df, 1))),
        qm=blank(model.statistic),
        qm_df=model.df1,
        qm_df2=blank(model.df2),
        qm_p_value=blank(model.p_value),
        tested=tuple(int(j) for j in tested),
        log_likelihood=blank(log_likelihood(data, tau2, restricted=method != "ML")),
        converged=found.converged,
        multimodal=found.multimodal,
        estimable=data.estimable,
        method=method,
        test=test,
        level=level,
    )


def _heterogeneity(tau2: Floats, typical: Floats, qe: Floats, df: Floats, method: str) -> tuple[Floats, Floats]:
    """Return residual I2 in percent and H2: from tau2 and the typical variance (k - p)/tr(P), for CE from QE."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "CE":
            return np.where(qe > df, 100 * (qe - df) / qe, 0.0), qe / df
        return 100 * tau2 / (tau2 + typical), tau2 / typical + 1


def _total(data: Regressions, method: str, has_intercept: bool) -> Floats:
    """Return tau2 without the moderators, for R2; NaN without an intercept or between-study variance."""
    if method == "CE" or not has_intercept or data.p == 1:
        return np.full(len(data), np.nan)
    coef = np.linalg.solve(data.back, data.start[:, :, None])[:, :, 0] / np.sqrt(data.scale)[:, None]
    y = data.y + np.einsum("pkn,np->kn", data.basis, coef)
    alone = arrange(y, data.v, data.mask.astype(float)[None], data.mask)
    return np.where(data.estimable, residual.estimate(alone, method).tau2 * alone.scale * data.scale, np.nan)


def _q_profile(data: Regressions, level: float) -> tuple[Floats, Floats]:
    """Return the tau2 at which y'Py is at the quantiles of chi-squared with k - p df (Viechtbauer 2007, eq. 6)."""
    lower, upper = np.full(len(data), np.nan), np.full(len(data), np.nan)
    some = np.flatnonzero(data.estimable)
    if len(some):
        part = data.rows(some)
        lower[some] = residual.q_root(part, np.asarray(chi2_quantile(0.5 + level / 2, part.df)))[0]
        upper[some] = residual.q_root(part, np.asarray(chi2_quantile(0.5 - level / 2, part.df)))[0]
    return lower, upper
