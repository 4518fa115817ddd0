"""Files -> `Evidence`: finds the tables, reads them, and lists everything that is wrong with them at once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igfmeta.errors import InputError, Problem, check_choice, listed
from igfmeta.evidence import checks
from igfmeta.evidence.reading import SUFFIXES, RawTable, check_suffix, read_table, table_of_bytes
from igfmeta.evidence.schema import INEQUALITIES, KEEP_TEXT, PRIMARY_KEYS, TABLES, number_columns
from igfmeta.evidence.tables import Evidence
from igfmeta.evidence.validation import column_problems, typed_rows
from igfmeta.files import content_of
from igfmeta.resources import data_folder
from igfmeta.text import plain

#: Tables that others refer to; read whatever was asked for.
VOCABULARIES = ("sources", "agents", "agent_classes", "tumors", "outcomes", "risk_of_bias")
MAIN_TABLES = ("trials", "associations", "dose_response")

_Rows = list[dict[str, Any]]


def load_evidence(path: str | Path | None = None, *, tables: Sequence[str] = MAIN_TABLES) -> Evidence:
    """Read evidence tables and validate them.

    Parameters
    ----------
    path : str or Path, optional
        A folder with tables named as in the shipped evidence (`trials.csv` ...), or one table of the
        only kind in `tables` (trials, where several are). Default: the
        shipped evidence. CSV (comma, semicolon or tab; UTF-8), Parquet and Excel are read. Columns that are absent and
        not required are blank; without an outcomes table the shipped outcomes apply; without the other vocabularies
        any text is accepted.
    tables : sequence of {"trials", "associations", "dose_response"}
        Which of the main tables to read.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError
        Every problem of every table: file, row, column, what was found, what is accepted.

    Examples
    --------
    >>> evidence = load_evidence()
    >>> len(evidence.trials), len(evidence.associations), evidence.trials["study_id"].nunique()
    (329, 298, 120)
    """
    wanted = [check_choice("tables", name, MAIN_TABLES) for name in tables]
    folder = data_folder()
    try:
        found = _found(Path(path) if path is not None else folder, wanted)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    paths = {name: file for name, file in found.items() if name in (*wanted, *VOCABULARIES)}
    if not any(name in found for name in wanted):
        raise InputError(f"The folder {path} holds none of the tables {listed(f'{name}.csv' for name in wanted)}.")
    if "outcomes" not in paths:
        paths["outcomes"] = folder / "outcomes.csv"
    contents = {name: content_of(file) for name, file in {**found, **paths}.items() if file.suffix.lower() in SUFFIXES}
    raw, problems = _read(paths, contents)
    typed: dict[str, _Rows] = {}
    for name, table in raw.items():
        rows, wrong = typed_rows(name, table)
        typed[name] = rows
        problems += wrong
    problems += _checked(raw, typed)
    if problems:
        # What is wrong with a cell is said once: a cell that cannot be read is also missing to the checks.
        once = {(p.file, p.row, p.column, "" if p.column else p.message): p for p in reversed(problems)}
        raise InputError(sorted(once.values(), key=lambda p: (p.file or "", p.row or 0)))
    rows_of = {name: _records(name, typed[name], raw[name]) for name in raw}
    hashes = {found[name].name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(found)}
    return Evidence(
        rows=rows_of,
        fingerprint=fingerprint_of(hashes),
        files=hashes,
        origin="shipped evidence" if path is None else plain(Path(path).name or str(path)),
        remarks=_unknown_columns(raw),
    )


def main_tables_of(path: str | Path | None) -> tuple[str, ...]:
    """Return the main tables that a path may hold: of one file the one that its columns are of.

    A table of exposure groups has `group_index`, one of associations `biomarker`; any other file is of trials.
    """
    if path is None or not Path(path).is_file():
        return MAIN_TABLES
    header = read_table(Path(path)).header
    if "group_index" in header:
        return ("dose_response",)
    return ("associations",) if "biomarker" in header else ("trials",)


def fingerprint_of(hashes: Mapping[str, str]) -> str:
    """Return one SHA-256 for a set of files: of their names and hashes, sorted by name."""
    return hashlib.sha256("".join(f"{name} {hashes[name]}\n" for name in sorted(hashes)).encode()).hexdigest()


def _found(path: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """Return the file of each table that there is; a single file is the table wanted, trials where several are."""
    if path.is_file():
        return {wanted[0] if len(wanted) == 1 else "trials": path}
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}.")
    found = {}
    for name in TABLES:
        files = [path / f"{name}{suffix}" for suffix in SUFFIXES if (path / f"{name}{suffix}").is_file()]
        if len(files) > 1:
            raise InputError(f"{path} holds {listed(f.name for f in files)}; one file for a table is needed.")
        if files:
            found[name] = files[0]
    return found


def _read(paths: Mapping[str, Path], contents: Mapping[str, bytes]) -> tuple[dict[str, RawTable], list[Problem]]:
    raw: dict[str, RawTable] = {}
    problems: list[Problem] = []
    for name, path in paths.items():
        try:
            check_suffix(path)
            table = table_of_bytes(contents[name], path.name)
        except InputError as error:
            problems += error.problems
            continue
        missing = column_problems(name, table)
        problems += missing
        if not missing:
            raw[name] = table
        if not table.rows and name in MAIN_TABLES:
            problems.append(Problem("has a header and no rows.", file=table.file))
    return raw, problems


def _checked(raw: Mapping[str, RawTable], typed: Mapping[str, _Rows]) -> list[Problem]:
    """Return what is wrong within rows and between tables."""
    keys = {name: {row[PRIMARY_KEYS[name]] for row in typed[name]} for name in typed if name in PRIMARY_KEYS}
    known = {name: found - {None} for name, found in keys.items()}  # None: a blank, of which is said where it stands
    retracted = {row["source_id"] for row in typed.get("sources", []) if row["status"] == "retracted"}
    problems: list[Problem] = []
    for name, table in raw.items():
        rows, numbers, file = typed[name], table.numbers, table.file
        problems += checks.within_rows(name, rows, numbers, file)
        problems += checks.repeated_keys(name, rows, numbers, file)
        problems += checks.unknown_keys(name, rows, numbers, file, known)
        problems += checks.retracted_never_primary(name, rows, numbers, file, retracted)
    if "risk_of_bias" in raw:
        table = raw["risk_of_bias"]
        problems += checks.repeated_judgements(typed["risk_of_bias"], table.numbers, table.file)
    return problems


def _unknown_columns(raw: Mapping[str, RawTable]) -> tuple[str, ...]:
    unknown = {t.file: [n for n in t.header if n and n not in TABLES[name].model_fields] for name, t in raw.items()}
    return tuple(
        f"{file}: column {listed(names)} is not known and not used." for file, names in unknown.items() if names
    )


def _inequality_as_number(text: str | None) -> float:
    """Return a p-value as a number; NaN for an inequality, which is none."""
    return math.nan if not text or text[0] in "<>" else float(text)


def _records(name: str, rows: _Rows, table: RawTable) -> tuple[dict[str, Any], ...]:
    """Return typed rows as the rest of igfmeta reads them: floats with NaN, texts with "", and numbers as printed."""
    inequalities = INEQUALITIES.get(name, ())
    numbers = [column for column in number_columns(name) if column not in inequalities]
    texts = [column for column in TABLES[name].model_fields if column not in numbers and column not in inequalities]
    at = {column: i for i, column in enumerate(table.header)}
    printed = [(f"{column}_text", at.get(column)) for column in KEEP_TEXT.get(name, ())]
    return tuple(
        {
            **{column: math.nan if row[column] is None else float(row[column]) for column in numbers},
            **{column: _inequality_as_number(row[column]) for column in inequalities},
            **{column: row[column] or "" for column in texts},
            **{text: cells[i] if i is not None else "" for text, i in printed},
            "file_row": number,
        }
        for row, cells, number in zip(rows, table.rows, table.numbers, strict=True)
    )
