"""Mixtures of betas: priors of a rate that are conjugate, with what they are worth in patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.expectation import nodes_of
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Components at the most; steps of a fit at the most, the gain in divergence at which it ends, least weight.
MOST, STEPS, GAIN, LEAST = 6, 3000, 1e-9, 1e-12

#: Draws on which Akaike's criterion would choose the number of components: a further one costs three parameters.
DRAWS = 4000

#: Logits that are integrated over, and how finely: in standard deviations of the logit of the most precise component.
FURTHEST, FINE = 40.0, 0.2


@dataclass(frozen=True, eq=False)
class BetaMixture:
    """A mixture of betas.

    Attributes
    ----------
    weights, a, b : ndarray of shape (components,)
        In the order of the weights; a vague component last.
    divergence : float
        Kullback-Leibler divergence of the mixture from the distribution that it was fitted to.
    """

    weights: Floats
    a: Floats
    b: Floats
    divergence: float = 0.0

    def __post_init__(self) -> None:
        if not np.isclose(self.weights.sum(), 1) or np.any(self.weights <= 0):
            raise InputError("The weights of a mixture must be above 0 and add up to 1.")
        if np.any(~(self.a > 0) | ~(self.b > 0)):
            raise InputError("The parameters of betas must be above 0.")

    def density(self, rate: Any) -> Floats:
        """Return the density at rates between 0 and 1."""
        p = np.atleast_1d(np.asarray(rate, dtype=float))[:, None]
        logs = special.xlogy(self.a - 1, p) + special.xlog1py(self.b - 1, -p) - special.betaln(self.a, self.b)
        return np.asarray(np.exp(logs) @ self.weights)

    def cdf(self, rate: Any) -> Floats:
        """Return P(rate <= x)."""
        p = np.clip(np.atleast_1d(np.asarray(rate, dtype=float)), 0, 1)
        return np.asarray(special.betainc(self.a, self.b, p[:, None]) @ self.weights)

    def quantile(self, p: Any) -> Floats:
        """Return the rates with P(rate <= x) = p."""
        each = special.betaincinv(self.a, self.b, np.atleast_1d(np.asarray(p, dtype=float))[:, None])
        low, high = each.min(axis=1), each.max(axis=1)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.cdf(middle) < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    def moments(self) -> tuple[float, float]:
        """Return mean and standard deviation."""
        n = self.a + self.b
        mean = self.a / n
        overall = float(self.weights @ mean)
        variance = float(self.weights @ (mean * (1 - mean) / (n + 1) + (mean - overall) ** 2))
        return overall, variance**0.5

    def effective_size(self) -> float:
        """Return how many patients the prior is worth: its expected local information ratio (ELIR).

        The expectation of the information of the prior, -(log density)'', over that of one patient, both at the same
        rate (Neuenschwander, Weber, Schmidli & O'Hagan 2020, Biometrics 76:578). On the logit scale one patient has
        the information p (1 - p), a component (a + b) p (1 - p) and the slope a - (a + b) p; of a mixture therefore

            ELIR = sum of w (a + b) - E[variance of the slopes / (p (1 - p))],

        the variance over the components as they share in the density at p. One beta is worth a + b.
        """
        spacing = min(0.01, FINE * 2 / float(np.sqrt((self.a + self.b).max())))
        logit = np.arange(-FURTHEST, FURTHEST, spacing)
        p, q = special.expit(logit)[:, None], special.expit(-logit)[:, None]
        logs = self.a * np.log(p) + self.b * np.log(q) - special.betaln(self.a, self.b)
        each = np.exp(logs) * self.weights
        density = each.sum(axis=1)
        seen = density > 0
        share = each[seen] / density[seen, None]
        slopes = self.a * q[seen] - self.b * p[seen]
        mean = np.vecdot(share, slopes)
        lost = np.vecdot(share, (slopes - mean[:, None]) ** 2) / (p * q)[seen, 0]
        return float(self.weights @ (self.a + self.b) - spacing * density[seen] @ lost)

    def moment_size(self) -> float:
        """Return the a + b of the beta with the same mean and variance, a lower figure for how many patients."""
        mean, sd = self.moments()
        return mean * (1 - mean) / sd**2 - 1

    def robust(self, weight: float, mean: float = 0.5) -> BetaMixture:
        """Return the prior with a vague component added, Beta(2 mean, 2 (1 - mean)): uniform for a mean of 0.5.

        Parameters
        ----------
        weight : float
            How likely it is that the new study is unlike the others (Schmidli et al. 2014, Biometrics 70:1023).
        mean : float
        """
        if not 0 < weight < 1:
            raise InputError(f"weight was {weight!r}; accepted is a number between 0 and 1, such as 0.2.")
        if not 0 < mean < 1:
            raise InputError(f"mean was {mean!r}; accepted is a rate between 0 and 1.")
        return BetaMixture(
            weights=np.concatenate([(1 - weight) * self.weights, [weight]]),
            a=np.concatenate([self.a, [2 * mean]]),
            b=np.concatenate([self.b, [2 * (1 - mean)]]),
            divergence=self.divergence,
        )

    def updated(self, events: int, n: int) -> BetaMixture:
        """Return the posterior after `events` of `n` patients.

        Examples
        --------
        >>> prior = BetaMixture(np.array([0.8, 0.2]), np.array([20.0, 1.0]), np.array([60.0, 1.0]))
        >>> prior.updated(30, 40).weights.round(3)
        array([0., 1.])
        """
        a, b = self.a + events, self.b + n - events
        logs = np.log(self.weights) + special.betaln(a, b) - special.betaln(self.a, self.b)
        weights = np.exp(logs - special.logsumexp(logs))
        kept = weights > 0
        return BetaMixture(weights[kept], a[kept], b[kept])


@dataclass(frozen=True, eq=False)
class _Target:
    """What a mixture is fitted to: logarithms of rate and complement on nodes, their weights, the entropy."""

    log_p: Floats
    log_q: Floats
    weights: Floats
    log_density: Floats

    @classmethod
    def of(cls, logits: NormalMixture) -> _Target:
        nodes = nodes_of(logits)
        kept = nodes.weights > 0
        x, weights = nodes.points[kept], nodes.weights[kept]
        z = [(x[i : i + 32, None] - logits.mean[0]) / logits.sd[0] for i in range(0, len(x), 32)]
        height = logits.weight[0] / (logits.sd[0] * np.sqrt(2 * np.pi))
        density = np.concatenate([np.exp(-0.5 * part * part) @ height for part in z])
        log_p, log_q = -np.logaddexp(0, -x), -np.logaddexp(0, x)
        # The density of a rate is that of its logit over p (1 - p).
        return cls(log_p, log_q, weights, np.log(density) - log_p - log_q)

    def logs(self, a: Floats, b: Floats) -> Floats:
        """Return the log densities of betas, shape (nodes, components)."""
        p, q = self.log_p[:, None], self.log_q[:, None]
        return np.asarray((a - 1) * p + (b - 1) * q - special.betaln(a, b))


def _likeliest(log_p: Floats, log_q: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return the a, b >= 1 of betas with expected logarithms of rate and complement: Newton's method from a, b."""
    for _ in range(100):
        both, own_a, own_b = (special.polygamma(1, x) for x in (a + b, a, b))
        slope_a, slope_b = (special.psi(a + b) - special.psi(x) + mean for x, mean in ((a, log_p), (b, log_q)))
        determinant = own_a * own_b - both * (own_a + own_b)
        step_a = ((own_b - both) * slope_a + both * slope_b) / determinant
        step_b = ((own_a - both) * slope_b + both * slope_a) / determinant
        a, b = a * np.exp(np.clip(step_a / a, -1, 1)), b * np.exp(np.clip(step_b / b, -1, 1))
        if max(np.abs(step_a / a).max(), np.abs(step_b / b).max()) < 1e-5:
            break
    # On the edges a = 1 and b = 1 the optimum is known: Beta(1, b) has E log(1 - p) = -1 / b.
    edges = [(np.ones_like(a), np.maximum(1.0, -1 / log_q)), (np.maximum(1.0, -1 / log_p), np.ones_like(b))]
    heights = [x * log_p + y * log_q - special.betaln(x, y) for x, y in edges]
    on_first, inside = heights[0] >= heights[1], (a >= 1) & (b >= 1)
    chosen = [np.where(on_first, first, second) for first, second in zip(*edges, strict=True)]
    return np.where(inside, a, chosen[0]), np.where(inside, b, chosen[1])


def _fit(target: _Target, weights: Floats, a: Floats, b: Floats) -> BetaMixture:
    """Return the mixture that expectation maximization reaches from a first guess."""
    last = np.inf
    for _ in range(STEPS):
        logs = target.logs(a, b) + np.log(weights)
        total = special.logsumexp(logs, axis=1)
        divergence = float(target.weights @ (target.log_density - total))
        if last - divergence < GAIN:
            break
        last = divergence
        share = target.weights[:, None] * np.exp(logs - total[:, None])
        weights = np.maximum(share.sum(axis=0), LEAST)
        weights /= weights.sum()
        a, b = _likeliest(target.log_p @ share / weights, target.log_q @ share / weights, a, b)
    order = np.argsort(-weights)
    return BetaMixture(weights[order], a[order], b[order], max(divergence, 0.0))


def _first(target: _Target, components: int) -> tuple[Floats, Floats, Floats]:
    """Return betas around the mean of the target, each twice as precise as the next."""
    p = np.exp(target.log_p)
    mean = float(target.weights @ p)
    size = mean * (1 - mean) / float(target.weights @ (p - mean) ** 2) - 1
    sizes = size * 2.0 ** (np.arange(components) - (components - 1) / 3)
    weights = np.full(components, 1 / components)
    return weights, np.maximum(mean * sizes, 1.01), np.maximum((1 - mean) * sizes, 1.01)


def fit_beta_mixture(logits: NormalMixture, *, components: int | None = None) -> BetaMixture:
    """Return the mixture of betas nearest to a distribution of rates.

    It minimizes the Kullback-Leibler divergence by expectation maximization on a grid, without draws. Parameters are
    1 or more, so that the effective size exists.

    Parameters
    ----------
    logits : NormalMixture
        Of the logit of the rate; arrays of shape (1, components).
    components : int, optional
        1 to 6. Default: as many as Akaike's criterion would choose on 4,000 draws, where one more must lower the
        divergence by 3/4000.

    References
    ----------
    Schmidli, Gsteiger, Roychoudhury, O'Hagan, Spiegelhalter & Neuenschwander 2014, Biometrics 70:1023.

    Examples
    --------
    >>> one = NormalMixture(np.ones((1, 1)), np.full((1, 1), -1.0), np.full((1, 1), 0.4))
    >>> fit = fit_beta_mixture(one, components=2)
    >>> len(fit.weights), fit.divergence < 1e-3
    (2, True)
    """
    if components is not None and (
        isinstance(components, bool) or not isinstance(components, int) or not 1 <= components <= MOST
    ):
        raise InputError(f"components was {components!r}; accepted is a whole number from 1 to {MOST}.")
    target = _Target.of(logits)
    if components is not None:
        return _fit(target, *_first(target, components))
    best = _fit(target, *_first(target, 1))
    for n in range(2, MOST + 1):
        more = _fit(target, *_first(target, n))
        if best.divergence - more.divergence <= 3 / DRAWS:
            break
        best = more
    return best
