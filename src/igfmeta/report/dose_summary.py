"""The tables of a dose-response: the curve with its tests, the coefficients, the studies, what was not used."""

from __future__ import annotations

from collections import Counter

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.dose_covariance import DESIGN_NAMES
from igfmeta.models.dose_one_stage import Compared
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.dose import DoseResult
from igfmeta.synthesis.dose_tables import DoseTable

MODEL_NAMES = {
    "linear": "linear",
    "quadratic": "quadratic",
    "rcs": "restricted cubic spline",
    "fp": "fractional polynomial",
}
STAGE_NAMES = {"one": "one stage (linear mixed model of all contrasts)", "two": "two stages"}
METHOD_NAMES = {
    "reml": "random effects by REML",
    "ml": "random effects by ML",
    "mm": "random effects by the method of moments",
    "fixed": "fixed effects",
}
COVARIANCE_NAMES = {
    "gl": "Greenland-Longnecker",
    "hamling": "Hamling",
    "independent": "none (contrasts taken as independent)",
}

#: Fractional polynomials that are listed; JSON holds all.
MOST_SHAPES = 6


def tables(result: DoseResult) -> list[SummaryTable]:
    """Return the tables of a dose-response, the answer first."""
    found = [curve_table(result), coefficient_table(result)]
    if result.comparison:
        found.append(comparison_table(result))
    found.append(study_table(result))
    if result.unused or result.fit.left_out:
        found.append(unused_table(result))
    return found


