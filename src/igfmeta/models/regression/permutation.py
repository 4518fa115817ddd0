"""Permutation tests of a meta-regression: what the coefficients would be if the moderators meant nothing.

Pairs (yi, vi) are dealt anew to the rows of X, all permutations in one batch; a pool without moderators flips signs.
Studies with equal moderators are exchanged for nothing: only arrangements that differ are counted, so that two groups
of 5 and 8 studies have 1,287, not 13!.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igfmeta.errors import InputError
from igfmeta.models.regression import tau2 as residual
from igfmeta.models.regression.data import checked_design, prepare
from igfmeta.models.regression.fitting import checked_names, intercept_of
from igfmeta.models.regression.inference import covariance, omnibus
from igfmeta.models.regression.weighted import weigh_at
from igfmeta.numerics import Floats

#: Up to so many permutations all are taken.
EXACT_UP_TO = 50_000

#: Permutations fitted at once.
CHUNK = 4_000

#: Statistics within this share of the observed one count as equal to it: permutations that swap equal rows.
TIES = 1e-9


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """P-values of a permutation test.

    Attributes
    ----------
    p_values : ndarray of shape (p,)
        Two-sided, of each coefficient.
    p_model : float
        Of the omnibus statistic.
    errors : ndarray of shape (p,), error_model : float
        Monte Carlo standard errors of the p-values; 0 where all permutations were taken.
    exact : bool
    permutations : int
        How many were fitted, the data as observed among them.
    kind : str
        "permuted" rows of the design, or "flipped" signs of the effects.
    """

    p_values: Floats
    p_model: float
    errors: Floats
    error_model: float
    exact: bool
    permutations: int
    kind: str


def _statistics(y: Floats, v: Floats, x: Floats, method: str, test: str) -> tuple[Floats, Floats]:
    """Return |beta/se|, shape (batch, p), and the omnibus statistic, shape (batch,)."""
    data = prepare(y, v, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = covariance(data, weigh_at(data, residual.estimate(data, method).tau2), test)
        own = np.abs(found.beta / np.sqrt(np.einsum("njj->nj", found.vcov)))
    tested = ~intercept_of(data).all(axis=0)
    rows = np.eye(data.p)[tested] if tested.any() else np.eye(data.p)
    return own, omnibus(found, rows).statistic


def _arrangements(code: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return all orders of a row of codes that differ, itself first; built place by place."""
    made, left = np.empty((1, 0), dtype=np.intp), counts[None]
    for _ in code:
        at, which = np.nonzero(left)
        made, left = np.column_stack([made[at], which]), left[at]
        left[np.arange(len(at)), which] -= 1
    observed = int(np.flatnonzero((made == code).all(axis=1))[0])
    made[[0, observed]] = made[[observed, 0]]
    return made


def _orders(design: Floats, draws: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], bool]:
    """Return orders in which the studies are dealt to the design, as they are first, and whether no other differs."""
    k = len(design)
    _, code, counts = np.unique(design, axis=0, return_inverse=True, return_counts=True)
    code = code.reshape(-1)
    if math.factorial(k) // math.prod(map(math.factorial, counts.tolist())) <= EXACT_UP_TO:
        arranged = _arrangements(code, counts)
        dealt = np.empty_like(arranged)
        dealt[:, np.argsort(code, kind="stable")] = np.argsort(arranged, axis=1, kind="stable")
        return dealt, True
    drawn = np.argsort(rng.random((draws, k)), axis=1)
    return np.concatenate([np.arange(k)[None], drawn]), False


def _signs(k: int, draws: int, rng: np.random.Generator) -> tuple[Floats, bool]:
    """Return signs of k effects, all + first, and whether they are all."""
    if 2**k <= EXACT_UP_TO:
        return np.array(list(product((1.0, -1.0), repeat=k))), True
    return np.concatenate([np.ones((1, k)), rng.choice([-1.0, 1.0], (draws, k))]), False


def permutation_test(
    yi: Any,
    vi: Any,
    x: Any,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    method: str = "REML",
    test: str = "HK",
) -> PermutationTest:
    """Return permutation p-values of a meta-regression.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    x : array_like of shape (k, p)
        With an intercept alone the signs of the effects are flipped instead.
    rng : numpy.random.Generator
        Draws permutations where there are more than 50,000.
    draws : int
        How many are drawn then, besides the data as observed, which always count (Phipson & Smyth 2010).
    method, test : str
        As of `igfmeta.models.regression.fitting.regress`.

    Raises
    ------
    InputError
        Fewer than one draw, or data that cannot be used.

    References
    ----------
    Follmann & Proschan 1999, Biometrics 55:732; Higgins & Thompson 2004, Stat Med 23:1663; Phipson & Smyth 2010, Stat
    Appl Genet Mol Biol 9:39, eq. 2.

    Examples
    --------
    >>> y, v, x = [0.1, 0.3, 0.5, 0.9], [0.02] * 4, [[1, 0], [1, 1], [1, 2], [1, 3]]
    >>> found = permutation_test(y, v, x, rng=np.random.default_rng(1))
    >>> found.exact, found.permutations, found.p_values[1].round(4)  # of 24: the order, and it reversed
    (True, 24, np.float64(0.0833))
    """
    if isinstance(draws, bool) or not isinstance(draws, (int, np.integer)) or draws < 1:
        raise InputError(f"draws was {draws!r}; accepted is a whole number of permutations, 1 or more.")
    method, test = checked_names(method, test)
    y, v = np.asarray(yi), np.asarray(vi)
    design = checked_design(x, y.shape[-1])[0]
    prepare(y, v, design)
    k, alone = len(y), bool((design.shape[1] == 1) and np.ptp(design) == 0)
    made: Any
    made, exact = _signs(k, draws, rng) if alone else _orders(design, draws, rng)
    parts = []
    for i in range(0, len(made), CHUNK):
        part = made[i : i + CHUNK]
        effects, variances = (part * y, np.broadcast_to(v, part.shape)) if alone else (y[part], v[part])
        parts.append(_statistics(effects, variances, design, method, test))
    own, model = (np.concatenate(each) for each in zip(*parts, strict=True))
    p_values, errors = _p_values(own, exact)
    p_model, error_model = _p_values(model[:, None], exact)
    return PermutationTest(
        p_values, float(p_model[0]), errors, float(error_model[0]), exact, len(made), "flipped" if alone else "permuted"
    )


def _p_values(statistics: Floats, exact: bool) -> tuple[Floats, Floats]:
    """Return the share of statistics that are at least the first, and its Monte Carlo standard error."""
    p = np.asarray((statistics >= statistics[0] * (1 - TIES)).mean(axis=0))
    return p, np.zeros_like(p) if exact else np.sqrt(p * (1 - p) / len(statistics))
