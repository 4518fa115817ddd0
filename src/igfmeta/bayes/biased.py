"""What the members of a model average have in common: the data, the axes of integration, and what a fit holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from igfmeta.bayes.distributions import NormalMixture, TauPosterior
from igfmeta.bayes.panels import Positive
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats


class Marginal(Protocol):
    """The distribution of one quantity, for one data set."""

    def cdf(self, x: Floats) -> Floats: ...

    def density(self, x: Floats) -> Floats: ...

    def moments(self) -> tuple[float, float]: ...


@dataclass(frozen=True, eq=False)
class OneOf:
    """The distribution of one data set of a batch, as a `Marginal`."""

    distribution: NormalMixture | TauPosterior
    mean: float
    sd: float

    @classmethod
    def of(cls, mixture: NormalMixture) -> OneOf:
        mean, sd = mixture.moments()
        return cls(mixture, float(mean[0]), float(sd[0]))

    @classmethod
    def with_moments(cls, distribution: TauPosterior, weights: Floats, values: Floats) -> OneOf:
        """Return a distribution whose moments are taken from nodes."""
        mean = float(weights @ values)
        return cls(distribution, mean, float(np.sqrt(weights @ (values - mean) ** 2)))

    def cdf(self, x: Floats) -> Floats:
        return self.distribution.rows(np.zeros(len(x), dtype=int)).cdf(x)

    def density(self, x: Floats) -> Floats:
        return self.distribution.rows(np.zeros(len(x), dtype=int)).density(x)

    def moments(self) -> tuple[float, float]:
        return self.mean, self.sd


@dataclass(frozen=True, eq=False)
class MemberFit:
    """What a member makes of the data.

    Attributes
    ----------
    log_marginal : float
    accuracy : float
        Change of the log marginal likelihood with fewer nodes.
    mu, tau : Marginal or None
        None where the member holds it at 0.
    slope : Marginal or None
        beta of PET or PEESE.
    omega, omega_weights : ndarray of shape (m, J) and (m,), or None
        Weights of a step function with their posterior probabilities.
    """

    log_marginal: float
    accuracy: float
    mu: Marginal | None = None
    tau: Marginal | None = None
    slope: Marginal | None = None
    omega: Floats | None = None
    omega_weights: Floats | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """Effects and variances of shape (k,), with the direction that is favoured: 1 or -1."""

    y: Floats
    v: Floats
    sign: float

    @property
    def spread(self) -> float:
        """About how large tau is."""
        excess = max(float(np.var(self.y)) - float(np.median(self.v)), 0.0)
        return float(np.sqrt(excess + np.median(self.v) / np.sqrt(len(self.y))))


def log_sum(logs: Floats) -> Floats:
    """Return log sum exp over the last axis; SciPy's takes several times as long on large arrays."""
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(logs - top).sum(axis=-1)))


def tau_axis(data: Data, prior: TauPrior) -> Positive:
    return Positive(min(data.spread, 2 * prior.scale), prior.upper)
