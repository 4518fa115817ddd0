"""The studies of each pool: who was treated with what, in which trial."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.content import Block, DataTable, Section
from igfmeta.report.sections.parts import by_outcome, facts_of, heading_of, key_of, link_of, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.results import Answer

HEADINGS = ("Study", "Agent", "Tumour", "Patients", "Design", "Experimental", "Control", "n")


def section(analysis: Analysis) -> Section | None:
    """Return a table of studies for each outcome."""
    parts = [(outcome, _blocks(analysis, outcome, answer)) for outcome, answer in analysis.answered]
    return by_outcome(key_of(analysis, "studies"), "Study characteristics", parts)


def _design(row: Row) -> str:
    """Return `phase 3, randomized, double blind`; blinding where it is known."""
    phase = f"phase {row['phase']}" if row["phase"] else ""
    blinding = row["blinding"].replace("_", " ") if row["blinding"] not in ("", "unknown") else ""
    return ", ".join(part for part in (phase, row["design"].replace("_", " "), blinding) if part)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, answer: Answer) -> Sequence[Block]:
    rows = {row["row_id"]: row for row in analysis.evidence.table("trials")}
    agents = {row["agent"]: row["label"] for row in analysis.evidence.table("agents")}
    tumours = {row["tumor_type"]: row["label"] for row in analysis.evidence.table("tumors")}
    lines: list[tuple[str, ...]] = []
    for study in answer.overall.studies:
        row = rows[study.row_ids[0]]
        lines.append((
            study.label, agents.get(study.agent, study.agent), tumours.get(study.tumor_type, study.tumor_type),
            row["population"], _design(row), row["experimental"], row["control"], f.count(study.patients),
        ))  # fmt: skip
    headings: tuple[str, ...] = HEADINGS
    if answer.question.arms == "single_arm":
        lines = [(*line[:6], *line[7:]) for line in lines]
        headings = (*HEADINGS[:6], HEADINGS[7])
    made = words_table(f"Studies: {heading_of(outcome)}", headings, lines, numeric=(len(headings) - 1,))
    studies = answer.overall.studies
    return [
        DataTable(
            key_of(analysis, outcome.key, "studies"),
            made,
            sortable=True,
            facts=tuple(map(facts_of, studies)),
            links={(i, 0): link_of(study) for i, study in enumerate(studies)},
        )
    ]
