"""What a meta-regression says at given moderators: predictions, and linear combinations of its coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.regression.inference import contrast_df
from igfmeta.models.regression.results import Regression
from igfmeta.numerics import Floats, t_quantile, t_two_sided


@dataclass(frozen=True, eq=False)
class Combinations:
    """Linear combinations of the coefficients, on the analysis scale; arrays of shape (m,).

    Attributes
    ----------
    estimate, se, df, statistic, p_value, ci_lower, ci_upper : ndarray
        df is infinite for a normal test.
    pi_lower, pi_upper : ndarray
        Where the effect of a new study with these moderators lies; NaN for a common-effect model.
    """

    estimate: Floats
    se: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    ci_lower: Floats
    ci_upper: Floats
    pi_lower: Floats
    pi_upper: Floats

    def __len__(self) -> int:
        return len(self.estimate)


def combine(fit: Regression, rows: Any, *, level: float | None = None) -> Combinations:
    """Return linear combinations of the coefficients of a meta-regression.

    Parameters
    ----------
    fit : Regression
    rows : array_like of shape (m, p)
        One combination each: moderators at which to predict (with the 1 of the intercept), or contrasts.
    level : float, optional
        Default: that of the fit.

    Returns
    -------
    Combinations
        Intervals by the fit's test; prediction intervals with the same degrees of freedom and the variance
        se^2 + tau2 (Higgins, Thompson & Spiegelhalter 2009, J R Stat Soc A 172:137, eq. 12, with moderators as in
        Viechtbauer 2010, sec. 3.5).

    Raises
    ------
    InputError
        Rows of another length than the coefficients, or not finite.

    Examples
    --------
    >>> from igfmeta.models.regression.fitting import regress_one
    >>> fit = regress_one([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.04], [[1, 0], [1, 1], [1, 2], [1, 3]], test="z")
    >>> combine(fit, [[1, 1.5]]).estimate.round(3)
    array([0.51])
    """
    x = np.atleast_2d(np.asarray(rows, dtype=float))
    if x.ndim != 2 or x.shape[1] != fit.p or not np.isfinite(x).all():
        raise InputError(
            f"rows has shape {np.shape(rows)}; accepted is (m, {fit.p}) with finite numbers, one for each of "
            f"{', '.join(fit.names)}."
        )
    estimate = x @ fit.beta
    se = np.sqrt(np.einsum("mi,ij,mj->m", x, fit.vcov, x))
    df = np.array([contrast_df(fit.covariance, row)[0] if row.any() else np.inf for row in x])
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    t = t_quantile(0.5 + (fit.level if level is None else level) / 2, df)
    around = t * np.sqrt(se**2 + fit.tau2) if fit.method != "CE" else np.full(len(x), np.nan)
    return Combinations(
        estimate=estimate,
        se=se,
        df=df,
        statistic=statistic,
        p_value=np.asarray(t_two_sided(statistic, df)),
        ci_lower=estimate - t * se,
        ci_upper=estimate + t * se,
        pi_lower=estimate - around,
        pi_upper=estimate + around,
    )
