"""The tables of whatever `fit --model` returned: which module makes them, by the kind of result."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from igfmeta.report.summary import SummaryTable

#: Kind of result -> the module whose `tables(result)` returns its tables.
TABLES = {
    "FitResult": "igfmeta.report.fit_summary",
    "MetaRegression": "igfmeta.report.regress_summary",
    "MultilevelResult": "igfmeta.report.multilevel_summary",
    "RobustResult": "igfmeta.report.robust_summary",
}


def tables(result: Any) -> list[SummaryTable]:
    """Return the tables of a result."""
    found: list[SummaryTable] = import_module(TABLES[type(result).__name__]).tables(result)
    return found
