"""The evidence of a model that was sampled, by bridge sampling: for the members that cannot be integrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.mcmc.sampling import Sampled
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Change of the log evidence at which the iteration stops, and the most iterations.
TOLERANCE, MOST = 1e-10, 1000

#: Functions that are called once or twice: without compilation they are there at once.
UNCOMPILED = "FAST_COMPILE"


@dataclass(frozen=True)
class Evidence:
    """A log marginal likelihood with the relative standard error of the marginal likelihood."""

    log_marginal: float
    relative_error: float
    iterations: int


def bridge(log_density: Callable[[Floats], Floats], draws: Floats, *, rng: np.random.Generator) -> Evidence:
    """Return the integral of an unnormalized posterior density from draws of it.

    The first half of each chain fits a normal proposal, the second half and as many draws of the proposal make the
    estimate: the iteration of Meng & Wong 1996 (Stat Sin 6:831, eq. 4.1) with the optimal bridge function, as in
    Gronau et al. 2017 (J Math Psychol 81:80, eq. 14 and 15), whose relative mean squared error (eq. 16, after
    Fruehwirth-Schnatter 2004) takes the autocorrelation of the draws into account.

    Parameters
    ----------
    log_density : callable
        Log likelihood + log prior, up to nothing: (n, d) -> (n,), on a space without bounds.
    draws : ndarray of shape (chains, n, d)
    rng : numpy.random.Generator
        The same generator gives the same estimate.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = bridge(lambda x: -0.5 * (x**2).sum(axis=1), rng.normal(size=(2, 1000, 1)), rng=rng)
    >>> bool(abs(found.log_marginal - 0.5 * np.log(2 * np.pi)) < 4 * found.relative_error)
    True
    """
    draws = np.asarray(draws, dtype=float)
    if draws.ndim != 3 or draws.shape[1] < 20:
        raise InputError(f"The draws have shape {draws.shape}; accepted is (chains, 20 or more draws, variables).")
    half, d = draws.shape[1] // 2, draws.shape[2]
    fitting, kept = draws[:, :half].reshape(-1, d), draws[:, half:]
    mean = fitting.mean(axis=0)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(fitting.T)))
    ours = kept.reshape(-1, d)
    theirs = mean + rng.normal(size=ours.shape) @ root.T

    def log_proposal(x: Floats) -> Floats:
        z = np.linalg.solve(root, (x - mean).T)
        return np.asarray(-0.5 * (z**2).sum(axis=0) - np.log(np.diag(root)).sum() - 0.5 * d * np.log(2 * np.pi))

    log_l1 = log_density(ours) - log_proposal(ours)
    log_l2 = log_density(theirs) - log_proposal(theirs)
    share = _effective(log_l1.reshape(kept.shape[:2]))
    log_s1, log_s2 = np.log(share / (share + len(theirs))), np.log(len(theirs) / (share + len(theirs)))
    value, iterations = float(np.median(log_l1)), 0
    while iterations < MOST:
        iterations += 1
        above = special.logsumexp(log_l2 - np.logaddexp(log_s1 + log_l2, log_s2 + value)) - np.log(len(log_l2))
        below = special.logsumexp(-np.logaddexp(log_s1 + log_l1, log_s2 + value)) - np.log(len(log_l1))
        value, before = float(above - below), value
        if abs(value - before) < TOLERANCE:
            break
    error = _relative_error(log_l1 - value, log_l2 - value, (log_s1, log_s2), share)
    return Evidence(value, error, iterations)


def _relative_error(log_p1: Floats, log_p2: Floats, log_shares: tuple[float, float], share: float) -> float:
    """Return the relative root mean squared error; arguments are log ratios of the normalized posterior to proposal."""
    s1, s2 = log_shares
    f1 = np.exp(log_p2 - np.logaddexp(s1 + log_p2, s2))
    f2 = np.exp(-np.logaddexp(s1 + log_p1, s2))
    of_proposal = f1.var() / f1.mean() ** 2 / len(f1)
    of_posterior = f2.var() / f2.mean() ** 2 / share
    return float(np.sqrt(of_proposal + of_posterior))


def _effective(values: Floats) -> float:
    """Return how many independent draws the draws are worth, shape (chains, n)."""
    import arviz as az

    return min(float(np.asarray(az.ess(values, method="mean"))), float(values.size))


def model_evidence(model: Any, sampled: Sampled, *, rng: np.random.Generator) -> Evidence:
    """Return the evidence of a PyMC model from its draws.

    Parameters
    ----------
    model : pymc.Model
        With proper priors.
    sampled : Sampled
        Its draws.
    rng : numpy.random.Generator
    """
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.replace import vectorize_graph

    posterior = sampled.tree["posterior"].to_dataset()
    chains, n = posterior.sizes["chain"], posterior.sizes["draw"]
    flat = pt.matrix("flat")
    parts, replaced, at = [], {}, 0
    for rv in model.free_RVs:
        value, transform = model.rvs_to_values[rv], model.rvs_to_transforms[rv]
        drawn = np.asarray(sampled.draws(rv.name), dtype=float)
        if transform is not None:
            drawn = transform.forward(pt.constant(drawn), *rv.owner.inputs).eval(mode=UNCOMPILED)
        shape = drawn.shape[1:]
        parts.append(drawn.reshape(len(drawn), -1))
        size = parts[-1].shape[1]
        replaced[value] = flat[:, at : at + size].reshape((-1, *shape))
        at += size
    log_density = pytensor.function([flat], vectorize_graph(model.logp(), replaced), mode=UNCOMPILED)
    return bridge(log_density, np.concatenate(parts, axis=1).reshape(chains, n, -1), rng=rng)
