"""RevMan Web: the data package of a Cochrane review, a zip archive of CSV tables, or its data rows alone.

Names of files and columns are those of Cochrane's data package specification, version 1 (until 23 September 2024) and
version 2 (https://documentation.cochrane.org/revman-kb/data-package-specification-249561249.html):
`<review>-analysis-data/<review>-data-rows.csv`, `...-overall-estimates-and-settings.csv`,
`<review>-study-data/<review>-risk-of-bias.csv`. Version 1 has the levels of intervals as "Study CI" and "Estimate CI",
version 2 as "CI/PI level", with "Heterogeneity estimator" and "CI method". Mean, CI start and CI end are what the
forest plot shows (a ratio for ratios), GIV Mean and GIV SE are on the scale that was analysed (its logarithm where
"Log-scale data" is TRUE). A package may be packed once more within the export of the whole review.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.candidates import ALL_ROWS, Collector, Doubt, ReviewSettings
from igfmeta.evidence.importing.uploads import Upload, unpacked
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal, slug
from igfmeta.evidence.reading import RawTable, delimiter_of, table_of_text

ROWS, SETTINGS, JUDGEMENTS = "data-rows.csv", "overall-estimates-and-settings.csv", "risk-of-bias.csv"
#: Only reviews of diagnostic tests have this.
OF_TESTS = "parameters.csv"

#: Columns that the data rows must have, and those that carry data.
NEEDED = ("Analysis group", "Analysis number", "Study")
DATA = (
    "GIV Mean", "GIV SE", "Experimental mean", "Experimental SD", "Experimental cases", "Experimental N",
    "Control mean", "Control SD", "Control cases", "Control N", "O-E", "Variance", "Mean", "CI start", "CI end",
)  # fmt: skip

#: A domain of the tool, with what was judged or what supports it.
DOMAIN = re.compile(r"^(.+?) \((judgement|support)\): ?(.*)$")
JUDGED = {"low": "low", "some": "some", "high": "high", "unclear": "unclear"}

Cells = Mapping[str, str]


def fits(upload: Upload) -> bool:
    """Return whether an archive holds data rows, or a file is data rows."""
    if upload.members:
        return any(name.casefold().endswith((ROWS, "-data.zip", OF_TESTS)) for name in upload.members)
    first = upload.data[:4096].decode("utf-8-sig", errors="replace").lstrip("\r\n").split("\n", 1)[0]
    header = [name.strip(' "\r') for name in first.split(delimiter_of(first))]
    return set(NEEDED) <= set(header) and bool({"GIV Mean", "Experimental cases"} & set(header))


def add(upload: Upload, vocabulary: Vocabulary, out: Collector) -> None:
    """Add the candidate rows of a data package, the settings of its analyses and its judgements of the risk of bias.

    Raises
    ------
    InputError
        A review of diagnostic tests; a package without data rows; a table that lacks a column.
    """
    tables = _tables(upload)
    if any(name.casefold().endswith(OF_TESTS) for name in tables):
        raise InputError(Problem("is of a review of diagnostic tests, which the tables do not hold.", upload.file))
    rows = {name: data for name, data in tables.items() if name.casefold().endswith(ROWS)} or (
        {} if upload.members else {upload.file: upload.data}
    )
    if not rows:
        raise InputError(Problem(f"holds no file *-{ROWS} of RevMan Web.", upload.file))
    for name, data in sorted(rows.items()):
        review = name.rsplit("/", 1)[-1].casefold().removesuffix(ROWS)
        settings = _settings(_table(_beside(tables, review, SETTINGS)), out)
        _rows(table_of_text(data, name.rsplit("/", 1)[-1]), settings, vocabulary, out)
        _judgements(_table(_beside(tables, review, JUDGEMENTS)), out)
    read = (ROWS, SETTINGS, JUDGEMENTS)
    others = sorted(name.rsplit("/", 1)[-1] for name in tables if not name.casefold().endswith(read))
    if others:
        out.skip(upload.file, f"the files {', '.join(others)}", "not read: no column holds them.")


def _tables(upload: Upload) -> dict[str, bytes]:
    out = dict(upload.members)
    for name, data in upload.members.items():
        if name.casefold().endswith("-data.zip"):
            del out[name]
            out |= unpacked(data, name)
    return out


def _beside(tables: Mapping[str, bytes], review: str, kind: str) -> tuple[str, bytes] | None:
    found = [name for name in tables if name.rsplit("/", 1)[-1].casefold() == review + kind]
    return (found[0].rsplit("/", 1)[-1], tables[found[0]]) if found else None


def _table(named: tuple[str, bytes] | None) -> RawTable | None:
    return None if named is None else table_of_text(named[1], named[0])


def _records(table: RawTable) -> list[dict[str, str]]:
    """Return rows as cells by column; `#N/A` is how RevMan writes that a cell does not apply."""
    return [
        {name: "" if cell == "#N/A" else cell for name, cell in zip(table.header, row, strict=True)}
        for row in table.rows
    ]


def _key(row: Cells) -> tuple[str, str]:
    return row.get("Analysis group", ""), row.get("Analysis number", "")


def _settings(table: RawTable | None, out: Collector) -> dict[tuple[str, str], dict[str, str]]:
    """Return the settings of each analysis, and report what the review used."""
    if table is None:
        return {}
    rows = _records(table)
    for row in rows:
        model = [row.get(name, "") for name in ("Analysis model", "Heterogeneity estimator", "CI method")]
        out.settings.append(
            ReviewSettings(
                analysis=".".join(_key(row)), name=row.get("Analysis name", ""), data_type=row.get("Data type", ""),
                measure=row.get("Effect measure", ""), method=row.get("Statistical method", ""),
                model=", ".join(text for text in model if text), ci_level=_level(row),
                estimate=row.get("Mean", ""), ci_low=row.get("CI start", ""), ci_high=row.get("CI end", ""),
            )
        )  # fmt: skip
    return {_key(row): row for row in rows}


def _level(row: Cells) -> str:
    return (row.get("CI/PI level", "") or row.get("Study CI", "")).rstrip("% ")


def _rows(table: RawTable, settings: Mapping[tuple[str, str], Cells], vocabulary: Vocabulary, out: Collector) -> None:
    missing = [Problem(f"lacks the column {name}.", table.file) for name in NEEDED if name not in table.header]
    if missing:
        raise InputError(missing)
    for number, row in zip(table.numbers, _records(table), strict=True):
        _row(f"{table.file}, row {number}", row, settings.get(_key(row), {}), vocabulary, out)


def _row(place: str, row: Cells, used: Cells, vocabulary: Vocabulary, out: Collector) -> None:
    title = row.get("Analysis name", "") or used.get("Analysis name", "")
    where = f"{place} (analysis {'.'.join(_key(row))}, {row['Study']})"
    held = {name: row[name] for name in DATA if row.get(name)}
    measure, found = used.get("Effect measure", ""), "; ".join(f"{name} {text}" for name, text in held.items())
    counts = bool(row.get("Experimental cases") and row.get("Experimental N"))
    is_ratio = normal(measure) in ("hazard ratio", "hr")
    if not held:
        out.skip(where, title, "it has no data.")
        return
    if not (counts or is_ratio) and (measure or "GIV Mean" not in held):
        out.skip(
            where, f"{title} ({measure or 'measure not said'}): {found}", "no column of the trials table holds this."
        )
        return
    key, why = vocabulary.outcome(title)
    doubts = [("outcome", title, why)] if why else []
    notes = [f"subgroup of the review: {row['Subgroup']}" if row.get("Subgroup") else "", row.get("Footnotes", "")]
    study = slug(row["Study"])
    cells = {
        "study_id": study, "trial_name": row["Study"], "source_id": study, "year": row.get("Study year", ""),
        "outcome": key, "extraction": "single", "experimental": used.get("Experimental group label", ""),
        "control": used.get("Control group label", ""), "measure": "HR" if is_ratio or not counts else "events",
        "n_exp": row.get("Experimental N", ""), "n_ctl": row.get("Control N", ""),
        "note": "; ".join(text for text in notes if text),
    }  # fmt: skip
    if counts:
        cells |= {"events_exp": row["Experimental cases"], "events_ctl": row.get("Control cases", "")}
        if used.get("Swap event and non-event", "").casefold() == "true":
            doubts.append(("events_exp", found, "the review swaps events and non-events; which of them were counted?"))
    if is_ratio:
        cells |= {"estimate": row.get("Mean", ""), "ci_low": row.get("CI start", ""), "ci_high": row.get("CI end", ""),
                  "ci_level": _level(used)}  # fmt: skip
        doubts.append(("estimate", found, "the review made it from what the paper printed."))
    elif not counts:
        doubts.append(("estimate", found, "the package says no measure; if a hazard ratio, Mean is the ratio."))
        cells["measure"] = ""
    out.row(where, cells, doubts)


def _judgements(table: RawTable | None, out: Collector) -> None:
    """Add the judgements of the risk of bias; the tool is not named and so asked for."""
    if table is None:
        return
    for row in _records(table):
        place = f"{table.file}, {row.get('Study', '')}"
        for column, text in row.items():
            parts = DOMAIN.match(column)
            if parts is None or parts.group(2) != "judgement" or not text:
                continue
            name = parts.group(3) or parts.group(1)
            support = row.get(column.replace("(judgement)", "(support)"), "")
            judged = JUDGED.get(normal(text).split(" ")[0], "")
            if judged:
                cells = {"study_id": slug(row.get("Study", "")), "domain": name, "judgement": judged}
                out.judge(place, cells | {"support": support})
            else:
                out.skip(place, f"{name}: {text}", "accepted are low, some concerns, high and unclear risk.")
    if out.judgements:
        question = "the package does not name the tool: RoB 2 says some concerns, its forerunner unclear risk."
        out.doubts.append(Doubt(ALL_ROWS, "tool", table.file, "", question))
