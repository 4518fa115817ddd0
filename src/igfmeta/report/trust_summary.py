"""The tables of `diagnose`: parameters with their convergence and sensitivity, leave-one-out and replications."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.bayes.importance import PARETO_K_LIMIT
from igfmeta.bayes.mcmc.trust import SENSITIVE, Line, Trust
from igfmeta.report.summary import Column, SummaryTable


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name.removeprefix("cells[").rstrip("]") if line.name.startswith("cells[") else line.name,
        f"{f.number(line.median, 3)} ({f.interval(line.lower, line.upper, 3)})",
        f.number(line.sd, 3),
        f.number(line.rhat, 3),
        f.count(line.ess_bulk),
        f.count(line.ess_tail),
        f.number(line.prior_sensitivity, 3),
        f.number(line.likelihood_sensitivity, 3),
    )


def _parameters(trust: Trust) -> SummaryTable:
    level = f"{100 * trust.level:g} %"
    headings = (f"Median ({level} CrI)", "sd", "R-hat", "ESS bulk", "ESS tail", "prior", "data")
    notes = [trust.diagnostics.line(), *(f"WARNING: {text}" for text in trust.warnings())]
    if any(line.prior_sensitivity is not None for line in trust.lines):
        notes.append(
            "prior, data: how much the distribution changes when the prior or the likelihood is raised to a power "
            f"(power-scaling); {SENSITIVE} and more counts as sensitive."
        )
    for words in ("prior dominates", "prior and data both matter"):
        names = [line.name for line in trust.lines if line.leans == words]
        if names:
            notes.append(f"{words.capitalize()}: {', '.join(names)}.")
    return SummaryTable(
        title="Draws: parameters, convergence, sensitivity",
        columns=(Column("", numeric=False), *(Column(heading) for heading in headings)),
        rows=tuple(_cells(line) for line in trust.lines),
        set_apart=frozenset(),
        notes=(*notes, *(f"Not known. {sentence}" for sentence in trust.missing)),
    )


def _left_out(trust: Trust) -> SummaryTable | None:
    found = trust.left_out
    if found is None:
        return None
    return SummaryTable(
        title="Leave one out",
        columns=(Column("Left out", numeric=False), Column("Pareto k")),
        rows=tuple((unit, f.number(k)) for unit, k in zip(found.units, found.pareto_k, strict=True)),
        set_apart=frozenset(),
        notes=(
            f"Expected log predictive density {f.number(found.elpd)} (standard error {f.number(found.se)}), effective "
            f"number of parameters {f.number(found.p_loo)}. Pareto k above {PARETO_K_LIMIT} is not reliable.",
        ),
    )


def _replicated(trust: Trust) -> SummaryTable | None:
    if not trust.replicated:
        return None
    level = f"{100 * trust.level:g} %"
    rows = [
        (
            r.variable,
            f"{r.name}{'' if r.lower <= r.observed <= r.upper else ' *'}",
            f.number(r.observed, 3),
            f"{f.number(r.median, 3)} ({f.interval(r.lower, r.upper, 3)})",
            f.probability(r.below),
        )
        for r in trust.replicated
    ]
    return SummaryTable(
        title="Observed and replicated",
        columns=(
            Column("", numeric=False), Column("", numeric=False), Column("Observed"),
            Column(f"Replicated ({level})"), Column("P(replicated < observed)"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(f"* outside the interval: {len(trust.outside)} of {len(trust.replicated)}.",),
    )  # fmt: skip


def tables(trust: Trust) -> list[SummaryTable]:
    """Return the tables of an examination."""
    return [table for table in (_parameters(trust), _left_out(trust), _replicated(trust)) if table is not None]
