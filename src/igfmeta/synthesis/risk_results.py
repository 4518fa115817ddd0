"""What a pool of associations holds: rows on one scale, the fits, what was left out, published pools beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.bayes.posterior import Posterior
from igfmeta.effects.contrasts import Distance
from igfmeta.models.results import Pooled
from igfmeta.synthesis.display import Drawn
from igfmeta.synthesis.results import BetweenGroups, finite, fit_to_dict
from igfmeta.synthesis.risk_published import Comparison

if TYPE_CHECKING:
    import pandas as pd

_ON_SCALE = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
_POSTERIOR = ("mu_median", "ci_lower", "ci_upper", "pi_lower", "pi_upper")


def ratio(value: float | None) -> float | None:
    """Return a log ratio as a ratio."""
    return None if value is None else finite(math.exp(min(value, 700.0)))


@dataclass(frozen=True)
class RiskStudy:
    """One row on the scale asked for: the row that speaks for its population.

    Attributes
    ----------
    yi, vi : float
        Log ratio and its sampling variance per the distance asked for.
    estimate, ci_lower, ci_upper : float
        The ratio with its normal interval.
    cases, controls : float
        NaN where not reported.
    reported : str
        The numbers and the contrast as printed.
    derivation : str
        The rule and the factor that put them on the scale.
    """

    label: str
    row_id: str
    study_id: str
    population: str
    cohort: str
    cancer: str
    subgroup: str
    stratum: str
    design: str
    year: float
    measure: str
    yi: float
    vi: float
    estimate: float
    ci_lower: float
    ci_upper: float
    cases: float
    controls: float
    adjusted_for: str
    reported: str
    derivation: str
    notes: tuple[str, ...]
    note: str
    citation: str
    href: str | None

    def to_dict(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else finite(v) for name, v in self.__dict__.items()}


@dataclass(frozen=True)
class RiskUnused:
    """A row that was found and is in no pool; `kind` is that of `igfmeta.synthesis.risk_inputs.LeftOut`."""

    row_id: str
    study_id: str
    label: str
    population: str
    cancer: str
    subgroup: str
    stratum: str
    kind: str
    reason: str
    reported: str
    note: str


@dataclass(frozen=True, eq=False)
class RiskGroup:
    """The studies of one stratum or cancer and what both schools make of them, on the log scale.

    Attributes
    ----------
    key, label : str
    measure : str
        OR, RR or HR; "LOG" where they are mixed.
    studies : tuple of RiskStudy
    fit : Pooled
    posterior : Posterior
    p_raises : float
        Posterior probability that the ratio is above 1.
    cases : float
        Of the studies that report them.
    cases_missing : int
        Studies that do not.
    remarks : tuple of str
    """

    key: str
    label: str
    measure: str
    studies: tuple[RiskStudy, ...]
    fit: Pooled
    posterior: Posterior
    p_raises: float
    cases: float
    cases_missing: int
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        fit, posterior = fit_to_dict(self.fit), self.posterior.to_dict()
        return {
            "key": self.key,
            "label": self.label,
            "measure": "mixed" if self.measure == "LOG" else self.measure,
            **fit,
            "natural": {name: ratio(fit[name]) for name in _ON_SCALE},
            "cases": self.cases,
            "studies_without_cases": self.cases_missing,
            "posterior": {
                **posterior,
                "natural": {name: ratio(posterior[name]) for name in _POSTERIOR},
                "p_raises": self.p_raises,
            },
            "studies": [study.to_dict() for study in self.studies],
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True)
class HierarchicalRisk:
    """A cancer's mean ratio in the hierarchy of all cancers, and what a new study of a new population may show."""

    key: str
    label: str
    k: int
    median: float
    ci_lower: float
    ci_upper: float
    pi_lower: float
    pi_upper: float
    p_raises: float


@dataclass(frozen=True)
class SpreadOf:
    """The standard deviation of one source of heterogeneity, on the log scale: prior and posterior."""

    name: str
    prior: str
    sd_median: float
    sd_lower: float
    sd_upper: float


@dataclass(frozen=True)
class RiskHierarchy:
    """All cancers in one model: log ratio = overall + cancer + population + study.

    Attributes
    ----------
    cancers : tuple of HierarchicalRisk
    overall : HierarchicalRisk
        The average over the cancers of the model, each with the same weight.
    sources : tuple of SpreadOf
    shared : tuple of str
        Populations that stand in the model more than once.
    draws, seed : int
    effective_draws, pareto_k : float
    reliable : bool
    """

    cancers: tuple[HierarchicalRisk, ...]
    overall: HierarchicalRisk
    sources: tuple[SpreadOf, ...]
    shared: tuple[str, ...]
    draws: int
    seed: int
    effective_draws: float
    pareto_k: float
    reliable: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "cancers": [dict(each.__dict__) for each in self.cancers],
            "overall": dict(self.overall.__dict__),
            "sources": [dict(each.__dict__) for each in self.sources],
            "shared": list(self.shared),
            "pareto_k": finite(self.pareto_k),
        }


