"""A pool of associations -> its forest plot: strata of design, or cancers, each with its diamond."""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary
from igfmeta.synthesis.risk_results import RiskGroup, RiskResult, RiskStudy, RiskUnused

_STRATUM_OF_GENES = "Candidate genes (not pooled)"


def _row(study: RiskStudy, weight: float) -> ForestRow:
    return ForestRow(
        label=study.label,
        estimate=study.yi,
        ci_lower=math.log(study.ci_lower),
        ci_upper=math.log(study.ci_upper),
        weight=weight,
        href=study.href,
        source=f"{study.citation} {study.reported}. {study.derivation}.",
        cells={"cases": f.count(study.cases) if study.cases == study.cases else ""},
    )


def _gene(item: RiskUnused) -> ForestRow:
    numbers = item.reported.partition(", ")[0]
    return ForestRow(f"{item.label}: {numbers}", None, None, None, None, source=f"{item.reported}. {item.note}")


def _summary(group: RiskGroup, label: str) -> ForestSummary:
    fit, posterior = group.fit, group.posterior
    text = f"k = {fit.k}"
    if fit.tau2 is not None:
        text += f", τ² = {f.small(fit.tau2)}, I² = {f.number(fit.i2, 0)} %"
    return ForestSummary(
        label=label,
        estimate=fit.estimate,
        ci_lower=fit.ci_lower,
        ci_upper=fit.ci_upper,
        pi_lower=fit.pi_lower,
        pi_upper=fit.pi_upper,
        k=fit.k,
        tau2=fit.tau2,
        i2=fit.i2,
        text=text,
        second=(posterior.mu_median, posterior.ci_lower, posterior.ci_upper),
        second_label="Posterior",
        cells={"cases": ("≥" if group.cases_missing else "") + f.count(group.cases) if group.cases else ""},
    )


def _groups(result: RiskResult) -> tuple[ForestGroup, ...]:
    groups = [
        ForestGroup(
            heading=group.label,
            rows=tuple(_row(s, float(w)) for s, w in zip(group.studies, group.fit.weights, strict=True)),
            summary=_summary(group, "Pooled") if group.fit.k > 1 else None,
        )
        for group in result.groups
    ]
    genes = tuple(map(_gene, result.genes()))
    return (*groups, ForestGroup(_STRATUM_OF_GENES, genes, None)) if genes else tuple(groups)


def _lines(result: RiskResult) -> tuple[str, ...]:
    lines, fit = [], result.groups[0].fit
    if result.between is not None:
        test = result.between
        what = "cancers" if result.by else "designs"
        lines.append(f"Between {what}: Q = {f.number(test.q)}, df = {test.df} ({f.p_value(test.p_value)})")
    lines.append(f"τ² by {fit.method}; interval by {fit.ci}; prediction interval by {fit.pi}")
    return tuple(lines)


def risk_forest(result: RiskResult) -> Forest:
    """Return the forest plot of a pool of associations, one group per stratum or cancer.

    Parameters
    ----------
    result : RiskResult
        With at least one group.
    """
    measures = {group.measure for group in result.groups}
    one = measures.pop() if len(measures) == 1 else "LOG"
    per = result.target.rule or f"per {result.target.label}"
    return Forest(
        title=f"{result.question}, {per}",
        measure=one,
        effect_label=f"{label_of(one).capitalize()} ({100 * result.groups[0].fit.level:g} % CI)",
        groups=_groups(result),
        total=None if result.overall is None else _summary(result.overall, result.overall.label),
        transform="exp",
        null=0.0,
        favours=("Lower risk", "Higher risk"),
        left_columns=(("cases", "Cases"),),
        weight_label="Weight (random effects, within each group)",
        lines=_lines(result),
        footnotes=(),
        level=result.groups[0].fit.level,
    )
