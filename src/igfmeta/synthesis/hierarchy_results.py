"""What a hierarchical model says: every cell and every average of cells, where the heterogeneity is from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.effects.scales import natural
from igfmeta.numerics import Floats
from igfmeta.synthesis.display import Pictured
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.studies import Study
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.bayes.mcmc.sampling import Sampled

#: How a factor that was not asked for, or that was averaged over, is written.
ALL = "all"


@dataclass(frozen=True)
class Cell:
    """A class of agent in a type of tumour, or an average of such cells with equal weights; on the reader's scale.

    Attributes
    ----------
    agent_class, tumor : str
        In words; "all" for a factor that was averaged over or not asked for.
    k : int
        Studies in the cell; 0 for one that only borrows.
    median, ci_lower, ci_upper : float
        Of the cell's mean effect: a ratio, or a rate between 0 and 1.
    predicted, pi_lower, pi_upper : float
        Of a new study of a new agent in it.
    p_benefit : float or None
        Probability that the mean favours the experimental arm; None for a rate, which is compared with nothing.
    p_relevant : float
        Probability that the mean is at least as good as the relevant value.
    borrowed : float or None
        What the cell learns from elsewhere, priors included, in studies of median precision; None for an average.
    """

    agent_class: str
    tumor: str
    k: int
    median: float
    ci_lower: float
    ci_upper: float
    predicted: float
    pi_lower: float
    pi_upper: float
    p_benefit: float | None
    p_relevant: float
    borrowed: float | None


@dataclass(frozen=True)
class Source:
    """A source of heterogeneity: its standard deviation on the analysis scale, its share of the sum of variances.

    `implied` says what the prior means: before any data 95 % of its effects lie within this ratio and its inverse.
    """

    name: str
    prior: str
    implied: float
    sd_median: float
    sd_lower: float
    sd_upper: float
    share: float


@dataclass(frozen=True, eq=False)
class HierarchyResult(Pictured):
    """The posterior of every cell, with what it was made from.

    Attributes
    ----------
    question : Question
    by : tuple of str
    cells : tuple of Cell
        Class by class.
    averages : tuple of Cell
        Of each class over tumours, of each tumour over classes, of everything; those that the model has.
    sources : tuple of Source
    studies : tuple of Study
    relevant : float
        The ratio, or the rate, that counts as relevant.
    level : float
    likelihood, mean_prior, study_effects : str
        In words.
    engine : str
        How the standard deviations were integrated, in words.
    seed, draws : int
    effective_draws, pareto_k : float
        Of the importance sampling; NaN where a chain was sampled.
    remarks : tuple of str
    origin, fingerprint : str
    keys : tuple of (class, tumour)
        Of the cells and then of the averages, as the evidence writes them.
    posterior : CrossedPosterior
        On the analysis scale: the cells, then the averages.
    sampled : Sampled or None
        The draws, where PyMC drew them.
    """

    question: Question
    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    averages: tuple[Cell, ...]
    sources: tuple[Source, ...]
    studies: tuple[Study, ...]
    relevant: float
    level: float
    likelihood: str
    mean_prior: str
    study_effects: str
    engine: str
    seed: int
    draws: int
    effective_draws: float
    pareto_k: float
    remarks: tuple[str, ...]
    origin: str
    fingerprint: str
    keys: tuple[tuple[str, str], ...]
    posterior: CrossedPosterior
    sampled: Sampled | None = None

    @property
    def is_rate(self) -> bool:
        return self.question.arms == "single_arm"

    @property
    def title(self) -> str:
        """What is modelled by what, in words."""
        words = {"class": "class of agent", "tumor": "type of tumour"}
        measure = "rate of one arm, %" if self.is_rate else self.question.measure
        return f"{self.question.label} ({measure}) by {' and '.join(words[x] for x in self.by)}"

    @property
    def threshold(self) -> float:
        """The relevant value on the analysis scale."""
        return threshold(self.question, self.relevant)

    def natural(self, values: Any) -> Floats:
        """Return values of the analysis scale on the reader's scale."""
        return np.asarray(natural(self.question.measure, values))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the numbers should not be used as they are: what the draws fail by; empty where all is well."""
        return () if self.sampled is None else self.sampled.diagnostics.warnings

    def made_from(self) -> dict[str, Any]:
        """Return where the numbers come from and whether they can be used: evidence, model, sampling, warnings."""
        return {
            "igfmeta": __version__,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "warnings": list(self.warnings),
            "model": {
                "likelihood": self.likelihood,
                "mean_prior": self.mean_prior,
                "study_effects": self.study_effects,
                "priors": {source.name: source.prior for source in self.sources},
            },
            "sampling": {
                "engine": self.engine,
                "seed": self.seed,
                "draws": self.draws,
                "effective_draws": finite(self.effective_draws),
                "pareto_k": finite(self.pareto_k),
                "diagnostics": None if self.sampled is None else self.sampled.diagnostics.to_dict(),
            },
            "remarks": list(self.remarks),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the studies' sources as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            **self.made_from(),
            "outcome": self.question.name,
            "measure": self.question.measure,
            "better": self.question.better,
            "by": list(self.by),
            "k": len(self.studies),
            "relevant": self.relevant,
            "level": self.level,
            "cells": [dict(cell.__dict__) for cell in self.cells],
            "averages": [dict(cell.__dict__) for cell in self.averages],
            "sources": [dict(source.__dict__) for source in self.sources],
            "studies": [
                {
                    "study": study.study_id,
                    "rows": list(study.row_ids),
                    "class": study.agent_class,
                    "tumor": study.tumor_type,
                    "agent": study.agent,
                }
                for study in self.studies
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell, then one per average."""
        import pandas as pd

        return pd.DataFrame([cell.__dict__ for cell in (*self.cells, *self.averages)])


