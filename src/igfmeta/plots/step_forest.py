"""Pools one under the other as a forest: without each study, study after study, under other choices."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.study_sets import StudySet

#: Label, estimate, lower and upper limit on the analysis scale.
Step = tuple[str, float | None, float | None, float | None]


def step_forest(
    studies: StudySet,
    groups: Sequence[tuple[str | None, Sequence[Step]]],
    whole: Step,
    *,
    title: str,
    lines: Sequence[str] = (),
    level: float = 0.95,
) -> Forest:
    """Return a forest whose rows are pools, under headings, with the pool that they vary at the end."""
    rate = studies.measure in PROPORTIONS

    def drawn(step: Step) -> tuple[float | None, ...]:
        if not rate:
            return step[1:]
        back = [studies.natural(value) for value in step[1:]]
        return tuple(None if value is None else 100 * value for value in back)

    def row(step: Step) -> ForestRow:
        middle, lower, upper = drawn(step)
        return ForestRow(step[0], middle, lower, upper, weight=None)

    middle, lower, upper = drawn(whole)
    label = "Rate %" if rate else label_of(studies.measure).capitalize()
    return Forest(
        title=title,
        measure=studies.measure,
        effect_label=f"{label} ({100 * level:g} % CI)",
        groups=tuple(ForestGroup(heading, tuple(map(row, steps)), None) for heading, steps in groups),
        total=ForestSummary(whole[0], middle, lower, upper, k=studies.k),
        transform="identity" if rate else transform_of(studies.measure),
        null=None if rate else null_value(studies.measure),
        favours=None,
        left_columns=(),
        right_columns=("estimate",),
        weight_label="",
        lines=tuple(lines),
        footnotes=(),
        level=level,
    )


def described(method: str, ci: str) -> str:
    """Return the methods of a pool as one line under a figure."""
    return f"τ² by {method}; interval by {ci}"


def numbered(k: int) -> str:
    """Return `k = 8 studies`."""
    return f"k = {f.count(k)} {'study' if k == 1 else 'studies'}"
