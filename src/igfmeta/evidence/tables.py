"""The evidence as loaded: typed tables, where they came from, and what a row rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

from igfmeta.errors import InputError
from igfmeta.evidence.explain import RowExplanation, explain_row
from igfmeta.evidence.selection import Criteria, Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence tables, validated.

    Numeric columns are float (NaN where blank), text columns str ("" where blank); `<column>_text` keeps a number as
    it was printed, `file_row` is the row that a spreadsheet shows.

    Attributes
    ----------
    trials, associations, dose_response, sources, agents, agent_classes, tumors, outcomes : DataFrame
        Empty where the table was not given or not asked for.
    fingerprint : str
        SHA-256 over the tables, the same for the same files.
    files : mapping
        SHA-256 of each file by name.
    origin : str
        "shipped evidence", or the name of the file or folder.
    remarks : tuple of str
        Columns that were not known and not used.
    """

    trials: pd.DataFrame
    associations: pd.DataFrame
    dose_response: pd.DataFrame
    sources: pd.DataFrame
    agents: pd.DataFrame
    agent_classes: pd.DataFrame
    tumors: pd.DataFrame
    outcomes: pd.DataFrame
    fingerprint: str
    files: Mapping[str, str]
    origin: str
    remarks: tuple[str, ...] = ()

    def select(self, **criteria: Unpack[Criteria]) -> Evidence:
        """Return the evidence with the rows of `trials` that fit every criterion.

        Parameters
        ----------
        **criteria
            Each a value or several: agent_class, agent, tumor, tumor_group, outcome, outcome_family, phase, design,
            use, biomarker, regimen, partners, contrast, study; `year` a year or a pair (from, to). None is no
            criterion.

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
        return replace(self, trials=self.trials[keep].reset_index(drop=True))

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
        for table in (self.trials, self.associations):
            if "row_id" in table and (found := table[table["row_id"] == row_id].to_dict("records")):
                return explain_row(found[0], self._source(found[0]["source_id"]))
        raise InputError(f"There is no row {row_id!r} in {self.origin}.")

    def _source(self, source_id: str) -> dict[str, Any] | None:
        found = self.sources[self.sources["source_id"] == source_id].to_dict("records")
        return {str(name): value for name, value in found[0].items()} if found else None
