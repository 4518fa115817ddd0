"""Every result of every study of the evidence, however many a study has, with robust variances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.models.robust.fitting import RobustFit, fit_robust
from igfmeta.numerics import Floats
from igfmeta.synthesis.eligibility import USE_LEVELS, Row, Unused, left_out
from igfmeta.synthesis.formula_design import design
from igfmeta.synthesis.moderators import moderators_of
from igfmeta.synthesis.pooling import Which, estimable_effects, outcome_vocabulary, sources_of
from igfmeta.synthesis.questions import Question, questions
from igfmeta.synthesis.remarks import of_transformed_rates
from igfmeta.synthesis.risk_weights import checked_weights, discounted, shares, weighting
from igfmeta.synthesis.robust_results import SWEEP, RobustResult, RobustRow, equality, means_of_rows
from igfmeta.synthesis.robust_sampling import Sampling, result_of
from igfmeta.synthesis.rows_to_effects import RowEffect
from igfmeta.synthesis.studies import Sources, Study, studies_of
from igfmeta.synthesis.study_sets import CLUSTERS

#: What may tell the results of one study apart, in the order in which it is said.
_TELLING = ("outcome", "experimental", "control", "tumor_type", "tumor_subtype", "population", "use")


@dataclass(frozen=True, eq=False)
class _Results:
    """Every usable result, one outcome after the other, and which outcome that was asked for each is of."""

    questions: tuple[Question, ...]
    effects: tuple[RowEffect, ...]
    studies: tuple[Study, ...]
    asked: tuple[str, ...]
    unused: tuple[Unused, ...]

    @property
    def measure(self) -> str:
        return self.questions[0].measure


def robust(
    evidence: Evidence,
    *,
    outcome: str | Sequence[str] = "os",
    mods: str | None = None,
    measure: str | None = None,
    use: str = "primary",
    cluster: str = "study",
    working: str = "CHE",
    rho: float | None = None,
    adjustment: str = "CR2",
    level: float = 0.95,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> RobustResult:
    """Pool or regress every usable result of every study, with variances that hold whatever their dependence.

    Where `pool` takes one result of a comparison, this takes all: doses beside one control arm, outcomes of a family
    (PFS and EFS), cohorts, a second reading of an endpoint. With CHE the sampling errors of results of the same
    patients have the assumed correlation `rho`, those of contrasts with one control arm what its size gives, and those
    of different patients none.

    Parameters
    ----------
    evidence : Evidence
    outcome : str or sequence of str
        Outcomes or families with one measure. Of several each has its own mean, unless `mods` says otherwise.
    mods : str, optional
        Formula of columns of the trials table and `tumor_group`, such as "~ year + C(phase)" or "~ outcome - 1".
    measure, use, risk_weights, **criteria
        As of `igfmeta.synthesis.pooling.pool`; logits of rates have normal variances here. "sensitivity" adds the rows
        marked so, beside the primary rows of their studies.
    cluster : {"study", "agent", "class", "tumor"}
        Results of one cluster may depend on each other in any way.
    working : {"CHE", "CORR", "HIER", "RE", "EQUAL"}
        What the weights take the dependence to be; see `igfmeta.models.robust.working`.
    rho : float, optional
        0.8 by default; results are also given under others.
    adjustment : {"CR2", "CR1", "CR0"}
    level : float

    Returns
    -------
    RobustResult

    Raises
    ------
    InputError
        Options that are not accepted, outcomes that overlap or have several measures, a formula that cannot be used.
    NothingToPool
        An outcome without a usable row, or fewer clusters than the coefficients need.

    References
    ----------
    Hedges, Tipton & Johnson 2010, Res Synth Methods 1:39; Pustejovsky & Tipton 2018, J Bus Econ Stat 36:672, and 2022,
    Prev Sci 23:425.

    Examples
    --------
    >>> import igfmeta as im
    >>> found = im.robust(im.load_evidence(), outcome="progression")
    >>> found.fit.k, found.fit.clusters, found.several
    (20, 17, 3)
    >>> mean = found.fit.coefficients[0]
    >>> [round(found.natural(value), 2) for value in (mean.estimate, mean.ci_lower, mean.ci_upper)]
    [1.08, 1.0, 1.16]
    """
    use, level = check_choice("use", use, USE_LEVELS), check_level(level)
    kind = CLUSTERS[check_choice("cluster", cluster, tuple(CLUSTERS))]
    asked = _questions([outcome] if isinstance(outcome, str) else list(outcome), measure, evidence)
    results = _results(evidence, asked, use, dict(criteria), level)
    weights = checked_weights(risk_weights)
    results = replace(results, studies=tuple(discounted(results.studies, weights, results.measure, level)))
    clusters = [str(getattr(study, kind)) or "(blank)" for study in results.studies]
    _refuse_divided(results.studies, clusters, cluster)
    x, names = _design(evidence, results, mods)
    yi, vi = (np.array([getattr(study, name) for study in results.studies]) for name in ("yi", "vi"))
    sampling = None
    if working == "CHE":
        sampling = Sampling.of(results.effects, results.measure, shares(results.studies, weights))

    def fitted(correlation: float | None) -> RobustFit:
        return fit_robust(
            yi, vi, clusters, x=x, names=names, working=working, rho=correlation, sampling=sampling,
            adjustment=adjustment, level=level,
        )  # fmt: skip

    fit = fitted(rho)
    means = means_of_rows(x)
    indifferent = sampling is not None and not sampling.needs_rho
    return RobustResult(
        title=f"{' and '.join(q.label for q in asked)}: robust variances, {fit.k} results of "
        f"{len({s.study_id for s in results.studies})} studies",
        measure=results.measure,
        outcomes=tuple(question.name for question in asked),
        mods=mods,
        cluster=cluster,
        means=means,
        fit=fit,
        equal_means=equality(fit) if means else None,
        sweep=tuple((each, fitted(each)) for each in SWEEP) if fit.rho is not None and not indifferent else (),
        rows=_rows(results, clusters, cluster, fit),
        unused=results.unused,
        remarks=(*_remarks(results, working, sampling), *weighting(weights, _once(results.studies))),
        n_harmonic=_n_harmonic(results),
        file=None,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
    )


def _questions(outcomes: Sequence[str], measure: str | None, evidence: Evidence) -> tuple[Question, ...]:
    """Return one question for each outcome; those that ask for the same rows, or by several measures, are refused."""
    asked = questions(outcomes, measure, outcome_vocabulary(evidence))
    measures = list(dict.fromkeys(question.measure for question in asked))
    if len(measures) > 1:
        raise InputError(
            f"outcome was {listed(outcomes)}, which gives {listed(measures)}; a model is of one measure: add measure."
        )
    keys = [key for question in asked for key in question.outcomes]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise InputError(f"outcome was {listed(outcomes)}, which asks for {listed(twice)} twice; name it once.")
    return asked


def _results(
    evidence: Evidence, asked: tuple[Question, ...], use: str, criteria: dict[str, Any], level: float
) -> _Results:
    sources = sources_of(evidence)
    rows = evidence.select(**criteria).table("trials")
    found = [usable_results(rows, question, use, criteria, sources) for question in asked]
    empty = [question.name for question, (effects, _) in zip(asked, found, strict=True) if not effects]
    if empty:
        raise NothingToPool(f"There is no usable row of {listed(empty)} in the selection.")
    effects = tuple(effect for own, _ in found for effect in own)
    return _Results(
        questions=asked,
        effects=effects,
        studies=tuple(studies_of([effect], asked[0].measure, sources, level=level)[0] for effect in effects),
        asked=tuple(question.name for question, (own, _) in zip(asked, found, strict=True) for _ in own),
        unused=tuple(each for _, unused in found for each in unused),
    )


def usable_results(
    rows: Sequence[Row], question: Question, use: str, criteria: dict[str, Any], sources: Sources
) -> tuple[list[RowEffect], list[Unused]]:
    """Return every effect that answers a question; medians only where the same outcome has no hazard ratio."""
    usable, unused = estimable_effects(rows, question, use, criteria, sources)
    ratios = {result_of(effect.row) for effect in usable if effect.row["measure"] != "median"}
    worse = [effect for effect in usable if effect.row["measure"] == "median" and result_of(effect.row) in ratios]
    unused += [left_out(effect.row, "medians, where the same result has a hazard ratio") for effect in worse]
    return [effect for effect in usable if effect not in worse], unused


def _refuse_divided(studies: Sequence[Study], clusters: Sequence[str], cluster: str) -> None:
    of: dict[str, set[str]] = {}
    for study, label in zip(studies, clusters, strict=True):
        of.setdefault(study.study_id, set()).add(label)
    divided = {study: sorted(labels) for study, labels in of.items() if len(labels) > 1}
    if divided:
        said = "; ".join(f"{study} in {listed(labels)}" for study, labels in divided.items())
        raise InputError(
            f"cluster was {cluster!r}, which divides studies ({said}), whose results depend on each other; accepted "
            "is what holds studies whole, such as study."
        )


def _design(evidence: Evidence, results: _Results, mods: str | None) -> tuple[Floats | None, tuple[str, ...] | None]:
    if mods is not None:
        return design(mods, moderators_of(evidence, results.studies, mods))
    names = tuple(question.name for question in results.questions)
    if len(names) == 1:
        return None, None
    return np.array([[own == name for name in names] for own in results.asked], dtype=float), names


def _rows(results: _Results, clusters: Sequence[str], cluster: str, fit: RobustFit) -> tuple[RobustRow, ...]:
    details = _details([effect.row for effect in results.effects])
    return tuple(
        RobustRow(
            label=study.label,
            detail=detail,
            row=int(effect.row["file_row"]),
            row_id=effect.row["row_id"],
            cluster=label,
            group=study.label if cluster == "study" else label,
            yi=study.yi,
            vi=study.vi,
            estimate=study.estimate,
            ci_lower=study.ci_lower,
            ci_upper=study.ci_upper,
            weight=float(weight),
            derivation=study.derivation,
            reason=None,
            source_id=study.source_ids[0],
            citation=study.citation,
            href=study.href,
        )
        for study, effect, label, detail, weight in zip(
            results.studies, results.effects, clusters, details, fit.weights, strict=True
        )
    )


def _details(rows: Sequence[Row]) -> list[str]:
    """Return what tells each result from the others of its study: as few columns as do, else its row.

    A result that is alone is told its outcome where there are several.
    """
    several = len({row["outcome"] for row in rows}) > 1
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row["study_id"], []).append(row)
    said = []
    for row in rows:
        others = [each for each in of[row["study_id"]] if each is not row]
        said.append(_detail(row, others) if others else str(row["outcome"]) if several else "")
    return said


def _detail(row: Row, others: Sequence[Row]) -> str:
    said: list[str] = []
    for name in _TELLING:
        alike = [each for each in others if each[name] == row[name]]
        if row[name] and len(alike) < len(others):
            said.append(f"{row[name]} row" if name == "use" else str(row[name]).replace("_", " "))
            others = alike
        if not others:
            break
    return ", ".join(dict.fromkeys(said if not others else [*said, row["row_id"]]))


def _once(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Return one result of each study."""
    return tuple({study.study_id: study for study in studies}.values())


def _n_harmonic(results: _Results) -> float | None:
    if results.questions[0].arms != "single_arm":
        return None
    sizes = [study.counts[1] for study in results.studies]
    return len(sizes) / sum(1 / n for n in sizes)


def _remarks(results: _Results, working: str, sampling: Sampling | None) -> tuple[str, ...]:
    said = []
    shares = [effect.row["shared_control"] and effect.row["study_id"] for effect in results.effects]
    if any(name and shares.count(name) > 1 for name in shares):
        if sampling is not None:
            said.append("Contrasts that share a control arm are correlated by its size, whatever rho is.")
        elif working == "CORR":
            said.append("CORR takes contrasts that share a control arm for any two results of a study, by rho.")
        else:
            said.append(
                f"{working} weights contrasts that share a control arm as if they were independent; the variance holds "
                "all the same."
            )
    if sampling is not None and not sampling.needs_rho:
        said.append("No two results are of the same patients: the assumed correlation plays no part.")
    if sampling is not None and sampling.alike.any():
        said.append("Sensitivity rows may hold patients of other rows of their study: rho between all of its rows.")
    if results.measure in ("PLO", "PLN"):
        said.append(of_transformed_rates(results.effects, results.measure))
    return tuple(said)
