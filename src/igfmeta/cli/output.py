"""Where results go: standard output, or a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from igfmeta.files import write_whole

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.report.summary import SummaryTable


#: Formats of a command that has a result with tables, and the options that say where it goes.
FORMATS = ("table", "json", "csv", "markdown")
Shape = Annotated[str, typer.Option("--format", help="table, json, csv or markdown.", metavar="NAME")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.", metavar="FILE")]


class Shown(Protocol):
    """What a result must have to be shown in every format."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""


def emit(text: str, output: Path | None) -> None:
    """Print a text, or write it to a file and say so on standard error."""
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    write_whole(output, text)
    print(f"Written: {output}", file=sys.stderr)


def as_json(payload: Any) -> str:
    """Return JSON with full-precision numbers; NaN is refused, because JSON has none."""
    return json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False)


def rendered[R: Shown](
    result: R,
    tables: Callable[[R], Sequence[SummaryTable]],
    shape: str,
    *,
    page: Callable[[R], str] | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> str:
    """Return a result as json, csv, html, markdown or a table.

    Parameters
    ----------
    result : Shown
    tables : callable
        Makes its tables, for markdown and for the terminal.
    shape : str
    page : callable, optional
        Makes its page, where the command offers html.
    before, after : sequence of str
        Lines of the terminal before its tables (such as a forest); lines after them, in markdown too.
    """
    if shape == "json":
        return as_json(result.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame())
    if shape == "html" and page is not None:
        return page(result)
    if shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        return "\n".join([*map(table_to_markdown, tables(result)), *after])
    from igfmeta.cli.terminal import to_text

    return "\n".join([*before, *map(to_text, tables(result)), *after])
