"""What averaging over models gives: probabilities, inclusion Bayes factors, distributions with a spike at no effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.biased import Marginal, MemberFit
from igfmeta.bayes.publication_bias import Bias, NoBias, Regression, Steps
from igfmeta.errors import check_choice
from igfmeta.numerics import Floats

#: Logarithm of the largest Bayes factor that is told from an infinite one.
LARGEST = 700.0

#: Halvings of a bracket that holds a quantile.
HALVINGS = 80


@dataclass(frozen=True, eq=False)
class Member:
    """One model, its prior and posterior probability, and its fit."""

    effect: bool
    heterogeneity: bool
    bias: Bias
    prior: float
    probability: float
    fit: MemberFit

    @property
    def name(self) -> str:
        """Such as "H1r" (effect, random effects) or "H0c PET"."""
        base = f"H{self.effect:d}{'r' if self.heterogeneity else 'c'}"
        return base if isinstance(self.bias, NoBias) else f"{base} {self.bias.label}"


@dataclass(frozen=True)
class Inclusion:
    """Whether something is there: prior and posterior probability, and the Bayes factor for it.

    `bf` is the change from prior to posterior odds, exp(700) at most; None where one side has no prior probability.
    """

    prior: float
    probability: float
    bf: float | None


@dataclass(frozen=True)
class Summary:
    """Mean, median and central interval of a distribution."""

    mean: float
    median: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Spiked:
    """A mixture of distributions with a spike at 0.

    Attributes
    ----------
    spike : float
        Probability of 0.
    parts : sequence of (float, Marginal)
        Probability and distribution; with the spike they add up to 1.
    """

    spike: float
    parts: Sequence[tuple[float, Marginal]]

    @classmethod
    def given(cls, parts: Sequence[tuple[float, Marginal | None]]) -> Spiked:
        """Return the mixture of parts whose probabilities need not add up to 1; None is the spike."""
        total = sum(share for share, _ in parts)
        spike = sum(share for share, part in parts if part is None) / total
        return cls(spike, [(share / total, part) for share, part in parts if part is not None])

    def _sum(self, x: Floats, what: Callable[[Marginal], Callable[[Floats], Floats]]) -> Floats:
        return np.asarray(sum((share * what(part)(x) for share, part in self.parts), np.zeros(len(x))))

    def cdf(self, x: Any) -> Floats:
        """Return P(X <= x), shape (n,)."""
        x = np.atleast_1d(np.asarray(x, dtype=float))
        return np.asarray(self._sum(x, lambda part: part.cdf) + self.spike * (x >= 0))

    def density(self, x: Any) -> Floats:
        """Return the density beside the spike, which integrates to 1 - spike; shape (n,)."""
        return self._sum(np.atleast_1d(np.asarray(x, dtype=float)), lambda part: part.density)

    @property
    def mean(self) -> float:
        return float(sum(share * part.moments()[0] for share, part in self.parts))

    def quantile(self, p: Sequence[float]) -> Floats:
        """Return the smallest x with P(X <= x) >= p, by bisection; exactly 0 where it is in the spike."""
        target = np.asarray(p, dtype=float)
        moments = [part.moments() for _, part in self.parts] or [(0.0, 0.0)]
        reach = max(abs(mean) + 12 * sd for mean, sd in moments) + 1e-12
        while self.parts and (self.cdf([-reach])[0] > target.min() or self.cdf([reach])[0] < target.max()):
            reach *= 4
        low, high = np.full(target.shape, -reach), np.full(target.shape, reach)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        before = self.cdf([0.0])[0] - self.spike
        return np.where((before < target) & (target <= before + self.spike), 0.0, high)

    def summary(self, level: float) -> Summary:
        median, lower, upper = self.quantile((0.5, 0.5 - level / 2, 0.5 + level / 2))
        return Summary(self.mean, float(median), float(lower), float(upper))


@dataclass(frozen=True)
class WeightInterval:
    """How likely a result is to be published, relative to the most favourable p-values, averaged over all models.

    `p_from` and `p_to` are one-sided p-values; without a weight function the weight is 1.
    """

    p_from: float
    p_to: float
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Averaged:
    """The average over models.

    Attributes
    ----------
    members : tuple of Member
    k : int
    mu_prior, tau_prior : str
    favours : {"higher", "lower"}
        Which effects are more likely to be published.
    level : float
    """

    members: tuple[Member, ...]
    k: int
    mu_prior: str
    tau_prior: str
    favours: str
    level: float

    @property
    def log_marginal(self) -> dict[str, float]:
        """Log marginal likelihoods by model."""
        return {m.name: m.fit.log_marginal for m in self.members}

    @property
    def probability(self) -> dict[str, float]:
        """Posterior probabilities by model."""
        return {m.name: m.probability for m in self.members}

    @property
    def accuracy(self) -> float:
        """The largest numerical error of a log marginal likelihood among models that matter."""
        return max(m.fit.accuracy for m in self.members if m.probability > 1e-4)

    def bayes_factor(self, one: str, other: str) -> float:
        """Return the Bayes factor of one model against another, by name."""
        names = list(self.log_marginal)
        logs = [self.log_marginal[check_choice("model", name, names)] for name in (one, other)]
        return float(np.exp(min(logs[0] - logs[1], LARGEST)))

    def inclusion(self, what: str) -> Inclusion:
        """Return the evidence for something: "effect", "heterogeneity", "bias", "selection" or "regression".

        "selection" are the weight functions, "regression" PET and PEESE; each against everything else.
        """
        has = _HAS[check_choice("what", what, tuple(_HAS))]
        inside = [m for m in self.members if has(m)]
        outside = [m for m in self.members if not has(m)]
        prior, probability = sum(m.prior for m in inside), sum(m.probability for m in inside)
        if not prior > 0 or not sum(m.prior for m in outside) > 0:
            return Inclusion(prior, probability, None)
        logs = [_log_total(group) - np.log(sum(m.prior for m in group)) for group in (inside, outside)]
        return Inclusion(prior, probability, float(np.exp(min(logs[0] - logs[1], LARGEST))))

    @property
    def mu(self) -> Spiked:
        """The effect, with a spike at 0 for the models without one."""
        return Spiked.given([(m.probability, m.fit.mu) for m in self.members])

    @property
    def mu_given_effect(self) -> Spiked:
        return Spiked.given([(m.probability, m.fit.mu) for m in self.members if m.effect])

    @property
    def tau(self) -> Spiked:
        return Spiked.given([(m.probability, m.fit.tau) for m in self.members])

    @property
    def tau_given_heterogeneity(self) -> Spiked:
        return Spiked.given([(m.probability, m.fit.tau) for m in self.members if m.heterogeneity])

    def slope(self, kind: str) -> Spiked | None:
        """Return beta of PET or PEESE, given that kind of model; None without one."""
        parts = [(m.probability, m.fit.slope) for m in self.members if m.bias.label == kind]
        return Spiked.given(parts) if parts else None

    def weights(self) -> tuple[WeightInterval, ...]:
        """Return the weight function averaged over all models, on the union of their cut-points."""
        steps = [(m, m.bias) for m in self.members if isinstance(m.bias, Steps)]
        if not steps:
            return ()
        cuts = sorted({cut for _, bias in steps for cut in one_sided(bias)})
        edges = [0.0, *cuts, 1.0]
        return tuple(self._weight(steps, a, b) for a, b in pairwise(edges))

    def _weight(self, steps: Sequence[tuple[Member, Steps]], p_from: float, p_to: float) -> WeightInterval:
        z = -special.ndtri(np.array([0.5 * (p_from + p_to)]))
        values, shares = [np.ones(1)], [np.array([1 - sum(m.probability for m, _ in steps)])]
        for m, bias in steps:
            if m.fit.omega is not None and m.fit.omega_weights is not None:
                values.append(m.fit.omega[:, int(bias.interval(z)[0])])
                shares.append(m.probability * m.fit.omega_weights)
        x, w = np.concatenate(values), np.concatenate(shares)
        lower, upper = _weighted_quantile(x, w, [0.5 - self.level / 2, 0.5 + self.level / 2])
        return WeightInterval(p_from, p_to, float(w @ x), lower, upper)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""
        kinds = [name for name in _HAS if self.inclusion(name).prior > 0]
        distributions = {name: getattr(self, name) for name in _DISTRIBUTIONS}
        slopes = {kind.lower(): self.slope(kind) for kind in ("PET", "PEESE")}
        shown = {name: found for name, found in (distributions | slopes).items() if found is not None}
        return {
            "k": self.k,
            "mu_prior": self.mu_prior,
            "tau_prior": self.tau_prior,
            "favours": self.favours,
            "level": self.level,
            "accuracy": self.accuracy,
            "inclusion": {name: self.inclusion(name).__dict__ for name in kinds},
            **{name: {"spike": x.spike, **x.summary(self.level).__dict__} for name, x in shown.items()},
            "weights": [w.__dict__ for w in self.weights()],
            "models": [
                {
                    "name": m.name, "effect": m.effect, "heterogeneity": m.heterogeneity, "bias": m.bias.label,
                    "prior": m.prior, "probability": m.probability, "log_marginal": m.fit.log_marginal,
                    "accuracy": m.fit.accuracy,
                }
                for m in self.members
            ],
        }  # fmt: skip


_DISTRIBUTIONS = ("mu", "mu_given_effect", "tau", "tau_given_heterogeneity")

_HAS: dict[str, Callable[[Member], bool]] = {
    "effect": lambda m: m.effect,
    "heterogeneity": lambda m: m.heterogeneity,
    "bias": lambda m: not isinstance(m.bias, NoBias),
    "selection": lambda m: isinstance(m.bias, Steps),
    "regression": lambda m: isinstance(m.bias, Regression),
}


def one_sided(bias: Steps) -> list[float]:
    """Return the cut-points as one-sided p-values."""
    if bias.sides == 1:
        return list(bias.cuts)
    return [round(p, 12) for cut in bias.cuts for p in (cut / 2, 1 - cut / 2)]


def _log_total(members: Sequence[Member]) -> float:
    logs = [m.fit.log_marginal + np.log(m.prior) for m in members if m.prior > 0]
    return float(special.logsumexp(logs))


def _weighted_quantile(x: Floats, w: Floats, p: Sequence[float]) -> tuple[float, ...]:
    """Return quantiles of weighted points, the distribution function being a line between them."""
    values, place = np.unique(x, return_inverse=True)
    mass = np.bincount(place, weights=w)
    cumulated = np.cumsum(mass)
    # The spike at 1 is no part of the line.
    middle = np.where(values < 1, cumulated - 0.5 * mass, cumulated - mass)
    return tuple(float(v) for v in np.interp(p, middle / cumulated[-1], values))
