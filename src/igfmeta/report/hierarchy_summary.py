"""The tables of a hierarchy: every cell and their averages, and where the heterogeneity comes from."""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult

_HEADINGS = {"class": "Class", "tumor": "Tumour"}


def _numbers(result: HierarchyResult, *values: float) -> list[float]:
    """Return values as they are shown: rates in percent."""
    return [100 * value if result.is_rate else value for value in values]


def estimate(result: HierarchyResult, median: float, lower: float, upper: float) -> str:
    """Return `1.07 (0.88, 1.30)`; rates in percent with one decimal."""
    decimals = 1 if result.is_rate else 2
    middle, low, high = _numbers(result, median, lower, upper)
    return f"{f.number(middle, decimals)} ({f.interval(low, high, decimals)})"


def short_measure(result: HierarchyResult) -> str:
    """Return what heads a column of effects: HR, OR, or Rate %."""
    return "Rate %" if result.is_rate else result.question.measure


def benefit_headings(result: HierarchyResult) -> list[str]:
    """Return the headings of the probabilities: of any benefit, where there is one, and of a relevant one."""
    lower = result.question.better == "lower"
    sign = "<" if lower else ">"
    if result.is_rate:
        return [f"P({sign}{100 * result.relevant:g} %)"]
    relevant = result.relevant if lower else 1 / result.relevant
    return [f"P({sign}1)", f"P({sign}{relevant:g})"]


def probabilities(p_benefit: float | None, p_relevant: float) -> list[str]:
    """Return the probabilities under `benefit_headings`."""
    return [f.probability(p) for p in (p_benefit, p_relevant) if p is not None]


def _row(result: HierarchyResult, cell: Cell) -> tuple[str, ...]:
    names = {"class": cell.agent_class, "tumor": cell.tumor}
    low, high = _numbers(result, cell.pi_lower, cell.pi_upper)
    return (
        *("All" if names[factor] == ALL else names[factor] for factor in result.by),
        f"{cell.k}",
        estimate(result, cell.median, cell.ci_lower, cell.ci_upper),
        f.interval(low, high, 1 if result.is_rate else 2),
        *probabilities(cell.p_benefit, cell.p_relevant),
        "" if cell.borrowed is None else f.number(cell.borrowed, 1),
    )


def model_lines(result: HierarchyResult) -> list[str]:
    """Return what was fitted and how, defaults included, and whether its numbers can be used."""
    model = (
        f"Likelihood {result.likelihood}; overall mean {result.mean_prior}; study effects {result.study_effects}; "
        f"{100 * result.level:g} % central intervals; PI: a new study of a new agent."
    )
    if result.sampled is not None:
        return [model, f"{result.engine}, seed {result.seed}. {result.sampled.diagnostics.line()}"]
    sampling = (
        f"Standard deviations by {result.engine}: {result.draws} draws, worth {result.effective_draws:.0f}, "
        f"Pareto k {f.number(result.pareto_k)}, seed {result.seed}."
    )
    return [model, sampling]


def warning_lines(result: HierarchyResult) -> list[str]:
    """Return what speaks against using the numbers; to be printed before any other note."""
    return [f"Warning: {text}" for text in result.warnings]


def _notes(result: HierarchyResult) -> tuple[str, ...]:
    notes = ["Borrowed: what a cell learns from elsewhere, priors included, in studies of median precision."]
    if result.averages:
        notes.append("All: the average over the levels of the model, each with the same weight.")
    return (*warning_lines(result), *notes, *model_lines(result), *result.remarks)


def _mark(result: HierarchyResult, cell: Cell) -> tuple[float, float, float]:
    values = (cell.median, cell.ci_lower, cell.ci_upper)
    if result.is_rate:
        return (100 * values[0], 100 * values[1], 100 * values[2])
    return (math.log(values[0]), math.log(values[1]), math.log(values[2]))


def _cells(result: HierarchyResult) -> SummaryTable:
    measure = result.question.measure
    cells = (*result.cells, *result.averages)
    by = " and ".join(_HEADINGS[x].lower() for x in result.by)
    what = "rate of one arm" if result.is_rate else label_of(measure)
    return SummaryTable(
        title=f"{result.question.label}: {what} by {by}, {len(result.studies)} studies",
        columns=(
            *(Column(_HEADINGS[factor], numeric=False) for factor in result.by),
            Column("k"),
            Column(f"{short_measure(result)} (CrI)"),
            Column("PI"),
            *(Column(heading) for heading in benefit_headings(result)),
            Column("Borrowed"),
        ),
        rows=tuple(_row(result, cell) for cell in cells),
        set_apart=frozenset(range(len(result.cells), len(cells))),
        notes=_notes(result),
        marks=tuple(_mark(result, cell) for cell in cells),
        null=null_value(measure),
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
    implied = "odds" if result.is_rate else "ratio"
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
            f"implies: before any data 95 % of the effects of a source change the {implied} by this factor at most.",
            "Share: of the sum of the variances, posterior mean.",
        ),
    )


def tables(result: HierarchyResult) -> list[SummaryTable]:
    """Return the table of cells and the table of sources of heterogeneity."""
    return [_cells(result), _sources(result)]
