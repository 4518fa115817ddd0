"""A forest as a table of cells and marks: computed once, read by every renderer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from igfmeta.effects.scales import PER_TIME
from igfmeta.formatting import NOT_ESTIMABLE, number, significant
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary, Triple
from igfmeta.plots.ticks import Axis, axis_for
from igfmeta.text import plain

LineKind = Literal["heading", "study", "summary", "total", "posterior", "prediction", "note"]
MarkKind = Literal["square", "diamond", "hollow_diamond", "bar"]

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Mark:
    """What stands in the plot column of a line; positions are fractions of the axis, 0 to 1.

    Attributes
    ----------
    kind : str
    middle : float or None
        None where the estimate itself lies outside the axis.
    lower, upper : float
        Ends of the interval, cut to the axis.
    cut_lower, cut_upper : bool
        Whether the interval goes on beyond: an arrow is drawn.
    size : float
        Side of the square relative to the largest; its area is proportional to the weight.
    """

    kind: MarkKind
    middle: float | None
    lower: float
    upper: float
    cut_lower: bool
    cut_upper: bool
    size: float = 1.0


@dataclass(frozen=True)
class Line:
    """A line of the table: its texts by column, and its mark."""

    kind: LineKind
    cells: dict[str, str]
    mark: Mark | None = None
    href: str | None = None
    hover: str = ""
    footnotes: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its key, heading, and whether its texts are aligned right."""

    key: str
    heading: str
    right: bool


@dataclass(frozen=True)
class Layout:
    """A forest ready to be drawn.

    Attributes
    ----------
    title : str
    left, right : tuple of Column
        Beside the plot; the first on the left holds the labels.
    axis : Axis
    null, pooled : float or None
        Fractions of the axis at which the null line and the dashed line of the pooled effect stand.
    favours : (str, str) or None
    lines : tuple of Line
    notes : tuple of str
        Under the plot.
    summary_text : str
        The forest in a sentence, for those who cannot see it.
    """

    title: str
    left: tuple[Column, ...]
    right: tuple[Column, ...]
    axis: Axis
    null: float | None
    pooled: float | None
    favours: tuple[str, str] | None
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    summary_text: str


def _one_line(text: str) -> str:
    """Return a text that is safe to show and stays on its line."""
    return " ".join(plain(text).split())


def _cells(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: _one_line(text) for key, text in texts.items()}


def _finite(*values: float | None) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _axis(forest: Forest) -> Axis:
    rows = [row for group in forest.groups for row in group.rows]
    pooled = [s for s in (forest.total, *(group.summary for group in forest.groups)) if s is not None]
    total = forest.total
    shown = _finite(*(row.estimate for row in rows), *(s.estimate for s in pooled), forest.null)
    if total is not None:
        shown += _finite(total.ci_lower, total.ci_upper)
    limits = _finite(*(v for row in rows for v in (row.ci_lower, row.ci_upper)))
    limits += _finite(*(v for s in pooled for v in (s.ci_lower, s.ci_upper, s.pi_lower, s.pi_upper)))
    return axis_for(
        shown,
        limits,
        ratio=forest.transform == "exp",
        bounded=forest.measure.startswith("P") and forest.null is None,
        correlation=forest.transform == "tanh",
    )


def _printed(value: float, transform: str) -> float:
    if transform == "exp":
        return math.exp(min(value, 700.0))
    return math.tanh(value) if transform == "tanh" else value


def _estimate_text(triple: Triple, forest: Forest) -> str:
    """Return `0.83 [0.69, 1.00]` on the reader's scale, a dash for what is not estimable."""
    decimals = 2 if forest.transform == "exp" or forest.null is not None else 1
    shown = [None if v is None else _printed(v, forest.transform) for v in triple]
    texts = [significant(v, 3) if forest.measure in PER_TIME else number(v, decimals) for v in shown]
    texts = [text.replace("-", MINUS) for text in texts]
    return texts[0] if NOT_ESTIMABLE in texts[1:] else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def mark_of(kind: MarkKind, triple: Triple, axis: Axis, size: float = 1.0) -> Mark | None:
    """Return what is drawn for an estimate and its interval; None for what is not estimable."""
    estimate, lower, upper = triple
    if lower is None or upper is None or (estimate is None and kind != "bar"):
        return None
    inside = estimate is not None and axis.low <= estimate <= axis.high
    return Mark(
        kind=kind,
        middle=axis.fraction(estimate) if estimate is not None and inside else None,
        lower=axis.fraction(lower),
        upper=axis.fraction(upper),
        cut_lower=lower < axis.low,
        cut_upper=upper > axis.high,
        size=size,
    )


