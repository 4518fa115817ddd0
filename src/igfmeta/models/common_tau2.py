"""One tau2 for several groups, each with a mean of its own: the residual heterogeneity of the group-means model.

The model is block diagonal: its score, its Q and their expectations are sums over the groups, so that each estimator
is that of one group with sums in its place (Viechtbauer 2005; Thompson & Sharp 1999, Stat Med 18:2693).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from igfmeta.errors import check_choice
from igfmeta.models import tau2_likelihood
from igfmeta.models.batch import Batch
from igfmeta.models.weighted import complements, weigh, weigh_at
from igfmeta.numerics import Floats, chi2_quantile, row_sum
from igfmeta.solver import bracketed_newton

#: Points of the scan of the score; tau2 spans some ten decades at most.
POINTS = 256


def _moments(groups: Batch, weights: Floats) -> float:
    """Return tau2 with sum Q_a = its expectation, for fixed weights (DerSimonian & Kacker 2007, eq. 6, summed).

    `weights` are in the units of the data, the effects and variances of each group in its own.
    """
    fit, vi = weigh(groups, weights), np.where(groups.mask, groups.vi, 0.0)
    spread = weights * complements(weights)
    excess = groups.scale * (fit.sum(1, 2) - np.vecdot(spread, vi) / fit.s1)
    return max(0.0, float(np.sum(excess) / np.sum(row_sum(spread) / fit.s1)))


def _dersimonian_laird(groups: Batch) -> float:
    return _moments(groups, 1.0 / (groups.vi * groups.scale[:, None]))


def _root(groups: Batch, target: float) -> float:
    """Return tau2 at which sum Q_g(tau2) = target, 0 where it is below already."""

    def equations(t: Floats, _: object) -> tuple[Floats, Floats]:
        fit = weigh_at(groups, t / groups.scale)
        q = float(np.sum(fit.sum(1, 2)))
        slope = -float(np.sum(fit.sum(2, 2) / groups.scale))
        return np.array([1 / target - 1 / q]), np.array([slope / q**2])

    if float(np.sum(weigh_at(groups, np.zeros(len(groups))).sum(1, 2))) <= target:
        return 0.0
    high = float(np.sum(np.sum(groups.yi**2, axis=1) * groups.scale)) / target * (1 + 1e-12)
    return float(bracketed_newton(equations, np.zeros(1), np.array([high]))[0][0])


def _maximum(groups: Batch, *, restricted: bool) -> float:
    """Return the tau2 of the highest (restricted) likelihood: the score is scanned, and each maximum refined."""

    def score(t: Floats) -> tuple[Floats, Floats]:
        """Return the sum of the groups' scores at each value of t, and its derivative."""
        spread = groups.rows(np.repeat(np.arange(len(groups)), len(t)))
        first, second = tau2_likelihood.score(spread, np.tile(t, len(groups)) / spread.scale, restricted=restricted)
        shape = (len(groups), len(t))
        return (first / spread.scale).reshape(shape).sum(0), (second / spread.scale**2).reshape(shape).sum(0)

    def height(t: float) -> float:
        at = np.full(len(groups), t) / groups.scale
        return float(np.sum(tau2_likelihood.log_likelihood(groups, at, restricted=restricted)))

    variances = np.where(groups.mask, groups.vi, np.nan) * groups.scale[:, None]
    spread = float(np.max(np.ptp(groups.yi, axis=1) * np.sqrt(groups.scale)))
    low, high = 0.01 * float(np.nanmin(variances)), max(spread**2, 10 * float(np.nanmax(variances)))
    grid = np.concatenate([[0.0], np.geomspace(low, high, POINTS)])
    values = score(grid)[0]
    rises = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    found = [0.0] if values[0] <= 0 or not len(rises) else []
    if len(rises):
        found += bracketed_newton(lambda t, _: score(t), grid[rises], grid[rises + 1])[0].tolist()
    return max(found, key=height)


METHODS: dict[str, Callable[[Batch, float], float]] = {
    "DL": lambda groups, df: _dersimonian_laird(groups),
    "HE": lambda groups, df: _moments(groups, groups.mask.astype(float)),
    "ML": lambda groups, df: _maximum(groups, restricted=False),
    "REML": lambda groups, df: _maximum(groups, restricted=True),
    "PM": _root,
    "EB": _root,
    "PMM": lambda groups, df: _root(groups, float(chi2_quantile(0.5, df))),
}


def common_tau2(groups: Batch, method: str) -> float:
    """Return the tau2 that the groups share, in the units of the data.

    Parameters
    ----------
    groups : Batch
        One data set per group.
    method : {"DL", "HE", "ML", "REML", "PM", "EB", "PMM"}

    Raises
    ------
    InputError
        Another estimator of tau2: it is not defined, or not built, for several groups.
    """
    method = check_choice("method (with a common tau2)", method, tuple(METHODS))
    df = float(np.sum(groups.k - 1))
    return METHODS[method](groups, df) if df > 0 else 0.0
