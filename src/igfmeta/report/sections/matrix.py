"""Class of agent by type of tumour: every cell of the hierarchical model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from igfmeta import formatting as f
from igfmeta.plots.cells import shrinkage
from igfmeta.report.content import Block, DataTable, Section
from igfmeta.report.hierarchy_summary import estimate, tables
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, key_of, table, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult

#: Ratios at which a cell takes the next darker shade, and rates.
STEPS, RATE_STEPS = (1.05, 1.15, 1.3), (0.05, 0.1, 0.2)


def section(analysis: Analysis) -> Section | None:
    """Return the matrix of each outcome that has a hierarchical model, and what the model made of each cell's data."""
    parts = [(o, _blocks(analysis, o, o.hierarchy)) for o in analysis.outcomes if o.hierarchy is not None]
    return by_outcome(key_of(analysis, "matrix"), "Class of agent by type of tumour", parts)


def _shade(result: HierarchyResult, cell: Cell) -> str:
    """Return the name of a cell's colour: b1 to b3 where the agent does well, o1 to o3 where the control does."""
    if result.is_rate:
        return f"b{sum(cell.median >= step for step in RATE_STEPS)}"
    step = sum(abs(math.log(cell.median)) >= math.log(each) for each in STEPS)
    good = (cell.median < 1) == (result.question.better == "lower")
    return f"{'b' if good else 'o'}{step}"


def _matrix(analysis: Analysis, outcome: OutcomeAnalysis, result: HierarchyResult) -> DataTable:
    cells = (*result.cells, *result.averages)
    classes = list(dict.fromkeys(cell.agent_class for cell in cells))
    tumors = list(dict.fromkeys(cell.tumor for cell in cells))
    found = {(cell.tumor, cell.agent_class): cell for cell in cells}
    rows, shades = [], {}
    for i, tumor in enumerate(tumors):
        texts = []
        for j, agent_class in enumerate(classes):
            cell = found.get((tumor, agent_class))
            texts.append("" if cell is None else _text(result, cell))
            if cell is not None:
                shades[i, j + 1] = _shade(result, cell) + ("e" if cell.k == 0 else "")
        rows.append(("All" if tumor == ALL else tumor, *texts))
    made = words_table(
        f"{result.question.label} ({'rate %' if result.is_rate else result.question.measure}): posterior median with "
        f"{100 * result.level:g} % interval, and studies",
        ("Tumour", *("All" if c == ALL else c for c in classes)),
        rows,
        numeric=tuple(range(1, len(classes) + 1)),
        apart=frozenset({tumors.index(ALL)}) if ALL in tumors else frozenset(),
        notes=(
            "Blue favours the agent, orange the control, darker the further from no effect. Cells in italics have no "
            "study: what stands there is borrowed, and rests on the priors."
            if not result.is_rate
            else "Darker where more patients respond. Cells in italics have no study: what stands there is borrowed.",
        ),
    )
    return DataTable(key_of(analysis, outcome.key, "matrix"), made, shades=shades)


def _text(result: HierarchyResult, cell: Cell) -> str:
    shown = estimate(result, cell.median, cell.ci_lower, cell.ci_upper)
    return f"{shown.replace(' (', f'{chr(10)}(')}\n{'no study' if cell.k == 0 else f'k = {cell.k}'}"


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis, result: HierarchyResult | None) -> Sequence[Block]:
    assert result is not None
    made = tables(result)[0]
    drawn = picture(
        key_of(analysis, outcome.key, "shrinkage"),
        shrinkage(result),
        title=f"{result.question.label}: what the model made of the raw effect of each cell",
        description=(
            "For every cell with studies an open circle at its own inverse-variance mean and a diamond with a line at "
            f"the posterior median and interval; {len(result.studies)} studies, the largest cell has "
            f"{f.count(max(cell.k for cell in result.cells))}."
        ),
        data=made,
    )
    origins = replace(tables(result)[1], title=f"{result.question.label}: where the heterogeneity comes from")
    return [_matrix(analysis, outcome, result), drawn, table(key_of(analysis, outcome.key, "origins"), origins)]
