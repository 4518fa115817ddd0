"""Several results of a study -> their forest: under the heading of each cluster its results, and the robust mean."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.models.robust.fitting import RobustCoefficient
from igfmeta.numerics import t_quantile
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.robust_results import RobustResult, RobustRow

#: Above the clusters with one row, which need no heading of their own.
SINGLE = "One result each"

#: Coefficients that are no means and are said under the plot; more stand in the table alone.
SAID = 6


def robust_forest(result: RobustResult) -> Forest:
    """Return the forest of a fit with robust variances.

    Clusters with several rows stand first, each under its heading; the mean, or each of several, is a diamond.
    Coefficients that are no means of rows are said under the plot.
    """
    rate = result.measure in PROPORTIONS
    means = result.fit.coefficients if result.means else ()
    return Forest(
        title="",
        measure=result.measure,
        effect_label=f"{'Rate %' if rate else label_of(result.measure).capitalize()} ({100 * result.fit.level:g} % CI)",
        groups=(*_groups(result), *(_means(result) if len(means) > 1 else ())),
        total=_mean(result, means[0], "Robust mean") if len(means) == 1 else None,
        transform="identity" if rate else transform_of(result.measure),
        null=None if rate else null_value(result.measure),
        favours=None,
        left_columns=(),
        right_columns=("estimate", "weight"),
        weight_label=f"Weight (sums of the rows of the weight matrix, working model {result.fit.working})",
        lines=tuple(_lines(result)),
        footnotes=(),
        level=result.fit.level,
    )


def _means(result: RobustResult) -> list[ForestGroup]:
    """Return a diamond for each of several means, under one heading."""
    return [
        ForestGroup("Robust means" if i == 0 else None, (), _mean(result, each, each.name))
        for i, each in enumerate(result.fit.coefficients)
    ]


def _groups(result: RobustResult) -> list[ForestGroup]:
    of: dict[str, list[RobustRow]] = {}
    for row in result.used:
        of.setdefault(row.cluster, []).append(row)
    several = [rows for rows in of.values() if len(rows) > 1]
    groups = [
        ForestGroup(rows[0].group, tuple(_row(result, row, _told_apart(row)) for row in rows), None) for rows in several
    ]
    lone = [rows[0] for rows in of.values() if len(rows) == 1]
    if lone:
        drawn = tuple(_row(result, row, _alone(result, row)) for row in lone)
        groups.append(ForestGroup(SINGLE if several else None, drawn, None))
    missing = [row for row in result.rows if row.reason]
    if missing:
        dashes = tuple(ForestRow(row.label, None, None, None, None, source=row.reason or "") for row in missing)
        groups.append(ForestGroup("Not estimable", dashes, None))
    return groups


def _told_apart(row: RobustRow) -> str:
    """Return what a row is called under the heading of its cluster."""
    return (
        row.detail
        if row.label in (row.group, row.cluster, row.detail)
        else f"{row.label}: {row.detail}".removesuffix(": ")
    )


def _alone(result: RobustResult, row: RobustRow) -> str:
    """Return what a row is called that is alone in its cluster: with its outcome, or with its cluster in a table."""
    if result.outcomes:
        return f"{row.label}: {row.detail}".removesuffix(": ")
    return f"{row.group}: {row.label}" if row.label == row.detail else row.label


def _row(result: RobustResult, row: RobustRow, label: str) -> ForestRow:
    if result.measure in PROPORTIONS:
        middle, lower, upper = (None if v is None else 100 * v for v in (row.estimate, row.ci_lower, row.ci_upper))
    else:
        half = float(t_quantile(0.5 + result.fit.level / 2, float("inf"))) * (row.vi or 0.0) ** 0.5
        middle, lower, upper = (None if row.yi is None else row.yi + side * half for side in (0, -1, 1))
    return ForestRow(label, middle, lower, upper, weight=row.weight, href=row.href, source=row.citation)


def _mean(result: RobustResult, mean: RobustCoefficient, label: str) -> ForestSummary:
    def drawn(value: float | None) -> float | None:
        if value is None or result.measure not in PROPORTIONS:
            return value
        natural = result.natural(value)
        return None if natural is None else 100 * natural

    tested = "" if result.no_null else f", {f.p_value(mean.p_value)}"
    df = "no robust variance" if mean.df is None else f"df = {f.number(mean.df, 1)}{tested}"
    return ForestSummary(
        label=label,
        estimate=drawn(mean.estimate),
        ci_lower=drawn(mean.ci_lower),
        ci_upper=drawn(mean.ci_upper),
        k=result.fit.k,
        tau2=result.fit.tau2,
        text=f"{result.fit.adjustment}, {df}",
    )


def _lines(result: RobustResult) -> list[str]:
    fit = result.fit
    lines = [f"{fit.k} rows in {fit.clusters} clusters ({result.cluster}), {result.several} of them with several"]
    said = [] if fit.rho is None else [f"assumed correlation {fit.rho:g}"]
    said += [] if fit.tau2 is None else [f"τ² = {f.small(fit.tau2, 4)}"]
    said += [] if fit.omega2 is None else [f"ω² within = {f.small(fit.omega2, 4)}"]
    lines.append(f"Working model {fit.working}: {', '.join(said)}; variance {fit.adjustment}")
    if not result.means:
        lines += [_said(each) for each in fit.coefficients[:SAID]]
    return lines


def _said(each: RobustCoefficient) -> str:
    """Return a coefficient in a line, on the analysis scale."""
    if each.df is None:
        return f"{each.name}: {f.number(each.estimate, 3)}, no robust variance"
    return (
        f"{each.name}: {f.number(each.estimate, 3)} ({f.interval(each.ci_lower, each.ci_upper, 3)}), "
        f"df = {f.number(each.df, 1)}, {f.p_value(each.p_value)}"
    )
