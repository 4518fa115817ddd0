"""How the sampling errors of the results of a study hang together, from an assumed correlation and from shared arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.effects.sampling_covariance import joint_covariance
from igfmeta.numerics import Floats
from igfmeta.synthesis.eligibility import Row, comparison_of
from igfmeta.synthesis.rows_to_effects import RowEffect
from igfmeta.synthesis.shared_arms import control_covariance


def result_of(row: Row) -> tuple[str, ...]:
    """Return what makes two rows readings of one result: the same patients and the same outcome."""
    return (*comparison_of(row), str(row["outcome"]))


@dataclass(frozen=True, eq=False)
class Sampling:
    """The covariance of sampling errors, from an assumed correlation of two results of the same patients.

    Attributes
    ----------
    vi : ndarray of shape (k,)
    within : ndarray of shape (k, k)
        Covariances by shared control arms, of results that are of one outcome and one reading.
    reading, comparison : tuple of str
        Which result of which patients each is: together different for every row.
    alike : ndarray of shape (k, k)
        Rows of one study of which some may hold the same patients in different strata: rho between all of them.
    """

    vi: Floats
    within: Floats
    reading: tuple[str, ...]
    comparison: tuple[str, ...]
    alike: Any

    @classmethod
    def of(cls, effects: Sequence[RowEffect], measure: str, shares: Floats | None = None) -> Sampling:
        """Return the covariance of results; `shares` divide their variances (see `igfmeta.synthesis.risk_weights`)."""
        root = np.sqrt(np.ones(len(effects)) if shares is None else shares)
        rows = [effect.row for effect in effects]
        comparison = tuple(" / ".join(comparison_of(row)) for row in rows)
        reading = _readings([result_of(row) for row in rows])
        study = np.array([str(row["study_id"]) for row in rows])
        mixed = np.array([each in _overlapping(rows) for each in study], dtype=bool)
        return cls(
            vi=np.array([effect.vi for effect in effects]) / root**2,
            within=control_covariance(effects, reading, measure) / np.outer(root, root),
            reading=reading,
            comparison=comparison,
            alike=np.equal.outer(study, study) & mixed[:, None],
        )

    @property
    def needs_rho(self) -> bool:
        """Whether any two results are of the same patients."""
        return bool(np.any(self(0.0) != self(0.5)))

    def __call__(self, rho: float) -> Floats:
        v = joint_covariance(self.within, self.reading, self.comparison, rho=rho)
        se = np.sqrt(self.vi)
        v = np.where(self.alike, rho * np.outer(se, se), v)
        np.fill_diagonal(v, self.vi)
        return v


def _readings(results: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the outcome of each result, numbered where one comparison has several readings of it.

    Examples
    --------
    >>> _readings([("a", "pfs"), ("a", "pfs"), ("b", "pfs")])
    ('pfs 1', 'pfs 2', 'pfs 1')
    """
    return tuple(f"{each[-1]} {results[: i + 1].count(each)}" for i, each in enumerate(results))


def _overlapping(rows: Sequence[Row]) -> set[str]:
    """Return the studies with a sensitivity row beside rows of other strata, which may hold the same patients."""
    strata: dict[str, set[tuple[str, ...]]] = {}
    for row in rows:
        strata.setdefault(row["study_id"], set()).add(comparison_of(row))
    return {row["study_id"] for row in rows if row["use"] == "sensitivity" and len(strata[row["study_id"]]) > 1}
