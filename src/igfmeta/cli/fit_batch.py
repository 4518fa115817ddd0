"""`igfmeta fit --batch`: every group of a long table pooled at once, written as the answers come."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igfmeta.cli.fit_options import BatchOptions, FitRequest, flag
from igfmeta.errors import InputError, NothingToPool, check_choice, listed
from igfmeta.text import plain
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "jsonl")

#: Options of the command that a batch heeds, beside those of its recipe.
_HEEDED = {"data", "model", "output_format", "output"}


def refuse_without_batch(given: Sequence[str]) -> None:
    """Refuse options of a batch where there is none."""
    alone = [flag(f.name) for f in fields(BatchOptions) if f.name in given and f.name != "batch"]
    if alone:
        raise InputError(f"{listed(alone)} needs --batch COLUMN: the column that says which analysis a row belongs to.")


def fit_batch(request: FitRequest, data: Path, *, given: Sequence[str], shape: str | None, output: Path | None) -> None:
    """Pool every group of `--batch` and write one row for each; beside a file of rows stands what it was made from.

    Raises
    ------
    InputError
        Options that say nothing to a batch, or a table that cannot be read.
    NothingToPool
        No group could be pooled; their rows with the reasons are written.
    """
    from igfmeta.evidence.stream import read_grouped
    from igfmeta.parallel import workers
    from igfmeta.synthesis.fit_batch import Recipe, fit_batch

    assert request.batch is not None
    shape = check_choice("--format", shape or "csv", FORMATS)
    names = [f.name for f in fields(Recipe) if f.name != "columns"]
    accepted = {*names, *request.columns().given(), *(f.name for f in fields(BatchOptions)), *_HEEDED}
    unheeded = [flag(name) for name in given if name not in accepted]
    if unheeded:
        raise InputError(f"{listed(unheeded)} says nothing to --batch; it heeds {listed(map(flag, names))}.")
    if request.model != "random":
        raise InputError(f"--batch was given with --model {request.model}; accepted is random.")
    recipe = Recipe(columns=request.columns(), **{name: getattr(request, name) for name in names}).checked()
    table = read_grouped(data, numeric=list(recipe.columns.given().values()), group=request.batch)
    pooled, total, first = 0, 0, ""
    digest = hashlib.sha256()
    with _place(output) as write, workers(request.backend, scheduler=request.scheduler):
        for frame in fit_batch(table, recipe, jobs=request.jobs):
            text = _rows(frame, shape, header=total == 0)
            digest.update(text.encode())
            write(text)
            without = frame["reason"] != ""
            pooled, total = pooled + int((~without).sum()), total + len(frame)
            if not first and without.any():
                first = f"{frame.loc[without, 'group'].iloc[0]}: {frame.loc[without, 'reason'].iloc[0]}"
    options = {name: value for name, value in vars(recipe).items() if name != "columns"}
    made = {
        **made_from(table.file, table.sha256, rows=len(table.row), groups=total, pooled=pooled),
        "options": {"batch": request.batch, **recipe.columns.given(), **options},
        "output": {"format": shape, "sha256": digest.hexdigest()},
    }
    where = f" Written: {', '.join(map(str, _beside(output, made)))}." if output is not None else ""
    if not pooled:
        raise NothingToPool(f"None of the {total:,} groups could be pooled. The first, {first}{where}")
    left = (
        f"; {total - pooled:,} could not be pooled, each with its reason. The first, {first}" if total > pooled else "."
    )
    said = f"{pooled:,} of {total:,} groups of {table.file} pooled ({recipe.method}, {recipe.ci}){left}{where}"
    print(plain(f"{said} igfmeta {__version__}; SHA-256 of the table {table.sha256}."), file=sys.stderr)


def made_from(file: str, sha256: str, *, rows: int, groups: int, pooled: int) -> dict[str, Any]:
    """Return what a batch was made from: the version, the table with its hash, and how much of it was pooled."""
    table = {"file": file, "sha256": sha256, "rows": rows}
    return {"igfmeta": __version__, "table": table, "groups": groups, "pooled": pooled}


def _beside(output: Path, made: dict[str, Any]) -> list[Path]:
    """Write what the rows were made from beside their file, and return both; a device or a pipe has none beside it."""
    from igfmeta.cli.output import as_json
    from igfmeta.files import write_whole

    if not output.is_file():
        return [output]
    beside = output.with_name(f"{output.name}.provenance.json")
    write_whole(beside, as_json(made) + "\n")
    return [output, beside]


@contextmanager
def _place(output: Path | None) -> Iterator[Callable[[str], Any]]:
    if output is None:
        yield sys.stdout.write
        return
    from igfmeta.files import whole_file

    with whole_file(output) as write:
        yield write


def _rows(frame: pd.DataFrame, shape: str, *, header: bool) -> str:
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(frame, header=header)
    known = frame.astype(object).where(frame.notna() & (frame != float("inf")) & (frame != -float("inf")), None)
    from igfmeta.cli.output import escaped

    lines = (escaped(json.dumps(row, ensure_ascii=False, allow_nan=False)) for row in known.to_dict(orient="records"))
    return "".join(f"{line}\n" for line in lines)
