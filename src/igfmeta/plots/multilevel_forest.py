"""A multilevel model -> its forest: rows by outcome, or by the outermost group, with the pooled estimates."""

from __future__ import annotations

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value, transform_of
from igfmeta.models.multilevel.inference import TESTS
from igfmeta.models.multilevel.results import Component, MultilevelFit
from igfmeta.numerics import Floats, t_quantile
from igfmeta.plots.fit_forest import drawn_natural, unit_of
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary
from igfmeta.synthesis.multilevel_results import MultilevelResult, MultilevelRow
from igfmeta.synthesis.pool_models import PROPORTIONS

SYMBOLS = {"sigma2": "σ²", "tau2": "τ²", "rho": "ρ"}


def multilevel_forest(result: MultilevelResult) -> Forest:
    """Return the forest: a diamond for each coefficient that is the mean of a group of rows.

    Rows stand under their outcome where each outcome has a mean of its own, else under the outermost level of the first
    random term, unless most of its groups have a single row. Weights are those of the rows in the mean of their group.
    """
    rate = result.measure in PROPORTIONS
    effect = "Rate %" if rate else label_of(result.measure).capitalize()
    own_means = result.means and result.fit.p > 1
    weights = _weights(result.fit) if result.means else None
    return Forest(
        title="",
        measure=result.measure,
        effect_label=f"{effect} ({100 * result.fit.level:g} % CI)",
        groups=(*(_by_mean(result, weights) if own_means else _by_group(result, weights)), *_not_used(result)),
        total=_summary(result, 0) if result.means and not own_means else None,
        transform="identity" if drawn_natural(result.measure) else transform_of(result.measure),
        null=None if rate else null_value(result.measure),
        favours=None,
        left_columns=(("inner", _inner_name(result)),) if not own_means and _inner_name(result) else (),
        right_columns=("estimate",) if weights is None else ("estimate", "weight"),
        weight_label=f"Weight ({result.fit.method})",
        lines=_lines(result),
        footnotes=(),
        level=result.fit.level,
    )


def _weights(fit: MultilevelFit) -> Floats:
    """Return the weight of each row in the mean of its own group, in percent: of (X'M^-1 X)^-1 X'M^-1."""
    weighted = np.linalg.solve(fit.covariance(), fit.x)
    by_mean = np.linalg.solve(fit.x.T @ weighted, weighted.T)
    return np.asarray(100 * by_mean[np.argmax(fit.x, axis=1), np.arange(fit.k)])


def _row(result: MultilevelResult, row: MultilevelRow, weight: float | None, inner: str = "") -> ForestRow:
    limits: tuple[float | None, float | None, float | None] = (None, None, None)
    if row.yi is not None and row.vi is not None:
        half = float(t_quantile(0.5 + result.fit.level / 2, np.inf)) * row.vi**0.5
        limits = _scaled(result, row.yi), _scaled(result, row.yi - half), _scaled(result, row.yi + half)
    return ForestRow(
        label=row.label, estimate=limits[0], ci_lower=limits[1], ci_upper=limits[2], weight=weight,
        source=row.reason or "", cells={"inner": inner} if inner else {},
    )  # fmt: skip


def _scaled(result: MultilevelResult, value: float | None) -> float | None:
    """Return a value as it is drawn: of rates on the reader's scale."""
    if value is None or not drawn_natural(result.measure):
        return value
    natural = result.natural(value)
    return None if natural is None else unit_of(result.measure) * natural


def _summary(result: MultilevelResult, i: int) -> ForestSummary:
    fit = result.fit
    prediction = result.prediction(i) or (None, None)
    k = int((fit.x[:, i] != 0).sum())
    return ForestSummary(
        label="Pooled" if fit.p > 1 else "All rows",
        estimate=_scaled(result, float(fit.coef[i])),
        ci_lower=_scaled(result, float(fit.ci_lower[i])),
        ci_upper=_scaled(result, float(fit.ci_upper[i])),
        pi_lower=_scaled(result, prediction[0]),
        pi_upper=_scaled(result, prediction[1]),
        k=k,
        text=f"k = {k}",
    )


def _by_mean(result: MultilevelResult, weights: Floats | None) -> list[ForestGroup]:
    assert weights is not None
    of = np.argmax(result.fit.x, axis=1)
    names = result.fit.names
    return [
        ForestGroup(
            heading=name,
            rows=tuple(_row(result, row, float(weights[n])) for n, row in enumerate(result.used) if of[n] == i),
            summary=_summary(result, i),
        )
        for i, name in enumerate(names)
    ]


def _by_group(result: MultilevelResult, weights: Floats | None) -> list[ForestGroup]:
    term = result.fit.terms[0]
    drawn = [
        _row(
            result, row, None if weights is None else float(weights[n]),
            "" if term.inner is None else term.inner_levels[int(term.inner[n])],
        )
        for n, row in enumerate(result.used)
    ]  # fmt: skip
    sizes = np.bincount(term.group)
    if len(sizes) == 1 or 2 * (sizes == 1).sum() > len(sizes):  # most groups are a row, which its label names
        return [ForestGroup(heading=None, rows=tuple(drawn), summary=None)]
    factor = term.label.rpartition("|")[2].strip()
    order = dict.fromkeys(term.group.tolist())
    return [
        ForestGroup(
            heading=f"{factor} {term.levels[code]}" if term.levels[code].isdigit() else term.levels[code],
            rows=tuple(row for row, own in zip(drawn, term.group.tolist(), strict=True) if own == code),
            summary=None,
        )
        for code in order
    ]


def _inner_name(result: MultilevelResult) -> str:
    """Return what the levels within groups are of; blank where there are none."""
    term = result.fit.terms[0]
    return "" if term.inner is None else term.label.partition("|")[0].strip().capitalize()


def _not_used(result: MultilevelResult) -> list[ForestGroup]:
    rows = tuple(_row(result, row, None) for row in result.rows if row.reason is not None)
    return [ForestGroup(heading="Not used", rows=rows, summary=None)] if rows else []


def _lines(result: MultilevelResult) -> tuple[str, ...]:
    fit = result.fit
    terms = [f"{formula} ({kind})" if "1 |" not in formula else formula
             for formula, kind in zip(result.random, result.struct, strict=True)]  # fmt: skip
    lines = [
        f"Random effects: {'; '.join(terms)}. Fixed effects: {result.mods or 'an intercept'}",
        *(_component(c, several=len(fit.terms) > 1) for c in fit.components),
        f"Residual heterogeneity: Q = {f.number(fit.qe)}, df = {fit.qe_df} ({f.p_value(fit.qe_p_value)})",
        f"{fit.method}; intervals: {TESTS[fit.test]}",
    ]
    if not result.means:
        lines.append("No pooled effect is drawn: the coefficients of the moderators stand in the table")
    return tuple(lines)


def _component(component: Component, *, several: bool) -> str:
    symbol, _, of = component.label.partition(" ")
    name = f"{SYMBOLS[symbol]}{f' {of}' if of else ''}{f', {component.term}' if several else ''}"
    if component.estimate is None:
        return f"{name}: not estimable"
    limits = f.interval(component.ci_lower, component.ci_upper, 4)
    return f"{name} = {f.small(component.estimate, 4)} ({limits})"
