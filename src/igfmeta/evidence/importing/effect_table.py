"""Tables of effects as metafor, meta and people in spreadsheets name them -> candidates."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.candidates import TRIAL_COLUMNS, Collector
from igfmeta.evidence.importing.uploads import Upload
from igfmeta.evidence.importing.vocabulary import Vocabulary, slug
from igfmeta.evidence.reading import RawTable, table_of_cells, table_of_text

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


def add(upload: Upload, vocabulary: Vocabulary, out: Collector) -> None:
    """Add the candidate rows of a table of effects, CSV or Excel."""
    if any(name.endswith("xl/workbook.xml") for name in upload.members):
        table = _sheet(upload)
    elif upload.members:
        message = "holds neither a workbook, nor tables of AACT, nor a file *-data-rows.csv of RevMan Web."
        raise InputError(Problem(message, upload.file))
    else:
        table = table_of_text(upload.data, upload.file)
    _add_table(table, vocabulary, out)


def _sheet(upload: Upload) -> RawTable:
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            "Reading Excel needs the extra packages of igfmeta[tables]; install them, or give CSV."
        ) from None
    try:
        shown = openpyxl.load_workbook(io.BytesIO(upload.data), read_only=True, data_only=True)
        written = openpyxl.load_workbook(io.BytesIO(upload.data), read_only=True)
        names = list(shown.sheetnames)
        if upload.sheet is None and len(names) > 1:
            raise InputError(Problem(f"has the sheets {', '.join(names)}; name one by --sheet.", upload.file))
        name = upload.sheet or names[0]
        if name not in names:
            raise InputError(Problem(f"has no sheet {name!r}; found are {', '.join(names)}.", upload.file))
        cells = [list(row) for row in shown[name].iter_rows(values_only=True)]
        formulas = [list(row) for row in written[name].iter_rows(values_only=True)]
    except InputError:
        raise
    except Exception as error:
        raise InputError(Problem(f"cannot be read as Excel ({type(error).__name__}).", upload.file)) from None
    problems = [
        Problem("is a formula whose value was not saved; open and save the file in a spreadsheet.", upload.file, i,
                str(j))
        for i, (values, texts) in enumerate(zip(cells, formulas, strict=True), start=1)
        for j, (value, text) in enumerate(zip(values, texts, strict=True), start=1)
        if value is None and isinstance(text, str) and text.startswith("=")
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
    return table_of_cells(cells, upload.file)


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
        _add_row(dict(zip(table.header, row, strict=True)), columns, f"{table.file}, row {number}", vocabulary, out)
    unused = [n for n in table.header if n and n not in columns and n.casefold() not in (*UNNAMED, "vi", "sei", "sete")]
    if unused:
        out.skip(
            table.file, f"the columns {', '.join(unused)}", "no column of the trials table is known by these names."
        )


def _columns(table: RawTable) -> tuple[dict[str, str], list[Problem]]:
    """Return header -> column of the trials table; two that mean the same are a problem."""
    known: dict[str, str] = {}
    for name in table.header:
        target = name if name in TRIAL_COLUMNS else NAMES.get(name.casefold().replace("_", "."), "")
        target = target or NAMES.get(name.casefold(), "")
        if target:
            known[name] = target
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
