"""Row effects -> the studies that enter a pool: contrasts that share a control arm combined, sources attached."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from igfmeta.effects import shared_control
from igfmeta.effects.one_arm import proportion_interval
from igfmeta.effects.scales import natural
from igfmeta.effects.two_arm import two_arm
from igfmeta.evidence.explain import citation_of
from igfmeta.evidence.risk_of_bias import NOT_JUDGED, overall
from igfmeta.numerics import Floats, t_quantile
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.rows_to_effects import RowEffect

Counts = tuple[float, float, float, float]

#: Footnotes by mark: what a reader should know of a study before trusting its line.
MARKS = {
    "d": "Derived: the standard error is not from a printed 95 % interval, or a count is from a percentage.",
    "s": "Contrasts that share one control arm, combined within the study by generalized least squares.",
    "m": "Arms that share one control arm, their events and patients added up (Cochrane Handbook 23.3.4).",
    "a": "The covariance of the shared control arm is assumed (half the mean variance).",
    "1": "The source prints a one-sided p-value.",
    "2": "A sensitivity row of the evidence table.",
    "r": "Variance divided by a weight for the risk of bias.",
    "i": "The printed interval is asymmetric on the log scale by more than rounding explains.",
}


@dataclass(frozen=True)
class Sources:
    """The sources by source_id, surnames of first authors by their letters, and the risk of bias of each study."""

    rows: Mapping[str, Mapping[str, Any]]
    surnames: Mapping[str, str]
    risks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], *, judgements: Sequence[Mapping[str, Any]] = ()) -> Sources:
        surnames = [_surname(row["first_author"]) for row in rows]
        named = {_letters(name): name for name in surnames if name}
        return cls({row["source_id"]: row for row in rows}, named, overall(judgements))


@dataclass(frozen=True)
class Study:
    """One line of a forest plot: a study's effect on the analysis scale, with where each number is from.

    Attributes
    ----------
    yi, vi : float
        Effect and sampling variance on the analysis scale.
    estimate, ci_lower, ci_upper : float
        On the reader's scale, with the study's own interval: normal, or exact (Clopper-Pearson) for a proportion.
    patients : float
        Patients analysed, a shared control arm counted once; NaN where an arm's number was not reported.
    counts : tuple of float
        Events and patients (experimental, control); NaN where unknown or where effects were combined.
    derivation : str
        The rule that gave the effect.
    risk : str
        Risk of bias, overall or in the worst domain: low, unclear, some, high; none where it was not judged.
    marks : tuple of str
        Keys of `MARKS`.
    """

    label: str
    study_id: str
    row_ids: tuple[str, ...]
    agent: str
    agent_class: str
    tumor_type: str
    tumor_subtype: str
    phase: str
    year: float
    yi: float
    vi: float
    estimate: float
    ci_lower: float
    ci_upper: float
    patients: float
    counts: Counts
    derivation: str
    notes: tuple[str, ...]
    marks: tuple[str, ...]
    extraction: str
    source_ids: tuple[str, ...]
    citation: str
    href: str | None
    reported: tuple[str, ...]
    risk: str = NOT_JUDGED


def _surname(author: str) -> str:
    """Return the family name of `Abou-Alfa GK` or `Key (Collaborative Group)`.

    Examples
    --------
    >>> _surname("Abou-Alfa GK"), _surname("Di Cosimo")
    ('Abou-Alfa', 'Di Cosimo')
    """
    name = re.sub(r"\s*\(.*?\)", "", author).strip()
    return re.sub(r"\s+[A-Z]{1,3}$", "", name)


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isascii() and c.isalpha())


def _study_name(study_id: str, author: str, year: float, authors: Mapping[str, str]) -> str:
    """Return author and year of a study; a later report of it by somebody else does not give it another name.

    `authors` holds the surnames of all sources by their letters.

    Examples
    --------
    >>> _study_name("kindler2012", "McCaffery I", 2012.0, {"kindler": "Kindler"})
    'Kindler 2012'
    """
    named = re.fullmatch(r"([a-z_]+?)_?(\d{4})[a-z]?", study_id)
    if named and _letters(named[1]) in authors:
        return f"{authors[_letters(named[1])]} {named[2]}"
    surname = _surname(author)
    if not surname:
        return study_id
    return surname if np.isnan(year) else f"{surname} {year:.0f}"


def row_label(row: Row, sources: Sources) -> str:
    """Return the name of a row's study: author and year, and the trial where its name is short."""
    source = sources.rows.get(row["source_id"])
    name = _study_name(row["study_id"], source["first_author"] if source else "", row["year"], sources.surnames)
    trial = row.get("trial_name", "")
    return f"{name} ({trial})" if trial and len(trial) <= 16 else name


