"""The tables of small-study effects."""

from __future__ import annotations

from dataclasses import replace

from igfmeta import formatting as f
from igfmeta.models.bias.failsafe import ADVICE
from igfmeta.models.bias.registry import TESTS
from igfmeta.models.bias.selection.model import SelectionModel
from igfmeta.models.bias.selection.registry import WEIGHTS
from igfmeta.report.influence_summary import effect_cell, effect_column, p_cell
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.bias_results import BiasOf, BiasResult


def _tests(found: BiasOf) -> SummaryTable | None:
    if not found.tests:
        return None
    studies = found.studies
    rows = []
    for name, test in found.tests:
        suits = studies.measure in TESTS[name].made_for
        limit = "" if test.limit is None else effect_cell(studies, test.limit, test.limit_lower, test.limit_upper)
        rows.append(
            (
                f"{TESTS[name].label}{' +' if suits else ''}",
                f"{test.kind} = {f.number(test.statistic)}",
                "" if test.df is None else f"{test.df:g}",
                f.probability(test.p_value),
                "" if test.slope is None else f"{test.slope:.3g}",
                limit,
            )
        )
    made_for = any(studies.measure in TESTS[name].made_for for name, _ in found.tests)
    plus = (f"+ made for this kind of effect ({studies.measure}).",) if made_for else ()
    return SummaryTable(
        title=f"{studies.label}: tests of asymmetry, k = {studies.k}",
        columns=(
            Column("Test", numeric=False),
            Column("Statistic"),
            Column("df"),
            Column("p"),
            Column("Slope"),
            Column("Limit (CI)"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(
            *plus,
            "Choose one test beforehand: of many, some come out small by chance. Asymmetry has other causes than "
            "unpublished studies (heterogeneity, quality, chance). Limit: effect of an infinitely large study.",
        ),
    )


def _effects(found: BiasOf) -> SummaryTable | None:
    rows = [
        (name, effect_cell(found.studies, estimate, lower, upper), p_cell(found.studies, p_value), detail)
        for name, estimate, lower, upper, p_value, detail in found.estimates()
    ]
    if len(rows) == (1 if found.logits is None else 2):
        return None
    notes = []
    if found.limit is not None:
        limit = found.limit
        notes.append(
            f"Limit meta-analysis: of Q = {f.number(limit.q, 1)} small-study effects are {f.number(limit.q_small, 1)} "
            f"({f.p_value(limit.q_small_p_value)}); G2 = {f.percent(limit.g2)}."
        )
    for filled in found.trim_and_fill:
        if filled.p_value is not None:
            notes.append(f"Trim and fill R0: no missing study, {f.p_value(filled.p_value)}.")
        if not filled.converged:
            notes.append(f"Trim and fill {filled.estimator} went round in circles; its last step is shown.")
    notes.append("Each adjustment holds under its own model of what is missing; they are sensitivity analyses.")
    return SummaryTable(
        title=f"{found.studies.label}: pooled effect, adjusted for small-study effects",
        columns=(
            Column("", numeric=False),
            effect_column(found.studies, found.fit.level),
            Column("p"),
            Column("How", numeric=False),
        ),
        rows=tuple(rows),
        set_apart=frozenset({0} if found.logits is None else {0, 1}),
        notes=tuple(notes),
    )


def _weights(model: SelectionModel) -> str:
    if model.kind != "step":
        return ", ".join(f.number(d) for d in model.delta)
    ends = [0.0, *model.steps, 1.0]
    return "; ".join(f"{ends[i]:g}-{ends[i + 1]:g}: {f.number(d)}" for i, d in enumerate(model.delta))


def _selection(found: BiasOf) -> SummaryTable | None:
    if not found.selection:
        return None
    rows = [
        (
            "step" if model.kind == "step" else WEIGHTS[model.kind].label,
            effect_cell(found.studies, model.estimate, model.ci_lower, model.ci_upper),
            f.small(model.tau2),
            _weights(model) + ("" if not model.at_bound else " (at its bound)"),
            "" if model.lrt_p_value is None else f"{f.number(model.lrt)}, df {model.lrt_df}",
            f.probability(model.lrt_p_value) if model.lrt_p_value is not None else "given",
        )
        for model in found.selection
    ]
    sided = {"greater": "one-sided, for effects above none", "less": "one-sided, for effects below none"}
    notes = [
        f"p-values are {sided.get(found.alternative, 'two-sided')}. Weights: of a step function the chance to be seen "
        "relative to the first interval of p. Test: likelihood ratio against no selection; estimates by ML, normal "
        "intervals."
    ]
    failed = [model.kind for model in found.selection if not model.converged]
    if failed:
        notes.append(f"Not at a certified maximum: {', '.join(failed)}; use with care.")
    return SummaryTable(
        title=f"{found.studies.label}: selection models",
        columns=(
            Column("Weights", numeric=False),
            effect_column(found.studies, found.fit.level),
            Column("tau2"),
            Column("Parameters", numeric=False),
            Column("Test"),
            Column("p"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _copas(found: BiasOf) -> SummaryTable | None:
    if found.copas is None:
        return None
    rows = [
        (
            f"{step.chance:g}{' *' if i == found.copas.adequate else ''}",
            effect_cell(found.studies, step.estimate, step.ci_lower, step.ci_upper),
            f.small(step.tau2),
            f.number(step.rho),
            f.number(step.unpublished, 1),
            f.probability(step.residual_p_value),
        )
        for i, step in enumerate(found.copas.steps)
    ]
    notes = [
        "Chance: of the least precise study to be published (the most precise: 0.99). Residual p: of asymmetry that "
        "this selection leaves. rho at 1 or -1 is at its bound: the interval is then too narrow."
    ]
    if found.copas.adequate is not None:
        notes.append("* the mildest selection that accounts for the asymmetry (residual p above 0.1).")
    else:
        notes.append("No selection in this range accounts for the asymmetry (residual p above 0.1).")
    return SummaryTable(
        title=f"{found.studies.label}: Copas selection model, a sensitivity analysis",
        columns=(
            Column("Chance", numeric=False),
            effect_column(found.studies, found.fit.level),
            Column("tau2"),
            Column("rho"),
            Column("Unpublished"),
            Column("Residual p"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _significance(found: BiasOf) -> SummaryTable | None:
    rows: list[tuple[str, str, str]] = []
    notes: list[str] = []
    if found.excess is not None:
        e = found.excess
        rows.append(
            (
                "Excess significance",
                f"{e.observed} significant, {f.number(e.expected, 1)} expected",
                f"{f.p_value(e.p_value)} (exact {f.probability(e.p_value_exact)})",
            )
        )
    if found.p_curve is not None:
        c = found.p_curve
        rows.append(("p-curve, right skew", f"{c.significant} significant", f.p_value(c.p_right)))
        rows.append(("p-curve, half curve", f"{c.below_half} with p < 0.025", f.p_value(c.p_right_half)))
        power = f"{f.percent(c.power)} (90 % CI {f.percent(c.power_lower)} to {f.percent(c.power_upper)})"
        rows.append(("p-curve, flatter than 33 % power", f"power {power}", f.p_value(c.p_flat)))
        notes.append(
            "p-curve: " + ("evidential value." if c.evidential else "evidential value inadequate." if c.inadequate
                           else "inconclusive.")
        )  # fmt: skip
    if found.fail_safe is not None:
        n = found.fail_safe
        target = found.studies.natural(n.target)
        rows.append(("Fail-safe N, Rosenthal", f"{n.rosenthal:,} studies", ""))
        rows.append(("Fail-safe N, Rosenberg", f"{n.rosenberg:,} studies", ""))
        rows.append((f"Fail-safe N, Orwin (to {f.number(target)})", f"{n.orwin:,} studies "
                     f"(unweighted {n.orwin_unweighted:,})", ""))  # fmt: skip
        notes.append(ADVICE)
    if not rows:
        return None
    return SummaryTable(
        title=f"{found.studies.label}: significance",
        columns=(Column("", numeric=False), Column("Found", numeric=False), Column("Test", numeric=False)),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def tables_of(found: BiasOf) -> list[SummaryTable]:
    """Return the tables of one set of studies; one line where nothing was run."""
    if found.refused is not None:
        return [SummaryTable("Not tested", (Column("", numeric=False),), ((found.refused,),), frozenset(), ())]
    each = (_tests(found), _effects(found), _selection(found), _copas(found), _significance(found))
    shown = [table for table in each if table is not None]
    if not shown:
        return [SummaryTable(found.studies.label, (Column("", numeric=False),), (("Nothing to show.",),), frozenset(),
                             (*found.not_run, *found.notes, *found.hints))]  # fmt: skip
    return [*shown[:-1], replace(shown[-1], notes=(*shown[-1].notes, *found.not_run, *found.notes, *found.hints))]


def tables(result: BiasResult) -> list[SummaryTable]:
    """Return the tables of every set."""
    return [table for each in result.sets for table in tables_of(each)]
