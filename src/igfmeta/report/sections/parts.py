"""What sections share: keys, tables of words, studies with their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from igfmeta.report.content import Block, DataTable, Link, Section
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.studies import Study


def key_of(analysis: Analysis, *parts: str) -> str:
    """Return an identifier that is unique in a report: protocol, outcome, what it is."""
    return "-".join((analysis.file.name, *parts)).replace("_", "-").replace(":", "-")


def heading_of(outcome: OutcomeAnalysis) -> str:
    """Return an outcome as a heading."""
    question = outcome.answer.question if outcome.answer else outcome.missing.question  # type: ignore[union-attr]
    return f"{question.label}{', one arm' if question.arms == 'single_arm' else ''}"


def words_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = (),
    notes: Sequence[str] = (), apart: frozenset[int] = frozenset(),
) -> SummaryTable:  # fmt: skip
    """Return a table; the columns at the positions `numeric` are aligned right."""
    columns = tuple(Column(heading, numeric=i in numeric) for i, heading in enumerate(headings))
    return SummaryTable(title, columns, tuple(map(tuple, rows)), apart, tuple(notes))


def link_of(study: Study) -> Link:
    """Return the place of a study's source in the report, with its citation."""
    return Link(f"#source-{study.source_ids[0]}", study.citation)


def facts_of(study: Study) -> Mapping[str, str]:
    """Return what a study's row may be filtered by."""
    return {"class": study.agent_class, "tumor": study.tumor_type}


def by_outcome(
    key: str, title: str, parts: Sequence[tuple[OutcomeAnalysis, Sequence[Block]]], lead: Sequence[Block] = ()
) -> Section | None:
    """Return a section with a subsection per outcome; with one outcome its blocks stand in the section itself."""
    filled = [(outcome, tuple(blocks)) for outcome, blocks in parts if blocks]
    if not filled:
        return None
    if len(filled) == 1:
        return Section(key, title, (*lead, *filled[0][1]))
    below = tuple(Section(f"{key}-{outcome.key}", heading_of(outcome), blocks) for outcome, blocks in filled)
    return Section(key, title, tuple(lead), below)


#: What notes say of the options of the command line, and what a report says instead.
_OPTIONS = {
    " --explain lists them.": " They are listed below or in the flow of evidence.",
    " (--format json says how)": "",
    "; --subgroup parts them": "",
    "--by class parts them": "the tables by class part them",
}


def in_a_report(made: SummaryTable) -> SummaryTable:
    """Return a table whose notes do not speak of options of the command line."""

    def said(note: str) -> str:
        for option, instead in _OPTIONS.items():
            note = note.replace(option, instead)
        return note

    return replace(made, notes=tuple(map(said, made.notes)))


def table(key: str, made: SummaryTable) -> DataTable:
    """Return a table as a block."""
    return DataTable(key, made)
