"""The tables of a prediction and of an assurance."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.decisions import Prediction, Success
from igfmeta.synthesis.hierarchy import Cell, HierarchyResult


def _where(cell: Cell) -> str:
    studies = "1 study" if cell.k == 1 else f"{cell.k} studies"
    return f"{cell.agent_class}, {cell.tumor} ({studies})"


def _notes(result: HierarchyResult) -> tuple[str, ...]:
    priors = "; ".join(f"{s.name} {s.prior}" for s in result.sources)
    made = f"From {len(result.studies)} studies of all classes and tumours in one model; priors of the sds: {priors}."
    return (made, f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}; seed {result.seed}.", *result.remarks)


def _thresholds(result: HierarchyResult) -> tuple[str, str]:
    lower = result.question.better == "lower"
    return ("<1", f"<{result.relevant:g}") if lower else (">1", f">{1 / result.relevant:g}")


def prediction_table(result: HierarchyResult, found: Prediction) -> SummaryTable:
    """Return the mean effect of a cell and the effect of a new trial in it, one under the other."""
    cell, (benefit, notable) = found.cell, _thresholds(result)
    rows = (
        ("Mean effect", cell.median, cell.ci_lower, cell.ci_upper, cell.p_benefit, cell.p_relevant),
        ("A new trial of a new agent", found.median, cell.pi_lower, cell.pi_upper, found.p_benefit, found.p_relevant),
    )
    return SummaryTable(
        title=f"{result.question.label}: {_where(cell)}",
        columns=(
            Column("", numeric=False),
            Column(f"{result.question.measure} ({100 * result.level:g} % interval)"),
            Column(f"P({benefit})"),
            Column(f"P({notable})"),
        ),
        rows=tuple(
            (name, f"{f.number(median)} ({f.interval(low, high)})", f.probability(p), f.probability(q))
            for name, median, low, high, p, q in rows
        ),
        set_apart=frozenset({1}),
        notes=_notes(result),
    )


def assurance_table(
    result: HierarchyResult, cell: Cell, found: Sequence[Success], *, alpha: float, sides: int, allocation: float
) -> SummaryTable:
    """Return the chance of success by number of events."""
    relevant = _thresholds(result)[1][1:]
    design = (
        f"Success: significant at {'one' if sides == 1 else 'two'}-sided {alpha:g}, allocation {allocation:g} to 1."
    )
    return SummaryTable(
        title=f"{result.question.label}: a new trial, {_where(cell)}",
        columns=(
            Column("Events"),
            Column("Significant HR"),
            Column("Assurance"),
            Column(f"Power at HR {relevant}"),
        ),
        rows=tuple(
            (f.count(s.events), f.number(s.boundary, 3), f.probability(s.assurance), f.probability(s.power))
            for s in found
        ),
        set_apart=frozenset(),
        notes=(design, "Assurance averages over what the effect may be; power takes it as known.", *_notes(result)),
    )