def _href(source: Mapping[str, Any] | None) -> str | None:
    if not source:
        return None
    if source["doi"]:
        return f"https://doi.org/{source['doi']}"
    if source["pmid"]:
        return f"https://pubmed.ncbi.nlm.nih.gov/{source['pmid']}/"
    return None


def reported_numbers(row: Row) -> str:
    """Return the numbers of a row as the source printed them, in one line.

    Examples
    --------
    >>> from collections import defaultdict
    >>> row = defaultdict(str, measure="HR", estimate_text="1.44", ci_low_text="1.06", ci_high_text="1.96")
    >>> reported_numbers(defaultdict(str, row, ci_level_text="95", n_exp_text="", n_ctl_text=""))
    'HR 1.44, 95 % interval 1.06 to 1.96'
    """

    def text(column: str) -> str:
        return str(row.get(f"{column}_text", "") or "")

    parts = []
    if text("estimate"):
        parts.append(f"{row['measure']} {text('estimate')}")
    if text("ci_low") or text("ci_high"):
        parts.append(f"{text('ci_level') or '?'} % interval {text('ci_low') or '?'} to {text('ci_high') or '?'}")
    if text("p_value"):
        sided = {"1": "one-sided", "2": "two-sided"}.get(row.get("p_sided", ""), "sidedness unknown")
        sign = "" if text("p_value")[0] in "<>" else "= "
        parts.append(f"p {sign}{text('p_value')} ({sided})")
    for side, name in (("exp", "experimental"), ("ctl", "control")):
        count, n, percent = text(f"events_{side}"), text(f"n_{side}"), text(f"percent_{side}")
        if count or percent:
            shown = count or f"{percent} %"
            parts.append(f"{name} {shown} of {n or '?'}")
        elif n:
            parts.append(f"{name} n {n}")
        if text(f"median_{side}"):
            parts.append(f"{name} median {text(f'median_{side}')} {row.get('median_unit', '')}".strip())
    return ", ".join(parts) or "no number"


def _marks(effect: RowEffect) -> set[str]:
    marks = set()
    if effect.derivation not in ("reported_ci", "counts"):
        marks.add("d")
    if effect.row.get("p_sided") == "1":
        marks.add("1")
    if effect.row["use"] == "sensitivity":
        marks.add("2")
    if any("asymmetric" in note for note in effect.notes):
        marks.add("i")
    return marks


def _patients(effects: Sequence[RowEffect]) -> float:
    controls = {(e.row["control"], e.row["shared_control"]): e.counts[3] for e in effects if e.row["control"]}
    return float(sum(e.counts[1] for e in effects) + sum(controls.values()))


def own_interval(yi: float, vi: float, counts: Sequence[float], measure: str, level: float) -> list[float]:
    """Return estimate and limits on the reader's scale."""
    if measure in PROPORTIONS:
        lower, upper = proportion_interval([counts[0]], [counts[1]], level=level)
        return [counts[0] / counts[1], float(lower[0]), float(upper[0])]
    half = float(t_quantile(0.5 + level / 2, np.inf)) * vi**0.5
    return [float(value) for value in natural(measure, np.array([yi, yi - half, yi + half]))]


def _combined(effects: Sequence[RowEffect], measure: str) -> tuple[float, float, tuple[str, ...]]:
    """Combine contrasts that share a control arm by generalized least squares (Gleser & Olkin 2009)."""
    yi = np.array([e.yi for e in effects])
    vi = np.array([e.vi for e in effects])
    covariance, origin = shared_control.shared_covariance(
        vi,
        ["shared"] * len(effects),
        measure=measure,
        events_ctl=np.array([e.counts[2] for e in effects]),
        n_ctl=np.array([e.counts[3] for e in effects]),
    )
    combined = shared_control.combine_within(yi, covariance, ["shared"] * len(effects))
    return float(combined.yi[0]), float(combined.vi[0]), tuple(origin)


def added_arms(effects: Sequence[RowEffect]) -> Floats:
    """Return events and patients of both arms: experimental arms added up, their one control arm counted once."""
    rows = np.array([effect.counts for effect in effects])
    return np.array([*rows[:, :2].sum(axis=0), *rows[0, 2:]])


