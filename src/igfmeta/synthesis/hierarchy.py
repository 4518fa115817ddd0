"""Class x tumour at once: every cell borrows from its class, its tumour type and the rest, as far as the data say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from igfmeta.bayes.components import class_by_tumor, default_priors, implied_ratios
from igfmeta.bayes.crossed import DRAWS, CrossedPosterior, crossed_posterior
from igfmeta.bayes.importance import PARETO_K_LIMIT
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.effects.scales import natural, null_value, transform_of
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.pooling import Which, studies_for
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.studies import Study
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ("class", "tumor")

#: Fewest effective draws at which the summaries are trusted.
FEWEST_DRAWS = 400


@dataclass(frozen=True)
class Cell:
    """A class of agent in a type of tumour, on the reader's scale.

    Attributes
    ----------
    agent_class, tumor : str
        In words; "all" for a factor that was not asked for.
    k : int
        Studies in the cell; 0 for one that only borrows.
    median, ci_lower, ci_upper : float
        Of the cell's mean effect.
    pi_lower, pi_upper : float
        Of a new study of a new agent in it.
    p_benefit, p_relevant : float
        Probability that the mean favours the experimental arm, and by the relevant ratio at least.
    borrowed : float
        What the cell learns from elsewhere, priors included, in studies of median precision.
    """

    agent_class: str
    tumor: str
    k: int
    median: float
    ci_lower: float
    ci_upper: float
    pi_lower: float
    pi_upper: float
    p_benefit: float
    p_relevant: float
    borrowed: float


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
class HierarchyResult:
    """The posterior of every cell, with what it was made from.

    Attributes
    ----------
    question : Question
    by : tuple of str
    cells : tuple of Cell
    sources : tuple of Source
    studies : tuple of Study
    relevant : float
        The ratio that counts as relevant.
    level : float
    seed, draws : int
    effective_draws, pareto_k : float
        Of the importance sampling.
    remarks : tuple of str
    origin, fingerprint : str
    keys : tuple of (class, tumour)
        Of the cells, as the evidence writes them.
    posterior : CrossedPosterior
        On the analysis scale, cell by cell.
    """

    question: Question
    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    sources: tuple[Source, ...]
    studies: tuple[Study, ...]
    relevant: float
    level: float
    seed: int
    draws: int
    effective_draws: float
    pareto_k: float
    remarks: tuple[str, ...]
    origin: str
    fingerprint: str
    keys: tuple[tuple[str, str], ...]
    posterior: CrossedPosterior

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the studies as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "outcome": self.question.name,
            "measure": self.question.measure,
            "better": self.question.better,
            "by": list(self.by),
            "k": len(self.studies),
            "relevant": self.relevant,
            "level": self.level,
            "cells": [dict(cell.__dict__) for cell in self.cells],
            "sources": [dict(source.__dict__) for source in self.sources],
            "sampling": {
                "seed": self.seed,
                "draws": self.draws,
                "effective_draws": self.effective_draws,
                "pareto_k": finite(self.pareto_k),
            },
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell."""
        import pandas as pd

        return pd.DataFrame([cell.__dict__ for cell in self.cells])


def _levels(values: Sequence[str], wanted: bool) -> list[str]:
    return sorted(set(values)) if wanted else ["all"]


def _codes(values: Sequence[str], levels: Sequence[str]) -> list[int]:
    return [0] * len(values) if list(levels) == ["all"] else [levels.index(value) for value in values]


def _checked_priors(priors: Mapping[str, TauPrior] | None) -> dict[str, TauPrior]:
    chosen = default_priors()
    unknown = [name for name in priors or {} if name not in chosen]
    if unknown:
        raise InputError(f"There is no component {listed(unknown)}; accepted are {listed(chosen)}.")
    return {**chosen, **(priors or {})}


def _checked_by(by: str | Sequence[str]) -> tuple[str, ...]:
    names = [by] if isinstance(by, str) else list(by)
    chosen = tuple(dict.fromkeys(check_choice("by", name, FACTORS) for name in names))
    if not chosen:
        raise InputError(f"by was empty; accepted are {listed(FACTORS)}, or both.")
    return chosen


