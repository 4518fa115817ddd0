"""The tables of a fit with robust variances: the coefficients, the sweep over rho, what was not used."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, transform_of
from igfmeta.models.robust.fitting import RobustCoefficient, RobustFit
from igfmeta.models.robust.working import WORKING
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.fit_robust import RobustResult

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


def _estimate(result: RobustResult, each: RobustCoefficient) -> str:
    decimals = 2 if result.on_reader_scale else 3
    estimate, lower, upper = (result.natural(value) for value in (each.estimate, each.ci_lower, each.ci_upper))
    shown = f.interval(lower, upper, decimals) if lower is not None else "no interval"
    return f"{f.number(estimate, decimals)} ({shown})"


def _what(result: RobustResult) -> str:
    return label_of(result.measure) if result.on_reader_scale else "Coefficient"


def coefficient_table(result: RobustResult) -> SummaryTable:
    """Return the coefficients, with the working model and remarks under them."""
    fit = result.fit
    rows = tuple(
        (
            each.name,
            _estimate(result, each),
            f.number(each.se, 3),
            f.number(each.model_se, 3),
            f.number(each.df, 1),
            f.probability(each.p_value),
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
        f"Moderators: {result.mods or 'none'}. Clusters: {result.cluster}; their rows may depend on each other in any "
        "way.",
        f"Weights by the working model {fit.working} ({WORKING[fit.working][0]}){_variances(fit)}.",
        f"Variances: {_ADJUSTMENTS[fit.adjustment]}; t tests with Satterthwaite's degrees of freedom. Model SE: what "
        "it would be if the working model were true.",
    ]
    if fit.moderators is not None and fit.moderators.df2 is not None:
        test = fit.moderators
        notes.append(
            f"Moderators, HTZ test: F = {f.number(test.statistic)}, df = {test.df1}, {f.number(test.df2, 1)}, "
            f"{f.p_value(test.p_value)}."
        )
    elif fit.moderators is not None:
        notes.append("Moderators, HTZ test: too few clusters for so many coefficients.")
    if transform_of(result.measure) != "identity" and not result.on_reader_scale:
        notes.append("Coefficients stand on the analysis scale (logs or transformed rates).")
    return [*notes, *fit.remarks, f"Data: sha256 {result.fingerprint[:12]}."]


def _variances(fit: RobustFit) -> str:
    said = []
    if fit.rho is not None:
        said.append(f"assumed correlation {fit.rho:g} of sampling errors")
    if fit.tau2 is not None:
        said.append(f"tau2 {f.small(fit.tau2, 4)} between studies" if fit.omega2 is not None or fit.working == "CORR"
                    else f"tau2 {f.small(fit.tau2, 4)}")  # fmt: skip
    if fit.omega2 is not None:
        said.append(f"omega2 {f.small(fit.omega2, 4)} within")
    return f": {', '.join(said)}" if said else ""


def sweep_table(result: RobustResult) -> SummaryTable:
    """Return the coefficients under other assumed correlations of sampling errors."""
    rows = tuple(
        (f"{rho:g}" if i == 0 else "", each.name, _estimate(result, each), f.number(each.df, 1),
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
