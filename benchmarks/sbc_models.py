"""The models of simulation-based calibration: truths from a prior, data from the truths, draws given the data.

Data are made by NumPy alone, from the model as its documentation states it, and not by the code that fits it. A mean
that is flat a priori has no prior to draw from: it is 0 in every simulation, which is as good, because data that are
moved move the posterior with them, and ranks do not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np

from igfmeta.bayes.averaging import average_models
from igfmeta.bayes.biased import Data
from igfmeta.bayes.binomial_arms import binomial_arms
from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
from igfmeta.bayes.crossed import crossed_posterior
from igfmeta.bayes.laplace import binomial_posterior
from igfmeta.bayes.map_prior import fit_map_prior
from igfmeta.bayes.mu_priors import NormalMu
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.publication_bias import NoBias, Regression, Steps, psma
from igfmeta.bayes.regression_members import regression_member
from igfmeta.bayes.step_members import step_member
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.bayes.two_arm_counts import two_arm_posterior

#: Independent draws of the posterior that a truth is ranked among.
DRAWS = 99

Truth = dict[str, float]
#: What a fit says of each parameter: draws, or the probability below the truth.
Ranked = dict[str, Any]

#: Eight contrasts of seven trials: two share a control arm.
CLASSES, TUMORS, AGENTS = [0, 0, 0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 0, 0, 1], [0, 0, 1, 2, 2, 1, 3, 0]
TRIALS = [0, 1, 2, 3, 4, 0, 5, 6]
V = np.diag([0.02, 0.03, 0.05, 0.04, 0.06, 0.01, 0.05, 0.03])
V[0, 5] = V[5, 0] = 0.005
VI = np.array([0.02, 0.04, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3])
ARMS = np.array([12.0, 20, 35, 18, 60, 25, 40, 30])
CONTROLS = np.array([15.0, 24, 30, 20, 50, 15, 45, 28])
CONTROL = np.array([0, 1, 2, 3, 4, 0, 5, 6])
#: Cells are numbered class by class; one with studies, one without.
SEEN, EMPTY = 0, 5
PET, PEESE, STEPS = Regression("PET"), Regression("PEESE", 5.0), Steps((0.025, 0.5))
MU, TAU = NormalMu(0, 1), HalfNormal(0.5)


@dataclass(frozen=True)
class Model:
    """A model to calibrate.

    Attributes
    ----------
    prepare : callable
        () -> what is made once for many fits, such as compiled code.
    simulate : callable
        rng -> truths, data.
    fit : callable
        (prepared, data, truths, rng) -> draws of each parameter (1-d), or the probability below its truth (a number).
    simulations : int
        How many are recorded.
    """

    prepare: Callable[[], Any]
    simulate: Callable[[np.random.Generator], tuple[Truth, Any]]
    fit: Callable[[Any, Any, Truth, np.random.Generator], Ranked]
    simulations: int


def nothing() -> None:
    """Prepare nothing."""


def resampled(values: Any, weights: Any, rng: np.random.Generator) -> Any:
    """Return draws of equal weight."""
    return np.asarray(values)[rng.choice(len(weights), DRAWS, p=weights)]


# Crossed effects


def factors(*, rates: bool = False) -> Any:
    priors = default_priors(rates=rates)
    return class_by_tumor(CLASSES, TUMORS, AGENTS, n_classes=2, n_tumors=3, priors=priors, studies=TRIALS)


def centred(x: Any) -> Any:
    for axis in range(x.ndim):
        x = x - x.mean(axis=axis, keepdims=True)
    return x


def crossed_truth(rng: np.random.Generator, mu: float, *, rates: bool = False, study: Any = None) -> tuple[Truth, Any]:
    """Return standard deviations and cells, and the true effect of each contrast; `study` makes effects of scale 1."""
    sd = {name: abs(prior.scale * rng.normal()) for name, prior in default_priors(rates=rates).items()}
    of_class, of_tumor = (centred(sd[name] * rng.normal(size=n)) for name, n in (("class", 2), ("tumor", 3)))
    both = centred(sd["class:tumor"] * rng.normal(size=(2, 3)))
    of_agent = sd["agent"] * rng.normal(size=4)
    of_study = sd["study"] * (rng.normal(size=7) if study is None else study)
    cells = mu + of_class[:, None] + of_tumor + both
    theta = cells[CLASSES, TUMORS] + of_agent[AGENTS] + of_study[TRIALS]
    new = cells.ravel()[EMPTY] + sd["agent"] * rng.normal() + sd["study"] * rng.normal()
    truth = {f"sd {name}": value for name, value in sd.items()}
    return {**truth, "cell": cells.ravel()[SEEN], "empty cell": cells.ravel()[EMPTY], "new study": new}, theta


def crossed_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, theta = crossed_truth(rng, 0.0)
    return truth, rng.multivariate_normal(theta, V)


def of_crossed(posterior: Any, rng: np.random.Generator) -> Ranked:
    """Return draws of what `crossed_truth` names from weighted draws."""
    at = rng.choice(len(posterior.weights), DRAWS, p=posterior.weights)
    cells = posterior.mean[at] + np.sqrt(posterior.variance[at]) * rng.normal(size=(DRAWS, posterior.mean.shape[1]))
    out = {f"sd {name}": posterior.sds[at, i] for i, name in enumerate(posterior.names)}
    new = cells[:, EMPTY] + np.sqrt(posterior.new_variance[at]) * rng.normal(size=DRAWS)
    return {**out, "cell": cells[:, SEEN], "empty cell": cells[:, EMPTY], "new study": new}


def fit_crossed(_made: Any, y: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    f = factors()
    return of_crossed(crossed_posterior(y, V, f, Kernels.of(f, 6), rng=rng), rng)


# Counts


def one_arm_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    # The prior of the mean logit is normal(0, 2.5), `igfmeta.bayes.laplace.RATE_PRIOR`.
    truth, theta = crossed_truth(rng, 2.5 * rng.normal(), rates=True)
    return truth, rng.binomial(ARMS.astype(int), 1 / (1 + np.exp(-theta))).astype(float)


def fit_one_arm(_made: Any, events: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    f = factors(rates=True)
    return of_crossed(binomial_posterior(events, ARMS, f, Kernels.of(f, 6), rng=rng), rng)


def two_arm_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, theta = crossed_truth(rng, 2.5 * rng.normal())
    baseline = 2.5 * rng.normal(size=7)
    controls = rng.binomial(CONTROLS[[0, 1, 2, 3, 4, 6, 7]].astype(int), 1 / (1 + np.exp(-baseline)))
    events = rng.binomial(ARMS.astype(int), 1 / (1 + np.exp(-baseline[CONTROL] - theta)))
    return truth, (events.astype(float), controls.astype(float))


def fit_two_arm(_made: Any, data: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    f = factors()
    events, controls = data
    n0 = CONTROLS[[0, 1, 2, 3, 4, 6, 7]][CONTROL]
    posterior = two_arm_posterior(
        events, ARMS, controls[CONTROL], n0, f, Kernels.of(f, 6), control=CONTROL.tolist(), rng=rng
    )
    return of_crossed(posterior, rng)


def arms_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    mu, tau = 2.0 * rng.normal(), abs(rng.normal())
    theta = mu + tau * rng.normal(size=len(ARMS) + 1)
    events = rng.binomial(ARMS.astype(int), 1 / (1 + np.exp(-theta[:-1])))
    return {"mu": mu, "tau": tau, "new arm": theta[-1]}, events


def fit_arms(_made: Any, events: Any, truth: Truth, _rng: np.random.Generator) -> Ranked:
    fit = binomial_arms(events, ARMS)
    spacing = fit.mu[:, 1:2] - fit.mu[:, :1]
    inside = np.clip((truth["mu"] - fit.mu) / spacing + 0.5, 0, 1)
    below_tau = np.interp(truth["tau"], fit.tau_points, fit.tau_cdf, left=0.0, right=1.0)
    new = fit.new_arm().cdf(np.array([truth["new arm"]]))[0]
    return {"mu": float((fit.weights * inside).sum()), "tau": float(below_tau), "new arm": float(new)}


# Normal effects with one mean


def normal_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    mu, tau = rng.normal(), abs(0.5 * rng.normal())
    theta = mu + tau * rng.normal(size=len(VI) + 1)
    return {"mu": mu, "tau": tau, "new study": theta[-1]}, theta[:-1] + np.sqrt(VI) * rng.normal(size=len(VI))


def fit_normal(_made: Any, y: Any, truth: Truth, _rng: np.random.Generator) -> Ranked:
    posterior = normal_normal_one(y, VI, mu_prior=MU, tau_prior=TAU)
    plain = average_models(y, VI, mu_prior=MU, tau_prior=TAU, p_effect=1.0, p_heterogeneity=1.0)
    return {
        "mu": posterior.probability_below(truth["mu"]),
        "tau": float(plain.tau.cdf([truth["tau"]])[0]),
        "new study": posterior.predictive_below(truth["new study"]),
    }


def map_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    truth, y = normal_data(rng)
    return {"new study": truth["new study"]}, y


def fit_map(_made: Any, y: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    prior = fit_map_prior(normal_normal_one(y, VI, mu_prior=MU, tau_prior=TAU))
    at = rng.choice(len(prior.weights), DRAWS, p=prior.weights / prior.weights.sum())
    return {"new study": rng.normal(prior.means[at], prior.sds[at])}


# Publication bias


def biased_data(rng: np.random.Generator, bias: Any, *, effect: bool = True, spread: bool = True) -> tuple[Truth, Any]:
    mu, tau = rng.normal() * effect, abs(0.5 * rng.normal()) * spread
    truth, mean = {"mu": mu, "tau": tau}, np.full(len(VI), mu)
    if isinstance(bias, Regression):
        truth["beta"] = bias.scale * abs(rng.standard_cauchy())
        mean = mean + truth["beta"] * (np.sqrt(VI) if bias.kind == "PET" else VI)
    omega = np.ones(1)
    if isinstance(bias, Steps):
        theta = rng.dirichlet(bias.alpha)
        omega = np.cumsum(theta[::-1])[::-1]
        truth.update({f"omega {j + 1}": float(w) for j, w in enumerate(omega) if j})
    return truth, np.array([one_published(rng, m, v, tau, bias, omega) for m, v in zip(mean, VI, strict=True)])


def one_published(rng: np.random.Generator, mean: float, v: float, tau: float, bias: Any, omega: Any) -> float:
    """Return an effect, drawn until it is published."""
    while True:
        y = rng.normal(mean, np.sqrt(v + tau**2))
        if not isinstance(bias, Steps):
            return y
        p = 0.5 * erfc(y / sqrt(2 * v)) if bias.sides == 1 else erfc(abs(y) / sqrt(2 * v))
        if rng.random() < omega[int((p > np.array(bias.cuts)).sum())]:
            return y


def pet_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    return biased_data(rng, PET)


def peese_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    return biased_data(rng, PEESE)


def steps_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    return biased_data(rng, STEPS)


def fit_line(bias: Regression, y: Any, truth: Truth) -> Ranked:
    fit = regression_member(Data(y, VI, 1.0), bias, MU, TAU)
    parts = {"mu": fit.mu, "tau": fit.tau, "beta": fit.slope}
    return {name: float(part.cdf(np.array([truth[name]]))[0]) for name, part in parts.items()}  # type: ignore[union-attr]


def fit_pet(_made: Any, y: Any, truth: Truth, _rng: np.random.Generator) -> Ranked:
    return fit_line(PET, y, truth)


def fit_peese(_made: Any, y: Any, truth: Truth, _rng: np.random.Generator) -> Ranked:
    return fit_line(PEESE, y, truth)


def fit_steps(_made: Any, y: Any, truth: Truth, rng: np.random.Generator) -> Ranked:
    fit = step_member(Data(y, VI, 1.0), STEPS, MU, TAU)
    parts = {"mu": fit.mu, "tau": fit.tau}
    out: Ranked = {name: float(part.cdf(np.array([truth[name]]))[0]) for name, part in parts.items()}  # type: ignore[union-attr]
    # The distribution function of omega is a line between its nodes.
    omega, weights = fit.omega, fit.omega_weights
    for j in (1, 2):
        order = np.argsort(omega[:, j])
        middle = np.cumsum(weights[order]) - 0.5 * weights[order]
        out[f"omega {j + 1}"] = float(np.interp(truth[f"omega {j + 1}"], omega[order, j], middle, left=0.0, right=1.0))
    return out


MEMBERS = psma()


def average_data(rng: np.random.Generator) -> tuple[Truth, Any]:
    bias = MEMBERS[int(rng.choice(len(MEMBERS), p=[share for _, share in MEMBERS]))][0]
    effect, spread = rng.random() < 0.5, rng.random() < 0.5
    truth, y = biased_data(rng, bias, effect=effect, spread=spread)
    return {"mu": truth["mu"], "tau": truth["tau"], "bias": float(not isinstance(bias, NoBias))}, y


def fit_average(_made: Any, y: Any, truth: Truth, rng: np.random.Generator) -> Ranked:
    found = average_models(y, VI, mu_prior=MU, tau_prior=TAU, bias=MEMBERS)
    out: Ranked = {}
    for name, part in (("mu", found.mu), ("tau", found.tau)):
        here = part.cdf([truth[name]])[0]
        # In the spike the rank is anywhere within it.
        out[name] = float(here - rng.random() * part.spike * (truth[name] == 0))
    probability = found.inclusion("bias").probability
    out["bias"] = float(rng.random() * (1 - probability) if truth["bias"] == 0 else 1 - rng.random() * probability)
    return out


MODELS: dict[str, Model] = {
    "normal-normal, exact": Model(nothing, normal_data, fit_normal, 1000),
    "crossed, exact": Model(nothing, crossed_data, fit_crossed, 1000),
    "binomial one-arm, Laplace": Model(nothing, one_arm_data, fit_one_arm, 500),
    "binomial two-arm, Laplace": Model(nothing, two_arm_data, fit_two_arm, 500),
    "binomial arms, exact": Model(nothing, arms_data, fit_arms, 300),
    "MAP prior, mixture of normals": Model(nothing, map_data, fit_map, 300),
    "PET, exact": Model(nothing, pet_data, fit_pet, 1000),
    "PEESE, exact": Model(nothing, peese_data, fit_peese, 1000),
    "weight function, exact": Model(nothing, steps_data, fit_steps, 400),
    "average of 36 models": Model(nothing, average_data, fit_average, 120),
}
