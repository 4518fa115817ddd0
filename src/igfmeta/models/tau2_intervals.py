"""Intervals of tau2: Q-profile and profile likelihood, from which those of I2 and H2 follow."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from igfmeta.models import tau2_likelihood
from igfmeta.models.batch import Batch
from igfmeta.models.tau2_roots import q_root
from igfmeta.numerics import Floats, chi2_quantile
from igfmeta.solver import bracketed_newton

Tau2Ci = Literal["QP", "PL", "none"]
TAU2_CI_METHODS = ("QP", "PL", "none")


def q_profile(batch: Batch, level: float) -> tuple[Floats, Floats]:
    """Return the tau2 at which Q(tau2) equals the quantiles of chi-squared with k - 1 df (Viechtbauer 2007, eq. 6).

    A limit is 0 where Q(0) is not above its quantile. Both are 0 when the effects are less spread than chance alone
    would make them.
    """
    df = np.maximum(batch.k - 1, 1)
    upper_tail, lower_tail = chi2_quantile(0.5 + level / 2, df), chi2_quantile(0.5 - level / 2, df)
    both = np.concatenate([np.arange(len(batch))] * 2)
    limits, _ = q_root(batch.rows(both), np.concatenate([upper_tail, lower_tail]))
    return limits[: len(batch)], limits[len(batch) :]


def profile_likelihood(batch: Batch, tau2: Floats, level: float, *, restricted: bool) -> tuple[Floats, Floats]:
    """Return where the (restricted) log-likelihood has fallen by half the chi-squared quantile with 1 df.

    Hardy & Thompson (1996), Stat Med 15:619, section 3. The lower limit is 0 where the likelihood at 0 has not fallen
    so far.
    """
    top = tau2_likelihood.log_likelihood(batch, tau2, restricted=restricted)
    floor = top - 0.5 * float(chi2_quantile(level, 1))

    def above(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        part = batch.rows(rows)
        height = tau2_likelihood.log_likelihood(part, t, restricted=restricted) - floor[rows]
        slope, _ = tau2_likelihood.score(part, t, restricted=restricted)
        return height, 0.5 * slope

    every = np.arange(len(batch))
    high = np.maximum(tau2, 1.0) * 2
    while (short := above(high, every)[0] > 0).any():
        high = np.where(short, 4 * high, high)
    upper, _ = bracketed_newton(above, tau2, high)
    lower = np.zeros(len(batch))
    reached = np.flatnonzero(above(lower, every)[0] < 0)
    if len(reached):

        def below(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
            height, slope = above(t, reached[rows])
            return -height, -slope

        lower[reached], _ = bracketed_newton(below, lower[reached], tau2[reached])
    return lower, upper
