"""Dose-response: from a table of exposure groups, or the evidence, to the pooled curve."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.effects.dose_bases import MODELS, Basis, all_fractional_polynomials, basis, linear
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.evidence.tables import Evidence
from igfmeta.models.dose_one_stage import Compared, compare, one_stage
from igfmeta.models.dose_response import METHODS, two_stage
from igfmeta.models.dose_results import Curve, DoseFit, DoseStudy
from igfmeta.synthesis.display import Pictured
from igfmeta.synthesis.dose_inputs import from_evidence, from_frame
from igfmeta.synthesis.dose_tables import DoseTable, Rules, UnusedStudy, contrasts
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("two", "one")

#: About this many doses stand in a table where none were asked for.
ROWS = 6


@dataclass(frozen=True, eq=False)
class DoseResult(Pictured):
    """A pooled dose-response curve, with what it was made from.

    Attributes
    ----------
    title : str
        The question in words.
    unit : str
        Of the dose; blank where the table does not say.
    fit : DoseFit
    at : Curve
        Relative risks at the doses asked for.
    tables : tuple of DoseTable
        The studies that were used.
    unused : tuple of UnusedStudy
    comparison : tuple of Compared
        Shapes by AIC, best first; empty for a straight line.
    rules : Rules
    remarks : tuple of str
    origin, fingerprint : str
    """

    title: str
    unit: str
    fit: DoseFit
    at: Curve
    tables: tuple[DoseTable, ...]
    unused: tuple[UnusedStudy, ...]
    comparison: tuple[Compared, ...]
    rules: Rules
    remarks: tuple[str, ...]
    origin: str
    fingerprint: str

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest dose of the groups."""
        doses = [dose for table in self.tables for dose in table.doses]
        return min(doses), max(doses)

    def curve(self, dose: Any) -> Curve:
        """Return relative risks at doses, against the reference dose of the result."""
        return self.fit.curve(dose, reference=self.at.reference)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "data": {"origin": self.origin, "sha256": self.fingerprint},
            "title": self.title,
            "unit": self.unit,
            **dict(self.rules.__dict__),
            "reference": self.at.reference,
            "curve": self.at.rows(),
            **self.fit.to_dict(),
            "comparison": [
                {
                    "model": shape.basis.model,
                    "terms": list(shape.basis.names),
                    "powers": list(shape.basis.powers),
                    "log_likelihood": shape.log_likelihood,
                    "aic": shape.aic,
                }
                for shape in self.comparison
            ],
            "studies": [table.to_dict() for table in self.tables],
            "unused": [{"study": u.label, "rows": list(u.rows), "reason": u.reason} for u in self.unused],
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, one row per dose."""
        import pandas as pd

        return pd.DataFrame(self.at.rows())


def dose_response(
    data: Evidence | pd.DataFrame,
    *,
    columns: Mapping[str, str | None] | None = None,
    cancer: str | None = None,
    biomarker: str | None = None,
    subgroup: str | None = None,
    unit: str | None = None,
    design: str | None = None,
    model: str = "linear",
    knots: int | Sequence[float] | None = None,
    powers: Sequence[float] | None = None,
    degree: int | None = None,
    stages: str = "two",
    method: str = "reml",
    covariance: str = "gl",
    open_ended: str = "neighbour",
    dose_scale: str = "reported",
    reference: float | None = None,
    at: Sequence[float] | None = None,
    ci_level: float = 0.95,
    level: float = 0.95,
) -> DoseResult:
    """Pool the dose-response curves of studies that report relative risks by exposure group.

    Parameters
    ----------
    data : Evidence or DataFrame
        The evidence, with `cancer` and `biomarker`; or one row per exposure group, reference groups (ratio 1, standard
        error blank or 0) included, with `columns`.
    columns : mapping, optional
        Columns by role where they do not have their usual names: study, dose or range_low and range_high, cases, n
        (subjects, cases included; person-time for ir), design, log_rr and se or rr, lower and upper, unit, reference.
    subgroup, unit : str, optional
        Of the studies to be used.
    design : {"cc", "ci", "ir"}, optional
        Case-control, cumulative incidence or incidence rate, where the data do not say.
    model : {"linear", "quadratic", "rcs", "fp"}
        A line, a parabola, a restricted cubic spline, or a fractional polynomial.
    knots : int or sequence of float, optional
        Of the spline: how many (default 3), at Harrell's percentiles of the doses, or where.
    powers : sequence of float, optional
        Of the fractional polynomial; by default those of the lowest AIC.
    degree : {1, 2}, optional
        Of the fractional polynomials to choose from; default 2.
    stages : {"two", "one"}
        Study by study, then pooled; or all contrasts at once, with studies that have too few groups for a curve.
    method : {"reml", "ml", "mm", "fixed"}
        Of the between-study covariance.
    covariance : {"gl", "hamling", "independent"}
        Of the relative risks of a study, which share their reference.
    open_ended : {"neighbour", "twenty-percent", "refuse"}
        Dose of a group without an upper or lower bound.
    dose_scale : {"reported", "sd", "equal-groups"}
        Doses as reported, or the mean normal score of each group, which needs no doses.
    reference : float, optional
        Dose with relative risk 1; default the lowest dose of the data, 0 on a scale of standard deviations.
    at : sequence of float, optional
        Doses at which the curve is given; default round ones.
    ci_level, level : float
        Of the intervals in the data; of those in the result.

    Returns
    -------
    DoseResult

    Raises
    ------
    InputError
        Options and data that cannot be used.
    NothingToPool
        No study can be used; the message says why each cannot.

    Examples
    --------
    >>> import igfmeta as im
    >>> evidence = im.load_evidence()
    >>> found = dose_response(evidence, cancer="prostate", biomarker="igf1", dose_scale="sd", at=[1])
    >>> found.fit.k, found.at.rr.round(2)
    (1, array([1.23]))
    """
    rules = Rules(covariance, open_ended, dose_scale).checked()
    level, ci_level = check_level(level), check_level(ci_level)
    shape, stage, how = (
        check_choice("model", model, MODELS),
        check_choice("stages", stages, STAGES),
        check_choice("method", method, METHODS),
    )
    if isinstance(data, Evidence):
        _refuse_columns(columns)
        reported = from_evidence(
            data, cancer=cancer, biomarker=biomarker, subgroup=subgroup, design=design, ci_level=ci_level
        )
        title, origin, fingerprint = f"{biomarker} and {cancer}", data.origin, data.fingerprint
    else:
        _refuse_selection(cancer=cancer, biomarker=biomarker, subgroup=subgroup)
        reported = from_frame(data, columns or {}, design=design, ci_level=ci_level)
        origin, fingerprint = str(data.attrs.get("file", "table")), _fingerprint(data)
        title = origin.capitalize() if origin == "table" else origin
    tables, unused = contrasts(reported, rules, unit=unit)
    if not tables:
        raise NothingToPool(_nothing(title, unused, rules))
    doses = [dose for table in tables for dose in table.doses]
    studies = [table.study for table in tables]
    curve, comparison = _shape(studies, doses, shape, knots=knots, powers=powers, degree=degree, random=how != "fixed")
    fitted = (two_stage if stage == "two" else one_stage)(studies, curve, method=how, level=level)  # type: ignore[arg-type]
    lowest = min(doses) if rules.dose_scale == "reported" else 0.0
    zero = lowest if reference is None else float(reference)
    shown = round_doses(min(doses), max(doses)) if at is None else [float(dose) for dose in at]
    return DoseResult(
        title=title,
        unit=tables[0].unit,
        fit=fitted,
        at=fitted.curve(shown, reference=zero),
        tables=tables,
        unused=unused,
        comparison=comparison,
        rules=rules,
        remarks=(*fitted.remarks, *_remarks(tables, [zero, *shown], rules)),
        origin=origin,
        fingerprint=fingerprint,
    )


def _refuse_columns(columns: Mapping[str, str | None] | None) -> None:
    named = [role for role, name in (columns or {}).items() if name is not None]
    if named:
        raise InputError(f"columns names {', '.join(named)}; the evidence has columns of its own, and takes none.")


def _refuse_selection(**given: str | None) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"{name} was {value!r}; it chooses from the evidence. Give a table of those studies alone."
            )


def _fingerprint(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a table as CSV."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def _nothing(title: str, unused: Sequence[UnusedStudy], rules: Rules) -> str:
    """Return why there is no curve, study by study, and what might help."""
    reasons = [f"{study.label}: {study.reason}." for study in unused]
    hints = []
    if rules.dose_scale == "reported" and any("no dose" in study.reason for study in unused):
        hints.append(
            "Groups without doses can be put on a scale of standard deviations: dose scale sd (--dose-scale sd)."
        )
    if rules.dose_scale != "equal-groups" and any("which normal scores need" in study.reason for study in unused):
        hints.append(
            "Quantile groups without numbers can be taken to be of equal size, their contrasts as independent: dose "
            "scale equal-groups (--dose-scale equal-groups --covariance independent)."
        )
    return "\n".join([f"{title}: no study can be used.", *reasons, *hints])


def _shape(
    studies: Sequence[DoseStudy],
    doses: Sequence[float],
    model: str,
    *,
    knots: int | Sequence[float] | None,
    powers: Sequence[float] | None,
    degree: int | None,
    random: bool,
) -> tuple[Basis, tuple[Compared, ...]]:
    """Return the shape to fit, and shapes by AIC: all fractional polynomials of a degree, or the line and the shape."""
    if degree is not None and (model != "fp" or powers is not None):
        raise InputError("degree chooses among fractional polynomials; it is for model fp without powers.")
    if model == "fp" and powers is None:
        if knots is not None:
            raise InputError("knots were given with model fp; they are for rcs.")
        candidates = all_fractional_polynomials(doses, 2 if degree is None else degree)
        shapes = compare(studies, [linear(), *candidates], random=random)
        best = next((s.basis for s in shapes if s.basis.model == "fp" and s.aic is not None), candidates[0])
        return best, shapes
    chosen = basis(model, doses, knots=knots, powers=powers)
    return chosen, () if model == "linear" else compare(studies, [linear(), chosen], random=random)


def round_doses(low: float, high: float, rows: int = ROWS) -> list[float]:
    """Return about `rows` round doses between two.

    Examples
    --------
    >>> round_doses(0, 77), round_doses(-1.3, 1.3)
    ([0.0, 20.0, 40.0, 60.0], [-1.0, -0.5, 0.0, 0.5, 1.0])
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / rows))
    step = next(m * power for m in (1, 2, 5, 10) if (high - low) / (m * power) <= rows)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(round(i * step, 10)) for i in range(first, last + 1)]


