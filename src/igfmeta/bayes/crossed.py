"""The posterior of crossed random effects: exact linear algebra given the standard deviations, which are sampled.

Given the standard deviations everything is Gaussian: the overall mean and the cells have closed posteriors. The
standard deviations, five at most, are integrated by adaptive importance sampling in their logarithms: draws from the
prior first, then from a mixture of the prior and a Student-t fitted to the weighted draws. The share of the prior in
the mixture keeps the weights bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.bayes.components import Component
from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.importance import effective_size, normalized, pareto_k
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Draws of a round, rounds of adaptation, share of the prior in the proposal, degrees of freedom of its other part.
DRAWS, ROUNDS, DEFENSIVE, DF = 4000, 2, 0.2, 6.0

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
        Of the components.
    sds : ndarray of shape (draws, components)
    weights : ndarray of shape (draws,)
    mean, variance : ndarray of shape (draws, cells)
        Of the cells' means given each draw.
    new_variance : ndarray of shape (draws,)
        What a new study of a new agent adds.
    effective_size, pareto_k : float
        Of the importance weights.
    """

    names: tuple[str, ...]
    sds: Floats
    weights: Floats
    mean: Floats
    variance: Floats
    new_variance: Floats
    effective_size: float
    pareto_k: float

    def cells(self) -> NormalMixture:
        """Return the posterior of each cell's mean."""
        return self._mixture(self.variance)

    def new_studies(self) -> NormalMixture:
        """Return the predictive distribution of a new study of a new agent in each cell."""
        return self._mixture(self.variance + self.new_variance[:, None])

    def _mixture(self, variance: Floats) -> NormalMixture:
        weights = np.broadcast_to(self.weights, (variance.shape[1], len(self.weights)))
        return NormalMixture(weights, self.mean.T, np.sqrt(variance.T))

    def sd_quantiles(self, p: Sequence[float]) -> Floats:
        """Return quantiles of the standard deviations, shape (components, len(p))."""
        out = np.empty((len(self.names), len(p)))
        for i in range(len(self.names)):
            order = np.argsort(self.sds[:, i])
            cumulated = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
            out[i] = np.interp(p, cumulated, self.sds[order, i])
        return out

    def shares(self) -> Floats:
        """Return the posterior mean share of each component in the sum of the variances."""
        variances = self.sds**2
        return np.asarray(self.weights @ (variances / variances.sum(axis=1, keepdims=True)))


