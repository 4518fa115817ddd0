"""The tables of a pool of associations: the answer, its rows with their rules, published pools, what was not used."""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.report.summary import HIERARCHICAL, Column, SummaryTable
from igfmeta.synthesis.risk_compare import counted
from igfmeta.synthesis.risk_published import Comparison
from igfmeta.synthesis.risk_results import (
    HierarchicalRisk,
    RiskGroup,
    RiskHierarchy,
    RiskResult,
    RiskStudy,
    ratio,
)

#: What stands over ratios of several measures.
MIXED = "Ratio"


def tables(result: RiskResult, *, explain: bool = False) -> list[SummaryTable]:
    """Return the tables of a result, the answer first; with `explain` every row that is in no pool, too."""
    found = [summary(result)] if result.groups else []
    found += [study_table(result, group) for group in result.groups]
    if result.genes():
        found.append(gene_table(result))
    if result.comparisons:
        found += [comparison_table(result), difference_table(result)]
    if explain and result.unused:
        found.append(unused_table(result))
    return found


def words(name: str) -> str:
    """Return a name of the table in words.

    Examples
    --------
    >>> words("igf1_igfbp3_ratio")
    'igf1 igfbp3 ratio'
    """
    return name.replace("_", " ")


def per(result: RiskResult) -> str:
    """Return what ratios are per: `per SD`, `top v bottom quartile`."""
    return result.target.rule or f"per {result.target.label}"


def _measures(result: RiskResult) -> str:
    """Return the measure that all groups have in common, or that there are several."""
    found = {group.measure for group in result.everything()}
    return found.pop() if len(found) == 1 and "LOG" not in found else MIXED


def measure_label(result: RiskResult) -> str:
    """Return the measure of a result in words."""
    measure = _measures(result)
    return label_of("LOG" if measure == MIXED else measure)


def _cell(middle: float | None, lower: float | None, upper: float | None) -> str:
    limits = f.interval(lower, upper)
    return f.number(middle) if limits == f.NOT_ESTIMABLE else f"{f.number(middle)} ({limits})"


def _cases(group: RiskGroup) -> str:
    if not group.cases:
        return f.NOT_ESTIMABLE
    return ("≥" if group.cases_missing else "") + f.count(group.cases)


def _stacked(own: str, borrowing: str | None) -> str:
    return own if borrowing is None else f"{own}\n{borrowing}"


def _row(group: RiskGroup, own: HierarchicalRisk | None) -> tuple[str, ...]:
    fit, posterior = group.fit, group.posterior
    borrowed = None if own is None else _cell(own.median, own.ci_lower, own.ci_upper)
    return (
        group.label,
        f"{fit.k}",
        _cases(group),
        _cell(*(ratio(getattr(fit, name)) for name in ("estimate", "ci_lower", "ci_upper"))),
        f.interval(ratio(fit.pi_lower), ratio(fit.pi_upper)),
        f.small(fit.tau2),
        f.number(fit.i2, 0),
        _stacked(_cell(*(ratio(getattr(posterior, n)) for n in ("mu_median", "ci_lower", "ci_upper"))), borrowed),
        _stacked(f.probability(group.p_raises), None if own is None else f.probability(own.p_raises)),
    )


def _average(own: HierarchicalRisk) -> tuple[str, ...]:
    """Return the row of the average of the cancers, which the hierarchical model alone has."""
    return (
        own.label,
        f"{own.k}",
        *("",) * 5,
        f"\n{_cell(own.median, own.ci_lower, own.ci_upper)}",
        f"\n{f.probability(own.p_raises)}",
    )


