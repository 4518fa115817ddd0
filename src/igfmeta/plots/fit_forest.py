"""A fit of one table -> its forest plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.models.results import Pooled
from igfmeta.numerics import t_quantile
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary, Triple
from igfmeta.synthesis.fitting import FitResult, FitStudy
from igfmeta.synthesis.models_of_fit import BETWEEN_STUDIES
from igfmeta.synthesis.pool_models import PROPORTIONS


def _row(result: FitResult, study: FitStudy) -> ForestRow:
    limits: tuple[float | None, float | None, float | None] = (None, None, None)
    if study.yi is not None and study.vi is not None:
        half = float(t_quantile(0.5 + result.fit.level / 2, np.inf)) * study.vi**0.5
        limits = (study.yi, study.yi - half, study.yi + half)
        if drawn_natural(result.measure):
            unit = unit_of(result.measure)
            limits = _times(study.estimate, unit), _times(study.ci_lower, unit), _times(study.ci_upper, unit)
    return ForestRow(
        label=study.label,
        estimate=limits[0],
        ci_lower=limits[1],
        ci_upper=limits[2],
        weight=study.weight,
        source=study.reason or "",
    )


def drawn_natural(measure: str) -> bool:
    """Return whether the axis has the reader's scale: for proportions, and for rates that are not logarithms."""
    return measure in PROPORTIONS or measure in ("IR", "IRS")


def unit_of(measure: str) -> float:
    """Return by what natural values are multiplied: proportions are drawn in percent."""
    return 100.0 if measure in PROPORTIONS else 1.0


def _times(value: float | None, unit: float) -> float | None:
    return None if value is None else unit * value


def _summary(result: FitResult, fit: Pooled, label: str, *, total: bool) -> ForestSummary:
    def scaled(value: float | None) -> float | None:
        return _times(result.natural(value), unit_of(result.measure)) if drawn_natural(result.measure) else value

    posterior = result.posterior if total else None
    second: Triple | None = None
    if posterior is not None:
        second = (scaled(posterior.mu_median), scaled(posterior.ci_lower), scaled(posterior.ci_upper))
    text = f"k = {fit.k}"
    if fit.estimate is None:
        text += ", no finite effect"
    if fit.tau2 is not None:
        text += f", τ² = {f.small(fit.tau2)}"
    if fit.i2 is not None:
        text += f", I² = {f.number(fit.i2, 0)} %"
    return ForestSummary(
        label=label,
        estimate=scaled(fit.estimate),
        ci_lower=scaled(fit.ci_lower),
        ci_upper=scaled(fit.ci_upper),
        pi_lower=scaled(fit.pi_lower),
        pi_upper=scaled(fit.pi_upper),
        k=fit.k,
        tau2=fit.tau2,
        i2=fit.i2,
        text=text,
        second=second,
        second_label="Posterior" if second else "",
    )


def _groups(result: FitResult) -> tuple[ForestGroup, ...]:
    if result.subgroups is None:
        rows = tuple(_row(result, study) for study in result.studies)
        return (ForestGroup(heading=None, rows=rows, summary=None),)
    fits = dict(zip(map(str, result.subgroups.levels), result.subgroups.fits, strict=True))
    order: Sequence[str] = list(dict.fromkeys(study.group or "" for study in result.studies))
    return tuple(
        ForestGroup(
            heading=level,
            rows=tuple(_row(result, study) for study in result.studies if (study.group or "") == level),
            summary=_summary(result, fits[level], "Pooled", total=False)
            if level in fits and fits[level].k > 1
            else None,
        )
        for level in order
    )


def _lines(result: FitResult) -> tuple[str, ...]:
    fit = result.fit
    lines = []
    if fit.tau2 is not None:
        lines.append(
            f"Heterogeneity: Q = {f.number(fit.q)}, df = {fit.q_df} ({f.p_value(fit.q_p_value)}); "
            f"τ² = {f.small(fit.tau2, 4)} ({f.interval(fit.tau2_ci_lower, fit.tau2_ci_upper, 4)}); "
            f"I² = {f.number(fit.i2, 0)} %"
        )
    test = result.subgroups
    if test is not None and test.q_between is not None:
        name = {"Q": "Q", "Wald": "Wald χ²", "LR": "likelihood ratio"}[test.test]
        variance = BETWEEN_STUDIES.get(result.model)
        shared = f"; {variance.replace('tau2', 'τ²')} {test.tau2}" if variance else ""
        lines.append(
            f"Between groups: {name} = {f.number(test.q_between)}, df = {test.q_between_df} "
            f"({f.p_value(test.p_between)}){shared}"
        )
    if fit.pi == "none":
        lines.append(f"Pooled by {fit.method}; interval by {fit.ci}")
    else:
        lines.append(f"τ² by {fit.method}; interval by {fit.ci}; prediction interval by {fit.pi}")
    return tuple(lines)


def fit_forest(result: FitResult) -> Forest:
    """Return the forest plot of a fit."""
    rate = result.measure in PROPORTIONS
    label = "Rate %" if rate else label_of(result.measure).capitalize()
    return Forest(
        title="",
        measure=result.measure,
        effect_label=f"{label} ({100 * result.fit.level:g} % CI)",
        groups=_groups(result),
        total=_summary(result, result.fit, "All studies", total=True),
        transform="identity" if drawn_natural(result.measure) else transform_of(result.measure),
        null=None if rate else null_value(result.measure),
        favours=None,
        left_columns=(),
        right_columns=("estimate", "weight"),
        weight_label=f"Weight ({result.fit.method})",
        lines=_lines(result),
        footnotes=(),
        level=result.fit.level,
    )
