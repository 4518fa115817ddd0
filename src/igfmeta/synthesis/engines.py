"""Which engine fits a hierarchy: exact given the standard deviations, or PyMC; normal effects, or binomial counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.adaptive import FEWEST_DRAWS
from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.crossed import CrossedPosterior, crossed_posterior
from igfmeta.bayes.importance import PARETO_K_LIMIT
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats
from igfmeta.synthesis.hierarchy_inputs import HierarchyData
from igfmeta.synthesis.studies import Study

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan, Sampled

ENGINES = ("exact", "mcmc")
STUDY_EFFECTS = ("normal", "t", "mixture")

#: What fits: the posterior without draws of PyMC, or with them.
Exact = Callable[[np.random.Generator], CrossedPosterior]
Drawn = Callable[[str, "Plan"], tuple[CrossedPosterior, "Sampled"]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A posterior, and in words how it was come by."""

    posterior: CrossedPosterior
    engine: str
    likelihood: str
    mean_prior: str
    study_effects: str
    studies: tuple[Study, ...]
    sampled: Sampled | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A likelihood with its two engines."""

    name: str
    mean_prior: str
    integrated_by: str
    exact: Exact
    drawn: Drawn

    def fitted(self, posterior: CrossedPosterior, data: HierarchyData) -> Fitted:
        """Return what the exact engine gave."""
        return Fitted(posterior, self.integrated_by, self.name, self.mean_prior, "normal", data.studies)


def fitted(
    data: HierarchyData,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    seed: int,
    engine: str,
    study_effects: str,
    plan: Plan | None,
) -> Fitted:
    """Fit a hierarchy.

    Where the importance weights of the exact engine cannot be trusted, PyMC draws instead, and a remark says so.

    Parameters
    ----------
    data : HierarchyData
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for: each cell itself, and averages.
    seed, engine, study_effects, plan
        As of `igfmeta.synthesis.hierarchy.hierarchy`.
    """
    made = fitted_by(
        _likelihood(data, factors, weights), data, seed=seed, engine=engine, study_effects=study_effects, plan=plan
    )
    if made.sampled is None:
        return made
    return replace(made, study_effects=in_words(made.study_effects, estimated=not data.binomial))


def fitted_by(
    likelihood: Likelihood, data: HierarchyData, *, seed: int, engine: str, study_effects: str, plan: Plan | None
) -> Fitted:
    """Fit by the engine that is asked for, or by PyMC where the exact one cannot be trusted."""
    engine = check_choice("engine", engine, ENGINES)
    study_effects = check_choice("study_effects", study_effects, STUDY_EFFECTS)
    if study_effects != "normal" and engine == "exact":
        raise InputError(
            f"study_effects {study_effects!r} is not Gaussian given its variances: it needs the engine mcmc "
            "(--mcmc on the command line)."
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed was {seed!r}; accepted is a whole number, 0 or above.")
    remarks: tuple[str, ...] = ()
    if engine == "exact":
        posterior = likelihood.exact(np.random.default_rng(seed))
        if posterior.reliable:
            return likelihood.fitted(posterior, data)
        remarks = (_distrusted(posterior, likelihood.integrated_by),)
    posterior, sampled = likelihood.drawn(study_effects, _plan(plan, seed))
    return replace(
        likelihood.fitted(posterior, data),
        engine=f"PyMC ({sampled.sampler})",
        study_effects=study_effects,
        sampled=_labelled(sampled, data),
        remarks=(*remarks, *_outlying(sampled, study_effects)),
    )


def in_words(study_effects: str, *, estimated: bool) -> str:
    """Return the distribution of the study effects with what it depends on."""
    from igfmeta.bayes.mcmc.effects import STUDY_DF

    if study_effects == "t":
        return "t, its degrees of freedom estimated" if estimated else f"t with {STUDY_DF:g} degrees of freedom"
    return "a mixture of usual and outlying ones" if study_effects == "mixture" else study_effects


def _plan(plan: Plan | None, seed: int) -> Plan:
    from igfmeta.bayes.mcmc.sampling import Plan

    return replace(plan or Plan(), seed=seed)


def _distrusted(failed: CrossedPosterior, how: str) -> str:
    return (
        f"The {how} could not be trusted: its draws were worth {failed.effective_size:.0f} (limit {FEWEST_DRAWS}), "
        f"Pareto k {failed.pareto_k:.2f} (limit {PARETO_K_LIMIT}). PyMC drew from the posterior instead."
    )


def _labelled(sampled: Sampled, data: HierarchyData) -> Sampled:
    """Return the draws with the rows of the evidence as names of effects, trials and control arms."""
    rows = ["+".join(study.row_ids) for study in data.studies]

    def first(codes: Sequence[int]) -> list[str]:
        return [rows[codes.index(code)] for code in range(max(codes) + 1)]

    trial, control = data.trial.tolist(), data.control.tolist()
    return sampled.labelled(effect=rows, trial=first(trial), control=first(control))


#: A study is named as outlying where the mixture makes it so with this probability.
OUTLYING = 0.5


def _outlying(sampled: Sampled, study_effects: str) -> tuple[str, ...]:
    """Return which studies a mixture takes for outlying, in a sentence."""
    posterior = sampled.tree["posterior"].to_dataset()
    if study_effects != "mixture" or "outlying" not in posterior:
        return ()
    chance = posterior["outlying"].mean(("chain", "draw"))
    names = [
        f"{name} ({p:.2f})"
        for name, p in zip(chance["trial"].values.tolist(), chance.values.tolist(), strict=True)
        if p > OUTLYING
    ]
    if not names:
        return (f"No study is outlying with a probability above {OUTLYING:g}.",)
    return (f"Outlying, with the probability of it: {', '.join(names)}.",)


def _likelihood(data: HierarchyData, factors: Sequence[Factor], weights: Floats) -> Likelihood:
    """Return the likelihood of the measure: normal log hazard ratios, binomial counts of one arm, or of two."""
    kernels = Kernels.of(factors, weights.shape[1]).combined(weights)
    if not data.binomial:
        return _normal_effects(data, factors, weights, kernels)
    if data.question.arms == "single_arm":
        return _one_arm(data, factors, weights, kernels)
    return _two_arms(data, factors, weights, kernels)


def _normal_effects(data: HierarchyData, factors: Sequence[Factor], weights: Floats, kernels: Kernels) -> Likelihood:
    def exact(rng: np.random.Generator) -> CrossedPosterior:
        return crossed_posterior(data.y, data.covariance, factors, kernels, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.crossed import crossed_by_mcmc

        return crossed_by_mcmc(data.y, data.covariance, factors, weights, study_effects=study_effects, plan=plan)

    return Likelihood("normal", "flat", "importance sampling", exact, drawn)


def _one_arm(data: HierarchyData, factors: Sequence[Factor], weights: Floats, kernels: Kernels) -> Likelihood:
    from igfmeta.bayes.laplace import RATE_PRIOR, binomial_posterior

    events, n = data.counts[:, 0], data.counts[:, 1]

    def exact(rng: np.random.Generator) -> CrossedPosterior:
        return binomial_posterior(events, n, factors, kernels, share=data.share, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.binomial import binomial_by_mcmc

        return binomial_by_mcmc(events, n, factors, weights, share=data.share, study_effects=study_effects, plan=plan)

    return Likelihood(
        "binomial", f"{RATE_PRIOR.label} on the logit", "Laplace's method and importance sampling", exact, drawn
    )


def _two_arms(data: HierarchyData, factors: Sequence[Factor], weights: Floats, kernels: Kernels) -> Likelihood:
    from igfmeta.bayes.two_arm_counts import BASELINE_PRIOR, EFFECT_PRIOR, two_arm_posterior

    (events1, n1, events0, n0), control = data.counts.T, data.control

    def exact(rng: np.random.Generator) -> CrossedPosterior:
        given = events1, n1, events0, n0, factors, kernels
        return two_arm_posterior(*given, control=control, share=data.share, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.binomial import two_arm_by_mcmc

        given = events1, n1, events0, n0, factors, weights
        options: dict[str, Any] = {"control": control, "study_effects": study_effects, "plan": plan}
        return two_arm_by_mcmc(*given, share=data.share, **options)

    return Likelihood(
        "binomial, both arms",
        f"{EFFECT_PRIOR.label}, logits of control rates {BASELINE_PRIOR.label}",
        "Laplace's method and importance sampling",
        exact,
        drawn,
    )
