"""How easily a conclusion turns: by how many studies left out, or by what single new study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igfmeta.datasets import checked
from igfmeta.errors import InputError
from igfmeta.models.pooling import pool
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.numerics import Floats, Mask

#: Sets of studies of one size are all tried up to this many; beyond, the search goes on greedily.
BUDGET = 50_000
CHUNK = 10_000

#: How far a new study's effect is sought, in standard deviations of its distribution; points of the scan, and rounds
#: in which the interval that holds the turn is cut into `FINER` parts.
REACH, POINTS, ROUNDS, FINER = 12.0, 241, 9, 21


@dataclass(frozen=True)
class NewStudy:
    """The effects of one new study that would change the conclusion.

    Attributes
    ----------
    precision : str
        How precise the new study is, in words.
    vi : float
        Its sampling variance.
    below, above : float or None
        The nearest effects below and above the pooled one from which on the conclusion changes; None where none within
        reach does.
    """

    precision: str
    vi: float
    below: float | None
    above: float | None


@dataclass(frozen=True, eq=False)
class Fragility:
    """What would change the conclusion of a pool.

    Attributes
    ----------
    fit : Pooled
    null : float
        No effect on the analysis scale.
    excludes_null : bool
        The conclusion: whether the confidence interval excludes no effect.
    removed : tuple of int or None
        The smallest set of studies found whose removal changes it; None where no removal that leaves two studies does.
    exact : bool
        No smaller set exists: every set of each smaller size was tried.
    new_studies : tuple of NewStudy
    """

    fit: Pooled
    null: float
    excludes_null: bool
    removed: tuple[int, ...] | None
    exact: bool
    new_studies: tuple[NewStudy, ...]


def excludes(fits: PooledBatch, null: float) -> Mask:
    """Return whether each confidence interval excludes the null value."""
    return (fits.ci_lower > null) | (fits.ci_upper < null)


def fragility(yi: Any, vi: Any, *, null: float = 0.0, **options: Any) -> Fragility:
    """Return what would turn the conclusion of a pool, "the interval excludes no effect" or "it does not".

    The number of studies is the counterpart for whole studies of the fragility index of Atal et al. 2019
    (J Clin Epidemiol 111:32); the new study is the extended funnel of Langan et al. 2012 (J Clin Epidemiol 65:511)
    along lines of equal precision. Each candidate is pooled anew: tau2 and interval follow.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
        At least three studies.
    null : float
        No effect on the analysis scale.
    **options
        Of `igfmeta.models.pooling.pool`: method, ci, level.

    Examples
    --------
    >>> found = fragility([0.5, 0.6, 0.4, 0.1], [0.02, 0.02, 0.03, 0.02], ci="z")
    >>> found.excludes_null, found.removed, found.exact
    (True, (0, 2), True)
    """
    y, v, _ = checked(yi, vi)
    k = y.shape[1]
    if len(y) != 1 or k < 3:
        raise InputError(f"Fragility takes one data set of 3 studies or more; this has shape {np.shape(yi)}.")
    options = {**options, "tau2_ci": "none"}
    y, v = y[0], v[0]
    whole = pool(y, v, **options)
    holds = bool(excludes(whole, null)[0])
    removed, exact = _fewest(y, v, null, holds, options)
    fit = whole.one()
    precisions = {
        "as precise as the median study": float(np.median(v)),
        "as precise as the most precise study": float(v.min()),
        "as precise as all studies together": float(1 / np.sum(1 / v)),
    }
    found = tuple(NewStudy(name, w, *_turns(y, v, w, fit, null, holds, options)) for name, w in precisions.items())
    return Fragility(fit, null, holds, removed, exact, found)


def _sets(k: int, size: int, start: tuple[int, ...] | None) -> Iterator[NDArray[np.intp]]:
    """Return sets of `size` studies in chunks: all of them, or those that add one study to `start`."""
    if start is None:
        sets: Iterator[tuple[int, ...]] = combinations(range(k), size)
    else:
        sets = ((*start, i) for i in range(k) if i not in start)
    while part := list(islice(sets, CHUNK)):
        yield np.array(part, dtype=np.intp)


def _fewest(
    y: Floats, v: Floats, null: float, holds: bool, options: dict[str, Any]
) -> tuple[tuple[int, ...] | None, bool]:
    """Return the smallest set whose removal changes the conclusion, and whether no smaller one can exist."""
    k, closest, exact = len(y), (), True
    for size in range(1, k - 1):
        greedy = comb(k, size) > BUDGET
        exact = exact and not greedy
        best = -np.inf
        start: tuple[int, ...] = closest
        for sets in _sets(k, size, start if greedy else None):
            mask = np.ones((len(sets), k), dtype=bool)
            mask[np.arange(len(sets))[:, None], sets] = False
            fits = pool(y, v, mask=mask, **options)
            margin = _margin(fits, null) * (1 if holds else -1)
            changed = np.flatnonzero(excludes(fits, null) != holds)
            if len(changed):
                return tuple(sorted(sets[changed[np.argmin(margin[changed])]].tolist())), exact
            at = int(np.argmin(margin))
            if -margin[at] > best:
                best, closest = -margin[at], tuple(sets[at].tolist())
    return None, exact


def _margin(fits: PooledBatch, null: float) -> Floats:
    """Return the distance of the null value from the interval in units of its width; below 0 inside."""
    width = fits.ci_upper - fits.ci_lower
    return np.asarray(np.maximum(fits.ci_lower - null, null - fits.ci_upper) / width)


def _turns(
    y: Floats, v: Floats, new: float, fit: Pooled, null: float, holds: bool, options: dict[str, Any]
) -> tuple[float | None, float | None]:
    """Return the nearest effects below and above the pooled one with which a new study turns the conclusion."""
    spread = np.sqrt(new + (fit.tau2 or 0.0) + fit.se**2)
    reach = REACH * spread + 2 * abs(fit.estimate - null)

    def turned(effects: Floats) -> Mask:
        ys = np.column_stack([np.broadcast_to(y, (len(effects), len(y))), effects])
        vs = np.broadcast_to(np.append(v, new), ys.shape)
        return np.asarray(excludes(pool(ys, vs, **options), null) != holds)

    def nearest(sign: float) -> float | None:
        grid = fit.estimate + sign * np.linspace(0.0, reach, POINTS)
        for _ in range(ROUNDS):
            hits = np.flatnonzero(turned(grid))
            if not len(hits):
                return None
            first = int(hits[0])
            if first == 0:
                break
            grid = np.linspace(grid[first - 1], grid[first], FINER)
        return float(grid[first])

    return nearest(-1.0), nearest(1.0)
