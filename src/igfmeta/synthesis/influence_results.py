"""What `influence` holds: everything that its tables, figures and JSON need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import null_value
from igfmeta.models.fragility import Fragility
from igfmeta.models.gosh import Gosh
from igfmeta.models.influence import Influence
from igfmeta.models.rate_influence import RateInfluence
from igfmeta.models.results import PooledBatch
from igfmeta.numerics import Floats
from igfmeta.synthesis.display import Plotted
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.study_sets import StudySet, sets_to_dict

if TYPE_CHECKING:
    import pandas as pd

#: Figures of a unit and of a study, in the order of the tables: of effects with known variances, and of rates.
UNIT_FIGURES = ("rstudent", "dffits", "cook_d", "cov_r", "dfbetas", "chi2", "chi2_df", "chi2_p_value")
STUDY_FIGURES = ("rstandard", "hat", "weights", "residual2")
RATE_UNIT_FIGURES = ("cook_d", "cov_r", "dfbetas")
RATE_STUDY_FIGURES = ("weights", "expected", "tail", "residual")


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
    influence : Influence or RateInfluence
        The latter where `studies.counted`.
    units : tuple of str
        Names of what is left out: studies, or clusters.
    cumulative : Cumulative or None
    gosh : Gosh or None
    fragility : Fragility or None
        None for rates, which have no value of no effect.
    remarks : tuple of str
    """

    studies: StudySet
    influence: Influence | RateInfluence
    units: tuple[str, ...]
    cumulative: Cumulative | None
    gosh: Gosh | None
    fragility: Fragility | None
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        found, studies = self.influence, self.studies
        rates = isinstance(found, RateInfluence)
        out: dict[str, Any] = {
            **studies.head(),
            **studies.pooled_by(found.fit),
            "pooled": _step(studies, "all", found.fits, 0),
        }
        of_study, of_unit = (RATE_STUDY_FIGURES, RATE_UNIT_FIGURES) if rates else (STUDY_FIGURES, UNIT_FIGURES)
        out["studies"] = [
            {"study": label, **{name: finite(float(getattr(found, name)[i])) for name in of_study}}
            for i, label in enumerate(studies.labels)
        ]
        out["without"] = [
            {
                **_step(studies, unit, found.fits, u + 1),
                "studies": [studies.labels[i] for i in np.flatnonzero(found.membership[u])],
                **{name: finite(float(getattr(found, name)[u])) for name in of_unit},
                **({} if isinstance(found, RateInfluence) else {"baujat": _baujat(found, u)}),
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
        return {**sets_to_dict(self.sets, self.methods), "skipped": list(self.skipped)}

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
    raw = {name: float(getattr(fits, name)[row]) for name in names}
    if not studies.has_null:
        raw["p_value"] = np.nan  # a logit of 0 is half of the patients, not "no effect"
    on_scale = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
    return {
        "label": label,
        "k": int(fits.k[row]),
        **{name: finite(value) for name, value in raw.items()},
        "natural": {name: studies.natural(raw[name]) for name in on_scale},
    }


def _baujat(found: Influence, unit: int) -> dict[str, float | None]:
    return {
        "x": float(found.residual2[found.membership[unit]].sum()),
        "y": finite(float(found.shift2[unit])),
    }


def gosh_summary(studies: StudySet, found: Gosh) -> dict[str, Any]:
    """Return how the pools of subsets spread, and for each study the medians of those with and without it."""
    null = null_value(studies.measure)
    quantiles = {f"{100 * p:g} %": _quantile(found.estimate, p) for p in (0.0, 0.05, 0.5, 0.95, 1.0)}
    out: dict[str, Any] = {
        "subsets": len(found),
        "all_subsets": found.exhaustive,
        "method": found.method,
        "engine": found.engine,
        "estimate": {
            name: {"value": finite(value), "natural": studies.natural(value)} for name, value in quantiles.items()
        },
        "i2_median": float(np.nanmedian(found.i2)) if np.isfinite(found.i2).any() else None,
        "below_null": None if null is None else float(np.mean(found.estimate < null)),
        "studies": [],
    }
    for i, label in enumerate(studies.labels):
        inside = found.member(i)
        sides = {name: _medians(studies, found, rows) for name, rows in (("with", inside), ("without", ~inside))}
        out["studies"].append({"study": label, **sides})
    return out


def _quantile(estimates: Floats, p: float) -> float:
    """Return a quantile; where a rate of 0 or 1 makes a logit infinite, one of the estimates themselves."""
    if np.isfinite(estimates).all():
        return float(np.quantile(estimates, p))
    return float(np.sort(estimates)[max(0, int(np.ceil(p * len(estimates))) - 1)])


def _medians(studies: StudySet, found: Gosh, rows: Any) -> dict[str, float | None]:
    if not rows.any():
        return {"estimate": None, "natural": None, "i2": None}
    middle, i2 = _quantile(found.estimate[rows], 0.5), found.i2[rows]
    i2 = i2[np.isfinite(i2)]
    return {
        "estimate": finite(middle),
        "natural": studies.natural(middle),
        "i2": float(np.median(i2)) if len(i2) else None,
    }


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
