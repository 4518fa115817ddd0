"""What a report says, as a tree of frozen objects: HTML, Markdown, tables and JSON are renderings of this one tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from igfmeta.plots.forest import Forest
from igfmeta.report.summary import SummaryTable


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; an "answer" is set apart, a "note" is small."""

    text: str
    kind: Literal["plain", "answer", "note"] = "plain"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """Where a cell leads, a web address or a place in the report, and what is said on hover and focus."""

    href: str
    hover: str = ""


@dataclass(frozen=True)
class DataTable:
    """A table with an identity, so that it can be referred to, exported, sorted and filtered.

    Attributes
    ----------
    key : str
        Unique in the report.
    table : SummaryTable
    sortable : bool
    facts : tuple of mapping
        For each row what it may be filtered by ("class", "tumor"), and "id", its place in the report; or nothing.
    folded : bool
        Long, and looked up rather than read: folded away until it is asked for.
    links : mapping of (row, column) to Link
    shades : mapping of (row, column) to str
        Names of the colours of cells, such as "b2": blue, second step.
    """

    key: str
    table: SummaryTable
    sortable: bool = False
    folded: bool = False
    facts: tuple[Mapping[str, str], ...] = ()
    links: Mapping[tuple[int, int], Link] = field(default_factory=dict)
    shades: Mapping[tuple[int, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class ForestPlot:
    """A forest plot: a table already, whose rows carry drawings."""

    key: str
    forest: Forest


@dataclass(frozen=True)
class Picture:
    """A drawing as SVG, with its description in words and the numbers behind it."""

    key: str
    title: str
    description: str
    svg: str
    data: SummaryTable


@dataclass(frozen=True)
class Verbatim:
    """A text as it is, such as a protocol or a command."""

    key: str
    title: str
    text: str


Block = Paragraph | Points | DataTable | ForestPlot | Picture | Verbatim


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it."""

    key: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()

    def walk(self) -> Iterator[Section]:
        """Yield this section and every one below, in order."""
        yield self
        for section in self.sections:
            yield from section.walk()


@dataclass(frozen=True)
class Provenance:
    """What a report was made from.

    Attributes
    ----------
    version : str
        Of igfmeta.
    evidence : str
        Where the evidence came from.
    fingerprint : str
        SHA-256 of its tables.
    files : mapping
        SHA-256 of each table.
    protocol : str
        Name of the protocol.
    protocols : mapping
        The text of the protocol and of those that it includes, by name.
    protocol_fingerprint : str
    software : mapping
        Versions of what computed it.
    mcmc : bool or None
        Whether PyMC was to fit the hierarchies too; None as the protocols say.
    stamp : str or None
        When it was made, if that was asked for.
    """

    version: str
    evidence: str
    fingerprint: str
    files: Mapping[str, str]
    protocol: str
    protocols: Mapping[str, str]
    protocol_fingerprint: str
    software: Mapping[str, str]
    mcmc: bool | None
    stamp: str | None

    def to_dict(self) -> dict[str, Any]:
        return {name: dict(v) if isinstance(v, Mapping) else v for name, v in self.__dict__.items()}


@dataclass(frozen=True, eq=False)
class Report:
    """A report.

    Attributes
    ----------
    title, question : str
    authors : tuple of str
    answers : tuple of str
        One sentence per outcome.
    sections : tuple of Section
    fits : mapping
        Every result that the report shows, by name; each has `to_dict`.
    provenance : Provenance
    """

    title: str
    question: str
    authors: tuple[str, ...]
    answers: tuple[str, ...]
    sections: tuple[Section, ...]
    fits: Mapping[str, Any]
    provenance: Provenance

    def walk(self) -> Iterator[Section]:
        """Yield every section in order."""
        for section in self.sections:
            yield from section.walk()

    def blocks(self) -> Iterator[Block]:
        """Yield every block in order."""
        for section in self.walk():
            yield from section.blocks

    def tables(self) -> Iterator[DataTable]:
        """Yield every table in order."""
        return (block for block in self.blocks() if isinstance(block, DataTable))
