"""Penalized logistic regression (Firth 1993, Biometrika 80:27): a finite effect whatever the counts.

The likelihood is multiplied by the root of the determinant of the information, Jeffreys' prior; that removes the bias
of first order, and the maximum exists under separation, such as no event in one arm of any study (Heinze & Schemper
2002, Stat Med 21:2409). An intercept alpha_i for each study, one common effect theta in arm 1.

With w1 and w2 the informations n p (1 - p) of a study's arms, w = w1 + w2, the information has an arrow's shape: w on
the diagonal, w1 beside it, the sum of w1 in the corner. Its determinant is prod(w) S with S = sum(w1 w2 / w), theta has
variance 1/S, and the leverage of arm 1 is w1 (1/w + (w2/w)^2 / S): a fit costs what its studies cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from igfmeta.models.newton import HALVINGS, shortened
from igfmeta.numerics import Floats, Mask, row_sum
from igfmeta.solver import bracketed_newton

STEPS, FOUND = 200, 1e-10

#: Doublings of the distance within which a limit is sought.
DOUBLINGS = 40

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Firth:
    """The fits, arrays of shape (batch,): effects, standard errors, profile-penalized-likelihood limits, certificates.

    `statistic` is the penalized likelihood ratio of no effect; `information1` and `information2` are those of the arms
    of the studies, shape (batch, k), 0 where a study is left out.
    """

    estimate: Floats
    se: Floats
    lower: Floats
    upper: Floats
    log_likelihood: Floats
    statistic: Floats
    gradient: Floats
    information1: Floats
    information2: Floats

    def condition(self, row: int = 0) -> float:
        """Return the condition number of the information of one fit."""
        w1 = self.information1[row][self.information1[row] > 0]
        w = w1 + self.information2[row][self.information1[row] > 0]
        arrow = np.diag(np.append(w, w1.sum()))
        arrow[-1, :-1] = arrow[:-1, -1] = w1
        return float(np.linalg.cond(arrow))


@dataclass(frozen=True, eq=False)
class _Point:
    """Penalized log-likelihoods, modified scores (Firth 1993, eq. 4) and what the information is made of."""

    value: Floats
    score_alpha: Floats
    score_theta: Floats
    w1: Floats
    w2: Floats
    schur: Floats

    def put(self, rows: Index, other: _Point) -> None:
        for name, values in self.__dict__.items():
            values[rows] = getattr(other, name)

    def rows(self, keep: Mask) -> _Point:
        return _Point(*(values[keep] for values in self.__dict__.values()))

    def step(self, mask: Mask, *, held: bool) -> tuple[Floats, Floats]:
        """Return the steps of the intercepts and of the effect: the arrow solved against the scores."""
        w = np.where(mask, self.w1 + self.w2, 1.0)
        theta = np.zeros(len(w))
        if not held:
            theta = (self.score_theta - row_sum(self.w1 / w * self.score_alpha)) / self.schur
        alpha = (self.score_alpha - self.w1 * theta[:, None]) / w
        factor = shortened(np.maximum(np.abs(alpha).max(axis=1), np.abs(theta)))
        return alpha * factor[:, None], theta * factor


@dataclass(frozen=True, eq=False)
class _Arms:
    """Events and patients of both arms, shape (k,), and which studies each fit takes, shape (batch, k)."""

    x1: Floats
    n1: Floats
    x2: Floats
    n2: Floats
    mask: Mask

    def at(self, rows: Index, alpha: Floats, theta: Floats) -> _Point:
        m, x1, n1, x2, n2 = self.mask[rows], self.x1, self.n1, self.x2, self.n2
        one = alpha + theta[:, None]
        p1, p2 = special.expit(one), special.expit(alpha)
        w1, w2 = m * n1 * p1 * special.expit(-one), m * n2 * p2 * special.expit(-alpha)
        w = np.where(m, w1 + w2, 1.0)
        schur = row_sum(w1 * w2 / w)
        h1 = w1 * (1 / w + (w2 / w) ** 2 / schur[:, None])
        h2 = w2 * (1 / w + (w1 / w) ** 2 / schur[:, None])
        u1, u2 = m * (x1 - n1 * p1 + h1 * (0.5 - p1)), m * (x2 - n2 * p2 + h2 * (0.5 - p2))
        height = x1 * one - n1 * np.logaddexp(0, one) + x2 * alpha - n2 * np.logaddexp(0, alpha)
        choose = _log_choose(n1, x1) + _log_choose(n2, x2)
        value = row_sum(m * (height + choose)) + 0.5 * (row_sum(np.log(w)) + np.log(schur))
        return _Point(value, u1 + u2, row_sum(u1), w1, w2, schur)

    def maximize(self, rows: Index, alpha: Floats, theta: Floats, *, held: bool) -> tuple[Floats, Floats, _Point]:
        """Return the maxima (`held`: in the intercepts alone) of the fits `rows`: Fisher's scoring, halved steps."""
        alpha, theta = alpha.copy(), theta.copy()
        point = self.at(rows, alpha, theta)
        active = np.arange(len(rows))
        here = point.rows(np.ones(len(rows), dtype=bool))
        for _ in range(STEPS):
            d_alpha, d_theta = here.step(self.mask[rows[active]], held=held)
            new = self.at(rows[active], alpha[active] + d_alpha, theta[active] + d_theta)
            for _ in range(HALVINGS):
                lower = np.flatnonzero(~(new.value >= here.value - 1e-12))
                if not len(lower):
                    break
                d_alpha[lower] /= 2
                d_theta[lower] /= 2
                some = active[lower]
                new.put(lower, self.at(rows[some], alpha[some] + d_alpha[lower], theta[some] + d_theta[lower]))
            alpha[active] += d_alpha
            theta[active] += d_theta
            point.put(active, new)
            left = np.maximum(np.abs(d_alpha).max(axis=1), np.abs(d_theta)) >= FOUND
            active, here = active[left], new.rows(left)
            if not len(active):
                break
        return alpha, theta, point


