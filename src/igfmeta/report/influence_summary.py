"""The tables of influence: studies left out, the pool as it grew, all subsets, what would turn the conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of
from igfmeta.models.influence import Influence
from igfmeta.models.rate_influence import RateInfluence
from igfmeta.models.results import PooledBatch
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.influence_results import InfluenceOf, InfluenceResult, gosh_summary
from igfmeta.synthesis.rate_pools import EXACT
from igfmeta.synthesis.study_sets import StudySet


def effect_cell(studies: StudySet, estimate: Any, lower: Any, upper: Any) -> str:
    """Return `0.80 (0.70, 0.91)` on the reader's scale."""
    middle, low, high = (studies.natural(None if v is None else float(v)) for v in (estimate, lower, upper))
    return f"{f.number(middle, 3)} ({f.interval(low, high, 3)})"


def p_cell(studies: StudySet, p_value: float | None) -> str:
    """Return a p-value of no effect; nothing for a rate, which has no such value, and for a posterior."""
    return f.probability(p_value) if studies.has_null and p_value is not None else ""


def effect_column(studies: StudySet, level: float) -> Column:
    """Return the column of pooled effects with their intervals."""
    return Column(f"{label_of(studies.measure).capitalize()} ({100 * level:g} % CI)")


def _fit_cells(studies: StudySet, fits: PooledBatch, row: int) -> tuple[str, ...]:
    return (
        effect_cell(studies, fits.estimate[row], fits.ci_lower[row], fits.ci_upper[row]),
        p_cell(studies, float(fits.p_value[row])),
        f.small(float(fits.tau2[row]), 3),
        f.number(float(fits.i2[row]), 0),
    )


def _what(studies: StudySet) -> str:
    return "study" if studies.clusters is None else "cluster"


def _without(result: InfluenceOf, found: Influence) -> SummaryTable:
    studies, what = result.studies, _what(result.studies)
    rows = [("All studies", *_fit_cells(studies, found.fits, 0), f.number(float(found.fits.q[0]), 1), *[""] * 4)]
    for u, unit in enumerate(result.units):
        rows.append(
            (
                f"{unit}{' *' if found.influential[u] else ''}",
                *_fit_cells(studies, found.fits, u + 1),
                f.number(float(found.fits.q[u + 1]), 1),
                f.number(float(found.rstudent[u])),
                f.number(float(found.dffits[u])),
                f.number(float(found.cook_d[u]), 3),
                f.number(float(found.cov_r[u])),
            )
        )
    fit = found.fit
    notes = (
        f"tau2 by {fit.method}, CI by {fit.ci}. rstud: studentized residual, the {what} against the pool of the "
        "others; DFFITS; Cook's distance; CovR: ratio of the variances of the pooled effect.",
        *(("* influential.",) if found.influential.any() else ()),
        *result.remarks,
    )
    return SummaryTable(
        title=f"{studies.label}: without one {what} at a time",
        columns=(
            Column(f"Left out ({what})", numeric=False),
            effect_column(studies, fit.level),
            *(Column(name) for name in ("p", "tau2", "I2 %", "QE", "rstud", "DFFITS", "Cook", "CovR")),
        ),
        rows=tuple(rows),
        set_apart=frozenset({0}),
        notes=notes,
    )


def _how(found: RateInfluence) -> str:
    if found.fit.ci == EXACT:
        return "Exact intervals of the sums, since there is no model of rates of 0 or 1."
    return f"Binomial likelihood: tau2 by {found.fit.method}, CI by {found.fit.ci}."


def _rates_without(result: InfluenceOf, found: RateInfluence) -> SummaryTable:
    studies, what, fits = result.studies, _what(result.studies), found.fits
    rows = [
        (
            label,
            effect_cell(studies, fits.estimate[row], fits.ci_lower[row], fits.ci_upper[row]),
            f.small(float(fits.tau2[row]), 3),
            f.number(float(fits.i2[row]), 0),
            f.number(float(fits.q[row]), 1),
        )
        for row, label in enumerate(("All studies", *result.units))
    ]
    own = [("", "", "")] + [
        (f.number(float(found.dfbetas[u])), f.number(float(found.cook_d[u]), 3), f.number(float(found.cov_r[u])))
        for u in range(len(result.units))
    ]
    stars = ["", *(" *" if marked else "" for marked in found.influential)]
    return SummaryTable(
        title=f"{studies.label}: without one {what} at a time",
        columns=(
            Column(f"Left out ({what})", numeric=False),
            effect_column(studies, found.fit.level),
            *(Column(name) for name in ("tau2", "I2 %", "Q", "DFBETAS", "Cook", "CovR")),
        ),
        rows=tuple((f"{row[0]}{star}", *row[1:], *cells) for row, star, cells in zip(rows, stars, own, strict=True)),
        set_apart=frozenset({0}),
        notes=(
            f"{_how(found)} Q: likelihood ratio of one common rate. DFBETAS, Cook: change of the mean logit in "
            "standard errors, and its square; CovR: ratio of its variances.",
            *(("* influential.",) if found.influential.any() else ()),
            *result.remarks,
        ),
    )


