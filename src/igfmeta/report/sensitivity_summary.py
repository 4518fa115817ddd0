"""The table of sensitivity: the pooled effect under every choice."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.report.influence_summary import effect_cell, effect_column, p_cell
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.sensitivity_results import SensitivityOf, SensitivityResult


def table_of(found: SensitivityOf) -> SummaryTable:
    """Return the table of one set of studies: the pool itself first, then each kind of choice."""
    studies, fit = found.studies, found.fit
    first = (
        found.base,
        f"{fit.k}",
        effect_cell(studies, fit.estimate, fit.ci_lower, fit.ci_upper),
        p_cell(studies, fit.p_value),
        f.small(fit.tau2) if fit.tau2 is not None else "",
    )
    rows: list[tuple[str, ...]] = [first]
    apart = {0}
    for kind, words in found.kinds.items():
        members = [choice for choice in found.choices if choice.kind == kind]
        if not members:
            continue
        apart.add(len(rows))
        rows.append((words, "", "", "", ""))
        rows += [
            (
                f"  {choice.name}{' = the pool' if choice.chosen else ''}",
                f"{choice.k}",
                effect_cell(studies, choice.estimate, choice.ci_lower, choice.ci_upper),
                p_cell(studies, choice.p_value),
                f.small(choice.tau2) if choice.tau2 is not None else "",
            )
            for choice in members
        ]
    return SummaryTable(
        title=f"{studies.label}: sensitivity of the pooled effect",
        columns=(
            Column("Choice", numeric=False),
            Column("k"),
            effect_column(studies, fit.level),
            Column("p"),
            Column("tau2"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(apart),
        notes=(
            *found.summary(),
            "One thing is varied at a time. Posteriors: median, credible interval, tau2 the squared median of tau.",
            *found.not_run,
            *studies.remarks(),
        ),
    )


def tables(result: SensitivityResult) -> list[SummaryTable]:
    """Return the table of every set."""
    return [table_of(each) for each in result.sets]