def _log_choose(n: Floats, x: Floats) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1))


def fit(events1: Floats, n1: Floats, events2: Floats, n2: Floats, *, level: float, mask: Mask | None = None) -> Firth:
    """Return the penalized log odds ratio of arm 1 against arm 2, for each row of a mask.

    Parameters
    ----------
    events1, n1, events2, n2 : ndarray of shape (k,)
    level : float
        Of the limits, where the penalized likelihood has fallen by half a chi-squared quantile.
    mask : ndarray of bool, shape (batch, k), optional
        Which studies each fit takes, at least one; by default one fit takes all.

    Examples
    --------
    >>> found = fit(np.zeros(2), np.array([20.0, 30.0]), np.array([3.0, 4.0]), np.array([20.0, 30.0]), level=0.95)
    >>> found.estimate.round(3), np.isfinite(found.lower)
    (array([-2.836]), array([ True]))
    """
    arms = _Arms(events1, n1, events2, n2, np.ones((1, len(n1)), dtype=bool) if mask is None else mask)
    rows = np.arange(len(arms.mask))
    crude = special.logit((events1 + events2 + 0.5) / (n1 + n2 + 1))
    alpha, theta, top = arms.maximize(rows, np.where(arms.mask, crude, 0.0), np.zeros(len(rows)), held=False)
    null = arms.maximize(rows, alpha, np.zeros(len(rows)), held=True)[2]
    se = 1 / np.sqrt(top.schur)
    target = top.value - 0.5 * float(special.chdtri(1, 1 - level))
    return Firth(
        estimate=theta,
        se=se,
        lower=_limits(arms, alpha, theta, target, -se),
        upper=_limits(arms, alpha, theta, target, se),
        log_likelihood=top.value,
        statistic=np.maximum(0.0, 2 * (top.value - null.value)),
        gradient=np.maximum(np.abs(top.score_alpha).max(axis=1), np.abs(top.score_theta)),
        information1=top.w1,
        information2=top.w2,
    )


def _limits(arms: _Arms, alpha: Floats, theta: Floats, target: Floats, step: Floats) -> Floats:
    """Return where the profiles have fallen to `target`, outward from the maxima: brackets by doubling, then Newton."""
    side, reach, guess = np.sign(step), 2 * np.abs(step), alpha.copy()

    def profile(distance: Floats, rows: Index) -> tuple[Floats, Floats]:
        guess[rows], _, found = arms.maximize(rows, guess[rows], theta[rows] + side[rows] * distance, held=True)
        return found.value - target[rows], side[rows] * found.score_theta

    inside = np.arange(len(theta))
    for _ in range(DOUBLINGS):
        inside = inside[profile(reach[inside], inside)[0] >= 0]
        if not len(inside):
            break
        reach[inside] *= 2
    distance, _ = bracketed_newton(profile, np.zeros(len(theta)), reach)
    return np.asarray(theta + side * distance)
