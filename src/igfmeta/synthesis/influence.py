"""How much each study of a pool carries: deletion, cumulation, all subsets, and what would turn the conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import null_value
from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.models import deletion
from igfmeta.models.fragility import Fragility, fragility
from igfmeta.models.gosh import Gosh, gosh
from igfmeta.models.influence import Influence, influence, units_of
from igfmeta.models.results import PooledBatch
from igfmeta.numerics import Floats
from igfmeta.synthesis.display import Plotted
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.study_sets import StudySet
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

ORDERS = ("year", "precision", "table")

#: Figures of a unit, in the order of the table.
UNIT_FIGURES = ("rstudent", "dffits", "cook_d", "cov_r", "dfbetas", "chi2", "chi2_df", "chi2_p_value")
STUDY_FIGURES = ("rstandard", "hat", "weights", "residual2")


@dataclass(frozen=True, eq=False)
class Cumulative:
    """The pool study after study: the order, the labels in that order, one fit per step."""

    order: str
    labels: tuple[str, ...]
    fits: PooledBatch


@dataclass(frozen=True, eq=False)
class InfluenceOf:
    """What each study of one set does to its pool.

    Attributes
    ----------
    studies : StudySet
    influence : Influence
    units : tuple of str
        Names of what is left out: studies, or clusters.
    cumulative : Cumulative or None
    gosh : Gosh or None
    fragility : Fragility or None
        None for rates, which have no value of no effect.
    remarks : tuple of str
    """

    studies: StudySet
    influence: Influence
    units: tuple[str, ...]
    cumulative: Cumulative | None
    gosh: Gosh | None
    fragility: Fragility | None
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        found, studies = self.influence, self.studies
        out: dict[str, Any] = {**studies.head(), "pooled": _step(studies, "all", found.fits, 0)}
        out["studies"] = [
            {"study": label, **{name: finite(float(getattr(found, name)[i])) for name in STUDY_FIGURES}}
            for i, label in enumerate(studies.labels)
        ]
        out["without"] = [
            {
                **_step(studies, unit, found.fits, u + 1),
                "studies": [studies.labels[i] for i in np.flatnonzero(found.membership[u])],
                **{name: finite(float(getattr(found, name)[u])) for name in UNIT_FIGURES},
                "baujat": {
                    "x": float(found.residual2[found.membership[u]].sum()),
                    "y": finite(float(found.shift2[u])),
                },
                "influential": bool(found.influential[u]),
            }
            for u, unit in enumerate(self.units)
        ]
        if self.cumulative is not None:
            steps = self.cumulative
            out["cumulative"] = {
                "order": steps.order,
                "steps": [_step(studies, label, steps.fits, i) for i, label in enumerate(steps.labels)],
            }
        if self.gosh is not None:
            out["gosh"] = gosh_summary(studies, self.gosh)
        if self.fragility is not None:
            out["fragility"] = _fragility_to_dict(studies, self.fragility)
        return {**out, "remarks": list(self.remarks)}


@dataclass(frozen=True, eq=False)
class InfluenceResult(Plotted):
    """Influence in each set of studies; `skipped` says which were too small, `methods` how the pools were made."""

    sets: tuple[InfluenceOf, ...]
    skipped: tuple[str, ...]
    methods: Methods

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "methods": {name: value for name, value in self.methods.frequentist().items() if name != "tau2_ci"},
            "sets": [each.to_dict() for each in self.sets],
            "skipped": list(self.skipped),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study or cluster left out, on the reader's scale."""
        import pandas as pd

        rows = []
        for each in self.sets:
            for unit in each.to_dict()["without"]:
                flat = {k: v for k, v in unit.items() if not isinstance(v, (list, dict))}
                rows.append({"set": each.studies.name, **flat, **unit["natural"]})
        return pd.DataFrame(rows)


def _step(studies: StudySet, label: str, fits: PooledBatch, row: int) -> dict[str, Any]:
    names = (
        "estimate",
        "se",
        "ci_lower",
        "ci_upper",
        "p_value",
        "tau2",
        "i2",
        "q",
        "q_p_value",
        "pi_lower",
        "pi_upper",
    )
    values = {name: finite(float(getattr(fits, name)[row])) for name in names}
    on_scale = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
    return {
        "label": label,
        "k": int(fits.k[row]),
        **values,
        "natural": {name: studies.natural(values[name]) for name in on_scale},
    }


def gosh_summary(studies: StudySet, found: Gosh) -> dict[str, Any]:
    """Return how the pools of subsets spread, and for each study the medians of those with and without it."""
    null = null_value(studies.measure)
    quantiles = {f"{100 * p:g} %": float(np.quantile(found.estimate, p)) for p in (0.0, 0.05, 0.5, 0.95, 1.0)}
    out: dict[str, Any] = {
        "subsets": len(found),
        "all_subsets": found.exhaustive,
        "method": found.method,
        "engine": found.engine,
        "estimate": {name: {"value": value, "natural": studies.natural(value)} for name, value in quantiles.items()},
        "i2_median": float(np.median(found.i2)),
        "below_null": None if null is None else float(np.mean(found.estimate < null)),
        "studies": [],
    }
    for i, label in enumerate(studies.labels):
        inside = found.member(i)
        out["studies"].append({"study": label, "with": _medians(found, inside), "without": _medians(found, ~inside)})
    return out


def _medians(found: Gosh, rows: Any) -> dict[str, float | None]:
    if not rows.any():
        return {"estimate": None, "i2": None}
    return {"estimate": float(np.median(found.estimate[rows])), "i2": float(np.median(found.i2[rows]))}


