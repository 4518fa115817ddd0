"""Copas' selection model: small studies are seen if their result carries them over a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.errors import InputError, check_level
from igfmeta.models.bias.funnel import Funnel
from igfmeta.models.bias.selection.likelihood import Likelihood
from igfmeta.models.bias.selection.search import Peak, highest
from igfmeta.numerics import Floats, chi2_upper, t_quantile, t_two_sided

#: Chances that the least precise study is published; the most precise one always is, with this chance.
CHANCES, SURE = (0.99, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1), 0.99

#: The correlation stays inside this.
MOST_CORRELATED = 0.9999

#: Grid on which the search for the highest likelihood begins, and Newton's steps at each of its points.
RHOS, TAUS, CLIMBS = MOST_CORRELATED * np.linspace(-1, 1, 25), 11, 12

#: Steps and factors of fourth-order differences.
_CENTRAL = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12
_FORWARD = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([-25.0, 48.0, -36.0, 16.0, -3.0]) / 12

#: Copas & Shi take selection to be allowed for where the rest of the asymmetry has a p-value above this.
RESIDUAL = 0.1


@dataclass(frozen=True)
class CopasStep:
    """The model at one chance of publication of the least precise study, on the analysis scale.

    Attributes
    ----------
    chance : float
        P(published) of the least precise study.
    gamma0, gamma1 : float
        P(published) = Phi(gamma0 + gamma1/se).
    estimate, se, ci_lower, ci_upper, p_value : float
    tau2, rho : float
        Between-study variance; correlation of effect and propensity to be published.
    unpublished : float
        Expected number of studies not seen.
    residual_p_value : float
        Of asymmetry that this selection does not account for.
    converged : bool
    """

    chance: float
    gamma0: float
    gamma1: float
    estimate: float
    se: float
    ci_lower: float
    ci_upper: float
    p_value: float
    tau2: float
    rho: float
    unpublished: float
    residual_p_value: float
    converged: bool


@dataclass(frozen=True)
class Copas:
    """The sensitivity analysis; `adequate` is the position of the mildest selection that accounts for asymmetry."""

    steps: tuple[CopasStep, ...]
    adequate: int | None


def copas(data: Funnel, *, chances: Sequence[float] = CHANCES, level: float = 0.95) -> Copas:
    """Return the pooled effect as the chance of publication of small studies falls (Copas & Shi 2001).

    A study is seen if z = gamma0 + gamma1/se + delta > 0, delta ~ N(0, 1) correlated with the study's error by rho.
    With u = gamma0 + gamma1/se, lambda = phi(u)/Phi(u), c2 = lambda (u + lambda), sigma2 = v/(1 - c2 rho^2),
    r = sqrt(sigma2/(tau2 + sigma2)) rho and x = (u + r (y - mu)/sqrt(tau2 + sigma2))/sqrt(1 - r^2), the log-likelihood
    is sum[-log(tau2 + sigma2)/2 - (y - mu)^2/(2 (tau2 + sigma2)) - log Phi(u) + log Phi(x)].

    Parameters
    ----------
    data : Funnel
    chances : sequence of float
        P(published) of the least precise study, one fit each; that of the most precise study is 0.99.
    level : float
        Of the normal intervals.

    References
    ----------
    Copas & Shi 2000, Biostatistics 1:247; 2001, Stat Methods Med Res 10:251, eq. 3.8.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> data = funnel([0.2, 0.25, 0.4, 0.6, 0.9, 1.2], [0.01, 0.02, 0.05, 0.1, 0.2, 0.3])
    >>> found = copas(data, chances=[0.99, 0.5])
    >>> found.steps[1].estimate < found.steps[0].estimate
    True
    """
    level = check_level(level)
    wrong = [c for c in chances if not 0 < c < 1]
    if wrong or not len(chances):
        raise InputError(f"chances was {list(chances)}; accepted are numbers between 0 and 1.")
    if np.ptp(data.vi) <= 1e-12 * float(data.vi.max()):
        raise InputError("All studies are equally precise; the Copas model needs studies of different precision.")
    unit = float(np.sqrt(np.median(data.vi)))
    y, s = data.yi / unit, data.sei / unit
    steps = tuple(_step(y, s, chance, level, unit) for chance in sorted(chances, reverse=True))
    adequate = next((i for i, step in enumerate(steps) if step.residual_p_value > RESIDUAL), None)
    return Copas(steps, adequate)


def _gammas(s: Floats, chance: float) -> tuple[float, float]:
    """Return gamma0 and gamma1 from the chances of the least and of the most precise study."""
    low, high = float(special.ndtri(min(chance, SURE))), float(special.ndtri(SURE))
    gamma1 = (high - low) / (1 / s.min() - 1 / s.max())
    return low - gamma1 / float(s.max()), float(gamma1)


def _likelihood(y: Floats, s: Floats, u: Floats) -> Likelihood:
    """Return the likelihood of (mu, tau2, rho, b), effects with mean mu + b s; gradient by central differences."""
    c2 = _truncation(u)

    def values(theta: Floats) -> Floats:
        mu, tau2, rho, slope = (theta[:, j, None] for j in range(4))
        sigma2 = s**2 / (1 - c2 * rho**2)
        total = tau2 + sigma2
        r = rho * np.sqrt(sigma2 / total)
        error = y - mu - slope * s
        x = (u + r * error / np.sqrt(total)) / np.sqrt(1 - r**2)
        terms = -0.5 * np.log(total) - 0.5 * error**2 / total - special.log_ndtr(u) + special.log_ndtr(x)
        return np.asarray(terms.sum(axis=1))

    def likelihood(theta: Floats) -> tuple[float, Floats]:
        h = 1e-4 * np.maximum(np.abs(theta), 0.1)
        # rho keeps away from 1, and below a small tau2 there is nothing: differences forwards.
        h[2] = min(h[2], (1 - abs(theta[2])) / 4)
        offsets, factors = np.tile(_CENTRAL[0], (4, 1)), np.tile(_CENTRAL[1], (4, 1))
        if theta[1] < 2 * h[1]:
            offsets[1], factors[1] = _FORWARD
        points = theta + (offsets.T[:, :, None] * np.eye(4) * h).reshape(-1, 4)
        around = values(np.vstack([theta, points]))
        gradient = (factors.T * around[1:].reshape(5, 4)).sum(axis=0) / h
        return float(around[0]), gradient

    return likelihood


def _starts(y: Floats, s: Floats, u: Floats, x: Floats) -> list[Floats]:
    """Return (mu, tau2, rho, and b if `x` has two rows) at the local maxima over a grid of tau2 and rho.

    Given these two the log-likelihood is concave in the coefficients of `x`: Newton's method finds its top.
    """
    tau2, rho = np.meshgrid(np.append(0.0, np.geomspace(0.03, 10 * max(1.0, float(np.var(y))), TAUS)), RHOS)
    sigma2 = s**2 / (1 - _truncation(u) * rho[..., None] ** 2)
    total = tau2[..., None] + sigma2
    r = rho[..., None] * np.sqrt(sigma2 / total)
    c = r / np.sqrt(total * (1 - r**2))
    fixed = u / np.sqrt(1 - r**2)
    w = 1 / total
    beta = np.linalg.solve(_squares(w, x), np.einsum("...k,pk->...p", w * y, x)[..., None])[..., 0]
    for _ in range(CLIMBS):
        error = y - beta @ x
        at = fixed + c * error
        mills = np.exp(-0.5 * at * at - special.log_ndtr(at)) / np.sqrt(2 * np.pi)
        slope = np.einsum("...k,pk->...p", w * error - c * mills, x)
        beta = beta + np.linalg.solve(_squares(w + c * c * mills * (at + mills), x), slope[..., None])[..., 0]
    error = y - beta @ x
    terms = -0.5 * np.log(total) - 0.5 * w * error**2 + special.log_ndtr(fixed + c * error)
    value = np.pad(terms.sum(axis=-1), 1, constant_values=-np.inf)
    inner = value[1:-1, 1:-1]
    top = (inner >= value[:-2, 1:-1]) & (inner >= value[2:, 1:-1]) & (inner >= value[1:-1, :-2])
    top &= inner >= value[1:-1, 2:]
    return [np.concatenate([b[:1], [t, p], b[1:]]) for b, t, p in zip(beta[top], tau2[top], rho[top], strict=True)]


def _squares(w: Floats, x: Floats) -> Floats:
    return np.asarray(np.einsum("...k,pk,qk->...pq", w, x, x))


def _truncation(u: Floats) -> Floats:
    """Return c2 = lambda (u + lambda), by which the variance of a study that is seen is smaller."""
    lam = np.exp(-0.5 * u * u - special.log_ndtr(u)) / np.sqrt(2 * np.pi)
    return np.asarray(lam * (u + lam))


def _step(y: Floats, s: Floats, chance: float, level: float, unit: float) -> CopasStep:
    gamma0, gamma1 = _gammas(s, chance)
    u = gamma0 + gamma1 / s
    full = _likelihood(y, s, u)

    def without_slope(theta: Floats) -> tuple[float, Floats]:
        value, gradient = full(np.append(theta, 0.0))
        return value, gradient[:3]

    low = np.array([-np.inf, 0.0, -MOST_CORRELATED])
    high = np.array([np.inf, np.inf, MOST_CORRELATED])
    peak = highest(without_slope, _starts(y, s, u, np.ones((1, len(y)))), low, high)
    more = [np.append(peak.theta, 0.0), *_starts(y, s, u, np.stack([np.ones(len(y)), s]))]
    sloped = highest(full, more, np.append(low, -np.inf), np.append(high, np.inf))
    return _described(peak, sloped.value, u, chance, (gamma0, gamma1 * unit), level, unit)


def _described(
    peak: Peak, sloped: float, u: Floats, chance: float, gammas: tuple[float, float], level: float, unit: float
) -> CopasStep:
    estimate, se = unit * float(peak.theta[0]), unit * float(np.sqrt(peak.covariance[0, 0]))
    half = float(t_quantile(0.5 + level / 2, np.inf)) * se
    seen = special.ndtr(u)
    return CopasStep(
        chance=chance,
        gamma0=gammas[0],
        gamma1=gammas[1],
        estimate=estimate,
        se=se,
        ci_lower=estimate - half,
        ci_upper=estimate + half,
        p_value=float(t_two_sided(estimate / se, np.inf)),
        tau2=unit**2 * float(peak.theta[1]),
        rho=float(peak.theta[2]),
        unpublished=float(np.sum((1 - seen) / seen)),
        residual_p_value=float(chi2_upper(max(0.0, 2 * (sloped - peak.value)), 1)),
        converged=peak.converged,
    )
