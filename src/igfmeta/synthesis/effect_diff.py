"""What new evidence does to every pooled effect: the question of a living review, "what did the new trial change?"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.effects.scales import natural, null_value
from igfmeta.errors import NothingToPool, check_choice
from igfmeta.evidence.differences import EvidenceDiff, compare_evidence
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.grouping import BY
from igfmeta.synthesis.pooling import outcome_vocabulary, pool
from igfmeta.synthesis.questions import OutcomeInfo

if TYPE_CHECKING:
    import pandas as pd

#: Groupings of the pools of trials.
DEFAULT_BY = ("class", "tumor")

#: Relative differences below this are those of iterations, not of evidence.
SAME = 1e-7

#: The numbers of a pooled effect, on the reader's scale.
NUMBERS = ("k", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "tau2", "posterior_median",
           "posterior_lower", "posterior_upper", "probability")  # fmt: skip


@dataclass(frozen=True)
class PooledEffect:
    """A pooled effect as it is compared, on the reader's scale; None is not estimable.

    Attributes
    ----------
    question, measure, group : str
        What was asked, of which studies, in words.
    null : float or None
        No effect; None for rates.
    k : int
    estimate, ci_lower, ci_upper, pi_lower, pi_upper, tau2 : float or None
    posterior_median, posterior_lower, posterior_upper : float or None
    probability : float or None
        Posterior probability of a benefit, or that a risk is raised.
    """

    question: str
    measure: str
    group: str
    null: float | None
    k: int
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    pi_lower: float | None
    pi_upper: float | None
    tau2: float | None
    posterior_median: float | None
    posterior_lower: float | None
    posterior_upper: float | None
    probability: float | None

    @property
    def excludes_null(self) -> bool | None:
        """Whether the confidence interval excludes no effect; None where there is neither."""
        if self.null is None or self.ci_lower is None or self.ci_upper is None:
            return None
        return not self.ci_lower <= self.null <= self.ci_upper


@dataclass(frozen=True)
class EffectChange:
    """A pooled effect before and after; None where it was not, or is no longer, there."""

    old: PooledEffect | None
    new: PooledEffect | None

    @property
    def effect(self) -> PooledEffect:
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def same(self) -> bool:
        if self.old is None or self.new is None:
            return False
        pairs = [(getattr(self.old, name), getattr(self.new, name)) for name in NUMBERS]
        return all(_close(a, b) for a, b in pairs)

    @property
    def turned(self) -> str | None:
        """What the confidence interval now says of no effect that it did not say; None where it says the same."""
        before = self.old.excludes_null if self.old else None
        after = self.new.excludes_null if self.new else None
        if before is None or after is None or before == after:
            return None
        return "the interval now excludes no effect" if after else "the interval no longer excludes no effect"

    def to_dict(self) -> dict[str, Any]:
        found = self.effect
        return {
            "question": found.question,
            "measure": found.measure,
            "group": found.group,
            "same": self.same,
            "turned": self.turned,
            "old": _numbers(self.old),
            "new": _numbers(self.new),
        }


@dataclass(frozen=True)
class Diff:
    """Two evidences, or two bundles, compared.

    Attributes
    ----------
    old, new : str
        Their names.
    evidence : EvidenceDiff
    effects : tuple of EffectChange
        Every pooled effect of either.
    asked : str
        Where the pooled effects come from, in words.
    """

    old: str
    new: str
    evidence: EvidenceDiff
    effects: tuple[EffectChange, ...]
    asked: str

    @property
    def same(self) -> bool:
        return not self.evidence.rows and all(each.same for each in self.effects)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        found = self.evidence
        return {
            "old": {"name": self.old, "sha256": found.old},
            "new": {"name": self.new, "sha256": found.new},
            "same": self.same,
            "asked": self.asked,
            "studies": [dict(each.__dict__) for each in found.studies],
            "rows": [{**each.__dict__, "cells": [dict(cell.__dict__) for cell in each.cells]} for each in found.rows],
            "effects": [each.to_dict() for each in self.effects],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pooled effect, each number before and after."""
        import pandas as pd

        rows = []
        for each in self.effects:
            record = {name: value for name, value in each.to_dict().items() if name not in ("old", "new")}
            for when, effect in (("old", each.old), ("new", each.new)):
                record |= {f"{name}_{when}": getattr(effect, name, None) for name in NUMBERS}
            rows.append(record)
        return pd.DataFrame(rows)


def diff(
    old: Evidence,
    new: Evidence,
    *,
    by: Sequence[str] = DEFAULT_BY,
    agent_class: str | None = None,
    use: str = "primary",
) -> Diff:
    """Compare two evidences: which studies and rows came, went or changed, and what that did to every pooled effect.

    Parameters
    ----------
    old, new : Evidence
    by : sequence of {"class", "agent", "tumor", "tumor_group", "phase", "biomarker", "none"}
        Groupings of the pools of trials. Every outcome that the trials report is pooled (times to an event by family)
        with the defaults of `pool`, and associations by cancer and design with those of `risk`.
    agent_class : str, optional
        Only trials of this class.
    use : {"primary", "sensitivity"}

    Examples
    --------
    >>> from igfmeta.evidence import load_evidence
    >>> evidence = load_evidence(tables=["trials"]).select(agent="linsitinib")
    >>> diff(evidence, evidence, by=["none"]).same
    True
    """
    for each in by:
        check_choice("by", each, BY)
    if agent_class is not None:
        known = {row["agent_class"] for evidence in (old, new) for row in evidence.table("trials")}
        check_choice("agent_class", agent_class, sorted(known))
    trials = [_trial_effects(evidence, by, agent_class, use) for evidence in (old, new)]
    risks = _risks_of_both(old, new, use)
    before, after = ({**of_trials, **of_risk} for of_trials, of_risk in zip(trials, risks, strict=True))
    of = f" of class {agent_class}" if agent_class else ""
    asked = f"Pooled: every outcome of trials{of} by {', '.join(by)}; associations by cancer."
    return compared(old, new, before, after, asked)