def conditional(y: Floats, covariance: Floats, components: Sequence[Component], sds: Floats) -> Conditional:
    """Return the likelihood and the cells given standard deviations; the overall mean has a flat prior.

    With S = V + sum sd_f^2 K_f and A the covariance of cells with studies: mu = 1'S^-1 y / 1'S^-1 1; a cell's mean is
    mu + A S^-1 (y - mu), its variance P - A S^-1 A' + (1 - A S^-1 1)^2 / 1'S^-1 1 (Searle, Casella & McCulloch 1992,
    Variance components, chapter 7, for one fixed effect).

    Parameters
    ----------
    y : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
        Of the sampling errors.
    components : sequence of Component
    sds : ndarray of shape (draws, components)
    """
    kernels = np.stack([c.studies for c in components])
    crosses = np.stack([c.cross for c in components])
    own = np.stack([c.cells for c in components])
    parts = [_given(y, covariance, kernels, crosses, own, sds[i : i + CHUNK] ** 2) for i in range(0, len(sds), CHUNK)]
    return Conditional(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _given(
    y: Floats, covariance: Floats, kernels: Floats, crosses: Floats, own: Floats, variances: Floats
) -> tuple[Floats, Floats, Floats]:
    s = covariance + np.tensordot(variances, kernels, axes=1)
    a = np.tensordot(variances, crosses, axes=1)
    right = np.concatenate([np.stack([np.ones_like(y), y], axis=1) + np.zeros((len(s), 1, 1)), a.mT], axis=2)
    solved = np.linalg.solve(s, right)
    by_one, by_y, by_a = solved[:, :, 0], solved[:, :, 1], solved[:, :, 2:]
    precision = by_one.sum(axis=1)
    mu = by_one @ y / precision
    rest = by_y @ y - mu**2 * precision
    log_det = np.linalg.slogdet(s)[1]
    log_likelihood = -0.5 * (log_det + rest + (len(y) - 1) * np.log(2 * np.pi) + np.log(precision))
    pulled = 1 - np.einsum("nck,nk->nc", a, by_one)
    mean = np.einsum("nck,nk->nc", a, by_y) + pulled * mu[:, None]
    spread = variances @ own - np.einsum("nck,nkc->nc", a, by_a) + pulled**2 / precision[:, None]
    return log_likelihood, mean, np.maximum(spread, 1e-14 * spread.max())


def spread_uniform(n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return n points that fill (0, 1)^d evenly, shifted at random; shape (n, d).

    Multiples of the powers of the inverse generalized golden ratio, modulo 1: an average over them has an error of
    about 1/n rather than 1/sqrt(n) (Niederreiter 1992, chapter 3).
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (d + 1))
    steps = ratio ** -np.arange(1.0, d + 1)
    return np.asarray((rng.random(d) + np.arange(1, n + 1)[:, None] * steps) % 1.0)


def _prior_draws(components: Sequence[Component], uniform: Floats) -> Floats:
    """Return standard deviations from their half-normal priors, from uniform numbers of shape (draws, components)."""
    scales = np.array([c.prior.scale for c in components])
    return np.asarray(scales * special.ndtri(0.5 + 0.5 * np.clip(uniform, 1e-12, 1 - 1e-12)))


def _log_prior(components: Sequence[Component], sds: Floats) -> Floats:
    """Return the log prior density of the logarithms of the standard deviations."""
    nothing = np.zeros((1, 1))
    return np.asarray(
        sum(c.prior.log_density(sds[:, i], nothing) + np.log(sds[:, i]) for i, c in enumerate(components))
    )


@dataclass(frozen=True, eq=False)
class _StudentT:
    """A multivariate t distribution of the logarithms."""

    mean: Floats
    root: Floats

    @classmethod
    def fitted(cls, logs: Floats, weights: Floats) -> _StudentT:
        mean = weights @ logs
        off = logs - mean
        covariance = (weights * off.T) @ off
        ridge = 1e-6 * np.trace(covariance) / len(mean) + 1e-9
        return cls(mean, np.linalg.cholesky(covariance + ridge * np.eye(len(mean))))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        u = np.clip(spread_uniform(n, len(self.mean) + 1, rng), 1e-12, 1 - 1e-12)
        chi2 = 2 * special.gammaincinv(DF / 2, u[:, -1])
        return np.asarray(self.mean + (special.ndtri(u[:, :-1]) @ self.root.T) / np.sqrt(chi2 / DF)[:, None])

    def log_density(self, logs: Floats) -> Floats:
        d = len(self.mean)
        z = np.linalg.solve(self.root, (logs - self.mean).T)
        constant = special.gammaln(0.5 * (DF + d)) - special.gammaln(0.5 * DF) - 0.5 * d * np.log(DF * np.pi)
        return np.asarray(
            constant - np.log(np.diag(self.root)).sum() - 0.5 * (DF + d) * np.log1p((z**2).sum(axis=0) / DF)
        )


def crossed_posterior(
    y: Floats, covariance: Floats, components: Sequence[Component], *, rng: np.random.Generator
) -> CrossedPosterior:
    """Return the posterior of the cells and of the standard deviations.

    Parameters
    ----------
    y : ndarray of shape (k,)
        Effects on the analysis scale.
    covariance : ndarray of shape (k, k)
        Of their sampling errors.
    components : sequence of Component
        With half-normal priors.
    rng : numpy.random.Generator
        The same generator gives the same posterior.

    Raises
    ------
    InputError
        A prior that is not half-normal.
    """
    wrong = [c.prior.label for c in components if not c.prior.label.startswith("half-normal")]
    if wrong:
        raise InputError(
            f"The prior {wrong[0]} of a standard deviation is not half-normal, which is what this model takes."
        )
    centre = float(y.mean())
    y = y - centre
    sds = _prior_draws(components, spread_uniform(DRAWS, len(components), rng))
    weights = _tempered(conditional(y, covariance, components, sds).log_likelihood)
    for _ in range(ROUNDS):
        proposal = _StudentT.fitted(np.log(sds), weights)
        from_prior = _prior_draws(components, spread_uniform(int(DEFENSIVE * DRAWS), len(components), rng))
        sds = np.concatenate([from_prior, np.exp(proposal.draw(rng, DRAWS - len(from_prior)))])
        prior = _log_prior(components, sds)
        mixed = np.logaddexp(np.log(DEFENSIVE) + prior, np.log1p(-DEFENSIVE) + proposal.log_density(np.log(sds)))
        given = conditional(y, covariance, components, sds)
        weights = normalized(given.log_likelihood + prior - mixed)
    new = np.array([float(c.new_study) for c in components])
    return CrossedPosterior(
        names=tuple(c.name for c in components),
        sds=sds,
        weights=weights,
        mean=given.mean + centre,
        variance=given.variance,
        new_variance=sds**2 @ new,
        effective_size=effective_size(weights),
        pareto_k=pareto_k(weights),
    )


def _tempered(log_likelihood: Floats) -> Floats:
    """Return weights of draws from the prior, flattened until they are worth at least a twentieth of their number."""
    power = 1.0
    weights = normalized(log_likelihood)
    while effective_size(weights) < len(weights) / 20 and power > 1e-3:
        power *= 0.7
        weights = normalized(power * log_likelihood)
    return weights
