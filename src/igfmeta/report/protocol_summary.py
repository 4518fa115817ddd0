"""Protocols as a table: what each asks."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.protocol import Protocol
from igfmeta.synthesis.protocol_files import ProtocolFile


def asked(protocol: Protocol) -> str:
    """Return what a protocol asks, in a few words."""
    parts = [f"{outcome.name} ({outcome.measure})" for outcome in protocol.outcome]
    parts += [f"risk of {', '.join(q.cancer or ('every cancer',))}" for q in protocol.risk]
    parts += [f"dose-response of {question.cancer}" for question in protocol.dose]
    parts += [f"triangulation of {question.outcome}" for question in protocol.triangulation]
    parts += [f"all of {name}" for name in protocol.include]
    return "; ".join(parts)


def protocol_table(files: Sequence[ProtocolFile]) -> SummaryTable:
    """Return protocols with their titles and what they ask."""
    return SummaryTable(
        title="Protocols",
        columns=tuple(Column(name, numeric=False) for name in ("Name", "Title", "Asks")),
        rows=tuple((file.name, file.protocol.title, asked(file.protocol)) for file in files),
        set_apart=frozenset(),
        notes=(),
    )
