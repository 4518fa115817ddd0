"""Where results go: standard output, or a file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from igfmeta.files import write_whole
from igfmeta.text import plain

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.report.summary import SummaryTable


#: Formats of a command that has a result with tables, and the options that say where it goes.
FORMATS = ("table", "json", "csv", "markdown")
Shape = Annotated[str, typer.Option("--format", help="table, json, csv or markdown.", metavar="NAME")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.", metavar="FILE")]

#: What is left of such characters in JSON: those below a space are written so already.
STEERING = r"[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"


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
    say_written(output)


def say_written(what: object) -> None:
    """Say on standard error what was written; a name of a file cannot steer the terminal."""
    print(plain(f"Written: {what}"), file=sys.stderr)


def as_json(payload: Any) -> str:
    """Return JSON with full-precision numbers; NaN is refused, because JSON has none.

    Characters that steer a terminal or turn its direction are written as JSON can write them, such as \\u009b.
    """
    return escaped(json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False))


def escaped(text: str) -> str:
    """Return JSON whose strings hold no character that cannot be seen; it means the same."""
    return re.sub(STEERING, lambda found: f"\\u{ord(found.group()):04x}", text)


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
        from igfmeta.report.markdown import markdown_text, table_to_markdown

        return "\n".join([*map(table_to_markdown, tables(result)), *map(markdown_text, after)])
    from igfmeta.cli.terminal import to_text

    return "\n".join([*before, *map(to_text, tables(result)), *map(plain, after)])
