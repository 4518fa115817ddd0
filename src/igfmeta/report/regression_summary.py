"""The table of a Bayesian meta-regression: coefficients, the average effect, and what heterogeneity is left."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.bayes.regression import INTERCEPT_SD, SLOPE_SD
from igfmeta.effects.scales import label_of
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.metaregression import Coefficient, RegressionResult

_INTERCEPT = "Intercept"

#: An intercept whose prior is so many times wider than that of the effect at the mean lies far from the studies, and
#: neither its exponential nor its sign means anything.
FAR = 4.0


def _is_far(c: Coefficient) -> bool:
    return c.name == _INTERCEPT and c.prior_sd > FAR * INTERCEPT_SD


def _estimate(middle: float, lower: float, upper: float, decimals: int = 3) -> str:
    return f"{f.number(middle, decimals)} ({f.interval(lower, upper, decimals)})"


def _row(c: Coefficient) -> tuple[str, ...]:
    factor = "" if _is_far(c) else _estimate(c.factor, c.factor_lower, c.factor_upper, 2)
    probability = "" if _is_far(c) else f.probability(c.p_positive)
    return (c.name, _estimate(c.median, c.ci_lower, c.ci_upper), factor, probability, f.number(c.prior_sd))


def _average(result: RegressionResult) -> str:
    times, decimals, unit = (100, 1, " %") if result.is_rate else (1, 2, "")
    middle, lower, upper, low, high = (
        f.number(times * value, decimals)
        for value in (result.average, result.average_lower, result.average_upper, result.pi_lower, result.pi_upper)
    )
    measure = "rate" if result.is_rate else result.question.measure
    return (
        f"At the mean of every column: {measure} {middle}{unit} (CrI {lower}, {upper}); a new study there: {low}, "
        f"{high}."
    )


def _sampling(result: RegressionResult) -> str:
    if result.sampled is not None:
        return f"{result.fitted.engine}, seed {result.seed}. {result.sampled.diagnostics.line()}"
    posterior = result.fitted.posterior
    return (
        f"tau by {result.fitted.engine}: {len(posterior.weights)} draws, worth {posterior.effective_size:.0f}, "
        f"Pareto k {f.number(posterior.pareto_k)}, seed {result.seed}."
    )


def tables(result: RegressionResult) -> list[SummaryTable]:
    """Return the table of coefficients."""
    what = "rate of one arm" if result.is_rate else label_of(result.question.measure)
    scale, times = ("logit", "Odds") if result.is_rate else (f"log {result.question.measure}", result.question.measure)
    priors = (
        f"Priors: normal with mean 0; the effect at the mean of every column sd {INTERCEPT_SD:g}, a change by one sd "
        f"of a column (from 0 to 1 of a category) sd {SLOPE_SD:g}; tau {result.prior}."
    )
    tau = _estimate(result.tau_median, result.tau_lower, result.tau_upper)
    notes = (
        *(f"Warning: {text}" for text in result.warnings),
        *(
            ["Intercept: at 0 of every column, which is far from the studies."]
            if any(map(_is_far, result.coefficients))
            else []
        ),
        _average(result),
        f"tau {tau}; without moderators {f.number(result.tau_without, 3)}.",
        f"Likelihood {result.fitted.likelihood}; study effects {result.fitted.study_effects}; "
        f"{100 * result.level:g} % central intervals.",
        priors,
        _sampling(result),
        *result.remarks,
        f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}.",
    )
    return [
        SummaryTable(
            title=f"{result.question.label}: {what} {result.formula}, {len(result.studies)} studies",
            columns=(
                Column("", numeric=False),
                Column(f"{scale[0].upper()}{scale[1:]} (CrI)"),
                Column(f"{times} × (CrI)"),
                Column("P(>0)"),
                Column("Prior sd"),
            ),
            rows=tuple(_row(c) for c in result.coefficients),
            set_apart=frozenset(),
            notes=notes,
        )
    ]