def _added(effects: Sequence[RowEffect], measure: str) -> tuple[float, float, Counts]:
    """Return effect, variance and counts of arms that share a control arm, added up."""
    counts = added_arms(effects)
    sizes = two_arm(*counts[:, None], measure=measure)
    return float(sizes.yi[0]), float(sizes.vi[0]), (counts[0], counts[1], counts[2], counts[3])


def _study(effects: Sequence[RowEffect], measure: str, sources: Sources, level: float, *, added: bool) -> Study:
    row = effects[0].row
    marks = set().union(*(_marks(effect) for effect in effects))
    notes = tuple(dict.fromkeys(note for effect in effects for note in effect.notes))
    yi, vi, counts, derivation = effects[0].yi, effects[0].vi, effects[0].counts, effects[0].derivation
    rules = ", ".join(dict.fromkeys(effect.derivation for effect in effects))
    if len(effects) > 1 and added:
        (yi, vi, counts), derivation = _added(effects, measure), f"arms_added({rules})"
        marks |= {"m"}
    elif len(effects) > 1:
        yi, vi, origin = _combined(effects, measure)
        counts, derivation = (float("nan"),) * 4, f"shared_control({rules})"
        marks |= {"s", "a"} if "assumed" in origin else {"s"}
    estimate, ci_lower, ci_upper = own_interval(yi, vi, counts, measure, level)
    source = sources.rows.get(row["source_id"])
    return Study(
        label=row_label(row, sources),
        study_id=row["study_id"],
        row_ids=tuple(effect.row["row_id"] for effect in effects),
        agent=row["agent"],
        agent_class=row["agent_class"],
        tumor_type=row["tumor_type"],
        tumor_subtype=row["tumor_subtype"],
        phase=row["phase"],
        year=row["year"],
        yi=yi,
        vi=vi,
        estimate=estimate,
        ci_lower=ci_lower,
        ci_upper=ci_upper,
        patients=_patients(effects),
        counts=counts,
        derivation=derivation,
        notes=notes,
        marks=tuple(sorted(marks)),
        extraction=row["extraction"],
        source_ids=tuple(dict.fromkeys(effect.row["source_id"] for effect in effects)),
        citation=citation_of(source) if source else row["source_id"],
        href=_href(source),
        reported=tuple(reported_numbers(effect.row) for effect in effects),
        risk=sources.risks.get(row["study_id"], NOT_JUDGED),
    )


def _distinct_labels(studies: Sequence[Study]) -> list[str]:
    """Return the labels, with the stratum added where a study stands in the pool more than once."""
    labels = [study.label for study in studies]
    repeated = {label for label in labels if labels.count(label) > 1}
    kinds = [s.tumor_subtype or s.tumor_type.replace("_", " ") for s in studies]
    named = [f"{s.label}, {kind}" if s.label in repeated else s.label for s, kind in zip(studies, kinds, strict=True)]
    still = {label for label in named if named.count(label) > 1}
    return [f"{name} [{s.row_ids[0]}]" if name in still else name for name, s in zip(named, studies, strict=True)]


def studies_of(
    effects: Sequence[RowEffect],
    measure: str,
    sources: Sources,
    *,
    level: float = 0.95,
    apart: Sequence[str] = (),
    added: bool = False,
) -> list[Study]:
    """Return the studies that enter a pool, in the order of the table.

    Parameters
    ----------
    effects : sequence of RowEffect
        Usable effects of one question; those of one study with one `shared_control` value are combined.
    measure : str
    sources : Sources
    level : float
        Of each study's own interval.
    apart : sequence of str
        Columns in which contrasts that share a control arm must agree to be combined.
    added : bool
        Combine them by adding up the events and patients of their arms, for models of counts, instead of their effects.
    """
    units: dict[tuple[str, ...], list[RowEffect]] = {}
    for effect in effects:
        row = effect.row
        shared = row["shared_control"]
        together = (row["study_id"], shared, row["tumor_type"], row["tumor_subtype"], *(row[name] for name in apart))
        units.setdefault(together if shared else (row["row_id"],), []).append(effect)
    studies = [_study(members, measure, sources, level, added=added) for members in units.values()]
    labels = _distinct_labels(studies)
    return [replace(study, label=label) for study, label in zip(studies, labels, strict=True)]
