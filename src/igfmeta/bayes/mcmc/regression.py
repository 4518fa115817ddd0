"""One-step meta-regression by PyMC: normal effects, binomial arms, study effects normal, t or a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from igfmeta.bayes.components import Factor
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.laplace import checked_counts, checked_share, normal_variance
from igfmeta.bayes.mcmc.binomial import add_one_arm_checks, add_two_arm_checks
from igfmeta.bayes.mcmc.counts import observed_counts
from igfmeta.bayes.mcmc.effects import (
    STUDY_DF,
    STUDY_EFFECTS,
    drawn_posterior,
    loadings,
    standard_deviation,
    standardized,
)
from igfmeta.bayes.mcmc.given_scales import CrossedDraws
from igfmeta.bayes.mcmc.priors import add_priors
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.mcmc.study_scales import mixture_scales, t_scales
from igfmeta.bayes.regression import Moderators
from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, TwoArmCounts
from igfmeta.errors import check_choice
from igfmeta.numerics import Floats

#: What the convergence is judged by.
WATCHED = ("sd", "cells")


@dataclass(frozen=True, eq=False)
class Terms:
    """What every regression has, whatever its likelihood.

    Attributes
    ----------
    moderators : Moderators
    factors : sequence of Factor
        Random effects, one of them named "study".
    weights : ndarray of shape (m, p)
        The combinations of coefficients that are asked for.
    study_effects : {"normal", "t", "mixture"}
    """

    moderators: Moderators
    factors: Sequence[Factor]
    weights: Floats
    study_effects: str = "normal"

    def __post_init__(self) -> None:
        check_choice("study_effects", self.study_effects, STUDY_EFFECTS)


class RegressionModel:
    """A PyMC model with moderators, whose likelihood is to be added.

    Coefficients are R z, so that slopes and the effect at the mean of every column are sampled; effects of factors are
    standard normals times their standard deviation.
    """

    def __init__(self, terms: Terms, *, normal: bool) -> None:
        moderators, factors, weights = terms.moderators, terms.factors, terms.weights
        self.pm = load_pymc()
        coords = {
            "factor": [f.name for f in factors],
            "effect": np.arange(len(moderators.scaled)),
            "cell": np.arange(len(weights)),
        }
        self.model: Any = self.pm.Model(coords=coords)
        with self.model:
            pm = self.pm
            z = pm.Normal("z_coefficient", 0, 1, shape=len(moderators.names))
            self.theta = pm.math.dot(moderators.scaled, z)
            pm.Deterministic("cells", pm.math.dot(weights @ moderators.root, z), dims="cell")
            sds, self.covariance = [], np.zeros((len(moderators.scaled), len(moderators.scaled)))
            for f in factors:
                sd = standard_deviation(pm, f"sd_{f.name}", f.prior)
                sds.append(sd)
                if normal and (f.name != "study" or terms.study_effects == "normal"):
                    self.covariance = self.covariance + sd**2 * f.covariance(f.studies, f.studies)
                    continue
                load = loadings(f, f.studies)
                distribution = terms.study_effects if f.name == "study" else "normal"
                self.theta = self.theta + sd * pm.math.dot(load, standardized(pm, f.name, load.shape[1], distribution))
            pm.Deterministic("sd", pm.math.stack(sds), dims="factor")
            if not normal:
                pm.Deterministic("theta", self.theta, dims="effect")


def normal_regression_model(y: Floats, covariance: Floats, terms: Terms) -> Any:
    """Return the model of normal effects; study effects that are normal are integrated out."""
    made = RegressionModel(terms, normal=True)
    with made.model:
        total = covariance + made.covariance
        made.pm.MvNormal("y", mu=made.theta, cov=total, observed=y, dims="effect")
    return made.model


def binomial_regression_model(events: Floats, n: Floats, terms: Terms, *, share: Floats | None = None) -> Any:
    """Return the model of counts of single arms."""
    events, n = checked_counts(events, n)
    made = RegressionModel(terms, normal=False)
    with made.model:
        observed_counts(made.pm, "events", events, n, made.theta, checked_share(share, len(n)), "effect")
    return made.model


def two_arm_regression_model(counts: TwoArmCounts, terms: Terms) -> Any:
    """Return the model of counts of two arms."""
    made = RegressionModel(terms, normal=False)
    with made.model:
        pm = made.pm
        sd = np.sqrt(normal_variance(BASELINE_PRIOR))
        baseline = pm.Normal("baseline", BASELINE_PRIOR.mean, sd, shape=len(counts.control_n))
        share, control_share = counts.shares
        observed_counts(pm, "control_events", counts.control_events, counts.control_n, baseline, control_share)
        logits = baseline[counts.control] + made.theta
        observed_counts(pm, "events", counts.events, counts.n, logits, share, "effect")
    return made.model


def normal_regression_by_mcmc(
    y: Floats, covariance: Floats, terms: Terms, *, plan: Plan | None = None
) -> tuple[CrossedPosterior, Sampled]:
    """Draw from the posterior of a regression of normal effects.

    Effects and covariance as of `igfmeta.bayes.regression.regression_posterior`.

    Returns
    -------
    CrossedPosterior, Sampled
        The asked-for combinations of coefficients as `cells`, and everything drawn. The tree also holds
        `posterior_predictive` (`y`: random effects and sampling errors anew), `log_likelihood` (`trials`, for
        leave-one-out: of each study given the others; `joint`), prior and log_prior.
    """
    model, moderators = normal_regression_model(y, covariance, terms), terms.moderators
    sampled = sample(model, plan, watch=WATCHED)
    rng = np.random.default_rng(sampled.plan.seed)
    mean = sampled.draws("z_coefficient") @ moderators.scaled.T
    sampled.add("posterior_predictive", y=(_replicated(sampled, mean, covariance, terms, rng), "effect"))
    given = _given_scales(sampled, y, covariance, terms)
    # Of a study given the others: coefficients are integrated, so that it is a small step to leave it out.
    integrated = replace(given, covariance=covariance + moderators.scaled @ moderators.scaled.T)
    sampled.add("log_likelihood", trials=(integrated.log_by_trial(), "trial"), joint=(given.log_density(mean), None))
    return _finished(sampled, terms, rng)


def binomial_regression_by_mcmc(
    events: Floats, n: Floats, terms: Terms, *, share: Floats | None = None, plan: Plan | None = None
) -> tuple[CrossedPosterior, Sampled]:
    """Draw the same of counts of single arms; `share` and the groups of the tree as of `binomial_by_mcmc`."""
    events, n = checked_counts(events, n)
    sampled = sample(binomial_regression_model(events, n, terms, share=share), plan, watch=WATCHED)
    rng = np.random.default_rng(sampled.plan.seed)
    options: dict[str, Any] = {"study_effects": terms.study_effects, "rng": rng}
    add_one_arm_checks(sampled, events, n, terms.factors, share=share, **options)
    return _finished(sampled, terms, rng)


def two_arm_regression_by_mcmc(
    counts: TwoArmCounts, terms: Terms, *, plan: Plan | None = None
) -> tuple[CrossedPosterior, Sampled]:
    """Draw the same of counts of two arms; the groups of the tree as of `two_arm_by_mcmc`."""
    sampled = sample(two_arm_regression_model(counts, terms), plan, watch=WATCHED)
    rng = np.random.default_rng(sampled.plan.seed)
    add_two_arm_checks(sampled, counts, terms.factors, study_effects=terms.study_effects, rng=rng)
    return _finished(sampled, terms, rng)


def _finished(sampled: Sampled, terms: Terms, rng: np.random.Generator) -> tuple[CrossedPosterior, Sampled]:
    """Add prior and log_prior: coefficients are R z, z standard normal."""
    add_priors(sampled, terms.factors, scales=terms.study_effects, rng=rng)
    z = sampled.draws("z_coefficient")
    density = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=1)
    sampled.add("prior", cells=(rng.normal(size=z.shape) @ (terms.weights @ terms.moderators.root).T, "cell"))
    sampled.add("log_prior", coefficients=(density, None))
    return drawn_posterior(sampled, terms.factors, study_effects=terms.study_effects), sampled


def _given_scales(sampled: Sampled, y: Floats, covariance: Floats, terms: Terms) -> CrossedDraws:
    """Return the effects around 0 with the draws of what makes them differ."""
    sds = sampled.draws("sd")
    made = CrossedDraws(y, covariance, terms.factors, np.zeros((0, 0)), np.zeros(len(sds)), sds, flat=False)
    if terms.study_effects == "normal":
        return made
    if terms.study_effects == "t":
        scales = t_scales(np.full(len(sds), STUDY_DF))
    else:
        scales = mixture_scales(sampled.draws("outlying_share"), sampled.draws("outlying_spread"))
    return replace(made, own=sds[:, [made.place]] * sampled.draws("z_study"), scales=scales)


def _replicated(sampled: Sampled, mean: Floats, covariance: Floats, terms: Terms, rng: np.random.Generator) -> Floats:
    """Return effects of the same designs, shape (draws, k): a study is not excused by its own effect."""
    given = _given_scales(sampled, mean[0], covariance, terms)
    out = mean + rng.normal(size=mean.shape) @ np.linalg.cholesky(covariance).T
    for i, f in enumerate(terms.factors):
        load = loadings(f, f.studies)
        z = rng.normal(size=(len(mean), load.shape[1]))
        if i == given.place and given.scales is not None:
            z *= np.sqrt(np.stack([given.scales.draw(rng) for _ in range(z.shape[1])], axis=1))
        out += given.sds[:, [i]] * (z @ load.T)
    return out
