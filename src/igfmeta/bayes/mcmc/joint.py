"""Several outcomes of the same trials in one model: log hazard ratios that are normal, responses that are binomial.

A trial's effects theta_i, one per outcome, are N(mu, Sigma) with Sigma = diag(tau) R diag(tau); R has an LKJ prior.
What is normal given Sigma is integrated; only the log odds ratios of response, and the rates of their control arms, are
drawn. Sampling errors of one trial are correlated between outcomes, and between contrasts that share a control arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from igfmeta.bayes.components import Codes
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Share of the variance between trials that contrasts of one trial have in common: they share the effect of its
#: control arm (Higgins & Whitehead 1996, Stat Med 15:2733, section 4).
SHARED = 0.5

#: What the convergence is judged by.
WATCHED = ("mu", "tau", "correlation")


@dataclass(frozen=True, eq=False)
class Responses:
    """The arms of the outcome that is counted.

    Attributes
    ----------
    outcome : int
        Its place among the outcomes.
    contrast : ndarray of int of shape (r,)
        The contrast that each experimental arm belongs to.
    events, n : ndarray of shape (r,)
        Of the experimental arms.
    control : ndarray of int of shape (r,)
        The control arm of each.
    control_events, control_n : ndarray of shape (c,)
        Of the control arms, each once.
    correlation : ndarray of shape (m,)
        Of each normal effect's sampling error with that of the log odds ratio of response of the same contrast; ignored
        where that was not reported.
    """

    outcome: int
    contrast: Codes
    events: Floats
    n: Floats
    control: Codes
    control_events: Floats
    control_n: Floats
    correlation: Floats


@dataclass(frozen=True, eq=False)
class JointData:
    """Effects of several outcomes.

    Attributes
    ----------
    names : tuple of str
        The outcomes.
    y : ndarray of shape (m,)
        Effects whose sampling error is normal, on the analysis scale.
    covariance : ndarray of shape (m, m)
        Of their sampling errors: across outcomes, and across contrasts that share a control arm.
    outcome, contrast : ndarray of int of shape (m,)
        Which outcome of which contrast each effect is.
    trial : ndarray of int of shape (contrasts,)
        The trial of each contrast.
    responses : Responses or None
    """

    names: tuple[str, ...]
    y: Floats
    covariance: Floats
    outcome: Codes
    contrast: Codes
    trial: Codes
    responses: Responses | None = None

    def __post_init__(self) -> None:
        if len(self.y) and np.linalg.eigvalsh(self.residual)[0] <= 0:
            raise InputError(
                "The covariance of the sampling errors is not positive definite: the correlations assumed within "
                "studies cannot hold together, or a shared control arm explains more than the whole variance. "
                "Use weaker within-study correlations."
            )

    @cached_property
    def between(self) -> Floats:
        """Correlation of the true effects of contrasts, shape (contrasts, contrasts): 1, `SHARED`, or 0."""
        return together(self.trial)

    @cached_property
    def residual(self) -> Floats:
        """Covariance of the sampling errors given the scores of response, shape (m, m): V - B K B'.

        B = diag(correlation x standard error), and K the correlation of the scores: with weights in proportion to the
        patients, sqrt(n_a n_b / ((n_0 + n_a)(n_0 + n_b))) for two contrasts with one control arm.
        """
        r = self.responses
        if r is None:
            return self.covariance
        n0 = r.control_n[r.control]
        part = np.sqrt(r.n / (n0 + r.n))
        k = np.where(r.control[:, None] == r.control, np.outer(part, part), 0.0)
        np.fill_diagonal(k, 1.0)
        b = np.where(self.response_row >= 0, r.correlation * np.sqrt(np.diag(self.covariance)), 0.0)
        rows = np.maximum(self.response_row, 0)
        return np.asarray(self.covariance - np.outer(b, b) * k[np.ix_(rows, rows)])

    @cached_property
    def response_row(self) -> Codes:
        """The row of `responses` of each normal effect's contrast, shape (m,); -1 where response was not reported."""
        assert self.responses is not None
        rows = np.full(len(self.trial), -1, dtype=np.int64)
        rows[self.responses.contrast] = np.arange(len(self.responses.contrast))
        return rows[self.contrast]


