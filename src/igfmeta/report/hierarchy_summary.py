"""The tables of a hierarchy: every cell, and where the heterogeneity comes from."""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.hierarchy import Cell, HierarchyResult


def _row(result: HierarchyResult, cell: Cell) -> tuple[str, ...]:
    names = {"class": cell.agent_class, "tumor": cell.tumor}
    return (
        *(names[factor] for factor in result.by),
        f"{cell.k}",
        f"{f.number(cell.median)} ({f.interval(cell.ci_lower, cell.ci_upper)})",
        f.interval(cell.pi_lower, cell.pi_upper),
        f.probability(cell.p_benefit),
        f.probability(cell.p_relevant),
        f.number(cell.borrowed, 1),
    )


def _notes(result: HierarchyResult) -> tuple[str, ...]:
    level = f"{100 * result.level:g} %"
    borrowed = "Borrowed: what a cell learns from elsewhere, priors included, in studies of median precision."
    sampling = (
        f"Standard deviations by importance sampling: {result.draws} draws, worth {result.effective_draws:.0f}, "
        f"Pareto k {f.number(result.pareto_k)}, seed {result.seed}. {level} central intervals; PI: a new study of a "
        "new agent."
    )
    return (borrowed, sampling, *result.remarks)


def _cells(result: HierarchyResult) -> SummaryTable:
    short = result.question.measure
    better, threshold = ("<", result.relevant) if result.question.better == "lower" else (">", 1 / result.relevant)
    heading = {"class": "Class", "tumor": "Tumour"}
    return SummaryTable(
        title=f"{result.question.label}: {label_of(short)} by {' and '.join(heading[x].lower() for x in result.by)}, "
        f"{len(result.studies)} studies",
        columns=(
            *(Column(heading[factor], numeric=False) for factor in result.by),
            Column("k"),
            Column(f"{short} (CrI)"),
            Column("PI"),
            Column(f"P({better}1)"),
            Column(f"P({better}{threshold:g})"),
            Column("Borrowed"),
        ),
        rows=tuple(_row(result, cell) for cell in result.cells),
        set_apart=frozenset(),
        notes=_notes(result),
        marks=tuple((math.log(c.median), math.log(c.ci_lower), math.log(c.ci_upper)) for c in result.cells),
        null=null_value(short),
    )


def _sources(result: HierarchyResult) -> SummaryTable:
    rows = [
        (
            s.name,
            s.prior,
            f"×/÷ {f.number(s.implied, 1)}",
            f"{f.number(s.sd_median, 3)} ({f.interval(s.sd_lower, s.sd_upper, 3)})",
            f.percent(s.share),
        )
        for s in result.sources
    ]
    return SummaryTable(
        title="Where the heterogeneity comes from",
        columns=(
            Column("Source", numeric=False),
            Column("Prior of the sd", numeric=False),
            Column("implies"),
            Column("sd (CrI)"),
            Column("Share"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(
            "implies: before any data 95 % of the effects of a source lie within this ratio and its inverse.",
            "Share: of the sum of the variances, posterior mean.",
        ),
    )


def tables(result: HierarchyResult) -> list[SummaryTable]:
    """Return the table of cells and the table of sources of heterogeneity."""
    return [_cells(result), _sources(result)]
