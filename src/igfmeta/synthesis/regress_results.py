"""What `regress` and `fit --model regression` return: the fit, and what was asked of it beside the coefficients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural, transform_of
from igfmeta.models.regression.location_scale import LocationScale, Wald
from igfmeta.models.regression.permutation import PermutationTest
from igfmeta.models.regression.results import Regression
from igfmeta.numerics import Floats
from igfmeta.synthesis.display import Pictured
from igfmeta.synthesis.results import finite
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RegressionRow:
    """One row of the table: its effect and what the model says of it; or the reason why it is not used.

    `weight` is in percent, `fitted` on the analysis scale.
    """

    label: str
    row: int | None
    yi: float | None
    vi: float | None
    fitted: float | None
    weight: float | None
    derivation: str
    reason: str | None


@dataclass(frozen=True)
class Inflation:
    """The generalized variance inflation factor of a term with `df` columns; `per_df` is it to the power 1/(2 df)."""

    term: str
    df: int
    gvif: float
    per_df: float


@dataclass(frozen=True)
class Said:
    """What the model says at moderators, or of a difference between two levels; on the analysis scale.

    `df` is None for a normal test; the prediction interval is None for a difference and for a common effect, the
    adjusted p-value for a prediction.
    """

    label: str
    estimate: float
    se: float
    df: float | None
    p_value: float
    ci_lower: float
    ci_upper: float
    pi_lower: float | None
    pi_upper: float | None
    p_adjusted: float | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """The model along one moderator: a line for a number, one place for each level of a factor.

    Attributes
    ----------
    variable : str
    levels : tuple of str
        () for a number.
    at, estimate, ci_lower, ci_upper, pi_lower, pi_upper : ndarray
        `at` counts the levels from 0.
    places : ndarray of shape (k,)
        Where the studies lie.
    held : str
        What the other moderators are held at, in words.
    """

    variable: str
    levels: tuple[str, ...]
    at: Floats
    estimate: Floats
    ci_lower: Floats
    ci_upper: Floats
    pi_lower: Floats
    pi_upper: Floats
    places: Floats
    held: str


@dataclass(frozen=True, eq=False)
class MetaRegression(Pictured):
    """A meta-regression of a table or of the evidence.

    Attributes
    ----------
    title, measure, formula : str
        The measure fixes the scale of the analysis.
    fit : Regression
    rows : tuple of RegressionRow
    inflation : tuple of Inflation
        Of each term; empty with one.
    predictions, contrasts : tuple of Said
    adjust : str
        How p-values of the contrasts are adjusted.
    permutation : PermutationTest or None
    seed : int
    location_scale : LocationScale or None
    curve : Curve or None
        None without moderators.
    n_harmonic : float or None
    unused : tuple of str
        Why rows of the evidence are not used.
    remarks : tuple of str
    file : str or None
    origin, fingerprint : str
    """

    title: str
    measure: str
    formula: str
    fit: Regression
    rows: tuple[RegressionRow, ...]
    inflation: tuple[Inflation, ...]
    predictions: tuple[Said, ...]
    contrasts: tuple[Said, ...]
    adjust: str
    permutation: PermutationTest | None
    seed: int
    scale_formula: str | None
    location_scale: LocationScale | None
    curve: Curve | None
    n_harmonic: float | None
    unused: tuple[str, ...]
    remarks: tuple[str, ...]
    file: str | None
    origin: str
    fingerprint: str

    @property
    def used(self) -> tuple[RegressionRow, ...]:
        """The rows of the model."""
        return tuple(row for row in self.rows if row.reason is None)

    @property
    def multiplies(self) -> bool:
        """Whether the exponential of a slope multiplies what the reader knows: a ratio, or odds."""
        return transform_of(self.measure) in ("exp", "expit")

    def natural(self, value: float | None) -> float | None:
        """Return a value of the analysis scale on the reader's scale."""
        return None if value is None else finite(float(natural(self.measure, value, n_harmonic=self.n_harmonic)))

    def _coefficients(self) -> list[dict[str, Any]]:
        fields = ("estimate", "ci_lower", "ci_upper")
        out = []
        for i, each in enumerate(self.fit.coefficients):
            plain: dict[str, Any] = asdict(each)
            with np.errstate(over="ignore"):
                factors = {name: finite(float(np.exp(plain[name]))) if self.multiplies else None for name in fields}
            p = None if self.permutation is None else float(self.permutation.p_values[i])
            out.append({**plain, "factor": factors if self.multiplies else None, "p_permutation": p})
        return out

    def _said(self, said: tuple[Said, ...], *, shown: bool) -> list[dict[str, Any]]:
        limits = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
        return [
            {**asdict(each), **({"natural": {n: self.natural(getattr(each, n)) for n in limits}} if shown else {})}
            for each in said
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "data": {"file": self.file, "origin": self.origin, "sha256": self.fingerprint},
            "title": self.title,
            "measure": self.measure,
            "formula": self.formula,
            **self.fit.to_dict(),
            "coefficients": self._coefficients(),
            "inflation": [asdict(each) for each in self.inflation],
            "predictions": self._said(self.predictions, shown=True),
            "contrasts": self._said(self.contrasts, shown=False),
            "adjust": self.adjust,
            "permutation": None if self.permutation is None else _permutation(self.permutation, self.seed),
            "location_scale": None
            if self.location_scale is None
            else {"formula": self.scale_formula, **_location_scale(self.location_scale)},
            "rows": [asdict(row) for row in self.rows],
            "unused": list(self.unused),
            "remarks": [*self.fit.remarks, *self.remarks],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study, coefficient, prediction and contrast, on the analysis scale."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {"kind": "study", "label": r.label, "estimate": r.yi, "se": None if r.vi is None else r.vi**0.5,
             "fitted": r.fitted, "weight": r.weight, "reason": r.reason}
            for r in self.rows
        ]  # fmt: skip
        for c in self._coefficients():
            kept = ("estimate", "se", "df", "p_value", "ci_lower", "ci_upper", "p_permutation")
            rows.append({"kind": "coefficient", "label": c["name"], **{name: c[name] for name in kept}})
        for kind, said in (("prediction", self.predictions), ("contrast", self.contrasts)):
            rows += [{"kind": kind, **asdict(each)} for each in said]
        return pd.DataFrame(rows)


def _permutation(found: PermutationTest, seed: int) -> dict[str, Any]:
    return {
        "p_values": found.p_values.tolist(),
        "p_model": found.p_model,
        "errors": found.errors.tolist(),
        "error_model": found.error_model,
        "exact": found.exact,
        "permutations": found.permutations,
        "kind": found.kind,
        "seed": None if found.exact else seed,
    }


def _wald(found: Wald) -> list[dict[str, Any]]:
    names = ("estimate", "se", "statistic", "p_value", "ci_lower", "ci_upper")
    return [
        {"name": name, "df": finite(found.df), **{n: finite(float(getattr(found, n)[i])) for n in names}}
        for i, name in enumerate(found.names)
    ]


def _location_scale(found: LocationScale) -> dict[str, Any]:
    scalars = ("log_likelihood", "qm", "qm_p_value", "qs", "qs_p_value", "gradient_norm", "condition")
    return {
        "location": _wald(found.location),
        "scale": _wald(found.scale),
        "tau2": found.tau2.tolist(),
        **{name: finite(getattr(found, name)) for name in scalars},
        "qm_df": found.qm_df,
        "qs_df": found.qs_df,
        "converged": found.converged,
        "method": found.method,
        "test": found.test,
        "remarks": list(found.remarks),
    }
