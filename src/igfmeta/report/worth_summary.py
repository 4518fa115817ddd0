"""The table of verdicts: which class is worth another phase III."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.report.decision_summary import effect_heading, effect_text, model_notes, relevant_text
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.worth import Worth, Worths


def _row(found: Worths, row: Worth) -> tuple[str, ...]:
    cell = row.cell
    name = cell.agent_class if row.whole_class else f"  {cell.tumor}"
    if cell.agent_class == "all":
        name = next(other.cell.agent_class for other in found.rows if not other.whole_class)
    return (
        name,
        f"{cell.k}",
        effect_text(found.result, cell.median, cell.ci_lower, cell.ci_upper),
        f.probability(row.p_relevant, 2),
        f.probability(row.p_trial_relevant, 2),
        f.probability(row.assurance, 2),
        row.verdict,
    )


def _notes(found: Worths) -> tuple[str, ...]:
    relevant = relevant_text(found.result)
    size = "events" if found.unit == "events" else "patients" if found.result.is_rate else "patients in each arm"
    test = f"significant at {'one' if found.design.sides == 1 else 'two'}-sided {found.design.alpha:g}"
    whole = "A class: the average of its cells over the tumours, equal weights; its trial is in one of them at random."
    notes = [
        found.rule,
        found.caution,
        f"P(mean), P(trial): that the mean effect, or the true effect of a new trial, is {relevant}.",
        f"Assurance: of a trial of {found.size:,} {size}, {test}.",
    ]
    return (*notes, *([whole] if "tumor" in found.result.by else []), *model_notes(found.result))


def worth_table(found: Worths) -> SummaryTable:
    """Return one row per class, and under it one per tumour."""
    what = "trial" if found.result.is_rate else "phase III"
    parted = any(not row.whole_class for row in found.rows)
    return SummaryTable(
        title=f"{found.result.question.label}: worth another {what}? Relevant: {relevant_text(found.result)}",
        columns=(
            Column("Class, tumour" if parted else "Class", numeric=False),
            Column("k"),
            Column(effect_heading(found.result).replace(" interval", "")),
            Column("P(mean)"),
            Column("P(trial)"),
            Column("Assurance"),
            Column("Verdict", numeric=False),
        ),
        rows=tuple(_row(found, row) for row in found.rows),
        set_apart=frozenset(i for i, row in enumerate(found.rows) if row.whole_class and parted),
        notes=_notes(found),
    )
