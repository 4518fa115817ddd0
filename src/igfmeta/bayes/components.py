"""Random effects of crossed and nested factors: what each factor adds to the covariance of studies and of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.numerics import Floats


def zero_sum(levels: int) -> Floats:
    """Return I - J/n, the covariance of effects that add up to 0 (per unit of variance)."""
    return np.asarray(np.eye(levels) - 1 / levels)


@dataclass(frozen=True, eq=False)
class Component:
    """A source of heterogeneity.

    Attributes
    ----------
    name : str
    prior : TauPrior
        Of its standard deviation.
    studies : ndarray of shape (k, k)
        Covariance of the studies' effects that it makes, per unit of variance.
    cross : ndarray of shape (cells, k)
        Covariance of cells with studies.
    cells : ndarray of shape (cells,)
        Variance of each cell's mean.
    new_study : bool
        Whether a new study in a cell draws it anew.
    """

    name: str
    prior: TauPrior
    studies: Floats
    cross: Floats
    cells: Floats
    new_study: bool


#: Scales of the half-normal priors of the standard deviations of log ratios. Their root sum of squares, 0.59, is near
#: the 0.5 of a pool with a single tau; `implied_ratios` says what they mean for ratios.
DEFAULT_SCALES = {"class": 0.3, "tumor": 0.3, "class:tumor": 0.2, "agent": 0.2, "study": 0.3}


def default_priors() -> dict[str, TauPrior]:
    """Return the half-normal priors of the standard deviations of log ratios."""
    return {name: HalfNormal(scale) for name, scale in DEFAULT_SCALES.items()}


def _indicator(codes: Sequence[int], levels: int) -> Floats:
    return np.asarray(np.eye(levels)[np.asarray(codes, dtype=int)])


def class_by_tumor(
    classes: Sequence[int],
    tumors: Sequence[int],
    agents: Sequence[int],
    *,
    n_classes: int,
    n_tumors: int,
    priors: dict[str, TauPrior],
) -> list[Component]:
    """Return the components of: overall + class + tumour + class:tumour + agent within class + study.

    Class, tumour and interaction effects add up to 0 (the interaction over either index). A factor with one level has
    nothing to vary and is left out, as is the interaction then; agents are left out where each class has one. Cells
    are numbered class by class.

    Parameters
    ----------
    classes, tumors, agents : sequence of int of length k
        Level of each study, from 0.
    n_classes, n_tumors : int
    priors : dict
        Of the standard deviations, by name.
    """
    k, n_cells = len(classes), n_classes * n_tumors
    z_class, z_tumor = _indicator(classes, n_classes), _indicator(tumors, n_tumors)
    cell_class = _indicator(np.repeat(np.arange(n_classes), n_tumors).tolist(), n_classes)
    cell_tumor = _indicator(np.tile(np.arange(n_tumors), n_classes).tolist(), n_tumors)
    by_class, by_tumor = zero_sum(n_classes), zero_sum(n_tumors)
    zeros = np.zeros((n_cells, k))
    made: list[Component] = []

    def add(name: str, studies: Floats, cross: Floats, cells: Floats, *, new_study: bool = False) -> None:
        made.append(Component(name, priors[name], studies, cross, cells, new_study))

    class_parts = z_class @ by_class @ z_class.T, cell_class @ by_class @ z_class.T
    tumor_parts = z_tumor @ by_tumor @ z_tumor.T, cell_tumor @ by_tumor @ z_tumor.T
    class_own = np.full(n_cells, 1 - 1 / n_classes)
    tumor_own = np.full(n_cells, 1 - 1 / n_tumors)
    if n_classes > 1:
        add("class", *class_parts, class_own)
    if n_tumors > 1:
        add("tumor", *tumor_parts, tumor_own)
    if n_classes > 1 and n_tumors > 1:
        studies, cross = (one * other for one, other in zip(class_parts, tumor_parts, strict=True))
        add("class:tumor", studies, cross, class_own * tumor_own)
    n_agents = max(agents, default=0) + 1
    if n_agents > n_classes:
        z_agent = _indicator(agents, n_agents)
        add("agent", z_agent @ z_agent.T, zeros, np.zeros(n_cells), new_study=True)
    add("study", np.eye(k), zeros, np.zeros(n_cells), new_study=True)
    return made


def implied_ratios(priors: dict[str, TauPrior], rng: np.random.Generator, *, draws: int = 20_000) -> dict[str, float]:
    """Return what half-normal priors mean: the 95 % range, as a ratio, of one effect of each component around 1.

    A value of 1.8 says that before any data 95 % of the effects lie between 1/1.8 and 1.8.

    Examples
    --------
    >>> ratios = implied_ratios({"study": HalfNormal(0.3)}, np.random.default_rng(1))
    >>> round(ratios["study"], 1)
    1.9
    """
    return {
        name: float(np.exp(np.quantile(np.abs(prior.scale * rng.normal(size=draws) * rng.normal(size=draws)), 0.95)))
        for name, prior in priors.items()
    }
