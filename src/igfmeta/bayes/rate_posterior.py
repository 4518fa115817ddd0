"""The posterior of rates of single arms, many groups of arms at once: binomial counts, logits normal around a mean.

The marginal likelihood of an arm is its binomial likelihood, as a function of the logit, convolved with a normal of
standard deviation tau. On one grid of logits, which all groups share, that is a product of Fourier transforms, with the
transform of the normal in closed form; each arm is transformed once, and a group is a sum of logarithms.
`igfmeta.bayes.binomial_arms` computes the same for one group on a grid of its own, more slowly and to more digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.laplace import RATE_PRIOR
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.quadrature import barycentric, cumulation, interpolate, rule
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError, check_level
from igfmeta.numerics import Floats

#: Spacing of the logits, and how many there are: from -51 to 51, so far that the ends do not matter.
SPACING, POINTS = 0.05, 2048

#: Logits beyond this are tapered to 0, so that the periodic transform has no jump; means lie within `MEANS`.
TAPER, MEANS = 42.0, 16.0

#: Nodes of tau, and how large it can be: beyond, every rate is 0 or 1.
NODES, LARGEST = 28, 8.0

#: Points between the nodes of tau at which its distribution function is tabled.
BETWEEN = 999


@dataclass(frozen=True, eq=False)
class RatePosterior:
    """The posterior of one group of arms, on the logit scale; the fields that `Posterior` has too mean the same.

    Attributes
    ----------
    k : int
    mu_mean, mu_sd, mu_median, ci_lower, ci_upper : float
        Of the mean logit; central intervals.
    tau_mean, tau_sd, tau_median, tau_ci_lower, tau_ci_upper : float
    pi_median, pi_lower, pi_upper : float
        Logit of the rate in a new arm.
    log_marginal : float
    tau_prior, mu_prior, interval : str
    level : float
    remarks : tuple of str
    """

    k: int
    mu_mean: float
    mu_sd: float
    mu_median: float
    ci_lower: float
    ci_upper: float
    tau_mean: float
    tau_sd: float
    tau_median: float
    tau_ci_lower: float
    tau_ci_upper: float
    pi_median: float
    pi_lower: float
    pi_upper: float
    log_marginal: float
    tau_prior: str
    mu_prior: str
    level: float
    interval: str
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, with the keys of every posterior."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**own, "bayes_factor_tau_zero": None, "bayes_factor_mu_zero": None, "accuracy": 0.0,
                "remarks": list(self.remarks)}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Table:
    """Likelihoods of arms at means of the grid: log-likelihood of shape (arms, nodes, means)."""

    log_likelihood: Floats
    mu: Floats
    tau: Floats
    u: Floats
    weight: Floats
    transform: Floats
    spacing: float
    inside: slice


def _table(events: Floats, n: Floats, prior: TauPrior) -> _Table:
    widest = float(np.max(n))
    # A likelihood must be several points wide; its narrowest standard deviation is 2/sqrt(n).
    halvings = max(0, int(np.ceil(np.log2(max(SPACING * np.sqrt(widest) / 1.4, 1.0)))))
    spacing, points = SPACING / 2**halvings, POINTS * 2**halvings
    theta = spacing * (np.arange(points) - points // 2)
    soft = np.maximum(theta, 0) + np.log1p(np.exp(-np.abs(theta)))
    log_f = events[:, None] * theta - n[:, None] * soft
    top = log_f.max(axis=1, keepdims=True)
    f = np.exp(log_f - top) * special.expit(2 * (TAPER - np.abs(theta)))
    u, share = rule(NODES)
    scale = prior.scale if np.isfinite(prior.scale) else 1.0
    reach = min(LARGEST, prior.upper)
    reach = reach / (scale + reach)
    u = reach * u
    tau = scale * u / (1 - u)
    log_prior = prior.log_density(tau[None, :], (1 / (events + 0.5) + 1 / (n - events + 0.5))[None, :])[0]
    weight = np.exp(log_prior) * scale / (1 - u) ** 2 * reach * share
    omega = 2 * np.pi * np.fft.rfftfreq(points, spacing)
    transform = np.exp(-0.5 * (tau[:, None] * omega) ** 2)
    reach_of_means = int(MEANS / spacing)
    inside = slice(points // 2 - reach_of_means, points // 2 + reach_of_means + 1)
    spectra = np.fft.rfft(f, axis=1)
    mixed = np.stack([np.fft.irfft(spectra * one, points, axis=1)[:, inside] for one in transform], axis=1)
    return _Table(np.log(np.maximum(mixed, 1e-17)) + top[:, :, None], theta[inside], tau, u, weight, transform, spacing,
                  inside)  # fmt: skip


def _quantiles(x: Floats, density: Floats, p: Floats) -> Floats:
    """Return quantiles of a density on an evenly spaced grid; shapes (points,), (batch, points), (p,) -> (batch, p).

    The distribution function on the grid is the trapezoidal sum with its first end correction (Euler & Maclaurin), and
    between two points the cubic that has the density for slope.
    """
    h = x[1] - x[0]
    slope = np.gradient(density, h, axis=1)
    cdf = h * (np.cumsum(density, axis=1) - 0.5 * density) - h * h / 12 * slope
    cdf /= cdf[:, -1:]
    out = np.empty((len(density), len(p)))
    for b, row in enumerate(np.maximum.accumulate(cdf, axis=1)):
        at = np.clip(np.searchsorted(row, p) - 1, 0, len(x) - 2)
        low, high, d0, d1 = row[at], row[at + 1], h * density[b, at], h * density[b, at + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.clip(np.nan_to_num((p - low) / (high - low)), 0.0, 1.0)
            for _ in range(6):
                value = low + t * (d0 + t * (3 * (high - low) - 2 * d0 - d1 + t * (d0 + d1 - 2 * (high - low))))
                rise = d0 + t * (2 * (3 * (high - low) - 2 * d0 - d1) + 3 * t * (d0 + d1 - 2 * (high - low)))
                t = np.clip(t - np.nan_to_num((value - p) / rise), 0.0, 1.0)
        out[b] = x[at] + h * t
    return out


def _tau_quantiles(table: _Table, shares: Floats, reach: float, p: Floats) -> Floats:
    """Return quantiles of tau from its weights at the nodes, shape (batch, p)."""
    w = rule(NODES)[1]
    density = shares / w  # in u / reach
    at_nodes = np.concatenate([np.zeros((len(shares), 1)), (w * density) @ cumulation(NODES)], axis=1)
    fine: Floats = np.linspace(0, 1, BETWEEN + 2)[1:-1]
    nodes, weights = barycentric(NODES, with_zero=True)
    scale = float(table.tau[0] * (1 - table.u[0]) / table.u[0])
    tau = scale * reach * fine / (1 - reach * fine)
    out = np.empty((len(shares), len(p)))
    for b, values in enumerate(at_nodes):
        cdf = interpolate(fine, np.broadcast_to(values, (len(fine), len(values))), nodes, weights)
        out[b] = np.interp(p, np.maximum.accumulate(np.clip(cdf, 0.0, 1.0)), tau)
    return out


def rate_posteriors(
    events: Any,
    n: Any,
    groups: Sequence[Sequence[int]],
    *,
    tau_prior: TauPrior,
    mu_prior: MuPrior = RATE_PRIOR,
    level: float = 0.95,
) -> list[RatePosterior]:
    """Return the posterior of each group of arms.

    Parameters
    ----------
    events, n : array_like of shape (arms,)
        Counts of all arms.
    groups : sequence of sequence of int
        Positions of the arms of each group; an arm may be in several.
    tau_prior : TauPrior
        Proper, of the standard deviation of the logits; cut at 8, beyond which every rate is 0 or 1.
    mu_prior : MuPrior
        Normal, of the mean logit: with a flat prior arms without an event would have no posterior.
    level : float

    Raises
    ------
    InputError
        A prior that is improper, or a prior of the mean that is not normal.

    References
    ----------
    Neuenschwander, Capkun-Niggli, Branson & Spiegelhalter 2010, Clin Trials 7:5.

    Examples
    --------
    >>> from igfmeta.bayes.tau_priors import HalfNormal
    >>> found = rate_posteriors([0, 3, 5], [24, 20, 31], [[0, 1, 2]], tau_prior=HalfNormal(1))[0]
    >>> [round(float(special.expit(x)), 3) for x in (found.mu_median, found.ci_lower, found.ci_upper)]
    [0.101, 0.025, 0.301]
    """
    level = check_level(level)
    if not tau_prior.proper:
        raise InputError(f"The prior {tau_prior.label} of tau is improper; accepted for rates are proper ones.")
    if not mu_prior.proper or len(mu_prior.variances) != 1:
        raise InputError(f"The prior {mu_prior.label} of the mean is not normal; accepted for rates is a normal one.")
    counts = np.stack([np.asarray(events, dtype=float), np.asarray(n, dtype=float)], axis=1)
    distinct, which = np.unique(counts, axis=0, return_inverse=True)  # arms with equal counts are transformed once
    table = _table(distinct[:, 0], distinct[:, 1], tau_prior)
    belongs = np.zeros((len(groups), len(distinct)))
    for g, members in enumerate(groups):
        np.add.at(belongs[g], which.ravel()[list(members)], 1.0)
    arms = table.log_likelihood.reshape(len(distinct), -1)
    log_joint = (belongs @ arms).reshape(len(groups), NODES, len(table.mu))
    variance = float(mu_prior.variances[0])
    log_joint -= 0.5 * (table.mu - mu_prior.mean) ** 2 / variance + 0.5 * np.log(2 * np.pi * variance)
    top = log_joint.max(axis=(1, 2))
    joint = np.exp(log_joint - top[:, None, None]) * table.weight[:, None]
    total = joint.sum(axis=(1, 2)) * table.spacing
    joint /= total[:, None, None]
    return _summaries(table, joint, top + np.log(total), [len(g) for g in groups], tau_prior, mu_prior, level)


def _summaries(
    table: _Table, joint: Floats, evidence: Floats, sizes: Sequence[int], tau_prior: TauPrior, mu_prior: MuPrior,
    level: float,
) -> list[RatePosterior]:  # fmt: skip
    h, p = table.spacing, np.array([0.5, 0.5 - level / 2, 0.5 + level / 2])
    density = joint.sum(axis=1)
    mu_mean = h * (density @ table.mu)
    mu_sd = np.sqrt(h * (density * (table.mu - mu_mean[:, None]) ** 2).sum(axis=1))
    mu = _quantiles(table.mu, density, p)
    shares = h * joint.sum(axis=2)
    tau_mean = shares @ table.tau
    tau_sd = np.sqrt(np.maximum(shares @ table.tau**2 - tau_mean**2, 0.0))
    reach = float(table.u[-1] / rule(NODES)[0][-1])
    tau = _tau_quantiles(table, shares, reach, p)
    points = 2 * (table.transform.shape[1] - 1)
    spread = np.zeros((len(joint), points))
    spectrum = np.zeros((len(joint), table.transform.shape[1]), dtype=complex)
    for node, one in enumerate(table.transform):
        spread[:, table.inside] = joint[:, node]
        spectrum += np.fft.rfft(spread, axis=1) * one
    new = np.maximum(np.fft.irfft(spectrum, points, axis=1), 0.0)
    theta = h * (np.arange(points) - points // 2)
    pi = _quantiles(theta, new, p)
    return [
        RatePosterior(
            k=sizes[g],
            mu_mean=float(mu_mean[g]),
            mu_sd=float(mu_sd[g]),
            mu_median=float(mu[g, 0]),
            ci_lower=float(mu[g, 1]),
            ci_upper=float(mu[g, 2]),
            tau_mean=float(tau_mean[g]),
            tau_sd=float(tau_sd[g]),
            tau_median=float(tau[g, 0]),
            tau_ci_lower=float(tau[g, 1]),
            tau_ci_upper=float(tau[g, 2]),
            pi_median=float(pi[g, 0]),
            pi_lower=float(pi[g, 1]),
            pi_upper=float(pi[g, 2]),
            log_marginal=float(evidence[g]),
            tau_prior=tau_prior.label,
            mu_prior=mu_prior.label,
            level=level,
            interval="central",
            remarks=("One study: what is said of tau comes from the priors.",) if sizes[g] == 1 else (),
        )
        for g in range(len(joint))
    ]
