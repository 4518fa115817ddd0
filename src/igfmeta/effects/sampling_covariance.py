"""Covariance matrices of sampling errors from assumed correlations, where reports do not give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.numerics import Floats


def _checked(vi: Any, cluster: Sequence[Any], name: str, value: float) -> Floats:
    variances = np.asarray(vi, dtype=float)
    if len(cluster) != len(variances):
        raise InputError(f"There are {len(cluster)} cluster labels; accepted is one for each of {len(variances)} rows.")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1 < value < 1:
        raise InputError(f"{name} was {value!r}; accepted is a correlation above -1 and below 1, such as 0.5.")
    return variances


def _together(cluster: Sequence[Any]) -> Floats:
    codes = np.unique([str(each) for each in cluster], return_inverse=True)[1]
    return np.equal.outer(codes, codes).astype(float)


def assumed_covariance(vi: Any, cluster: Sequence[Any], *, rho: float) -> Floats:
    """Return V with the correlation rho between the sampling errors of a cluster's rows: rho sqrt(vi vj).

    Riley 2009, J R Stat Soc A 172:789, section 4, on what to assume and why to vary it.

    Parameters
    ----------
    vi : array_like of shape (k,)
    cluster : sequence of length k
        Rows of the same patients, such as two outcomes of one trial.
    rho : float
        Above -1 and below 1.

    Returns
    -------
    ndarray of shape (k, k)

    Raises
    ------
    InputError
        A correlation that is not accepted. Whether V is positive definite is for the model to see.

    Examples
    --------
    >>> assumed_covariance([0.04, 0.09, 0.01], ["a", "a", "b"], rho=0.5).round(12).tolist()
    [[0.04, 0.03, 0.0], [0.03, 0.09, 0.0], [0.0, 0.0, 0.01]]
    """
    variances = _checked(vi, cluster, "rho", rho)
    se = np.sqrt(variances)
    v: Floats = rho * _together(cluster) * np.outer(se, se)
    np.fill_diagonal(v, variances)
    return v


def autocorrelated_covariance(vi: Any, cluster: Sequence[Any], time: Any, *, phi: float) -> Floats:
    """Return V with the correlation phi^|t - t'| between a cluster's rows (Ishak et al. 2007, Clin Trials 4:525).

    Examples
    --------
    >>> autocorrelated_covariance([1.0, 1.0, 1.0], ["a", "a", "a"], [0, 1, 3], phi=0.5)[0].tolist()
    [1.0, 0.5, 0.125]
    """
    variances = _checked(vi, cluster, "phi", phi)
    if phi < 0:
        raise InputError(f"phi was {phi!r}; accepted is an autocorrelation from 0 to below 1.")
    se, at = np.sqrt(variances), np.asarray(time, dtype=float)
    v: Floats = phi ** np.abs(np.subtract.outer(at, at)) * _together(cluster) * np.outer(se, se)
    np.fill_diagonal(v, variances)
    return v


def joint_covariance(within: Any, outcome: Sequence[Any], comparison: Sequence[Any], *, rho: float) -> Floats:
    """Return V of several outcomes of the same comparisons from that of each outcome by itself.

    Sampling errors of two outcomes of one comparison have the correlation rho. Those of two comparisons that share a
    control arm have rho times the correlation that sharing gives: the geometric mean of what it is for both outcomes,
    or what it is for the one that both comparisons report.

    Parameters
    ----------
    within : array_like of shape (k, k)
        Covariances of each outcome; what it holds between outcomes is replaced.
    outcome, comparison : sequence of length k
        Which outcome of which comparison each row is.
    rho : float

    Examples
    --------
    >>> within = np.diag([0.04, 0.09])
    >>> joint_covariance(within, ["os", "pfs"], ["trial", "trial"], rho=0.5).round(12).tolist()
    [[0.04, 0.03], [0.03, 0.09]]
    """
    v = np.array(within, dtype=float)
    variances = _checked(np.diag(v), comparison, "rho", rho)
    se = np.sqrt(variances)
    outcomes = np.unique([str(each) for each in outcome], return_inverse=True)[1]
    pairs = np.unique([str(each) for each in comparison], return_inverse=True)[1]
    shared = _shared_correlations(v / np.outer(se, se), outcomes, pairs)
    apart = outcomes[:, None] != outcomes
    between = shared[outcomes[:, None], outcomes, pairs[:, None], pairs]
    return np.where(apart, rho * between * np.outer(se, se), v)


def _shared_correlations(correlation: Floats, outcomes: Any, pairs: Any) -> Floats:
    """Return the correlations of comparisons by two outcomes; shape (outcomes, outcomes, comparisons, comparisons)."""
    n, m = int(outcomes.max()) + 1, int(pairs.max()) + 1
    own = np.full((n, m, m), np.nan)
    for o in range(n):
        rows = np.flatnonzero(outcomes == o)
        own[np.ix_([o], pairs[rows], pairs[rows])] = correlation[np.ix_(rows, rows)]
    a, b = own[:, None], own[None, :]
    both = np.sqrt(np.maximum(a, 0.0) * np.maximum(b, 0.0))
    found = np.where(np.isnan(a), b, np.where(np.isnan(b), a, both))
    found = np.where(np.isnan(found), 0.0, np.maximum(found, 0.0))
    return np.where(np.eye(m, dtype=bool), 1.0, found)
