"""What each study, or each cluster of studies, does to the pool: deletion diagnostics from one call of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError
from igfmeta.models.pooling import pool
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.numerics import Floats, Mask, chi2_upper

#: A unit is marked where one of its figures passes these (Viechtbauer & Cheung 2010, section 5).
COOK_PROBABILITY, DFBETAS_LIMIT = 0.5, 1.0


@dataclass(frozen=True, eq=False)
class Influence:
    """Deletion diagnostics of one analysis. Arrays of shape (k,) are of studies, of shape (units,) of what is deleted.

    Attributes
    ----------
    fits : PooledBatch
        Row 0: with every study; row u + 1: without unit u.
    membership : ndarray of bool, shape (units, k)
        Which studies a unit holds; the identity where every study is its own unit.
    rstandard, hat, residual2, weights : ndarray of shape (k,)
        Internally standardized residual; weight as a fraction; squared Pearson residual, the abscissa of Baujat's plot;
        weight in percent.
    rstudent : ndarray of shape (units,)
        Externally standardized residual; for a unit of several studies the signed square root of their chi-squared.
    chi2, chi2_df, chi2_p_value : ndarray of shape (units,)
        The studies of the unit together against the pool of the others.
    dffits, cook_d, cov_r, dfbetas, shift2 : ndarray of shape (units,)
        Change of the pooled effect in units of its standard error without the unit's say on tau2; Cook's distance;
        ratio of the variances of the pooled effect; change of the coefficient; squared change in units of the variance
        without the unit, the ordinate of Baujat's plot.
    influential : ndarray of bool, shape (units,)
        |DFFITS| > 3 sqrt(1/(k-1)), P(chi2_1 < Cook's distance) > 0.5, hat > 3/k or |DFBETAS| > 1.
    """

    fits: PooledBatch
    membership: Mask
    rstandard: Floats
    hat: Floats
    residual2: Floats
    weights: Floats
    rstudent: Floats
    chi2: Floats
    chi2_df: Floats
    chi2_p_value: Floats
    dffits: Floats
    cook_d: Floats
    cov_r: Floats
    dfbetas: Floats
    shift2: Floats
    influential: Mask

    @property
    def fit(self) -> Pooled:
        """The pool of every study."""
        return self.fits.one(0)

    @property
    def without(self) -> PooledBatch:
        """Row u: without unit u; its `tau2` and `q` are tau2 and QE without it."""
        return self.fits.rows(slice(1, None))


def units_of(clusters: Sequence[object] | None, k: int) -> tuple[tuple[object, ...], Mask]:
    """Return the names of the units in order of appearance, and which studies each holds, shape (units, k).

    Examples
    --------
    >>> units_of(["a", "b", "a"], 3)[1].astype(int).tolist()
    [[1, 0, 1], [0, 1, 0]]
    """
    if clusters is None:
        return tuple(range(k)), np.eye(k, dtype=bool)
    if len(clusters) != k:
        raise InputError(f"cluster has {len(clusters)} values for {k} studies; accepted is one for each study.")
    names = tuple(dict.fromkeys(clusters))
    return names, np.array([[own == name for own in clusters] for name in names], dtype=bool).reshape(-1, k)


def influence(yi: Any, vi: Any, *, cluster: Sequence[object] | None = None, **options: Any) -> Influence:
    """Return the deletion diagnostics of a random-effects pool (Viechtbauer & Cheung 2010, Res Synth Methods 1:112).

    With w_i = 1/(v_i + tau2), h_i = w_i/sum(w), mu and se of the whole pool, and mu_(u), tau2_(u), se_(u) those
    without unit u, standard errors 1/sqrt(sum w) throughout:

    - rstandard (y_i - mu)/sqrt(v_i + tau2 - se^2); rstudent (y_i - mu_(i))/sqrt(v_i + tau2_(i) + se_(i)^2)
    - DFFITS (mu - mu_(i))/sqrt(h_i (v_i + tau2_(i))); Cook's distance ((mu - mu_(u))/se)^2
    - DFBETAS (mu - mu_(u)) sqrt(sum_all 1/(v + tau2_(u))); covariance ratio (se_(u)/se)^2

    For a unit of several studies h and v + tau2 in DFFITS are the sum of h_i^2 (v_i + tau2_(u)).

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    cluster : sequence of length k, optional
        Studies with equal values are left out together.
    **options
        Of `igfmeta.models.pooling.pool`: method, ci, pi, tau2_ci, level.

    Raises
    ------
    InputError
        Values that cannot be used; fewer than three studies or two units, which leave nothing to compare.

    Examples
    --------
    >>> found = influence([0.1, 0.3, 0.8, 0.2], [0.01, 0.02, 0.05, 0.02])
    >>> found.rstudent.round(3).tolist()
    [-0.985, -0.068, 2.665, -0.419]
    """
    y, v, _ = checked(yi, vi)
    y, v = y[0], v[0]
    k = len(y)
    names, inside = units_of(cluster, k)
    if k < 3 or len(names) < 2:
        raise InputError(f"There are {k} studies in {len(names)} units; deletion needs at least 3 studies and 2 units.")
    batch = pool(y, v, mask=np.vstack([np.ones((1, k), dtype=bool), ~inside]), **options)
    mu, tau2 = float(batch.estimate[0]), _tau2(batch)[0]
    mu_out, tau2_out = batch.estimate[1:], _tau2(batch)[1:]
    total = v + tau2
    se2 = 1 / np.sum(1 / total)
    total_out = v + tau2_out[:, None]
    se2_out = 1 / np.sum(~inside / total_out, axis=1)
    hat, shift = se2 / total, mu - mu_out
    chi2 = _together(y - mu_out[:, None], total_out, se2_out, inside)
    residual = np.where(inside, y - mu_out[:, None], 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rstandard = (y - mu) / np.sqrt(total - se2)
        spread = np.where(inside, hat**2 * total_out, 0.0).sum(axis=1)
        alone = np.where(inside, hat * total_out, 0.0).sum(axis=1)
    size = inside.sum(axis=1)
    dffits = shift / np.sqrt(np.where(size == 1, alone, spread))
    cook_d = shift**2 / se2
    dfbetas = shift * np.sqrt(np.sum(1 / total_out, axis=1))
    hat_unit = np.where(inside, hat, 0.0).sum(axis=1)
    influential = (
        (np.abs(dffits) > 3 * np.sqrt(1 / (k - 1)))
        | (1 - chi2_upper(cook_d, 1) > COOK_PROBABILITY)
        | (hat_unit > 3 * size / k)
        | (np.abs(dfbetas) > DFBETAS_LIMIT)
    )
    return Influence(
        fits=batch,
        membership=inside,
        rstandard=rstandard,
        hat=hat,
        residual2=(y - mu) ** 2 / total,
        weights=100 * hat,
        rstudent=np.sign(residual) * np.sqrt(chi2),
        chi2=chi2,
        chi2_df=size.astype(float),
        chi2_p_value=np.asarray(chi2_upper(chi2, size)),
        dffits=dffits,
        cook_d=cook_d,
        cov_r=se2_out / se2,
        dfbetas=dfbetas,
        shift2=shift**2 / se2_out,
        influential=influential,
    )


def _tau2(batch: PooledBatch) -> Floats:
    """Return tau2, 0 where one study is left and it cannot be estimated."""
    return np.where(np.isfinite(batch.tau2), batch.tau2, 0.0)


def _together(residual: Floats, total: Floats, se2: Floats, inside: Mask) -> Floats:
    """Return e' S^-1 e of each unit, S = diag(v + tau2) + se^2 11' (Sherman-Morrison)."""
    w = inside / total
    we = (w * residual).sum(axis=1)
    return np.asarray((w * residual**2).sum(axis=1) - se2 * we**2 / (1 + se2 * w.sum(axis=1)))
