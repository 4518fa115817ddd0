"""The slope of trial effects on what epidemiology says of the same tumours: one model of both, exact but for four sds.

Studies of unit i:  x_ij ~ N(xi_i, s2_ij + psi^2),  trials:  y_ij ~ N(theta_i, v_ij + tau^2),
between units:      xi_i ~ N(mean, omega^2),        theta_i ~ N(level + slope (xi_i - mean), rho^2).

Given the slope and the standard deviations all is Gaussian; mean and level have flat priors and are integrated out, as
are the true values. The slope is integrated on a grid, the four standard deviations by importance sampling, so that
nothing is compiled. The prior of the slope is proper: with a flat one the posterior is improper, because the likelihood
does not fall as the slope grows while omega shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from igfmeta.bayes.adaptive import WeightedSds, sample_sds, spread_uniform
from igfmeta.bayes.components import prior_quantile
from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats, Mask
from igfmeta.pairs import Pairs

#: Standard deviations of the model, in this order: between units of the predictor, between units of effects about the
#: line, between the studies of a unit, between its trials.
SDS = ("predictor", "line", "studies", "trials")

#: Nodes of the slope; how far its prior reaches, in sds; what is below the top by more than this, in logarithms, is 0.
NODES, REACH, DEEP = 121, 6.0, 30.0

#: Draws that find out where the slope lies, and how often they look closer; draws held at once.
SCOUTS, ZOOMS, CHUNK = 200, 8, 250

#: Draws of slope and standard deviations together, for the line.
LINES = 2000


@dataclass(frozen=True, eq=False)
class Units:
    """Studies and trials of the same units.

    Attributes
    ----------
    x, s2 : ndarray of shape (studies,)
        Log ratios of risk and their sampling variances.
    y, v : ndarray of shape (trials,)
        Effects of trials and their sampling variances.
    of_x : ndarray of bool, shape (studies, units)
        To which unit a study belongs.
    of_y : ndarray of bool, shape (trials, units)
    """

    x: Floats
    s2: Floats
    y: Floats
    v: Floats
    of_x: Mask
    of_y: Mask

    @classmethod
    def of(cls, x: Sequence[Floats], s2: Sequence[Floats], y: Sequence[Floats], v: Sequence[Floats]) -> Units:
        """Return units from the estimates and variances of each.

        Raises
        ------
        InputError
            Fewer than two units, one without a study or a trial, numbers that are none.
        """
        if len({len(part) for part in (x, s2, y, v)}) != 1 or len(x) < 2:
            raise InputError(f"There are {len(x)} units; a slope needs two at least, each with studies and trials.")
        arrays = [np.concatenate([np.asarray(each, dtype=float) for each in part]) for part in (x, s2, y, v)]
        sizes = [[len(each) for each in part] for part in (x, s2, y, v)]
        if sizes[0] != sizes[1] or sizes[2] != sizes[3] or min(*sizes[0], *sizes[2]) < 1:
            raise InputError("Each unit needs a study and a trial, and each of these an estimate and a variance.")
        if not all(np.isfinite(array).all() for array in arrays) or min(arrays[1].min(), arrays[3].min()) <= 0:
            raise InputError("Estimates must be finite numbers, and variances finite numbers above 0.")
        return cls(*arrays, *(np.repeat(np.eye(len(x), dtype=bool), size, axis=0) for size in (sizes[0], sizes[2])))

    def __len__(self) -> int:
        return int(self.of_x.shape[1])

    def pairs(self, sds: Floats) -> tuple[Pairs, Floats]:
        """Return the pair of each unit given standard deviations of shape (n, 4), and the log likelihood within units.

        The pairs have shape (n, 1, units), so that slopes go on the axis between.
        """
        x, s2, within_x = _collapsed(self.x, self.s2, self.of_x, sds[:, 2])
        y, v, within_y = _collapsed(self.y, self.v, self.of_y, sds[:, 3])
        return Pairs(*(each[:, None, :] for each in (x, s2, y, v))), within_x + within_y

    def log_likelihood(self, slopes: Floats, sds: Floats) -> Floats:
        """Return the log likelihood of slopes (m,) and standard deviations (n, 4): shape (n, m)."""
        parts = []
        for i in range(0, len(sds), CHUNK):
            some = sds[i : i + CHUNK]
            pairs, within = self.pairs(some)
            between = pairs.log_likelihood(slopes[None, :], some[:, :1] ** 2, some[:, 1:2] ** 2)
            parts.append(between + within[:, None])
        return np.concatenate(parts)


def _collapsed(z: Floats, variance: Floats, member: Mask, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean and variance of each unit, shape (n, units), and the log likelihood of what is left, (n,)."""
    w = 1 / (variance + sd[:, None] ** 2)
    total = w @ member
    mean = (w * z) @ member / total
    rest = np.log(w).sum(1) - np.log(total).sum(1) - (w * (z - mean @ member.T) ** 2).sum(1)
    return mean, 1 / total, 0.5 * rest - 0.5 * (len(z) - member.shape[1]) * np.log(2 * np.pi)