def _remarks(tables: Sequence[DoseTable], asked: Sequence[float], rules: Rules) -> list[str]:
    """Return what the reader should know about the doses."""
    remarks = []
    low, high = min(min(t.doses) for t in tables), max(max(t.doses) for t in tables)
    slack = 1e-9 * (high - low)
    outside = sorted({dose for dose in asked if dose < low - slack or dose > high + slack})
    if outside:
        shown = ", ".join(f"{dose:g}" for dose in outside)
        remarks.append(f"Doses {shown} lie outside those of the studies, {low:.4g} to {high:.4g}: extrapolated.")
    rules_used = {rule for table in tables for rule in table.derivation}
    if rules_used & {"open_neighbour", "open_twenty_percent"}:
        how = "half its neighbour's width beyond its boundary" if rules.open_ended == "neighbour" else "20 % beyond it"
        groups = sum(rule.startswith("open_") for table in tables for rule in table.derivation)
        remarks.append(f"The dose of {groups} open-ended groups is assumed: {how}.")
    if rules.dose_scale == "equal-groups":
        remarks.append(
            "Doses are mean normal scores of groups taken to be of equal size: in standard deviations, if the exposure "
            "is normal."
        )
    if rules.dose_scale == "sd":
        remarks.append(
            "Doses are mean normal scores from the groups' shares of the controls: in standard deviations, if the "
            "exposure is normal."
        )
    if {table.design for table in tables} > {"cc"}:
        remarks.append("Odds ratios and relative risks are pooled as one, which supposes that the disease is rare.")
    return remarks
