"""Frames and tables as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain, spreadsheet_safe

if TYPE_CHECKING:
    import pandas as pd


def to_csv(frame: pd.DataFrame, *, header: bool = True) -> str:
    """Return a frame as CSV with full-precision numbers; text that looks like a formula is defused."""
    safe = frame.copy()
    for name in safe.columns[[dtype.kind not in "iufb" for dtype in safe.dtypes]]:
        safe[name] = [spreadsheet_safe(plain(value)) if isinstance(value, str) else value for value in safe[name]]
    return safe.to_csv(index=False, header=header, lineterminator="\n")


def table_to_csv(table: SummaryTable) -> str:
    """Return a summary table as CSV, its cells as they are shown; text that looks like a formula is defused."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([spreadsheet_safe(plain(column.heading)) for column in table.columns])
    writer.writerows([[spreadsheet_safe(plain(cell)) for cell in row] for row in table.rows])
    return stream.getvalue()
