"""Standard deviations by adaptive importance sampling: draws from the prior first, then from where the data put them.

The proposal is a mixture of the prior and a Student-t distribution of the logarithms, fitted to the weighted draws of
the round before. The share of the prior keeps the weights bounded (Hesterberg 1995, Technometrics 37:185).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.bayes.components import prior_quantile
from igfmeta.bayes.importance import PARETO_K_LIMIT, effective_size, normalized, pareto_k
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats

#: Draws of the first rounds and of the last, share of the prior in the proposal, degrees of freedom of its other part.
SCOUTS, DRAWS, DEFENSIVE, DF = 1000, 4000, 0.2, 6.0

#: How far below and above the scale of its prior, in logarithms, a standard deviation is drawn.
LEAST, MOST = 14.0, 9.0

#: Fewest effective draws at which the summaries are trusted, and rounds that are added to reach them.
FEWEST_DRAWS, MORE_ROUNDS = 400, 3


@dataclass(frozen=True, eq=False)
class WeightedSds:
    """Weighted draws of standard deviations.

    Attributes
    ----------
    sds : ndarray of shape (draws, factors)
    weights : ndarray of shape (draws,)
        They add up to 1.
    log_evidence : float
        Logarithm of the average likelihood under the prior.
    """

    sds: Floats
    weights: Floats
    log_evidence: float

    @property
    def effective_size(self) -> float:
        return effective_size(self.weights)

    @property
    def pareto_k(self) -> float:
        return pareto_k(self.weights)

    @property
    def reliable(self) -> bool:
        return self.effective_size >= min(FEWEST_DRAWS, len(self.weights) / 5) and self.pareto_k <= PARETO_K_LIMIT


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


def _prior_draws(priors: Sequence[TauPrior], uniform: Floats) -> Floats:
    """Return the logarithms of standard deviations from their priors."""
    sds = np.stack([prior_quantile(prior, uniform[:, i]) for i, prior in enumerate(priors)], axis=1)
    return _within_reach(priors, np.log(sds))


def _within_reach(priors: Sequence[TauPrior], logs: Floats) -> Floats:
    """Return logarithms within the limits beyond which the likelihood is flat, or covariances are singular."""
    scales = np.log([prior.scale for prior in priors])
    return np.clip(logs, scales - LEAST, scales + MOST)


def _log_prior(priors: Sequence[TauPrior], sds: Floats) -> Floats:
    """Return the log prior density of the logarithms of the standard deviations."""
    nothing = np.zeros((1, 1))
    return np.asarray(sum(prior.log_density(sds[:, i], nothing) + np.log(sds[:, i]) for i, prior in enumerate(priors)))


@dataclass(frozen=True, eq=False)
class StudentT:
    """A multivariate t distribution; `root` is the Cholesky factor of its scale matrix."""

    mean: Floats
    root: Floats

    @classmethod
    def fitted(cls, points: Floats, weights: Floats) -> StudentT:
        """Return the distribution with the mean and covariance of weighted points."""
        mean = weights @ points
        off = points - mean
        covariance = (weights * off.T) @ off
        ridge = 1e-6 * np.trace(covariance) / len(mean) + 1e-9
        return cls(mean, np.linalg.cholesky(covariance + ridge * np.eye(len(mean))))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        u = np.clip(spread_uniform(n, len(self.mean) + 1, rng), 1e-12, 1 - 1e-12)
        chi2 = 2 * special.gammaincinv(DF / 2, u[:, -1])
        return np.asarray(self.mean + (special.ndtri(u[:, :-1]) @ self.root.T) / np.sqrt(chi2 / DF)[:, None])

    def log_density(self, points: Floats) -> Floats:
        d = len(self.mean)
        z = np.linalg.solve(self.root, (points - self.mean).T)
        constant = special.gammaln(0.5 * (DF + d)) - special.gammaln(0.5 * DF) - 0.5 * d * np.log(DF * np.pi)
        return np.asarray(
            constant - np.log(np.diag(self.root)).sum() - 0.5 * (DF + d) * np.log1p((z**2).sum(axis=0) / DF)
        )


def sample_sds(
    log_likelihood: Callable[[Floats], Floats],
    priors: Sequence[TauPrior],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> WeightedSds:
    """Return draws of standard deviations, weighted by their posterior.

    Parameters
    ----------
    log_likelihood : callable
        Of standard deviations of shape (draws, factors): shape (draws,). Everything else is integrated out in it.
    priors : sequence of TauPrior
        Of the half-t family.
    rng : numpy.random.Generator
        The same generator gives the same draws.
    draws : int
        Of the last round.
    """
    scouts = min(SCOUTS, draws)
    sds = np.exp(_prior_draws(priors, spread_uniform(scouts, len(priors), rng)))
    weights = _tempered(log_likelihood(sds))
    drawn = WeightedSds(sds, weights, float("nan"))
    for last, n in ((False, scouts), *[(True, draws)] * (1 + MORE_ROUNDS)):
        drawn = _round(log_likelihood, priors, StudentT.fitted(np.log(drawn.sds), drawn.weights), n, rng)
        if last and drawn.reliable:
            break
    return drawn


def _round(
    log_likelihood: Callable[[Floats], Floats],
    priors: Sequence[TauPrior],
    proposal: StudentT,
    n: int,
    rng: np.random.Generator,
) -> WeightedSds:
    from_prior = _prior_draws(priors, spread_uniform(int(DEFENSIVE * n), len(priors), rng))
    logs = np.concatenate([from_prior, _within_reach(priors, proposal.draw(rng, n - len(from_prior)))])
    sds = np.exp(logs)
    prior = _log_prior(priors, sds)
    mixed = np.logaddexp(np.log(DEFENSIVE) + prior, np.log1p(-DEFENSIVE) + proposal.log_density(logs))
    log_weights = log_likelihood(sds) + prior - mixed
    top = log_weights.max()
    return WeightedSds(sds, normalized(log_weights), float(top + np.log(np.mean(np.exp(log_weights - top)))))


def _tempered(log_likelihood: Floats) -> Floats:
    """Return weights of draws from the prior, flattened until they are worth at least a twentieth of their number."""
    power = 1.0
    weights = normalized(log_likelihood)
    while effective_size(weights) < len(weights) / 20 and power > 1e-3:
        power *= 0.7
        weights = normalized(power * log_likelihood)
    return weights
