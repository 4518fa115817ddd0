"""Several outcomes of the same trials in one model: log hazard ratios that are normal, responses that are binomial.

A trial's effects theta_i, one per outcome, are N(mu, Sigma) with Sigma = diag(tau) R diag(tau); R has an LKJ prior.
What is normal given Sigma is integrated; only the log odds ratios of response, and the rates of their control arms, are
drawn. Sampling errors of one trial are correlated between outcomes, and between contrasts that share a control arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from igfmeta.bayes.mcmc.counts import observed_counts
from igfmeta.bayes.mcmc.effects import standard_deviation
from igfmeta.bayes.mcmc.joint_checks import add_checks
from igfmeta.bayes.mcmc.joint_data import JointData, JointPriors, Responses, pairs, score
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: What the convergence is judged by.
WATCHED = ("mu", "tau", "correlation")


def correlation_root(pm: Any, size: int, eta: float) -> list[list[Any]]:
    """Return the rows of the Cholesky factor of an LKJ(eta) correlation matrix, in variables of the open model.

    By partial correlations: that of i and j given 1 ... j - 1 is beta(b, b) on (-1, 1) with b = eta + (size - 1 - j)/2,
    j from 1 (Lewandowski, Kurowicka & Joe 2009, J Multivar Anal 100:1989, section 2.4, the C-vine).
    """
    rows: list[list[Any]] = [[1.0]]
    for i in range(1, size):
        row, left = [], 1.0
        for j in range(i):
            b = eta + (size - 2 - j) / 2
            partial = 0.0 if np.isinf(eta) else 2 * pm.Beta(f"partial_{j}_{i}", b, b) - 1
            row.append(partial * left**0.5)
            left = left * (1 - partial**2)
        rows.append([*row, left**0.5])
    return rows


def _correlations(pm: Any, size: int, eta: float) -> list[Any]:
    """Return the correlations of `pairs`."""
    rows = correlation_root(pm, size, eta)
    return [sum(a * b for a, b in zip(rows[i], rows[j], strict=False)) for i, j in pairs(size)]


def _matrix(entries: Any, size: int) -> list[list[Any]]:
    """Return the correlation matrix whose entries for `pairs` are given, as rows."""
    of = dict(zip(pairs(size), entries, strict=True))
    return [[1.0 if i == j else of[min(i, j), max(i, j)] for j in range(size)] for i in range(size)]


def joint_model(data: JointData, priors: JointPriors) -> Any:
    """Return the PyMC model.

    Normal effects given the log odds ratios of response theta_r and the scores z of the responses:
    y ~ N(mu + Sigma_gr / Sigma_rr (theta_r - mu_r) + rho s z, Sigma_g|r o H + R), H the correlation of contrasts of one
    trial and R the covariance of sampling errors given the scores. Where a trial reports no response: N(mu, Sigma_gg o
    H + R).

    References
    ----------
    van Houwelingen, Arends & Stijnen 2002, Stat Med 21:589, section 6 (several outcomes); Riley 2009, J R Stat Soc A
    172:789 (within- and between-study correlation); Papanikos et al. 2022, Stat Med 41:4961 (binomial outcomes).
    """
    pm = load_pymc()
    size = len(data.names)
    names = [f"{data.names[i]}, {data.names[j]}" for i, j in pairs(size)]
    with pm.Model(coords={"outcome": data.names, "pair": names}) as model:
        mu = pm.Normal("mu", 0, np.array(priors.mean_sd), dims="outcome")
        sds = [standard_deviation(pm, f"tau_{i}", prior) for i, prior in enumerate(priors.tau)]
        tau = pm.Deterministic("tau", pm.math.stack(sds), dims="outcome")
        entries = _correlations(pm, size, priors.lkj)
        if correlated(size, priors):
            pm.Deterministic("correlation", pm.math.stack(entries), dims="pair")
        r = pm.math.stack([pm.math.stack([1.0 * x for x in row]) for row in _matrix(entries, size)])
        mean, between = mu[data.outcome], r[data.outcome[:, None], data.outcome[None, :]]
        if data.responses is not None:
            deviation, z, explained = _response_part(pm, data, priors, data.responses, mu, tau)
            of_response = r[data.outcome, data.responses.outcome]
            between = between - explained * of_response[:, None] * of_response[None, :]
            mean = mean + of_response * tau[data.outcome] * deviation + z
        if len(data.y):
            scale = tau[data.outcome]
            same = data.between[np.ix_(data.contrast, data.contrast)]
            between = between * scale[:, None] * scale[None, :] * same
            pm.MvNormal("y", mu=mean, cov=between + data.residual, observed=data.y)
    return model


def correlated(size: int, priors: JointPriors) -> bool:
    """Return whether a model has correlations between trials to estimate."""
    return size > 1 and bool(np.isfinite(priors.lkj))


def _response_part(
    pm: Any, data: JointData, priors: JointPriors, arms: Responses, mu: Any, tau: Any
) -> tuple[Any, Any, Floats]:
    """Add the binomial arms; return what they say of the normal effects.

    Returns
    -------
    deviation : tensor of shape (m,)
        (theta_r - mu_r) / tau_r of the contrast of each normal effect; 0 where its trial reports no response.
    shift : tensor of shape (m,)
        rho s z: the expected sampling error given the responses.
    explained : ndarray of shape (m, 1)
        1 where the trial reports response.
    """
    latent = np.flatnonzero(np.isin(data.trial, data.trial[arms.contrast]))
    place = np.full(len(data.trial), -1, dtype=np.int64)
    place[latent] = np.arange(len(latent))
    root = np.linalg.cholesky(data.between[np.ix_(latent, latent)])
    standard = pm.Normal("z", 0, 1, shape=len(latent))
    deviation = (root * standard[None, :]).sum(axis=1)
    theta = mu[arms.outcome] + tau[arms.outcome] * deviation
    control = pm.Normal("control_logit", 0, priors.control_sd, shape=len(arms.control_n))
    logit = control[arms.control] + theta[place[arms.contrast]]
    share, control_share = arms.shares
    observed_counts(pm, "control_events", arms.control_events, arms.control_n, control, control_share)
    observed_counts(pm, "events", arms.events, arms.n, logit, share)
    scores = score(
        share * arms.events,
        share * arms.n,
        pm.math.sigmoid(logit),
        (control_share * arms.control_events)[arms.control],
        (control_share * arms.control_n)[arms.control],
        pm.math.sigmoid(control)[arms.control],
    )
    row, where = data.response_row, place[data.contrast]
    loading = np.where(row >= 0, arms.correlation * np.sqrt(np.diag(data.covariance)), 0.0)
    shift = loading * scores[np.maximum(row, 0)]
    reported = (where >= 0).astype(float)
    return reported * deviation[np.maximum(where, 0)], shift, reported[:, None]


@dataclass(frozen=True, eq=False)
class Line:
    """Draws of the regression of one outcome's true effects on another's, each of shape (draws,)."""

    slope: Floats
    intercept: Floats
    r2: Floats


@dataclass(frozen=True, eq=False)
class JointPosterior:
    """Draws of a joint model, on the analysis scale.

    Attributes
    ----------
    names : tuple of str
    mu, tau : ndarray of shape (draws, outcomes)
    correlation : ndarray of shape (draws, outcomes, outcomes)
        Between trials.
    new : ndarray of shape (draws, outcomes)
        The true effects of a new trial.
    sampled : Sampled
    """

    names: tuple[str, ...]
    mu: Floats
    tau: Floats
    correlation: Floats
    new: Floats
    sampled: Sampled

    def line(self, on: int, of: int) -> Line:
        """Return the regression of the true effects of outcome `of` on those of outcome `on`.

        slope = rho tau_of / tau_on, intercept = mu_of - slope mu_on, R2 = rho^2 (van Houwelingen, Arends & Stijnen
        2002, Stat Med 21:589, section 6.1; Burzykowski et al. 2001, Appl Stat 50:405, for trial-level surrogacy).
        """
        rho = self.correlation[:, of, on]
        slope = rho * self.tau[:, of] / self.tau[:, on]
        return Line(slope=slope, intercept=self.mu[:, of] - slope * self.mu[:, on], r2=rho**2)


def joint_posterior(data: JointData, priors: JointPriors, plan: Plan | None = None) -> JointPosterior:
    """Draw from the posterior of a joint model.

    Parameters
    ----------
    data : JointData
    priors : JointPriors
        One entry per outcome.
    plan : Plan, optional

    Returns
    -------
    JointPosterior
        The tree of its draws also holds posterior_predictive, log_likelihood, prior and log_prior, see
        `igfmeta.bayes.mcmc.joint_checks.add_checks`.

    Raises
    ------
    InputError
        Priors whose number is not that of the outcomes, or not of the half-t family.
    """
    for what, given in (("mean_sd", priors.mean_sd), ("tau", priors.tau)):
        if len(given) != len(data.names):
            raise InputError(f"{what} has {len(given)} priors; accepted is one for each of {len(data.names)} outcomes.")
    size = len(data.names)
    free = correlated(size, priors)
    sampled = sample(joint_model(data, priors), plan, watch=WATCHED if free else WATCHED[:2])
    mu, tau = (np.asarray(sampled.draws(name)) for name in ("mu", "tau"))
    correlation = np.tile(np.eye(size), (len(mu), 1, 1))
    for at, (i, j) in enumerate(pairs(size) if free else []):
        correlation[:, i, j] = correlation[:, j, i] = sampled.draws("correlation")[:, at]
    rng = np.random.default_rng(sampled.plan.seed)
    standard = np.einsum("nij,nj->ni", np.linalg.cholesky(correlation), rng.normal(size=mu.shape))
    add_checks(sampled, data, priors, correlation, rng)
    return JointPosterior(data.names, mu, tau, correlation, mu + tau * standard, sampled)


def apart(data: JointData) -> JointData:
    """Return the data without correlation between outcomes within studies; contrasts keep that of a shared control.

    With `lkj=inf` in the priors, each outcome is then analysed by itself.
    """
    same = data.outcome[:, None] == data.outcome
    arms = None if data.responses is None else replace(data.responses, correlation=np.zeros(len(data.y)))
    return replace(data, covariance=np.where(same, data.covariance, 0.0), responses=arms)
