"""Data sets of counts that stand in one row, and what maximum likelihood with normal effects gives of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.normal_mixing import Contributions
from igfmeta.numerics import Floats, Mask

Index = NDArray[np.intp]

#: evaluate(index, theta, t, nodes): contributions of the studies at `index`, which may repeat.
Evaluate = Callable[[Index, Floats, Floats, int], Contributions]


@dataclass(frozen=True, eq=False)
class DataSets:
    """Data sets of counts: the studies of data set b stand at first[b] to first[b] + size[b] - 1."""

    evaluate: Evaluate
    first: Index
    size: Index

    def __len__(self) -> int:
        return len(self.size)

    def studies(self, rows: Index) -> tuple[Index, Index]:
        """Return the positions of the studies of data sets `rows`, and which entry of `rows` each belongs to."""
        size = self.size[rows]
        owner = np.repeat(np.arange(len(rows)), size)
        start = np.cumsum(size) - size
        return np.arange(int(size.sum())) - start[owner] + self.first[rows][owner], owner

    def at(self, rows: Index, theta: Floats, t: Floats, nodes: int) -> Contributions:
        """Return log-likelihoods and derivatives of data sets `rows` at their theta and tau2; shape (len(rows),)."""
        index, owner = self.studies(rows)
        each = self.evaluate(index, theta[owner], t[owner], nodes)
        n = len(rows)
        return Contributions(*(np.bincount(owner, part, n) for part in each.__dict__.values()))


@dataclass(frozen=True, eq=False)
class Mixed:
    """The fit of each data set; arrays of shape (batch,).

    Attributes
    ----------
    theta, se, tau2, se_tau2 : ndarray
        Maximum and standard errors from the observed information; se_tau2 is NaN where tau2 is 0.
    theta_lower, theta_upper, tau2_lower, tau2_upper : ndarray
        Profile-likelihood limits; infinite where the likelihood does not bound them below tau = 10.
    log_likelihood : ndarray
    theta_common, se_common, log_likelihood_common : ndarray
        At tau2 = 0.
    gradient, condition : ndarray
        Largest derivative in theta and tau2 left at the maximum (0 for what the boundary holds), and the condition
        number of the observed information.
    accuracy : ndarray
        Change of the log-likelihood when the nodes were last doubled.
    nodes : int
    converged, multimodal : ndarray of bool
    information : ndarray of shape (studies,)
        Of each study about theta, at the maximum.
    """

    theta: Floats
    se: Floats
    tau2: Floats
    se_tau2: Floats
    theta_lower: Floats
    theta_upper: Floats
    tau2_lower: Floats
    tau2_upper: Floats
    log_likelihood: Floats
    theta_common: Floats
    se_common: Floats
    log_likelihood_common: Floats
    gradient: Floats
    condition: Floats
    accuracy: Floats
    nodes: int
    converged: Mask
    multimodal: Mask
    information: Floats