def _residuals(result: InfluenceOf, found: Influence) -> SummaryTable:
    studies = result.studies
    unit_of = found.membership.argmax(axis=0)
    rows = [
        (
            label,
            f.number(float(found.weights[i]), 1),
            f.number(float(found.hat[i]), 3),
            f.number(float(found.rstandard[i])),
            f.number(float(found.dfbetas[unit_of[i]])),
            f.number(float(found.residual2[i])),
            f.number(float(found.shift2[unit_of[i]]), 3),
        )
        for i, label in enumerate(studies.labels)
    ]
    unit = "" if studies.clusters is None else " DFBETAS and Baujat y are of the study's cluster."
    return SummaryTable(
        title=f"{studies.label}: residuals and leverage",
        columns=(
            Column("Study", numeric=False),
            *(Column(n) for n in ("Weight %", "Hat", "rstandard", "DFBETAS", "Baujat x", "Baujat y")),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(f"Baujat x: squared Pearson residual; y: squared change of the pooled effect over its variance.{unit}",),
    )


def _rates_predicted(result: InfluenceOf, found: RateInfluence) -> SummaryTable:
    studies = result.studies
    rows = [
        (
            label,
            f.number(float(found.weights[i]), 1),
            f"{events:.0f}",
            f"{n:.0f}",
            f.number(float(found.expected[i]), 1),
            f.probability(float(found.tail[i])),
            f.number(float(found.residual[i])),
        )
        for i, (label, events, n) in enumerate(zip(studies.labels, *studies.rates, strict=True))
    ]
    others = "studies" if studies.clusters is None else "clusters"
    return SummaryTable(
        title=f"{studies.label}: each study against what the other {others} predict",
        columns=(
            Column("Study", numeric=False),
            *(Column(n) for n in ("Weight %", "Events", "n", "Expected", "Mid-p", "Residual")),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(
            "Mid-p: predicted probability of fewer events, and half of as many (Marshall & Spiegelhalter 2007); "
            "residual: its normal deviate. Weight: share of the information about the mean logit.",
        ),
    )


def _cumulative(result: InfluenceOf) -> SummaryTable | None:
    steps = result.cumulative
    if steps is None:
        return None
    rows = [
        (label, f"{steps.fits.k[i]:.0f}", *_fit_cells(result.studies, steps.fits, i))
        for i, label in enumerate(steps.labels)
    ]
    first = "the largest first" if result.studies.counted else "the most precise first"
    order = {"year": "by year", "precision": first, "table": "in the order of the table"}
    return SummaryTable(
        title=f"{result.studies.label}: cumulative, {order[steps.order]}",
        columns=(
            Column("Up to", numeric=False),
            Column("k"),
            effect_column(result.studies, result.influence.fit.level),
            *(Column(name) for name in ("p", "tau2", "I2 %")),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(),
    )


def _gosh(result: InfluenceOf) -> SummaryTable | None:
    if result.gosh is None:
        return None
    studies, found = result.studies, gosh_summary(result.studies, result.gosh)
    rows = [
        (
            row["study"],
            *(f.number(row[side]["natural"], 3) for side in ("with", "without")),
            *(f.number(row[side]["i2"], 0) for side in ("with", "without")),
        )
        for row in found["studies"]
    ]
    spread = found["estimate"]
    kind = "all subsets of 2 studies and more" if found["all_subsets"] else "a random sample of subsets"
    notes = [
        f"{found['subsets']:,} pools by {found['method']}: {kind}.",
        "Pooled effects: lowest {}, 5 % {}, median {}, 95 % {}, highest {}; median I2 {} %.".format(
            *(f.number(spread[name]["natural"], 3) for name in ("0 %", "5 %", "50 %", "95 %", "100 %")),
            f.number(found["i2_median"], 0),
        ),
    ]
    nobody = int((~np.isfinite(result.gosh.estimate)).sum())
    if nobody:
        notes.append(f"In {nobody:,} of them nobody, or everybody, responded: their rate is 0 or 1, without I2.")
    if found["below_null"] is not None:
        notes.append(f"{f.percent(found['below_null'], 1)} of the pools lie below no effect.")
    return SummaryTable(
        title=f"{studies.label}: all subsets (GOSH), medians of the pools with and without each study",
        columns=(
            Column("Study", numeric=False),
            *(Column(name) for name in ("Effect with", "without", "I2 % with", "without")),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=tuple(notes),
    )


def _fragility(result: InfluenceOf) -> SummaryTable | None:
    found, studies = result.fragility, result.studies
    if found is None:
        return None
    state = "excludes" if found.excludes_null else "does not exclude"
    if found.removed is None:
        removal = "No removal that leaves two studies changes that."
    else:
        n, names = len(found.removed), ", ".join(studies.labels[i] for i in found.removed)
        least = "the fewest" if found.exact else "found by a stepwise search, so that fewer may do"
        removal = f"Leaving out {n} of {studies.k} studies changes that ({least}): {names}."
    rows = [
        (
            new.precision,
            f.number(new.vi**0.5, 3),
            *(f.small(studies.natural(value), 3) for value in (new.below, new.above)),
        )
        for new in found.new_studies
    ]
    return SummaryTable(
        title=f"{studies.label}: what would turn the conclusion",
        columns=(
            Column("One new study", numeric=False),
            Column("SE"),
            Column("Effect at most"),
            Column("or at least"),
        ),
        rows=tuple(rows),
        set_apart=frozenset(),
        notes=(
            f"The interval {state} no effect. {removal}",
            "One new study with such an effect would change it; – where no effect within reach does.",
        ),
    )


def tables_of(result: InfluenceOf) -> list[SummaryTable]:
    """Return the tables of one set of studies."""
    influence = result.influence
    two = (
        (_rates_without(result, influence), _rates_predicted(result, influence))
        if isinstance(influence, RateInfluence)
        else (_without(result, influence), _residuals(result, influence))
    )
    found: Sequence[SummaryTable | None] = (*two, _cumulative(result), _gosh(result), _fragility(result))
    return [table for table in found if table is not None]


def tables(result: InfluenceResult) -> list[SummaryTable]:
    """Return the tables of every set; the last says which sets were too small."""
    found = [table for each in result.sets for table in tables_of(each)]
    return [*found[:-1], replace(found[-1], notes=(*found[-1].notes, *result.skipped))]
