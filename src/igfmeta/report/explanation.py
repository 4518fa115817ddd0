"""How every number came about: per study the reported numbers, the rule and the result; and every row not used."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.eligibility import Unused
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.results import Answer
from igfmeta.synthesis.studies import MARKS, Study


def _study_row(study: Study, weight: float, rate: bool) -> tuple[str, ...]:
    scale, decimals = (100, 1) if rate else (1, 2)
    natural = [scale * value for value in (study.estimate, study.ci_lower, study.ci_upper)]
    return (
        study.label + "".join(f" [{mark}]" for mark in study.marks),
        "; ".join(f"{row}: {text}" for row, text in zip(study.row_ids, study.reported, strict=True)),
        study.derivation,
        f"{f.number(natural[0], decimals)} ({f.interval(natural[1], natural[2], decimals)})",
        f.number(study.yi, 4),
        f.number(study.vi**0.5, 4),
        f.number(weight, 1),
    )


def _studies(answer: Answer) -> SummaryTable:
    rate = answer.question.arms == "single_arm"
    studies, weights = answer.overall.studies, answer.overall.fit.weights
    used = sorted({mark for study in studies for mark in study.marks})
    notes = [f"[{mark}] {MARKS[mark]}" for mark in used]
    notes += [f"{study.label}: {note}." for study in studies for note in study.notes]
    return SummaryTable(
        title=f"{answer.question.label}: what was reported, the rule, the result",
        columns=(
            Column("Study", numeric=False),
            Column("As reported", numeric=False),
            Column("Rule", numeric=False),
            Column("Rate %" if rate else answer.question.measure),
            Column("yi"),
            Column("se"),
            Column("Weight"),
        ),
        rows=tuple(_study_row(study, float(w), rate) for study, w in zip(studies, weights, strict=True)),
        set_apart=frozenset(),
        notes=tuple(dict.fromkeys(notes)),
    )


def not_used(question: Question, unused: Sequence[Unused]) -> SummaryTable:
    """Return the rows that were found for a question and not used, each with its reason."""
    return SummaryTable(
        title=f"{question.label} ({question.measure}): rows not used",
        columns=(Column("Row", numeric=False), Column("Outcome", numeric=False), Column("Reason", numeric=False)),
        rows=tuple((item.row_id, item.outcome, item.reason) for item in unused),
        set_apart=frozenset(),
        notes=(),
    )


def tables(answer: Answer) -> list[SummaryTable]:
    """Return the explanation of one answer: its studies, and the rows not used where there are any."""
    explained = [_studies(answer)]
    return [*explained, not_used(answer.question, answer.unused)] if answer.unused else explained
