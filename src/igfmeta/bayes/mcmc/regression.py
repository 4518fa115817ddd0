"""One-step meta-regression by PyMC: normal effects, binomial arms, study effects normal, t or a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.bayes.components import Factor
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.laplace import checked_counts, normal_variance
from igfmeta.bayes.mcmc.effects import (
    STUDY_EFFECTS,
    drawn_posterior,
    loadings,
    standard_deviation,
    standardized,
)
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.regression import Moderators
from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, TwoArmCounts
from igfmeta.errors import check_choice
from igfmeta.numerics import Floats

#: What the convergence is judged by.
WATCHED = ("sd", "cells")


class RegressionModel:
    """A PyMC model with moderators, whose likelihood is to be added.

    Coefficients are R z, so that slopes and the effect at the mean of every column are sampled; effects of factors are
    standard normals times their standard deviation.
    """

    def __init__(
        self, moderators: Moderators, factors: Sequence[Factor], weights: Floats, study_effects: str, *, normal: bool
    ) -> None:
        study_effects = check_choice("study_effects", study_effects, STUDY_EFFECTS)
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
                sd = standard_deviation(pm, f.name, f.prior)
                sds.append(sd)
                if normal and (f.name != "study" or study_effects == "normal"):
                    self.covariance = self.covariance + sd**2 * f.covariance(f.studies, f.studies)
                    continue
                load = loadings(f, f.studies)
                distribution = study_effects if f.name == "study" else "normal"
                self.theta = self.theta + sd * pm.math.dot(load, standardized(pm, f.name, load.shape[1], distribution))
            pm.Deterministic("sd", pm.math.stack(sds), dims="factor")


def normal_regression_model(
    y: Floats,
    covariance: Floats,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    study_effects: str = "normal",
) -> Any:
    """Return the model of normal effects; study effects that are normal are integrated out."""
    made = RegressionModel(moderators, factors, weights, study_effects, normal=True)
    with made.model:
        total = covariance + made.covariance
        made.pm.MvNormal("y", mu=made.theta, cov=total, observed=y, dims="effect")
    return made.model


def binomial_regression_model(
    events: Floats,
    n: Floats,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    study_effects: str = "normal",
) -> Any:
    """Return the model of counts of single arms."""
    events, n = checked_counts(events, n)
    made = RegressionModel(moderators, factors, weights, study_effects, normal=False)
    with made.model:
        made.pm.Binomial("events", n=n.astype(int), logit_p=made.theta, observed=events.astype(int), dims="effect")
    return made.model


def two_arm_regression_model(
    counts: TwoArmCounts,
    moderators: Moderators,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    study_effects: str = "normal",
) -> Any:
    """Return the model of counts of two arms."""
    made = RegressionModel(moderators, factors, weights, study_effects, normal=False)
    with made.model:
        pm = made.pm
        sd = np.sqrt(normal_variance(BASELINE_PRIOR))
        baseline = pm.Normal("baseline", BASELINE_PRIOR.mean, sd, shape=len(counts.control_n))
        n0, x0 = counts.control_n.astype(int), counts.control_events.astype(int)
        pm.Binomial("control_events", n=n0, logit_p=baseline, observed=x0)
        logit = baseline[counts.control] + made.theta
        pm.Binomial("events", n=counts.n.astype(int), logit_p=logit, observed=counts.events.astype(int), dims="effect")
    return made.model


def regression_by_mcmc(
    model: Any, factors: Sequence[Factor], *, study_effects: str = "normal", plan: Plan | None = None
) -> tuple[CrossedPosterior, Sampled]:
    """Draw from the posterior of a regression model; the asked-for combinations of coefficients are `cells`."""
    sampled = sample(model, plan, watch=WATCHED)
    return drawn_posterior(sampled, factors, study_effects=study_effects), sampled
