"""An import as a notebook shows it: what was found, what is to settle, and how much has no column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igfmeta.evidence.importing.candidates import Imported

COLUMNS = (
    "row_id", "outcome", "measure", "estimate", "ci_low", "ci_high", "events_exp", "n_exp", "events_ctl", "n_ctl",
    "percent_exp", "percent_ctl", "median_exp", "median_ctl", "locator",
)  # fmt: skip
OF_SOURCES = ("source_id", "first_author", "year", "title", "doi", "pmid", "status")


def html(found: Imported) -> str:
    """Return candidates and questions as HTML tables; what nothing fills is no column."""
    parts = [f"<p>{escape(found.file)}: {escape(found.format)}</p>"]
    for caption, names, rows in (
        ("Candidate rows", COLUMNS, found.rows),
        ("Candidate sources", OF_SOURCES, found.sources),
        ("Risk of bias", ("study_id", "domain", "judgement", "support"), found.judgements),
    ):
        filled = [name for name in names if any(row[name] for row in rows)]
        if rows:
            parts.append(_table(caption, filled, ([row[name] for name in filled] for row in rows)))
    if found.doubts:
        lines = ([d.row_id, d.column, d.found, d.question] for d in found.doubts)
        parts.append(_table("To settle", ("row", "column", "found", "question"), lines))
    parts.append(f"<p>{len(found.left_out)} not imported: see <code>left_out</code>.</p>")
    return "\n".join(parts)


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
