"""The posterior of crossed random effects: exact linear algebra given the standard deviations, which are sampled.

Given the standard deviations everything is Gaussian: the overall mean and the cells have closed posteriors. The
standard deviations, five at most, are integrated by adaptive importance sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.adaptive import DRAWS, sample_sds
from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.distributions import Empirical, NormalMixture
from igfmeta.numerics import Floats

#: Covariance matrices held at once.
CHUNK = 500


@dataclass(frozen=True, eq=False)
class Conditional:
    """Given each draw of the standard deviations: marginal likelihood, and the cells; the first axis is the draws."""

    log_likelihood: Floats
    mean: Floats
    variance: Floats


@dataclass(frozen=True, eq=False)
class CrossedPosterior:
    """The posterior on weighted draws.

    Attributes
    ----------
    names : tuple of str
        Of the factors.
    sds : ndarray of shape (draws, factors)
    weights : ndarray of shape (draws,)
    mean, variance : ndarray of shape (draws, cells)
        Of the cells' means given each draw; the variance is 0 where the cells themselves were drawn.
    new_variance : ndarray of shape (draws,)
        What a new study of a new agent adds.
    effective_size, pareto_k : float
        Of the importance weights; NaN for draws without weights.
    reliable : bool
        Whether the importance weights can be trusted.
    """

    names: tuple[str, ...]
    sds: Floats
    weights: Floats
    mean: Floats
    variance: Floats
    new_variance: Floats
    effective_size: float
    pareto_k: float
    reliable: bool = True

    def cells(self) -> NormalMixture | Empirical:
        """Return the posterior of each cell's mean."""
        return self._mixture(self.variance) if self.variance.any() else Empirical.of(self.mean.T)

    def new_studies(self) -> NormalMixture:
        """Return the predictive distribution of a new study of a new agent in each cell."""
        return self._mixture(self.variance + self.new_variance[:, None])

    def _mixture(self, variance: Floats) -> NormalMixture:
        weights = np.broadcast_to(self.weights, (variance.shape[1], len(self.weights)))
        return NormalMixture(weights, self.mean.T, np.sqrt(variance.T))

    def sd_quantiles(self, p: Sequence[float]) -> Floats:
        """Return quantiles of the standard deviations, shape (factors, len(p))."""
        out = np.empty((len(self.names), len(p)))
        for i in range(len(self.names)):
            order = np.argsort(self.sds[:, i])
            cumulated = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
            out[i] = np.interp(p, cumulated, self.sds[order, i])
        return out

    def shares(self) -> Floats:
        """Return the posterior mean share of each factor in the sum of the variances."""
        variances = self.sds**2
        return np.asarray(self.weights @ (variances / variances.sum(axis=1, keepdims=True)))


def whitened(s: Floats, right: Floats, least: float) -> tuple[Floats, Floats]:
    """Return log |S| and L^-1 B for S = L L', by one Cholesky factor of S bordered with B.

    Parameters
    ----------
    s : ndarray of shape (draws, k, k)
    right : ndarray of shape (draws, k, m)
        B.
    least : float
        A number above 0 that no eigenvalue of S is below.
    """
    draws, k, m = right.shape
    bordered = np.empty((draws, k + m, k + m))
    bordered[:, :k, :k] = s
    bordered[:, k:, :k] = right.mT
    bordered[:, :k, k:] = right
    # Any border that is large enough keeps the matrix positive definite, and none changes L^-1 B.
    border = 1 + 2 * np.einsum("nkm,nkm->n", right, right) / least
    bordered[:, k:, k:] = border[:, None, None] * np.eye(m)
    root = np.linalg.cholesky(bordered)
    return 2 * np.log(np.diagonal(root[:, :k, :k], axis1=1, axis2=2)).sum(axis=1), root[:, k:, :k].mT


@dataclass(frozen=True, eq=False)
class _Overall:
    """The overall mean given each draw: its estimate, its precision, and the likelihood with it integrated out."""

    mu: Floats
    precision: Floats
    log_likelihood: Floats

    @classmethod
    def of(cls, log_det: Floats, one: Floats, data: Floats) -> _Overall:
        """Return it from log |S| and the whitened columns of ones and of effects, shape (draws, k)."""
        precision = np.vecdot(one, one)
        mu = np.vecdot(one, data) / precision
        rest = np.vecdot(data, data) - mu**2 * precision
        degrees = one.shape[1] - 1
        return cls(mu, precision, -0.5 * (log_det + rest + degrees * np.log(2 * np.pi) + np.log(precision)))