def _dose(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def dose_label(result: DoseResult) -> str:
    """Return what the dose is counted in, such as `Dose (nmol/L)`."""
    return f"Dose ({result.unit})" if result.unit else "Dose"


def _studies(k: int) -> str:
    return "1 study" if k == 1 else f"{k} studies"


def curve_table(result: DoseResult) -> SummaryTable:
    """Return relative risks by dose, with the tests and the fit under them."""
    fit, at = result.fit, result.at
    rows = tuple(
        (_dose(row["dose"]), f"{f.number(row['rr'])} ({f.interval(row['ci_lower'], row['ci_upper'])})")
        for row in at.rows()
    )
    return SummaryTable(
        title=f"{result.title}: {MODEL_NAMES[fit.basis.model]} dose-response, {_studies(fit.k)}, "
        f"{fit.n} {'contrast' if fit.n == 1 else 'contrasts'}",
        columns=(Column(dose_label(result)), Column(f"RR ({100 * fit.level:g} % CI)")),
        rows=rows,
        set_apart=frozenset(),
        notes=tuple(_notes(result)),
    )


def _notes(result: DoseResult) -> list[str]:
    fit = result.fit
    against = f"{_dose(result.at.reference)}{' ' + result.unit if result.unit else ''}"
    notes = [
        f"Relative risks against a dose of {against}; normal (Wald) intervals.",
        f"Model: {', '.join(fit.basis.names)}; {STAGE_NAMES[fit.stages]}, {METHOD_NAMES[fit.method]}; "
        f"covariance within studies: {COVARIANCE_NAMES[result.rules.covariance]}.",
    ]
    if fit.basis.knots:
        notes.append(f"Knots at {', '.join(_dose(knot) for knot in fit.basis.knots)}.")
    if fit.basis.shift:
        notes.append(
            f"Doses shifted by {fit.basis.shift:g}, the step from the lowest to the next, so that all are above 0."
        )
    notes += [_tests(result), _heterogeneity(result), _goodness(result), *result.remarks]
    return [*notes, f"Data: {result.origin}, sha256 {result.fingerprint[:12]}."]


def _test(name: str, statistic: float, df: int, p: float) -> str:
    return f"{name}: chi2 = {f.number(statistic)}, df = {df}, {f.p_value(p)}"


def _tests(result: DoseResult) -> str:
    fit = result.fit
    said = [_test("No association", fit.overall.statistic, fit.overall.df, fit.overall.p_value)]
    if fit.nonlinear is not None:
        bends = fit.nonlinear
        said.append(_test("Linearity", bends.statistic, bends.df, bends.p_value))
    elif fit.basis.model == "fp" and fit.basis.nonlinear is None:
        said.append("Linearity: these powers hold no line to test; compare AIC")
    return f"{'; '.join(said)}."


def _heterogeneity(result: DoseResult) -> str:
    fit = result.fit
    if fit.i2 is None or fit.q_p_value is None:
        return "Heterogeneity: not estimable."
    p = f.p_value(fit.q_p_value)
    said = f"Heterogeneity: Q = {f.number(fit.q)}, df = {fit.q_df}, {p}, I2 = {f.number(fit.i2, 0)} %"
    shares = [share for study in fit.vpc for share in study.tolist()]
    if shares:
        said += f"; share of a contrast's variance that is between studies: {f.percent(min(shares))} to "
        said += f"{f.percent(max(shares))}, median {f.percent(float(np.median(shares)))}"
    return f"{said}."


def _goodness(result: DoseResult) -> str:
    good = result.fit.goodness
    if good.p_value is None or good.r2_adjusted is None:
        return "Goodness of fit: as many coefficients as contrasts."
    return (
        f"Goodness of fit of one curve for all: deviance = {f.number(good.deviance)}, df = {good.df}, "
        f"{f.p_value(good.p_value)}; R2 = {f.percent(good.r2)}, adjusted {f.percent(good.r2_adjusted)}."
    )


def coefficient_table(result: DoseResult) -> SummaryTable:
    """Return the coefficients on the log scale."""
    fit = result.fit
    between = np.full(len(fit.coef), np.nan) if fit.psi is None else np.sqrt(np.diag(fit.psi))
    rows = tuple(
        (name, _digits(b), _digits(se), _digits(sd))
        for name, b, se, sd in zip(fit.basis.names, fit.coef, np.sqrt(np.diag(fit.vcov)), between, strict=True)
    )
    likelihood = []
    if fit.log_likelihood is not None and fit.aic is not None:
        kind = "restricted log-likelihood" if fit.method == "reml" else "log-likelihood"
        likelihood.append(f"{kind.capitalize()} {fit.log_likelihood:.4f}, AIC {fit.aic:.2f}.")
    return SummaryTable(
        title="Coefficients of the log relative risk",
        columns=(Column("Term", numeric=False), Column("Coefficient"), Column("SE"), Column("Between-study SD")),
        rows=rows,
        set_apart=frozenset(),
        notes=tuple(likelihood),
    )


def _digits(value: float) -> str:
    if not np.isfinite(value):
        return f.NOT_ESTIMABLE
    return f"{value:.5g}".replace("-", "\N{MINUS SIGN}")


def _powers(shape: Compared) -> str:
    return ", ".join(shape.basis.names)


def comparison_table(result: DoseResult) -> SummaryTable:
    """Return shapes of the curve by AIC."""
    shapes = result.comparison
    shown = [s for i, s in enumerate(shapes) if i < MOST_SHAPES or s.basis.model == "linear"]
    rows = tuple(
        (
            MODEL_NAMES[shape.basis.model],
            _powers(shape),
            f.NOT_ESTIMABLE if shape.log_likelihood is None else f"{shape.log_likelihood:.3f}",
            f.NOT_ESTIMABLE if shape.aic is None else f"{shape.aic:.2f}",
        )
        for shape in shown
    )
    how = "without random effects" if result.fit.method == "fixed" else "with random effects"
    notes = [f"One stage, maximum likelihood {how}, on the same contrasts; lower is better."]
    if len(shapes) > len(shown):
        notes.append(f"The best {len(shown)} of {len(shapes)} shapes; --format json lists all.")
    if any(shape.basis.model == "fp" for shape in shapes):
        notes.append("AIC does not count the choice of the powers.")
    return SummaryTable(
        title="Shapes by AIC",
        columns=(
            Column("Shape", numeric=False),
            Column("Terms", numeric=False),
            Column("Log-likelihood"),
            Column("AIC"),
        ),
        rows=rows,
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _rules(table: DoseTable) -> str:
    counts = Counter(table.derivation)
    return ", ".join(rule if len(counts) == 1 else f"{n} {rule}" for rule, n in counts.items())


def study_table(result: DoseResult) -> SummaryTable:
    """Return the studies of the curve, with the rule that gave the doses."""
    used = set(result.fit.labels)
    rows = tuple(
        (
            table.label,
            DESIGN_NAMES.get(table.design, "not known"),
            f"{len(table.groups)}",
            f.count(table.cases),
            _dose(table.study.reference),
            f"{_dose(min(table.doses))} to {_dose(max(table.doses))}",
            _rules(table),
        )
        for table in result.tables
        if table.label in used
    )
    return SummaryTable(
        title="Studies",
        columns=(
            Column("Study", numeric=False), Column("Design", numeric=False), Column("Groups"), Column("Cases"),
            Column("Reference"), Column("Doses"), Column("Rule of the dose", numeric=False),
        ),
        rows=rows,
        set_apart=frozenset(),
        notes=(),
    )  # fmt: skip


def unused_table(result: DoseResult) -> SummaryTable:
    """Return the studies that were not used, with the reason."""
    rows = [(study.label, study.reason) for study in result.unused]
    return SummaryTable(
        title="Not used",
        columns=(Column("Study", numeric=False), Column("Reason", numeric=False)),
        rows=(*rows, *result.fit.left_out),
        set_apart=frozenset(),
        notes=(),
    )
