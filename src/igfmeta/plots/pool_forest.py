"""A pool -> its forest plots: what each line, diamond and note says. No drawing here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.errors import check_choice
from igfmeta.numerics import t_quantile
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary, Transform
from igfmeta.synthesis.pool_models import POOL_MODELS, RANDOM
from igfmeta.synthesis.results import Answer, Group, methods_of
from igfmeta.synthesis.studies import MARKS, Study


def _is_rate(answer: Answer) -> bool:
    return answer.question.arms == "single_arm"


def _scale(answer: Answer, group: Group, value: float | None) -> float | None:
    """Return a pooled value on the scale that the forest draws: percent for rates, the analysis scale otherwise."""
    if value is None or not _is_rate(answer):
        return value
    natural = group.natural(value)
    return None if natural is None else 100 * natural


def _counts(study: Study, first: int) -> str:
    events, n = study.counts[first], study.counts[first + 1]
    if n != n:
        return ""
    return f"{events:.0f}/{n:.0f}" if events == events else f"{n:.0f}"


def _row(answer: Answer, study: Study, weight: float) -> ForestRow:
    if _is_rate(answer):
        values = [100 * value for value in (study.estimate, study.ci_lower, study.ci_upper)]
    else:
        half = _half_width(study, answer)
        values = [study.yi, study.yi - half, study.yi + half]
    return ForestRow(
        label=study.label,
        estimate=values[0],
        ci_lower=values[1],
        ci_upper=values[2],
        weight=weight,
        href=study.href,
        source=study.citation,
        cells={
            "agent": study.agent,
            "class": study.agent_class,
            "tumor": study.tumor_type,
            "subtype": study.tumor_subtype,
            "phase": study.phase,
            "year": f"{study.year:.0f}" if study.year == study.year else "",
            "rule": study.derivation,
            "n": f.count(study.patients) if study.patients == study.patients else "",
            "experimental": _counts(study, 0),
            "control": _counts(study, 2),
        },
        marks=study.marks,
    )


def _half_width(study: Study, answer: Answer) -> float:
    return float(t_quantile(0.5 + answer.overall.fit.level / 2, math.inf)) * math.sqrt(study.vi)


def _heterogeneity(group: Group) -> str:
    fit = group.fit
    if fit.tau2 is None:
        return f"k = {fit.k}"
    return f"k = {fit.k}, τ² = {f.small(fit.tau2)}, I² = {f.number(fit.i2, 0)} %"


def _summary(answer: Answer, group: Group, label: str, bayes: bool) -> ForestSummary:
    fit, posterior = group.fit, group.posterior

    def on_scale(value: float | None) -> float | None:
        return _scale(answer, group, value)

    middle, low, high = posterior.mu_median, posterior.ci_lower, posterior.ci_upper
    second = (on_scale(middle), on_scale(low), on_scale(high)) if bayes else None
    return ForestSummary(
        label=label,
        estimate=on_scale(fit.estimate),
        ci_lower=on_scale(fit.ci_lower),
        ci_upper=on_scale(fit.ci_upper),
        pi_lower=on_scale(fit.pi_lower),
        pi_upper=on_scale(fit.pi_upper),
        k=fit.k,
        tau2=fit.tau2,
        i2=fit.i2,
        text=_heterogeneity(group),
        second=second,
        second_label="Posterior" if bayes else "",
        cells={"n": ("≥" if group.patients_missing else "") + f.count(group.patients) if group.patients else ""},
    )


#: Columns that can stand beside the plot, with their headings; `estimate` and `weight` make their own.
COLUMNS = {
    "experimental": "n exp.", "control": "n ctl.", "n": "n", "agent": "Agent", "class": "Class", "tumor": "Tumour",
    "subtype": "Subtype", "phase": "Phase", "year": "Year", "rule": "Rule", "estimate": "", "weight": "",
}  # fmt: skip


def _chosen(side: str, columns: Sequence[str]) -> tuple[str, ...]:
    accepted = [name for name in COLUMNS if side == "right" or COLUMNS[name]]
    return tuple(check_choice(f"column on the {side}", name, accepted) for name in columns)


def _not_estimable(answer: Answer) -> tuple[ForestGroup, ...]:
    """Return the studies that answer the question and whose numbers give no effect, each with a dash."""
    missing = [item for item in answer.unused if item.not_estimable]
    rows = tuple(ForestRow(f"{m.label} ({m.row_id})", None, None, None, None, source=m.reason) for m in missing)
    return (ForestGroup(heading="Not estimable", rows=rows, summary=None),) if rows else ()


def _groups(answer: Answer, bayes: bool) -> tuple[ForestGroup, ...]:
    weights = {
        study.row_ids: float(weight)
        for study, weight in zip(answer.overall.studies, answer.overall.fit.weights, strict=True)
    }
    shown = answer.groups or (answer.overall,)
    groups = tuple(
        ForestGroup(
            heading=group.label if answer.groups else None,
            rows=tuple(_row(answer, study, weights.get(study.row_ids, float("nan"))) for study in group.studies),
            summary=_summary(answer, group, "Pooled", bayes) if answer.groups and group.fit.k > 1 else None,
        )
        for group in shown
    )
    return (*groups, *_not_estimable(answer))


def _lines(answer: Answer) -> tuple[str, ...]:
    fit, used, model = answer.overall.fit, methods_of(answer.overall), answer.question.model
    name = "likelihood ratio" if model in ("glmm", "logistic") else "Q"
    lines = []
    if fit.tau2 is not None:
        lines.append(
            f"Heterogeneity: {name} = {f.number(fit.q)}, df = {fit.q_df} ({f.p_value(fit.q_p_value)}); "
            f"τ² = {f.small(fit.tau2)} ({f.interval(fit.tau2_ci_lower, fit.tau2_ci_upper, 3)}); "
            f"I² = {f.number(fit.i2, 0)} %"
        )
    if answer.between:
        test = answer.between
        lines.append(
            f"Between groups: {test.statistic} = {f.number(test.q)}, df = {test.df} ({f.p_value(test.p_value)})"
        )
    if model in ("glmm", RANDOM):
        lines.append(f"τ² by {used['method']}; interval by {used['ci']}; prediction interval by {used['pi']}")
    else:
        label = POOL_MODELS[model].label
        lines.append(f"{label[:1].upper()}{label[1:]}; interval by {used['ci']}")
    return tuple(lines)


#: What the weights of a model are.
_WEIGHTS = {
    RANDOM: "random effects",
    "glmm": "share of the information",
    "mh": "Mantel-Haenszel",
    "peto": "Peto",
    "beta-binomial": "share of the patients",
    "logistic": "inverse variance",
    "firth": "inverse variance",
}


def _favours(answer: Answer) -> tuple[str, str] | None:
    if _is_rate(answer):
        return None
    sides = ("Favours experimental", "Favours control")
    return sides if answer.question.better == "lower" else (sides[1], sides[0])


def _has_events(answer: Answer) -> bool:
    return answer.question.measure != "HR"


def answer_forest(
    answer: Answer, *, bayes: bool = True, left: Sequence[str] | None = None, right: Sequence[str] | None = None
) -> Forest:
    """Return the forest plot of one answer.

    Parameters
    ----------
    answer : Answer
    bayes : bool
        Draw the posterior beside each pooled effect.
    left, right : sequence of str, optional
        Columns beside the plot, of `COLUMNS`. Default: numbers of patients on the left (events for rates), estimate and
        weight on the right.

    Raises
    ------
    InputError
        A column that there is not.
    """
    rate = _is_rate(answer)
    marks = sorted({mark for study in answer.overall.studies for mark in study.marks})
    transform: Transform = "identity" if rate else transform_of(answer.question.measure)
    beside = _chosen("left", left if left is not None else ("experimental",) if rate else ("experimental", "control"))
    headings = {**COLUMNS, "experimental": "Events/n"} if rate or _has_events(answer) else COLUMNS
    effect = "Rate %" if rate else label_of(answer.question.measure).capitalize()
    return Forest(
        title=f"{answer.question.label}: {label_of(answer.question.measure)}",
        measure=answer.question.measure,
        effect_label=f"{effect} ({100 * answer.overall.fit.level:g} % CI)",
        groups=_groups(answer, bayes),
        total=_summary(answer, answer.overall, "All studies", bayes),
        transform=transform,
        null=None if rate else null_value(answer.question.measure),
        favours=_favours(answer),
        left_columns=tuple((name, headings[name]) for name in beside),
        right_columns=_chosen("right", right if right is not None else ("estimate", "weight")),
        weight_label=f"Weight ({_WEIGHTS[answer.question.model]}, all studies)",
        lines=_lines(answer),
        footnotes=tuple((mark, MARKS[mark]) for mark in marks),
        level=answer.overall.fit.level,
    )
