"""Draws of a joint model examined: the likelihood of each trial, replications, the density of the priors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy import special

from igfmeta.bayes.components import Codes, prior_quantile
from igfmeta.bayes.mcmc.counts import log_binomial
from igfmeta.bayes.mcmc.joint_data import JointData, JointPriors, Responses, score
from igfmeta.bayes.mcmc.sampling import Sampled
from igfmeta.numerics import Floats

#: Points of the Gauss-Hermite rule along each of so many dimensions; of more, the last.
NODES = (21, 13, 9, 5)

#: Steps of Fisher scoring to where the integrand is highest, and the longest step, in logits.
STEPS, LONGEST = 12, 2.0

#: Draws whose likelihood is integrated at once.
CHUNK = 250


@dataclass(frozen=True, eq=False)
class Given:
    """Draws of what all trials have in common: means, standard deviations (draws, outcomes), correlations."""

    mu: Floats
    tau: Floats
    correlation: Floats

    def __getitem__(self, part: slice) -> Given:
        return Given(self.mu[part], self.tau[part], self.correlation[part])


class Unit:
    """Contrasts that are independent of all others, with what is not observed of them: u = (z, control logits).

    z are standard normals; roots of the correlation of contrasts times z, times tau, are what the effects on response
    differ by from their mean. Events x and patients n are those that count: the share q of each arm.
    """

    def __init__(self, data: JointData, contrasts: Codes) -> None:
        self.rows = np.flatnonzero(np.isin(data.contrast, contrasts))
        self.y, self.outcome = data.y[self.rows], data.outcome[self.rows]
        own = data.contrast[self.rows]
        self.same = data.between[np.ix_(own, own)]
        self.residual = data.residual[np.ix_(self.rows, self.rows)]
        self.arms: Responses | None = None
        self.loading = np.zeros(len(self.rows))
        self.reported = np.zeros(len(self.rows))
        self.latent: Codes = np.zeros(0, dtype=np.int64)
        self.controls: Codes = np.zeros(0, dtype=np.int64)
        if data.responses is not None and np.isin(data.responses.contrast, contrasts).any():
            self._add_responses(data, data.responses, contrasts, own)

    def _add_responses(self, data: JointData, arms: Responses, contrasts: Codes, own: Codes) -> None:
        answered = np.flatnonzero(np.isin(arms.contrast, contrasts))
        known = np.isin(data.trial, data.trial[arms.contrast])
        self.arms, self.of = arms, arms.outcome
        self.latent = np.array([c for c in contrasts if known[c]], dtype=np.int64)
        self.controls, self.control = np.unique(arms.control[answered], return_inverse=True)
        share, control_share = arms.shares
        self.q1, self.q0 = share[answered], control_share[self.controls]
        self.x1, self.n1 = self.q1 * arms.events[answered], self.q1 * arms.n[answered]
        self.x0, self.n0 = self.q0 * arms.control_events[self.controls], self.q0 * arms.control_n[self.controls]
        place = {int(c): i for i, c in enumerate(self.latent)}
        root = np.linalg.cholesky(data.between[np.ix_(self.latent, self.latent)])
        self.of_arms = root[[place[int(c)] for c in arms.contrast[answered]]]
        self.reported = known[own].astype(float)
        self.of_rows = self.reported[:, None] * root[[place.get(int(c), 0) for c in own]]
        row = data.response_row[self.rows]
        arm = {int(a): i for i, a in enumerate(answered)}
        self.arm = np.array([arm.get(int(r), 0) for r in row], dtype=np.int64)
        errors = np.sqrt(np.diag(data.covariance)[self.rows])
        self.loading = np.where(row >= 0, arms.correlation[self.rows] * errors, 0.0)

    @cached_property
    def size(self) -> int:
        """How many values are not observed."""
        return len(self.latent) + len(self.controls)

    def covariance(self, given: Given) -> Floats:
        """Return the covariance of the normal effects given u, shape (draws, m, m)."""
        r = given.correlation[:, self.outcome[:, None], self.outcome]
        if self.arms is not None:
            along = given.correlation[:, self.outcome, self.of] * self.reported
            r = r - along[:, :, None] * along[:, None, :]
        tau = given.tau[:, self.outcome]
        return np.asarray(r * tau[:, :, None] * tau[:, None, :] * self.same + self.residual)

    def logits(self, given: Given, u: Floats) -> tuple[Floats, Floats]:
        """Return the logits of experimental and control arms; u and they of shape (draws, points, ...)."""
        z, control = u[..., : len(self.latent)], u[..., len(self.latent) :]
        mu, tau = given.mu[:, self.of, None, None], given.tau[:, self.of, None, None]
        return control[..., self.control] + mu + tau * (z @ self.of_arms.T), control

    def mean(self, given: Given, u: Floats, x1: Floats, x0: Floats) -> Floats:
        """Return the mean of the normal effects given u and the responses, shape (draws, points, m)."""
        mean = given.mu[:, None, self.outcome]
        if self.arms is None:
            return np.asarray(mean)
        one, control = self.logits(given, u)
        p1, p0 = special.expit(one), special.expit(control)[..., self.control]
        scores = score(x1, self.n1, p1, x0[..., self.control], self.n0[self.control], p0)
        along = given.correlation[:, self.outcome, self.of] * given.tau[:, self.outcome]
        shift = along[:, None, :] * (u[..., : len(self.latent)] @ self.of_rows.T)
        return np.asarray(mean + shift + self.loading * scores[..., self.arm])

    def log_likelihood(self, given: Given, u: Floats) -> Floats:
        """Return log p(effects, counts | u), shape (draws, points)."""
        out = np.zeros(u.shape[:2])
        x1 = x0 = np.zeros(0)
        if self.arms is not None:
            x1, x0 = self.x1, self.x0
            one, control = self.logits(given, u)
            for q, x, n, logit in ((self.q1, x1, self.n1, one), (self.q0, x0, self.n0, control)):
                out += (q * log_binomial(x / q, n / q, logit)).sum(axis=-1)
        if len(self.y):
            root = np.linalg.cholesky(self.covariance(given))
            off = self.y - self.mean(given, u, x1, x0)
            white = np.linalg.solve(root, np.swapaxes(off, 1, 2))
            out -= 0.5 * (white**2).sum(axis=1) + 0.5 * len(self.y) * np.log(2 * np.pi)
            out -= np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)[:, None]
        return out

    def precision(self, control_sd: float) -> Floats:
        """Return the prior precision of each of u."""
        return np.repeat([1.0, control_sd**-2], [len(self.latent), len(self.controls)])

    def centre(self, given: Given, control_sd: float) -> tuple[Floats, Floats]:
        """Return about where p(effects, counts, u) is highest in u, and the information there, by Fisher scoring.

        The score has derivative -1 over the standard error of the log odds ratio along that, and 0 along the logit of
        the control arm, in expectation.
        """
        d, prior, n = len(given.mu), self.precision(control_sd), len(self.latent)
        u = np.zeros((d, self.size))
        u[:, n:] = np.log((self.x0 + 0.5) / (self.n0 - self.x0 + 0.5))
        tau = given.tau[:, self.of, None, None]
        own_control = np.eye(len(self.controls))[self.control]
        to_one = np.concatenate([tau * self.of_arms, np.tile(own_control, (d, 1, 1))], axis=2)
        to_control = np.eye(self.size)[n:]
        along = (given.correlation[:, self.outcome, self.of] * given.tau[:, self.outcome])[:, :, None]
        inverse = np.linalg.inv(self.covariance(given))
        for step in range(STEPS + 1):
            one, control = (x[:, 0] for x in self.logits(given, u[:, None]))
            p1, p0 = special.expit(one), special.expit(control)
            w1, w0 = self.n1 * p1 * (1 - p1), self.n0 * p0 * (1 - p0)
            steep = np.sqrt(w1 * w0[:, self.control] / (w1 + w0[:, self.control]))
            to_rows = np.zeros((d, len(self.y), self.size))
            if len(self.y):
                falls = (self.loading * steep[:, self.arm])[:, :, None] * tau * self.of_arms[self.arm]
                to_rows[:, :, :n] = along * self.of_rows - falls
            pulled = np.swapaxes(to_rows, 1, 2) @ inverse
            information = np.diag(prior) + (np.swapaxes(to_one, 1, 2) * w1[:, None, :]) @ to_one
            information = information + (to_control.T * w0[:, None, :]) @ to_control + pulled @ to_rows
            if step == STEPS:
                break
            off = self.y - self.mean(given, u[:, None], self.x1, self.x0)[:, 0]
            slope = -prior * u + ((self.x1 - self.n1 * p1)[:, None, :] @ to_one)[:, 0]
            slope = slope + (self.x0 - self.n0 * p0) @ to_control + (pulled @ off[..., None])[..., 0]
            move = np.linalg.solve(information, slope[..., None])[..., 0]
            longest = np.abs(np.concatenate([(to_one @ move[..., None])[..., 0], move[:, n:]], axis=1)).max(axis=1)
            u = u + move * np.minimum(1.0, LONGEST / np.maximum(longest, 1e-300))[:, None]
        return u, information

    def log_marginal(self, given: Given, control_sd: float) -> Floats:
        """Return log p(effects, counts) with u integrated out, shape (draws,).

        By Gauss-Hermite rules centred and scaled by `centre` (Liu & Pierce 1994, Biometrika 81:624).
        """
        if self.arms is None:
            return self.log_likelihood(given, np.zeros((len(given.mu), 1, 0)))[:, 0]
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES[min(self.size, len(NODES)) - 1])
        x = np.array(list(product(nodes, repeat=self.size)))
        log_weights = np.array(list(product(np.log(weights), repeat=self.size))).sum(axis=1) + 0.5 * (x**2).sum(axis=1)
        prior = self.precision(control_sd)
        constant = 0.5 * (np.log(prior) - np.log(2 * np.pi)).sum()
        out = []
        for i in range(0, len(given.mu), CHUNK):
            part = given[i : i + CHUNK]
            middle, information = self.centre(part, control_sd)
            root = np.linalg.cholesky(information)
            u = middle[:, None] + np.swapaxes(np.linalg.solve(np.swapaxes(root, 1, 2), x.T), 1, 2)
            logs = self.log_likelihood(part, u) - 0.5 * (prior * u**2).sum(axis=-1) + constant + log_weights
            scale = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
            out.append(special.logsumexp(logs, axis=1) - scale)
        return np.concatenate(out)


def log_by_unit(data: JointData, given: Given, control_sd: float) -> Floats:
    """Return the log likelihood of each unit of `JointData.units` given means and covariance, shape (draws, units).

    True effects and logits of control arms are integrated out: with the effects of the very trial in it, leaving a
    trial out is too large a step for importance sampling (Merkle, Furr & Rabe-Hesketh 2019, Psychometrika 84:802).
    """
    each = [Unit(data, np.flatnonzero(data.units == unit)) for unit in range(data.units.max() + 1)]
    return np.stack([unit.log_marginal(given, control_sd) for unit in each], axis=1)


def add_checks(
    sampled: Sampled, data: JointData, priors: JointPriors, correlation: Floats, rng: np.random.Generator
) -> None:
    """Add to the tree what is not drawn by PyMC.

    Groups posterior_predictive (`y`, `events`, `control_events`: effects of trials and sampling errors anew, rates of
    control arms those drawn), log_likelihood (`trials`, for leave-one-out; `joint`, given all that was drawn), prior
    and log_prior of `mu`, `tau`, the correlations (density of the LKJ prior, up to a constant) and control arms.
    """
    given = Given(sampled.draws("mu"), sampled.draws("tau"), correlation)
    everything = Unit(data, np.arange(len(data.trial)))
    control = sampled.draws("control_logit") if everything.arms is not None else np.zeros((len(correlation), 0))
    drawn = np.concatenate([sampled.draws("z"), control], axis=1) if everything.arms is not None else control
    anew = np.concatenate([rng.normal(size=(len(drawn), len(everything.latent))), control], axis=1)
    replicated = _replicated(everything, given, anew, rng)
    sampled.add("posterior_predictive", **replicated)
    joint = everything.log_likelihood(given, drawn[:, None])
    trials = log_by_unit(data, given, priors.control_sd)
    sampled.add("log_likelihood", trials=(trials, "trial"), joint=(joint[:, 0], None))
    _add_priors(sampled, priors, given, control, rng)


def _replicated(unit: Unit, given: Given, u: Floats, rng: np.random.Generator) -> dict[str, tuple[Floats, str]]:
    x1 = x0 = np.zeros((len(u), 1, 0))
    out: dict[str, tuple[Floats, str]] = {}
    if unit.arms is not None:
        one, control = (special.expit(logit) for logit in unit.logits(given, u[:, None]))
        n1, n0 = (np.rint(n / q).astype(int) for n, q in ((unit.n1, unit.q1), (unit.n0, unit.q0)))
        x1, x0 = rng.binomial(n1, one), rng.binomial(n0, control)
        out = {"events": (x1[:, 0], "arm"), "control_events": (x0[:, 0], "control")}
        x1, x0 = unit.q1 * x1, unit.q0 * x0
    if len(unit.y):
        errors = np.linalg.cholesky(unit.covariance(given)) @ rng.normal(size=(len(u), len(unit.y), 1))
        out["y"] = (unit.mean(given, u[:, None], x1, x0)[:, 0] + errors[..., 0], "effect")
    return out


def _add_priors(sampled: Sampled, priors: JointPriors, given: Given, control: Floats, rng: np.random.Generator) -> None:
    sds, n, nothing = np.array(priors.mean_sd), len(given.mu), np.zeros((1, 1))
    densities = [p.log_density(t, nothing) for p, t in zip(priors.tau, given.tau.T, strict=True)]
    tau = np.stack([prior_quantile(p, rng.random(n)) for p in priors.tau], axis=1)
    mu = -0.5 * ((given.mu / sds) ** 2 + np.log(2 * np.pi * sds**2))
    sampled.add("prior", mu=(sds * rng.normal(size=given.mu.shape), "outcome"), tau=(tau, "outcome"))
    sampled.add("log_prior", mu=(mu, "outcome"), tau=(np.stack(densities, axis=1), "outcome"))
    if np.isfinite(priors.lkj) and given.mu.shape[1] > 1:
        lkj = (priors.lkj - 1) * np.linalg.slogdet(given.correlation)[1]
        sampled.add("log_prior", correlation=(lkj, None))
    if control.shape[1]:
        rates = -0.5 * ((control / priors.control_sd) ** 2 + np.log(2 * np.pi * priors.control_sd**2))
        sampled.add("log_prior", control_logit=(rates, "control"))
