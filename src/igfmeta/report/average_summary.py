"""The tables of an average over models: the evidence, the estimates, the weight function, the models."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.bayes.averaged import Spiked
from igfmeta.effects.scales import label_of
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.averages import AverageOf, AverageResult

#: Models that are listed.
LISTED = 8

_EVIDENCE = {
    "effect": "An effect",
    "heterogeneity": "Heterogeneity",
    "bias": "Publication bias",
    "selection": "of it: selection by p-value",
    "regression": "of it: effects grow with errors",
}


def bayes_factor(value: float | None) -> str:
    """Return a Bayes factor; above a million and below a millionth as a power of ten.

    Examples
    --------
    >>> bayes_factor(62.2467), bayes_factor(0.0123), bayes_factor(3.2e8)
    ('62.2', '0.0123', '3.2e+08')
    """
    if value is None:
        return f.NOT_ESTIMABLE
    if value > 1e300:
        return ">1e+300"
    return f"{value:.2g}" if value >= 1e6 or value < 1e-4 else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _evidence(part: AverageOf) -> SummaryTable:
    averaged = part.averaged
    rows = []
    for name, label in _EVIDENCE.items():
        found = averaged.inclusion(name)
        if found.prior > 0:
            rows.append((label, f.probability(found.prior), f.probability(found.probability), bayes_factor(found.bf)))
    columns = [Column("Is there", numeric=False)]
    columns += [Column(name) for name in ("P before", "P after", "Inclusion Bayes factor")]
    notes = [
        f"Bayes factors above 1 speak for, below 1 against it. Prior of the effect {averaged.mu_prior}, of tau "
        f"{averaged.tau_prior}; {averaged.favours} effects are favoured by publication.",
        f"Every model is integrated; log marginal likelihoods are accurate to {max(averaged.accuracy, 1e-15):.0e}.",
        *part.remarks,
        *part.studies.unused,
    ]
    return SummaryTable(
        title=f"{part.studies.label}: {label_of(part.studies.measure)}, averaged over {len(averaged.members)} models "
        f"of {averaged.k} {'study' if averaged.k == 1 else 'studies'}",
        columns=tuple(columns),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _effect_row(part: AverageOf, label: str, of: Spiked) -> tuple[str, ...]:
    found = of.summary(part.averaged.level)
    median, lower, upper = (part.studies.natural(x) for x in (found.median, found.lower, found.upper))
    return label, f"{f.number(median, 3)} ({f.interval(lower, upper, 3)})", f.probability(of.spike)


def _plain_row(part: AverageOf, label: str, of: Spiked) -> tuple[str, ...]:
    found = of.summary(part.averaged.level)
    cell = f"{f.number(found.median, 3)} ({f.interval(found.lower, found.upper, 3)})"
    return label, cell, f.probability(of.spike)


def _estimates(part: AverageOf) -> SummaryTable:
    averaged, fit, studies = part.averaged, part.fit, part.studies
    measure = label_of(studies.measure).capitalize()
    limits = [studies.natural(x) for x in (fit.estimate, fit.ci_lower, fit.ci_upper)]
    pooled = f"{f.number(limits[0], 3)} ({f.interval(limits[1], limits[2], 3)})"
    rows = [_effect_row(part, f"{measure}, over all models", averaged.mu)]
    if averaged.inclusion("effect").prior > 0:
        rows.append(_effect_row(part, f"{measure}, given an effect", averaged.mu_given_effect))
        if 0 < averaged.inclusion("bias").prior < 1:
            rows.append(_effect_row(part, f"{measure}, given an effect and no bias", part.without_bias))
    rows.append((f"{measure}, frequentist, no bias", pooled, ""))
    rows.append(_plain_row(part, "tau, over all models", averaged.tau))
    if averaged.inclusion("heterogeneity").prior > 0:
        rows.append(_plain_row(part, "tau, given heterogeneity", averaged.tau_given_heterogeneity))
    for kind, of in (("PET", "standard error"), ("PEESE", "variance")):
        slope = averaged.slope(kind)
        if slope is not None:
            rows.append(_plain_row(part, f"{kind}: effect per {of}, given {kind}", slope))
    level = f"{100 * averaged.level:g} %"
    notes = [f"Frequentist: tau2 by {fit.method}, CI by {fit.ci}."]
    if averaged.slope("PET") is not None:
        notes.append("Slopes of PET and PEESE point in the direction that publication favours.")
    if part.p_benefit is not None:
        notes.insert(0, f"Over all models, P(benefit) = {f.probability(part.p_benefit)}.")
    return SummaryTable(
        title="Estimates",
        columns=(Column("", numeric=False), Column(f"Median ({level} CrI)"), Column("P(exactly none)")),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _weights(part: AverageOf) -> SummaryTable | None:
    weights = part.averaged.weights()
    if not weights:
        return None
    level = f"{100 * part.averaged.level:g} %"
    rows = tuple(
        (f"{w.p_from:g} to {w.p_to:g}", f"{f.number(w.mean)} ({f.interval(w.lower, w.upper)})") for w in weights
    )
    return SummaryTable(
        title="How likely a result is to be published, relative to the most significant",
        columns=(Column("One-sided p", numeric=False), Column(f"Mean ({level} CrI)")),
        rows=rows,
        set_apart=frozenset(),
        notes=("Averaged over all models; 1 in those without selection.",),
    )


def _models(part: AverageOf) -> SummaryTable:
    best = sorted(part.averaged.members, key=lambda m: -m.probability)[:LISTED]
    rows = [
        (
            "effect" if m.effect else "none",
            "random" if m.heterogeneity else "common",
            m.bias.label,
            f.probability(m.prior),
            f.probability(m.probability),
            f.number(m.fit.log_marginal, 3),
        )
        for m in best
    ]
    headings = [("Effect", False), ("Studies", False), ("Bias", False), ("P before", True), ("P after", True)]
    columns = [Column(name, numeric=numeric) for name, numeric in headings]
    rest = len(part.averaged.members) - len(best)
    more = f"{rest} more models hold {f.probability(1 - sum(m.probability for m in best))}; --format json lists them."
    return SummaryTable(
        title="The most probable models",
        columns=(*columns, Column("log marginal")),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(more,) if rest else (),
    )


def tables(result: AverageResult) -> Sequence[SummaryTable]:
    """Return the tables of every set of studies; sets without an average are noted under the last."""
    out = []
    for part in result:
        out += [table for table in (_evidence(part), _estimates(part), _weights(part), _models(part)) if table]
    if result.skipped:
        last = out[-1]
        out[-1] = SummaryTable(
            last.title,
            last.columns,
            last.rows,
            last.set_apart,
            (*last.notes, *(f"No answer: {s}" for s in result.skipped)),
        )
    return out
