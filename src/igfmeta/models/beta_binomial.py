"""Beta-binomial models: rates vary between studies as a beta distribution, so that the likelihood is in closed form.

x_j ~ binomial(n_j, p_j), p_j ~ beta(mu_j / phi, (1 - mu_j) / phi), logit mu_j = X_j beta, and the intra-class
correlation is rho = phi / (1 + phi). One arm: an intercept. Two arms: an intercept and the effect, every arm a cluster
of its own, so that studies without an event in either arm count (Kuss 2015, Stat Med 34:1097, model BB).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.numerics import Floats

#: Grid of phi on which the profile is scanned, 0 (binomial) apart.
GRID = np.geomspace(1e-5, 1e2, 29)

STEPS, FOUND = 80, 1e-12


@dataclass(frozen=True, eq=False)
class BetaBinomial:
    """The fit.

    Attributes
    ----------
    beta : ndarray of shape (p,)
        On the logit scale; the last is the effect.
    covariance : ndarray of shape (p, p)
        From the observed information, phi included where it is above 0.
    rho, se_rho : float
        Intra-class correlation; se_rho is NaN where rho is 0.
    log_likelihood, log_likelihood_common : float
        Of the model, and with rho = 0.
    gradient, condition : float
    converged : bool
    """

    beta: Floats
    covariance: Floats
    rho: float
    se_rho: float
    log_likelihood: float
    log_likelihood_common: float
    beta_common: Floats
    gradient: float
    condition: float
    converged: bool


def _choose(x: Floats, n: Floats) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1))


def log_likelihood(x: Floats, n: Floats, mu: Floats, phi: float) -> Floats:
    """Return log P(x) of each arm; phi = 0 is the binomial (Kuss 2015, eq. 5).

    Examples
    --------
    >>> one = np.array([3.0]), np.array([10.0]), np.array([0.25])
    >>> log_likelihood(*one, 0.0).round(6), log_likelihood(*one, 1e-9).round(6)
    (array([-1.385166]), array([-1.385166]))
    """
    if phi == 0:
        return np.asarray(_choose(x, n) + special.xlogy(x, mu) + special.xlog1py(n - x, -mu))
    # sum over j < x of log(mu + j phi) and so on: no cancellation for small phi, as gamma functions have.
    return _choose(x, n) + _steps(mu, x, phi) + _steps(1 - mu, n - x, phi) - _steps(np.ones_like(mu), n, phi)


def _ladder(count: Floats) -> tuple[Floats, Floats]:
    j = np.arange(count.max(initial=0.0))
    return j, (j < count[:, None]).astype(float)


def _steps(base: Floats, count: Floats, phi: float) -> Floats:
    j, counts = _ladder(count)
    return np.asarray((counts * np.log(base[:, None] + phi * j)).sum(axis=1))


def _derivatives(x: Floats, n: Floats, design: Floats, beta: Floats, phi: float) -> tuple[Floats, Floats]:
    """Return gradient and Hessian of the log-likelihood in (beta, phi)."""
    mu = special.expit(design @ beta)

    def sums(base: Floats, count: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        j, counts = _ladder(count)
        inverse = counts / (base[:, None] + phi * j)
        square = inverse * inverse
        return (inverse.sum(axis=1), -square.sum(axis=1), (inverse * j).sum(axis=1), -(square * j).sum(axis=1),
                -(square * j * j).sum(axis=1))  # fmt: skip

    up, down, all_of_them = sums(mu, x), sums(1 - mu, n - x), sums(np.ones_like(mu), n)
    slope = mu * (1 - mu)
    d_mu = up[0] - down[0]
    d_eta = d_mu * slope
    d_eta2 = (up[1] + down[1]) * slope**2 + d_mu * slope * (1 - 2 * mu)
    d_phi = up[2] + down[2] - all_of_them[2]
    d_phi2 = up[4] + down[4] - all_of_them[4]
    mixed = (up[3] - down[3]) * slope
    p = design.shape[1]
    gradient, hessian = np.empty(p + 1), np.empty((p + 1, p + 1))
    gradient[:p], gradient[p] = design.T @ d_eta, d_phi.sum()
    hessian[:p, :p] = design.T @ (design * d_eta2[:, None])
    hessian[:p, p] = hessian[p, :p] = design.T @ mixed
    hessian[p, p] = d_phi2.sum()
    return gradient, hessian


def _total(x: Floats, n: Floats, design: Floats, beta: Floats, phi: float) -> float:
    return float(log_likelihood(x, n, special.expit(design @ beta), phi).sum())


def _given_phi(x: Floats, n: Floats, design: Floats, beta: Floats, phi: float) -> Floats:
    """Return beta where the log-likelihood is highest at a phi: Newton's method, halved where it does not rise."""
    p, value = design.shape[1], _total(x, n, design, beta, phi)
    for _ in range(STEPS):
        gradient, hessian = _derivatives(x, n, design, beta, phi)
        step = _ascent(gradient[:p], hessian[:p, :p])
        for _ in range(30):
            new = _total(x, n, design, beta + step, phi)
            if new >= value:
                break
            step = step / 2
        beta, gain, value = beta + step, new - value, new
        if gain <= FOUND and np.abs(step).max() < 1e-9:
            break
    return beta


