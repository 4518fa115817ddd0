"""The tables of a meta-regression: coefficients, predictions, contrasts, the variances, how moderators go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, transform_of
from igfmeta.models.regression.location_scale import Wald
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.regress_results import MetaRegression, Said

#: A standard error is inflated twice, or more, by what moderators share (a generalized VIF of 4 for one column).
INFLATED = 2.0

#: An intercept with so large a standard error of a log ratio or logit is at moderators far from the studies', and its
#: exponential means nothing.
FAR = 2.0

_TESTS = {
    "HK": "Hartung-Knapp, t",
    "HK-floor": "Hartung-Knapp, never narrower than t",
    "KR": "Kenward-Roger",
    "t": "t",
    "z": "normal",
}


def tables(result: MetaRegression) -> list[SummaryTable]:
    """Return the tables of a meta-regression, the answer first."""
    found = [coefficient_table(result)]
    if result.predictions:
        found.append(prediction_table(result))
    if result.contrasts:
        found.append(contrast_table(result))
    if result.location_scale is not None:
        found.append(scale_table(result))
    if result.inflation:
        found.append(inflation_table(result))
    left_out = [row for row in result.rows if row.reason]
    if left_out:
        found.append(
            SummaryTable(
                title="Not used",
                columns=(Column("", numeric=False), Column("Reason", numeric=False)),
                rows=tuple((row.label, row.reason or "") for row in left_out),
                set_apart=frozenset(),
                notes=(),
            )
        )
    return found


def _df(df: float | None) -> str:
    return "∞" if df is None else f.number(df, 1)


def _with_interval(middle: float, lower: float, upper: float, decimals: int = 3) -> str:
    return f"{f.number(middle, decimals)} ({f.interval(lower, upper, decimals)})"


def _scale(result: MetaRegression) -> str:
    return {"exp": f"log {_ratio(result)}", "expit": "logit"}.get(transform_of(result.measure), result.measure)


def _ratio(result: MetaRegression) -> str:
    return "ratio" if result.measure == "LOG" else result.measure


def coefficient_table(result: MetaRegression) -> SummaryTable:
    """Return the coefficients, with heterogeneity, omnibus test and remarks under them."""
    fit, rows = result.fit, []
    decimals = _decimals([each.se for each in fit.coefficients])
    for i, each in enumerate(fit.coefficients):
        own = [each.name, _with_interval(each.estimate, each.ci_lower, each.ci_upper, decimals)]
        if result.multiplies:
            with np.errstate(over="ignore"):
                factors = np.exp([each.estimate, each.ci_lower, each.ci_upper]).tolist()
            shown = _with_interval(factors[0], factors[1], factors[2], decimals)
            own.append("" if _is_far(result, i) else shown)
        own += [f.number(each.se, decimals), _df(each.df), f.small(each.p_value)]
        if result.permutation is not None:
            own.append(f.small(float(result.permutation.p_values[i])))
        rows.append(tuple(own))
    level = f"{100 * fit.level:g} %"
    columns = [Column("", numeric=False), Column(f"Coefficient ({level} CI)")]
    if result.multiplies:
        times = "Odds" if transform_of(result.measure) == "expit" else _ratio(result)
        columns.append(Column(f"{times[:1].upper()}{times[1:]} × ({level} CI)"))
    columns += [Column("SE"), Column("df"), Column("p")]
    columns += [] if result.permutation is None else [Column("p permuted")]
    return SummaryTable(
        title=result.title,
        columns=tuple(columns),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(_notes(result)),
    )


def _is_far(result: MetaRegression, i: int) -> bool:
    each = result.fit.coefficients[i]
    return each.name not in result.fit.tested and each.se > FAR


def _decimals(sizes: Sequence[float]) -> int:
    """Return the decimals that give the smallest of several standard errors two digits, between 3 and 6."""
    smallest = min((s for s in sizes if s > 0), default=1.0)
    return int(np.clip(np.ceil(-np.log10(smallest)) + 1, 3, 6))


def _notes(result: MetaRegression) -> list[str]:
    fit = result.fit
    words = label_of(result.measure)
    notes = [
        f"{words[:1].upper()}{words[1:]}, on the scale {_scale(result)}; tau2 by {fit.method}, tests and intervals "
        f"{_TESTS[fit.test]}.",
        _heterogeneity(result),
        f"Test of residual heterogeneity: QE = {f.number(fit.qe)}, df = {fit.qe_df}, {f.p_value(fit.qe_p_value)}.",
    ]
    if fit.tested != ("Intercept",):
        notes.append(_omnibus(result))
    if result.multiplies and any(_is_far(result, i) for i in range(fit.p)):
        notes.append("Intercept: at 0 of every moderator, which is far from the studies.")
    permuted = _permuted(result)
    notes += [permuted] if permuted else []
    notes += [*fit.remarks, *result.remarks]
    if result.unused:
        reasons = Counter(result.unused)
        said = "; ".join(f"{n} {reason}" for reason, n in reasons.most_common(4))
        more = sum(n for _, n in reasons.most_common()[4:])
        notes.append(f"Not used: {said}{f'; {more} for other reasons' if more else ''}.")
    return [*notes, f"Data: {result.origin}, sha256 {result.fingerprint[:12]}."]


def _heterogeneity(result: MetaRegression) -> str:
    fit = result.fit
    if fit.method == "CE":
        return "Common effect: between studies nothing but the moderators is assumed to differ."
    out = f"Residual tau2 = {f.small(fit.tau2)}"
    if fit.tau2_ci_lower is not None and fit.tau2_ci_upper is not None:
        out += f" (Q-profile {f.interval(fit.tau2_ci_lower, fit.tau2_ci_upper, 3)})"
    out += f", I2 = {f.number(fit.i2, 1)} %"
    if fit.r2 is not None:
        out += f", R2 = {f.number(fit.r2, 1)} % of tau2 = {f.small(fit.tau2_total)} without moderators"
    return f"{out}."


def _omnibus(result: MetaRegression) -> str:
    fit = result.fit
    if fit.qm_df2 is None:
        return f"Test of the moderators: QM = {f.number(fit.qm)}, df = {fit.qm_df}, {f.p_value(fit.qm_p_value)}."
    return (
        f"Test of the moderators: F = {f.number(fit.qm)}, df = {fit.qm_df} and {f.number(fit.qm_df2, 1)}, "
        f"{f.p_value(fit.qm_p_value)}."
    )


def _permuted(result: MetaRegression) -> str | None:
    found = result.permutation
    if found is None:
        return None
    what = "signs of the effects flipped" if found.kind == "flipped" else "effects dealt anew to the moderators"
    model = f"of the moderators {f.p_value(found.p_model)}"
    if found.exact:
        return f"Permutation test, {what}: all {f.count(found.permutations)}; {model}."
    return (
        f"Permutation test, {what}: {f.count(found.permutations)} with the data as observed, seed {result.seed}; "
        f"{model}, Monte Carlo standard error {f.small(found.error_model)}."
    )


def _shown(result: MetaRegression, value: float | None) -> float | None:
    found = result.natural(value)
    return 100 * found if found is not None and transform_of(result.measure) == "expit" else found


def prediction_table(result: MetaRegression) -> SummaryTable:
    """Return what the model says at moderators, on the reader's scale."""
    rate = transform_of(result.measure) == "expit"
    decimals = 1 if rate else 2

    def row(each: Said) -> tuple[str, ...]:
        middle, lower, upper, low, high = (
            _shown(result, value)
            for value in (each.estimate, each.ci_lower, each.ci_upper, each.pi_lower, each.pi_upper)
        )
        shown = f"{f.number(middle, decimals)} ({f.interval(lower, upper, decimals)})"
        return each.label, shown, f.interval(low, high, decimals), _df(each.df)

    level = f"{100 * result.fit.level:g} %"
    return SummaryTable(
        title="Predictions",
        columns=(
            Column("At", numeric=False),
            Column(f"{'Rate %' if rate else label_of(result.measure)} ({level} CI)"),
            Column(f"{level} PI"),
            Column("df"),
        ),
        rows=tuple(map(row, result.predictions)),
        set_apart=frozenset(),
        notes=("CI: the mean effect of such studies; PI: the effect in one new study of that kind.",),
    )


