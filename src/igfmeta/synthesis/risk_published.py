"""What a comparison with a published pool holds: its numbers, ours on its contrast, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from igfmeta.effects.contrasts import Distance
from igfmeta.synthesis.results import finite


@dataclass(frozen=True)
class Ours:
    """Our pool on the contrast of a published one; estimate and limits are ratios, None where there is no study."""

    label: str
    k: int
    first_year: float
    last_year: float
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None

    def to_dict(self) -> dict[str, Any]:
        return {name: finite(value) for name, value in self.__dict__.items()}


@dataclass(frozen=True)
class Comparison:
    """A published pool that stands as a row of the table, and our pools of the single studies beside it.

    Attributes
    ----------
    label, row_id, cohort, cancer, biomarker, subgroup, design, measure, contrast : str
    year, cases : float
        NaN where not reported.
    estimate, ci_lower, ci_upper : float or None
        As published.
    distance : Distance or None
        What the published ratio is over; None where that is not stated.
    ours : tuple of Ours
    facts : tuple of str
        What differs, computed from the rows.
    """

    label: str
    row_id: str
    cohort: str
    cancer: str
    biomarker: str
    subgroup: str
    design: str
    year: float
    cases: float
    measure: str
    contrast: str
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    distance: Distance | None
    ours: tuple[Ours, ...]
    facts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: finite(value) for name, value in self.__dict__.items()},
            "distance": None if self.distance is None else dict(self.distance.__dict__),
            "ours": [each.to_dict() for each in self.ours],
            "facts": list(self.facts),
        }
