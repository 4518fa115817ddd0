"""Class x tumour at once: every cell borrows from its class, its tumour type and the rest, as far as the data say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from igfmeta.bayes.components import Factor, class_by_tumor, default_priors, implied_ratio
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import Floats
from igfmeta.synthesis.engines import Fitted, fitted
from igfmeta.synthesis.hierarchy_inputs import HierarchyData, hierarchy_data, weighting_of
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult, Source, cells_of
from igfmeta.synthesis.pooling import Which

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan

FACTORS = ("class", "tumor")

#: What counts as relevant where nothing is said: a ratio, and a rate of response.
RELEVANT_RATIO, RELEVANT_RATE = 0.8, 0.1


def checked_priors(priors: Mapping[str, TauPrior] | None, *, rates: bool) -> dict[str, TauPrior]:
    """Return the priors of every factor: the defaults, with those given put in their place."""
    chosen = default_priors(rates=rates)
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


def _refuse_unused(priors: Mapping[str, TauPrior], by: Sequence[str]) -> None:
    """Refuse priors of components that a model by class or tumour alone does not have."""
    unused = [name for name in priors if any(part in FACTORS and part not in by for part in name.split(":"))]
    if unused:
        raise InputError(f"A prior was given for {listed(unused)}, which a model by {listed(by)} alone does not have.")


def _checked_relevant(relevant: float | None, *, rates: bool) -> float:
    if relevant is None:
        return RELEVANT_RATE if rates else RELEVANT_RATIO
    if not 0 < relevant < 1:
        example = "a rate between 0 and 1, such as 0.1" if rates else "a ratio between 0 and 1, such as 0.8"
        raise InputError(f"relevant was {relevant!r}; accepted is {example}.")
    return relevant


class _Layout:
    """The levels of a model, the codes of its studies, and the cells and averages that it speaks of."""

    def __init__(self, data: HierarchyData, by: Sequence[str]) -> None:
        self.data = data
        self.classes, class_codes = _levels([s.agent_class for s in data.studies], "class" in by)
        self.tumors, tumor_codes = _levels([s.tumor_type for s in data.studies], "tumor" in by)
        self.codes = class_codes, tumor_codes, _levels([s.agent for s in data.studies], True)[1]
        c, t = len(self.classes), len(self.tumors)
        self.keys = [(one, other) for one in self.classes for other in self.tumors]
        rows = [np.eye(c * t)]
        if t > 1 and c > 1:
            rows.append(np.kron(np.eye(c), np.full((1, t), 1 / t)))
            rows.append(np.kron(np.full((1, c), 1 / c), np.eye(t)))
            self.keys += [(one, ALL) for one in self.classes] + [(ALL, other) for other in self.tumors]
        if c * t > 1:
            rows.append(np.full((1, c * t), 1 / (c * t)))
            self.keys.append((ALL, ALL))
        self.weights: Floats = np.concatenate(rows)
        self.n_cells = c * t
        own = np.bincount(np.array(class_codes) * t + np.array(tumor_codes), minlength=c * t)
        self.counts: list[int] = np.rint((self.weights > 0) @ own).astype(int).tolist()

    def factors(self, priors: Mapping[str, TauPrior]) -> list[Factor]:
        return class_by_tumor(
            *self.codes,
            n_classes=len(self.classes),
            n_tumors=len(self.tumors),
            priors=priors,
            studies=self.data.trial.tolist(),
        )


def _levels(values: Sequence[str], wanted: bool) -> tuple[list[str], list[int]]:
    if not wanted:
        return [ALL], [0] * len(values)
    levels = sorted(set(values))
    return levels, [levels.index(value) for value in values]


def hierarchy(
    evidence: Evidence,
    *,
    outcome: str = "os",
    measure: str | None = None,
    by: str | Sequence[str] = FACTORS,
    relevant: float | None = None,
    priors: Mapping[str, TauPrior] | None = None,
    use: str = "primary",
    level: float = 0.95,
    seed: int = 1,
    engine: str = "exact",
    study_effects: str = "normal",
    plan: Plan | None = None,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> HierarchyResult:
    """Model an outcome by class of agent and type of tumour at once.

    Study effect = overall + class + tumour + class:tumour + agent within class + study, on the log scale for hazard and
    odds ratios, on the logit scale for the rate of one arm; class, tumour and interaction effects add up to 0. Hazard
    ratios are normal on the log scale, contrasts with one control arm correlated; counts are binomial, zeros included.
    The mean of log hazard ratios has a flat prior, that of logits and log odds ratios a wide normal one; every standard
    deviation has a half-normal, half-t or half-Cauchy one.

    Parameters
    ----------
    evidence : Evidence
    outcome : str
        An outcome or family.
    measure : {"HR", "OR", "PLO"}, optional
        Default: the hazard ratio of a time to an event, the rate of one arm (PLO) of an outcome that is counted.
    by : {"class", "tumor"} or both
    relevant : float, optional
        What a patient would notice: a ratio (default 0.8, P(ratio < 0.8), or above its inverse where more is better) or
        the rate of one arm (default 0.1).
    priors : mapping, optional
        Of standard deviations by factor: class, tumor, class:tumor, agent, study. Default: see
        `igfmeta.bayes.components.default_priors`.
    use : {"primary", "sensitivity"}
    level : float
    seed : int
        The same seed gives the same numbers.
    engine : {"exact", "mcmc"}
        "exact" integrates what is Gaussian given the standard deviations and samples those by importance; "mcmc" draws
        everything with PyMC.
    study_effects : {"normal", "t", "mixture"}
        Distribution of the study effects; the last two let outlying studies lie far out, and need "mcmc".
    plan : Plan, optional
        How to sample with "mcmc"; its seed is `seed`.
    risk_weights : mapping, optional
        Weight of each risk of bias, as of `igfmeta.synthesis.pooling.pool`: of hazard ratios the variance is divided by
        it, of counts the likelihood is raised to it. See `igfmeta.synthesis.risk_weights`.
    **criteria
        The selection, as of `igfmeta.synthesis.pooling.pool`.

    Raises
    ------
    InputError
        An option that is not accepted.
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
    factors = _checked_by(by)
    level = check_level(level)
    data = hierarchy_data(
        evidence, outcome, measure=measure, use=use, level=level, risk_weights=risk_weights, **criteria
    )
    rates = data.question.arms == "single_arm"
    relevant, chosen = _checked_relevant(relevant, rates=rates), checked_priors(priors, rates=rates)
    if len(data.studies) < 2:
        raise NothingToPool(f"{data.question.label}: {len(data.studies)} study; a hierarchy needs two at least.")
    _refuse_unused(priors or {}, factors)
    layout = _Layout(data, factors)
    made = fitted(
        data,
        layout.factors(chosen),
        layout.weights,
        seed=seed,
        engine=engine,
        study_effects=study_effects,
        plan=plan,
    )
    words = _in_words(evidence)
    names = [(words.get(c, c), words.get(t, t)) for c, t in layout.keys]
    cells = cells_of(
        made.posterior,
        data.question,
        names,
        layout.counts,
        len(names) - layout.n_cells,
        _typical(data, made.posterior),
        relevant,
        level,
    )
    return HierarchyResult(
        question=data.question,
        by=factors,
        cells=cells[: layout.n_cells],
        averages=cells[layout.n_cells :],
        sources=_sources(made.posterior, chosen, level),
        studies=data.studies,
        relevant=relevant,
        level=level,
        likelihood=made.likelihood,
        mean_prior=made.mean_prior,
        study_effects=made.study_effects,
        engine=made.engine,
        seed=seed,
        draws=len(made.posterior.weights),
        effective_draws=made.posterior.effective_size,
        pareto_k=made.posterior.pareto_k,
        remarks=(
            *_remarks(made, cells[: layout.n_cells], weighting_of(risk_weights, [data])),
            *_unasked(priors or {}, made.posterior.names),
        ),
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        keys=tuple(layout.keys),
        posterior=made.posterior,
        sampled=None if made.sampled is None else made.sampled.labelled(cell=[", ".join(key) for key in layout.keys]),
    )


