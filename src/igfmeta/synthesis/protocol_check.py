"""A protocol against the evidence: whether what it names is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from igfmeta.bayes.components import default_priors
from igfmeta.errors import InputError, Problem, check_choice
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.model_methods import methods_heeded, of_outcome
from igfmeta.synthesis.pool_models import POOL_MODELS
from igfmeta.synthesis.pooling import outcome_vocabulary
from igfmeta.synthesis.protocol import Eligibility, Outcome, Protocol, Variant
from igfmeta.synthesis.protocol_files import ProtocolFile
from igfmeta.synthesis.questions import questions


def varied(protocol: Protocol, variant: Variant) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Return criteria, use and options of the model of a sensitivity analysis."""
    eligibility = Eligibility(**{**protocol.eligibility.model_dump(), **variant.eligibility})
    return eligibility.criteria(), eligibility.use, {**protocol.model.options(), **variant.model}


def of_protocol(protocol: Protocol, options: dict[str, Any], outcome: Outcome) -> tuple[dict[str, Any], str | None]:
    """Return what an outcome heeds of the options that the outcomes of a protocol share, and a sentence on the rest."""
    others = any(each.measure != outcome.measure for each in protocol.outcome)
    return of_outcome(options, outcome.measure, others=others)


def check_against(file: ProtocolFile, evidence: Evidence) -> None:
    """Raise an InputError with everything that a protocol names and the evidence does not hold."""
    problems = [
        Problem(p.message, file=f"{part.name}.toml", key=p.key)
        for part in file.questions
        for p in _problems(part.protocol, evidence)
    ]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))


def _problems(protocol: Protocol, evidence: Evidence) -> Iterator[Problem]:
    if protocol.outcome:
        criteria = protocol.eligibility.criteria()
        yield from _tried("eligibility", evidence.select, **criteria)
    for i, outcome in enumerate(protocol.outcome):
        yield from _tried(f"outcome[{i + 1}]", _questions, outcome, evidence)
        yield from _tried("model", _heeded, protocol, protocol.model.options(), outcome, evidence)
    for i, variant in enumerate(protocol.sensitivity):
        changed, _, options = varied(protocol, variant)
        yield from _tried(f"sensitivity[{i + 1}].eligibility", evidence.select, **changed)
        for outcome in protocol.outcome:
            if variant.outcomes is None or outcome.name in variant.outcomes:
                yield from _tried(f"sensitivity[{i + 1}].model", _heeded, protocol, options, outcome, evidence)
    if protocol.hierarchy:
        wanted = protocol.hierarchy.agent_class
        yield from _tried("hierarchy.agent_class", evidence.select, agent_class=wanted)
        for name in protocol.hierarchy.priors:
            yield from _tried("hierarchy.priors", check_choice, "component", name, list(default_priors(rates=False)))
    columns = sorted({column for row in evidence.table("trials")[:1] for column in row if not column.endswith("_text")})
    for i, name in enumerate(protocol.moderators):
        yield from _tried(f"moderators[{i + 1}]", check_choice, "moderator", name, columns)
    for table, asked in (("associations", protocol.risk), ("dose_response", protocol.dose)):
        key = "risk" if table == "associations" else "dose"
        for i, question in enumerate(asked):
            yield from _named(f"{key}[{i + 1}]", question, evidence.table(table), evidence.origin)


def _questions(outcome: Outcome, evidence: Evidence) -> Any:
    return questions([outcome.name], outcome.measure, outcome_vocabulary(evidence))


def _heeded(protocol: Protocol, options: dict[str, Any], outcome: Outcome, evidence: Evidence) -> None:
    """Refuse a model or methods that no outcome of a protocol heeds."""
    model = options.get("model")
    if model is not None and not any(each.measure in POOL_MODELS[model].measures for each in protocol.outcome):
        questions([outcome.name], outcome.measure, outcome_vocabulary(evidence), model=model)
    chosen, _ = of_protocol(protocol, options, outcome)
    asked = questions([outcome.name], outcome.measure, outcome_vocabulary(evidence), model=chosen.get("model"))
    methods_heeded(asked, chosen.get("method"), chosen.get("ci"), chosen.get("pi"))


def _named(key: str, question: Any, rows: Any, origin: str) -> Iterator[Problem]:
    """Yield the cancers and markers of a question that no row has."""
    if not rows:
        yield Problem(f"{origin} holds no such table.", key=key)
        return
    markers = sorted({row["biomarker"] for row in rows})
    yield from _tried(f"{key}.biomarker", check_choice, "biomarker", question.biomarker, markers)
    cancers = sorted({row["cancer"] for row in rows})
    asked = question.cancer if isinstance(question.cancer, tuple) else (question.cancer,)
    for cancer in filter(None, asked):
        yield from _tried(f"{key}.cancer", check_choice, "cancer", cancer, cancers)


def _tried(key: str, attempt: Callable[..., Any], *given: Any, **named: Any) -> Iterator[Problem]:
    """Yield the problems that a call finds, at a key."""
    try:
        attempt(*given, **named)
    except InputError as error:
        for problem in error.problems:
            yield Problem(problem.message, key=key)
