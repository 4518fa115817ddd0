"""Tables of effects as metafor, meta and people in spreadsheets name them -> candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.columns import MISSING
from igfmeta.evidence.importing.candidates import TRIAL_COLUMNS, Collector
from igfmeta.evidence.importing.uploads import Upload
from igfmeta.evidence.importing.vocabulary import Vocabulary, slug
from igfmeta.evidence.importing.workbook import is_workbook, sheet_table
from igfmeta.evidence.reading import RawTable, table_of_text

#: Names of other packages and of people -> columns of the trials table; metafor, meta.
NAMES = {
    "slab": "trial_name", "studlab": "trial_name", "study": "trial_name", "author": "trial_name", "trial": "trial_name",
    "ai": "events_exp", "event.e": "events_exp", "xi": "events_exp",
    "n1i": "n_exp", "n.e": "n_exp",
    "ci": "events_ctl", "event.c": "events_ctl",
    "n2i": "n_ctl", "n.c": "n_ctl",
    "hr": "estimate", "lower": "ci_low", "ci.lb": "ci_low", "lcl": "ci_low",
    "upper": "ci_high", "ci.ub": "ci_high", "ucl": "ci_high",
    "endpoint": "outcome", "pval": "p_value", "p": "p_value",
}  # fmt: skip

#: Effects on a scale that a table does not name.
UNNAMED = ("yi", "te")


#: Names that are known and not a column.
BESIDE = (*UNNAMED, "vi", "sei", "sete")

#: Columns of the trials table that hold what was found.
DATA = ("estimate", "ci_low", "ci_high", "events_exp", "events_ctl", "percent_exp", "percent_ctl", "median_exp",
        "median_ctl")  # fmt: skip


def add(upload: Upload, vocabulary: Vocabulary, out: Collector) -> None:
    """Add the candidate rows of a table of effects, CSV or Excel."""
    if is_workbook(upload):
        table, above = sheet_table(upload, lambda name: bool(_target(name)) or name.casefold() in BESIDE)
        out.left_out += above
    elif upload.members:
        message = "holds neither a workbook, nor tables of AACT, nor a file *-data-rows.csv of RevMan Web."
        raise InputError(Problem(message, upload.file))
    else:
        table = table_of_text(upload.data, upload.file)
    _add_table(table, vocabulary, out)


def _add_table(table: RawTable, vocabulary: Vocabulary, out: Collector) -> None:
    columns, clashes = _columns(table)
    if clashes:
        raise InputError(clashes)
    if not {"estimate", "events_exp", "median_exp", "percent_exp"} & set(columns.values()):
        have = [name for name in table.header if name.casefold() in UNNAMED]
        if not have:
            raise InputError(
                Problem(f"has no column that is known as an effect or a count; found are {', '.join(table.header)}.",
                        table.file)
            )  # fmt: skip
    for number, row in zip(table.numbers, table.rows, strict=True):
        cells = {name: "" if cell in MISSING else cell for name, cell in zip(table.header, row, strict=True)}
        place = f"{table.file}, row {number}"
        if any(text and (columns.get(name) in DATA or name.casefold() in UNNAMED) for name, text in cells.items()):
            _add_row(cells, columns, place, vocabulary, out)
        else:
            what = ", ".join(text for text in cells.values() if text)
            out.skip(place, what, "it holds no effect and no count.")
    unused = [n for n in table.header if n and n not in columns and n.casefold() not in BESIDE]
    if unused:
        out.skip(
            table.file, f"the columns {', '.join(unused)}", "no column of the trials table is known by these names."
        )


def _target(name: str) -> str:
    """Return the column of the trials table that a name means, or blank."""
    if name in TRIAL_COLUMNS:
        return name
    return NAMES.get(name.casefold().replace("_", "."), "") or NAMES.get(name.casefold(), "")


def _columns(table: RawTable) -> tuple[dict[str, str], list[Problem]]:
    """Return header -> column of the trials table; two that mean the same are a problem."""
    known = {name: target for name in table.header if (target := _target(name))}
    twice = {t for t in known.values() if list(known.values()).count(t) > 1}
    problems = [
        Problem(f"has several columns that are {t}: {', '.join(n for n, k in known.items() if k == t)}; keep one.",
                table.file)
        for t in sorted(twice)
    ]  # fmt: skip
    return known, problems


def _add_row(
    cells: Mapping[str, str], columns: Mapping[str, str], place: str, vocabulary: Vocabulary, out: Collector
) -> None:
    own = {target: cells[name] for name, target in columns.items()}
    own["extraction"] = own.get("extraction", "") or "single"
    study = own.get("study_id", "") or slug(own.get("trial_name", "") + " " + own.get("year", ""))
    own |= {"study_id": study, "source_id": own.get("source_id", "") or study}
    doubts: list[tuple[str, str, str]] = []
    title = own.get("outcome", "")
    if title and title not in vocabulary.outcomes:
        own["outcome"], why = vocabulary.outcome(title)
        doubts += [("outcome", title, why)] if why else []
    unnamed = {name: text for name, text in cells.items() if name.casefold() in UNNAMED and text}
    if not own.get("estimate") and not own.get("events_exp") and unnamed:
        _estimated(cells, unnamed, own, doubts)
    own["measure"] = own.get("measure", "")
    if own["measure"] not in ("HR", "events", "median"):
        own["measure"] = "HR" if own.get("estimate") else "events" if own.get("events_exp") else ""
    if own.get("estimate") and own.get("ci_low") and not own.get("ci_level"):
        doubts.append(
            (
                "ci_level",
                f"{own['ci_low']} to {own.get('ci_high') or 'blank'}",
                "the level of the interval is not said.",
            )
        )
    out.row(place, own, doubts)


def _estimated(
    cells: Mapping[str, str], unnamed: Mapping[str, str], own: dict[str, str], doubts: list[tuple[str, str, str]]
) -> None:
    """List an effect on a scale that is not named; limits beside it may be on that scale, and are listed with it."""
    shown = "; ".join(f"{name} {text}" for name, text in unnamed.items())
    limits = [own.pop(name, "") for name in ("ci_low", "ci_high")]
    ratio = _as_ratio(next(iter(unnamed.values())))
    what = " to ".join(x for x in limits if x)
    question = "the scale is not said, and nothing was converted"
    question += f"; if it is a log hazard ratio, the ratio is {ratio}." if ratio else "."
    doubts.append(("estimate", f"{shown} {what}".strip(), question))
    measure: Any = cells.get("measure", "")
    if measure and measure not in ("HR", "events", "median"):
        doubts.append(("measure", measure, "accepted are HR, events, median."))


def _as_ratio(text: str) -> str:
    try:
        value = math.exp(float(text))
    except (ValueError, OverflowError):
        return ""
    return f"{value:.4g}" if math.isfinite(value) and value > 0 else ""
