"""Pools effect sizes: the one entry to the kernel, for one analysis and for a million."""

from __future__ import annotations

from typing import Any

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models import heterogeneity, tau2_intervals
from igfmeta.models.batch import Batch, prepare
from igfmeta.models.inference import CI_METHODS, CiMethod, standard_error
from igfmeta.models.prediction import PI_METHODS, PiMethod, prediction_interval
from igfmeta.models.registry import ESTIMATORS, TAU2_METHODS, Tau2Method
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.models.tau2_intervals import TAU2_CI_METHODS, Tau2Ci
from igfmeta.models.tau2_likelihood import Maximum
from igfmeta.models.weighted import typical_variance, weigh_at
from igfmeta.numerics import Floats, t_quantile, t_two_sided


def pool(
    yi: Any,
    vi: Any,
    *,
    mask: Any = None,
    method: Tau2Method = "REML",
    ci: CiMethod = "HK",
    pi: PiMethod = "HK",
    tau2_ci: Tau2Ci = "QP",
    level: float = 0.95,
) -> PooledBatch:
    """Pool a batch of data sets with the random-effects model yi ~ N(mu, vi + tau2).

    Parameters
    ----------
    yi, vi : array_like of shape (k,) or (batch, k)
        Effects on the analysis scale and their sampling variances.
    mask : array_like of bool, broadcastable to (batch, k), optional
        True for the studies of a data set: leave-one-out is 1 - I, cumulative is the lower triangle.
    method : str
        Estimator of tau2; "CE" is the common-effect model.
    ci : {"HK", "HK-floor", "KR", "t", "z"}
        Standard error, test and interval of mu.
    pi : {"HK", "HK-PR", "HTS", "KR", "KR-PR", "V", "z"}
        Prediction interval.
    tau2_ci : {"QP", "PL", "none"}
        Q-profile, profile likelihood (methods ML and REML), or no interval of tau2.
    level : float
        Of all intervals.

    Returns
    -------
    PooledBatch
        NaN for what a data set with no or one study leaves undefined.

    Raises
    ------
    InputError
        Options that are not accepted, or data that cannot be used, each row named.

    References
    ----------
    Viechtbauer 2005, J Educ Behav Stat 30:261; Hartung & Knapp 2001, Stat Med 20:3875.

    Examples
    --------
    >>> batch = pool([[0.1, 0.3, 0.8], [0.2, 0.2, 0.9]], [[0.01, 0.02, 0.05], [0.02, 0.01, 0.03]])
    >>> batch.tau2.round(4)
    array([0.087 , 0.1331])
    """
    names = _checked_names(method=method, ci=ci, pi=pi, tau2_ci=tau2_ci)
    if names["tau2_ci"] == "PL" and names["method"] not in ("ML", "REML"):
        raise InputError(f"tau2_ci was 'PL' with method {method!r}; a profile likelihood needs method ML or REML.")
    level = check_level(level)
    batch = prepare(yi, vi, mask)
    return _assemble(batch, _tau2(batch, names["method"]), **names, level=level)


def _checked_names(**given: str) -> dict[str, str]:
    """Return the names of the methods as they are spelled here; what is accepted is listed otherwise."""
    accepted = {"method": TAU2_METHODS, "ci": CI_METHODS, "pi": PI_METHODS, "tau2_ci": TAU2_CI_METHODS}
    return {option: check_choice(option, name, accepted[option]) for option, name in given.items()}


def pool_at(
    yi: Any, vi: Any, tau2: float, *, mask: Any = None, method: str, ci: CiMethod, pi: PiMethod, level: float
) -> PooledBatch:
    """Pool a batch of data sets at a tau2 that is given, such as one that groups share; it has no interval here."""
    names, batch = _checked_names(method=method, ci=ci, pi=pi, tau2_ci="none"), prepare(yi, vi, mask)
    unknown, no = np.full(len(batch), np.nan), np.zeros(len(batch), dtype=bool)
    found = Maximum(tau2 / batch.scale, unknown, ~no, no, np.full(len(batch), tau2 == 0))
    return _assemble(batch, found, **names, level=check_level(level))


def pool_one(yi: Any, vi: Any, **options: Any) -> Pooled:
    """Pool one data set; the options are those of `pool`.

    Raises
    ------
    NothingToPool
        There is no study.

    Examples
    --------
    >>> fit = pool_one([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], ci="z")
    >>> round(fit.estimate, 4), round(fit.ci_lower, 4), round(fit.ci_upper, 4)
    (0.3589, -0.0186, 0.7364)
    """
    if np.ndim(yi) != 1:
        raise InputError(f"yi has {np.ndim(yi)} dimensions; accepted is one, the studies of one data set.")
    if np.size(yi) == 0:
        raise NothingToPool("There is no study to pool.")
    return pool(yi, vi, **options).one()


