"""The answers in sentences, and the summary of findings."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.content import DataTable, Link, Paragraph, Section
from igfmeta.report.risk_summary import per
from igfmeta.report.sections.parts import key_of, words_table
from igfmeta.report.sentences import answer_sentence, difference_text, marker_name, risk_sentence
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.results import Answer


def sentences(analysis: Analysis) -> tuple[str, ...]:
    """Return the answers of one question, a sentence for each outcome."""
    question = analysis.protocol.question
    name = question.intervention if question else ""
    said = [answer_sentence(outcome, name) for outcome in analysis.outcomes]
    for result in analysis.risks:
        if result.by == "cancer" or result.overall is not None:
            said += [risk_sentence(g, result.biomarker, per(result)) for g in result.groups if g.fit.k > 1]
    for line in analysis.triangulations:
        against = f"{line.question.label} against {marker_name(line.marker)}"
        said += [f"{against} ({fit.label}): {text}" for fit in line.predictors for text in fit.sentences[:1]]
    said += [f"{each.asked.capitalize()}: no answer. {each.reason}" for each in analysis.unanswered]
    return tuple(said)


def answers(analyses: Sequence[Analysis]) -> Section:
    """Return the answers of every question, each under its own title where there are several."""
    if len(analyses) == 1:
        return Section("answers", "The answer", tuple(Paragraph(t, "answer") for t in sentences(analyses[0])))
    below = tuple(
        Section(key_of(a, "answer"), a.protocol.title, tuple(Paragraph(t, "answer") for t in sentences(a)))
        for a in analyses
    )
    return Section("answers", "The answers", (), below)


HEADINGS = ("Outcome", "Studies", "Patients", "Relative effect (interval)", "Without, per 1,000",
            "Difference per 1,000 (interval)", "Prediction interval", "Certainty")  # fmt: skip


def _cells(outcome: OutcomeAnalysis, answer: Answer) -> tuple[str, ...]:
    group, fit, rate = answer.overall, answer.overall.fit, answer.question.arms == "single_arm"
    scale, decimals = (100, 1) if rate else (1, 2)

    def shown(low: float | None, high: float | None) -> str:
        values = [None if v is None else group.natural(v) for v in (low, high)]
        first, last = (None if v is None else scale * v for v in values)
        return f.interval(first, last, decimals)

    middle = group.natural(fit.estimate)
    name = "Rate %" if rate else answer.question.measure
    effect = f"{name} {f.number(None if middle is None else scale * middle, decimals)}"
    effect += f" ({shown(fit.ci_lower, fit.ci_upper)})"
    at = outcome.absolute.at if outcome.absolute else ()
    horizon = outcome.absolute.horizon_months if outcome.absolute else None
    when = "" if horizon is None else f"\n{outcome.absolute.event} by {horizon:g} months"  # type: ignore[union-attr]
    certainty = outcome.rating.level.capitalize() if outcome.rating else ""
    return (
        answer.question.label + when,
        f"{fit.k}",
        ("≥" if group.patients_missing else "") + (f.count(group.patients) if group.patients else f.NOT_ESTIMABLE),
        effect,
        "\n".join(f.count(1000 * each.baseline) for each in at) or f.NOT_ESTIMABLE,
        "\n".join(difference_text(each) for each in at) or f.NOT_ESTIMABLE,
        shown(fit.pi_lower, fit.pi_upper),
        certainty + (" *" if outcome.rating and outcome.rating.overridden else ""),
    )


def summary_of_findings(analyses: Sequence[Analysis]) -> Section | None:
    """Return one table per question: patients, studies, relative and absolute effect, prediction, certainty."""
    tables = [_findings(analysis) for analysis in analyses]
    found = tuple(each for each in tables if each is not None)
    if not found:
        return None
    return Section("findings", "Summary of findings", (Paragraph(_EXPLAINED, "note"), *found))


_EXPLAINED = (
    "Without: the risk in the control arms of these trials, lowest, median and highest. Difference: what the relative "
    "effect makes of it. The prediction interval is where the true effect of a new trial would lie. How certainty was "
    "rated stands under Certainty."
)


def _findings(analysis: Analysis) -> DataTable | None:
    answered = [pair for pair in analysis.answered if pair[0].rating is not None]
    if not answered:
        return None
    notes = []
    for outcome, answer in answered:
        if outcome.absolute is not None:
            found = outcome.absolute
            arms = "1 control arm" if found.arms == 1 else f"{found.arms} control arms"
            how = "" if found.horizon_months is None else ", from their medians under a constant hazard"
            notes.append(f"{answer.question.label}: baseline risks of {arms}{how}.")
    if any(outcome.rating and outcome.rating.overridden for outcome, _ in answered):
        notes.append("* A person rated a domain; the reason stands under Certainty.")
    question = analysis.protocol.question
    if question is not None:
        given = question.intervention.rstrip(",")
        versus = f", compared with {question.comparison}" if question.comparison else ""
        notes.insert(0, f"{given[:1].upper()}{given[1:]}{versus}; {question.population or 'patients'}.")
    made = words_table(
        analysis.protocol.title, HEADINGS, [_cells(o, a) for o, a in answered], numeric=(1, 2, 3, 4, 5, 6), notes=notes
    )
    links = {(i, 7): Link(f"#{key_of(analysis, 'certainty')}") for i in range(len(answered))}
    return DataTable(key_of(analysis, "findings"), made, links=links)