def _fragility_to_dict(studies: StudySet, found: Fragility) -> dict[str, Any]:
    return {
        "interval_excludes_no_effect": found.excludes_null,
        "studies_to_remove": None if found.removed is None else [studies.labels[i] for i in found.removed],
        "smallest": found.exact,
        "new_study": [
            {
                "precision": new.precision,
                "vi": new.vi,
                **{
                    side: None if value is None else {"effect": value, "natural": studies.natural(value)}
                    for side, value in (("below", new.below), ("above", new.above))
                },
            }
            for new in found.new_studies
        ],
    }


def order_of(studies: StudySet, order: str) -> list[int]:
    """Return the positions of the studies by year or by precision, ties in the order of the table."""
    order = check_choice("cumulative", order, ORDERS)
    if order == "table":
        return list(range(studies.k))
    keys = studies.years if order == "year" else studies.vi
    if missing := [studies.labels[i] for i in np.flatnonzero(np.isnan(keys))]:
        raise InputError(
            f"{studies.label}: a cumulative pool by year needs the year of every study; "
            f"it is missing for {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}."
        )
    return [int(i) for i in np.argsort(keys, kind="stable")]


def influence_in(sets: Sequence[StudySet], methods: Methods, **options: Any) -> InfluenceResult:
    """Return the influence of each study in each set; sets too small for it are named. See `influence_of`.

    Raises
    ------
    InputError
        Options that are not accepted.
    NothingToPool
        Every set is too small.
    """
    small = [_too_small(each) for each in sets]
    found = tuple(influence_of(each, methods, **options) for each, why in zip(sets, small, strict=True) if why is None)
    skipped = tuple(why for why in small if why is not None)
    if not found:
        raise NothingToPool("\n".join(skipped))
    return InfluenceResult(found, skipped, methods)


def _too_small(studies: StudySet) -> str | None:
    """Return why nothing can be left out of a set."""
    if studies.k < 3:
        word = "study" if studies.k == 1 else "studies"
        return f"{studies.label}: {studies.k} {word}; leaving one out takes 3 at least."
    if studies.clusters is not None and len(set(studies.clusters)) < 2:
        return f"{studies.label}: all studies are of one cluster, {studies.clusters[0]}; it cannot be left out."
    return None


def influence_of(
    studies: StudySet,
    methods: Methods,
    *,
    cumulative: str | None = None,
    with_gosh: bool = False,
    subsets: int | None = None,
    seed: int = 1,
) -> InfluenceOf:
    """Return what each study of a set does to its pool.

    Parameters
    ----------
    studies : StudySet
        Where it has clusters, these are left out one at a time rather than the studies.
    methods : Methods
    cumulative : {"year", "precision", "table"}, optional
        Also pool study after study.
    with_gosh : bool
        Also pool every subset, or a sample of them.
    subsets : int, optional
        Size of the sample; by default all subsets where k <= 20.
    seed : int
        Of the sample.

    Raises
    ------
    InputError
        Options that are not accepted.
    """
    options = {**methods.frequentist(), "tau2_ci": "none"}
    found = influence(studies.yi, studies.vi, cluster=studies.clusters, **options)
    names = studies.labels if studies.clusters is None else units_of(studies.clusters, studies.k)[0]
    null = null_value(studies.measure)
    steps = None
    if cumulative is not None:
        order = order_of(studies, cumulative)
        fits = deletion.cumulative(studies.yi, studies.vi, order=order, **options)
        steps = Cumulative(cumulative.casefold(), tuple(_step_label(studies, i, cumulative) for i in order), fits)
    rng = np.random.default_rng(seed)
    return InfluenceOf(
        studies=studies,
        influence=found,
        units=tuple(str(name) for name in names),
        cumulative=steps,
        gosh=gosh(studies.yi, studies.vi, method=methods.method, subsets=subsets, rng=rng) if with_gosh else None,
        fragility=None if null is None else fragility(studies.yi, studies.vi, null=null, **options),
        remarks=_remarks(studies, found, names, found.without.estimate),
    )


def _step_label(studies: StudySet, position: int, order: str) -> str:
    label, year = studies.labels[position], studies.years[position]
    shows = order.casefold() == "year" and f"{year:.0f}" not in label
    return f"{label} ({year:.0f})" if shows else label


def _remarks(studies: StudySet, found: Influence, names: Any, estimates: Floats) -> tuple[str, ...]:
    marked = [str(names[u]) for u in np.flatnonzero(found.influential)]
    remarks = []
    if marked:
        remarks.append(f"Influential by the limits of Viechtbauer & Cheung (2010): {', '.join(marked)}.")
    else:
        remarks.append("None is influential by the limits of Viechtbauer & Cheung (2010).")
    null = null_value(studies.measure)
    if null is not None:
        whole = found.fit.ci_lower > null or found.fit.ci_upper < null
        without = (found.without.ci_lower > null) | (found.without.ci_upper < null)
        turned = [str(names[u]) for u in np.flatnonzero(without != whole)]
        verb = "no longer excludes" if whole else "excludes"
        if turned:
            remarks.append(f"The interval {verb} no effect without: {', '.join(turned)}.")
        sides = np.sign(estimates - null)
        if (sides != np.sign(found.fit.estimate - null)).any():
            changed = [str(names[u]) for u in np.flatnonzero(sides != np.sign(found.fit.estimate - null))]
            remarks.append(f"The pooled effect changes sides without: {', '.join(changed)}.")
    if studies.k < 5:
        remarks.append(f"Only {studies.k} studies: leaving one out leaves little to judge it by.")
    return (*remarks, *studies.remarks())
