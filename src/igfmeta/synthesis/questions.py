"""What is asked of the evidence: an outcome or a family of outcomes, an effect measure, and which trials can answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from igfmeta.errors import InputError, check_choice, listed
from igfmeta.synthesis.pool_models import (
    COMPARATIVE_COUNTS,
    COUNTED_PROPORTION,
    MEASURES,
    MODEL_NAMES,
    POOL_MODELS,
    PROPORTIONS,
    RANDOM,
    default_model,
)

Arms = Literal["comparison", "single_arm"]
Measure = Literal["HR", "OR", "RR", "RD", "PETO", "AS", "PLO", "PLN", "PR", "PAS", "PFT"]

#: The measure of a single-arm rate: the counts need no correction where they are 0, which most of this evidence is, no
#: variance is taken as known, and the inverse needs no "typical" sample size (Schwarzer 2019, Res Synth Methods 10:476;
#: Lin & Chu 2020, Health Sci Rep 3:e178).
DEFAULT_PROPORTION = COUNTED_PROPORTION

#: Within a family a study counts once, by the first of these that it reports. PFS first: it is what most trials report
#: and its events (progression or death) include those of TTP.
FAMILY_PREFERENCE = {"progression": ("pfs", "efs", "ttp", "dfs"), "survival": ("os",)}
FAMILY_LABELS = {"progression": "Progression", "survival": "Survival"}

#: What `pool` answers when no outcome is named.
DEFAULT_OUTCOMES = ("os", "progression", "orr")


@dataclass(frozen=True)
class OutcomeInfo:
    """A row of the outcome vocabulary."""

    outcome: str
    label: str
    kind: str
    family: str
    better: str
    default_measure: str


@dataclass(frozen=True)
class Question:
    """One pool to be made.

    Attributes
    ----------
    name : str
        The outcome or family as the user wrote it.
    label : str
        In words.
    outcomes : tuple of str
        Keys of the outcome vocabulary in order of preference; a study counts once.
    measure : str
        The effect measure, which fixes the analysis scale.
    arms : {"comparison", "single_arm"}
        Randomized comparisons, or the results of one arm.
    better : {"lower", "higher"}
        Which direction favours the experimental arm.
    model : str
        A key of `igfmeta.synthesis.pool_models.POOL_MODELS`.
    """

    name: str
    label: str
    outcomes: tuple[str, ...]
    measure: str
    arms: Arms
    better: str
    model: str = RANDOM

    @property
    def counted(self) -> bool:
        """Whether these are rates that are pooled from their counts."""
        return self.measure == COUNTED_PROPORTION and self.model != RANDOM


def _family(name: str, known: Mapping[str, OutcomeInfo]) -> list[OutcomeInfo]:
    """Return the time-to-event outcomes of a family in order of preference."""
    members = [info for info in known.values() if info.family == name and info.kind == "time_to_event"]
    order = FAMILY_PREFERENCE.get(name, ())
    return sorted(members, key=lambda info: order.index(info.outcome) if info.outcome in order else len(order))


def _is_time_to_event(name: str, known: Mapping[str, OutcomeInfo]) -> bool:
    return name not in known or known[name].kind == "time_to_event"


def _measures_for(info: OutcomeInfo, measure: str | None, single_arm_only: bool, model: str | None) -> list[str]:
    timed = info.kind == "time_to_event"
    accepted = ("HR",) if timed else (*COMPARATIVE_COUNTS, *PROPORTIONS)
    if measure is not None:
        if measure not in accepted:
            raise InputError(f"{info.label} cannot be pooled as {measure}; accepted for it are {listed(accepted)}.")
        return [measure]
    usual = ["HR"] if timed else [info.default_measure if info.default_measure in COMPARATIVE_COUNTS else "OR"]
    if not timed:
        usual = [DEFAULT_PROPORTION] if single_arm_only else [*usual, DEFAULT_PROPORTION]
    if model is None or timed:
        return usual
    possible = [each for each in usual if each in POOL_MODELS[model].measures]
    return possible or list(POOL_MODELS[model].measures[:1])


def _model_of(label: str, measure: str, model: str | None) -> str:
    """Return the model of a question; refuse one that its measure does not have."""
    if model is None:
        return default_model(measure)
    known = POOL_MODELS[model]
    if measure not in known.measures:
        raise InputError(
            f"{label} ({measure}) cannot be pooled by model {model}, which has the measures {listed(known.measures)}; "
            f"models of {measure} are {listed(each for each in POOL_MODELS if measure in POOL_MODELS[each].measures)}. "
            f"Outcomes that are counted (--outcome orr) have those of model {model}."
        )
    return model


def _question(name: str, label: str, members: Sequence[OutcomeInfo], measure: str, model: str | None) -> Question:
    return Question(
        name=name,
        label=label,
        outcomes=tuple(info.outcome for info in members),
        measure=measure,
        arms="single_arm" if measure in PROPORTIONS else "comparison",
        better=members[0].better,
        model=_model_of(label, measure, model),
    )


def questions(
    outcomes: Sequence[str] | None,
    measure: str | None,
    known: Mapping[str, OutcomeInfo],
    *,
    model: str | None = None,
) -> tuple[Question, ...]:
    """Return the pools that a request means.

    Parameters
    ----------
    outcomes : sequence of str or None
        Outcome keys or families; None means `DEFAULT_OUTCOMES`, with response as a single-arm rate.
    measure : str or None
        An effect measure; None lets the outcome decide: a hazard ratio for times to an event; for counts both the
        comparison (the vocabulary's default measure) and the single-arm rate.
    known : mapping
        The outcome vocabulary by key.
    model : str or None
        A key of `igfmeta.synthesis.pool_models.POOL_MODELS`; None lets the measure decide.

    Raises
    ------
    InputError
        An outcome that is not in the vocabulary, a measure that the outcome does not have, or a model that the measure
        does not have.
    """
    if measure is not None:
        measure = check_choice("measure", measure, MEASURES)
    if model is not None:
        model = check_choice("model", model, MODEL_NAMES)
    single_arm_only = outcomes is None
    families = {info.family for info in known.values() if info.kind == "time_to_event"}
    if outcomes is None:
        outcomes = [name for name in DEFAULT_OUTCOMES if name in known or name in families]
        if measure is not None:
            outcomes = [name for name in outcomes if _is_time_to_event(name, known) == (measure == "HR")]
    asked: list[Question] = []
    for name in outcomes:
        if name in known:
            members = [known[name]]
        elif name in families:
            members = _family(name, known)
        else:
            check_choice("outcome", name, [*known, *sorted(families)])
            continue
        label = members[0].label if name in known else FAMILY_LABELS.get(name, name)
        chosen = _measures_for(members[0], measure, single_arm_only, model)
        asked += [_question(name, label, members, each, model) for each in chosen]
    return tuple(asked)
