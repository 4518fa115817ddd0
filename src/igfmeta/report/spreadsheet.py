"""Frames as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igfmeta.text import plain, spreadsheet_safe

if TYPE_CHECKING:
    import pandas as pd


def to_csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV with full-precision numbers; text that looks like a formula is defused."""
    safe = frame.copy()
    for name in safe.columns[[dtype.kind not in "iufb" for dtype in safe.dtypes]]:
        safe[name] = [spreadsheet_safe(plain(value)) if isinstance(value, str) else value for value in safe[name]]
    return safe.to_csv(index=False, lineterminator="\n")
