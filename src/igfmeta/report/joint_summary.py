"""The tables of a joint model: every outcome with and without the others, and how outcomes go together."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.joint import MEAN_SD, JointOutcome, JointPair, JointResult


def _estimate(middle: float, lower: float, upper: float) -> str:
    return f"{f.number(middle)} ({f.interval(lower, upper)})"


def _relevant(result: JointResult, outcome: JointOutcome) -> str:
    lower = outcome.better == "lower"
    return f"{outcome.measure} {'<' if lower else '>'} {result.relevant if lower else 1 / result.relevant:g}"


def _benefit(outcome: JointOutcome) -> str:
    return f"{outcome.measure} {'<' if outcome.better == 'lower' else '>'} 1"


def _notes(result: JointResult) -> tuple[str, ...]:
    sampled, outcomes = result.sampled, result.outcomes
    priors = "; ".join(f"{outcome.name} {outcome.prior}" for outcome in outcomes)
    benefit = ", ".join(dict.fromkeys(_benefit(outcome) for outcome in outcomes))
    relevant = ", ".join(dict.fromkeys(_relevant(result, outcome) for outcome in outcomes))
    counted = [outcome.label for outcome in outcomes if outcome.measure == "OR"]
    likelihood = "log hazard ratios normal" + (f", both arms of {counted[0].lower()} binomial" if counted else "")
    return (
        *(f"Warning: {text}" for text in result.warnings),
        f"Benefit: {benefit}; relevant: {relevant}. Second line: the outcome alone, with the same prior of tau.",
        f"{likelihood[0].upper()}{likelihood[1:]}; means normal(0, {MEAN_SD:g}); tau {priors}; correlations "
        f"LKJ({result.lkj:g}); {100 * result.level:g} % central intervals; PI: a new trial.",
        f"PyMC ({sampled.sampler}), seed {sampled.plan.seed}. {sampled.diagnostics.line()}",
        *result.remarks,
        f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}.",
    )


def _outcomes(result: JointResult) -> SummaryTable:
    rows = [
        (
            f"{o.label} ({o.measure})",
            f"{o.k}",
            f"{_estimate(o.median, o.ci_lower, o.ci_upper)}\n{_estimate(o.alone_median, o.alone_lower, o.alone_upper)}",
            f.interval(o.pi_lower, o.pi_upper),
            f.probability(o.p_benefit),
            f.probability(o.p_relevant),
            f"{f.number(o.tau_median)} ({f.interval(o.tau_lower, o.tau_upper)})",
        )
        for o in result.outcomes
    ]
    headings = ("k", "Joint (CrI)\nalone", "PI", "P(benefit)", "P(relevant)", "tau (CrI)")
    return SummaryTable(
        title=f"Outcomes of {result.trials} trials in one model",
        columns=(Column("", numeric=False), *map(Column, headings)),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=_notes(result),
    )


def _pair_row(result: JointResult, pair: JointPair) -> tuple[str, ...]:
    labels = {outcome.name: outcome.label for outcome in result.outcomes}
    return (
        f"{labels[pair.predictor]} → {labels[pair.predicted]}",
        f"{pair.trials}",
        f.number(pair.within),
        _estimate(pair.correlation, pair.ci_lower, pair.ci_upper),
        f.probability(pair.p_positive),
        _estimate(pair.slope, pair.slope_lower, pair.slope_upper),
        f.number(pair.r2),
    )


def _pairs(result: JointResult) -> SummaryTable:
    directions = {outcome.better for outcome in result.outcomes}
    opposed = [
        "A ratio below 1 is a benefit in one outcome, a ratio above 1 in another: where they go together, the "
        "correlation is negative."
    ] * (len(directions) > 1)
    headings = ("Trials", "Within", "Correlation (CrI)", "P(>0)", "Slope (CrI)", "R2")
    return SummaryTable(
        title="How the effects on two outcomes go together, on the log scale",
        columns=(Column("", numeric=False), *map(Column, headings)),
        rows=tuple(_pair_row(result, pair) for pair in result.pairs),
        set_apart=frozenset(),
        notes=(
            "Trials: that report both. Within: of sampling errors, assumed. Correlation, slope, R2: of the true "
            "effects between trials.",
            *opposed,
        ),
    )


def tables(result: JointResult) -> list[SummaryTable]:
    """Return the table of outcomes and the table of pairs."""
    return [_outcomes(result), _pairs(result)]