def _study(row: ForestRow, forest: Forest, axis: Axis, largest: float) -> Line:
    triple = (row.estimate, row.ci_lower, row.ci_upper)
    weight = number(row.weight, 1) if row.weight is not None and math.isfinite(row.weight) else NOT_ESTIMABLE
    size = math.sqrt(max(row.weight or 0.0, 0.0) / largest) if largest > 0 else 1.0
    return Line(
        kind="study",
        cells={
            **_cells(row.cells),
            "label": _one_line(row.label),
            "estimate": _estimate_text(triple, forest),
            "weight": weight,
        },
        mark=mark_of("square", triple, axis, size),
        href=row.href if row.href and row.href.startswith(("https://", "http://", "#")) else None,
        hover=_one_line(row.source),
        footnotes=_one_line(" ".join(row.marks)),
    )


def _pooled(summary: ForestSummary, forest: Forest, axis: Axis, kind: LineKind) -> Iterator[Line]:
    """Return the lines of a pooled effect: diamond, posterior, prediction interval, k and heterogeneity."""
    triple = (summary.estimate, summary.ci_lower, summary.ci_upper)
    yield Line(
        kind=kind,
        cells={**_cells(summary.cells), "label": _one_line(summary.label), "estimate": _estimate_text(triple, forest)},
        mark=mark_of("diamond", triple, axis),
    )
    if summary.second is not None:
        yield Line(
            kind="posterior",
            cells={"label": _one_line(summary.second_label), "estimate": _estimate_text(summary.second, forest)},
            mark=mark_of("hollow_diamond", summary.second, axis),
        )
    interval: Triple = (None, summary.pi_lower, summary.pi_upper)
    if summary.pi_lower is not None:
        text = _estimate_text((summary.pi_lower, *interval[1:]), forest)
        yield Line(
            kind="prediction",
            cells={"label": "Prediction interval", "estimate": text[text.index("[") :]},
            mark=mark_of("bar", interval, axis),
        )
    if summary.text:
        yield Line(kind="note", cells={"label": _one_line(summary.text)})


def _group(group: ForestGroup, forest: Forest, axis: Axis, largest: float) -> Iterator[Line]:
    if group.heading is not None:
        yield Line(kind="heading", cells={"label": _one_line(group.heading)})
    for row in group.rows:
        yield _study(row, forest, axis, largest)
    if group.summary is not None:
        yield from _pooled(group.summary, forest, axis, "summary")


def _columns(forest: Forest) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    headings = {"estimate": _one_line(forest.effect_label), "weight": "Weight %"}
    left = (
        Column("label", "Study", False),
        *(Column(key, _one_line(heading), True) for key, heading in forest.left_columns),
    )
    right = tuple(
        Column(key, headings.get(key, key.replace("_", " ").capitalize()), True) for key in forest.right_columns
    )
    return left, right


def _summary_text(forest: Forest, lines: Sequence[Line]) -> str:
    studies = [line for line in lines if line.kind == "study"]
    total = next((line for line in lines if line.kind == "total"), None)
    pooled = f" Pooled: {total.cells['estimate']}." if total else ""
    return f"Forest plot of {len(studies)} studies, {_one_line(forest.effect_label)}.{pooled}"


def lay_out(forest: Forest) -> Layout:
    """Return the forest as a table of cells and marks.

    Raises nothing: what is not estimable keeps its line, with a dash.
    """
    axis = _axis(forest)
    weights = _finite(*(row.weight for group in forest.groups for row in group.rows))
    largest = max(weights, default=0.0)
    lines = [line for group in forest.groups for line in _group(group, forest, axis, largest)]
    if forest.total is not None:
        lines += _pooled(forest.total, forest, axis, "total")
    left, right = _columns(forest)
    pooled = forest.total.estimate if forest.total else None
    notes = [*forest.lines, *(f"[{mark}] {text}" for mark, text in forest.footnotes)]
    if "weight" in forest.right_columns and forest.weight_label:
        notes.insert(len(forest.lines), f"{forest.weight_label}.")
    return Layout(
        title=_one_line(forest.title),
        left=left,
        right=right,
        axis=axis,
        null=axis.fraction(forest.null) if forest.null is not None else None,
        pooled=axis.fraction(pooled) if pooled is not None else None,
        favours=(_one_line(forest.favours[0]), _one_line(forest.favours[1])) if forest.favours else None,
        lines=tuple(lines),
        notes=tuple(_one_line(note) for note in notes),
        summary_text=_summary_text(forest, lines),
    )
