"""Pools by subgroup, with a tau2 for each or one for all, and the test between the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.models.pooling import pool
from igfmeta.models.results import Pooled
from igfmeta.numerics import chi2_upper

SubgroupTau2 = Literal["separate", "common"]


@dataclass(frozen=True, eq=False)
class SubgroupFit:
    """The pools of the groups, in the order in which the groups first appear, and the test between them.

    `q_between` is sum w_g (mu_g - mean)^2 with w_g = 1/se_g^2, on `q_between_df` = groups - 1 degrees of freedom
    (Borenstein et al. 2009, chapter 19). The standard errors are the classical ones, whatever the interval method.
    """

    levels: tuple[str, ...]
    fits: tuple[Pooled, ...]
    q_between: float | None
    q_between_df: int
    p_between: float | None
    tau2: str


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
