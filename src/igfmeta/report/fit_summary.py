"""The tables of a fit: the pooled effect in both schools, subgroups, and the fits with studies left out or added."""

from __future__ import annotations

from collections.abc import Iterable

from igfmeta import formatting as f
from igfmeta.effects.scales import PER_TIME, label_of, null_value
from igfmeta.models.results import Pooled
from igfmeta.models.subgroups import SubgroupFit
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.fitting import FitResult, Step
from igfmeta.synthesis.models_of_fit import BETWEEN_STUDIES


def _cells(result: FitResult, label: str, fit: Pooled) -> tuple[str, ...]:
    estimate, lower, upper, pi_lower, pi_upper = (
        result.natural(value) for value in (fit.estimate, fit.ci_lower, fit.ci_upper, fit.pi_lower, fit.pi_upper)
    )
    return (
        label,
        f"{fit.k}",
        f.NOT_ESTIMABLE if estimate is None else f"{_number(result, estimate)} ({_interval(result, lower, upper)})",
        f.probability(fit.p_value if null_value(result.measure) is not None else None),
        _interval(result, pi_lower, pi_upper),
        f.small(fit.tau2, 4),
        f.number(fit.i2, 1),
        f.number(fit.q, 2),
    )


def _number(result: FitResult, value: float | None) -> str:
    return f.significant(value, 4) if result.measure in PER_TIME else f.number(value, 3)


def _interval(result: FitResult, lower: float | None, upper: float | None) -> str:
    shown = _number(result, lower), _number(result, upper)
    return f.NOT_ESTIMABLE if f.NOT_ESTIMABLE in shown else ", ".join(shown)


def _columns(result: FitResult, first: str) -> tuple[Column, ...]:
    level = f"{100 * result.fit.level:g} %"
    return (
        Column(first, numeric=False),
        Column("k"),
        Column(f"{label_of(result.measure)} ({level} CI)"),
        Column("p"),
        Column(f"{level} PI"),
        Column("tau2"),
        Column("I2 %"),
        Column("Q"),
    )


#: What stands for tau2 and the intervals where the fit is not by inverse variance.
_METHODS = {
    "mh": "Mantel-Haenszel, one common effect; Q of the studies' own effects, 0.5 added where a cell is 0.",
    "peto": "Peto's one-step odds ratio, one common effect.",
    "glmm": "Exact likelihood of the counts, nothing added to zero cells. Q is the likelihood-ratio test of equal "
    "effects; I2 = tau2 / (tau2 + typical variance of the studies' own effects, 0.5 added where a cell is 0). Weights "
    "are shares of the information about the effect (UM.RS: 1/(own variance + tau2)).",
    "beta-binomial": "Beta-binomial likelihood of every arm, studies without an event included. Weights are shares of "
    "the patients.",
    "logistic": "Regression with an intercept for each study, one common effect; Q is the deviance. Weights are 1/own "
    "variance.",
    "firth": "Logistic regression with an intercept for each study, penalized by Jeffreys' prior; one common effect. "
    "Weights are 1/own variance.",
}


def _methods(result: FitResult) -> str:
    fit = result.fit
    by = f"tau2 by {fit.method}, CI by {fit.ci}, PI by {fit.pi}, interval of tau2 by {fit.tau2_ci}."
    if result.model not in _METHODS:
        return by
    return f"{_METHODS[result.model]} {by}" if fit.tau2_ci != "none" else f"{_METHODS[result.model]} CI by {fit.ci}."


def _notes(result: FitResult) -> tuple[str, ...]:
    fit = result.fit
    notes = [_methods(result)]
    if fit.tau2 is not None and fit.q is not None and (fit.tau2_ci_lower is not None or result.model != "random"):
        limits = f.interval(fit.tau2_ci_lower, fit.tau2_ci_upper, 4)
        notes.append(
            f"tau2 {f.small(fit.tau2, 4)}{'' if limits == f.NOT_ESTIMABLE else f' ({limits})'}; "
            f"Q = {f.number(fit.q)}, df = {fit.q_df}, {f.p_value(fit.q_p_value)}; "
            f"I2 from tau2 {f.number(fit.i2, 1)} %, from Q {f.number(fit.i2_q, 1)} %; H2 {f.number(fit.h2)}."
        )
    unusable = [f"{study.label} (row {study.row}): {study.reason}" for study in result.studies if study.reason]
    notes += [f"Not used: {text}." for text in unusable]
    notes += _remarks_on_studies(result)
    return tuple(dict.fromkeys([*notes, *result.remarks]))


def _remarks_on_studies(result: FitResult) -> list[str]:
    if result.model == "random":
        return [f"{study.label}: {note}." for study in result.studies for note in study.notes]
    corrected = [study.label for study in result.studies if study.notes and not study.reason]
    if not corrected:
        return []
    return [f"0.5 added to cells of 0 in the lines of {', '.join(corrected)} (not in the pool)."]


