"""The sampled models of simulation-based calibration: compiled once by nutpie, then given other data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sbc_models import (
    ARMS,
    CONTROL,
    CONTROLS,
    DRAWS,
    EMPTY,
    MU,
    PEESE,
    PET,
    SEEN,
    STEPS,
    TAU,
    VI,
    Model,
    Ranked,
    Truth,
    V,
    biased_data,
    crossed_truth,
    factors,
    one_arm_data,
    two_arm_data,
)  # fmt: skip

from igfmeta.bayes.biased import Data
from igfmeta.bayes.mcmc.bias import bias_model
from igfmeta.bayes.mcmc.binomial import binomial_model, two_arm_model
from igfmeta.bayes.mcmc.crossed import crossed_model, draws_of
from igfmeta.bayes.mcmc.joint import joint_model
from igfmeta.bayes.mcmc.joint_data import JointData, JointPriors, Responses
from igfmeta.bayes.mcmc.sampling import load_pymc
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.bayes.two_arm_counts import TwoArmCounts

#: Draws that adapt, and every how manieth draw is kept, so that those kept are nearly independent.
TUNE, THIN = 800, 15
WEIGHTS = np.eye(6)


class Thinned:
    """Draws as the package's own functions read them."""

    def __init__(self, tree: Any) -> None:
        self.posterior = tree["posterior"].to_dataset()
        self.divergences = int(tree["sample_stats"].to_dataset()["diverging"].sum())

    def draws(self, name: str) -> Any:
        values = self.posterior[name].to_numpy()
        return values.reshape(-1, *values.shape[2:])[::THIN]


def compiled(model: Any) -> Any:
    import nutpie

    load_pymc()
    return nutpie.compile_pymc_model(model)


def exchangeable(model: Any, *names: str) -> Any:
    """Return a model whose observed constants of the names are data that can be exchanged."""
    pm = load_pymc()
    with model:
        for name in names:
            variable = model[name]
            old = model.rvs_to_values[variable]
            data = pm.Data(f"data_{name}", old.eval())
            del model.values_to_rvs[old]
            model.rvs_to_values[variable], model.values_to_rvs[data] = data, variable
    return model


def drawn(made: Any, rng: np.random.Generator, **data: Any) -> Thinned:
    import nutpie

    tree = nutpie.sample(
        made.with_data(**data), draws=DRAWS * THIN, tune=TUNE, chains=1, cores=1, seed=int(rng.integers(2**31)),
        target_accept=0.95, progress_bar=False,
    )  # fmt: skip
    return Thinned(tree)


# Crossed effects


def study_effects(rng: np.random.Generator, kind: str) -> tuple[Truth, Any]:
    """Return what the distribution of the study effects depends on, and effects of scale 1."""
    if kind == "t":
        df = 0.0
        while df < 2:
            df = rng.gamma(2.0, 1 / 0.1)
        return {"study_df": df}, rng.standard_t(df, size=7)
    if kind == "mixture":
        share, spread = rng.beta(1.0, 9.0), 1 + abs(3 * rng.normal())
        sd = np.where(rng.random(7) < share, spread, 1.0)
        return {"outlying_share": share, "outlying_spread": spread}, sd * rng.normal(size=7)
    return {}, rng.normal(size=7)


