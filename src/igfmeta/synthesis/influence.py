"""How much each study of a pool carries: deletion, cumulation, all subsets, and what would turn the conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.effects.scales import null_value
from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.models import deletion
from igfmeta.models.fragility import fragility
from igfmeta.models.gosh import gosh
from igfmeta.models.influence import Influence, influence, units_of
from igfmeta.models.rate_gosh import rate_gosh
from igfmeta.models.rate_influence import RateInfluence, rate_influence
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.numerics import Mask
from igfmeta.synthesis.influence_results import Cumulative, InfluenceOf, InfluenceResult
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.rate_pools import rate_fits, rate_studies
from igfmeta.synthesis.study_sets import StudySet

ORDERS = ("year", "precision", "table")

#: What stands with the influence of rates.
OF_RATES = (
    "Every pool is the binomial model of the counts, as pool fits it. Not given for rates: DFFITS, hat values and "
    "Baujat's plot, which take sampling variances as known, and fragility, since no rate means no effect."
)


def order_of(studies: StudySet, order: str) -> list[int]:
    """Return the positions of the studies by year or by precision, ties in the order of the table."""
    order = check_choice("cumulative", order, ORDERS)
    if order == "table":
        return list(range(studies.k))
    # The precision of a logit depends on the rate itself: of rates the largest study comes first.
    precision = -studies.rates[1] if studies.counted else studies.vi
    keys = studies.years if order == "year" else precision
    if missing := [studies.labels[i] for i in np.flatnonzero(np.isnan(keys))]:
        raise InputError(
            f"{studies.label}: a cumulative pool by year needs the year of every study; "
            f"it is missing for {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}."
        )
    return [int(i) for i in np.argsort(keys, kind="stable")]


def influence_in(sets: Sequence[StudySet], methods: Methods, **options: Any) -> InfluenceResult:
    """Return the influence of each study in each set; sets too small for it are named. See `influence_of`.

    Raises
    ------
    InputError
        Options that are not accepted.
    NothingToPool
        Every set is too small.
    """
    small = [_too_small(each) for each in sets]
    found = tuple(influence_of(each, methods, **options) for each, why in zip(sets, small, strict=True) if why is None)
    skipped = tuple(why for why in small if why is not None)
    if not found:
        raise NothingToPool("\n".join(skipped))
    return InfluenceResult(found, skipped, methods)


def _too_small(studies: StudySet) -> str | None:
    """Return why nothing can be left out of a set."""
    if studies.k < 3:
        word = "study" if studies.k == 1 else "studies"
        return f"{studies.label}: {studies.k} {word}; leaving one out takes 3 at least."
    if studies.clusters is not None and len(set(studies.clusters)) < 2:
        return f"{studies.label}: all studies are of one cluster, {studies.clusters[0]}; it cannot be left out."
    return None


def influence_of(
    studies: StudySet,
    methods: Methods,
    *,
    cumulative: str | None = None,
    with_gosh: bool = False,
    subsets: int | None = None,
    seed: int = 1,
) -> InfluenceOf:
    """Return what each study of a set does to its pool.

    Parameters
    ----------
    studies : StudySet
        Where it has clusters, these are left out one at a time rather than the studies.
    methods : Methods
    cumulative : {"year", "precision", "table"}, optional
        Also pool study after study.
    with_gosh : bool
        Also pool every subset, or a sample of them.
    subsets : int, optional
        Size of the sample; by default all subsets where k <= 20, of rates where k <= 10.
    seed : int
        Of the sample.

    Raises
    ------
    InputError
        Options that are not accepted.
    """
    if studies.counted:
        return _of_rates(studies, methods, cumulative, with_gosh=with_gosh, subsets=subsets, seed=seed)
    options = {**methods.frequentist(), "tau2_ci": "none"}
    found = influence(studies.yi, studies.vi, cluster=studies.clusters, **options)
    null = null_value(studies.measure)
    steps = None
    if cumulative is not None:
        order = order_of(studies, cumulative)
        fits = deletion.cumulative(studies.yi, studies.vi, order=order, **options)
        steps = _steps(studies, cumulative, order, fits)
    rng = np.random.default_rng(seed)
    return InfluenceOf(
        studies=studies,
        influence=found,
        units=_units(studies)[0],
        cumulative=steps,
        gosh=gosh(studies.yi, studies.vi, method=methods.method, subsets=subsets, rng=rng) if with_gosh else None,
        fragility=None if null is None else fragility(studies.yi, studies.vi, null=null, **options),
        remarks=(*_marked(studies, found), *_turned(studies, found), *_few(studies), *studies.remarks()),
    )


def _of_rates(
    studies: StudySet, methods: Methods, cumulative: str | None, *, with_gosh: bool, subsets: int | None, seed: int
) -> InfluenceOf:
    """Return the influence of each study on a pool of rates: every pool is the binomial model that `pool` fits."""
    events, n = studies.rates
    names, inside = _units(studies)

    def pools(keep: Mask) -> list[Pooled]:
        return rate_fits(events, n, keep, level=methods.level, common=methods.common, ci=methods.rate_ci)

    whole, *without = pools(np.vstack([np.ones((1, studies.k), dtype=bool), ~inside]))
    found = rate_influence(events, n, whole, without, inside)
    steps = None
    if cumulative is not None:
        order = order_of(studies, cumulative)
        keep = deletion.up_to_each(studies.k, order)
        steps = _steps(studies, cumulative, order, PooledBatch.stacked(pools(keep), keep))
    unmodelled = [name for name, fit in zip(names, without, strict=True) if not np.isfinite(fit.estimate)]
    rng = np.random.default_rng(seed)
    remarks = [OF_RATES]
    if len(unmodelled) == len(names):
        remarks.append(
            "Nobody, or everybody, responded whichever is left out: there is no model to predict a count by."
        )
    elif unmodelled:
        remarks.append(
            f"Without {', '.join(unmodelled)} nobody, or everybody, responded: the exact interval of the sum is shown, "
            "and there is no model to predict the count by."
        )
    return InfluenceOf(
        studies=studies,
        influence=found,
        units=names,
        cumulative=steps,
        gosh=rate_gosh(rate_studies(events, n), common=methods.common, subsets=subsets, rng=rng) if with_gosh else None,
        fragility=None,
        remarks=(*_marked(studies, found), *remarks, *_few(studies), *studies.remarks()),
    )


def _units(studies: StudySet) -> tuple[tuple[str, ...], Mask]:
    """Return the names of what is left out, studies or clusters, and which studies each holds."""
    names, inside = units_of(studies.clusters, studies.k)
    return (studies.labels if studies.clusters is None else tuple(str(name) for name in names)), inside


def _steps(studies: StudySet, cumulative: str, order: Sequence[int], fits: PooledBatch) -> Cumulative:
    return Cumulative(cumulative.casefold(), tuple(_step_label(studies, i, cumulative) for i in order), fits)


def _step_label(studies: StudySet, position: int, order: str) -> str:
    label, year = studies.labels[position], studies.years[position]
    shows = order.casefold() == "year" and f"{year:.0f}" not in label
    return f"{label} ({year:.0f})" if shows else label


def _marked(studies: StudySet, found: Influence | RateInfluence) -> tuple[str, ...]:
    marked = [name for name, yes in zip(_units(studies)[0], found.influential, strict=True) if yes]
    limits = "by the limits of Viechtbauer & Cheung (2010)"
    return (f"Influential {limits}: {', '.join(marked)}.",) if marked else (f"None is influential {limits}.",)


def _turned(studies: StudySet, found: Influence) -> tuple[str, ...]:
    """Return which units turn the conclusion, or the side of the effect, when they are left out."""
    null = null_value(studies.measure)
    if null is None:
        return ()
    names, without, remarks = _units(studies)[0], found.without, []
    whole = found.fit.ci_lower > null or found.fit.ci_upper < null
    verb = "no longer excludes" if whole else "excludes"
    excluding = (without.ci_lower > null) | (without.ci_upper < null)
    if turned := [names[u] for u in np.flatnonzero(excluding != whole)]:
        remarks.append(f"The interval {verb} no effect without: {', '.join(turned)}.")
    other_side = np.sign(without.estimate - null) != np.sign(found.fit.estimate - null)
    if changed := [names[u] for u in np.flatnonzero(other_side)]:
        remarks.append(f"The pooled effect changes sides without: {', '.join(changed)}.")
    return tuple(remarks)


def _few(studies: StudySet) -> tuple[str, ...]:
    return (f"Only {studies.k} studies: leaving one out leaves little to judge it by.",) if studies.k < 5 else ()
