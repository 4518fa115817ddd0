"""The tables of an import: the candidate rows, what was ambiguous, what has no column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from igfmeta.evidence.importing.candidates import Imported, LeftOut, ReviewSettings
from igfmeta.report.summary import Column, SummaryTable

#: A cell longer than this is cut in a table; JSON has it whole.
LONGEST = 160

#: Of one place and reason, no more lines than this are shown; JSON has them all.
MANY = 12


def tables(found: Imported) -> list[SummaryTable]:
    """Return the tables, candidate rows first."""
    made = []
    if found.rows:
        title = f"Candidate rows from {found.file} ({found.format})"
        rows = [(r["row_id"], r["outcome"] or "?", _reported(r), r["locator"]) for r in found.rows]
        made.append(_table(title, ("Row", "Outcome", "Reported", "Where"), rows))
    if found.sources:
        rows = [(r["source_id"], r["year"], r["title"], r["status"] or "?") for r in found.sources]
        made.append(_table("Candidate sources", ("Source", "Year", "Title", "Status"), rows))
    if found.judgements:
        rows = [(r["study_id"], r["domain"], r["judgement"], r["support"]) for r in found.judgements]
        made.append(_table("Candidate judgements of the risk of bias", ("Study", "Domain", "Risk", "Support"), rows))
    if found.settings:
        made.append(_table("What the review used", ("Analysis", "Name", "Measure", "Method, model", "Level", "Found"),
                           [_used(each) for each in found.settings]))  # fmt: skip
    if found.doubts:
        made.append(_table("Ambiguous: to settle before a row is used", ("Row", "Column", "Found", "To settle"),
                           [(d.row_id, d.column, d.found, d.question) for d in found.doubts]))  # fmt: skip
    if found.left_out:
        made.append(_table("Not imported", ("Where", "What", "Why"), _left_out(found.left_out)))
    return made


def _table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> SummaryTable:
    cut = tuple(tuple(c if len(c) <= LONGEST else c[: LONGEST - 1] + "…" for c in row) for row in rows)
    return SummaryTable(title, tuple(Column(h, False) for h in headings), cut, frozenset(), ())


def _left_out(found: Sequence[LeftOut]) -> list[tuple[str, str, str]]:
    """Return what was left out; of many of one kind, such as terms of adverse events, the first and their number."""
    kinds: dict[tuple[str, str], list[LeftOut]] = {}
    for each in found:
        kinds.setdefault((each.place, each.reason), []).append(each)
    lines = []
    for (place, reason), alike in kinds.items():
        lines += [(place, each.what, reason) for each in alike[:MANY]]
        if len(alike) > MANY:
            lines.append((place, f"and {len(alike) - MANY} more", "--format json has them all."))
    return lines


def _used(each: ReviewSettings) -> tuple[str, ...]:
    method = ", ".join(text for text in (each.method, each.model) if text)
    pooled = f"{_short(each.estimate)} ({_short(each.ci_low)} to {_short(each.ci_high)})" if each.estimate else ""
    return each.analysis, each.name, each.measure, method, each.ci_level, pooled


def _short(number: str) -> str:
    """Return a number of a review, which it writes with all digits, with three."""
    try:
        return f"{float(number):.3g}"
    except ValueError:
        return number


def _reported(row: Mapping[str, str]) -> str:
    """Return what a row reports, in the words of its cells."""
    if row["measure"] == "HR":
        limits = f" ({row['ci_low']} to {row['ci_high']})" if row["ci_low"] or row["ci_high"] else ""
        return f"HR {row['estimate'] or '?'}{limits}"
    arms = []
    for arm in ("exp", "ctl"):
        events, n, percent, median = (row[f"{name}_{arm}"] for name in ("events", "n", "percent", "median"))
        if row["measure"] == "median" and (median or n):
            arms.append(f"median {median or '?'} {row['median_unit']}".rstrip())
        elif events or n or percent:
            arms.append(f"{events or (percent and percent + ' %') or '?'} of {n or '?'}")
    return " v ".join(arms)


def closing_line(found: Imported) -> str:
    """Return how much there is to do."""
    unsettled = len(found.doubts)
    return (
        f"{len(found.rows)} candidate rows, {len(found.sources)} sources, {unsettled} cells to settle, "
        f"{len(found.left_out)} not imported. Rows carry use = exclude until compared with their source; "
        "nothing was added to the evidence.\n"
    )
