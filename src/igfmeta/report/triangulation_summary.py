"""The tables of a triangulation: for each predictor the types of tumour, the slope in two schools, what can be said."""

from __future__ import annotations

import math
from dataclasses import replace

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.models.errors_in_variables import ErrorsInVariables
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.risk_results import ratio
from igfmeta.synthesis.triangulation_results import PredictorFit, Triangulation, Unit

#: A risk that is larger by this factor is what a slope is put in words by.
MORE_RISK = 1.1

INFINITE = "\N{INFINITY}"


def tables(result: Triangulation) -> list[SummaryTable]:
    """Return the tables of a triangulation, each predictor's points and slopes in turn."""
    found = []
    for fit in result.predictors:
        found.append(unit_table(result, fit))
        if fit.posterior is not None:
            found.append(slope_table(result, fit))
    return [*found[:-1], replace(found[-1], notes=(*found[-1].notes, *result.remarks))]


def _ratio(middle: float, limits: tuple[float, float]) -> str:
    return f"{f.number(math.exp(middle))} ({f.interval(ratio(limits[0]), ratio(limits[1]))})"


def _unit(unit: Unit, level: float) -> tuple[str, ...]:
    return (
        unit.label,
        ", ".join(unit.tumors),
        f"{len(unit.studies)}",
        _ratio(unit.x, unit.interval("x", level)),
        f"{len(unit.trials)}",
        _ratio(unit.y, unit.interval("y", level)),
    )


def unit_table(result: Triangulation, fit: PredictorFit) -> SummaryTable:
    """Return the points of a predictor, with what can be said about the line through them."""
    level = f"{100 * fit.level:g} %"
    notes = list(fit.sentences)
    notes += [f"Not in: {tumor} ({reason})." for tumor, reason in fit.missing]
    if fit.units:
        notes.append(
            f"Within a row tau2 is common to the rows (REML): {f.small(fit.predictor_tau2)} between studies, "
            f"{f.small(fit.trial_tau2)} between trials."
        )
    return SummaryTable(
        title=f"{result.question.label} against {result.marker.replace('_', ' ')}: {fit.label}",
        columns=(
            Column("Cancer", numeric=False),
            Column("Trials in", numeric=False),
            Column("Studies"),
            Column(f"Risk per SD ({level} CI)"),
            Column("Trials"),
            Column(f"{result.question.measure} ({level} CI)"),
        ),
        rows=tuple(_unit(unit, fit.level) for unit in fit.units),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _limit(value: float) -> str:
    if math.isinf(value):
        return f"\N{MINUS SIGN}{INFINITE}" if value < 0 else INFINITE
    return f.number(value).replace("-", "\N{MINUS SIGN}")


def _slope(name: str, slope: float, lower: float, upper: float, p_better: float | None) -> tuple[str, ...]:
    log = math.log(MORE_RISK)
    bounded = math.isfinite(lower) and math.isfinite(upper)
    limits = f" ({f.interval(math.exp(log * lower), math.exp(log * upper))})" if bounded else f" (0, {INFINITE})"
    return (
        name,
        f"{_limit(slope)} ({_limit(lower)}, {_limit(upper)})",
        f"{f.number(math.exp(log * slope))}{limits}",
        "" if p_better is None else f.probability(p_better),
    )


def _lines(line: ErrorsInVariables) -> list[tuple[str, ...]]:
    return [
        _slope("Errors in variables (REML)", line.slope, line.ci_lower, line.ci_upper, None),
        _slope("Predictors taken as exact", line.naive_slope, line.naive_lower, line.naive_upper, None),
    ]


def slope_table(result: Triangulation, fit: PredictorFit) -> SummaryTable:
    """Return the slope in both schools."""
    posterior = fit.posterior
    assert posterior is not None
    level = f"{100 * fit.level:g} %"
    rows = [] if fit.line is None else _lines(fit.line)
    tails = (0.5, 0.5 - fit.level / 2, 0.5 + fit.level / 2)
    middle, lower, upper = map(posterior.quantile, tails)
    rows.append(_slope("Joint Bayesian model", middle, lower, upper, fit.p_better))
    return SummaryTable(
        title=f"Slope of log {label_of(result.question.measure)} on log risk per SD: {fit.label}",
        columns=(
            Column("", numeric=False),
            Column(f"Slope ({level})"),
            Column(f"{result.question.measure} per {100 * (MORE_RISK - 1):.0f} % more risk"),
            Column("P(works better)"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(_notes(result, fit)),
    )


def _notes(result: Triangulation, fit: PredictorFit) -> list[str]:
    posterior, line = fit.posterior, fit.line
    assert posterior is not None
    notes = []
    if line is not None:
        notes.append(
            f"Reliability ratio {f.number(line.reliability)}: the share of the predictors' variance that is not error; "
            f"variance of true predictors {f.small(line.predictor_variance, 4)}, of effects about the line "
            f"{f.small(line.tau2, 4)}. Limits by profile likelihood, t with {line.k - 2} degrees of freedom."
        )
    priors = ", ".join(f"{name} {label}" for name, label in result.priors.items())
    notes.append(f"Priors: {priors} (standard deviations between cancers, about the line, between studies, trials).")
    if fit.sampled is not None:
        notes.append(f"{fit.sampled.sampler}, seed {fit.sampled.plan.seed}. {fit.sampled.diagnostics.line()}")
        return [*(f"Warning: {text}" for text in fit.sampled.diagnostics.warnings), *notes]
    notes.append(
        f"Standard deviations by importance sampling worth {posterior.effective_size:.0f} draws, Pareto k "
        f"{f.number(posterior.pareto_k)}, seed {result.options['seed']}; all else exact."
    )
    return notes if posterior.reliable else ["Warning: the importance sampling is not reliable; use --mcmc.", *notes]


def closing_line(result: Triangulation) -> str:
    """Return where the numbers come from."""
    return f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}; igfmeta {result.version}."
