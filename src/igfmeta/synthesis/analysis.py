"""A protocol answered: every fit that its report shows, made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from igfmeta.bayes.tau_priors import parse_tau_prior
from igfmeta.errors import InputError, NothingToPool
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.absolute import Absolute, absolute_effects
from igfmeta.synthesis.certainty import Rating, rate
from igfmeta.synthesis.checks import Checks, checks_of
from igfmeta.synthesis.dependence import Dependence, dependence_of
from igfmeta.synthesis.hierarchy import hierarchy
from igfmeta.synthesis.hierarchy_results import HierarchyResult
from igfmeta.synthesis.pooling import outcome_vocabulary, pool
from igfmeta.synthesis.protocol import Model, Outcome, Protocol, RiskQuestion, Variant
from igfmeta.synthesis.protocol_check import check_against, of_protocol, varied
from igfmeta.synthesis.protocol_files import ProtocolFile
from igfmeta.synthesis.questions import OutcomeInfo
from igfmeta.synthesis.results import Answer, NoAnswer

if TYPE_CHECKING:
    from igfmeta.synthesis.dose import DoseResult
    from igfmeta.synthesis.metaregression import RegressionResult
    from igfmeta.synthesis.regress_results import MetaRegression
    from igfmeta.synthesis.risk_results import RiskResult
    from igfmeta.synthesis.triangulation_results import Triangulation

#: How a hierarchy by PyMC is come by: the options of `hierarchy` -> its result; None where none is wanted.
Sampler = Callable[[Evidence, dict[str, Any]], HierarchyResult]
Progress = Callable[[str], None]

#: The measure of a hierarchy by the measure of the pool: counts are binomial there.
HIERARCHICAL = {"HR": "HR", "OR": "OR", "RR": "OR", "RD": "OR", "PETO": "OR", "AS": "OR"}


@dataclass(frozen=True, eq=False)
class VariantFit:
    """A sensitivity analysis of one outcome: its answer, or why there is none."""

    name: str
    answer: Answer | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class ModeratorFit:
    """Meta-regressions of one outcome on one column of the evidence by both schools, or why there is none."""

    name: str
    regression: MetaRegression | None
    result: RegressionResult | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class OutcomeAnalysis:
    """One outcome answered.

    Attributes
    ----------
    spec : Outcome
        As the protocol has it.
    info : OutcomeInfo
        Of the outcome that the question prefers.
    answer : Answer or None
    missing : NoAnswer or None
        Why there is no answer.
    hierarchy, sampled : HierarchyResult or None
        By the exact engine, and by PyMC where that was asked for.
    subgroups : tuple of Answer
        The same studies by other groupings.
    variants : tuple of VariantFit
    absolute : Absolute or None
    rating : Rating or None
    moderators : tuple of ModeratorFit
    checks : Checks or None
        Influence of single studies, small-study effects, sensitivity to every choice of method.
    dependence : tuple of Dependence
        Every result of every study, by which rows may take part.
    """

    spec: Outcome
    info: OutcomeInfo
    answer: Answer | None
    missing: NoAnswer | None
    hierarchy: HierarchyResult | None
    sampled: HierarchyResult | None
    subgroups: tuple[Answer, ...]
    variants: tuple[VariantFit, ...]
    absolute: Absolute | None
    rating: Rating | None
    moderators: tuple[ModeratorFit, ...] = ()
    checks: Checks | None = None
    dependence: tuple[Dependence, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.spec.name}-{self.spec.measure.lower()}"


@dataclass(frozen=True, eq=False)
class Unanswered:
    """A question on associations that no usable row answers."""

    asked: str
    reason: str


@dataclass(frozen=True, eq=False)
class Analysis:
    """A protocol with everything that answers it.

    Attributes
    ----------
    file : ProtocolFile
    evidence : Evidence
        What was read.
    outcomes : tuple of OutcomeAnalysis
    risks : tuple of RiskResult
    doses : tuple of DoseResult
    triangulations : tuple of Triangulation
    unanswered : tuple of Unanswered
    """

    file: ProtocolFile
    evidence: Evidence
    outcomes: tuple[OutcomeAnalysis, ...]
    risks: tuple[RiskResult, ...]
    doses: tuple[DoseResult, ...]
    triangulations: tuple[Triangulation, ...]
    unanswered: tuple[Unanswered, ...]

    @property
    def protocol(self) -> Protocol:
        return self.file.protocol

    @property
    def answered(self) -> tuple[tuple[OutcomeAnalysis, Answer], ...]:
        """The outcomes that have an answer, with it."""
        return tuple((each, each.answer) for each in self.outcomes if each.answer is not None)


def analyse(
    file: ProtocolFile,
    evidence: Evidence,
    *,
    mcmc: bool | None = None,
    sampler: Sampler | None = None,
    progress: Progress | None = None,
) -> tuple[Analysis, ...]:
    """Answer a protocol: one analysis for each question that it asks or includes.

    Parameters
    ----------
    file : ProtocolFile
    evidence : Evidence
        With every table that the questions read.
    mcmc : bool, optional
        Whether PyMC fits the hierarchies too; by default as each protocol says.
    sampler : callable, optional
        Fits a hierarchy by PyMC; by default without a cache.
    progress : callable, optional
        Is told what comes next.

    Raises
    ------
    InputError
        A protocol that names what the evidence does not hold.
    """
    check_against(file, evidence)
    found = []
    for part in file.questions:
        asked = part.protocol.hierarchy is not None and part.protocol.hierarchy.mcmc
        used = (sampler or sampled_by_pymc) if (asked if mcmc is None else mcmc) else None
        found.append(_analysis(part, evidence, used, progress or (lambda _: None)))
    return tuple(found)


def sampled_by_pymc(evidence: Evidence, options: dict[str, Any]) -> HierarchyResult:
    """Return a hierarchy fitted by PyMC."""
    return hierarchy(evidence, engine="mcmc", **options)


def steps(file: ProtocolFile) -> int:
    """Return how many times `analyse` will report progress."""
    return sum(len(p.protocol.outcome) + len(p.protocol.risk) + len(p.protocol.dose)
               + len(p.protocol.triangulation) for p in file.questions)  # fmt: skip


def _analysis(file: ProtocolFile, evidence: Evidence, sampler: Sampler | None, progress: Progress) -> Analysis:
    protocol = file.protocol
    outcomes = []
    for outcome in protocol.outcome:
        progress(f"{file.name}: {outcome.name} ({outcome.measure})")
        outcomes.append(_outcome(protocol, outcome, evidence, sampler))
    unanswered: list[Unanswered] = []

    def tried(asked: str, attempt: Callable[[], Any]) -> list[Any]:
        progress(f"{file.name}: {asked}")
        try:
            return [attempt()]
        except NothingToPool as error:
            unanswered.append(Unanswered(asked, str(error)))
            return []

    risks, doses, triangulations = [], [], []
    for question in protocol.risk:
        risks += tried(_risk_name(question), _risk(question, protocol, evidence))
    for wanted in protocol.dose:
        doses += tried(f"dose-response of {wanted.cancer}", _dose(wanted.model_dump(), evidence))
    for line in protocol.triangulation:
        triangulations += tried(
            f"triangulation of {line.outcome}", _triangulation(line.model_dump(), protocol, evidence)
        )
    return Analysis(file, evidence, tuple(outcomes), tuple(risks), tuple(doses), tuple(triangulations),
                    tuple(unanswered))  # fmt: skip


def _risk_name(question: RiskQuestion) -> str:
    return f"risk of {' and '.join(question.cancer or ('every cancer',))}"


def _risk(question: RiskQuestion, protocol: Protocol, evidence: Evidence) -> Callable[[], RiskResult]:
    def attempt() -> RiskResult:
        from igfmeta.synthesis.risk import risk

        return risk(evidence, **question.model_dump(), seed=protocol.seed)

    return attempt


def _dose(options: dict[str, Any], evidence: Evidence) -> Callable[[], DoseResult]:
    def attempt() -> DoseResult:
        from igfmeta.synthesis.dose import dose_response

        return dose_response(evidence, model=options.pop("curve"), **options)

    return attempt


def _triangulation(options: dict[str, Any], protocol: Protocol, evidence: Evidence) -> Callable[[], Triangulation]:
    def attempt() -> Triangulation:
        from igfmeta.synthesis.triangulation import triangulate

        return triangulate(evidence, **options, seed=protocol.seed, **protocol.eligibility.criteria())

    return attempt


def _outcome(protocol: Protocol, spec: Outcome, evidence: Evidence, sampler: Sampler | None) -> OutcomeAnalysis:
    criteria, use = protocol.eligibility.criteria(), protocol.eligibility.use
    options, unheeded = of_protocol(protocol, protocol.model.options(), spec)
    answer, missing = _pooled(evidence, spec, use, {**options, **criteria})
    if answer is not None and unheeded is not None:
        answer = replace(answer, remarks=(*answer.remarks, unheeded))
    info = _info(spec, answer, evidence)
    fitted = sampled = rating = absolute = None
    subgroups: list[Answer] = []
    if answer is not None:
        fitted, sampled = _hierarchies(protocol, spec, evidence, sampler)
        rows = evidence.table("trials")
        absolute = absolute_effects(answer, rows, event=event_of(info), horizon_months=spec.horizon_months)
        rating = rate(answer, rows, relevant=spec.relevant, given=spec.certainty)
        for by in protocol.subgroups:
            found, _ = _pooled(evidence, spec, use, {**options, **criteria, "by": by})
            subgroups += [found] if found is not None else []
    return OutcomeAnalysis(
        spec=spec,
        info=info,
        answer=answer,
        missing=missing,
        hierarchy=fitted,
        sampled=sampled,
        subgroups=tuple(subgroups),
        variants=tuple(_variant(protocol, each, spec, evidence) for each in _variants(protocol, spec)),
        absolute=absolute,
        rating=rating,
        moderators=tuple(_moderator(protocol, name, spec, evidence) for name in protocol.moderators) if answer else (),
        checks=None if answer is None else checks_of(answer, origin=evidence.origin),
        dependence=() if answer is None else _dependence(protocol, spec, evidence),
    )


def _dependence(protocol: Protocol, spec: Outcome, evidence: Evidence) -> tuple[Dependence, ...]:
    model, eligibility = protocol.model, protocol.eligibility
    return dependence_of(
        evidence, spec.name, spec.measure, use=eligibility.use, level=model.level, risk_weights=model.risk_weights,
        criteria=eligibility.criteria(),
    )  # fmt: skip


def _info(spec: Outcome, answer: Answer | None, evidence: Evidence) -> OutcomeInfo:
    known = outcome_vocabulary(evidence)
    name = answer.question.outcomes[0] if answer else spec.name
    return known.get(name) or next(info for info in known.values() if info.family == spec.name)


def event_of(info: OutcomeInfo) -> str:
    """Return what is counted when an outcome's absolute effect is."""
    if info.kind == "time_to_event":
        return {"survival": "deaths", "progression": "progressions or deaths"}.get(info.family, "events")
    return f"patients with {info.label[:1].lower()}{info.label[1:]}"