def _in_words(evidence: Evidence) -> dict[str, str]:
    classes = {row["agent_class"]: row["label"] for row in evidence.table("agent_classes")}
    return {**classes, **{row["tumor_type"]: row["label"] for row in evidence.table("tumors")}}


def _typical(data: HierarchyData, posterior: CrossedPosterior) -> Floats:
    """Return the sampling variance of a study of median precision in each cell.

    A logit's is 1 / (n p (1 - p)): the arm of median size at the rate of the cell.
    """
    n_cells = posterior.mean.shape[1]
    if data.question.arms != "single_arm":
        return np.full(n_cells, float(np.nanmedian(np.diag(data.covariance))))
    rate = 1 / (1 + np.exp(-posterior.weights @ posterior.mean))
    return np.asarray(1 / (float(np.median(data.share * data.counts[:, 1])) * rate * (1 - rate)))


def _sources(posterior: CrossedPosterior, priors: dict[str, TauPrior], level: float) -> tuple[Source, ...]:
    quantiles = posterior.sd_quantiles([0.5, 0.5 - level / 2, 0.5 + level / 2])
    shares = posterior.shares()
    return tuple(
        Source(name, priors[name].label, implied_ratio(priors[name]), median, lower, upper, share)
        for name, (median, lower, upper), share in zip(
            posterior.names, quantiles.tolist(), shares.tolist(), strict=True
        )
    )


def _unasked(priors: Mapping[str, TauPrior], names: Sequence[str]) -> list[str]:
    """Return a sentence on priors of components that the studies leave out, all being of one class or tumour."""
    unused = [name for name in priors if name not in names]
    return [f"The prior of {' and of '.join(unused)} says nothing: the studies have one level of it."] if unused else []


def _remarks(made: Fitted, cells: Sequence[Cell], weights: Sequence[str]) -> list[str]:
    remarks = [*made.remarks, *weights]
    empty = sum(cell.k == 0 for cell in cells)
    if empty:
        remarks.append(
            f"{empty} of {len(cells)} cells have no study: what is said of them is borrowed, and rests on the priors."
        )
    if any(math.isnan(study.yi) for study in made.studies):
        remarks.append("Studies without an event in either arm have no odds ratio of their own; they enter by counts.")
    return remarks