@dataclass(frozen=True, eq=False)
class JointPriors:
    """Priors, one entry per outcome.

    Attributes
    ----------
    mean_sd : tuple of float
        The mean effects are normal around 0 with these standard deviations.
    tau : tuple of TauPrior
        Of the standard deviations between trials: half-normal, half-t or half-Cauchy.
    lkj : float
        eta of the LKJ prior of the correlations; 1 is uniform over correlation matrices, inf sets them to 0.
    control_sd : float
        The logits of the control arms' rates are normal around 0 with this standard deviation.
    """

    mean_sd: tuple[float, ...]
    tau: tuple[TauPrior, ...]
    lkj: float = 2.0
    control_sd: float = 2.0

    def __post_init__(self) -> None:
        if not self.lkj > 0:
            raise InputError(f"The parameter of the LKJ prior was {self.lkj!r}; accepted is a number above 0.")


def together(trial: Codes) -> Floats:
    """Return the correlation of the true effects of contrasts: `SHARED` within a trial.

    Examples
    --------
    >>> together(np.array([0, 0, 1])).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    same = trial[:, None] == trial
    return np.asarray(SHARED * same + (1 - SHARED) * np.eye(len(trial)))


def standard_deviation(pm: Any, name: str, prior: TauPrior) -> Any:
    """Return a standard deviation with a half-normal, half-t or half-Cauchy prior, as a variable of the open model."""
    if prior.df is None:
        raise InputError(
            f"The prior {prior.label} of a standard deviation cannot be used here; accepted are half-normal(scale), "
            "half-t(scale, df) and half-cauchy(scale)."
        )
    if np.isinf(prior.df):
        return pm.HalfNormal(name, sigma=prior.scale)
    return pm.HalfStudentT(name, nu=prior.df, sigma=prior.scale)


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


def pairs(size: int) -> list[tuple[int, int]]:
    """Return the pairs of outcomes: (0, 1), (0, 2), (1, 2) of three."""
    return list(combinations(range(size), 2))


def score(events: Any, n: Any, p: Any, control_events: Any, control_n: Any, control_p: Any) -> Any:
    """Return the standardized efficient score of log odds ratios: mean 0 and variance 1 at any sample size.

    With w = n p (1 - p) of each arm: ((x_1 - n_1 p_1) w_0 - (x_0 - n_0 p_0) w_1) / sqrt(w_0 w_1 (w_0 + w_1)). Near it
    lies, in large samples, the error of the estimated log odds ratio divided by its standard error; unlike that it is
    defined for arms without an event (Whitehead 1997, The design and analysis of sequential clinical trials, chapter
    3, for efficient scores with a nuisance parameter).

    Examples
    --------
    >>> round(float(score(8.0, 20.0, 0.4, 6.0, 20.0, 0.3)), 12)
    0.0
    """
    w1, w0 = n * p * (1 - p), control_n * control_p * (1 - control_p)
    return ((events - n * p) * w0 - (control_events - control_n * control_p) * w1) / (w0 * w1 * (w0 + w1)) ** 0.5


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
    pm.Binomial("control_events", n=arms.control_n, logit_p=control, observed=arms.control_events)
    pm.Binomial("events", n=arms.n, logit_p=logit, observed=arms.events)
    scores = score(
        arms.events,
        arms.n,
        pm.math.sigmoid(logit),
        arms.control_events[arms.control],
        arms.control_n[arms.control],
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
    return JointPosterior(data.names, mu, tau, correlation, mu + tau * standard, sampled)


def apart(data: JointData) -> JointData:
    """Return the data without correlation between outcomes within studies; contrasts keep that of a shared control.

    With `lkj=inf` in the priors, each outcome is then analysed by itself.
    """
    same = data.outcome[:, None] == data.outcome
    arms = None if data.responses is None else replace(data.responses, correlation=np.zeros(len(data.y)))
    return replace(data, covariance=np.where(same, data.covariance, 0.0), responses=arms)
