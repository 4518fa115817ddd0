"""Penalized logistic regression (Firth 1993, Biometrika 80:27): a finite effect whatever the counts.

The likelihood is multiplied by the root of the determinant of the information, Jeffreys' prior; that removes the bias
of first order, and the maximum exists under separation, such as no event in one arm of any study (Heinze & Schemper
2002, Stat Med 21:2409). An intercept for each study, one common effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.numerics import Floats

STEPS, FOUND = 200, 1e-10


@dataclass(frozen=True, eq=False)
class Firth:
    """The fit: effect, its standard error, profile-penalized-likelihood limits, and what certifies it."""

    estimate: float
    se: float
    lower: float
    upper: float
    log_likelihood: float
    statistic: float
    gradient: float
    condition: float


@dataclass(frozen=True, eq=False)
class _Arms:
    """Both arms of every study: events, patients, and the indicator of arm 1; intercepts by study."""

    x: Floats
    n: Floats
    design: Floats

    def penalized(self, beta: Floats) -> tuple[float, Floats, Floats]:
        """Return penalized log-likelihood, its modified score (Firth 1993, eq. 4) and the information."""
        eta = self.design @ beta
        p = special.expit(eta)
        w = self.n * p * (1 - p)
        information = self.design.T @ (self.design * w[:, None])
        half = np.linalg.cholesky(information)
        leverage = w * (np.linalg.solve(half, self.design.T) ** 2).sum(axis=0)
        score = self.design.T @ (self.x - self.n * p + leverage * (0.5 - p))
        choose = special.gammaln(self.n + 1) - special.gammaln(self.x + 1) - special.gammaln(self.n - self.x + 1)
        value = float((choose + self.x * eta - self.n * np.logaddexp(0, eta)).sum() + np.log(np.diag(half)).sum())
        return value, score, information

    def maximize(self, beta: Floats, held: float | None = None) -> tuple[Floats, float, Floats, Floats]:
        """Return the maximum, with the last coefficient held at a value if one is given."""
        beta = beta.copy()
        free = slice(None) if held is None else slice(0, -1)
        if held is not None:
            beta[-1] = held
        value, score, information = self.penalized(beta)
        for _ in range(STEPS):
            step = np.zeros_like(beta)
            step[free] = np.linalg.solve(information[free, free], score[free])
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            for _ in range(30):
                new = self.penalized(beta + step)
                if new[0] >= value - 1e-12:
                    break
                step = step / 2
            beta = beta + step
            value, score, information = new
            if np.abs(step).max() < FOUND:
                break
        return beta, value, score, information


def fit(events1: Floats, n1: Floats, events2: Floats, n2: Floats, *, level: float) -> Firth:
    """Return the penalized log odds ratio of arm 1 against arm 2.

    Parameters
    ----------
    events1, n1, events2, n2 : ndarray of shape (k,)
    level : float
        Of the limits, where the penalized likelihood has fallen by half a chi-squared quantile.

    Examples
    --------
    >>> found = fit(np.zeros(2), np.array([20.0, 30.0]), np.array([3.0, 4.0]), np.array([20.0, 30.0]), level=0.95)
    >>> round(found.estimate, 3), bool(np.isfinite(found.lower))
    (-2.836, True)
    """
    k = len(n1)
    design = np.vstack([np.hstack([np.eye(k), np.ones((k, 1))]), np.hstack([np.eye(k), np.zeros((k, 1))])])
    arms = _Arms(np.concatenate([events1, events2]), np.concatenate([n1, n2]), design)
    start = np.append(special.logit((events1 + events2 + 0.5) / (n1 + n2 + 1)), 0.0)
    beta, top, score, information = arms.maximize(start)
    se = float(np.sqrt(np.linalg.inv(information)[-1, -1]))
    fall = 0.5 * float(special.chdtri(1, 1 - level))
    null = arms.maximize(beta, held=0.0)[1]
    return Firth(
        estimate=float(beta[-1]),
        se=se,
        lower=_limit(arms, beta, top - fall, -se),
        upper=_limit(arms, beta, top - fall, se),
        log_likelihood=top,
        statistic=max(0.0, 2 * (top - null)),
        gradient=float(np.abs(score).max()),
        condition=float(np.linalg.cond(information)),
    )


def _limit(arms: _Arms, beta: Floats, target: float, step: float) -> float:
    """Return where the profile has fallen to `target`, outward from the maximum: bracket by doubling, then halve."""
    inner, outer, at = float(beta[-1]), float(beta[-1]) + 2 * step, beta
    for _ in range(40):
        at, value, *_ = arms.maximize(at, held=outer)
        if value < target:
            break
        inner, outer = outer, outer + 2 * (outer - float(beta[-1]))
    for _ in range(200):
        middle = 0.5 * (inner + outer)
        at, value, score, _ = arms.maximize(at, held=middle)
        inner, outer = (middle, outer) if value >= target else (inner, middle)
        newton = middle + (target - value) / score[-1] if score[-1] else middle
        if min(inner, outer) < newton < max(inner, outer):
            at, value, *_ = arms.maximize(at, held=newton)
            inner, outer = (newton, outer) if value >= target else (inner, newton)
            if abs(value - target) < 1e-11:
                return newton
        if abs(outer - inner) <= 1e-12 * max(1.0, abs(outer)):
            break
    return 0.5 * (inner + outer)
