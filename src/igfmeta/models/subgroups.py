"""Pools by subgroup, with a tau2 for each or one for all, and the test between the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.models.batch import prepare
from igfmeta.models.common_tau2 import common_tau2
from igfmeta.models.inference import CiMethod
from igfmeta.models.pooling import pool, pool_at
from igfmeta.models.prediction import PiMethod
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.models.tau2_intervals import Tau2Ci
from igfmeta.numerics import Mask, chi2_upper

SubgroupTau2 = Literal["separate", "common"]


@dataclass(frozen=True, eq=False)
class SubgroupFit:
    """The pools of the groups, in the order in which the groups first appear, and the test between them.

    `q_between` is sum w_g (mu_g - mean)^2 with w_g = 1/se_g^2, on `q_between_df` = groups - 1 degrees of freedom
    (Borenstein et al. 2009, chapter 19). The standard errors are the classical ones, whatever the interval method.
    `test` is Q; of mixed models of counts Wald (the same of separate fits) or LR (likelihood ratio with one tau2).
    """

    levels: tuple[str, ...]
    fits: tuple[Pooled, ...]
    q_between: float | None
    q_between_df: int
    p_between: float | None
    tau2: str
    test: str = "Q"


def members_of(groups: Sequence[str]) -> tuple[tuple[str, ...], Mask]:
    """Return the levels in the order in which they first appear, and the mask of their members, (levels, k)."""
    levels = tuple(dict.fromkeys(groups))
    mask = np.array([[group == level for group in groups] for level in levels], dtype=bool)
    return levels, mask.reshape(len(levels), len(groups))


def between_groups(estimates: Sequence[float], variances: Sequence[float]) -> tuple[float, int, float]:
    """Return Q between groups, its degrees of freedom and its p-value.

    Examples
    --------
    >>> q, df, p = between_groups([0.1, 0.5], [0.01, 0.03])
    >>> round(q, 4), df, round(p, 4)
    (4.0, 1, 0.0455)
    """
    mu, w = np.asarray(estimates, dtype=float), 1 / np.asarray(variances, dtype=float)
    q = float(np.sum(w * (mu - np.sum(w * mu) / np.sum(w)) ** 2))
    return q, len(mu) - 1, float(chi2_upper(q, len(mu) - 1))


def classical_variance(vi: Any, tau2: float | None) -> float:
    """Return 1/sum(w), w = 1/(vi + tau2), the variance of a pooled effect before any small-sample adjustment.

    Examples
    --------
    >>> round(classical_variance([0.04, 0.04], 0.01), 4)
    0.025
    """
    return float(1 / np.sum(1 / (np.asarray(vi, dtype=float) + (tau2 or 0.0))))


def pool_subgroups(
    yi: Any,
    vi: Any,
    groups: Sequence[str],
    *,
    tau2: SubgroupTau2 = "separate",
    method: str = "REML",
    ci: CiMethod = "HK",
    pi: PiMethod = "HK",
    tau2_ci: Tau2Ci = "QP",
    level: float = 0.95,
) -> SubgroupFit:
    """Pool each group, and test whether the groups' effects differ.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    groups : sequence of str of length k
    tau2 : {"separate", "common"}
        A tau2 for each group, or one for all: the residual tau2 of the group-means model.
    method, ci, pi, tau2_ci, level
        See `igfmeta.models.pooling.pool`. A common tau2 is estimated by DL, HE, ML, REML, PM, EB or PMM, and gets no
        interval in the groups.

    Raises
    ------
    InputError
        Options that are not accepted, or a number of group labels that differs from k.

    Examples
    --------
    >>> fit = pool_subgroups([0.1, 0.2, 0.5, 0.6], [0.01] * 4, ["a", "a", "b", "b"], method="CE")
    >>> fit.levels, round(fit.q_between, 4), round(fit.p_between, 6)
    (('a', 'b'), 16.0, 6.3e-05)
    """
    check_choice("tau2 of the subgroups", tau2, ("separate", "common"))
    k = np.size(yi)
    if len(groups) != k:
        raise InputError(f"groups has {len(groups)} labels; accepted is one for each of the {k} studies.")
    levels, mask = members_of(groups)
    if tau2 == "common":
        shared = common_tau2(prepare(yi, vi, mask), method)
        batch: PooledBatch = pool_at(yi, vi, shared, mask=mask, method=method, ci=ci, pi=pi, level=level)
    else:
        batch = pool(yi, vi, mask=mask, method=method, ci=ci, pi=pi, tau2_ci=tau2_ci, level=level)  # type: ignore[arg-type]
    used = [shared] * len(levels) if tau2 == "common" else [float(t) if t == t else 0.0 for t in batch.tau2]
    variances = [classical_variance(np.asarray(vi)[members], t) for members, t in zip(mask, used, strict=True)]
    q, df, p = between_groups(batch.estimate.tolist(), variances) if len(levels) > 1 else (None, 0, None)
    return SubgroupFit(
        levels=levels,
        fits=tuple(batch.one(i) for i in range(len(levels))),
        q_between=q,
        q_between_df=df,
        p_between=p,
        tau2=tau2,
    )
