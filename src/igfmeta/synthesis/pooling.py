"""Pools the evidence: a selection and a question -> the fits that answer it, overall and by group, in both schools."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import numpy as np

from igfmeta.bayes.posterior import Posterior, normal_normal
from igfmeta.bayes.tau_priors import TauPrior, default_tau_prior, parse_tau_prior
from igfmeta.errors import NothingToPool, check_choice, check_level
from igfmeta.evidence.selection import Choice, Years
from igfmeta.evidence.tables import Evidence
from igfmeta.models import pooling as kernel
from igfmeta.models.count_subgroups import VARYING
from igfmeta.models.results import Pooled
from igfmeta.models.subgroups import between_groups, classical_variance
from igfmeta.synthesis import remarks
from igfmeta.synthesis.count_pools import pool_counts
from igfmeta.synthesis.eligibility import USE_LEVELS, Row, Unused, eligible, left_out, once_per_study
from igfmeta.synthesis.group_hierarchy import group_hierarchy
from igfmeta.synthesis.grouping import BY, Grouped, grouper
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.model_methods import ModelMethods, methods_heeded
from igfmeta.synthesis.pool_models import RANDOM
from igfmeta.synthesis.questions import OutcomeInfo, Question, questions
from igfmeta.synthesis.rate_pools import between_rates, pool_rates
from igfmeta.synthesis.results import Answer, AnyPosterior, BetweenGroups, Group, NoAnswer, PoolResult
from igfmeta.synthesis.risk_weights import checked_weights, weighted, weighting
from igfmeta.synthesis.rows_to_effects import RowEffect, effects_of
from igfmeta.synthesis.studies import Sources, Study, row_label, studies_of
from igfmeta.version import __version__


class Which(TypedDict, total=False):
    """Which studies; each criterion a value or several."""

    agent_class: Choice
    agent: Choice
    tumor: Choice
    tumor_group: Choice
    phase: Choice
    design: Choice
    year: Years
    biomarker: Choice
    regimen: Choice
    partners: Choice
    contrast: Choice
    study: Choice
    risk_of_bias: Choice


def sources_of(evidence: Evidence) -> Sources:
    """Return the sources of the evidence, with the risk of bias of each study."""
    return Sources.of(evidence.table("sources"), judgements=evidence.table("risk_of_bias"))


def outcome_vocabulary(evidence: Evidence) -> dict[str, OutcomeInfo]:
    """Return the outcomes that the evidence defines."""
    names = OutcomeInfo.__dataclass_fields__
    rows = [{name: row[name] for name in names} for row in evidence.table("outcomes")]
    return {row["outcome"]: OutcomeInfo(**row) for row in rows}


def _fits(
    groups: Sequence[Sequence[Study]],
    question: Question,
    methods: Methods,
    own: ModelMethods | None,
    tau_prior: TauPrior,
) -> Sequence[tuple[Pooled, AnyPosterior]]:
    """Fit every group in one batch: row g holds the studies of group g, and the mask how many they are."""
    if own is not None and question.counted:
        return pool_rates(
            groups, model=question.model, tau_prior=tau_prior, level=methods.level, common=own.common, ci=own.ci
        )
    mask = np.arange(max(map(len, groups))) < np.array([[len(group)] for group in groups])
    yi, vi = np.zeros(mask.shape), np.ones(mask.shape)
    yi[mask] = [study.yi for group in groups for study in group]
    vi[mask] = [study.vi for group in groups for study in group]
    if own is None:
        batch = kernel.pool(yi, vi, mask=mask, **methods.frequentist())
        fits = [batch.one(g) for g in range(len(groups))]
    else:
        fits = pool_counts(groups, question, own, level=methods.level)
    telling = mask & np.isfinite(yi)
    yi, vi = np.where(telling, yi, 0.0), np.where(telling, vi, 1.0)
    posteriors = normal_normal(yi, vi, mask=telling, tau_prior=tau_prior, **methods.bayesian())
    return [(fit, posteriors.one(g)) for g, fit in enumerate(fits)]


def _group(
    key: str, label: str, studies: Sequence[Study], fit: Pooled, posterior: AnyPosterior, question: Question
) -> Group:
    known = [study.patients for study in studies if not math.isnan(study.patients)]
    sizes = [study.counts[1] for study in studies]
    p_benefit = None
    if isinstance(posterior, Posterior) and question.arms == "comparison":
        below = float(posterior.probability_below(0.0))
        p_benefit = below if question.better == "lower" else 1.0 - below
    return Group(
        key=key,
        label=label,
        measure=question.measure,
        studies=tuple(studies),
        fit=fit,
        posterior=posterior,
        p_benefit=p_benefit,
        patients=float(sum(known)),
        patients_missing=len(studies) - len(known),
        n_harmonic=len(sizes) / sum(1 / n for n in sizes) if question.arms == "single_arm" else None,
        remarks=remarks.of_group(fit, posterior, question.measure, model=question.model),
        model=question.model,
    )


def _parts(
    effects: Sequence[RowEffect], grouped: Grouped, question: Question, sources: Sources, level: float
) -> list[tuple[str, str, list[Study]]]:
    """Return key, label and studies of everything together and then of each group, the largest group first."""

    def studies(rows: Sequence[RowEffect]) -> list[Study]:
        added = question.model != RANDOM and question.arms == "comparison"
        return studies_of(rows, question.measure, sources, level=level, added=added)

    each = [(key, label, studies(rows)) for (key, label), rows in grouped.items()]
    everything = studies(effects)
    return [("all", "All studies", everything), *sorted(each, key=lambda part: (-len(part[2]), part[1]))]


def _between(groups: Sequence[Group], model: str) -> BetweenGroups | None:
    """Test the groups' estimates against each other; None with fewer than two groups that have one."""
    if len(groups) < 2:
        return None
    if groups[0].counted and model == "glmm":
        q, df, p_value = between_rates([g.studies for g in groups])
        return BetweenGroups(q=q, df=df, p_value=p_value, groups=len(groups), test="likelihood ratio, one tau2")
    told = [g for g in groups if g.fit.se is not None and math.isfinite(g.fit.se)]
    if len(told) < 2:
        return None
    variances = [
        classical_variance([study.vi for study in g.studies], g.fit.tau2) if model == RANDOM else g.fit.se**2
        for g in told
    ]
    q, df, p_value = between_groups([g.fit.estimate for g in told], variances)
    test = "Wald, separate fits" if model in VARYING else "Q, separate tau2" if model == RANDOM else "Q, common effects"
    return BetweenGroups(q=q, df=df, p_value=p_value, groups=len(told), test=test)