def summary(result: RiskResult) -> SummaryTable:
    """Return the table of pooled ratios: strata of design, or cancers with the hierarchical model beside each."""
    groups, hierarchy = result.everything(), result.hierarchy
    borrowing = (None,) * len(groups) if hierarchy is None else hierarchy.cancers
    rows = [_row(group, own) for group, own in zip(groups, borrowing, strict=True)]
    marks = [(group.fit.estimate, group.fit.ci_lower, group.fit.ci_upper) for group in groups]
    apart = set() if result.overall is None else {len(groups) - 1}
    if hierarchy is not None:
        apart = {len(rows)}
        rows.append(_average(hierarchy.overall))
        own = hierarchy.overall
        marks.append((math.log(own.median), math.log(own.ci_lower), math.log(own.ci_upper)))
    level = f"{100 * groups[0].fit.level:g} %"
    return SummaryTable(
        title=f"{result.question}: {measure_label(result)} {per(result)}",
        columns=(
            Column("", numeric=False),
            Column("k"),
            Column("Cases"),
            Column(f"{_measures(result)} ({level} CI)"),
            Column(f"{level} PI"),
            Column("tau2"),
            Column("I2 %"),
            Column(f"Posterior (CrI){'' if hierarchy is None else HIERARCHICAL}"),
            Column("P(>1)"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(apart),
        notes=tuple(_notes(result)),
        marks=tuple(marks),
        null=0.0,
    )


def _notes(result: RiskResult) -> list[str]:
    group = result.everything()[0]
    fit, posterior = group.fit, group.posterior
    notes = [
        f"tau2 by {fit.method}, CI by {fit.ci}, PI by {fit.pi}. Posterior: tau {posterior.tau_prior}, "
        f"mu {posterior.mu_prior}, {100 * fit.level:g} % {posterior.interval} interval."
    ]
    if result.between is not None:
        test = result.between
        notes.append(
            f"Between {'cancers' if result.by else 'designs'}: Q = {f.number(test.q)}, df = {test.df}, "
            f"{f.p_value(test.p_value)} (separate tau2 in {test.groups} groups)."
        )
    if result.hierarchy is not None:
        notes += hierarchy_lines(result.hierarchy)
    notes += [f"Assumed: {text}" for text in result.assumptions]
    notes += result.remarks
    notes += [f"{each.label}: {remark}" for each in result.everything() for remark in each.remarks]
    if result.unused:
        reasons = counted([(item.kind, item.reason) for item in result.unused])
        notes.append(f"Not in a pool: {len(result.unused)} rows ({reasons}). --explain lists them.")
    return notes


def hierarchy_lines(hierarchy: RiskHierarchy) -> list[str]:
    """Return the model of all cancers in words: its sources of variation, and whether its numbers can be used."""
    sds = "; ".join(
        f"{s.name} {f.number(s.sd_median, 3)} ({f.interval(s.sd_lower, s.sd_upper, 3)}), prior {s.prior}"
        for s in hierarchy.sources
    )
    lines = [
        f"Second line of the posterior: {', '.join(s.name for s in hierarchy.sources)} in one hierarchy; sds {sds}.",
        f"Standard deviations by {hierarchy.draws} draws, worth {hierarchy.effective_draws:.0f}, Pareto k "
        f"{f.number(hierarchy.pareto_k)}, seed {hierarchy.seed}; all else exact.",
    ]
    if not hierarchy.reliable:
        lines.append("Warning: its importance sampling is not reliable; do not use the second line.")
    return lines


def study_table(result: RiskResult, group: RiskGroup) -> SummaryTable:
    """Return the rows of a group: as printed, the rule that put them on the scale, the result."""
    notes = [f"{study.label}: {note}." for study in group.studies for note in study.notes]
    measure = MIXED if group.measure == "LOG" else group.measure
    return SummaryTable(
        title=f"{group.label}: what was pooled, {per(result)}",
        columns=(
            Column("Study", numeric=False),
            Column("As reported", numeric=False),
            Column("Rule", numeric=False),
            Column(measure),
            Column("Weight %"),
        ),
        rows=tuple(_study(study, float(w)) for study, w in zip(group.studies, group.fit.weights, strict=True)),
        set_apart=frozenset(),
        notes=tuple(dict.fromkeys(notes)),
    )


def _study(study: RiskStudy, weight: float) -> tuple[str, ...]:
    return (
        study.label,
        study.reported,
        study.derivation,
        _cell(study.estimate, study.ci_lower, study.ci_upper),
        f.number(weight, 1),
    )


def gene_table(result: RiskResult) -> SummaryTable:
    """Return what candidate genes showed: a stratum of its own, which is not pooled."""
    return SummaryTable(
        title="Candidate genes: a stratum of its own, shown and not pooled",
        columns=(
            Column("Study", numeric=False),
            Column("Cancer", numeric=False),
            Column("As reported", numeric=False),
            Column("Note", numeric=False),
        ),
        rows=tuple((g.label, words(g.cancer), g.reported, g.note) for g in result.genes()),
        set_apart=frozenset(),
        notes=("A genotype has no place on a scale of exposure, so that no ratio per distance can be made of it.",),
    )


def unused_table(result: RiskResult) -> SummaryTable:
    """Return the rows that are in no pool, each with its reason."""
    return SummaryTable(
        title="Rows in no pool",
        columns=(
            Column("Row", numeric=False),
            Column("Design", numeric=False),
            Column("As reported", numeric=False),
            Column("Reason", numeric=False),
        ),
        rows=tuple((item.row_id, words(item.stratum), item.reported, item.reason) for item in result.unused),
        set_apart=frozenset(),
        notes=(),
    )


def _published_name(comparison: Comparison) -> str:
    subgroup = "" if comparison.subgroup == "all" else f", {words(comparison.subgroup)}"
    return f"{comparison.label}{subgroup}"


def _years(first: float, last: float) -> str:
    if not (math.isfinite(first) and math.isfinite(last)):
        return ""
    return f"{first:.0f}" if first == last else f"{first:.0f}-{last:.0f}"


def comparison_table(result: RiskResult) -> SummaryTable:
    """Return published pools with ours beside them, on the contrast of each."""
    rows: list[tuple[str, ...]] = []
    published: set[int] = set()
    for each in result.comparisons:
        published.add(len(rows))
        numbers = _cell(each.estimate, each.ci_lower, each.ci_upper)
        rows.append((words(each.cancer), _published_name(each), each.contrast, "", "", f"{each.measure} {numbers}"))
        rows += [
            ("", f"  {own.label}", "", f"{own.k}", _years(own.first_year, own.last_year),
             _cell(own.estimate, own.ci_lower, own.ci_upper))
            for own in each.ours
        ]  # fmt: skip
    return SummaryTable(
        title="Published pools and ours of the single studies, on the published contrast",
        columns=(
            Column("Cancer", numeric=False),
            Column("Pool", numeric=False),
            Column("Contrast", numeric=False),
            Column("k"),
            Column("Reports of"),
            Column("Ratio (CI)"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(published),
        notes=("Published pools are never pooled with ours: their members are partly the same people.",),
    )


def difference_table(result: RiskResult) -> SummaryTable:
    """Return why published pools and ours differ, as far as the rows of the table say."""
    return SummaryTable(
        title="What differs",
        columns=(Column("Published pool", numeric=False), Column("Beside ours", numeric=False)),
        rows=tuple(
            (f"{_published_name(each)} ({words(each.cancer)}, {each.contrast})", " ".join(each.facts))
            for each in result.comparisons
        ),
        set_apart=frozenset(),
        notes=(),
    )


def closing_line(result: RiskResult) -> str:
    """Return where the numbers come from."""
    return f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}; igfmeta {result.version}."
