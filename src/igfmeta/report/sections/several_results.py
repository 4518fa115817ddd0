"""Several results of one study: all of them with robust variances, beside the answer that takes one of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.models.robust.working import WORKING
from igfmeta.plots.robust_forest import robust_forest
from igfmeta.report.content import Block, ForestPlot, Paragraph, Section
from igfmeta.report.robust_summary import estimate_text, with_interval
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table, words_table
from igfmeta.report.summary import SummaryTable
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.dependence import Dependence
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.results import Answer
from igfmeta.synthesis.robust_results import RobustResult

TITLE = "Several results of one study"

ALONE = "Every study gives one result: nothing is dependent, and all results are those of the answer."

LEAD = (
    "The answer takes one result of the same patients (contrasts with one control arm combined, of several outcomes "
    "and readings the preferred one) and separate cohorts of a study as independent. Here every result takes part, "
    "however those of one study depend on each other."
)

MODEL = (
    "Multilevel model: the working model with the variance that it implies; t with studies less 1 degrees of freedom."
)

_WHICH = {"primary": "primary results", "sensitivity": "results, sensitivity rows too"}


def section(analysis: Analysis) -> Section | None:
    """Return, for each outcome, the mean of all results of every study beside the answer."""
    parts = [(outcome, _blocks(analysis, outcome, answer)) for outcome, answer in analysis.answered]
    return by_outcome(key_of(analysis, "several-results"), TITLE, parts, lead=(Paragraph(LEAD, "note"),))


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, answer: Answer) -> Sequence[Block]:
    found = [each for each in outcome.dependence if each.several]
    reasons = [each.reason for each in outcome.dependence if each.reason]
    if not found:
        return [Paragraph(f"Not modelled: {reasons[0]}" if reasons else ALONE)]
    widest = found[-1].result
    assert widest is not None
    drawn = replace(robust_forest(_linked(widest)), title=f"All results by study: {heading_of(outcome)}")
    return [
        table(key_of(analysis, outcome.key, "several-results"), _table(outcome, answer, found)),
        ForestPlot(key_of(analysis, outcome.key, "several-results-forest"), drawn),
    ]


def _linked(result: RobustResult) -> RobustResult:
    """Return the result with rows that lead to their source in the report."""
    return replace(result, rows=tuple(replace(row, href=f"#source-{row.source_id}") for row in result.rows))


def _table(outcome: OutcomeAnalysis, answer: Answer, found: Sequence[Dependence]) -> SummaryTable:
    results = [each.result for each in found if each.result is not None]
    rate = answer.question.measure in PROPORTIONS
    measure = "Rate %" if rate else label_of(answer.question.measure).capitalize()
    rows = [_answer(answer)]
    for each in found:
        rows += _both(each)
    remarks = dict.fromkeys(note for result in results for note in (*result.fit.remarks, *result.remarks))
    return words_table(
        f"All results: {heading_of(outcome)}",
        ("Taken", "Results", "Studies", f"{measure} ({100 * results[0].fit.level:g} % interval)", "df"),
        rows,
        numeric=(1, 2, 3, 4),
        notes=(*dict.fromkeys(map(_assumed, results)), MODEL, *remarks, *_scale(answer, results[0])),
        apart=frozenset({0}),
    )


def _scale(answer: Answer, result: RobustResult) -> list[str]:
    """Return what is said where the model is not on the scale of the answer."""
    if result.measure == answer.question.measure:
        return []
    return [
        "Rates: the answer is of the counts themselves; all results are on the scale of arcsines of square roots, "
        "which needs no correction of arms without an event."
    ]


def _answer(answer: Answer) -> tuple[str, ...]:
    group, fit = answer.overall, answer.overall.fit
    shown = [group.natural(value) for value in (fit.estimate, fit.ci_lower, fit.ci_upper)]
    rows = sum(len(study.row_ids) for study in group.studies)
    studies = len({study.study_id for study in group.studies})
    text = with_interval(shown, rate=answer.question.measure in PROPORTIONS)
    return (
        f"The answer ({fit.method}, {fit.ci})",
        f"{rows}",
        f"{studies}",
        text,
        f.number(fit.df, 0),
    )


def _both(each: Dependence) -> list[tuple[str, ...]]:
    """Return the robust line of all results and that of the multilevel model whose weights it has."""
    result = each.result
    assert result is not None
    mean, fit = result.fit.coefficients[0], result.fit
    lower, upper, df = each.model_interval()
    model = [result.natural(value) for value in (mean.estimate, lower, upper)]
    size = (f"{fit.k}", f"{fit.clusters}")
    return [
        (f"All {_WHICH[each.use]}: robust variance {fit.adjustment}", *size, estimate_text(result, mean),
         f.number(mean.df, 1)),
        (f"All {_WHICH[each.use]}: multilevel model", *size,
         with_interval(model, rate=result.measure in PROPORTIONS), f.number(df, 0)),
    ]  # fmt: skip


def _assumed(result: RobustResult) -> str:
    """Return what was assumed, and what other assumptions would have given."""
    fit, words = result.fit, WORKING[result.fit.working][0]
    if not result.sweep:
        return f"Working model {fit.working}: {words}."
    means = [result.natural(swept.coefficients[0].estimate) or 0.0 for _, swept in result.sweep]
    rhos = [rho for rho, _ in result.sweep]
    scale, decimals = (100, 1) if result.measure in PROPORTIONS else (1, 2)
    low, high = (f.number(scale * end, decimals) for end in (min(means), max(means)))
    between = f"stays {low}" if low == high else f"lies between {low} and {high}"
    return (
        f"Working model {fit.working}: {words}; results of the same patients have an assumed correlation of "
        f"{fit.rho:g}. From {min(rhos):g} to {max(rhos):g} the mean of {fit.k} results {between}."
    )
