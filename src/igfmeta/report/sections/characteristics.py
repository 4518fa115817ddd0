"""The studies of each pool: who was treated with what, in which trial."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.content import Block, DataTable, Section
from igfmeta.report.sections.parts import by_outcome, facts_of, heading_of, key_of, link_of, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.results import Answer

HEADINGS = ("Study", "Agent", "Tumour", "Patients", "Design", "Phase", "Blinding", "Experimental", "Control", "n")


def section(analysis: Analysis) -> Section | None:
    """Return a table of studies for each outcome."""
    parts = [(outcome, _blocks(analysis, outcome, answer)) for outcome, answer in analysis.answered]
    return by_outcome(key_of(analysis, "studies"), "Study characteristics", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, answer: Answer) -> Sequence[Block]:
    rows = {row["row_id"]: row for row in analysis.evidence.table("trials")}
    agents = {row["agent"]: row["label"] for row in analysis.evidence.table("agents")}
    tumours = {row["tumor_type"]: row["label"] for row in analysis.evidence.table("tumors")}
    lines: list[tuple[str, ...]] = []
    for study in answer.overall.studies:
        row = rows[study.row_ids[0]]
        lines.append((
            study.label, agents.get(study.agent, study.agent), tumours.get(study.tumor_type, study.tumor_type),
            row["population"], row["design"].replace("_", " "), study.phase, row["blinding"].replace("_", " "),
            row["experimental"], row["control"], f.count(study.patients),
        ))  # fmt: skip
    headings: tuple[str, ...] = HEADINGS
    if answer.question.arms == "single_arm":
        lines = [(*line[:8], *line[9:]) for line in lines]
        headings = (*HEADINGS[:8], HEADINGS[9])
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
