"""Binomial counts in a hierarchy of crossed effects, without compilation: Laplace, then importance sampling.

Given the standard deviations the logits of the arms are Gaussian and the counts are binomial. Each count is stood in
for by a normal observation of its logit, fitted around the mode; the Gaussian model that results gives the standard
deviations a first likelihood (Laplace) and proposes logits. The weights of the proposals make up for the difference,
so that zeros, whose likelihood is far from normal, are treated exactly as the number of draws grows (Durbin & Koopman
1997, Biometrika 84:669). Given the logits the cells are Gaussian again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from igfmeta.bayes.adaptive import FEWEST_DRAWS, WeightedSds, sample_sds
from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.importance import PARETO_K_LIMIT, effective_size, normalized, pareto_k
from igfmeta.bayes.mu_priors import MuPrior, NormalMu
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Of the logit of the overall rate. 95 % of it lies between rates of 0.7 % and 99.3 %.
RATE_PRIOR = NormalMu(0, 2.5)

#: Weighted draws: two of the logits for each draw of the standard deviations, on either side of the centre.
DRAWS = 6000

#: Matrices held at once: few enough for the cache of a processor.
CHUNK = 100

#: Newton steps from the mode at typical standard deviations, and for that mode itself.
STEPS, FIRST_STEPS = 3, 30

#: Steps that match the proposal's mean and spread; nodes of the average over a logit.
MATCHING_STEPS, NODES = 2, 7

#: How much of the stand-ins' precision a proposal of one arm gives up for wider tails. What it costs grows with the
#: number of arms, so it gives up this divided by the square root of that.
WIDENING = 0.5

#: Least precision of a stand-in observation; variance, absolute and relative, that keeps covariances regular.
LEAST_PRECISION, NUGGET, RELATIVE_NUGGET = 1e-8, 1e-6, 1e-10

#: Draws of standard deviations that weigh less than this share of the average take no part.
NEGLIGIBLE = 1e-4


@dataclass(frozen=True, eq=False)
class StandIns:
    """Normal observations z of logits, with precisions w, in place of counts; the first axis is the draws.

    Attributes
    ----------
    z, precision : ndarray of shape (draws, arms)
    solved : ndarray of shape (draws, arms)
        a = (C + 1/w)^-1 (z - m) for the logits' prior mean m and covariance C; their posterior mean is z - a/w.
    """

    z: Floats
    precision: Floats
    solved: Floats

    @property
    def centre(self) -> Floats:
        return self.z - self.solved / self.precision


@dataclass(frozen=True, eq=False)
class LatentLogits:
    """Counts of arms, and the Gaussian prior of their logits and of the cells.

    Attributes
    ----------
    events, n : ndarray of shape (arms,)
    mean : ndarray of shape (arms,)
        Prior mean of the logits.
    fixed : ndarray of shape (arms, arms)
        Prior covariance that does not depend on the standard deviations: of overall mean and baselines.
    kernels : Kernels
        What the factors add, with arms in the place of studies.
    cell_mean, cell_fixed : ndarray of shape (cells,)
        Prior mean and fixed variance of the cells.
    cell_cross : ndarray of shape (cells, arms)
        Fixed covariance of cells with arms.
    """

    events: Floats
    n: Floats
    mean: Floats
    fixed: Floats
    kernels: Kernels
    cell_mean: Floats
    cell_fixed: Floats
    cell_cross: Floats

    def _in_chunks(self, one: Callable[..., tuple[Floats, ...]], *arrays: Floats) -> tuple[Floats, ...]:
        parts = [one(*(a[i : i + CHUNK] for a in arrays)) for i in range(0, len(arrays[0]), CHUNK)]
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))

    def _covariance(self, variances: Floats) -> Floats:
        arms = len(self.n)
        flat = variances @ self.kernels.studies.reshape(len(self.kernels.studies), -1)
        c = flat.reshape(-1, arms, arms) + self.fixed
        c[:, np.arange(arms), np.arange(arms)] += NUGGET + RELATIVE_NUGGET * variances.sum(axis=1)[:, None]
        return np.asarray(c)

    def _log_binomial(self, logits: Floats) -> Floats:
        return np.asarray((self.events * logits - self.n * np.logaddexp(0, logits)).sum(axis=-1))

    def _stand_ins(self, rate: Floats, spread: Floats, around: Floats) -> tuple[Floats, Floats]:
        """Return z and w that have the slope and curvature of the log likelihood: rate p, spread p (1 - p)."""
        w = np.maximum(self.n * spread, LEAST_PRECISION)
        return around + (self.events - self.n * rate) / w, w

    def _mode(self, c: Floats, start: Floats, steps: int) -> tuple[StandIns, Floats]:
        """Return the stand-ins at the mode and C + 1/w, by Newton (Rasmussen & Williams 2006, algorithm 3.1)."""
        logits = np.broadcast_to(start, c.shape[:2])
        for _ in range(steps):
            rate = special.expit(logits)
            z, w = self._stand_ins(rate, rate * (1 - rate), logits)
            s = _with_noise(c, w)
            found = StandIns(z, w, _solved(s, z - self.mean))
            logits = found.centre
        return found, s

    def _matched(self, c: Floats, found: StandIns) -> StandIns:
        """Return stand-ins with slope and curvature averaged over the logit's approximate posterior, not at its mode.

        These are the conditions of the best Gaussian approximation (Opper & Archambeau 2009, Neural Comput 21:786).
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        z, w = found.z, found.precision
        for _ in range(MATCHING_STEPS):
            inverse = np.linalg.inv(_with_noise(c, w))
            centre = z - (inverse @ (z - self.mean)[..., None])[..., 0] / w
            variance = (1 - np.diagonal(inverse, axis1=1, axis2=2) / w) / w
            sd = np.sqrt(np.maximum(variance, 1e-12))
            rate = special.expit(centre[..., None] + sd[..., None] * nodes)
            average = weights / weights.sum()
            z, w = self._stand_ins(rate @ average, (rate * (1 - rate)) @ average, centre)
        w = (1 - WIDENING / np.sqrt(len(self.n))) * w
        return StandIns(z, w, _solved(_with_noise(c, w), z - self.mean))

    @cached_property
    def _start(self) -> Floats:
        """Return the mode where every factor has variance 1, from rates with half an event added."""
        raw = np.log((self.events + 0.5) / (self.n - self.events + 0.5))
        c = self._covariance(np.ones((1, len(self.kernels.studies))))
        return np.asarray(self._mode(c, 0.5 * (raw + raw.mean()), FIRST_STEPS)[0].centre[0])

    def log_likelihood(self, sds: Floats) -> Floats:
        """Return Laplace's approximation of the log likelihood of standard deviations of shape (draws, factors).

        Rasmussen & Williams 2006, Gaussian processes for machine learning, eq. 3.32; without binomial coefficients.
        """

        def one(variances: Floats) -> tuple[Floats]:
            return (self._laplace(*self._mode(self._covariance(variances), self._start, STEPS)),)

        return self._in_chunks(one, sds**2)[0]

    def _laplace(self, mode: StandIns, s: Floats) -> Floats:
        return self._log_gaussian(mode, s) + self._log_ratio(mode, mode.centre)

    def _log_gaussian(self, found: StandIns, s: Floats) -> Floats:
        """Return the log density of the stand-in observations under the model; 2 pi is left out here and below."""
        return np.asarray(-0.5 * (np.vecdot(found.z - self.mean, found.solved) + np.linalg.slogdet(s)[1]))

    def _log_ratio(self, found: StandIns, logits: Floats) -> Floats:
        """Return log binomial likelihood less log density of the stand-ins, at given logits."""
        normal = np.log(found.precision) - found.precision * (found.z - logits) ** 2
        return np.asarray(self._log_binomial(logits) - 0.5 * normal.sum(axis=-1))

    def draw(self, sds: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return two draws of the logits for each draw of the standard deviations, and their log weights.

        Logits from the prior and noise of the stand-ins, corrected by what they miss the stand-ins by, are a draw from
        the Gaussian posterior (Durbin & Koopman 2002, Biometrika 89:603); the other draw is its mirror image.

        Returns
        -------
        logits : ndarray of shape (draws, 2, arms)
        log_weights : ndarray of shape (draws, 2)
            What the likelihood that `log_likelihood` gives is to be multiplied by; on average the exact one results.
        """

        def one(variances: Floats) -> tuple[Floats, Floats]:
            c = self._covariance(variances)
            mode, at_mode = self._mode(c, self._start, STEPS)
            found = self._matched(c, mode)
            s = _with_noise(c, found.precision)
            shape = found.z.shape
            noise = rng.normal(size=shape) / np.sqrt(found.precision)
            prior = (np.linalg.cholesky(c) @ rng.normal(size=shape)[..., None])[..., 0]
            off = _solved(s, prior + noise) / found.precision - noise
            gaussian = self._log_gaussian(found, s) - self._laplace(mode, at_mode)
            logits = [found.centre + off, found.centre - off]
            return np.stack(logits, axis=1), np.stack([gaussian + self._log_ratio(found, x) for x in logits], axis=1)

        logits, log_weights = self._in_chunks(one, sds**2)
        return logits, log_weights

    def cells_given(self, sds: Floats, logits: Floats) -> tuple[Floats, Floats]:
        """Return mean (draws, 2, cells) and variance (draws, cells) of the cells given logits (draws, 2, arms).

        With C the covariance of the logits and A that of cells with them: m + A C^-1 (logits - m), P - A C^-1 A'.
        """

        def one(variances: Floats, logits: Floats) -> tuple[Floats, Floats]:
            a = np.tensordot(variances, self.kernels.cross, axes=1) + self.cell_cross
            gain = np.linalg.solve(self._covariance(variances), a.mT)
            mean = self.cell_mean + (logits - self.mean) @ gain
            own = variances @ np.diagonal(self.kernels.cells, axis1=1, axis2=2) + self.cell_fixed
            spread = own - np.vecdot(a, gain.mT)
            return mean, np.maximum(spread, 1e-14 * own)

        mean, variance = self._in_chunks(one, sds**2, logits)
        return mean, variance


def _with_noise(c: Floats, precision: Floats) -> Floats:
    """Return C + 1/w."""
    s, i = c.copy(), np.arange(c.shape[1])
    s[:, i, i] += 1 / precision
    return s


def _solved(s: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(s, right[..., None])[..., 0])


def one_arm_logits(events: Floats, n: Floats, kernels: Kernels, mu_prior: MuPrior) -> LatentLogits:
    """Return the model of single arms: the logit of each is the overall mean and the effects of its factors."""
    variance, ones = normal_variance(mu_prior), np.ones(len(events))
    return LatentLogits(
        events=events,
        n=n,
        mean=mu_prior.mean * ones,
        fixed=np.full((len(events), len(events)), variance),
        kernels=kernels,
        cell_mean=mu_prior.mean * kernels.ones,
        cell_fixed=variance * kernels.ones**2,
        cell_cross=variance * np.outer(kernels.ones, ones),
    )


def normal_variance(prior: MuPrior) -> float:
    """Return the variance of a prior that is normal."""
    if len(prior.variances) != 1 or not prior.proper:
        raise InputError(f"The prior of the mean was {prior.label}; accepted with counts is normal(mean, sd).")
    return float(prior.variances[0])


def checked_counts(events: Floats, n: Floats, arm: str = "arm") -> tuple[Floats, Floats]:
    """Return counts as numbers; a sentence says which are not counts."""
    events, n = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    if events.shape != n.shape or events.ndim != 1 or not len(events):
        raise InputError(
            f"events has shape {events.shape} and n has shape {n.shape}; accepted are one number of each per {arm}, "
            "and one at least."
        )
    whole = np.isfinite(events) & np.isfinite(n) & (np.rint(events) == events) & (np.rint(n) == n)
    for i in np.flatnonzero(~(whole & (events >= 0) & (events <= n) & (n >= 1)))[:1]:
        raise InputError(
            f"The {arm} at position {i} has {events[i]:g} events of {n[i]:g}; accepted are whole numbers, 1 or more "
            "patients, and events between 0 and that."
        )
    return events, n


def checked_share(share: Floats | None, k: int) -> Floats:
    """Return the powers of k likelihoods: 1 where none is given."""
    powers = np.ones(k) if share is None else np.asarray(share, dtype=float)
    if powers.shape != (k,) or not np.all((powers > 0) & (powers <= 1)):
        raise InputError(f"share was {share!r}; accepted is a number above 0 and up to 1 for each of {k} arms.")
    return powers


def binomial_posterior(
    events: Floats,
    n: Floats,
    factors: Sequence[Factor],
    kernels: Kernels,
    *,
    mu_prior: MuPrior = RATE_PRIOR,
    share: Floats | None = None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> CrossedPosterior:
    """Return the posterior of the cells and of the standard deviations, of rates on the logit scale.

    events_i ~ binomial(n_i, p_i), logit p_i = overall mean + effects of the factors.

    Parameters
    ----------
    events, n : ndarray of shape (k,)
        Events and patients of each arm.
    factors : sequence of Factor
    kernels : Kernels
        Of the factors, for the cells that are asked for.
    mu_prior : MuPrior
        Of the overall mean, on the logit scale; normal.
    share : ndarray of shape (k,), optional
        Power of the likelihood of each arm, above 0 and up to 1 (Ibrahim & Chen 2000, Stat Sci 15:46): what is known
        of it is q x events of q n patients. Default 1.
    rng : numpy.random.Generator
        The same generator gives the same posterior.
    draws : int
        Weighted draws, two for each draw of the standard deviations.

    Raises
    ------
    InputError
        Counts that are none, or a prior of the mean that is not normal.

    Examples
    --------
    >>> from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
    >>> factors = class_by_tumor([0] * 4, [0] * 4, [0] * 4, n_classes=1, n_tumors=1, priors=default_priors(rates=True))
    >>> found = binomial_posterior(
    ...     np.array([0, 0, 1, 2]),
    ...     np.array([12, 20, 15, 30]),
    ...     factors,
    ...     Kernels.of(factors, 1),
    ...     rng=np.random.default_rng(1),
    ... )
    >>> special.expit(found.cells().quantile(np.array([0.5]))).round(2)
    array([0.04])
    """
    events, n = checked_counts(events, n)
    share = checked_share(share, len(n))
    model = one_arm_logits(share * events, share * n, kernels, mu_prior)
    return latent_posterior(model, factors, rng=rng, draws=draws)


def latent_posterior(
    model: LatentLogits, factors: Sequence[Factor], *, rng: np.random.Generator, draws: int
) -> CrossedPosterior:
    """Return the posterior of a model of counts."""
    drawn = sample_sds(model.log_likelihood, [f.prior for f in factors], rng=rng, draws=max(draws // 2, 1))
    kept = drawn.weights > NEGLIGIBLE / len(drawn.weights)
    sds, first = drawn.sds[kept], drawn.weights[kept]
    logits, log_weights = model.draw(sds, rng)
    raw = normalized(np.log(first)[:, None] + log_weights)
    weights = _truncated(raw)
    mean, variance = model.cells_given(sds, logits)
    # Two draws with the same standard deviations are counted as one.
    size, k = effective_size(weights.sum(axis=1)), pareto_k(raw.ravel())
    return CrossedPosterior(
        names=tuple(f.name for f in factors),
        sds=np.repeat(sds, 2, axis=0),
        weights=weights.ravel(),
        mean=mean.reshape(-1, mean.shape[2]),
        variance=np.repeat(variance, 2, axis=0),
        new_variance=np.repeat(sds**2 @ model.kernels.new, 2),
        effective_size=size,
        pareto_k=k,
        reliable=_reliable(drawn, size, k),
    )


def _reliable(drawn: WeightedSds, size: float, k: float) -> bool:
    return size >= min(FEWEST_DRAWS, len(drawn.weights) / 5) and max(k, drawn.pareto_k) <= PARETO_K_LIMIT


def _truncated(weights: Floats) -> Floats:
    """Return weights of which none is larger than sqrt(n) times their average (Ionides 2008, eq. 3)."""
    cut = np.minimum(weights, weights.mean() * np.sqrt(weights.size))
    return np.asarray(cut / cut.sum())
