"""Binomial counts in a hierarchy of crossed effects, drawn by PyMC; what a study's counts are likely without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.components import Codes, Factor
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.laplace import RATE_PRIOR, checked_counts, checked_share, normal_variance
from igfmeta.bayes.mcmc.counts import log_binomial, observed_counts, replicated
from igfmeta.bayes.mcmc.effects import STUDY_DF, WATCHED, crossed_effects, drawn_posterior
from igfmeta.bayes.mcmc.priors import add_priors
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.mu_priors import MuPrior
from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, EFFECT_PRIOR, TwoArmCounts
from igfmeta.numerics import Floats

#: Points at which the effect of a study, in units of its sd, is integrated: sinh of an even grid, so that the tails of
#: t and mixture are reached; and the reach of that grid.
EFFECT_POINTS, EFFECT_REACH = 91, 4.5

#: Points at which a baseline is integrated, and how many standard errors of its logit they reach.
BASELINE_POINTS, BASELINE_REACH = 49, 6.0

#: Draws whose likelihood is integrated at once.
CHUNK = 500


def binomial_model(
    events: Floats,
    n: Floats,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    mu_prior: MuPrior = RATE_PRIOR,
    share: Floats | None = None,
    study_effects: str = "normal",
) -> Any:
    """Return the PyMC model of `igfmeta.bayes.laplace.binomial_posterior`, or the same with other study effects."""
    events, n = checked_counts(events, n)
    pm = load_pymc()
    with pm.Model() as model:
        mu = pm.Normal("mu", mu_prior.mean, np.sqrt(normal_variance(mu_prior)))
        theta = crossed_effects(factors, weights, mu, study_effects=study_effects)
        observed_counts(pm, "events", events, n, theta, checked_share(share, len(n)), "effect")
    return model


def two_arm_model(
    counts: TwoArmCounts,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    mu_prior: MuPrior = EFFECT_PRIOR,
    baseline_prior: MuPrior = BASELINE_PRIOR,
    study_effects: str = "normal",
) -> Any:
    """Return the PyMC model of `igfmeta.bayes.two_arm_counts.two_arm_posterior`, or with other study effects."""
    pm = load_pymc()
    share, control_share = counts.shares
    with pm.Model(coords={"control": np.arange(len(counts.control_n))}) as model:
        mu = pm.Normal("mu", mu_prior.mean, np.sqrt(normal_variance(mu_prior)))
        sd = np.sqrt(normal_variance(baseline_prior))
        baseline = pm.Normal("baseline", baseline_prior.mean, sd, dims="control")
        theta = crossed_effects(factors, weights, mu, study_effects=study_effects)
        controls = counts.control_events, counts.control_n
        observed_counts(pm, "control_events", *controls, baseline, control_share, "control")
        logits = baseline[counts.control] + theta
        observed_counts(pm, "events", counts.events, counts.n, logits, share, "effect")
    return model


def binomial_by_mcmc(
    events: Floats,
    n: Floats,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    mu_prior: MuPrior = RATE_PRIOR,
    share: Floats | None = None,
    study_effects: str = "normal",
    plan: Plan | None = None,
) -> tuple[CrossedPosterior, Sampled]:
    """Draw from the posterior of rates on the logit scale.

    Parameters
    ----------
    events, n : ndarray of shape (k,)
        Events and patients of each arm.
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for, as of `Kernels.combined`.
    mu_prior : MuPrior
        Of the overall mean, on the logit scale; normal.
    share : ndarray of shape (k,), optional
        Power of the likelihood of each arm, as of `igfmeta.bayes.laplace.binomial_posterior`.
    study_effects : {"normal", "t", "mixture"}
    plan : Plan, optional

    Returns
    -------
    CrossedPosterior, Sampled
        The draws of the cells, and everything drawn. The tree also holds `posterior_predictive` (events of the same
        arms, drawn anew), `log_likelihood` (of each trial, its study effect integrated out: for leave-one-out), prior
        and log_prior of standard deviations and mean.

    Raises
    ------
    InputError
        Counts that are none, or an option that is not accepted.
    """
    events, n = checked_counts(events, n)
    model = binomial_model(events, n, factors, weights, mu_prior=mu_prior, share=share, study_effects=study_effects)
    sampled = sample(model, plan, watch=WATCHED)
    rng = np.random.default_rng(sampled.plan.seed)
    add_one_arm_checks(sampled, events, n, factors, share=share, study_effects=study_effects, rng=rng)
    add_priors(sampled, factors, scales=study_effects, rng=rng, means={"mu": mu_prior})
    return drawn_posterior(sampled, factors, study_effects=study_effects), sampled


def two_arm_by_mcmc(
    events1: Floats,
    n1: Floats,
    events0: Floats,
    n0: Floats,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    control: Sequence[int] | Codes,
    mu_prior: MuPrior = EFFECT_PRIOR,
    baseline_prior: MuPrior = BASELINE_PRIOR,
    share: Floats | None = None,
    study_effects: str = "normal",
    plan: Plan | None = None,
) -> tuple[CrossedPosterior, Sampled]:
    """Draw from the posterior of log odds ratios; arguments as of `two_arm_posterior`, results of `binomial_by_mcmc`.

    In `log_likelihood` the baselines are integrated out as well as the study effects.
    """
    counts = TwoArmCounts.of(events1, n1, events0, n0, control, share=share)
    model = two_arm_model(
        counts, factors, weights, mu_prior=mu_prior, baseline_prior=baseline_prior, study_effects=study_effects
    )
    sampled = sample(model, plan, watch=WATCHED)
    rng = np.random.default_rng(sampled.plan.seed)
    add_two_arm_checks(sampled, counts, factors, study_effects=study_effects, baseline_prior=baseline_prior, rng=rng)
    add_priors(sampled, factors, scales=study_effects, rng=rng, means={"mu": mu_prior})
    return drawn_posterior(sampled, factors, study_effects=study_effects), sampled


def add_one_arm_checks(
    sampled: Sampled, events: Floats, n: Floats, factors: Sequence[Factor], *, share: Floats | None = None,
    study_effects: str, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add replicated events and the log likelihood of each trial to draws of the logits `theta` of single arms."""
    sampled.add("posterior_predictive", events=(replicated(rng, n, sampled.draws("theta")), "effect"))
    powers = checked_share(share, len(n))

    def likelihood(arms: Codes, logits: Floats) -> Floats:
        each = (powers[i] * log_binomial(events[i], n[i], x) for i, x in zip(arms, logits, strict=True))
        return np.asarray(sum(each))

    sampled.add("log_likelihood", counts=(_by_trial(sampled, factors, study_effects, likelihood), "trial"))


