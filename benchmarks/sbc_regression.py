"""Meta-regressions for simulation-based calibration: one column that is measured and one that is 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from sbc_mcmc import compiled, drawn, exchangeable
from sbc_models import ARMS, CONTROL, CONTROLS, DRAWS, TRIALS, Model, Ranked, Truth, V, nothing

from igfmeta.bayes.components import class_by_tumor
from igfmeta.bayes.mcmc.regression import Terms, normal_regression_model
from igfmeta.bayes.regression import Moderators, binomial_regression, regression_posterior, two_arm_regression
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.bayes.two_arm_counts import TwoArmCounts

YEAR = np.array([2008.0, 2010, 2011, 2012, 2014, 2008, 2017, 2020])
RANDOM = np.array([0.0, 1, 0, 1, 1, 0, 0, 1])
DESIGN = np.stack([np.ones(8), YEAR, RANDOM], axis=1)
#: What is asked for: the effect at the mean of every column, and both slopes.
WEIGHTS = np.stack([DESIGN.mean(axis=0), [0.0, 1, 0], [0.0, 0, 1]])
NAMES = ("at the mean", "slope of year", "slope of random")
#: Scale of the half-normal prior of the standard deviation between studies: log ratios, logits of rates.
RATIO, RATE = 0.5, 1.0
#: The control arms, each once.
CONTROLS_ONCE = CONTROLS[[0, 1, 2, 3, 4, 6, 7]]


def moderators() -> Moderators:
    return Moderators.of(DESIGN, ("Intercept", "year", "random"))


def study(scale: float) -> Any:
    none = [0] * len(YEAR)
    priors = {"study": HalfNormal(scale)}
    return class_by_tumor(none, none, none, n_classes=1, n_tumors=1, priors=priors, studies=TRIALS)


def regression_truth(rng: np.random.Generator, scale: float) -> tuple[Truth, Any]:
    """Return coefficients, standard deviation and the effect of a new study, and the true effect of each contrast.

    The priors as `Moderators.of` states them: normal(0, 2.5) at the mean of every column; slopes normal with standard
    deviation 1 for one standard deviation of the year, and for the step from 0 to 1.
    """
    average, step, tau = 2.5 * rng.normal(), rng.normal(), scale * abs(rng.normal())
    slope = rng.normal() / YEAR.std(ddof=1)
    theta = average + slope * (YEAR - YEAR.mean()) + step * (RANDOM - RANDOM.mean()) + tau * rng.normal(size=7)[TRIALS]
    truth = dict(zip(NAMES, (average, slope, step), strict=True))
    return {**truth, "sd study": tau, "new study": average + tau * rng.normal()}, theta


def of_regression(posterior: Any, rng: np.random.Generator) -> Ranked:
    at = rng.choice(len(posterior.weights), DRAWS, p=posterior.weights)
    asked = posterior.mean[at] + np.sqrt(posterior.variance[at]) * rng.normal(size=(DRAWS, len(NAMES)))
    new = asked[:, 0] + np.sqrt(posterior.new_variance[at]) * rng.normal(size=DRAWS)
    return {**dict(zip(NAMES, asked.T, strict=True)), "sd study": posterior.sds[at, 0], "new study": new}


def normal_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, theta = regression_truth(rng, RATIO)
    return truth, rng.multivariate_normal(theta, V)


def fit_normal(_made: Any, y: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    return of_regression(regression_posterior(y, V, moderators(), study(RATIO), WEIGHTS, rng=rng), rng)


def one_arm_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, theta = regression_truth(rng, RATE)
    return truth, rng.binomial(ARMS.astype(int), 1 / (1 + np.exp(-theta))).astype(float)


def fit_one_arm(_made: Any, events: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    return of_regression(binomial_regression(events, ARMS, moderators(), study(RATE), WEIGHTS, rng=rng), rng)


def two_arm_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, theta = regression_truth(rng, RATIO)
    baseline = 2.5 * rng.normal(size=7)
    controls = rng.binomial(CONTROLS_ONCE.astype(int), 1 / (1 + np.exp(-baseline)))
    events = rng.binomial(ARMS.astype(int), 1 / (1 + np.exp(-baseline[CONTROL] - theta)))
    return truth, (events.astype(float), controls.astype(float))


def fit_two_arm(_made: Any, data: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    events, controls = data
    counts = TwoArmCounts(events, ARMS, controls, CONTROLS_ONCE, CONTROL)
    return of_regression(two_arm_regression(counts, moderators(), study(RATIO), WEIGHTS, rng=rng), rng)


def prepare_sampled() -> Any:
    made = normal_regression_model(np.zeros(8), V, Terms(moderators(), study(RATIO), WEIGHTS))
    return compiled(exchangeable(made, "y"))


def fit_sampled(made: Any, y: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    draws = drawn(made, rng, data_y=y)
    cells, sd = draws.draws("cells"), draws.draws("sd")[:, 0]
    out = {**dict(zip(NAMES, cells.T, strict=True)), "sd study": sd}
    return {**out, "new study": cells[:, 0] + sd * rng.normal(size=DRAWS), "divergences": draws.divergences}


REGRESSIONS: dict[str, Model] = {
    "meta-regression, exact": Model(nothing, normal_data, fit_normal, 1000),
    "meta-regression of one-arm counts, Laplace": Model(nothing, one_arm_data, fit_one_arm, 500),
    "meta-regression of two-arm counts, Laplace": Model(nothing, two_arm_data, fit_two_arm, 500),
    "meta-regression, PyMC": Model(prepare_sampled, normal_data, fit_sampled, 300),
}
