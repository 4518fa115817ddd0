"""Sensitivity analyses: the same question with other options."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.content import Block, Section
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.results import Answer


def section(analysis: Analysis) -> Section | None:
    """Return a table of the protocol's sensitivity analyses for each outcome."""
    parts = [(outcome, _blocks(analysis, outcome, answer)) for outcome, answer in analysis.answered]
    return by_outcome(key_of(analysis, "sensitivity"), "Sensitivity analyses", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, answer: Answer) -> Sequence[Block]:
    if not outcome.variants:
        return ()
    rows = [_row("As the protocol has it", answer)]
    rows += [_row(v.name, v.answer) if v.answer else (v.name, "0", *(f.NOT_ESTIMABLE,) * 4) for v in outcome.variants]
    reasons = [f"{v.name}: {v.reason}" for v in outcome.variants if v.answer is None and v.reason]
    made = words_table(
        f"Sensitivity: {heading_of(outcome)}",
        ("Analysis", "k", "Estimate (interval)", "Prediction interval", "tau2", "Posterior (interval)"),
        rows,
        numeric=(1, 2, 3, 4, 5),
        notes=reasons,
        apart=frozenset({0}),
    )
    return [table(key_of(analysis, outcome.key, "sensitivity"), made)]


def _row(name: str, answer: Answer) -> tuple[str, ...]:
    group, fit, posterior = answer.overall, answer.overall.fit, answer.overall.posterior
    scale, decimals = (100, 1) if answer.question.arms == "single_arm" else (1, 2)

    def shown(value: float | None) -> float | None:
        natural = group.natural(value)
        return None if natural is None else scale * natural

    def with_limits(middle: float, low: float | None, high: float | None) -> str:
        return f"{f.number(shown(middle), decimals)} ({f.interval(shown(low), shown(high), decimals)})"

    return (
        name,
        f"{fit.k}",
        with_limits(fit.estimate, fit.ci_lower, fit.ci_upper),
        f.interval(shown(fit.pi_lower), shown(fit.pi_upper), decimals),
        f.small(fit.tau2),
        with_limits(posterior.mu_median, posterior.ci_lower, posterior.ci_upper),
    )
