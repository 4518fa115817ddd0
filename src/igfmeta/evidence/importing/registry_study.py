"""A study as registries of trials hold it, whatever the file it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Analysis:
    """A statistical analysis of an outcome measure, as posted."""

    place: str
    groups: tuple[str, ...]
    param_type: str
    value: str
    ci_percent: str
    ci_sides: str
    ci_lower: str
    ci_upper: str
    p_value: str
    comment: str


@dataclass(frozen=True)
class Measure:
    """An outcome measure: groups by identity, people analysed, one value for each class, category and group."""

    place: str
    title: str
    param: str
    unit: str
    groups: Mapping[str, str]
    analysed: Mapping[str, str]
    values: tuple[tuple[str, str, str], ...]
    analyses: tuple[Analysis, ...]


@dataclass(frozen=True)
class SeriousEvents:
    """People with a serious adverse event in a group."""

    title: str
    affected: str
    at_risk: str


@dataclass(frozen=True)
class RegistryStudy:
    """A registered study with results; arms are (label, type)."""

    nct_id: str
    name: str
    title: str
    year: str
    phase: str
    allocation: str
    masking: str
    conditions: tuple[str, ...]
    interventions: tuple[str, ...]
    arms: tuple[tuple[str, str], ...]
    measures: tuple[Measure, ...]
    serious: tuple[SeriousEvents, ...]
    started: Mapping[str, str]