class Crossed:
    """Normal effects with study effects of some kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def prepare(self) -> Any:
        return compiled(crossed_model(np.zeros(8), V, factors(), study_effects=self.kind))

    def simulate(self, rng: np.random.Generator) -> tuple[Truth, Any]:
        hyper, effects = study_effects(rng, self.kind)
        truth, theta = crossed_truth(rng, 0.0, study=effects)
        del truth["new study"]
        return {**truth, **hyper}, rng.multivariate_normal(theta, V)

    def fit(self, made: Any, y: Any, truth: Truth, rng: np.random.Generator) -> Ranked:
        draws = drawn(made, rng, effects=y)
        given: Any = draws
        cells, _, _ = draws_of(given, y, V, factors(), WEIGHTS, self.kind).draw_effects(rng)
        sds = draws.draws("sd")
        out = {f"sd {f.name}": sds[:, i] for i, f in enumerate(factors())}
        hyper = {name: draws.draws(name) for name in truth if name not in out and "cell" not in name}
        return {
            **out, **hyper, "cell": cells[:, SEEN], "empty cell": cells[:, EMPTY], "divergences": draws.divergences
        }  # fmt: skip


# Counts


def of_counts(draws: Thinned, *, rates: bool) -> Ranked:
    sds, cells = draws.draws("sd"), draws.draws("cells")
    out = {f"sd {f.name}": sds[:, i] for i, f in enumerate(factors(rates=rates))}
    return {**out, "cell": cells[:, SEEN], "empty cell": cells[:, EMPTY], "divergences": draws.divergences}


def prepare_one_arm() -> Any:
    return compiled(exchangeable(binomial_model(ARMS // 2, ARMS, factors(rates=True), WEIGHTS), "events"))


def fit_one_arm(made: Any, events: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    return of_counts(drawn(made, rng, data_events=events.astype(int)), rates=True)


def prepare_two_arm() -> Any:
    n0 = CONTROLS[[0, 1, 2, 3, 4, 6, 7]]
    counts = TwoArmCounts(ARMS // 2, ARMS, n0 // 2, n0, CONTROL)
    return compiled(exchangeable(two_arm_model(counts, factors(), WEIGHTS), "events", "control_events"))


def fit_two_arm(made: Any, data: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    events, controls = (x.astype(int) for x in data)
    return of_counts(drawn(made, rng, data_events=events, data_control_events=controls), rates=False)


# Outcomes together: survival of eight contrasts, response of six; two contrasts of one trial share its control arm.

OF_TRIAL = np.array([0, 0, 1, 2, 3, 4, 5, 6])
ANSWERED = np.array([0, 1, 2, 3, 5, 7])
CONTROL_OF = np.array([0, 0, 1, 2, 3, 4])
N1, N0 = np.array([40.0, 42, 30, 60, 25, 50]), np.array([44.0, 30, 55, 25, 48])
WITHIN = np.full(8, -0.3)
PRIORS = JointPriors(mean_sd=(1.0, 1.5), tau=(HalfNormal(0.5), HalfNormal(0.5)), lkj=2.0, control_sd=1.5)
SURVIVAL = np.diag([0.03, 0.03, 0.05, 0.04, 0.06, 0.05, 0.04, 0.08])
SURVIVAL[0, 1] = SURVIVAL[1, 0] = 0.015


def joint_data(y: Any, events: Any, control_events: Any) -> JointData:
    arms = Responses(1, ANSWERED, events, N1, CONTROL_OF, control_events, N0, WITHIN)
    contrast = np.arange(8)
    return JointData(("os", "response"), y, SURVIVAL, np.zeros(8, dtype=np.int64), contrast, OF_TRIAL, arms)


def prepare_joint() -> Any:
    import pytensor

    load_pymc()
    events, controls = (pytensor.shared(n / 2, name=name) for n, name in ((N1, "events_1"), (N0, "events_0")))
    given: Any = (events, controls)
    return compiled(exchangeable(joint_model(joint_data(np.zeros(8), *given), PRIORS), "y"))


def simulate_joint(rng: np.random.Generator) -> tuple[Truth, Any]:
    mu, tau = np.array([1.0, 1.5]) * rng.normal(size=2), 0.5 * np.abs(rng.normal(size=2))
    rho = 2 * rng.beta(2.0, 2.0) - 1
    same = np.where(OF_TRIAL[:, None] == OF_TRIAL, 0.5, 0.0) + 0.5 * np.eye(8)
    between = np.array([[1, rho], [rho, 1]]) * np.outer(tau, tau)
    theta = mu + (np.linalg.cholesky(same) @ rng.normal(size=(8, 2))) @ np.linalg.cholesky(between).T
    control = 1.5 * rng.normal(size=len(N0))
    p0, p1 = (1 / (1 + np.exp(-x)) for x in (control, control[CONTROL_OF] + theta[ANSWERED, 1]))
    x0, x1 = rng.binomial(N0.astype(int), p0).astype(float), rng.binomial(N1.astype(int), p1).astype(float)
    w1, w0 = N1 * p1 * (1 - p1), (N0 * p0 * (1 - p0))[CONTROL_OF]
    z = ((x1 - N1 * p1) * w0 - (x0 - N0 * p0)[CONTROL_OF] * w1) / np.sqrt(w0 * w1 * (w0 + w1))
    loading = np.zeros(8)
    loading[ANSWERED] = WITHIN[ANSWERED] * np.sqrt(np.diag(SURVIVAL)[ANSWERED])
    shift = np.zeros(8)
    shift[ANSWERED] = loading[ANSWERED] * z
    # Scores of the two contrasts with one control arm are correlated.
    share = np.sqrt(N1[:2] / (N0[0] + N1[:2]))
    k = np.eye(8)
    k[0, 1] = k[1, 0] = share.prod()
    rest = SURVIVAL - np.outer(loading, loading) * k
    y = theta[:, 0] + shift + rng.multivariate_normal(np.zeros(8), rest)
    truth = {"mu os": mu[0], "mu response": mu[1], "tau os": tau[0], "tau response": tau[1], "correlation": rho}
    return truth, (y, x1, x0)


def fit_joint(made: Any, data: Any, _truth: Truth, rng: np.random.Generator) -> Ranked:
    y, x1, x0 = data
    draws = drawn(made, rng, data_y=y, events_1=x1, events_0=x0)
    mu, tau = draws.draws("mu"), draws.draws("tau")
    return {
        "mu os": mu[:, 0], "mu response": mu[:, 1], "tau os": tau[:, 0], "tau response": tau[:, 1],
        "correlation": draws.draws("correlation")[:, 0], "divergences": draws.divergences,
    }  # fmt: skip


# Publication bias


class Biased:
    """A member with publication bias."""

    def __init__(self, bias: Any) -> None:
        self.bias = bias

    def prepare(self) -> Any:
        return compiled(bias_model(Data(np.zeros(len(VI)), VI, 1.0), self.bias, MU, TAU))

    def simulate(self, rng: np.random.Generator) -> tuple[Truth, Any]:
        return biased_data(rng, self.bias)

    def fit(self, made: Any, y: Any, truth: Truth, rng: np.random.Generator) -> Ranked:
        draws = drawn(made, rng, effects=y)
        out: Ranked = {name: draws.draws(name) for name in truth if not name.startswith("omega")}
        places = [name for name in truth if name.startswith("omega")]
        out.update({name: draws.draws("omega")[:, int(name[-1]) - 1] for name in places})
        return {**out, "divergences": draws.divergences}


SAMPLED: dict[str, Model] = {}
for _kind in ("normal", "t", "mixture"):
    _made = Crossed(_kind)
    SAMPLED[f"crossed, PyMC, {_kind}"] = Model(_made.prepare, _made.simulate, _made.fit, 300)
SAMPLED["binomial one-arm, PyMC"] = Model(prepare_one_arm, one_arm_data, fit_one_arm, 300)
SAMPLED["binomial two-arm, PyMC"] = Model(prepare_two_arm, two_arm_data, fit_two_arm, 300)
SAMPLED["joint, PyMC"] = Model(prepare_joint, simulate_joint, fit_joint, 300)
for _name, _bias in (("PET", PET), ("PEESE", PEESE), ("weight function", STEPS)):
    _member = Biased(_bias)
    SAMPLED[f"{_name}, PyMC"] = Model(_member.prepare, _member.simulate, _member.fit, 300)