def contrast_table(result: MetaRegression) -> SummaryTable:
    """Return the differences between levels of factors."""
    rows = tuple(
        (
            each.label,
            _with_interval(each.estimate, each.ci_lower, each.ci_upper),
            _df(each.df),
            f.small(each.p_value),
            f.small(each.p_adjusted),
        )
        for each in result.contrasts
    )
    n = len(rows)
    said = (
        "P-values are not adjusted."
        if result.adjust == "none" or n < 2
        else f"P-values adjusted for {n} contrasts: {result.adjust}. Intervals are not adjusted."
    )
    return SummaryTable(
        title=f"Contrasts, on the scale {_scale(result)}",
        columns=(
            Column("", numeric=False),
            Column(f"Difference ({100 * result.fit.level:g} % CI)"),
            Column("df"),
            Column("p"),
            Column("p adjusted"),
        ),
        rows=rows,
        set_apart=frozenset(),
        notes=(said,),
    )


def inflation_table(result: MetaRegression) -> SummaryTable:
    """Return the variance inflation factors."""
    high = [each.term for each in result.inflation if each.per_df >= INFLATED]
    notes = ["GVIF^(1/(2 df)): by how much standard errors are wider because moderators go together (Fox & Monette)."]
    if high:
        notes.append(f"Standard errors of {', '.join(high)} are at least doubled: their effects cannot be told apart.")
    return SummaryTable(
        title="Variance inflation",
        columns=(Column("Term", numeric=False), Column("df"), Column("GVIF"), Column("GVIF^(1/(2 df))")),
        rows=tuple((each.term, f"{each.df}", f.number(each.gvif), f.number(each.per_df)) for each in result.inflation),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def scale_table(result: MetaRegression) -> SummaryTable:
    """Return the location-scale model: moderators of the effect, and of log tau2."""
    found = result.location_scale
    assert found is not None
    rows = [*_wald_rows("Effect", found.location), *_wald_rows("log tau2", found.scale)]
    sign = "F" if found.test == "t" else "chi2"
    notes = [f"{found.method}, {found.test} tests; log-likelihood {f.number(found.log_likelihood, 3)}."]
    for name, statistic, df, p in (
        ("effect", found.qm, found.qm_df, found.qm_p_value),
        ("variance", found.qs, found.qs_df, found.qs_p_value),
    ):
        if df:
            notes.append(f"Moderators of the {name}: {sign} = {f.number(statistic)}, df = {df}, {f.p_value(p)}.")
    tau2 = f"{f.small(float(found.tau2.min()))} to {f.small(float(found.tau2.max()))}"
    return SummaryTable(
        title=f"Location-scale model: effect {result.formula}, log tau2 {result.scale_formula}",
        columns=(
            Column("Of", numeric=False),
            Column("", numeric=False),
            Column(f"Coefficient ({100 * found.level:g} % CI)"),
            Column("SE"),
            Column("p"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(*notes, f"tau2 of the studies: {tau2}.", *found.remarks),
    )


def _wald_rows(part: str, found: Wald) -> list[tuple[str, ...]]:
    decimals = _decimals(found.se.tolist())
    return [
        (
            part,
            name,
            _with_interval(
                float(found.estimate[i]), float(found.ci_lower[i]), float(found.ci_upper[i]), decimals
            ),
            f.number(float(found.se[i]), decimals),
            f.small(float(found.p_value[i])),
        )
        for i, name in enumerate(found.names)
    ]  # fmt: skip