def _pooled(
    evidence: Evidence, spec: Outcome, use: str, options: dict[str, Any]
) -> tuple[Answer | None, NoAnswer | None]:
    from igfmeta.synthesis.pooling import unanswered_question

    try:
        result = pool(evidence, outcome=spec.name, measure=spec.measure, use=use, **options)
    except NothingToPool:
        criteria = {k: v for k, v in options.items() if k not in Model.model_fields}
        return None, unanswered_question(evidence, spec.name, spec.measure, use=use, **criteria)
    return result.answers[0], None


def _hierarchies(
    protocol: Protocol, spec: Outcome, evidence: Evidence, sampler: Sampler | None
) -> tuple[HierarchyResult | None, HierarchyResult | None]:
    asked = protocol.hierarchy
    if asked is None or (asked.outcomes is not None and spec.name not in asked.outcomes):
        return None, None
    criteria = protocol.eligibility.criteria()
    if asked.every_class:
        criteria.pop("agent_class", None)
    elif asked.agent_class is not None:
        criteria["agent_class"] = asked.agent_class
    options = {
        "outcome": spec.name,
        "measure": HIERARCHICAL.get(spec.measure, "PLO"),
        "by": asked.by,
        "relevant": spec.relevant,
        "priors": {name: parse_tau_prior(text) for name, text in asked.priors.items()},
        "use": protocol.eligibility.use,
        "level": protocol.model.level,
        "seed": protocol.seed,
        "risk_weights": protocol.model.risk_weights,
        **criteria,
    }
    try:
        fitted = hierarchy(evidence, **options)
    except NothingToPool:
        return None, None
    return fitted, sampler(evidence, options) if sampler is not None else None


