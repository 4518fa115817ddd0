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
