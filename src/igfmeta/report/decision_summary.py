"""The tables of a prediction and of an assurance."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.plots.assurance_curve import limit_label, planned_label, sizes_axis
from igfmeta.report.hierarchy_summary import warning_lines
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.assurance import Assurance
from igfmeta.synthesis.decisions import Prediction
from igfmeta.synthesis.hierarchy_results import Cell, HierarchyResult
from igfmeta.synthesis.trial_designs import Success


def where(cell: Cell) -> str:
    """Return class, tumour and number of studies of a cell."""
    studies = "1 study" if cell.k == 1 else f"{cell.k} studies"
    return f"{cell.agent_class}, {cell.tumor} ({studies})"


def model_notes(result: HierarchyResult) -> tuple[str, ...]:
    """Return what the numbers of a model were made from."""
    priors = "; ".join(f"{s.name} {s.prior}" for s in result.sources)
    made = f"From {len(result.studies)} studies of all classes and tumours in one model; priors of the sds: {priors}."
    return (
        *warning_lines(result),
        made,
        f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}; seed {result.seed}.",
        *result.remarks,
    )


def relevant_text(result: HierarchyResult) -> str:
    """Return the relevant ratio or rate with its direction, such as `HR<0.8` or `rate>10 %`."""
    sign = "<" if result.question.better == "lower" else ">"
    if result.is_rate:
        return f"rate{sign}{100 * result.relevant:g} %"
    return f"{result.question.measure}{sign}{result.relevant if sign == '<' else 1 / result.relevant:g}"


def effect_text(result: HierarchyResult, middle: float, low: float, high: float) -> str:
    """Return an estimate with its interval: a ratio, or a rate in percent."""
    times, decimals = (100, 1) if result.is_rate else (1, 2)
    return f"{f.number(times * middle, decimals)} ({f.interval(times * low, times * high, decimals)})"


def effect_heading(result: HierarchyResult) -> str:
    """Return what `effect_text` gives."""
    return f"{'Rate %' if result.is_rate else result.question.measure} ({100 * result.level:g} % interval)"


def prediction_table(result: HierarchyResult, found: Prediction) -> SummaryTable:
    """Return the mean effect of a cell and the effect of a new trial in it, one under the other."""
    cell = found.cell
    mean = (cell.median, cell.ci_lower, cell.ci_upper), cell.p_benefit, cell.p_relevant
    new = (cell.predicted, cell.pi_lower, cell.pi_upper), found.p_benefit, found.p_relevant
    columns = [Column("", numeric=False), Column(effect_heading(result))]
    if not result.is_rate:
        columns.append(Column(f"P({result.question.measure}{'<' if result.question.better == 'lower' else '>'}1)"))
    columns.append(Column(f"P({relevant_text(result)})"))
    rows = []
    for name, (effect, benefit, relevant) in (("Mean effect", mean), ("A new trial of a new agent", new)):
        benefits = [] if result.is_rate else [f.probability(benefit)]
        rows.append((name, effect_text(result, *effect), *benefits, f.probability(relevant)))
    return SummaryTable(
        title=f"{result.question.label}: {where(cell)}",
        columns=tuple(columns),
        rows=tuple(rows),
        set_apart=frozenset({1}),
        notes=model_notes(result),
    )


def _boundary(found: Assurance, trial: Success) -> str:
    if found.result.question.measure == "HR":
        return f.number(trial.boundary, 3)
    if found.result.question.arms == "single_arm":
        return f.count(trial.boundary)
    return f.percent(trial.boundary, 1)


def _boundary_heading(found: Assurance) -> str:
    if found.result.question.measure == "HR":
        return "Significant HR"
    better = "Most" if found.result.question.better == "lower" else "Fewest"
    return f"{better} events" if found.result.question.arms == "single_arm" else "Significant rate"


def _test(found: Assurance) -> str:
    """Return, in a sentence, what success is."""
    d = found.design
    level = f"{'one' if d.sides == 1 else 'two'}-sided {d.alpha:g}"
    if found.result.question.measure == "HR":
        rest = "" if found.unit == "events" else f"; {100 * d.event_rate:g} % of the patients have the event"  # type: ignore[operator]
        return f"Success: significant by the log-rank test at {level}, allocation {d.allocation:g} to 1{rest}."
    if found.result.question.arms == "single_arm":
        return f"Success: the exact binomial test rejects a rate of {100 * d.null_rate:g} % at {level}."  # type: ignore[operator]
    return (
        f"Success: significant by the z test of two proportions at {level}, equal arms; the control arm's true rate is "
        f"{100 * d.control_rate:g} %. Significant rate: of the experimental arm, if the control arm shows that rate."  # type: ignore[operator]
    )


def assurance_table(found: Assurance) -> SummaryTable:
    """Return the chance of success by size of the trial."""
    columns = [Column(sizes_axis(found).replace(" in both arms", ""))]
    by_patients = found.unit == "patients" and found.result.question.measure == "HR"
    columns += [Column("Events expected")] * by_patients
    columns += [Column(_boundary_heading(found)), Column("Assurance")]
    columns += [Column(planned_label(found))] * (found.planned is not None)
    rows = []
    for trial in found.trials:
        cells = [f.count(trial.events if found.unit == "events" else trial.patients)]
        cells += [f.count(trial.events)] * by_patients
        cells += [_boundary(found, trial), f.probability(trial.assurance)]
        cells += [f.probability(trial.power)] * (found.planned is not None)
        rows.append(tuple(cells))
    explained = (
        "Assurance averages over what the effect may be; power takes it as known. As trials grow, assurance approaches "
        f"{limit_label(found)}."
    )
    return SummaryTable(
        title=f"{found.result.question.label}: a new trial, {where(found.cell)}",
        columns=tuple(columns),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(_test(found), explained, *model_notes(found.result)),
    )
