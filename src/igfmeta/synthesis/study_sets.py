"""The studies of one pool, ready for what is asked beside it: influence, small-study effects, sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural, null_value
from igfmeta.errors import InputError, NothingToPool, Problem, check_choice
from igfmeta.evidence.risk_of_bias import NOT_JUDGED
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, Mask
from igfmeta.synthesis.inputs import Columns, effects_from
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.pool_models import COUNTED_PROPORTION
from igfmeta.synthesis.results import Answer, Group, PoolResult, finite
from igfmeta.synthesis.studies import Study
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: What a set holds for each study.
_PER_STUDY = ("labels", "yi", "vi", "counts", "sizes", "events", "years", "clusters", "risks")

#: What may make a cluster of the evidence's studies, and the attribute that holds it.
CLUSTERS = {"study": "study_id", "agent": "agent", "class": "agent_class", "tumor": "tumor_type"}

#: The columns beside the effects that a table may name: numbers of events and of patients, in both arms or in all.
SIZES = ("events1", "n1", "events2", "n2", "events", "n")


@dataclass(frozen=True, eq=False)
class StudySet:
    """Studies that are pooled together, on the analysis scale.

    Attributes
    ----------
    name, label : str
        A short name for files and JSON; in words.
    measure : str
    favoured : {"greater", "less"} or None
        Which effects favour the experimental arm; None where the table does not say.
    labels : tuple of str
    yi, vi : ndarray of shape (k,)
    counts : ndarray of shape (k, 4)
        Events and patients of the experimental and the control arm; NaN where not known.
    sizes, events : ndarray of shape (k,)
        Patients and events of both arms together; NaN where not known.
    years : ndarray of shape (k,)
        NaN where not known.
    clusters, risks : tuple of str or None
        Cluster, and risk of bias, of each study.
    n_harmonic : float or None
    unused : tuple of str
        A sentence for each study that has no effect.
    origin : str
        Where the numbers come from.
    binomial : bool
        Whether rates on the logit scale are pooled from their counts.
    said : tuple of str
        What else goes with every result: methods that were asked for and that these studies do not heed.
    """

    name: str
    label: str
    measure: str
    favoured: str | None
    labels: tuple[str, ...]
    yi: Floats
    vi: Floats
    counts: Floats
    sizes: Floats
    events: Floats
    years: Floats
    clusters: tuple[str, ...] | None
    risks: tuple[str, ...] | None
    n_harmonic: float | None
    unused: tuple[str, ...]
    origin: str
    binomial: bool = True
    said: tuple[str, ...] = ()

    @property
    def k(self) -> int:
        return len(self.yi)

    @property
    def counted(self) -> bool:
        """Whether these are rates of single arms that are pooled from their counts, as `pool` does."""
        return self.measure == COUNTED_PROPORTION and self.binomial

    @property
    def rates(self) -> tuple[Floats, Floats]:
        """Events and patients of single arms."""
        return self.counts[:, 0], self.counts[:, 1]

    def only(self, keep: Mask) -> StudySet:
        """Return the studies of a mask."""
        kept = {name: _chosen(getattr(self, name), keep) for name in _PER_STUDY}
        return replace(self, **kept)

    def by_risk(self) -> dict[str, Mask]:
        """Return the studies of low risk of bias, and those not of high risk, where the risk is known; none if all."""
        if self.risks is None:
            return {}
        risks = np.array(self.risks)
        parts = {"Low risk of bias only": risks == "low", "Without high risk of bias": risks != "high"}
        return {name: keep for name, keep in parts.items() if not keep.all()}

    def natural(self, value: float | None) -> float | None:
        """Return a value of the analysis scale on the reader's scale; None for what is not finite there.

        A logit of minus infinity is a rate of 0, which exact intervals have.
        """
        if value is None or np.isnan(value):
            return None
        return finite(float(natural(self.measure, value, n_harmonic=self.n_harmonic)))  # type: ignore[no-any-return]

    @property
    def has_null(self) -> bool:
        """Whether a value of the measure means no effect; of a rate none does, and p-values say nothing."""
        return null_value(self.measure) is not None

    def remarks(self) -> tuple[str, ...]:
        """Return what goes with every result of these studies: methods not heeded, studies not used."""
        return (*self.said, *(f"Not used: {text}." for text in self.unused))

    def head(self) -> dict[str, Any]:
        """Return what JSON says of the set before its results."""
        return {"name": self.name, "label": self.label, "measure": self.measure, "k": self.k, "origin": self.origin}

    def pooled_by(self, fit: Pooled) -> dict[str, str]:
        """Return how the set is pooled: effects with known variances, or rates from their counts as `pool` does."""
        return {
            "model": "binomial" if self.counted else "inverse variance",
            "method": fit.method,
            "ci": fit.ci,
        }


def sets_of_pool(result: PoolResult, *, cluster: str | None = None) -> tuple[StudySet, ...]:
    """Return a study set for each answer of a pool, or for each of its groups where the pool was made by group.

    Parameters
    ----------
    result : PoolResult
    cluster : {"study", "agent", "class", "tumor"}, optional
    """
    attribute = None if cluster is None else CLUSTERS[check_choice("cluster", cluster, tuple(CLUSTERS))]
    names = [answer.question.name for answer in result]
    distinct = len(set(names)) == len(names)
    return tuple(
        _set_of_group(answer, group, attribute, origin=f"{result.origin}, sha256 {result.fingerprint[:12]}",
                      name=answer.question.name if distinct else f"{answer.question.name}-{answer.question.measure}")
        for answer in result
        for group in (answer.groups if answer.by != "none" else (answer.overall,))
    )  # fmt: skip


def set_of_answer(answer: Answer, *, origin: str) -> StudySet:
    """Return all studies of an answer of a pool."""
    name = f"{answer.question.name}-{answer.question.measure}"
    return _set_of_group(answer, answer.overall, None, origin=origin, name=name)


def _set_of_group(answer: Answer, group: Group, attribute: str | None, *, origin: str, name: str) -> StudySet:
    studies = group.studies
    counts = np.array([study.counts for study in studies], dtype=float).reshape(-1, 4)
    one_arm = answer.question.arms == "single_arm"
    by_group = group is not answer.overall
    risks = tuple(study.risk for study in studies)
    return StudySet(
        name=file_name(f"{name} {group.key}" if by_group else name),
        label=f"{answer.question.label}, {group.label}" if by_group else answer.question.label,
        measure=answer.question.measure,
        favoured="less" if answer.question.better == "lower" else "greater",
        labels=tuple(study.label for study in studies),
        yi=np.array([study.yi for study in studies]),
        vi=np.array([study.vi for study in studies]),
        counts=counts,
        sizes=np.array([study.patients for study in studies], dtype=float),
        events=counts[:, 0] if one_arm else counts[:, 0] + counts[:, 2],
        years=np.array([study.year for study in studies], dtype=float),
        clusters=None if attribute is None else tuple(_cluster(study, attribute) for study in studies),
        risks=risks if any(risk != NOT_JUDGED for risk in risks) else None,
        n_harmonic=group.n_harmonic,
        unused=(),
        origin=origin,
        binomial=answer.question.counted,
    )


def _cluster(study: Study, attribute: str) -> str:
    return str(getattr(study, attribute)) or "(blank)"


def set_of_table(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    study: str | None = None,
    cluster: str | None = None,
    year: str | None = None,
    risk: str | None = None,
) -> StudySet:
    """Return the studies of a table.

    Parameters
    ----------
    table : DataFrame
    columns : Columns
        One of the forms of `igfmeta.synthesis.inputs.FORMS`. Beside effects or estimates, columns of events and of
        patients may stand too: in each arm (events1, n1, events2, n2) or together (events, n).
    measure, scale, ci_level, zero_cells
        See `igfmeta.synthesis.inputs.effects_from`.
    study, cluster, year, risk : str, optional
        Columns of labels, of clusters, of years and of the risk of bias.

    Raises
    ------
    InputError
        Columns, options or values that cannot be used, all at once.
    NothingToPool
        No row is usable.
    """
    core, beside = parted(columns)
    effects = effects_from(
        table, core, measure=measure, scale=scale, ci_level=ci_level, zero_cells=zero_cells  # type: ignore[arg-type]
    )  # fmt: skip
    keep = effects.usable
    if not keep.any():
        reasons = "; ".join(dict.fromkeys(reason for reason in effects.sizes.reason if reason))
        raise NothingToPool(f"No row can be used: {reasons}." if reasons else "The table has no rows.")
    named = {**core.given(), **beside}
    read = {role: _numbers(table, named.get(role), keep) for role in SIZES}
    two_arms = ("events1", "n1", "events2", "n2")
    arms = ("events", "n", "events2", "n2") if core.form() == "events of one arm" else two_arms
    counts = np.column_stack([read[role] for role in arms])
    sizes = np.where(np.isnan(read["n"]), read["n1"] + read["n2"], read["n"])
    events = np.where(np.isnan(read["events"]), read["events1"] + read["events2"], read["events"])
    labels = _texts(table, study) if study else [f"Study {i + 1}" for i in range(len(table))]
    groups = [text or "(blank)" for text in _texts(table, cluster)] if cluster else None
    rows = table.index if table.index.name == "row" else range(1, len(table) + 1)
    file = table.attrs.get("file") or "table"
    return StudySet(
        name="table",
        label=str(file),
        measure=effects.sizes.measure,
        favoured=None,
        labels=tuple(_kept(labels, keep)),
        yi=effects.sizes.yi[keep],
        vi=effects.sizes.vi[keep],
        counts=counts,
        sizes=sizes,
        events=events,
        years=_numbers(table, year, keep),
        clusters=tuple(_kept(groups, keep)) if groups else None,
        risks=tuple(_kept([text.strip().casefold() for text in _texts(table, risk)], keep)) if risk else None,
        n_harmonic=float(keep.sum() / np.sum(1 / effects.n[keep])) if effects.n is not None else None,
        unused=tuple(
            f"{label} (row {row}): {reason}"
            for label, row, reason in zip(labels, rows, effects.sizes.reason, strict=True)
            if reason
        ),
        origin=str(file),
    )


def parted(columns: Columns) -> tuple[Columns, dict[str, str]]:
    """Part the columns that make the effects from those of events and patients that stand beside them."""
    given = columns.given()
    if not {"yi", "estimate"} & set(given):
        return columns, {}
    core = {role: name for role, name in given.items() if role not in SIZES}
    return Columns(**core), {role: name for role, name in given.items() if role in SIZES}


def _numbers(table: pd.DataFrame, column: str | None, keep: Any) -> Floats:
    if column is None:
        return np.full(int(keep.sum()), np.nan)
    file = table.attrs.get("file")
    if column not in table.columns:
        raise InputError(Problem(f"there is no column {column!r}.", file=file))
    values = table[column]
    if values.dtype.kind not in "iuf":
        raise InputError(Problem(f"holds {values.dtype}; accepted are numbers.", file=file, column=column))
    return np.asarray(values.to_numpy(dtype=float)[keep])


def _texts(table: pd.DataFrame, column: str) -> list[str]:
    if column not in table.columns:
        raise InputError(Problem(f"there is no column {column!r}.", file=table.attrs.get("file")))
    return ["" if value != value or value is None else str(value) for value in table[column]]


def _chosen(values: Any, keep: Mask) -> Any:
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[keep]
    return tuple(_kept(values, keep))


def _kept(values: Sequence[str], keep: Any) -> list[str]:
    return [value for value, kept in zip(values, keep, strict=True) if kept]


def sets_by(table: pd.DataFrame, columns: Columns, subgroup: str, **options: Any) -> tuple[StudySet, ...]:
    """Return the studies of each group of a table; the options are those of `set_of_table`."""
    groups = [text or "(blank)" for text in _texts(table, subgroup)]
    sets = []
    for group in dict.fromkeys(groups):
        part = table[[own == group for own in groups]]
        part.attrs = dict(table.attrs)
        found = set_of_table(part, columns, **options)
        sets.append(replace(found, name=file_name(group), label=f"{found.label}, {group}"))
    return tuple(sets)


def file_name(text: str) -> str:
    """Return a text as a part of a file's name.

    Examples
    --------
    >>> file_name("Lung: non-small cell")
    'lung-non-small-cell'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in text.casefold()).split()) or "group"


def sets_to_dict(sets: Sequence[Any], methods: Methods) -> dict[str, Any]:
    """Return what was found in each set of studies, with the methods, as plain lists, dictionaries and numbers."""
    return {
        "igfmeta": __version__,
        "methods": {name: value for name, value in methods.frequentist().items() if name != "tau2_ci"},
        "sets": [each.to_dict() for each in sets],
    }
