"""How studies are put into groups: by class, agent, tumour, tumour group, phase or biomarker selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from igfmeta.evidence.selection import biomarker_selection
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.eligibility import Row
from igfmeta.synthesis.rows_to_effects import RowEffect

By = Literal["class", "agent", "tumor", "tumor_group", "phase", "biomarker", "none"]
BY = ("class", "agent", "tumor", "tumor_group", "phase", "biomarker", "none")

Grouped = dict[tuple[str, str], list[RowEffect]]


def _labels(evidence: Evidence, table: str, key: str) -> dict[str, str]:
    return {row[key]: row["label"] for row in evidence.table(table)}


def _in_words(value: str) -> str:
    return value.replace("_", " ").capitalize() if value else "Not reported"


def grouper(by: str, evidence: Evidence) -> Callable[[Sequence[RowEffect]], Grouped]:
    """Return a function that puts effects into groups, keyed by (key, label).

    Parameters
    ----------
    by : str
        One of `BY`.
    evidence : Evidence
        Whose vocabularies give the labels and the groups of tumours.
    """
    tumour_groups = {row["tumor_type"]: row["group"] for row in evidence.table("tumors")}
    keys: dict[str, Callable[[Row], str]] = {
        "class": lambda row: row["agent_class"],
        "agent": lambda row: row["agent"],
        "tumor": lambda row: row["tumor_type"],
        "tumor_group": lambda row: str(tumour_groups.get(row["tumor_type"], row["tumor_type"])),
        "phase": lambda row: row["phase"],
        "biomarker": lambda row: biomarker_selection(row["population"]),
    }
    labels = {
        "class": _labels(evidence, "agent_classes", "agent_class"),
        "agent": _labels(evidence, "agents", "agent"),
        "tumor": _labels(evidence, "tumors", "tumor_type"),
        "phase": {phase: f"Phase {phase}" for phase in ("1", "1b", "1/2", "2", "2/3", "3")},
    }.get(by, {})

    def grouped(effects: Sequence[RowEffect]) -> Grouped:
        if by == "none":
            return {}
        members: dict[str, list[RowEffect]] = {}
        for effect in effects:
            members.setdefault(keys[by](effect.row), []).append(effect)
        return {(key, labels.get(key, _in_words(key))): rows for key, rows in members.items()}

    return grouped
