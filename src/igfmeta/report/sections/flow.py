"""The flow of evidence: rows found, left out with the reason, used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from igfmeta.plots.flow import Stage, flow_figure
from igfmeta.report.content import Block, DataTable, Section
from igfmeta.report.explanation import not_used
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, words_table
from igfmeta.report.sentences import studies_and_patients
from igfmeta.report.summary import reason_kind
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis


def section(analysis: Analysis) -> Section | None:
    """Return a flow diagram for each outcome, with every row that was left out."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome in analysis.outcomes]
    return by_outcome(key_of(analysis, "flow"), "Flow of evidence", parts)


def _count(rows: int, studies: int) -> str:
    return f"{rows} {'row' if rows == 1 else 'rows'}, {studies} {'study' if studies == 1 else 'studies'}"


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    rows = analysis.evidence.table("trials")
    answer, missing = outcome.answer, outcome.missing
    question = answer.question if answer else missing.question  # type: ignore[union-attr]
    unused = answer.unused if answer else missing.unused  # type: ignore[union-attr]
    studies = answer.overall.studies if answer else ()
    used = [row_id for study in studies for row_id in study.row_ids]
    about = [row for row in rows if row["outcome"] in question.outcomes]
    chosen = {*used, *(each.row_id for each in unused)}
    ids = {row["row_id"]: row["study_id"] for row in rows}
    reasons = Counter(reason_kind(each.reason) for each in unused)
    outside = len(about) - len(chosen)
    label = f"{question.label} ({question.measure})"
    end = f"Pooled: {studies_and_patients(answer)}" if answer else "Nothing to pool"
    stages = [
        Stage(("Evidence tables", _count(len(rows), len({row["study_id"] for row in rows}))),
              (f"Other outcomes: {len(rows) - len(about)} rows",)),
        Stage((label, _count(len(about), len({row["study_id"] for row in about}))),
              (f"Not asked for by the protocol: {outside} rows",)),
        Stage(("Found for the protocol's question", _count(len(chosen), len({ids[i] for i in chosen}))),
              (f"Left out: {len(unused)} rows", *(f"{n}: {reason}" for reason, n in reasons.most_common()))),
        Stage(("In the pool", _count(len(used), len({study.study_id for study in studies})), end)),
    ]  # fmt: skip
    title = f"Flow of evidence: {heading_of(outcome)}"
    data = words_table(
        f"{title}, in numbers",
        ("Step", "Kept", "Left out"),
        [(stage.lines[0], "; ".join(stage.lines[1:]), "; ".join(stage.left_out)) for stage in stages],
    )
    description = " ".join(f"{s.lines[0]}: {s.lines[1]}." for s in stages)
    drawn = picture(key_of(analysis, outcome.key, "flow-figure"), flow_figure(stages), title=title,
                    description=description, data=data)  # fmt: skip
    key = key_of(analysis, outcome.key, "not-used")
    listed = [DataTable(key, not_used(question, unused), folded=True)] if unused else []
    return [drawn, *listed]
