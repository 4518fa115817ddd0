"""What a forest plot shows: studies, pooled effects, groups. Numbers and words; nothing drawn, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Transform = Literal["exp", "identity", "expit", "sin2", "square", "tanh"]

#: Estimate, lower and upper limit.
Triple = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class ForestRow:
    """A study, on the scale that the forest draws (log for ratios). None stands for what is not estimable.

    Attributes
    ----------
    label : str
    estimate, ci_lower, ci_upper : float or None
    weight : float or None
        In percent.
    href : str or None
        Where its source is; only http, https and places of the same page (#) become links.
    source : str
        Its citation, or why it has no estimate.
    cells : mapping
        Texts of further columns by key.
    marks : tuple of str
        Keys of the footnotes.
    """

    label: str
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    weight: float | None
    href: str | None = None
    source: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ForestSummary:
    """A pooled effect: diamond, prediction interval, and the estimate of the other school beside it.

    Attributes
    ----------
    label : str
    estimate, ci_lower, ci_upper, pi_lower, pi_upper : float or None
    k : int
    tau2, i2 : float or None
    text : str
        Under the label: k, tau2, I2.
    second : triple or None
        Posterior median and interval.
    second_label : str
    cells : mapping
    """

    label: str
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    pi_lower: float | None = None
    pi_upper: float | None = None
    k: int = 0
    tau2: float | None = None
    i2: float | None = None
    text: str = ""
    second: Triple | None = None
    second_label: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ForestGroup:
    """Studies under one heading, with their own pooled effect where they have one."""

    heading: str | None
    rows: tuple[ForestRow, ...]
    summary: ForestSummary | None


@dataclass(frozen=True)
class Forest:
    """A forest plot.

    Attributes
    ----------
    title, measure, effect_label : str
    groups : tuple of ForestGroup
    total : ForestSummary or None
    transform : str
        From the drawn scale to the printed one; "exp" gives a log axis.
    null : float or None
        No effect, on the drawn scale.
    favours : (str, str) or None
        Under the left and the right half of the axis.
    left_columns : tuple of (key, heading)
        Beside the label.
    right_columns : tuple of str
        "estimate", "weight", or keys of `cells`.
    weight_label : str
        Which model the weights are of.
    lines : tuple of str
        Under the plot: heterogeneity, test between groups, methods.
    footnotes : tuple of (mark, text)
    level : float
    """

    title: str
    measure: str
    effect_label: str
    groups: tuple[ForestGroup, ...]
    total: ForestSummary | None
    transform: Transform
    null: float | None
    favours: tuple[str, str] | None
    left_columns: tuple[tuple[str, str], ...]
    weight_label: str
    lines: tuple[str, ...]
    footnotes: tuple[tuple[str, str], ...]
    right_columns: tuple[str, ...] = ("estimate", "weight")
    level: float = 0.95