def _variants(protocol: Protocol, spec: Outcome) -> Sequence[Variant]:
    return [each for each in protocol.sensitivity if each.outcomes is None or spec.name in each.outcomes]


def _variant(protocol: Protocol, variant: Variant, spec: Outcome, evidence: Evidence) -> VariantFit:
    criteria, use, options = varied(protocol, variant)
    options, _ = of_protocol(protocol, options, spec)
    try:
        result = pool(evidence, outcome=spec.name, measure=spec.measure, use=use, **options, **criteria)
    except (NothingToPool, InputError) as error:
        return VariantFit(variant.name, None, str(error))
    return VariantFit(variant.name, result.answers[0], None)


def _moderator(protocol: Protocol, name: str, spec: Outcome, evidence: Evidence) -> ModeratorFit:
    from igfmeta.synthesis.metaregression import metaregression
    from igfmeta.synthesis.regress import regress

    try:
        frequentist = regress(
            evidence,
            f"~ {name}",
            outcome=spec.name,
            measure=spec.measure,
            use=protocol.eligibility.use,
            method=protocol.model.method,
            ci=protocol.model.ci,
            level=protocol.model.level,
            risk_weights=protocol.model.risk_weights,
            **protocol.eligibility.criteria(),
        )
        found = metaregression(
            evidence,
            f"~ {name}",
            outcome=spec.name,
            measure=HIERARCHICAL.get(spec.measure, "PLO"),
            use=protocol.eligibility.use,
            level=protocol.model.level,
            seed=protocol.seed,
            risk_weights=protocol.model.risk_weights,
            **protocol.eligibility.criteria(),
        )
    except (NothingToPool, InputError) as error:
        return ModeratorFit(name, None, None, str(error))
    return ModeratorFit(name, frequentist, found, None)