def hierarchy(
    evidence: Evidence,
    *,
    outcome: str = "os",
    by: str | Sequence[str] = FACTORS,
    relevant: float = 0.8,
    priors: Mapping[str, TauPrior] | None = None,
    use: str = "primary",
    level: float = 0.95,
    seed: int = 1,
    **criteria: Unpack[Which],
) -> HierarchyResult:
    """Model an outcome by class of agent and type of tumour at once.

    Study effect = overall + class + tumour + class:tumour + agent within class + study, on the log scale; class, tumour
    and interaction effects add up to 0. The overall mean has a flat prior, every standard deviation a half-normal one.

    Parameters
    ----------
    evidence : Evidence
    outcome : str
        An outcome or family with a hazard ratio.
    by : {"class", "tumor"} or both
    relevant : float
        A ratio that a patient would notice: P(ratio < relevant), or above its inverse where more is better.
    priors : mapping, optional
        Half-normal priors of standard deviations by component: class, tumor, class:tumor, agent, study. Default: see
        `igfmeta.bayes.components.DEFAULT_SCALES`.
    use : {"primary", "sensitivity"}
    level : float
    seed : int
        The same seed gives the same numbers.
    **criteria
        The selection, as of `igfmeta.synthesis.pooling.pool`.

    Raises
    ------
    InputError
        An option that is not accepted, or an outcome that is not a ratio.
    NothingToPool
        No usable row, or fewer than two studies.

    References
    ----------
    Higgins, Thompson & Spiegelhalter 2009, J R Stat Soc A 172:137; Gelman & Hill 2007, chapter 13.

    Examples
    --------
    >>> import igfmeta as im
    >>> result = im.hierarchy(im.load_evidence(), outcome="os")
    >>> len(result.studies), [source.name for source in result.sources]
    (10, ['class', 'tumor', 'class:tumor', 'agent', 'study'])
    """
    factors, chosen = _checked_by(by), _checked_priors(priors)
    level = check_level(level)
    if not 0 < relevant < 1:
        raise InputError(f"relevant was {relevant!r}; accepted is a ratio between 0 and 1, such as 0.8.")
    question, studies = studies_for(evidence, outcome, use=use, level=level, **criteria)
    if transform_of(question.measure) != "exp" or null_value(question.measure) is None:
        raise InputError(f"{question.label} is not compared by a ratio; this model takes log ratios.")
    if len(studies) < 2:
        raise NothingToPool(f"{question.label}: {len(studies)} study; a hierarchy needs two at least.")
    classes = _levels([s.agent_class for s in studies], "class" in factors)
    tumors = _levels([s.tumor_type for s in studies], "tumor" in factors)
    agents = sorted({s.agent for s in studies})
    class_codes, tumor_codes = (
        _codes([s.agent_class for s in studies], classes),
        _codes([s.tumor_type for s in studies], tumors),
    )
    components = class_by_tumor(
        class_codes,
        tumor_codes,
        [agents.index(s.agent) for s in studies],
        n_classes=len(classes),
        n_tumors=len(tumors),
        priors=chosen,
    )
    vi = np.array([s.vi for s in studies])
    posterior = crossed_posterior(
        np.array([s.yi for s in studies]), np.diag(vi), components, rng=np.random.default_rng(seed)
    )
    counts = np.bincount(
        np.array(class_codes) * len(tumors) + np.array(tumor_codes), minlength=len(classes) * len(tumors)
    )
    words = _in_words(evidence)
    names = [(words.get(c, c), words.get(t, t)) for c in classes for t in tumors]
    return HierarchyResult(
        question=question,
        by=factors,
        cells=_cells(posterior, question, names, counts.tolist(), float(np.median(vi)), relevant, level),
        sources=_sources(posterior, {c.name: c.prior for c in components}, level),
        studies=tuple(studies),
        relevant=relevant,
        level=level,
        seed=seed,
        draws=DRAWS,
        effective_draws=posterior.effective_size,
        pareto_k=posterior.pareto_k,
        remarks=tuple(_remarks(posterior, counts.tolist())),
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        keys=tuple((c, t) for c in classes for t in tumors),
        posterior=posterior,
    )


def _in_words(evidence: Evidence) -> dict[str, str]:
    classes = {row["agent_class"]: row["label"] for row in evidence.table("agent_classes")}
    return {**classes, **{row["tumor_type"]: row["label"] for row in evidence.table("tumors")}}


def _cells(
    posterior: CrossedPosterior,
    question: Question,
    names: Sequence[tuple[str, str]],
    counts: Sequence[int],
    typical: float,
    relevant: float,
    level: float,
) -> tuple[Cell, ...]:
    n = len(names)
    means, new = posterior.cells(), posterior.new_studies()
    tail = np.full(n, 0.5 - level / 2)
    on_scale = {
        "median": means.quantile(np.full(n, 0.5)),
        "ci_lower": means.quantile(tail),
        "ci_upper": means.quantile(1 - tail),
        "pi_lower": new.quantile(tail),
        "pi_upper": new.quantile(1 - tail),
    }
    shown = {name: np.asarray(natural(question.measure, values)) for name, values in on_scale.items()}
    lower_is_better = question.better == "lower"
    threshold = math.log(relevant) if lower_is_better else -math.log(relevant)
    below = [means.cdf(np.full(n, value)) for value in (0.0, threshold)]
    benefit, notable = below if lower_is_better else [1 - p for p in below]
    one_study = typical + float(posterior.weights @ posterior.new_variance)
    informed = one_study / means.moments()[1] ** 2
    return tuple(
        Cell(
            agent_class=names[i][0],
            tumor=names[i][1],
            k=counts[i],
            **{name: float(values[i]) for name, values in shown.items()},
            p_benefit=float(benefit[i]),
            p_relevant=float(notable[i]),
            borrowed=max(0.0, float(informed[i]) - counts[i]),
        )
        for i in range(n)
    )


def _sources(posterior: CrossedPosterior, priors: dict[str, TauPrior], level: float) -> tuple[Source, ...]:
    implied = implied_ratios(priors, np.random.default_rng(0))
    quantiles = posterior.sd_quantiles([0.5, 0.5 - level / 2, 0.5 + level / 2])
    shares = posterior.shares()
    return tuple(
        Source(name, priors[name].label, implied[name], median, lower, upper, share)
        for name, (median, lower, upper), share in zip(
            posterior.names, quantiles.tolist(), shares.tolist(), strict=True
        )
    )


def _remarks(posterior: CrossedPosterior, counts: Sequence[int]) -> list[str]:
    remarks = []
    empty = sum(count == 0 for count in counts)
    if empty:
        remarks.append(
            f"{empty} of {len(counts)} cells have no study: what is said of them is borrowed, and rests on the priors."
        )
    if posterior.pareto_k > PARETO_K_LIMIT or posterior.effective_size < FEWEST_DRAWS:
        remarks.append(
            f"The importance sampling is not reliable (Pareto k {posterior.pareto_k:.2f}, effective draws "
            f"{posterior.effective_size:.0f}): do not use these numbers."
        )
    return remarks
