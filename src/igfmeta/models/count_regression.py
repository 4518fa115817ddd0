"""Meta-regression of counts by maximum likelihood: exact likelihoods of the studies, effects normal around a line.

theta_i = X_i beta + tau z_i: the mixed models of Stijnen, Hamza & Ozdemir 2010 (Stat Med 29:3046) with covariates. For
each tau2 the log-likelihood is concave in beta, as it is in theta without (`igfmeta.models.mixed_likelihood`): Newton's
method finds beta(tau2), the slope of the profile is scanned on a grid of tau2, each bracket of a maximum is refined,
and the highest wins, 0 included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.errors import NothingToPool
from igfmeta.models.count_kernels import Kernel
from igfmeta.models.mixed_likelihood import CAREFUL, GRID, LARGEST, SCOUTS
from igfmeta.models.newton import climb
from igfmeta.models.normal_mixing import contributions
from igfmeta.numerics import Floats
from igfmeta.solver import bracketed_newton

#: Nodes of the integral of each study in the answer (`SCOUTS` while brackets are sought): twice as many as without
#: moderators suffice nearly always, so that none is short of them.
NODES = 121

#: Least information about any combination of coefficients that leaves it finite: that of a rate of one in a million.
FLAT = 1e-6

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CountRegression:
    """The fit.

    Attributes
    ----------
    beta : ndarray of shape (p,)
    covariance : ndarray of shape (p, p)
        From the observed information about beta and, where it is above 0, tau2.
    tau2, log_likelihood : float
        Every constant included.
    gradient : float
        Largest derivative left; 0 for what the boundary holds.
    converged : bool
    """

    beta: Floats
    covariance: Floats
    tau2: float
    log_likelihood: float
    gradient: float
    converged: bool


@dataclass(frozen=True, eq=False)
class _Sums:
    """Log-likelihood of all studies at several points (beta, t), and its derivatives; the first axis is of points."""

    value: Floats
    beta: Floats
    t: Floats
    beta_beta: Floats
    beta_t: Floats
    t_t: Floats


def _sums(kernel: Kernel, design: Floats, beta: Floats, t: Floats, nodes: int = NODES) -> _Sums:
    points, k = len(t), len(kernel)
    every = kernel.take(np.tile(np.arange(k), points))
    each = contributions(every, (beta @ design.T).ravel(), np.repeat(t, k), nodes=nodes)
    value, theta, in_t, theta2, theta_t, t2 = (part.reshape(points, k) for part in each.__dict__.values())
    curved = np.einsum("gi,ia,ib->gab", theta2, design, design)
    return _Sums(value.sum(axis=1), theta @ design, in_t.sum(axis=1), curved, theta_t @ design, t2.sum(axis=1))


def _ridge(kernel: Kernel, design: Floats, t: Floats, start: Floats, nodes: int = NODES) -> tuple[Floats, _Sums]:
    """Return beta where the log-likelihood is highest at each tau2, and what it is there."""

    def at(beta: Floats, rows: Index) -> tuple[Floats, Floats, Floats]:
        found = _sums(kernel, design, beta, t[rows], nodes)
        return found.value, found.beta, found.beta_beta

    beta = climb(at, start)[0]
    return beta, _sums(kernel, design, beta, t, nodes)


def count_regression(kernel: Kernel, design: Floats) -> CountRegression:
    """Return the maximum-likelihood fit of counts on moderators.

    Parameters
    ----------
    kernel : Kernel
        k studies.
    design : ndarray of shape (k, p)
        Of full rank, its columns of size 1 or so.

    Raises
    ------
    NothingToPool
        A coefficient without a finite estimate: a line parts the studies without events from the others.

    Examples
    --------
    >>> from igfmeta.models.count_kernels import Binomial
    >>> x, n = np.array([1.0, 3.0, 5.0, 9.0, 4.0]), np.array([24.0, 20.0, 31.0, 30.0, 60.0])
    >>> found = count_regression(Binomial(x, n, 0 * n), np.column_stack([np.ones(5), 10 / n]))
    >>> found.beta.round(4).tolist(), round(found.tau2, 4), round(found.log_likelihood, 4)
    ([-2.4311, 1.5576], 0.2787, -11.6495)
    """
    start = np.zeros((1, design.shape[1]))
    first, _ = _ridge(kernel, design, np.zeros(1), start)
    at_each = np.repeat(first, len(GRID), axis=0)
    beta, curve = _ridge(kernel, design, GRID, at_each, SCOUTS)
    if curve.t[-1] > 0:  # few nodes may see a slope there that is none
        beta, curve = _ridge(kernel, design, GRID, at_each, CAREFUL)
    _refuse_if_flat(curve.beta_beta[0])
    maxima = [(0.0, beta[0], True)] if curve.t[0] <= 0 else []
    maxima += [(LARGEST, beta[-1], False)] if curve.t[-1] > 0 else []
    for i in np.flatnonzero((curve.t[:-1] > 0) & (curve.t[1:] <= 0)):
        maxima.append(_between(kernel, design, GRID[i : i + 2], beta[i]))
    values = [float(_sums(kernel, design, b[None], np.array([t])).value[0]) for t, b, _ in maxima]
    t, best, converged = maxima[int(np.argmax(values))]
    here = _sums(kernel, design, best[None], np.array([t]))
    _refuse_if_flat(here.beta_beta[0])
    inside = 0 < t < LARGEST
    p = design.shape[1]
    information = np.empty((p + 1, p + 1))
    information[:p, :p], information[p, p] = -here.beta_beta[0], -here.t_t[0]
    information[:p, p] = information[p, :p] = -here.beta_t[0]
    free = p + 1 if inside else p
    left = np.append(here.beta[0], here.t[0] if inside else 0.0)
    return CountRegression(
        beta=best,
        covariance=np.linalg.inv(information[:free, :free])[:p, :p],
        tau2=t,
        log_likelihood=max(values),
        gradient=float(np.abs(left).max()),
        converged=converged,
    )


def _between(kernel: Kernel, design: Floats, bracket: Floats, start: Floats) -> tuple[float, Floats, bool]:
    """Return tau2 and beta of the maximum of the profile in a bracket of tau2, and whether the search ended."""
    beta = start[None].copy()

    def equations(t: Floats, _: Index) -> tuple[Floats, Floats]:
        beta[:], found = _ridge(kernel, design, t, beta)
        across = np.linalg.solve(found.beta_beta, found.beta_t[:, :, None])[:, :, 0]
        return found.t, found.t_t - (found.beta_t * across).sum(axis=1)

    t, ended = bracketed_newton(equations, bracket[:1], bracket[1:])
    beta[:], _ = _ridge(kernel, design, t, beta)
    return float(t[0]), beta[0], bool(ended[0])


def _refuse_if_flat(curvature: Floats) -> None:
    if float(np.linalg.eigvalsh(-curvature).min()) < FLAT:
        raise NothingToPool(
            "The slope has no finite estimate: a line parts the studies in which nobody (or everybody) responded from "
            "the others."
        )
