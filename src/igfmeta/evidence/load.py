"""Files -> `Evidence`: finds the tables, reads them, and lists everything that is wrong with them at once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from igfmeta.errors import InputError, Problem, check_choice, listed
from igfmeta.evidence import checks
from igfmeta.evidence.reading import SUFFIXES, RawTable, read_table
from igfmeta.evidence.schema import INEQUALITIES, KEEP_TEXT, PRIMARY_KEYS, TABLES
from igfmeta.evidence.tables import Evidence
from igfmeta.evidence.validation import column_problems, typed_rows
from igfmeta.resources import data_folder

#: Tables that others refer to; read whatever was asked for.
VOCABULARIES = ("sources", "agents", "agent_classes", "tumors", "outcomes")
MAIN_TABLES = ("trials", "associations", "dose_response")

_Rows = list[dict[str, Any]]


def load_evidence(path: str | Path | None = None, *, tables: Sequence[str] = MAIN_TABLES) -> Evidence:
    """Read evidence tables and validate them.

    Parameters
    ----------
    path : str or Path, optional
        A folder with tables named as in the shipped evidence (`trials.csv` ...), or one trials table. Default: the
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
    found = _found(Path(path) if path is not None else folder, wanted)
    paths = dict(found)
    if "outcomes" not in paths:
        paths["outcomes"] = folder / "outcomes.csv"
    raw, problems = _read(paths)
    typed: dict[str, _Rows] = {}
    for name, table in raw.items():
        rows, wrong = typed_rows(name, table)
        typed[name] = rows
        problems += wrong
    problems += _checked(raw, typed)
    if problems:
        raise InputError(sorted(problems, key=lambda p: (p.file or "", p.row or 0)))
    frames = {name: _frame(name, typed.get(name, []), raw.get(name)) for name in TABLES}
    hashes = {found[name].name: hashlib.sha256(found[name].read_bytes()).hexdigest() for name in sorted(found)}
    return Evidence(
        **frames,
        fingerprint=fingerprint_of(hashes),
        files=hashes,
        origin="shipped evidence" if path is None else Path(path).name or str(path),
        remarks=_unknown_columns(raw),
    )


def fingerprint_of(hashes: Mapping[str, str]) -> str:
    """Return one SHA-256 for a set of files: of their names and hashes, sorted by name."""
    return hashlib.sha256("".join(f"{name} {hashes[name]}\n" for name in sorted(hashes)).encode()).hexdigest()


def _found(path: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """Return the file of each table."""
    if path.is_file():
        return {"trials": path}
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}.")
    found = {}
    for name in (*wanted, *VOCABULARIES):
        files = [path / f"{name}{suffix}" for suffix in SUFFIXES if (path / f"{name}{suffix}").is_file()]
        if len(files) > 1:
            raise InputError(f"{path} holds {listed(f.name for f in files)}; one file for a table is needed.")
        if files:
            found[name] = files[0]
    if not any(name in found for name in wanted):
        raise InputError(f"The folder {path} holds none of the tables {listed(f'{name}.csv' for name in wanted)}.")
    return found


def _read(paths: Mapping[str, Path]) -> tuple[dict[str, RawTable], list[Problem]]:
    raw: dict[str, RawTable] = {}
    problems: list[Problem] = []
    for name, path in paths.items():
        try:
            table = read_table(path)
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
    known = {name: {row[PRIMARY_KEYS[name]] for row in typed[name]} for name in typed if name in PRIMARY_KEYS}
    retracted = {row["source_id"] for row in typed.get("sources", []) if row["status"] == "retracted"}
    problems: list[Problem] = []
    for name, table in raw.items():
        rows, numbers, file = typed[name], table.numbers, table.file
        problems += checks.within_rows(name, rows, numbers, file)
        problems += checks.repeated_keys(name, rows, numbers, file)
        problems += checks.unknown_keys(name, rows, numbers, file, known)
        problems += checks.retracted_never_primary(name, rows, numbers, file, retracted)
    return problems


def _unknown_columns(raw: Mapping[str, RawTable]) -> tuple[str, ...]:
    unknown = {t.file: [n for n in t.header if n and n not in TABLES[name].model_fields] for name, t in raw.items()}
    return tuple(
        f"{file}: column {listed(names)} is not known and not used." for file, names in unknown.items() if names
    )


def _inequality_as_number(text: str | None) -> float:
    """Return a p-value as a number; NaN for an inequality, which is none."""
    return math.nan if not text or text[0] in "<>" else float(text)


def _frame(name: str, rows: _Rows, table: RawTable | None) -> pd.DataFrame:
    """Return a table as a frame: float columns with NaN, text columns with "", and the printed texts."""
    model = TABLES[name]
    data: dict[str, Any] = {}
    for column, field in model.model_fields.items():
        values = [row[column] for row in rows]
        if column in INEQUALITIES.get(name, ()):
            data[column] = pd.array([_inequality_as_number(v) for v in values], dtype="float64")
        elif _is_number(field.annotation):
            data[column] = pd.array([math.nan if v is None else float(v) for v in values], dtype="float64")
        else:
            data[column] = pd.array(["" if v is None else v for v in values], dtype="str")
    printed = {name_: i for i, name_ in enumerate(table.header)} if table else {}
    for column in KEEP_TEXT.get(name, ()):
        texts = [row[printed[column]] for row in table.rows] if table and column in printed else [""] * len(rows)
        data[f"{column}_text"] = pd.array(texts, dtype="str")
    data["file_row"] = pd.array(list(table.numbers) if table else [], dtype="int64")
    return pd.DataFrame(data)


def _is_number(annotation: Any) -> bool:
    """Return whether a field of a row model holds a number."""
    parts = [annotation, *getattr(annotation, "__args__", ())]
    inner = [each for part in parts for each in (part, *getattr(part, "__args__", ()))]
    return any(part in (int, float) for part in inner)
