"""Random effects of crossed and nested factors: the one definition of the model that every engine reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy import special

from igfmeta.bayes.tau_priors import HalfNormal, TauPrior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

Codes = NDArray[np.int64]


def zero_sum(levels: int) -> Floats:
    """Return I - J/n, the covariance of effects that add up to 0 (per unit of variance)."""
    return np.asarray(np.eye(levels) - 1 / levels)


@dataclass(frozen=True, eq=False)
class Factor:
    """A source of heterogeneity: an array of effects, and which of them each study and each cell has.

    Attributes
    ----------
    name : str
    prior : TauPrior
        Of the standard deviation of the effects: half-normal, half-t or half-Cauchy.
    shape : tuple of int
        Of the array: (3,) for three classes, (3, 6) for an interaction with six tumours.
    zero_sum : bool
        Whether the effects add up to 0 along each axis.
    studies : ndarray of shape (k, axes)
        Levels of each study.
    cells : ndarray of shape (cells, axes) or None
        Levels of each cell; None where a new study in a cell draws a level of its own.
    """

    name: str
    prior: TauPrior
    shape: tuple[int, ...]
    zero_sum: bool
    studies: Codes
    cells: Codes | None

    def covariance(self, one: Codes, other: Codes) -> Floats:
        """Return the covariance, per unit of variance, of effects at two sets of levels."""
        matrices = [zero_sum(n) if self.zero_sum else np.eye(n) for n in self.shape]
        each = [m[np.ix_(one[:, axis], other[:, axis])] for axis, m in enumerate(matrices)]
        return np.asarray(prod(each[1:], start=each[0]))


@dataclass(frozen=True, eq=False)
class Kernels:
    """What each factor adds, per unit of its variance, to the covariances of studies and cells; factors first.

    Attributes
    ----------
    studies : ndarray of shape (factors, k, k)
    cross : ndarray of shape (factors, cells, k)
    cells : ndarray of shape (factors, cells, cells)
    new : ndarray of shape (factors,)
        1 for a factor that a new study draws anew.
    ones : ndarray of shape (cells,)
        How much of the overall mean a cell has.
    """

    studies: Floats
    cross: Floats
    cells: Floats
    new: Floats
    ones: Floats

    @classmethod
    def of(cls, factors: Sequence[Factor], n_cells: int) -> Kernels:
        """Return the kernels of factors."""
        cross, cells = [], []
        for f in factors:
            with_studies = np.zeros((n_cells, len(f.studies)))
            cross.append(with_studies if f.cells is None else f.covariance(f.cells, f.studies))
            cells.append(np.zeros((n_cells, n_cells)) if f.cells is None else f.covariance(f.cells, f.cells))
        studies = [f.covariance(f.studies, f.studies) for f in factors]
        new = np.array([float(f.cells is None) for f in factors])
        return cls(np.stack(studies), np.stack(cross), np.stack(cells), new, np.ones(n_cells))

    def combined(self, weights: Floats) -> Kernels:
        """Return the kernels of linear combinations of the cells, such as their averages by class.

        Parameters
        ----------
        weights : ndarray of shape (combinations, cells)
        """
        cells = weights @ self.cells @ weights.T
        return Kernels(self.studies, weights @ self.cross, cells, self.new, weights @ self.ones)


#: Scales of the half-normal priors of the standard deviations of log ratios. Their root sum of squares, 0.59, is near
#: the 0.5 of a pool with a single tau; `implied_ratio` says what they mean for ratios.
DEFAULT_SCALES = {"class": 0.3, "tumor": 0.3, "class:tumor": 0.2, "agent": 0.2, "study": 0.3}

#: The same for logits of rates, which differ more from one tumour to the next than log ratios do.
RATE_SCALES = {"class": 1.0, "tumor": 1.0, "class:tumor": 0.5, "agent": 0.5, "study": 0.5}


def default_priors(*, rates: bool = False) -> dict[str, TauPrior]:
    """Return the half-normal priors of the standard deviations, of log ratios or of logits of rates."""
    return {name: HalfNormal(scale) for name, scale in (RATE_SCALES if rates else DEFAULT_SCALES).items()}


def _codes(*columns: Sequence[int]) -> Codes:
    return np.stack([np.asarray(column, dtype=np.int64) for column in columns], axis=1)


def class_by_tumor(
    classes: Sequence[int],
    tumors: Sequence[int],
    agents: Sequence[int],
    *,
    n_classes: int,
    n_tumors: int,
    priors: Mapping[str, TauPrior],
    studies: Sequence[int] | None = None,
) -> list[Factor]:
    """Return the factors of: overall + class + tumour + class:tumour + agent within class + study.

    Class, tumour and interaction effects add up to 0 (the interaction over either index). A factor with one level has
    nothing to vary and is left out, as is the interaction then; agents are left out where each class has one. Cells
    are numbered class by class.

    Parameters
    ----------
    classes, tumors, agents : sequence of int of length k
        Level of each effect, from 0.
    n_classes, n_tumors : int
    priors : mapping
        Of the standard deviations, by name.
    studies : sequence of int of length k, optional
        The study of each effect, from 0; default one each. Contrasts of one study share its effect.

    Raises
    ------
    InputError
        A prior that is not of the half-t family.
    """
    wrong = [prior.label for prior in priors.values() if prior.df is None]
    if wrong:
        raise InputError(
            f"The prior {wrong[0]} of a standard deviation cannot be used here; accepted are half-normal(scale), "
            "half-t(scale, df) and half-cauchy(scale)."
        )
    studies = range(len(classes)) if studies is None else studies
    cell_class = np.repeat(np.arange(n_classes), n_tumors).tolist()
    cell_tumor = np.tile(np.arange(n_tumors), n_classes).tolist()
    n_agents, n_studies = max(agents, default=0) + 1, max(studies, default=0) + 1
    made: list[Factor] = []

    def add(name: str, shape: tuple[int, ...], levels: Codes, cells: Codes | None) -> None:
        made.append(Factor(name, priors[name], shape, cells is not None, levels, cells))

    if n_classes > 1:
        add("class", (n_classes,), _codes(classes), _codes(cell_class))
    if n_tumors > 1:
        add("tumor", (n_tumors,), _codes(tumors), _codes(cell_tumor))
    if n_classes > 1 and n_tumors > 1:
        add("class:tumor", (n_classes, n_tumors), _codes(classes, tumors), _codes(cell_class, cell_tumor))
    if n_agents > n_classes:
        add("agent", (n_agents,), _codes(agents), None)
    add("study", (n_studies,), _codes(studies), None)
    return made


def prior_quantile(prior: TauPrior, p: Floats) -> Floats:
    """Return quantiles of a half-normal, half-t or half-Cauchy prior.

    Examples
    --------
    >>> prior_quantile(HalfNormal(0.5), np.array([0.5])).round(3)
    array([0.337])
    """
    assert prior.df is not None
    upper = 0.5 + 0.5 * np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(prior.scale * (special.ndtri(upper) if np.isinf(prior.df) else special.stdtrit(prior.df, upper)))


#: Evenly spaced probabilities at which a prior is averaged over.
_POINTS = (np.arange(4000) + 0.5) / 4000


def implied_ratio(prior: TauPrior, p: float = 0.95) -> float:
    """Return what a prior means: before any data, a share p of the effects lie between 1/ratio and ratio.

    Parameters
    ----------
    prior : TauPrior
        Of the standard deviation of effects on the log scale; half-normal, half-t or half-Cauchy.
    p : float

    Examples
    --------
    >>> round(implied_ratio(HalfNormal(0.3)), 1)
    1.9
    """
    sds = prior_quantile(prior, _POINTS)
    low, high = 0.0, float(sds[-1] * special.ndtri(0.5 + p / 2))
    while high - low > 1e-9 * prior.scale:
        middle = (low + high) / 2
        outside = float(np.mean(2 * special.ndtr(-middle / sds)))
        low, high = (middle, high) if outside > 1 - p else (low, middle)
    return float(np.exp(min(high, 700.0)))
