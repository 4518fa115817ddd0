"""The tables of a multilevel model: the effects, the variances, the sweep over rho, the surrogacy line."""

from __future__ import annotations

from collections import Counter

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.models.multilevel.inference import TESTS
from igfmeta.models.multilevel.results import Component, LikelihoodRatio, MultilevelFit
from igfmeta.models.multilevel.structures import STRUCTURES
from igfmeta.models.multilevel.surrogacy import Surrogacy
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.multilevel_results import MultilevelResult
from igfmeta.synthesis.pool_models import PROPORTIONS

#: Difference of log-likelihoods below which they do not tell two values apart (half the 95 % point of chi-squared).
ALIKE = 1.92


def tables(result: MultilevelResult) -> list[SummaryTable]:
    """Return the tables of a multilevel model, the answer first."""
    found = [effect_table(result), variance_table(result)]
    if result.sweep:
        found.append(sweep_table(result))
    if result.surrogacy is not None:
        found.append(surrogacy_table(result, result.surrogacy))
    if any(row.reason for row in result.rows):
        found.append(unused_table(result))
    return found


def _ratio(result: MultilevelResult) -> bool:
    """Return whether every coefficient is a mean of effects on a transformed scale, and so a ratio or a rate."""
    return transform_of(result.measure) != "identity" and result.means


def _shown(result: MultilevelResult, value: float) -> float | None:
    """Return a coefficient as the reader knows it: a ratio, or a rate in percent, where every coefficient is a mean."""
    if not _ratio(result):
        return value
    natural = result.natural(value)
    return 100 * natural if natural is not None and result.measure in PROPORTIONS else natural


def _label(result: MultilevelResult) -> str:
    if not _ratio(result):
        return "Coefficient"
    return "Rate %" if result.measure in PROPORTIONS else label_of(result.measure)


def _estimate(result: MultilevelResult, fit: MultilevelFit, i: int, decimals: int = 2) -> str:
    values = [_shown(result, float(x[i])) for x in (fit.coef, fit.ci_lower, fit.ci_upper)]
    return f"{f.number(values[0], decimals)} ({f.interval(values[1], values[2], decimals)})"