def add_two_arm_checks(
    sampled: Sampled, counts: TwoArmCounts, factors: Sequence[Factor], *, study_effects: str,
    baseline_prior: MuPrior = BASELINE_PRIOR, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add the same to draws of log odds ratios `theta` and of the logits of the control arms, `baseline`."""
    baseline = sampled.draws("baseline")
    logits = baseline[:, counts.control] + sampled.draws("theta")
    sampled.add("posterior_predictive", events=(replicated(rng, counts.n, logits), "effect"))
    sampled.add("posterior_predictive", control_events=(replicated(rng, counts.control_n, baseline), "control"))

    def likelihood(arms: Codes, effects: Floats) -> Floats:
        return _with_baselines(counts, arms, effects, baseline_prior)

    sampled.add("log_likelihood", counts=(_by_trial(sampled, factors, study_effects, likelihood), "trial"))


def _effect_points(sampled: Sampled, study_effects: str) -> tuple[Floats, Floats]:
    """Return values of a study effect with unit scale, and their log weights of shape (draws or 1, points)."""
    grid = np.linspace(-EFFECT_REACH, EFFECT_REACH, EFFECT_POINTS)
    u = np.sinh(grid)
    if study_effects == "t":
        density = -0.5 * (STUDY_DF + 1) * np.log1p(u**2 / STUDY_DF)[None]
    elif study_effects == "mixture":
        share, spread = (sampled.draws(name)[:, None] for name in ("outlying_share", "outlying_spread"))
        density = np.logaddexp(np.log1p(-share) - 0.5 * u**2, np.log(share) - np.log(spread) - 0.5 * (u / spread) ** 2)
    else:
        density = -0.5 * u[None] ** 2
    weights = density + np.log(np.cosh(grid))
    return u, weights - special.logsumexp(weights, axis=1, keepdims=True)


def _by_trial(
    sampled: Sampled, factors: Sequence[Factor], study_effects: str, likelihood: Callable[[Codes, Floats], Floats]
) -> Floats:
    """Return the log likelihood of each trial with its study effect integrated out, shape (draws, trials).

    With the effect of the very study in it, leaving a study out is too large a step for importance sampling
    (Merkle, Furr & Rabe-Hesketh 2019, Psychometrika 84:802).
    """
    place = [f.name for f in factors].index("study")
    levels = factors[place].studies[:, 0]
    sd, effects = sampled.draws("sd")[:, place], sampled.draws("z_study")
    rest = sampled.draws("theta") - sd[:, None] * effects[:, levels]
    u, log_weights = _effect_points(sampled, study_effects)
    log_weights = np.broadcast_to(log_weights, (len(sd), len(u)))
    out = np.empty((len(sd), factors[place].shape[0]))
    for i in range(0, len(sd), CHUNK):
        part = slice(i, i + CHUNK)
        added = sd[part, None] * u
        for trial in range(out.shape[1]):
            arms = np.flatnonzero(levels == trial)
            logits = np.stack([rest[part, arm, None] + added for arm in arms])
            out[part, trial] = special.logsumexp(likelihood(arms, logits) + log_weights[part], axis=1)
    return out


def _with_baselines(counts: TwoArmCounts, arms: Codes, effects: Floats, prior: MuPrior) -> Floats:
    """Return the log likelihood of contrasts at given effects, shape (arms, ...), their baselines integrated out."""
    total = np.zeros(effects.shape[1:])
    share, control_share = counts.shares
    for control in np.unique(counts.control[arms]):
        y, n = counts.control_events[control], counts.control_n[control]
        middle, error = np.log((y + 0.5) / (n - y + 0.5)), np.sqrt(1 / (y + 0.5) + 1 / (n - y + 0.5))
        points = middle + error * np.linspace(-BASELINE_REACH, BASELINE_REACH, BASELINE_POINTS)
        own = control_share[control] * log_binomial(y, n, points)
        own -= 0.5 * (points - prior.mean) ** 2 / normal_variance(prior)
        own += np.log(points[1] - points[0]) - 0.5 * np.log(2 * np.pi * normal_variance(prior))
        those = [(i, arm) for i, arm in enumerate(arms) if counts.control[arm] == control]
        integral = np.full(effects.shape[1:], -np.inf)
        for b, weight in zip(points, own, strict=True):
            each = sum(share[arm] * log_binomial(counts.events[arm], counts.n[arm], b + effects[i]) for i, arm in those)
            integral = np.logaddexp(integral, weight + each)
        total += integral
    return total
