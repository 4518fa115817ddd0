"""The evidence as loaded: typed tables, where they came from, and what a row rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from igfmeta.errors import InputError
from igfmeta.evidence.explain import RowExplanation, explain_row
from igfmeta.evidence.schema import all_columns, number_columns
from igfmeta.evidence.selection import Criteria, Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence tables, validated.

    The tables are also there as DataFrames: `trials`, `associations`, `dose_response`, `sources`, `agents`,
    `agent_classes`, `tumors`, `outcomes`, empty where a table was not given or not asked for. Numeric columns are float
    (NaN where blank), text columns str ("" where blank); `<column>_text` keeps a number as it was printed, `file_row`
    is the row that a spreadsheet shows.

    Attributes
    ----------
    rows : mapping
        The rows of each table by its name.
    fingerprint : str
        SHA-256 over the tables, the same for the same files.
    files : mapping
        SHA-256 of each file by name.
    origin : str
        "shipped evidence", or the name of the file or folder.
    remarks : tuple of str
        Columns that were not known and not used.
    """

    rows: Mapping[str, tuple[Mapping[str, Any], ...]]
    fingerprint: str
    files: Mapping[str, str]
    origin: str
    remarks: tuple[str, ...] = ()

    def table(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Return the rows of a table; none where it was not given."""
        return self.rows.get(name, ())

    @cached_property
    def trials(self) -> pd.DataFrame:
        return _frame("trials", self.table("trials"))

    @cached_property
    def associations(self) -> pd.DataFrame:
        return _frame("associations", self.table("associations"))

    @cached_property
    def dose_response(self) -> pd.DataFrame:
        return _frame("dose_response", self.table("dose_response"))

    @cached_property
    def sources(self) -> pd.DataFrame:
        return _frame("sources", self.table("sources"))

    @cached_property
    def agents(self) -> pd.DataFrame:
        return _frame("agents", self.table("agents"))

    @cached_property
    def agent_classes(self) -> pd.DataFrame:
        return _frame("agent_classes", self.table("agent_classes"))

    @cached_property
    def tumors(self) -> pd.DataFrame:
        return _frame("tumors", self.table("tumors"))

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        return _frame("outcomes", self.table("outcomes"))

    @cached_property
    def risk_of_bias(self) -> pd.DataFrame:
        return _frame("risk_of_bias", self.table("risk_of_bias"))

    def select(self, **criteria: Unpack[Criteria]) -> Evidence:
        """Return the evidence with the rows of `trials` that fit every criterion.

        Parameters
        ----------
        **criteria
            Each a value or several: agent_class, agent, tumor, tumor_group, outcome, outcome_family, phase, design,
            use, biomarker, regimen, partners, contrast, study, risk_of_bias (low, some, high, unclear, none); `year` a
            year or a pair (from, to). None is no criterion.

        Raises
        ------
        InputError
            A value that the evidence does not hold; the message lists those it does.

        Examples
        --------
        >>> from igfmeta.evidence import load_evidence
        >>> len(load_evidence().select(agent="linsitinib").trials)
        22
        """
        keep = Selection.of(criteria).mask(self)
        chosen = tuple(row for row, kept in zip(self.table("trials"), keep, strict=True) if kept)
        return replace(self, rows={**self.rows, "trials": chosen})

    def explain(self, row_id: str) -> RowExplanation:
        """Return what a row of `trials` or `associations` rests on: citation, identifiers, locator, extraction.

        Raises
        ------
        InputError
            There is no such row.

        Examples
        --------
        >>> from igfmeta.evidence import load_evidence
        >>> load_evidence().explain("rugo2017-01").extraction
        'double'
        """
        for row in (*self.table("trials"), *self.table("associations")):
            if row["row_id"] == row_id:
                source = next((s for s in self.table("sources") if s["source_id"] == row["source_id"]), None)
                return explain_row(row, source)
        raise InputError(f"There is no row {row_id!r} in {self.origin}.")


def _frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame with the columns of their table, in order and of the same types with and without rows."""
    import pandas as pd

    columns, numbers = all_columns(name), number_columns(name)
    kinds = {column: "float64" if column in numbers else "str" for column in columns} | {"file_row": "int64"}
    data = {column: pd.Series([row[column] for row in rows], dtype=kinds[column]) for column in columns}
    return pd.DataFrame(data, columns=columns)