@dataclass(frozen=True, eq=False)
class SlopePosterior:
    """What is known of the slope and of the line.

    Attributes
    ----------
    prior_sd : float
        Of the slope's normal prior around 0.
    slope, weights : ndarray of shape (n,)
        Nodes and their weights, or equal draws.
    sds, sd_weights : ndarray of shape (draws, 4), (draws,)
        Standard deviations in the order of `SDS`.
    lines : tuple of (ndarray of shape (m,), ndarray of shape (m, 4))
        Equally likely slopes with their standard deviations.
    effective_size, pareto_k : float
    reliable : bool
    """

    units: Units = field(repr=False)
    prior_sd: float
    slope: Floats
    weights: Floats
    sds: Floats
    sd_weights: Floats
    lines: tuple[Floats, Floats]
    effective_size: float
    pareto_k: float
    reliable: bool

    @property
    def sd(self) -> float:
        """Standard deviation of the slope."""
        mean = self.weights @ self.slope
        return float(np.sqrt(self.weights @ (self.slope - mean) ** 2))

    @property
    def learned(self) -> float:
        """Share of the prior standard deviation of the slope that the data took away; below 0 where they widened it."""
        return 1 - self.sd / self.prior_sd

    def quantile(self, p: float) -> float:
        """Return a quantile of the slope."""
        return _quantile(self.slope, self.weights, p)

    def below(self, value: float) -> float:
        """Return the probability that the slope is below a value."""
        order = np.argsort(self.slope, kind="stable")
        cumulated = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
        return float(np.interp(value, self.slope[order], cumulated))

    def sd_quantiles(self, p: Sequence[float]) -> list[list[float]]:
        """Return quantiles of each standard deviation."""
        return [[_quantile(column, self.sd_weights, each) for each in p] for column in self.sds.T]

    def band(self, xi: Floats, p: Sequence[float], *, new_unit: bool = False) -> Floats:
        """Return quantiles of the line at predictors, or of a new unit's true effect there: shape (len(p), len(xi))."""
        xi = np.asarray(xi, dtype=float)
        slopes, sds = self.lines
        pairs, _ = self.units.pairs(sds)
        pairs = replace(pairs, **{name: getattr(pairs, name)[:, 0] for name in ("x", "s2", "y", "v")})
        precision, sums, _, _ = pairs.means(slopes, sds[:, 0] ** 2, sds[:, 1] ** 2)
        covariance = np.linalg.inv(precision[:, [[0, 1], [1, 2]]])
        centre = np.einsum("nij,nj->ni", covariance, sums)
        mean = centre[:, 1, None] + slopes[:, None] * (xi - centre[:, 0, None])
        variance = covariance[:, 1, 1] - 2 * slopes * covariance[:, 0, 1] + slopes**2 * covariance[:, 0, 0]
        variance = variance + (sds[:, 1] ** 2 if new_unit else 0.0)
        weights = np.full((len(xi), len(slopes)), 1 / len(slopes))
        spread = np.sqrt(np.broadcast_to(variance, weights.shape))
        mixture = NormalMixture(weights, np.ascontiguousarray(mean.T), spread)
        return np.stack([mixture.quantile(np.full(len(xi), each)) for each in p])


def _quantile(values: Floats, weights: Floats, p: float) -> float:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(p, cumulated, values[order]))


def _log_prior(slopes: Floats, prior_sd: float) -> Floats:
    return np.asarray(-0.5 * (slopes / prior_sd) ** 2 - 0.5 * np.log(2 * np.pi) - np.log(prior_sd))