def _readmitted(effect: RowEffect, question: Question) -> bool:
    """Return whether a model uses a row that has no effect of its own: both arms known, nobody with an event."""
    return question.model == "beta-binomial" and bool(np.isfinite(effect.counts).all())


def usable_effects(
    rows: Sequence[Row], question: Question, use: str, criteria: Mapping[str, Any], sources: Sources
) -> tuple[list[RowEffect], list[Unused]]:
    """Return the effects that answer a question, one for each comparison, and the rows that do not with the reason."""
    effects, unused = estimable_effects(rows, question, use, criteria, sources)
    kept, repeated = once_per_study([effect.row for effect in effects], question)
    chosen = {row["row_id"] for row in kept}
    return [effect for effect in effects if effect.row["row_id"] in chosen], unused + repeated


def estimable_effects(
    rows: Sequence[Row], question: Question, use: str, criteria: Mapping[str, Any], sources: Sources
) -> tuple[list[RowEffect], list[Unused]]:
    """Return every effect of the rows that can answer a question, and the rows without one with the reason."""
    candidates, unused = eligible(
        rows, question, use=use, regimen=criteria.get("regimen"), contrast=criteria.get("contrast")
    )
    effects = effects_of(candidates, question)
    unused += [
        replace(left_out(effect.row, effect.reason), label=row_label(effect.row, sources), not_estimable=True)
        for effect in effects
        if effect.reason is not None and not _readmitted(effect, question)
    ]
    return [effect for effect in effects if effect.reason is None or _readmitted(effect, question)], unused


def _no_answer(question: Question, unused: Sequence[Unused]) -> NoAnswer:
    what = "single-arm rates" if question.arms == "single_arm" else "comparisons"
    reason = f"{question.label} ({question.measure}): no usable row of {what} in the selection"
    found = f"; {len(unused)} found and not used." if unused else "."
    return NoAnswer(question=question, reason=reason + found, unused=tuple(unused))


def effects_for(
    evidence: Evidence, outcome: str, *, measure: str | None = None, use: str = "primary", **criteria: Unpack[Which]
) -> tuple[Question, list[RowEffect], Sources]:
    """Return the question that an outcome means and the usable effects that answer it, as `pool` would take them.

    Raises
    ------
    InputError
        An outcome, a measure, a use or a criterion that is not accepted.
    NothingToPool
        No usable row.
    """
    use = check_choice("use", use, USE_LEVELS)
    question = questions([outcome], measure, outcome_vocabulary(evidence))[0]
    sources = sources_of(evidence)
    rows = evidence.select(**criteria).table("trials")
    effects, unused = usable_effects(rows, question, use, criteria, sources)
    if not effects:
        raise NothingToPool(_no_answer(question, unused).reason)
    return question, effects, sources


def unanswered_question(
    evidence: Evidence, outcome: str, measure: str, *, use: str = "primary", **criteria: Unpack[Which]
) -> NoAnswer:
    """Return the record of a question that no usable row answers, with the rows that were found."""
    question = questions([outcome], measure, outcome_vocabulary(evidence))[0]
    rows = evidence.select(**criteria).table("trials")
    _, unused = usable_effects(rows, question, use, criteria, sources_of(evidence))
    return _no_answer(question, unused)