def threshold(question: Question, relevant: float) -> float:
    """Return a relevant value on the analysis scale: a rate's logit, or the log of a ratio on the side of benefit.

    Examples
    --------
    >>> question = Question("os", "Overall survival", ("os",), "HR", "comparison", "lower")
    >>> round(threshold(question, 0.8), 4)
    -0.2231
    """
    if question.arms == "single_arm":
        return math.log(relevant / (1 - relevant))
    return math.log(relevant) if question.better == "lower" else -math.log(relevant)


def cells_of(
    posterior: CrossedPosterior,
    question: Question,
    names: list[tuple[str, str]],
    counts: list[int],
    averages: int,
    typical: Floats,
    relevant: float,
    level: float,
) -> tuple[Cell, ...]:
    """Return the cells of a posterior on the reader's scale.

    Parameters
    ----------
    posterior : CrossedPosterior
    question : Question
    names : list of (class, tumour)
        In words.
    counts : list of int
        Studies of each cell.
    averages : int
        How many of the last cells are averages of others.
    typical : ndarray of shape (cells,)
        Sampling variance of a study of median precision there.
    relevant, level : float
    """
    n = len(names)
    means, new = posterior.cells(), posterior.new_studies()
    tail = np.full(n, 0.5 - level / 2)
    half = np.full(n, 0.5)
    on_scale = {
        "median": means.quantile(half),
        "ci_lower": means.quantile(tail),
        "ci_upper": means.quantile(1 - tail),
        "predicted": new.quantile(half),
        "pi_lower": new.quantile(tail),
        "pi_upper": new.quantile(1 - tail),
    }
    shown = {name: np.asarray(natural(question.measure, values)) for name, values in on_scale.items()}
    below = [means.cdf(np.full(n, value)) for value in (0.0, threshold(question, relevant))]
    benefit, notable = below if question.better == "lower" else [np.clip(1 - p, 0.0, 1.0) for p in below]
    one_study = typical + float(posterior.weights @ posterior.new_variance)
    informed = one_study / means.moments()[1] ** 2
    return tuple(
        Cell(
            agent_class=names[i][0],
            tumor=names[i][1],
            k=counts[i],
            **{name: float(values[i]) for name, values in shown.items()},
            p_benefit=None if question.arms == "single_arm" else float(benefit[i]),
            p_relevant=float(notable[i]),
            borrowed=None if i >= n - averages else max(0.0, float(informed[i]) - counts[i]),
        )
        for i in range(n)
    )
