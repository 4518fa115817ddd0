"""The groups of a pool as one hierarchy: each group borrows from the others, as far as the data say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.components import DEFAULT_SCALES, RATE_SCALES, Factor, Kernels, class_by_tumor
from igfmeta.bayes.crossed import CrossedPosterior, crossed_posterior
from igfmeta.bayes.tau_priors import HalfNormal, default_tau_prior
from igfmeta.effects.scales import natural
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.studies import Study

#: Draws of the standard deviations, three at most: few are enough, and a pool answers at once.
DRAWS, SEED = 1000, 1

#: The factor that stands for the groups, whatever they are: groups get the prior of tumour types.
_GROUP = "tumor"


@dataclass(frozen=True)
class Hierarchical:
    """A group's mean effect in the hierarchy of all groups, on the reader's scale.

    Attributes
    ----------
    median, ci_lower, ci_upper : float
    p_benefit : float or None
        Probability that it favours the experimental arm; None for a rate.
    """

    median: float
    ci_lower: float
    ci_upper: float
    p_benefit: float | None


@dataclass(frozen=True)
class GroupHierarchy:
    """The hierarchy of a pool's groups.

    Attributes
    ----------
    groups : tuple of Hierarchical
        In the order of the groups.
    note : str
        The model and its priors, and whether its numbers can be used.
    """

    groups: tuple[Hierarchical, ...]
    note: str


def group_hierarchy(
    groups: Sequence[Sequence[Study]], question: Question, *, by: str, level: float
) -> GroupHierarchy | None:
    """Model the groups of a pool at once: study effect = overall + group + agent + study.

    Parameters
    ----------
    groups : sequence of sequence of Study
        The studies of each group, on the question's analysis scale.
    question : Question
    by : str
        What makes a group; agents have no effect of their own where they are the groups.
    level : float

    Returns
    -------
    GroupHierarchy or None
        None with fewer than two groups, or where every study of a group is without an effect of its own.
    """
    if len(groups) < 2:
        return None
    members = [(study, g) for g, group in enumerate(groups) for study in group if math.isfinite(study.yi)]
    if len({g for _, g in members}) < len(groups):
        return None
    studies, codes = [study for study, _ in members], [g for _, g in members]
    factors = _factors(studies, codes, question, by)
    kernels = Kernels.of(factors, len(groups))
    posterior = _posterior(studies, factors, kernels, question)
    priors = ", ".join(f"{'group' if f.name == _GROUP else f.name} {f.prior.label}" for f in factors)
    note = f"Second line of the posterior: groups, agents and studies in one hierarchy; sds {priors}."
    if not posterior.reliable:
        note += f" Its importance sampling is not reliable (Pareto k {posterior.pareto_k:.2f}): do not use it."
    return GroupHierarchy(_estimates(posterior, question, level), note)


def _factors(studies: Sequence[Study], codes: Sequence[int], question: Question, by: str) -> list[Factor]:
    one_arm = question.arms == "single_arm"
    unit = 1.0 if one_arm else default_tau_prior(question.measure).scale / default_tau_prior("HR").scale
    scales = RATE_SCALES if one_arm else DEFAULT_SCALES
    agents = sorted({study.agent for study in studies})
    return class_by_tumor(
        [0] * len(studies),
        codes,
        [0 if by == "agent" else agents.index(study.agent) for study in studies],
        n_classes=1,
        n_tumors=max(codes) + 1,
        priors={name: HalfNormal(unit * scale) for name, scale in scales.items()},
    )


def _posterior(
    studies: Sequence[Study], factors: Sequence[Factor], kernels: Kernels, question: Question
) -> CrossedPosterior:
    rng = np.random.default_rng(SEED)
    if question.arms == "single_arm":
        from igfmeta.bayes.laplace import binomial_posterior

        events, n = (np.array([study.counts[i] for study in studies]) for i in (0, 1))
        return binomial_posterior(events, n, factors, kernels, rng=rng, draws=DRAWS)
    yi, vi = (np.array([getattr(study, name) for study in studies]) for name in ("yi", "vi"))
    return crossed_posterior(yi, np.diag(vi), factors, kernels, rng=rng, draws=DRAWS)


def _estimates(posterior: CrossedPosterior, question: Question, level: float) -> tuple[Hierarchical, ...]:
    cells, n = posterior.cells(), posterior.mean.shape[1]
    scale = "PLO" if question.arms == "single_arm" else question.measure
    shown = [np.asarray(natural(scale, cells.quantile(np.full(n, p)))) for p in (0.5, 0.5 - level / 2, 0.5 + level / 2)]
    below = cells.cdf(np.zeros(n))
    benefit = below if question.better == "lower" else 1 - below
    return tuple(
        Hierarchical(median, lower, upper, None if question.arms == "single_arm" else p)
        for median, lower, upper, p in zip(*(values.tolist() for values in shown), benefit.tolist(), strict=True)
    )