def effect_table(result: MultilevelResult) -> SummaryTable:
    """Return the fixed effects, with the methods and remarks under them."""
    fit = result.fit
    decimals = 2 if _ratio(result) else 3
    # No rate means no effect: of means of rates there is nothing to test.
    no_null = result.means and null_value(result.measure) is None
    rows = []
    for i, name in enumerate(fit.names):
        df = "∞" if np.isinf(fit.df[i]) else f.number(float(fit.df[i]), 1)
        rows.append(
            (name, _estimate(result, fit, i, decimals), f.number(float(fit.se[i]), 3), df,
             f.NOT_ESTIMABLE if no_null else f.probability(float(fit.p_value[i])), _prediction(result, i, decimals))
        )  # fmt: skip
    level = f"{100 * fit.level:g} %"
    return SummaryTable(
        title=result.title,
        columns=(
            Column("Effect", numeric=False), Column(f"{_label(result)}\n({level} CI)"), Column("SE"), Column("df"),
            Column("p"), Column(f"{level} prediction\ninterval"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(_notes(result)),
    )  # fmt: skip


def _prediction(result: MultilevelResult, i: int, decimals: int) -> str:
    limits = result.prediction(i)
    lower, upper = (None, None) if limits is None else (_shown(result, x) for x in limits)
    return f.interval(lower, upper, decimals)


def _notes(result: MultilevelResult) -> list[str]:
    fit = result.fit
    terms = []
    for formula, kind in zip(result.random, result.struct, strict=True):
        simple = formula.replace("~", "").strip().startswith("1")
        terms.append(formula if simple else f"{formula}, {kind} ({STRUCTURES[kind.upper()]})")
    notes = [
        f"Random effects: {'; '.join(terms)}. Fixed effects: {result.mods or 'an intercept'}.",
        f"{fit.method}; tests and intervals: {TESTS[fit.test]}; prediction intervals add all variances.",
        _sampling(result),
        f"Residual heterogeneity: QE = {f.number(fit.qe)}, df = {fit.qe_df}, {f.p_value(fit.qe_p_value)}. "
        f"{'Restricted log' if fit.method == 'REML' else 'Log'}-likelihood {fit.log_likelihood:.4f}, "
        f"AIC {fit.aic:.2f}, BIC {fit.bic:.2f}.",
        _certificate(fit),
        *fit.remarks,
        *result.remarks,
    ]
    if fit.qm is not None and fit.p > 1 and "Intercept" in fit.names:
        kind = "chi2" if fit.qm.df2 is None else "F"
        df = f"{fit.qm.df1}" if fit.qm.df2 is None else f"{fit.qm.df1}, {f.number(fit.qm.df2, 1)}"
        notes.insert(3, f"Moderators: {kind} = {f.number(fit.qm.statistic)}, df = {df}, {f.p_value(fit.qm.p_value)}.")
    if transform_of(result.measure) != "identity" and not _ratio(result):
        notes.append("Coefficients stand on the analysis scale (logs or transformed rates).")
    if result.unused:
        reasons = Counter(each.reason.partition(":")[0].partition(" (")[0] for each in result.unused)
        shown = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common(4))
        notes.append(f"Not used: {len(result.unused)} rows ({shown} ...); --format json lists each with its reason.")
    notes.append(f"Data: {result.origin}, sha256 {result.fingerprint[:12]}.")
    return [note for note in notes if note]


def _sampling(result: MultilevelResult) -> str:
    if result.rho is not None:
        return (
            f"Sampling errors of one {result.cluster} have an assumed correlation of {result.rho:g} (others below)"
            + ("; contrasts that share a control arm are correlated by its size." if not result.file else ".")
        )
    if result.fit.v.ndim == 2:
        return "Sampling errors of contrasts that share a control arm are correlated by its size."
    return "Sampling errors are taken as independent."


def _certificate(fit: MultilevelFit) -> str:
    c = fit.certificate
    condition = f"condition {c.condition:.3g}" if np.isfinite(c.condition) else "flat in one direction"
    return (
        f"Maximum: {'converged' if c.converged else 'NOT converged'} from {c.starts} starts, largest slope "
        f"{c.gradient:.1e}, {condition}{', on the boundary' if c.boundary else ''}."
    )


def _digits(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return f.NOT_ESTIMABLE
    if 0 < abs(value) < 0.00005:
        return "<0.0001" if value > 0 else ">−0.0001"
    return f"{value:.4f}".replace("-", "−") if abs(value) < 1000 else f"{value:.5g}"


def _limits(component: Component) -> str:
    if component.ci_lower is None and component.ci_upper is None:
        return f.NOT_ESTIMABLE
    upper = "no limit" if component.ci_upper is None else _digits(component.ci_upper)
    return f"{_digits(component.ci_lower)}, {upper}"


def variance_table(result: MultilevelResult) -> SummaryTable:
    """Return variances and correlations with profile-likelihood intervals, and the I2 of each level."""
    fit = result.fit
    shares = {(h.term, h.level): h.i2 for h in fit.heterogeneity}
    rows = []
    for c in fit.components:
        i2 = shares.get((c.term, c.of[0] if c.of else "")) if c.kind == "variance" else None
        sd = np.sqrt(c.estimate) if c.kind == "variance" and c.estimate is not None else None
        rows.append(
            (c.term, c.label.replace("sigma2", "σ²").replace("tau2", "τ²").replace("rho", "ρ"), _digits(c.estimate),
             f.NOT_ESTIMABLE if sd is None else f.number(float(sd), 3), _limits(c), f"{c.groups}",
             f.NOT_ESTIMABLE if i2 is None else f"{i2:.1f} %")
        )  # fmt: skip
    level = f"{100 * fit.level:g} %"
    total = [] if np.isnan(fit.i2) else [f"All levels together: I² = {fit.i2:.1f} %."]
    return SummaryTable(
        title="Variances and correlations of the random effects",
        columns=(
            Column("Term", numeric=False), Column("Parameter", numeric=False), Column("Estimate"), Column("SD"),
            Column(f"{level} CI (profile)"), Column("Groups"), Column("I²"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(
            *total,
            *map(_without, result.without),
            "I²: share of the variance of an effect with the typical sampling variance (Cheung 2014).",
        ),
    )  # fmt: skip


def _without(tested: tuple[str, LikelihoodRatio]) -> str:
    """Return the test of a term in a sentence."""
    term, test = tested
    p, how = test.p_value, ""
    if test.p_value_boundary is not None:
        p, how = test.p_value_boundary, " (half the tail of chi2: a variance cannot be below 0)"
    return f"Without {term}: likelihood ratio {f.number(test.statistic)}, df = {test.df}, {f.p_value(p)}{how}."


def sweep_table(result: MultilevelResult) -> SummaryTable:
    """Return the results under each assumed correlation of sampling errors."""
    lines = any(each.surrogacy is not None for each in result.sweep)
    columns = [Column("ρ within"), *(Column(name) for name in result.fit.names)]
    columns += [Column(_short(c, result)) for c in result.fit.components]
    columns += [Column("Slope"), Column("R² trial")] if lines else []
    rows = []
    for each in result.sweep:
        row = [f"{each.rho:g}", *(_estimate(result, each.fit, i) for i in range(each.fit.p))]
        row += [_digits(c.estimate) for c in each.fit.components]
        if lines:
            s = each.surrogacy
            row += [f.number(s.slope) if s else f.NOT_ESTIMABLE, f.number(s.r2) if s else f.NOT_ESTIMABLE]
        rows.append(tuple(row))
    best = max(result.sweep, key=lambda each: each.fit.log_likelihood)
    worst = min(each.fit.log_likelihood for each in result.sweep)
    alike = ", and hardly lower at the others" if best.fit.log_likelihood - worst < ALIKE else ""
    return SummaryTable(
        title="If the correlation of sampling errors were another",
        columns=tuple(columns),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(f"The likelihood is highest at ρ = {best.rho:g} of these{alike}.",),
    )


def _short(component: Component, result: MultilevelResult) -> str:
    symbol = "ρ" if component.kind == "correlation" else "τ²"
    of = component.of[0] if component.kind == "variance" and component.of else ""
    if not of and len({c.term for c in result.fit.components}) > 1:
        of = component.term
    return f"{symbol}\n{of}" if of else f"{symbol}\nbetween" if component.kind == "correlation" else symbol


def surrogacy_table(result: MultilevelResult, found: Surrogacy) -> SummaryTable:
    """Return the trial-level line between two outcomes."""
    level = f"{100 * found.level:g} %"

    def limits(lower: float | None, upper: float | None) -> str:
        if found.slope is None:
            return f.NOT_ESTIMABLE
        return ", ".join("no limit" if end is None else f.number(end) for end in (lower, upper))

    scale = ", log scale" if transform_of(result.measure) == "exp" else ""
    rows = [
        (f"Slope (effect on {{true}} per unit of {{surrogate}}{scale})", f.number(found.slope),
         limits(found.slope_ci_lower, found.slope_ci_upper)),
        ("Effect on {true} where that on {surrogate} is null", _null(result, found), f.NOT_ESTIMABLE),
        ("R² trial", f.number(found.r2), f.interval(found.r2_ci_lower, found.r2_ci_upper)),
        ("SD of true effects about the line", f.number(found.residual_sd, 3), f.NOT_ESTIMABLE),
        ("Surrogate threshold effect", _threshold(result, found), f.NOT_ESTIMABLE),
    ]  # fmt: skip
    names = {"true": found.true, "surrogate": found.surrogate}
    drawn = tuple((label.format(**names), *rest) for label, *rest in rows)
    return SummaryTable(
        title=f"Trial-level surrogacy: {found.surrogate} for {found.true}, {found.trials} trials with both",
        columns=(Column("Quantity", numeric=False), Column("Estimate"), Column(f"{level} CI (profile)")),
        rows=drawn,
        set_apart=frozenset(),
        notes=(
            *found.remarks,
            "From the covariance between studies of the true effects, not from a regression of observed effects. A "
            "limit is missing where every slope on that side is compatible with the data.",
        ),
    )


def _null(result: MultilevelResult, found: Surrogacy) -> str:
    return f.number(result.natural(found.intercept))


def _threshold(result: MultilevelResult, found: Surrogacy) -> str:
    if found.slope is None:
        return f.NOT_ESTIMABLE
    return "none" if found.threshold is None else f.number(result.natural(found.threshold))


def unused_table(result: MultilevelResult) -> SummaryTable:
    """Return the rows of a table that were not used, with the reason."""
    rows = [(row.label, row.reason) for row in result.rows if row.reason]
    return SummaryTable(
        title="Not used",
        columns=(Column("Row", numeric=False), Column("Reason", numeric=False)),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(),
    )