@dataclass(frozen=True, eq=False)
class RiskResult(Drawn):
    """The answer to a question of risk.

    Attributes
    ----------
    biomarker : str
    cancers, subgroups : tuple of str
    target : Distance
        What the ratios are per.
    by : str or None
        "cancer", or None for strata of design.
    design : str or None
        As asked for.
    groups : tuple of RiskGroup
        Strata of design, or cancers.
    overall : RiskGroup or None
        Prospective and retrospective studies together, where that was asked for.
    between : BetweenGroups or None
        The test of equal effects across the groups, where they are of one kind.
    hierarchy : RiskHierarchy or None
        With two cancers or more.
    unused : tuple of RiskUnused
    comparisons : tuple of Comparison
    assumptions, remarks : tuple of str
        What the numbers rest on; what to know before using them.
    options : mapping
        How the question was asked, defaults included.
    """

    biomarker: str
    cancers: tuple[str, ...]
    subgroups: tuple[str, ...]
    target: Distance
    by: str | None
    design: str | None
    groups: tuple[RiskGroup, ...]
    overall: RiskGroup | None
    between: BetweenGroups | None
    hierarchy: RiskHierarchy | None
    unused: tuple[RiskUnused, ...]
    comparisons: tuple[Comparison, ...]
    assumptions: tuple[str, ...]
    remarks: tuple[str, ...]
    options: Mapping[str, Any]
    origin: str
    fingerprint: str
    version: str

    def __getitem__(self, key: str) -> RiskGroup:
        """Return a group by its key, such as "prospective" or "breast"."""
        for group in self.everything():
            if group.key == key:
                return group
        raise KeyError(key)

    def everything(self) -> tuple[RiskGroup, ...]:
        """Return the groups, followed by the pool over all of them where there is one."""
        return self.groups if self.overall is None else (*self.groups, self.overall)

    @property
    def question(self) -> str:
        """Return the question in words, such as `igf1 and prostate cancer`."""
        marker, subgroups = (_words([self.biomarker]), _words(self.subgroups))
        people = f", {subgroups}" if self.subgroups else ""
        if self.by is not None:
            return f"{marker} by cancer, {self.design or 'prospective'} studies{people}"
        cancers = f"{_words(self.cancers)} cancer" if len(self.cancers) < 4 else f"{len(self.cancers)} cancers"
        return f"{marker} and {cancers}{people}"

    def genes(self) -> tuple[RiskUnused, ...]:
        """Return the rows of candidate genes: a stratum that is shown and not pooled."""
        return tuple(item for item in self.unused if item.kind == "candidate_gene")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": self.version,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "question": dict(self.options),
            "biomarker": self.biomarker,
            "cancers": list(self.cancers),
            "subgroups": list(self.subgroups),
            "per": {"amount": self.target.amount, "unit": self.target.unit, "label": self.target.rule},
            "methods": methods_of_risk(self.groups[0]) if self.groups else None,
            "groups": [group.to_dict() for group in self.groups],
            "overall": None if self.overall is None else self.overall.to_dict(),
            "between_groups": None if self.between is None else dict(self.between.__dict__),
            "hierarchy": None if self.hierarchy is None else self.hierarchy.to_dict(),
            "not_used": [dict(unused.__dict__) for unused in self.unused],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "assumptions": list(self.assumptions),
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study and per pooled effect, ratios on the scale asked for."""
        import pandas as pd

        return pd.DataFrame([row for group in self.everything() for row in _flat(group)])


def _words(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def methods_of_risk(group: RiskGroup) -> dict[str, Any]:
    """Return the names of the methods and priors behind a group's numbers, defaults included."""
    fit, posterior = group.fit, group.posterior
    return {
        **{name: getattr(fit, name) for name in ("method", "ci", "pi", "tau2_ci", "level")},
        **{name: getattr(posterior, name) for name in ("tau_prior", "mu_prior", "interval")},
    }


def _flat(group: RiskGroup) -> list[dict[str, Any]]:
    fit, posterior = group.fit, group.posterior
    names = ("label", "row_id", "population", "cancer", "subgroup", "stratum", "measure", "estimate", "ci_lower",
             "ci_upper", "cases", "reported", "derivation")  # fmt: skip
    studies = [{"kind": "study", "group": group.key, **{n: getattr(s, n) for n in names}} for s in group.studies]
    pooled = {
        "kind": "pooled",
        "group": group.key,
        "label": group.label,
        "k": fit.k,
        "measure": "mixed" if group.measure == "LOG" else group.measure,
        **{name: ratio(getattr(fit, name)) for name in _ON_SCALE},
        "p_value": fit.p_value,
        "tau2": fit.tau2,
        "i2": fit.i2,
        **{f"posterior_{name}": ratio(getattr(posterior, name)) for name in _POSTERIOR},
        "p_raises": group.p_raises,
        "cases": group.cases,
    }
    return [*studies, pooled]