def pool(
    evidence: Evidence,
    *,
    outcome: str | Sequence[str] | None = None,
    by: str = "tumor",
    measure: str | None = None,
    method: str | None = None,
    ci: str | None = None,
    pi: str | None = None,
    model: str | None = None,
    prior: str | TauPrior | None = None,
    use: str = "primary",
    level: float = 0.95,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> PoolResult:
    """Pool the evidence that a selection leaves, overall and by group, with both statistical schools.

    Parameters
    ----------
    evidence : Evidence
    outcome : str or sequence of str, optional
        Outcome keys (`os`) or families (`progression`). Default: overall survival, progression (PFS, EFS, TTP or DFS,
        one per study) and the single-arm response rate.
    by : {"class", "agent", "tumor", "tumor_group", "phase", "biomarker", "none"}
        What makes a group.
    measure : str, optional
        HR; OR, RR, RD, PETO, AS; PLO, PLN, PR, PAS, PFT. Default: what the outcome has.
    method : str, optional
        Estimator of tau2; by default REML. Models of counts have ML (their default) or CE, or a common effect.
    ci, pi : str, optional
        Methods of the confidence and of the prediction interval; by default HK. Of model glmm ci is PL (profile
        likelihood, the default), z or t, and the prediction interval follows. What a model does not heed is refused, or
        said with its answer where other questions heed it.
    model : str, optional
        random: inverse variance; of counts glmm (PLO; OR by its exact conditional likelihood), mh, peto, beta-binomial,
        logistic, firth. By default glmm for single-arm rates on the logit scale (PLO), and random otherwise.
    prior : str or prior, optional
        Of tau, such as "half-normal(0.5)". Default: by measure; stated in the result.
    use : {"primary", "sensitivity"}
        "sensitivity" adds rows that the evidence marks so.
    level : float
        Of every interval.
    risk_weights : mapping, optional
        Weight of each risk of bias (low, some, high, unclear, none: not judged), above 0 and up to 1: variances are
        divided by it. See `igfmeta.synthesis.risk_weights`.
    **criteria
        The selection: agent_class, agent, tumor, tumor_group, phase, design, year, biomarker, regimen, partners,
        contrast, study, risk_of_bias.
        Single-arm results are of monotherapy unless `regimen` says otherwise; comparisons are those
        that isolate the agent unless `contrast` says otherwise.

    Returns
    -------
    PoolResult

    Raises
    ------
    InputError
        An option or a criterion that is not accepted.
    NothingToPool
        No question has a usable row.

    Examples
    --------
    >>> import igfmeta as im
    >>> result = im.pool(im.load_evidence(), agent_class="antibody", outcome="os")
    >>> result["os"].question.measure, result["os"].overall.fit.k
    ('HR', 8)
    """
    by = check_choice("by", by, BY)
    use = check_choice("use", use, USE_LEVELS)
    methods = Methods(method=method or "REML", ci=ci or "HK", pi=pi or "HK", level=check_level(level))
    tau_prior = parse_tau_prior(prior) if isinstance(prior, str) else prior
    weights = checked_weights(risk_weights)
    wanted = [outcome] if isinstance(outcome, str) else outcome
    asked = questions(wanted, measure, outcome_vocabulary(evidence), model=model)
    of_counts = methods_heeded(asked, method, ci, pi)
    rows = evidence.select(**criteria).table("trials")
    sources = sources_of(evidence)
    grouped = grouper(by, evidence)
    answers: list[Answer] = []
    unanswered: list[NoAnswer] = []
    for question in asked:
        effects, unused = usable_effects(rows, question, use, criteria, sources)
        if not effects:
            unanswered.append(_no_answer(question, unused))
            continue
        parts = [
            (key, label, weighted(studies, weights, question, level=level))
            for key, label, studies in _parts(effects, grouped(effects), question, sources, level)
        ]
        prior, own = tau_prior or default_tau_prior(question.measure), of_counts.get(question)
        fits = _fits([studies for _, _, studies in parts], question, methods, own, prior)
        groups = [_group(*part, *fit, question) for part, fit in zip(parts, fits, strict=True)]
        answers.append(
            Answer(
                question=question,
                by=by,
                overall=groups[0],
                groups=tuple(groups[1:]),
                between=_between(groups[1:], question.model),
                hierarchy=group_hierarchy([g.studies for g in groups[1:]], question, by=by, level=methods.level),
                unused=tuple(unused),
                remarks=(
                    *remarks.of_answer(question, groups[0].studies),
                    *weighting(weights, groups[0].studies),
                    *([own.unheeded] if own is not None and own.unheeded else []),
                ),
            )
        )
    if not answers:
        raise NothingToPool("\n".join(missing.reason for missing in unanswered))
    selection = {"outcome": tuple(wanted or ()), "by": by, "measure": measure, "use": use, **criteria}
    if model is not None:
        selection["model"] = model
    if risk_weights:
        selection["risk_weights"] = {name: weight for name, weight in weights.items() if weight != 1}
    return PoolResult(
        answers=tuple(answers),
        unanswered=tuple(unanswered),
        selection=selection,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        version=__version__,
    )
