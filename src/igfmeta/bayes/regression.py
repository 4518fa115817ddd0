"""Meta-regression: effects or counts given moderators, the study effects normal; without draws of the coefficients.

Given the standard deviations everything is Gaussian, as in `igfmeta.bayes.crossed` and `igfmeta.bayes.laplace`; the
coefficients take the place of the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.adaptive import DRAWS, sample_sds
from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.crossed import CHUNK, CrossedPosterior
from igfmeta.bayes.laplace import DRAWS as COUNT_DRAWS
from igfmeta.bayes.laplace import LatentLogits, checked_counts, checked_share, latent_posterior, normal_variance
from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, TwoArmCounts, with_controls
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Standard deviations of the normal priors: of the effect where every column is at its mean (or of each category's,
#: without an intercept); and of the change of the effect by one standard deviation of a column, or from 0 to 1.
INTERCEPT_SD, SLOPE_SD = 2.5, 1.0


@dataclass(frozen=True, eq=False)
class Moderators:
    """A design with the prior of its coefficients.

    Attributes
    ----------
    names : tuple of str
        Of the p columns.
    root : ndarray of shape (p, p)
        Coefficients are R z, z standard normal a priori.
    scaled : ndarray of shape (k, p)
        X R: the columns centred and in units of their prior.
    """

    names: tuple[str, ...]
    root: Floats
    scaled: Floats

    @classmethod
    def of(
        cls, X: Floats, names: Sequence[str], *, intercept_sd: float = INTERCEPT_SD, slope_sd: float = SLOPE_SD
    ) -> Moderators:
        """Return a design with priors that do not depend on the units of its columns.

        With an intercept, alpha = intercept + sum mean(x_j) b_j, the effect at the mean of every column, is
        N(0, intercept_sd^2), and b_j is N(0, (slope_sd / sd(x_j))^2), or N(0, slope_sd^2) where x_j is 0 or 1.

        Raises
        ------
        InputError
            Columns that do not determine their coefficients.

        Examples
        --------
        >>> found = Moderators.of(np.array([[1.0, 2010], [1, 2012], [1, 2014]]), ["Intercept", "year"])
        >>> found.root[1].tolist(), found.scaled.tolist()
        ([0.0, 0.5], [[2.5, -1.0], [2.5, 0.0], [2.5, 1.0]])
        """
        X = np.asarray(X, dtype=float)
        varies = np.ptp(X, axis=0) > 0
        constant = int(np.argmin(varies))
        binary = np.isin(X, (0.0, 1.0)).all(axis=0)
        mean = np.where(varies, X.mean(axis=0), 0.0)
        if varies.all():
            root, scaled = intercept_sd * np.eye(X.shape[1]), intercept_sd * X
        else:
            sds = np.where(varies & ~binary, X.std(axis=0, ddof=1), 1.0)
            unit = np.where(varies, slope_sd / sds, intercept_sd)
            root = np.diag(unit)
            root[constant, varies] = -(mean * unit)[varies] / X[0, constant]
            scaled = (X - mean) * unit
        if np.linalg.matrix_rank(scaled) < X.shape[1]:
            raise InputError(
                f"{len(X)} studies do not determine the {X.shape[1]} coefficients {', '.join(names)}: leave out a "
                "moderator, or join categories."
            )
        return cls(tuple(names), root, scaled)


def _kernels(factors: Sequence[Factor], m: int) -> Kernels:
    """Return kernels in which coefficients, m combinations of them, are touched by no factor."""
    kernels = Kernels.of(factors, m)
    return Kernels(kernels.studies, kernels.cross, kernels.cells, kernels.new, np.zeros(m))


def regression_posterior(
    y: Floats,
    covariance: Floats,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> CrossedPosterior:
    """Return the posterior of linear combinations of the coefficients, of normal effects.

    y ~ N(X b, V + sum sd_f^2 K_f), b ~ N(0, B) with B = R R': given the sds b has mean B X' S^-1 y and covariance
    B - B X' S^-1 X B with S = V + X B X' + sum sd_f^2 K_f (Lindley & Smith 1972, J R Stat Soc B 34:1).

    Parameters
    ----------
    y : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
    moderators : Moderators
    factors : sequence of Factor
        Random effects, each drawn anew by a new study.
    weights : ndarray of shape (m, p)
    rng : numpy.random.Generator
    draws : int

    Examples
    --------
    >>> from igfmeta.bayes.components import class_by_tumor, default_priors
    >>> factors = class_by_tumor([0] * 4, [0] * 4, [0] * 4, n_classes=1, n_tumors=1, priors=default_priors())
    >>> design = Moderators.of(np.array([[1.0, 0], [1, 1], [1, 2], [1, 3]]), ["Intercept", "dose"])
    >>> y = np.array([0.0, 0.1, 0.2, 0.3])
    >>> found = regression_posterior(
    ...     y, 0.001 * np.eye(4), design, factors, np.eye(2), rng=np.random.default_rng(1)
    ... )
    >>> found.cells().quantile(np.array([0.5, 0.5])).round(1)
    array([0. , 0.1])
    """
    kernels = _kernels(factors, len(weights))
    of_weights = weights @ moderators.root
    fixed = covariance + moderators.scaled @ moderators.scaled.T
    cross = of_weights @ moderators.scaled.T
    own = np.vecdot(of_weights, of_weights)

    def covariances(sds: Floats) -> Floats:
        return fixed + np.tensordot(sds**2, kernels.studies, axes=1)

    def log_likelihood(sds: Floats) -> Floats:
        out = np.empty(len(sds))
        for i in range(0, len(sds), CHUNK):
            s = covariances(sds[i : i + CHUNK])
            right = np.broadcast_to(y[:, None], (len(s), len(y), 1))
            squares = np.vecdot(y, np.linalg.solve(s, right)[..., 0])
            out[i : i + CHUNK] = -0.5 * (squares + np.linalg.slogdet(s)[1] + len(y) * np.log(2 * np.pi))
        return out

    drawn = sample_sds(log_likelihood, [f.prior for f in factors], rng=rng, draws=draws)
    mean, variance = np.empty((draws, len(weights))), np.empty((draws, len(weights)))
    for i in range(0, draws, CHUNK):
        part = slice(i, i + CHUNK)
        gain = np.linalg.solve(
            covariances(drawn.sds[part]), np.broadcast_to(cross.T, (len(drawn.sds[part]), *cross.T.shape))
        )
        mean[part] = y @ gain
        variance[part] = np.maximum(own - np.einsum("mk,nkm->nm", cross, gain), 1e-14 * own)
    return CrossedPosterior(
        names=tuple(f.name for f in factors),
        sds=drawn.sds,
        weights=drawn.weights,
        mean=mean,
        variance=variance,
        new_variance=drawn.sds**2 @ kernels.new,
        effective_size=drawn.effective_size,
        pareto_k=drawn.pareto_k,
        reliable=drawn.reliable,
    )


def binomial_regression(
    events: Floats,
    n: Floats,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    share: Floats | None = None,
    rng: np.random.Generator,
    draws: int = COUNT_DRAWS,
) -> CrossedPosterior:
    """Return the same of counts of single arms: logit p_i = x_i' b + effects of the factors.

    `share` as of `igfmeta.bayes.laplace.binomial_posterior`.
    """
    events, n = checked_counts(events, n)
    share = checked_share(share, len(n))
    nothing, kernels = np.zeros((len(n), len(n))), _kernels(factors, len(weights))
    latent = _latent(share * events, share * n, moderators.scaled, nothing, weights @ moderators.root, kernels)
    return latent_posterior(latent, factors, rng=rng, draws=draws)


def two_arm_regression(
    counts: TwoArmCounts,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    rng: np.random.Generator,
    draws: int = COUNT_DRAWS,
) -> CrossedPosterior:
    """Return the same of counts of two arms: the log odds ratio is x_i' b + effects of the factors."""
    controls = len(counts.control_n)
    scaled = np.pad(moderators.scaled, ((controls, 0), (0, 0)))
    baseline = np.concatenate([np.eye(controls), np.eye(controls)[counts.control]])
    kernels = with_controls(_kernels(factors, len(weights)), controls)
    events, n = counts.information()
    fixed = normal_variance(BASELINE_PRIOR) * baseline @ baseline.T
    latent = _latent(events, n, scaled, fixed, weights @ moderators.root, kernels)
    return latent_posterior(latent, factors, rng=rng, draws=draws)


def _latent(
    events: Floats, n: Floats, scaled: Floats, fixed: Floats, of_weights: Floats, kernels: Kernels
) -> LatentLogits:
    return LatentLogits(
        events=events,
        n=n,
        mean=np.zeros(len(n)),
        fixed=fixed + scaled @ scaled.T,
        kernels=kernels,
        cell_mean=np.zeros(len(of_weights)),
        cell_fixed=np.vecdot(of_weights, of_weights),
        cell_cross=of_weights @ scaled.T,
    )
