"""What a pool holds: everything that a table, a figure or a report needs, so that nothing is fitted again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.bayes.posterior import Posterior
from igfmeta.bayes.rate_posterior import RatePosterior
from igfmeta.effects.scales import natural
from igfmeta.models.results import Pooled
from igfmeta.synthesis.display import Drawn
from igfmeta.synthesis.eligibility import Unused
from igfmeta.synthesis.group_hierarchy import GroupHierarchy, Hierarchical
from igfmeta.synthesis.pool_models import RANDOM
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.studies import Study

if TYPE_CHECKING:
    import pandas as pd

#: The posterior of effects, or of rates.
AnyPosterior = Posterior | RatePosterior

_ON_SCALE = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")


def finite(value: Any) -> Any:
    """Return a number, or None for what is not one: JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


@dataclass(frozen=True, eq=False)
class Group:
    """The studies of one group and what both schools make of them.

    Attributes
    ----------
    key, label : str
        The value of the grouping column, and in words.
    studies : tuple of Study
    fit : Pooled
        Frequentist, on the analysis scale.
    posterior : Posterior
        Bayesian, on the analysis scale.
    p_benefit : float or None
        Posterior probability that the effect favours the experimental arm; None for single-arm rates.
    patients : float
        Of the studies that report them.
    patients_missing : int
        Studies whose number of patients is not known.
    n_harmonic : float or None
        Harmonic mean of the sample sizes, for the inverse of the double arcsine.
    remarks : tuple of str
        What a reader should know before using the numbers.
    model : str
        A key of `igfmeta.synthesis.pool_models.POOL_MODELS`.
    """

    key: str
    label: str
    measure: str
    studies: tuple[Study, ...]
    fit: Pooled
    posterior: AnyPosterior
    p_benefit: float | None
    patients: float
    patients_missing: int
    n_harmonic: float | None
    remarks: tuple[str, ...]
    model: str = RANDOM

    @property
    def counted(self) -> bool:
        """Whether these are rates pooled from their counts, by the binomial likelihood."""
        return isinstance(self.posterior, RatePosterior)

    def natural(self, value: float | None) -> float | None:
        """Return a value of the analysis scale on the reader's scale."""
        if value is None:
            return None
        back = float(natural(self.measure, value, n_harmonic=self.n_harmonic))
        return back if math.isfinite(back) else None

    def to_dict(self) -> dict[str, Any]:
        fit, posterior = fit_to_dict(self.fit), self.posterior.to_dict()
        return {
            "key": self.key,
            "label": self.label,
            **fit,
            "natural": {name: self.natural(getattr(self.fit, name)) for name in _ON_SCALE},
            "patients": finite(self.patients),
            "studies_without_patients": self.patients_missing,
            "posterior": {
                **posterior,
                "natural": {
                    name: self.natural(posterior.get(name))
                    for name in ("mu_median", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
                },
                "p_benefit": self.p_benefit,
            },
            "remarks": list(self.remarks),
        }


def fit_to_dict(fit: Pooled) -> dict[str, Any]:
    """Return a fit under the names that igfmeta's JSON uses."""
    return {{"q_p_value": "q_pvalue"}.get(name, name): value for name, value in fit.to_dict().items()}


@dataclass(frozen=True)
class BetweenGroups:
    """The test of equal effects across groups (Borenstein 2009, chapter 19).

    `groups` counts the groups that entered; `test` says what `q` is: Cochran's Q with a tau2 for each group or of
    common effects, its like for models with a likelihood (Wald), or a likelihood ratio.
    """

    q: float
    df: int
    p_value: float
    groups: int
    test: str = "Q, separate tau2"

    @property
    def statistic(self) -> str:
        """The name of `q`."""
        return self.test.partition(", ")[0]

    @property
    def how(self) -> str:
        """How the groups were fitted."""
        return self.test.partition(", ")[2]


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to one question: the pool over all studies and by group, with what was not used.

    `hierarchy` holds what the groups are when each borrows from the others; None with fewer than two groups.
    """

    question: Question
    by: str
    overall: Group
    groups: tuple[Group, ...]
    between: BetweenGroups | None
    hierarchy: GroupHierarchy | None
    unused: tuple[Unused, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "outcome": self.question.name,
            "label": self.question.label,
            "outcomes": list(self.question.outcomes),
            "measure": self.question.measure,
            "arms": self.question.arms,
            "better": self.question.better,
            "by": self.by,
            "methods": methods_of(self.overall),
            "overall": self.overall.to_dict(),
            "groups": [
                {**group.to_dict(), "hierarchical": None if own is None else dict(own.__dict__)}
                for group, own in zip(self.groups, self.borrowing(), strict=True)
            ],
            "hierarchy": None if self.hierarchy is None else self.hierarchy.note,
            "between_groups": dict(self.between.__dict__) if self.between else None,
            "studies": [_study_to_dict(study) for study in self.overall.studies],
            "not_used": [dict(unused.__dict__) for unused in self.unused],
            "remarks": list(self.remarks),
        }

    def borrowing(self) -> tuple[Hierarchical | None, ...]:
        """Return what each group is in the hierarchy of all groups."""
        return (None,) * len(self.groups) if self.hierarchy is None else self.hierarchy.groups


def methods_of(group: Group) -> dict[str, Any]:
    """Return the names of the methods and priors behind a group's numbers, defaults included."""
    fit, posterior = group.fit, group.posterior
    return {
        "model": group.model,
        "method": fit.method,
        "ci": fit.ci,
        "pi": fit.pi,
        "tau2_ci": fit.tau2_ci,
        "level": fit.level,
        "tau_prior": posterior.tau_prior,
        "mu_prior": posterior.mu_prior,
        "interval": posterior.interval,
    }


def _study_to_dict(study: Study) -> dict[str, Any]:
    record = dict(study.__dict__)
    record["counts"] = [finite(value) for value in study.counts]
    record["reported"] = list(study.reported)
    return {name: list(v) if isinstance(v, tuple) else finite(v) for name, v in record.items()}


@dataclass(frozen=True)
class NoAnswer:
    """A question that no usable row answers, with the rows that were found."""

    question: Question
    reason: str
    unused: tuple[Unused, ...]


@dataclass(frozen=True, eq=False)
class PoolResult(Drawn):
    """The answers of one call of `pool`.

    Attributes
    ----------
    answers : tuple of Answer
    unanswered : tuple of NoAnswer
    selection : mapping
        What was asked for, as given.
    origin, fingerprint : str
        The evidence: where it came from and its SHA-256.
    version : str
        Of igfmeta.
    """

    answers: tuple[Answer, ...]
    unanswered: tuple[NoAnswer, ...]
    selection: Mapping[str, Any]
    origin: str
    fingerprint: str
    version: str

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def __getitem__(self, outcome: str) -> Answer:
        """Return the first answer for an outcome."""
        for answer in self.answers:
            if outcome in (answer.question.name, *answer.question.outcomes):
                return answer
        raise KeyError(outcome)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": self.version,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "selection": {k: list(v) if isinstance(v, tuple) else v for k, v in self.selection.items() if v},
            "answers": [answer.to_dict() for answer in self.answers],
            "unanswered": [
                {
                    "outcome": missing.question.name,
                    "measure": missing.question.measure,
                    "reason": missing.reason,
                    "not_used": [dict(unused.__dict__) for unused in missing.unused],
                }
                for missing in self.unanswered
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pooled effect, on the reader's scale."""
        import pandas as pd

        rows = [
            _flat(answer, group, own)
            for answer in self.answers
            for group, own in zip(groups_of(answer), (None, *answer.borrowing()), strict=True)
        ]
        return pd.DataFrame(rows)


def groups_of(answer: Answer) -> tuple[Group, ...]:
    """Return the pool over all studies followed by its groups."""
    return (answer.overall, *answer.groups)


def _flat(answer: Answer, group: Group, own: Hierarchical | None) -> dict[str, Any]:
    fit, posterior = group.fit, group.posterior
    return {
        "outcome": answer.question.name,
        "measure": answer.question.measure,
        "group": group.key,
        "label": group.label,
        "k": fit.k,
        "patients": group.patients,
        "studies_without_patients": group.patients_missing,
        **{name: group.natural(getattr(fit, name)) for name in _ON_SCALE},
        "p_value": fit.p_value,
        "tau2": fit.tau2,
        "tau2_ci_lower": fit.tau2_ci_lower,
        "tau2_ci_upper": fit.tau2_ci_upper,
        "i2": fit.i2,
        "i2_q": fit.i2_q,
        "q": fit.q,
        "q_df": fit.q_df,
        "q_pvalue": fit.q_p_value,
        "posterior_median": group.natural(posterior.mu_median),
        "posterior_ci_lower": group.natural(posterior.ci_lower),
        "posterior_ci_upper": group.natural(posterior.ci_upper),
        "posterior_pi_lower": group.natural(posterior.pi_lower),
        "posterior_pi_upper": group.natural(posterior.pi_upper),
        "p_benefit": group.p_benefit,
        **{f"hierarchical_{name}": getattr(own, name, None) for name in Hierarchical.__dataclass_fields__},
    }