def _details(result: FitResult) -> SummaryTable | None:
    if not result.details:
        return None
    rows, notes = [], []
    for detail in result.details:
        if isinstance(detail.value, str):
            notes.append(f"{detail.label}: {detail.value}.")
            continue
        test = "" if detail.df is None else f"df {detail.df}, {f.p_value(detail.p_value)}"
        rows.append((detail.label, f.significant(detail.value), test))
    columns = (Column("", numeric=False), Column("Value"), Column("Test"))
    return SummaryTable("Model", columns, tuple(rows), frozenset(), tuple(notes))


def _posterior(result: FitResult) -> SummaryTable | None:
    posterior = result.posterior
    if posterior is None:
        return None
    level = f"{100 * posterior.level:g} %"
    mu = [result.natural(value) for value in (posterior.mu_median, posterior.ci_lower, posterior.ci_upper)]
    new = [result.natural(value) for value in (posterior.pi_median, posterior.pi_lower, posterior.pi_upper)]
    tau = [posterior.tau_median, posterior.tau_ci_lower, posterior.tau_ci_upper]
    rows = [
        (name, f.number(values[0], 3), f.interval(values[1], values[2], 3))
        for name, values in (("Pooled effect", mu), ("Effect in a new study", new), ("tau", tau))
    ]
    return SummaryTable(
        title="Posterior",
        columns=(Column("", numeric=False), Column("Median"), Column(f"{level} interval ({posterior.interval})")),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(f"Priors: tau {posterior.tau_prior}; mu {posterior.mu_prior}.", *posterior.remarks),
    )


def _subgroups(result: FitResult) -> SummaryTable | None:
    groups = result.subgroups
    if groups is None:
        return None
    rows = [_cells(result, str(level), fit) for level, fit in zip(groups.levels, groups.fits, strict=True)]
    notes = (f"{_between(result, groups)}.", *_unanswered(zip(groups.levels, groups.fits, strict=True)))
    return SummaryTable("Subgroups", _columns(result, "Group"), tuple(rows), frozenset(), notes)


#: What the statistic between groups is.
TESTS = {
    "Q": "Q",
    "Wald": "Wald chi-squared of the groups' own fits",
    "LR": "likelihood ratio of an effect for each group against one for all",
}


def _between(result: FitResult, groups: SubgroupFit) -> str:
    """Return the test between groups, and what their between-study variance is."""
    compared = "Nothing to compare: fewer than two groups have an effect"
    if groups.q_between is not None:
        df, p = groups.q_between_df, f.p_value(groups.p_between)
        compared = f"Between groups: {TESTS[groups.test]} = {f.number(groups.q_between)}, df = {df}, {p}"
        fits = zip(groups.levels, groups.fits, strict=True)
        absent = [level for level, fit in fits if groups.test != "LR" and (fit.estimate is None or fit.se == 0)]
        compared += f" (without {', '.join(absent)})" if absent else ""
    variance = BETWEEN_STUDIES.get(result.model)
    return f"{compared}; {variance} of the groups: {groups.tau2}" if variance else compared


def _unanswered(fits: Iterable[tuple[str, Pooled]]) -> tuple[str, ...]:
    """Return why rows have no answer, or none to rely on; a reason that several share is said once."""
    labels: dict[str, list[str]] = {}
    for label, fit in fits:
        doubtful = fit.estimate is None or fit.se == 0 or not fit.converged
        for remark in fit.remarks if doubtful else ():
            labels.setdefault(remark, []).append(label)
    return tuple(f"{', '.join(each)}: {remark}" for remark, each in labels.items())


def _steps(result: FitResult, title: str, first: str, steps: tuple[Step, ...]) -> SummaryTable | None:
    if not steps:
        return None
    rows = tuple(_cells(result, step.label, step.fit) for step in steps)
    notes = _unanswered((step.label, step.fit) for step in steps)
    return SummaryTable(title, _columns(result, first), rows, frozenset(), notes)


def tables(result: FitResult) -> list[SummaryTable]:
    """Return the tables of a fit, those that were asked for."""
    pooled = SummaryTable(
        title="Pooled",
        columns=_columns(result, ""),
        rows=(_cells(result, "All studies", result.fit),),
        set_apart=frozenset({0}),
        notes=_notes(result),
    )
    found = [
        pooled,
        _details(result),
        _posterior(result),
        _subgroups(result),
        _steps(result, "Without one study", "Left out", result.leave_one_out),
        _steps(result, "Cumulative", "Up to", result.cumulative),
    ]
    return [table for table in found if table is not None]