@dataclass(frozen=True, eq=False)
class CrossedModel:
    """Effects, the covariance of their sampling errors, and the kernels of what makes them differ.

    Attributes
    ----------
    y : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
        Positive definite.
    kernels : Kernels
    """

    y: Floats
    covariance: Floats
    kernels: Kernels

    def _chunks(self, one: Callable[[Floats], tuple[Floats, ...]], sds: Floats) -> tuple[Floats, ...]:
        parts = [one(sds[i : i + CHUNK] ** 2) for i in range(0, len(sds), CHUNK)]
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def _whitened(self, variances: Floats, a: Floats) -> tuple[Floats, Floats]:
        s = self.covariance + np.tensordot(variances, self.kernels.studies, axes=1)
        both = np.stack([np.ones_like(self.y), self.y], axis=1) + np.zeros((len(s), 1, 1))
        return whitened(s, np.concatenate([both, a.mT], axis=2), float(np.linalg.eigvalsh(self.covariance)[0]))

    def log_likelihood(self, sds: Floats) -> Floats:
        """Return the log likelihood of standard deviations of shape (draws, factors); the overall mean is flat."""

        def one(variances: Floats) -> tuple[Floats]:
            log_det, white = self._whitened(variances, np.empty((len(variances), 0, len(self.y))))
            return (_Overall.of(log_det, white[:, :, 0], white[:, :, 1]).log_likelihood,)

        return self._chunks(one, sds)[0]

    def conditional(self, sds: Floats) -> Conditional:
        """Return the likelihood and the cells given standard deviations of shape (draws, factors).

        With S = V + sum sd_f^2 K_f and A the covariance of cells with studies: mu = 1'S^-1 y / 1'S^-1 1; a cell's mean
        is mu + A S^-1 (y - mu), its variance P - A S^-1 A' + (1 - A S^-1 1)^2 / 1'S^-1 1 (Searle, Casella & McCulloch
        1992, Variance components, chapter 7, for one fixed effect).
        """

        def one(variances: Floats) -> tuple[Floats, Floats, Floats]:
            log_det, white = self._whitened(variances, np.tensordot(variances, self.kernels.cross, axes=1))
            one, data, cells = white[:, :, 0], white[:, :, 1], white[:, :, 2:]
            overall = _Overall.of(log_det, one, data)
            pulled = self.kernels.ones - np.einsum("nk,nkc->nc", one, cells)
            mean = np.einsum("nk,nkc->nc", data, cells) + pulled * overall.mu[:, None]
            own = variances @ np.diagonal(self.kernels.cells, axis1=1, axis2=2)
            spread = own - (cells**2).sum(axis=1) + pulled**2 / overall.precision[:, None]
            return overall.log_likelihood, mean, np.maximum(spread, 1e-14 * spread.max())

        return Conditional(*self._chunks(one, sds))


def crossed_posterior(
    y: Floats,
    covariance: Floats,
    factors: Sequence[Factor],
    kernels: Kernels,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> CrossedPosterior:
    """Return the posterior of the cells and of the standard deviations.

    Parameters
    ----------
    y : ndarray of shape (k,)
        Effects on the analysis scale.
    covariance : ndarray of shape (k, k)
        Of their sampling errors, positive definite.
    factors : sequence of Factor
    kernels : Kernels
        Of the factors, for the cells that are asked for.
    rng : numpy.random.Generator
        The same generator gives the same posterior.
    draws : int
        Of the standard deviations.
    """
    centre = float(y.mean())
    model = CrossedModel(y - centre, covariance, kernels)
    drawn = sample_sds(model.log_likelihood, [f.prior for f in factors], rng=rng, draws=draws)
    given = model.conditional(drawn.sds)
    return CrossedPosterior(
        names=tuple(f.name for f in factors),
        sds=drawn.sds,
        weights=drawn.weights,
        mean=given.mean + centre * kernels.ones,
        variance=given.variance,
        new_variance=drawn.sds**2 @ kernels.new,
        effective_size=drawn.effective_size,
        pareto_k=drawn.pareto_k,
        reliable=drawn.reliable,
    )
