"""What an import gives: candidate rows as text, what was ambiguous, and what has no place in the tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igfmeta.errors import Problem
from igfmeta.evidence.checks import within_rows
from igfmeta.evidence.reading import RawTable
from igfmeta.evidence.schema import TABLES, number_columns
from igfmeta.evidence.validation import typed_rows
from igfmeta.text import one_line
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

TRIAL_COLUMNS = tuple(TABLES["trials"].model_fields)
SOURCE_COLUMNS = tuple(TABLES["sources"].model_fields)
JUDGEMENT_COLUMNS = tuple(TABLES["risk_of_bias"].model_fields)

#: Every candidate is kept out of pools until a person has compared it with its source.
UNCHECKED = {"use": "exclude", "use_reason": "imported; not yet compared with its source"}

#: Columns that a row of `trials` needs and that an import may have to leave blank.
NEEDED = ("agent", "agent_class", "tumor_type", "regimen", "contrast", "outcome")

#: Columns that a row of `sources` needs.
NEEDED_OF_SOURCES = ("type", "status")

_NUMBERS = frozenset(number_columns("trials"))

#: A number with a comma, or with separators of thousands; which of the two a comma is cannot be told.
_WITH_SEPARATOR = re.compile(r"^[+-]?(\d+,\d+|\d{1,3}([.,' \u00a0\u2009\u202f]\d{3})+([.,]\d+)?)$")
SEPARATED = "holds a decimal comma or a separator of thousands; nothing was converted."

#: Stands for every row of the import.
ALL_ROWS = "every row"


@dataclass(frozen=True)
class Doubt:
    """A cell that a person has to settle: which row and column, where in the file, what was found, what to decide."""

    row_id: str
    column: str
    place: str
    found: str
    question: str


@dataclass(frozen=True)
class LeftOut:
    """Something that the file reports and no column holds, and why."""

    place: str
    what: str
    reason: str


@dataclass(frozen=True)
class ReviewSettings:
    """What a review used for one of its analyses, and what it found; as its file says."""

    analysis: str
    name: str
    data_type: str
    measure: str
    method: str
    model: str
    ci_level: str
    estimate: str
    ci_low: str
    ci_high: str


@dataclass(frozen=True)
class Imported:
    """Candidate rows of the tables, all cells as text; nothing of it is in the evidence.

    Attributes
    ----------
    format, file : str
        What it was read as, and the name of what was read.
    rows, sources, judgements : tuple of mapping
        Candidate rows of `trials`, `sources` and `risk_of_bias`: column -> cell, every column of the table.
    doubts : tuple of Doubt
    left_out : tuple of LeftOut
    settings : tuple of ReviewSettings
        What a review used, analysis by analysis.
    sha256 : str
        Of the bytes that were read.
    """

    format: str
    file: str
    rows: tuple[Mapping[str, str], ...]
    sources: tuple[Mapping[str, str], ...]
    doubts: tuple[Doubt, ...]
    left_out: tuple[LeftOut, ...]
    judgements: tuple[Mapping[str, str], ...] = ()
    settings: tuple[ReviewSettings, ...] = ()
    sha256: str = ""

    def to_frame(self) -> pd.DataFrame:
        """Return the candidate rows of `trials`, or of `sources` where there are none, every cell as text."""
        import pandas as pd

        rows, columns = (self.rows, TRIAL_COLUMNS) if self.rows else (self.sources, SOURCE_COLUMNS)
        return pd.DataFrame(list(rows), columns=list(columns), dtype="str")

    def _repr_html_(self) -> str:
        from igfmeta.evidence.importing.shown import html

        return html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "igfmeta": __version__,
            "format": self.format,
            "file": self.file,
            "sha256": self.sha256,
            "rows": [dict(row) for row in self.rows],
            "sources": [dict(row) for row in self.sources],
            "ambiguous": [vars(each) for each in self.doubts],
            "left_out": [vars(each) for each in self.left_out],
            "risk_of_bias": [dict(row) for row in self.judgements],
            "review": [vars(each) for each in self.settings],
        }


@dataclass
class Collector:
    """Rows, doubts and what is left out, as a file is read."""

    rows: list[dict[str, str]] = field(default_factory=list)
    sources: list[dict[str, str]] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    judgements: list[dict[str, str]] = field(default_factory=list)
    judged: set[tuple[str, str, str]] = field(default_factory=set)
    settings: list[ReviewSettings] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    source_ids: set[str] = field(default_factory=set)

    def row(self, place: str, cells: Mapping[str, str], doubts: Sequence[tuple[str, str, str]] = ()) -> None:
        """Add a candidate row; `doubts` are (column, found, question)."""
        study = one_line(cells.get("study_id", ""))
        self.counts[study] += 1
        row_id = f"{study or 'row'}-{self.counts[study]:02d}"
        filled = {name: _cell(name, cells.get(name, "")) for name in TRIAL_COLUMNS} | UNCHECKED
        self.rows.append({**filled, "row_id": row_id, "locator": place})
        self.places[row_id] = place
        self.doubts += [Doubt(row_id, column, place, found, question) for column, found, question in doubts]

    def source(self, cells: Mapping[str, str]) -> None:
        """Add a candidate row of `sources`, once."""
        filled = {name: one_line(cells.get(name, "")) for name in SOURCE_COLUMNS}
        if filled["source_id"] not in self.source_ids:
            self.source_ids.add(filled["source_id"])
            self.sources.append(filled)

    def judge(self, place: str, cells: Mapping[str, str]) -> None:
        """Add a candidate row of `risk_of_bias`, or list what is judged of nothing or judged again."""
        row = {name: one_line(cells.get(name, "")) for name in JUDGEMENT_COLUMNS}
        key = (row["study_id"], row["tool"], row["domain"])
        if not (row["study_id"] and row["domain"]):
            self.skip(place, f"risk of bias: {row['judgement']}", "names no study or no domain.")
        elif key in self.judged:
            self.skip(place, f"{row['domain']}: {row['judgement']}", "the study is judged in this domain already.")
        else:
            self.judged.add(key)
            self.judgements.append(row)

    def skip(self, place: str, what: str, reason: str) -> None:
        """Note something that has no column."""
        self.left_out.append(LeftOut(place, what, reason))

    def finished(self, kind: str, file: str) -> Imported:
        """Return the import: cells that the schema refuses are blank and listed, as are needed ones left blank."""
        self._refused("trials", self.rows, "row_id", file)
        self._refused("sources", self.sources, "source_id", file)
        doubts = [*self._blanks(), *self._without_source(), *self.doubts]
        return Imported(
            kind,
            file,
            tuple(self.rows),
            tuple(self.sources),
            tuple(doubts),
            tuple(self.left_out),
            tuple(self.judgements),
            tuple(self.settings),
        )

    def _refused(self, table: str, rows: list[dict[str, str]], key: str, file: str) -> None:
        """Blank and list what the schema refuses, until what is left agrees: of an interval one limit may follow."""
        header, numbers = tuple(TABLES[table].model_fields), tuple(range(len(rows)))
        while True:
            raw = RawTable(file, header, tuple(tuple(r[n] for n in header) for r in rows), numbers)
            typed, problems = typed_rows(table, raw)
            problems += within_rows(table, typed, numbers, file)
            found = [p for p in problems if p.row is not None and p.column is not None and rows[p.row][p.column]]
            if not found:
                break
            for problem in found:
                self._doubt(rows[problem.row or 0], problem, key)
                rows[problem.row or 0][problem.column or ""] = ""
        told = {(doubt.row_id, doubt.column) for doubt in self.doubts}
        for problem in problems:
            row = rows[problem.row or 0]
            if problem.column not in (*NEEDED, *NEEDED_OF_SOURCES) and (row[key], problem.column) not in told:
                self._doubt(row, problem, key)

    def _doubt(self, row: Mapping[str, str], problem: Problem, key: str) -> None:
        column = problem.column or ""
        question = SEPARATED if _WITH_SEPARATOR.match(row[column]) else problem.message
        self.doubts.append(Doubt(row[key], column, self.places.get(row[key], ""), row[column], question))

    def _without_source(self) -> list[Doubt]:
        """Return the rows whose source the file does not hold although it holds others."""
        if not self.source_ids:
            return []
        question = "the file holds no reference of this study; add its row to the sources."
        return [
            Doubt(row["row_id"], "source_id", self.places[row["row_id"]], row["source_id"], question)
            for row in self.rows
            if row["source_id"] not in self.source_ids
        ]

    def _blanks(self) -> list[Doubt]:
        told = {(doubt.row_id, doubt.column) for doubt in self.doubts}
        out = []
        for column in NEEDED:
            blank = [row for row in self.rows if not row[column] and (of_study(row["study_id"]), column) not in told]
            missing = [row["row_id"] for row in blank if (row["row_id"], column) not in told]
            if not missing:
                continue
            question = f"the file does not say it in the words of the tables; fill {column} in."
            if len(missing) == len(self.rows):
                out.append(Doubt(ALL_ROWS, column, "", "", question))
            else:
                out += [Doubt(row_id, column, self.places[row_id], "", question) for row_id in missing]
        return out + [
            Doubt(row["source_id"], column, "", "", f"the file does not say it; fill {column} in.")
            for row in self.sources
            for column in NEEDED_OF_SOURCES
            if not row[column] and (row["source_id"], column) not in told
        ]


def _cell(column: str, text: str) -> str:
    """Return a cell as one line of characters that can be seen; a number stays as it is, to be refused if need be."""
    return text.strip() if column in _NUMBERS else one_line(text)


def of_study(study_id: str) -> str:
    """Return what stands for every row of a study."""
    return f"{study_id}-*"
