"""Two arms with an intercept for each study (UM.FS): both arms' counts modelled, the intercepts maximized away.

In study i with intercept alpha_i and effect w_i = theta + tau z_i, arm 1 has linear predictor alpha_i + (1 - c) w_i and
arm 2 alpha_i - c w_i; c = 1/2 shares the heterogeneity between the arms, as metafor does, c = 0 gives all of it to
arm 1 (Jackson et al. 2018, Stat Med 37:1059, models 4 and 5). theta does not depend on c, tau2 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.count_kernels import Binomial, Kernel, Poisson
from igfmeta.models.mixed_data import Evaluate
from igfmeta.models.normal_mixing import Contributions, Nodes, on_nodes, theta_ratios
from igfmeta.numerics import Floats

#: Share of the effect in arm 2, with the other sign.
HALF = 0.5

#: Newton's method in an intercept: steps, longest step, and the step after which it is found.
STEPS, LONGEST, FOUND = 40, 2.0, 1e-10

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TwoArms:
    """The likelihoods of both arms given the intercepts, as functions of the effect w."""

    first: Binomial | Poisson
    second: Binomial | Poisson
    alpha: Floats
    c: float

    def take(self, index: Index) -> Self:
        return type(self)(self.first.take(index), self.second.take(index), self.alpha[index], self.c)

    def __len__(self) -> int:
        return len(self.alpha)

    def predictors(self, eta: Floats) -> tuple[Floats, Floats]:
        """Return the linear predictors of both arms."""
        alpha = self.alpha[:, None]
        return alpha + (1 - self.c) * eta, alpha - self.c * eta

    def log_f(self, eta: Floats) -> Floats:
        one, two = self.predictors(eta)
        return self.first.log_f(one) + self.second.log_f(two)

    def slopes(self, eta: Floats) -> tuple[Floats, Floats]:
        first, second, *_ = self.derivatives(eta)
        return first, second

    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        one, two = self.predictors(eta)
        pairs = zip(self.first.derivatives(one), self.second.derivatives(two), strict=True)
        d1, d2, d3, d4 = ((1 - self.c) ** j * a + (-self.c) ** j * b for j, (a, b) in enumerate(pairs, start=1))
        return d1, d2, d3, d4

    def saturated(self) -> Floats:
        return self.first.saturated() + self.second.saturated()


def arms_of(measure: str, counts: dict[str, Floats]) -> tuple[Binomial | Poisson, Binomial | Poisson, Floats]:
    """Return the likelihoods of both arms, and first guesses of the intercepts."""
    x1, size1, x2, size2 = counts.values()
    if measure == "OR":
        zero = np.zeros_like(x1)
        guess = np.log((x1 + x2 + 0.5) / (size1 + size2 - x1 - x2 + 0.5))
        return Binomial(x1, size1, zero), Binomial(x2, size2, zero), guess
    return Poisson(x1, size1), Poisson(x2, size2), np.log((x1 + x2 + 0.5) / (size1 + size2))


def profiled(measure: str, counts: dict[str, Floats], c: float = HALF) -> tuple[Evaluate, Kernel]:
    """Return what evaluates the studies with their intercepts maximized away, and the arms as one kernel."""
    first, second, guess = arms_of(measure, counts)
    last = guess.copy()  # where the search for each study's intercept ended: the next one starts there

    def evaluate(index: Index, theta: Floats, t: Floats, nodes: int) -> Contributions:
        arms = (first.take(index), second.take(index))
        parts = np.empty((6, len(index)))
        for some in (np.flatnonzero(t == 0), np.flatnonzero(t > 0)):
            if len(some):
                own = TwoArms(arms[0].take(some), arms[1].take(some), last[index[some]], c)
                parts[:, some], alpha = _maximized(own, theta[some], np.sqrt(t[some]), nodes)
                last[index[some]] = alpha
        return Contributions(*parts)

    return evaluate, TwoArms(first, second, guess, c)


def _maximized(arms: TwoArms, theta: Floats, tau: Floats, nodes: int) -> tuple[Floats, Floats]:
    """Return the contributions, shape (6, m), at the intercepts where they are highest, and the intercepts."""
    alpha = arms.alpha.copy()
    active = np.arange(len(alpha))
    for _ in range(STEPS):
        part = TwoArms(arms.first.take(active), arms.second.take(active), alpha[active], arms.c)
        slope, bend = _in_alpha(part, on_nodes(part, theta[active], tau[active], nodes))
        step = np.clip(-slope / np.minimum(bend, -1e-12), -LONGEST, LONGEST)
        alpha[active] += step
        active = active[np.abs(step) > FOUND * (1 + np.abs(alpha[active]))]
        if not len(active):
            break
    found = TwoArms(arms.first, arms.second, alpha, arms.c)
    return _contributions(found, theta, tau, nodes), alpha


def _in_alpha(arms: TwoArms, at: Nodes) -> tuple[Floats, Floats]:
    """Return the first two derivatives of the log-likelihoods in the intercepts."""
    one, two = arms.predictors(at.eta)
    (f1, f2, *_), (g1, g2, *_) = arms.first.derivatives(one), arms.second.derivatives(two)
    slope = at.mean(f1 + g1)
    return slope, at.mean(f2 + g2 + (f1 + g1) ** 2) - slope**2


def _contributions(arms: TwoArms, theta: Floats, tau: Floats, nodes: int) -> Floats:
    """Return value and derivatives in theta and tau2, the intercepts following: second ones by Schur complement."""
    at = on_nodes(arms, theta, tau, nodes)
    b1, b2, b3, b4 = theta_ratios(arms, at, np.where(tau > 0, tau, 1.0))
    one, two = arms.predictors(at.eta)
    c = arms.c
    (f1, f2, f3, _), (g1, g2, g3, _) = arms.first.derivatives(one), arms.second.derivatives(two)
    a1, w1 = f1 + g1, (1 - c) * f1 - c * g1
    a1_w, w2 = (1 - c) * f2 - c * g2, (1 - c) ** 2 * f2 + c**2 * g2
    slope = at.mean(a1)
    bend = at.mean(f2 + g2 + a1**2) - slope**2
    with_theta = at.mean(a1_w + a1 * w1) - slope * b1
    third = at.mean((1 - c) ** 2 * f3 + c**2 * g3 + 2 * a1_w * w1 + a1 * (w2 + w1**2))
    if tau.any():
        by_parts = at.mean(a1 * (at.z**2 - 1)) / np.where(tau > 0, tau, 1.0) ** 2
        telling = np.ones(len(tau), dtype=bool)
        telling[at.vague] = False
        third = np.where(telling, by_parts, third)
    with_t = (third - slope * b2) / 2
    return np.stack([
        at.value,
        b1,
        b2 / 2,
        b2 - b1**2 - with_theta**2 / bend,
        (b3 - b1 * b2) / 2 - with_theta * with_t / bend,
        (b4 - b2**2) / 4 - with_t**2 / bend,
    ])  # fmt: skip
