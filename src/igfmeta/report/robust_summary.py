"""The tables of a fit with robust variances: the coefficients, the sweep over rho, what was not used."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, transform_of
from igfmeta.models.robust.fitting import RobustCoefficient, RobustFit
from igfmeta.models.robust.sandwich import HtzTest
from igfmeta.models.robust.working import WORKING
from igfmeta.report.summary import Column, SummaryTable, counted
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.robust_results import RobustResult

_ADJUSTMENTS = {
    "CR0": "CR0 (no small-sample adjustment)",
    "CR1": "CR1 (J/(J - 1))",
    "CR2": "CR2 (bias-reduced linearization)",
}


def tables(result: RobustResult) -> list[SummaryTable]:
    """Return the tables of a fit with robust variances, the answer first."""
    found = [coefficient_table(result)]
    if result.sweep:
        found.append(sweep_table(result))
    if any(row.reason for row in result.rows):
        found.append(unused_table(result))
    return found


def estimate_text(result: RobustResult, each: RobustCoefficient) -> str:
    """Return a coefficient with its interval as the reader knows it: a ratio, a rate in percent, a slope."""
    values = [result.natural(value) for value in (each.estimate, each.ci_lower, each.ci_upper)]
    rate = result.on_reader_scale and result.measure in PROPORTIONS
    return with_interval(values, rate=rate, decimals=2 if result.on_reader_scale else 3)


def with_interval(values: Sequence[float | None], *, rate: bool, decimals: int = 2) -> str:
    """Return estimate and limits; rates in percent."""
    digits = 1 if rate else decimals
    estimate, lower, upper = (100 * v if rate and v is not None else v for v in values)
    shown = f.interval(lower, upper, digits) if lower is not None else "no interval"
    return f"{f.number(estimate, digits)} ({shown})"


def _what(result: RobustResult) -> str:
    if not result.on_reader_scale:
        return "Coefficient"
    return "Rate %" if result.measure in PROPORTIONS else label_of(result.measure)


def coefficient_table(result: RobustResult) -> SummaryTable:
    """Return the coefficients, with the working model and remarks under them."""
    fit = result.fit
    rows = tuple(
        (
            each.name,
            estimate_text(result, each),
            f.number(each.se, 3),
            f.number(each.model_se, 3),
            f.number(each.df, 1),
            f.NOT_ESTIMABLE if result.no_null else f.probability(each.p_value),
        )
        for each in fit.coefficients
    )
    return SummaryTable(
        title=result.title,
        columns=(
            Column("Effect", numeric=False), Column(f"{_what(result)}\n({100 * fit.level:g} % CI)"),
            Column("Robust\nSE"), Column("Model\nSE"), Column("df"), Column("p"),
        ),
        rows=rows,
        set_apart=frozenset(),
        notes=tuple(_notes(result)),
    )  # fmt: skip


def _notes(result: RobustResult) -> list[str]:
    fit = result.fit
    notes = [
        f"{_fixed_effects(result)} Clusters: {result.cluster}, {fit.clusters} of them, {result.several} with several "
        "rows, which may depend on each other in any way.",
        f"Weights by the working model {fit.working} ({WORKING[fit.working][0]}){_variances(fit)}.",
        f"Variances: {_ADJUSTMENTS[fit.adjustment]}; t tests with Satterthwaite's degrees of freedom. Model SE: what "
        "it would be if the working model were true.",
        *_tests(result),
    ]
    if transform_of(result.measure) != "identity" and not result.on_reader_scale:
        notes.append("Coefficients stand on the analysis scale (logs or transformed rates).")
    notes += [*fit.remarks, *result.remarks]
    if result.unused:
        notes.append(f"Not used: {counted(result.unused)}; --format json lists each with its reason.")
    source = "" if result.file else f"{result.origin}, "
    return [*notes, f"Data: {source}sha256 {result.fingerprint[:12]}."]


def _fixed_effects(result: RobustResult) -> str:
    if result.mods is None and len(result.outcomes) > 1:
        return "One mean for each outcome."
    return f"Moderators: {result.mods or 'none'}."


def _tests(result: RobustResult) -> list[str]:
    """Return the omnibus tests in words: of the moderators, or of the means and of their differences."""
    if result.fit.moderators is None:
        return []
    if not result.means:
        return [_htz("Moderators", result.fit.moderators)]
    found = [_htz("No effect in any group", result.fit.moderators)] if not result.no_null else []
    return found + ([] if result.equal_means is None else [_htz("Equal means", result.equal_means)])


def _htz(what: str, test: HtzTest) -> str:
    if test.df2 is None:
        return f"{what}, HTZ test: too few clusters for so many coefficients."
    return (
        f"{what}, HTZ test: F = {f.number(test.statistic)}, df = {test.df1}, {f.number(test.df2, 1)}, "
        f"{f.p_value(test.p_value)}."
    )


def _variances(fit: RobustFit) -> str:
    said = []
    if fit.rho is not None:
        said.append(f"assumed correlation {fit.rho:g} of sampling errors")
    if fit.tau2 is not None:
        said.append(f"tau2 {f.small(fit.tau2, 4)} between clusters" if fit.omega2 is not None or fit.working == "CORR"
                    else f"tau2 {f.small(fit.tau2, 4)}")  # fmt: skip
    if fit.omega2 is not None:
        said.append(f"omega2 {f.small(fit.omega2, 4)} within")
    return f": {', '.join(said)}" if said else ""


def sweep_table(result: RobustResult) -> SummaryTable:
    """Return the coefficients under other assumed correlations of sampling errors."""
    rows = tuple(
        (f"{rho:g}" if i == 0 else "", each.name, estimate_text(result, each), f.number(each.df, 1),
         f.small(fit.tau2, 4) if i == 0 else "", f.small(fit.omega2, 4) if i == 0 else "")
        for rho, fit in result.sweep
        for i, each in enumerate(fit.coefficients)
    )  # fmt: skip
    shown = f"{_what(result)}\n({100 * result.fit.level:g} % CI)"
    return SummaryTable(
        title="Under other assumed correlations of sampling errors within a cluster",
        columns=(
            Column("rho"), Column("Effect", numeric=False), Column(shown), Column("df"), Column("tau2"),
            Column("omega2"),
        ),
        rows=rows,
        set_apart=frozenset(),
        notes=(),
    )  # fmt: skip


def unused_table(result: RobustResult) -> SummaryTable:
    """Return the rows that were not used, with the reason."""
    rows = tuple((row.label, f"{row.row}", row.reason or "") for row in result.rows if row.reason)
    return SummaryTable(
        title="Not used",
        columns=(Column("Row", numeric=False), Column("Line"), Column("Reason", numeric=False)),
        rows=rows,
        set_apart=frozenset(),
        notes=(),
    )
