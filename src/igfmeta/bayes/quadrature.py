"""The posterior of tau on Gauss-Legendre nodes, for a batch of data sets; the rest of a posterior is made from it.

tau is mapped to (0, 1), with A of the size of the tau that the data suggest. The number of nodes of each data set
doubles until its log marginal likelihood and posterior means no longer change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import special

from igfmeta.bayes.mappings import Mapping
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats, row_sum

#: Nodes to begin with, many nodes, and the most that are tried.
FIRST, MANY, LAST = 32, 1024, 2048

#: Steps of Newton's method for the nodes; its error is squared in each, and begins below 1e-2 / n^2.
NEWTON = 5

#: Change of log marginal likelihood and standardized means at which the integral counts as done, and with many nodes.
TOLERANCE, TOLERANCE_OF_MANY = 1e-10, 1e-8

#: Change of the distribution function of mu at which the integral counts as done, as a multiple of the above.
OF_CDF = 100.0

#: Nodes at which a data set that is not done is looked at again: where does the posterior of tau lie?
LOOK_AGAIN = 256

#: Numbers (data sets x nodes x studies) computed at once, so that the memory stays at some megabytes.
AT_ONCE = 2**19


@lru_cache(maxsize=16)
def rule(n: int) -> tuple[Any, Any]:
    """Return the nodes and weights of Gauss-Legendre quadrature on (0, 1).

    By Newton's method from Tricomi's approximation: NumPy's takes the eigenvalues of a matrix, which for some hundred
    nodes takes longer than everything else.
    """
    x = -np.cos(np.pi * (np.arange(n) + 0.75) / (n + 0.5))
    for _ in range(NEWTON):
        last, value = legendre.legvander(x, n)[:, -2:].T
        slope = n * (x * value - last) / (x * x - 1)
        x = x - value / slope
    return 0.5 * (x + 1), 1 / ((1 - x * x) * slope * slope)


@lru_cache(maxsize=16)
def cumulation(n: int) -> Floats:
    """Return the matrix, shape (n, n), that turns w_j f(u_j) into the integrals of f from 0 to each node.

    f is expanded in the polynomials P_l(2u - 1), with coefficients (2l + 1) sum w_j f_j P_l(2u_j - 1), and the integral
    of P_l from 0 to u is (P_{l+1} - P_{l-1})/(2 (2l + 1)), that of P_0 is u.
    """
    u, _ = rule(n)
    values = legendre.legvander(2 * u - 1, n)
    integrals = (values[:, 2:] - values[:, : n - 1]) / 2
    return np.asarray(u[None, :] + values[:, 1:n] @ integrals.T)


@lru_cache(maxsize=16)
def barycentric(n: int, *, with_zero: bool) -> tuple[Floats, Floats]:
    """Return nodes and weights of barycentric interpolation at the nodes of `rule`, and at 0 too if asked.

    Wang & Xiang 2012, Math Comput 81:861, theorem 3.1: (-1)^j sqrt((1 - x_j^2) w_j).
    """
    u, w = rule(n)
    weights = (-1.0) ** np.arange(n) * np.sqrt(u * (1 - u) * w)
    if not with_zero:
        return u, weights
    weights = weights / u
    # The weights of n + 1 nodes add up to 0.
    return np.concatenate([[0.0], u]), np.concatenate([[-weights.sum()], weights])


def interpolate(x: Floats, values: Floats, nodes: Floats, weights: Floats) -> Floats:
    """Return the polynomials through `values` (batch, n) at `nodes` (n,), each evaluated at its x (batch,)."""
    apart = x[:, None] - nodes
    shares = weights / np.where(np.abs(apart) < 1e-200, 1e-200, apart)
    return np.asarray(np.vecdot(shares, values) / row_sum(shares))


def interpolated_slope(x: Floats, at_x: Floats, values: Floats, nodes: Floats, weights: Floats) -> Floats:
    """Return the slopes at x of the polynomials, which have the values `at_x` there.

    Schneider & Werner 1986, Math Comput 47:285, proposition 11. Beside a node it is rounding: good to direct a search.
    """
    apart = x[:, None] - nodes
    apart = np.where(np.abs(apart) < 1e-16, 1e-16, apart)
    shares = weights / apart
    return np.asarray(np.vecdot(shares, (at_x[:, None] - values) / apart) / row_sum(shares))


@dataclass(frozen=True, eq=False)
class Grid:
    """The posterior of tau on nodes, and that of mu given tau at each.

    `n` counts nodes of tau, `c` components: nodes of tau times components of the prior of mu.

    Attributes
    ----------
    centre : ndarray of shape (batch,)
        What was taken from yi.
    mapping : Mapping
    size : ndarray of shape (batch,)
        Its A.
    reach : ndarray of shape (batch,)
        The largest u: 1, or less for a bounded prior.
    u, tau : ndarray of shape (batch, n)
    density : ndarray of shape (batch, n)
        Posterior density of u / reach.
    log_marginal : ndarray of shape (batch,)
    weight, mean, variance : ndarray of shape (batch, c)
        Mixture of normals that is the posterior of mu - centre.
    tau2 : ndarray of shape (batch, c)
    accuracy : ndarray of shape (batch,)
        The last change when the nodes were doubled.
    """

    mapping: Mapping
    centre: Floats
    size: Floats
    reach: Floats
    u: Floats
    tau: Floats
    density: Floats
    log_marginal: Floats
    weight: Floats
    mean: Floats
    variance: Floats
    tau2: Floats
    accuracy: Floats

    def rows(self, rows: Any) -> Grid:
        """Return the grid of some data sets."""
        arrays = {name: value[rows] for name, value in self.__dict__.items() if name != "mapping"}
        return Grid(mapping=self.mapping, **arrays)


@dataclass(frozen=True, eq=False)
class Conditional:
    """Given tau: log likelihood with mu integrated out, and the posterior of mu; shape (batch, n, L)."""

    log_likelihood: Floats
    mean: Floats
    variance: Floats


def given_tau(y: Floats, v: Floats, tau: Floats, prior: MuPrior, centre: Floats) -> Conditional:
    """Return the conditional of mu for each tau and each component of its prior.

    Parameters
    ----------
    y, v : ndarray of shape (batch, k)
        Centred effects and variances; inf for left-out studies.
    tau : ndarray of shape (batch, n)
    prior : MuPrior
    centre : ndarray of shape (batch,)

    References
    ----------
    Röver 2020, J Stat Softw 93(6), section 2.
    """
    total = v[:, None, :] + (tau**2)[:, :, None]
    w = 1 / total
    s1 = row_sum(w)
    mean = np.einsum("bnk,bk->bn", w, y) / s1
    rest = np.einsum("bnk,bnk->bn", w, (y[:, None, :] - mean[:, :, None]) ** 2)
    logs = row_sum(np.log(np.where(np.isfinite(total), 2 * np.pi * total, 1.0)))
    basic = -0.5 * (logs + rest) + 0.5 * np.log(2 * np.pi / s1)
    between = 1 / s1[:, :, None] + prior.variances
    off = mean[:, :, None] - (prior.mean - centre)[:, None, None]
    flat = ~np.isfinite(prior.variances)
    with np.errstate(invalid="ignore"):
        fit = np.where(flat, 0.0, -0.5 * (np.log(2 * np.pi * np.where(flat, 1.0, between)) + off**2 / between))
    own = (1 / s1)[:, :, None]
    return Conditional(
        log_likelihood=basic[:, :, None] + fit + prior.log_weights,
        mean=mean[:, :, None] - own / between * off,
        # The share of the prior as a ratio: 1 minus the other share would be 0 where tau is large.
        variance=own * np.where(flat, 1.0, np.where(flat, 1.0, prior.variances) / between),
    )


def _size(y: Floats, v: Floats, prior: TauPrior) -> Floats:
    """Return about where the posterior of tau lies."""
    k = np.isfinite(v).sum(axis=1)
    # Left-out studies have infinite variances and come last.
    typical = np.take_along_axis(np.sort(v, axis=1), (k[:, None] - 1) // 2, axis=1)[:, 0]
    spread = (y**2).sum(axis=1) / np.maximum(k - 1, 1)
    size = np.sqrt(np.maximum(spread - typical, 0.0) + typical / np.sqrt(k))
    return np.asarray(np.minimum(size, 2 * prior.scale))


def _size_by_search(
    y: Floats, v: Floats, centre: Floats, tau_prior: TauPrior, mu_prior: MuPrior, size: Floats
) -> Floats:
    """Return the geometric mean of tau under its posterior, by two passes over a grid of log tau."""
    middle, half = np.log(size), np.full(len(y), 30.0)
    for _ in range(2):
        x = middle[:, None] + half[:, None] * np.linspace(-1, 1, 121)
        tau = np.exp(x)
        given = given_tau(y, v, tau, mu_prior, centre).log_likelihood
        logs = given.max(axis=2) + tau_prior.log_density(tau, v) + x
        logs = np.where(tau < tau_prior.upper, logs, -np.inf)
        p = np.exp(logs - logs.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        middle = np.vecdot(p, x)
        half = np.maximum(6 * np.sqrt(np.vecdot(p, (x - middle[:, None]) ** 2)), half / 60)
    return np.asarray(np.exp(middle))


def _on_nodes(
    y: Floats, v: Floats, centre: Floats, tau_prior: TauPrior, mu_prior: MuPrior, size: Floats, n: int
) -> Grid:
    mapping, column = tau_prior.mapping, size[:, None]
    bounded = np.isfinite(tau_prior.upper)
    reach = mapping.share(np.full(len(y), tau_prior.upper), size) if bounded else np.ones(len(y))
    nodes, weights = rule(n)
    u = reach[:, None] * nodes
    tau = mapping.tau(u, column)
    inner = given_tau(y, v, tau, mu_prior, centre)
    jacobian = np.log(reach[:, None]) + mapping.log_slope(u, column)
    logs = inner.log_likelihood + (tau_prior.log_density(tau, v) + jacobian + np.log(weights))[:, :, None]
    top = logs.max(axis=(1, 2))
    parts = np.exp(logs - top[:, None, None])
    total = parts.sum(axis=(1, 2))
    share = parts / total[:, None, None]
    flat = (len(y), -1)
    return Grid(
        mapping=mapping,
        centre=centre,
        size=size,
        reach=reach,
        u=u,
        tau=tau,
        density=share.sum(axis=2) / weights,
        log_marginal=top + np.log(total),
        weight=share.reshape(flat),
        mean=inner.mean.reshape(flat),
        variance=inner.variance.reshape(flat),
        tau2=np.repeat(tau**2, len(mu_prior.variances), axis=1),
        accuracy=np.full(len(y), np.inf),
    )


def _change(new: Grid, old: Grid) -> Floats:
    """Return the largest change of log marginal likelihood, E(u), and P(mu <= x) at three points."""
    least = np.finfo(float).tiny  # a prior that holds mu at one value leaves no variance
    middle = np.vecdot(new.weight, new.mean)
    unit = np.exp(0.5 * np.vecdot(new.weight, np.log(np.maximum(new.variance, least))))

    def summaries(g: Grid) -> list[Floats]:
        sd = np.sqrt(np.maximum(g.variance, least))
        below = [special.ndtr(((middle + side * unit)[:, None] - g.mean) / sd) for side in (-2.0, 0.0, 1.5)]
        e_u = np.vecdot(rule(g.u.shape[1])[1] * g.density, g.u)
        return [g.log_marginal, e_u, *(np.vecdot(g.weight, each) / OF_CDF for each in below)]

    return np.max(np.abs(np.subtract(summaries(new), summaries(old))), axis=0)


def integrate(
    y: Floats, v: Floats, centre: Floats, tau_prior: TauPrior, mu_prior: MuPrior
) -> list[tuple[NDArray[np.intp], Grid]]:
    """Return the posteriors, those that need as many nodes together: indices of the data sets, and their grid.

    Parameters
    ----------
    y, v : ndarray of shape (batch, k)
        Centred effects, and variances with inf for left-out studies.
    centre : ndarray of shape (batch,)
    """
    finished: list[tuple[NDArray[np.intp], Grid]] = []
    waiting: list[tuple[NDArray[np.intp], Grid | None]] = [(np.arange(len(y)), None)]
    size, looked_again = _size(y, v, tau_prior), np.zeros(len(y), dtype=bool)
    while waiting:
        rows, coarse = waiting.pop()
        n = FIRST if coarse is None else 2 * coarse.u.shape[1]
        if len(rows) > 1 and len(rows) * n * y.shape[1] * len(mu_prior.variances) > AT_ONCE:
            halves = np.array_split(np.arange(len(rows)), 2)
            waiting.extend((rows[half], coarse and coarse.rows(half)) for half in halves)
            continue
        fine = _on_nodes(y[rows], v[rows], centre[rows], tau_prior, mu_prior, size[rows], n)
        if coarse is None:
            waiting.append((rows, fine))
            continue
        fine = replace(fine, accuracy=_change(fine, coarse))
        done = (fine.accuracy <= (TOLERANCE if n < MANY else TOLERANCE_OF_MANY)) | (n >= LAST)
        if done.any():
            finished.append((rows[done], fine.rows(done)))
        elsewhere = np.zeros(len(rows), dtype=bool)
        if n == LOOK_AGAIN and not (done | looked_again[rows]).all():
            again = np.flatnonzero(~done & ~looked_again[rows])
            at = rows[again]
            found = _size_by_search(y[at], v[at], centre[at], tau_prior, mu_prior, size[at])
            elsewhere[again] = np.abs(np.log(found / size[at])) > np.log(2)
            size[at], looked_again[at] = np.where(elsewhere[again], found, size[at]), True
            waiting.extend([(rows[elsewhere], None)] if elsewhere.any() else [])
        if not (done | elsewhere).all():
            waiting.append((rows[~done & ~elsewhere], fine.rows(~done & ~elsewhere)))
    return finished