def compared(
    old: Evidence,
    new: Evidence,
    before: Mapping[str, PooledEffect],
    after: Mapping[str, PooledEffect],
    asked: str,
) -> Diff:
    """Return the comparison of two evidences with their pooled effects by key; effects that went come last."""
    keys = [*after, *(key for key in before if key not in after)]
    changes = tuple(EffectChange(before.get(key), after.get(key)) for key in keys)
    return Diff(old.origin, new.origin, compare_evidence(old, new), changes, asked)


def _trial_effects(evidence: Evidence, by: Sequence[str], agent_class: str | None, use: str) -> dict[str, PooledEffect]:
    found: dict[str, PooledEffect] = {}
    rows = [row for row in evidence.table("trials") if agent_class in (None, row["agent_class"])]
    outcomes = _asked(outcome_vocabulary(evidence), {row["outcome"] for row in rows})
    criteria = {} if agent_class is None else {"agent_class": agent_class}
    for each in by if outcomes else ():
        with suppress(NothingToPool):
            result = pool(evidence, outcome=outcomes, by=each, use=use, **criteria)  # type: ignore[arg-type]
            found |= effects_of_answers([answer.to_dict() for answer in result])
    return found


def _risks_of_both(old: Evidence, new: Evidence, use: str) -> tuple[dict[str, PooledEffect], dict[str, PooledEffect]]:
    """Return the pooled associations of both; tables that say the same are pooled once."""
    before = _risks(old, use)
    same = not any(change.table in ("associations", "sources") for change in compare_evidence(old, new).rows)
    return before, before if same else _risks(new, use)


def _asked(known: Mapping[str, OutcomeInfo], reported: Iterable[str]) -> list[str]:
    """Return the outcomes that are reported, times to an event by family where it has several outcomes."""
    asked = []
    for name in known:
        info = known[name]
        if name not in reported:
            continue
        members = [each for each in known.values() if (each.family, each.kind) == (info.family, "time_to_event")]
        asked.append(info.family if info.kind == "time_to_event" and len(members) > 1 else name)
    return list(dict.fromkeys(asked))


def _risks(evidence: Evidence, use: str) -> dict[str, PooledEffect]:
    from igfmeta.synthesis.risk import risk

    markers = sorted({row["biomarker"] for row in evidence.table("associations")} - {"genetic"})
    found: dict[str, PooledEffect] = {}
    for marker in markers:
        for design in ("prospective", "retrospective"):
            with suppress(NothingToPool):
                found |= effects_of_risk(
                    risk(evidence, biomarker=marker, by="cancer", design=design, use=use).to_dict()
                )
    return found


def effects_of_answers(answers: Iterable[Mapping[str, Any]]) -> dict[str, PooledEffect]:
    """Return the pooled effects of answers, as `pool` writes them in JSON, by key."""
    found = {}
    for answer in answers:
        measure = answer["measure"]
        question = f"{answer['label']} ({measure})"
        for by, group in [("all", answer["overall"]), *((answer["by"], each) for each in answer["groups"])]:
            key = f"{answer['outcome']}, {measure}, {by}: {group['key']}"
            found[key] = _effect(question, measure, group, null_of(measure), "p_benefit")
    return found


def effects_of_risk(result: Mapping[str, Any]) -> dict[str, PooledEffect]:
    """Return the pooled effects of a pool of associations, as `risk` writes it in JSON, by key."""
    design = result["question"].get("design") or ""
    question = " ".join(filter(None, (result["biomarker"], f"per {result['per']['unit']}", design)))
    groups = [*result["groups"], *([result["overall"]] if result["overall"] else [])]
    scope = ", ".join((question, *result["cancers"], *result["subgroups"]))
    return {f"{scope}: {group['key']}": _effect(question, group["measure"], group, 1.0, "p_raises") for group in groups}


def null_of(measure: str) -> float | None:
    """Return no effect on the reader's scale; None for what has none."""
    null = null_value(measure)
    return None if null is None else float(natural(measure, null))


def _effect(
    question: str, measure: str, group: Mapping[str, Any], null: float | None, probability: str
) -> PooledEffect:
    shown, posterior = group["natural"], group["posterior"]
    return PooledEffect(
        question=question,
        measure=measure,
        group=group["label"],
        null=null,
        k=group["k"],
        tau2=group["tau2"],
        **{name: shown[name] for name in ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")},
        posterior_median=posterior["natural"]["mu_median"],
        posterior_lower=posterior["natural"]["ci_lower"],
        posterior_upper=posterior["natural"]["ci_upper"],
        probability=posterior[probability],
    )


def _numbers(effect: PooledEffect | None) -> dict[str, Any] | None:
    return None if effect is None else {name: getattr(effect, name) for name in NUMBERS}


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=SAME, abs_tol=1e-12)