def _ascent(gradient: Floats, hessian: Floats) -> Floats:
    """Return Newton's step, along the positive part of the information, at most 2 long."""
    value, vector = np.linalg.eigh(-hessian)
    step = vector @ ((vector.T @ gradient) / np.maximum(value, 1e-6))
    return np.asarray(step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300)))


def fit(x: Floats, n: Floats, design: Floats, *, common: bool = False) -> BetaBinomial:
    """Return the maximum-likelihood fit, the highest over a scan of phi, 0 included.

    Parameters
    ----------
    x, n : ndarray of shape (arms,)
    design : ndarray of shape (arms, p)
        Intercept, and the indicator of arm 1 where there are two.
    common : bool
        Hold rho at 0: logistic regression.
    """
    p = design.shape[1]
    beta0 = _given_phi(x, n, design, np.concatenate([[special.logit((x.sum() + 0.5) / (n.sum() + 1))],
                                                     np.zeros(p - 1)]), 0.0)  # fmt: skip
    low = _total(x, n, design, beta0, 0.0)
    beta, phi, value, converged = beta0, 0.0, low, True
    if not common:
        at, profile = beta0, []
        for each in GRID:
            at = _given_phi(x, n, design, at, float(each))
            profile.append((_total(x, n, design, at, float(each)), float(each), at))
        top = max(profile, key=lambda found: found[0])
        if top[0] > low:
            beta, phi, converged = _both(x, n, design, top[2], top[1])
            value = _total(x, n, design, beta, phi)
            converged = converged and phi < GRID[-1]
    gradient, hessian = _derivatives(x, n, design, beta, phi)
    free = p + 1 if phi > 0 else p
    information = -hessian[:free, :free]
    covariance = np.linalg.inv(information)
    return BetaBinomial(
        beta=beta,
        covariance=covariance[:p, :p],
        rho=phi / (1 + phi),
        se_rho=float(np.sqrt(covariance[p, p]) / (1 + phi) ** 2) if phi > 0 else float("nan"),
        log_likelihood=value,
        log_likelihood_common=low,
        beta_common=beta0,
        gradient=float(np.abs(gradient[:free]).max()),
        condition=float(np.linalg.cond(information)),
        converged=converged,
    )


def _both(x: Floats, n: Floats, design: Floats, beta: Floats, phi: float) -> tuple[Floats, float, bool]:
    """Return the maximum in (beta, log phi) from a point near it, and whether it was reached."""
    p, value = design.shape[1], _total(x, n, design, beta, phi)
    for _ in range(STEPS):
        gradient, hessian = _derivatives(x, n, design, beta, phi)
        # In log phi, which keeps phi above 0.
        hessian[p, p] = hessian[p, p] * phi**2 + gradient[p] * phi
        hessian[:p, p] *= phi
        hessian[p, :p] *= phi
        gradient[p] *= phi
        step = _ascent(gradient, hessian)
        for _ in range(30):
            new = _total(x, n, design, beta + step[:p], phi * float(np.exp(step[p])))
            if new >= value:
                break
            step = step / 2
        beta, phi, gain, value = beta + step[:p], phi * float(np.exp(step[p])), new - value, new
        if gain <= FOUND and np.abs(step).max() < 1e-9:
            return beta, phi, True
    return beta, phi, False