def _tau2(batch: Batch, method: str) -> Maximum:
    """Return tau2 of every data set, in units of the batch's scale; NaN where there are fewer than two studies."""
    enough = batch.k >= 2
    if enough.all():
        return ESTIMATORS[method].compute(batch)
    some = np.flatnonzero(enough)
    found = ESTIMATORS[method].compute(batch.rows(some)) if len(some) else None
    n = len(batch)
    tau2, se, flags = np.zeros(n), np.full(n, np.nan), np.zeros((3, n), dtype=bool)
    flags[0] = True
    if found is not None:
        tau2[some], se[some] = found.tau2, found.se
        flags[:, some] = found.converged, found.multimodal, found.boundary
    return Maximum(tau2, se, *flags)


def _assemble(
    batch: Batch, found: Maximum, *, method: str, ci: str, pi: str, tau2_ci: str, level: float
) -> PooledBatch:
    k, tau2, two = batch.k, found.tau2, batch.k > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = weigh_at(batch, tau2)
        se, df = standard_error(batch, fit, ci)
        half = t_quantile(0.5 + level / 2, df) * se
        pi_lower, pi_upper, pi_df = prediction_interval(batch, fit, tau2, pi, level)
        q, q_p = heterogeneity.cochran_q(batch)
        weights = 100 * fit.w / fit.s1[:, None]
        root = np.sqrt(batch.scale)
        estimate = np.where(k > 0, batch.centre + root * fit.mu, np.nan)
        statistic = estimate / (root * se)
    typical = np.where(two, typical_variance(batch), np.nan)
    limits = _tau2_limits(batch, tau2, method, tau2_ci, level)
    i2_q = np.where(two, heterogeneity.i2_from_q(q, k), np.nan)
    i2, h2 = heterogeneity.i2_from_tau2(tau2, typical), heterogeneity.h2_from_tau2(tau2, typical)
    if method == "CE":
        i2 = i2_q
        h2 = np.where(two, q / np.maximum(k - 1, 1), np.nan)
    i2_q_lower, i2_q_upper = heterogeneity.i2_from_q_interval(q, k, level)
    return PooledBatch(
        k=k,
        estimate=estimate,
        se=root * se,
        statistic=statistic,
        df=df,
        p_value=np.asarray(t_two_sided(statistic, df)),
        ci_lower=estimate - root * half,
        ci_upper=estimate + root * half,
        tau2=np.where(two, batch.scale * tau2, np.nan),
        se_tau2=batch.scale * found.se,
        tau2_ci_lower=batch.scale * limits[0],
        tau2_ci_upper=batch.scale * limits[1],
        i2=i2,
        i2_ci_lower=heterogeneity.i2_from_tau2(limits[0], typical),
        i2_ci_upper=heterogeneity.i2_from_tau2(limits[1], typical),
        i2_q=i2_q,
        i2_q_ci_lower=i2_q_lower,
        i2_q_ci_upper=i2_q_upper,
        h2=h2,
        h2_ci_lower=heterogeneity.h2_from_tau2(limits[0], typical),
        h2_ci_upper=heterogeneity.h2_from_tau2(limits[1], typical),
        q=np.where(k > 0, q, np.nan),
        q_df=k - 1,
        q_p_value=q_p,
        pi_lower=batch.centre + root * pi_lower,
        pi_upper=batch.centre + root * pi_upper,
        pi_df=pi_df,
        weights=weights,
        mask=batch.mask,
        converged=found.converged,
        multimodal=found.multimodal,
        boundary=found.boundary,
        method=method,
        ci=ci,
        pi=pi,
        tau2_ci=tau2_ci,
        level=level,
    )


def _tau2_limits(batch: Batch, tau2: Floats, method: str, tau2_ci: str, level: float) -> tuple[Floats, Floats]:
    lower, upper = np.full(len(batch), np.nan), np.full(len(batch), np.nan)
    some = np.flatnonzero(batch.k > 1)
    if tau2_ci == "none" or method == "CE" or not len(some):
        return lower, upper
    part = batch.rows(some) if len(some) < len(batch) else batch
    if tau2_ci == "QP":
        lower[some], upper[some] = tau2_intervals.q_profile(part, level)
    else:
        lower[some], upper[some] = tau2_intervals.profile_likelihood(
            part, tau2[some], level, restricted=method == "REML"
        )
    return lower, upper