def _nodes(units: Units, priors: Sequence[TauPrior], prior_sd: float, rng: np.random.Generator) -> Floats:
    """Return evenly spaced slopes over where the posterior has mass, found by looking closer step by step."""
    uniform = spread_uniform(SCOUTS, len(priors), rng)
    sds = np.stack([prior_quantile(prior, uniform[:, i]) for i, prior in enumerate(priors)], axis=1)
    low, high = -REACH * prior_sd, REACH * prior_sd
    for _ in range(ZOOMS):
        slopes = np.linspace(low, high, NODES)
        joint = units.log_likelihood(slopes, sds) + _log_prior(slopes, prior_sd)
        top = joint.max(axis=0)
        inside = np.flatnonzero(top > top.max() - DEEP)
        first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, NODES - 1)
        if last - first > NODES // 2:
            return np.linspace(slopes[first], slopes[last], NODES)
        low, high = slopes[first], slopes[last]
    return np.linspace(low, high, NODES)


def slope_posterior(
    units: Units, priors: Sequence[TauPrior], *, prior_sd: float, rng: np.random.Generator
) -> SlopePosterior:
    """Return the posterior of the slope.

    Parameters
    ----------
    units : Units
    priors : sequence of TauPrior
        Of the four standard deviations, in the order of `SDS`; of the half-t family.
    prior_sd : float
        Of the slope's normal prior around 0.
    rng : numpy.random.Generator
        The same generator gives the same numbers.

    References
    ----------
    Carroll, Ruppert, Stefanski & Crainiceanu 2006, Measurement error in nonlinear models, chapter 9.

    Examples
    --------
    >>> from igfmeta.bayes.tau_priors import HalfNormal
    >>> x = [np.array([a, a + 0.1]) for a in (-1.0, 0.0, 1.0, 2.0)]
    >>> y = [np.array([a, a + 0.2]) for a in (0.9, 0.1, -1.0, -2.1)]
    >>> v = [np.array([0.05, 0.05])] * 4
    >>> rng = np.random.default_rng(1)
    >>> found = slope_posterior(Units.of(x, v, y, v), [HalfNormal(1.0)] * 4, prior_sd=3.0, rng=rng)
    >>> found.quantile(0.025) < -1 < found.quantile(0.975) < 0, found.reliable
    (True, True)
    """
    if len(priors) != len(SDS):
        raise InputError(f"There are {len(priors)} priors; accepted are {len(SDS)}, of {', '.join(SDS)}.")
    slopes = _nodes(units, priors, prior_sd, rng)
    step = slopes[1] - slopes[0]
    weight = np.where(np.isin(np.arange(NODES), (0, NODES - 1)), 0.5, 1.0) * step
    offset = _log_prior(slopes, prior_sd) + np.log(weight)

    def integrated(sds: Floats) -> Floats:
        joint = units.log_likelihood(slopes, sds) + offset
        top = joint.max(axis=1)
        return np.asarray(top + np.log(np.exp(joint - top[:, None]).sum(axis=1)))

    drawn = sample_sds(integrated, priors, rng=rng)
    joint = units.log_likelihood(slopes, drawn.sds) + offset
    given = np.exp(joint - joint.max(axis=1, keepdims=True))
    given /= given.sum(axis=1, keepdims=True)
    return SlopePosterior(
        units=units,
        prior_sd=prior_sd,
        slope=slopes,
        weights=drawn.weights @ given,
        sds=drawn.sds,
        sd_weights=drawn.weights,
        lines=_lines(slopes, given, drawn, rng),
        effective_size=drawn.effective_size,
        pareto_k=drawn.pareto_k,
        reliable=drawn.reliable,
    )


def _lines(slopes: Floats, given: Floats, drawn: WeightedSds, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return slopes with their standard deviations, drawn with equal probability: evenly over both."""
    uniform = spread_uniform(LINES, 2, rng)
    picked = np.minimum(np.searchsorted(np.cumsum(drawn.weights), uniform[:, 0]), len(drawn.weights) - 1)
    cumulated = np.cumsum(given[picked], axis=1) - 0.5 * given[picked]
    chosen = [np.interp(u, row, slopes) for u, row in zip(uniform[:, 1], cumulated, strict=True)]
    return np.array(chosen), drawn.sds[picked]
