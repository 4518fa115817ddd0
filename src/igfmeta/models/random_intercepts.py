"""Two arms with normal intercepts and normal effects, independent of each other (UM.RS): a two-dimensional integral.

In study i the linear predictors of the arms are alpha + sigma z0 + (theta + tau z1)/2 and
alpha + sigma z0 - (theta + tau z1)/2 (Jackson et al. 2018, Stat Med 37:1059, model 6 with uncorrelated effects;
metafor's UM.RS, which by lme4 integrates by Laplace's approximation). Here the integral is by Gauss-Hermite quadrature
around the mode, a product rule in its principal axes (Liu & Pierce 1994, Biometrika 81:624).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.models.count_kernels import Binomial, Poisson
from igfmeta.models.fixed_intercepts import arms_of
from igfmeta.numerics import Floats

#: Nodes in each direction, and of the finer rule that certifies them.
NODES, FINER = 21, 41

#: First guesses of sigma and tau: the likelihood may have several maxima.
STARTS = ((0.7, 0.5), (1.5, 0.1), (0.3, 1.5))

#: tau below this, where the likelihood is no lower at 0, is 0.
NIL = 1e-4


@dataclass(frozen=True, eq=False)
class RandomIntercepts:
    """The fit: parameters, their covariance in (theta, alpha, tau2, sigma2), and what certifies it.

    Attributes
    ----------
    theta, alpha, tau2, sigma2 : float
    se, se_tau2 : float
        se_tau2 is NaN where tau2 is 0.
    log_likelihood, log_likelihood_common : float
        Of the model, and with tau2 = 0.
    gradient, condition, accuracy : float
    """

    theta: float
    alpha: float
    tau2: float
    sigma2: float
    se: float
    se_tau2: float
    log_likelihood: float
    log_likelihood_common: float
    theta_common: float
    gradient: float
    condition: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class _Model:
    first: Binomial | Poisson
    second: Binomial | Poisson
    rule: tuple[Floats, Floats]

    def _predictors(self, p: Floats, z0: Floats, z1: Floats) -> tuple[Floats, Floats]:
        alpha, theta, sigma, tau = p
        middle, half = alpha + sigma * z0, 0.5 * (theta + tau * z1)
        return middle + half, middle - half

    def _modes(self, p: Floats) -> tuple[Floats, Floats]:
        """Return modes of the integrand, shape (k, 2), and Cholesky factors of its covariance there, (k, 2, 2)."""
        k, (sigma, tau) = len(self.first), p[2:]
        z = np.zeros((k, 2))
        lift = np.array([[sigma, 0.5 * tau], [sigma, -0.5 * tau]])  # predictor of each arm in (z0, z1)
        for _ in range(60):
            one, two = self._predictors(p, z[:, :1], z[:, 1:])
            (f1, f2), (g1, g2) = self.first.slopes(one), self.second.slopes(two)
            first, second = np.hstack([f1, g1]), np.hstack([f2, g2])
            gradient = first @ lift - z
            precision = np.einsum("ka,ai,aj->kij", -second, lift, lift) + np.eye(2)
            step = np.linalg.solve(precision, gradient[:, :, None])[:, :, 0]
            step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300))
            z = z + step
            if np.abs(step).max() < 1e-8:
                break
        return z, np.linalg.cholesky(np.linalg.inv(precision))

    def scores(self, p: Floats) -> tuple[Floats, Floats]:
        """Return log-likelihoods, shape (k,), and scores in (alpha, theta, sigma, tau), shape (k, 4)."""
        x, w = self.rule
        mode, root = self._modes(p)
        grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
        z = mode[:, None, :] + np.einsum("kij,nj->kni", root, grid)
        z0, z1 = z[:, :, 0], z[:, :, 1]
        one, two = self._predictors(p, z0, z1)
        log_w = np.log(np.outer(w, w)).ravel() + 0.5 * (grid**2).sum(axis=1) - 0.5 * (z**2).sum(axis=2)
        height = self.first.log_f(one) + self.second.log_f(two) + log_w
        top = height.max(axis=1)
        weight = np.exp(height - top[:, None])
        total = weight.sum(axis=1)
        value = top + np.log(total) + np.log(root[:, 0, 0] * root[:, 1, 1]) - np.log(w.sum())
        weight /= total[:, None]
        f, g = self.first.slopes(one)[0], self.second.slopes(two)[0]
        both, half = f + g, 0.5 * (f - g)
        parts = [(weight * part).sum(axis=1) for part in (both, half, both * z0, half * z1)]
        return value - np.log(w.sum()), np.stack(parts, axis=1)


def _rule(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w


def fit(measure: str, counts: dict[str, Floats], *, common: bool = False) -> RandomIntercepts:
    """Return the maximum-likelihood fit of one data set.

    Parameters
    ----------
    measure : {"OR", "IRR"}
    counts : dict of ndarray of shape (k,)
        events1, n1, events2, n2; or events1, time1, events2, time2.
    common : bool
        Hold tau2 at 0.
    """
    first, second, guess = arms_of(measure, counts)
    model, finer = _Model(first, second, _rule(NODES)), _Model(first, second, _rule(FINER))
    at_zero = _maximum(model, [np.array([guess.mean(), 0.0, s, 0.0]) for s, _ in STARTS[:2]], free=(0, 1, 2))
    best = at_zero
    if not common:
        starts = [np.array([at_zero[0], at_zero[1], s, t]) for s, t in STARTS]
        inside = _maximum(model, starts, free=(0, 1, 2, 3))
        if abs(inside[3]) > NIL and _total(model, inside) > _total(model, at_zero):
            best = inside
    best = np.concatenate([best[:2], np.abs(best[2:])])
    free = tuple(i for i in range(4) if i < 2 or best[i] > NIL)
    value, scores = model.scores(best)
    covariance, condition = _covariance(model, best, free)
    tau_at = free.index(3) if 3 in free else None
    return RandomIntercepts(
        theta=float(best[1]),
        alpha=float(best[0]),
        tau2=float(best[3] ** 2),
        sigma2=float(best[2] ** 2),
        se=float(np.sqrt(covariance[1, 1])),
        se_tau2=float(2 * best[3] * np.sqrt(covariance[tau_at, tau_at])) if tau_at is not None else float("nan"),
        log_likelihood=float(value.sum()),
        log_likelihood_common=_total(model, at_zero),
        theta_common=float(at_zero[1]),
        gradient=float(np.abs(scores.sum(axis=0)[list(free)]).max()),
        condition=condition,
        accuracy=float(abs(_total(finer, best) - value.sum())),
    )


def _total(model: _Model, p: Floats) -> float:
    return float(model.scores(p)[0].sum())


def _maximum(model: _Model, starts: list[Floats], *, free: tuple[int, ...]) -> Floats:
    """Return where the likelihood is highest in the free parameters, from several starts."""
    from scipy import optimize

    def objective(values: Floats, p: Floats) -> tuple[float, Floats]:
        whole = p.copy()
        whole[list(free)] = values
        value, scores = model.scores(whole)
        return -float(value.sum()), -scores.sum(axis=0)[list(free)]

    found = []
    for start in starts:
        done = optimize.minimize(objective, start[list(free)], args=(start,), jac=True, method="BFGS",
                                 options={"gtol": 1e-9})  # fmt: skip
        whole = start.copy()
        whole[list(free)] = done.x
        found.append((done.fun, whole))
    return min(found, key=lambda each: each[0])[1]


def _covariance(model: _Model, p: Floats, free: tuple[int, ...]) -> tuple[Floats, float]:
    """Return the inverse of the observed information in the free parameters, and its condition number.

    The information by central differences of the exact scores.
    """
    information = np.empty((len(free), len(free)))
    for row, i in enumerate(free):
        step = 1e-5 * max(1.0, abs(p[i]))
        ends = [model.scores(p + sign * step * np.eye(4)[i])[1].sum(axis=0)[list(free)] for sign in (1, -1)]
        information[row] = -(ends[0] - ends[1]) / (2 * step)
    information = 0.5 * (information + information.T)
    return np.linalg.inv(information), float(np.linalg.cond(information))
