"""How much the studies differ, and between what."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.report.content import Section
from igfmeta.report.sections.parts import heading_of, key_of, table, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.results import Answer

HEADINGS = ("Outcome", "k", "tau2 (interval)", "I2 % (interval)", "Q (df)", "p", "Prediction interval",
            "Posterior of tau (interval)", "Between groups")  # fmt: skip


def section(analysis: Analysis) -> Section | None:
    """Return the heterogeneity of each outcome with two studies or more."""
    rows = [_row(outcome, answer) for outcome, answer in analysis.answered if answer.overall.fit.k > 1]
    if not rows:
        return None
    fit = analysis.answered[0][1].overall.fit
    notes = (
        f"tau2 on the analysis scale (log ratio, logit); its interval by {fit.tau2_ci}. I2 is the share of the total "
        "variance that is between studies at a typical study's precision; it grows with precision and is no measure of "
        "how much effects differ: the prediction interval is (Borenstein 2017, Res Synth Methods 8:5).",
    )
    made = words_table("Heterogeneity", HEADINGS, rows, numeric=tuple(range(1, 9)), notes=notes)
    return Section(key_of(analysis, "heterogeneity"), "Heterogeneity", (table(key_of(analysis, "tau2"), made),))


def _row(outcome: OutcomeAnalysis, answer: Answer) -> tuple[str, ...]:
    group, fit, posterior = answer.overall, answer.overall.fit, answer.overall.posterior
    rate = answer.question.arms == "single_arm"
    limits = [group.natural(v) for v in (fit.pi_lower, fit.pi_upper)]
    shown = [None if v is None else (100 if rate else 1) * v for v in limits]
    test = answer.between
    return (
        heading_of(outcome),
        f"{fit.k}",
        f"{f.small(fit.tau2)} ({f.interval(fit.tau2_ci_lower, fit.tau2_ci_upper, 3)})",
        f"{f.number(fit.i2, 0)} ({f.interval(fit.i2_ci_lower, fit.i2_ci_upper, 0)})",
        f"{f.number(fit.q)} ({fit.q_df})",
        f.probability(fit.q_p_value),
        f.interval(shown[0], shown[1], 1 if rate else 2),
        f"{f.number(posterior.tau_median)} ({f.interval(posterior.tau_ci_lower, posterior.tau_ci_upper)})",
        "" if test is None else f"{f.p_value(test.p_value)}, {test.groups} groups",
    )
