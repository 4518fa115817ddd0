"""Covariance, tests and degrees of freedom of the coefficients: normal, t, Hartung-Knapp, Kenward-Roger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from igfmeta.models.regression.data import Regressions
from igfmeta.models.regression.weighted import WeightedFit
from igfmeta.numerics import Floats, chi2_upper, f_upper

RegressionTest = Literal["z", "t", "HK", "HK-floor", "KR"]
TESTS = ("z", "t", "HK", "HK-floor", "KR")


@dataclass(frozen=True, eq=False)
class Covariance:
    """The covariance of the coefficients and how its tests are made, in the units of the data.

    Attributes
    ----------
    beta : ndarray of shape (batch, p)
    vcov : ndarray of shape (batch, p, p)
    df : ndarray of shape (batch,)
        k - p, or infinite for the normal test.
    slope : ndarray of shape (batch, p, p) or None
        For Kenward-Roger: X'W^2X, minus the derivative of the information in tau2.
    variance_of_tau2 : ndarray of shape (batch,) or None
        For Kenward-Roger.
    """

    beta: Floats
    vcov: Floats
    df: Floats
    slope: Floats | None
    variance_of_tau2: Floats | None

    def rows(self, index: object) -> Covariance:
        """Return the data sets of `index`."""
        pick = [None if a is None else a[index] for a in (self.slope, self.variance_of_tau2)]  # type: ignore[call-overload]
        return Covariance(self.beta[index], self.vcov[index], self.df[index], *pick)  # type: ignore[call-overload]


def hartung_knapp_q(data: Regressions, fit: WeightedFit) -> Floats:
    """Return y'Py / (k - p) (Knapp & Hartung 2003, eq. 5); 1 where the regression fits exactly."""
    with np.errstate(divide="ignore", invalid="ignore"):
        q = fit.rss / data.df
    return np.where(q == 0, 1.0, q)


def _factor(data: Regressions, fit: WeightedFit, test: str) -> Floats:
    if test == "HK":
        return hartung_knapp_q(data, fit)
    if test == "HK-floor":
        return np.maximum(1.0, hartung_knapp_q(data, fit))
    return np.ones(len(data))


def covariance(data: Regressions, fit: WeightedFit, test: str) -> Covariance:
    """Return coefficients and covariance for one of `TESTS`.

    Knapp & Hartung (2003), Stat Med 22:2693, for HK; Kenward & Roger (1997), Biometrics 53:983, for KR.
    """
    to_data = data.back @ fit.inverse
    beta = data.start + np.sqrt(data.scale)[:, None] * np.einsum("nij,jn->ni", to_data, fit.projected)
    phi = to_data @ np.swapaxes(to_data, 1, 2) * (data.scale * _factor(data, fit, test))[:, None, None]
    if test != "KR":
        return Covariance(beta, phi, np.full(len(data), np.inf) if test == "z" else data.df, None, None)
    return _kenward_roger(data, fit, beta, phi)


def _kenward_roger(data: Regressions, fit: WeightedFit, beta: Floats, phi: Floats) -> Covariance:
    """Adjust the covariance: Phi + 2 Phi W (Q - P Phi P) Phi with P = -X'W^2X, Q = X'W^3X, W = 2/tr(PP) = var(tau2)."""
    forward = np.linalg.inv(data.back)
    x = np.einsum("pkn,npj->jkn", data.basis, forward)
    scaled = fit.w / data.scale
    squares, cubes = (np.einsum("ikn,jkn,kn->nij", x, x, scaled**power) for power in (2, 3))
    ones = np.ones_like(fit.w)
    variance = 2 / fit.trace_pdpe(ones, ones) * data.scale**2
    inner = cubes - squares @ phi @ squares
    adjusted = phi + 2 * variance[:, None, None] * (phi @ inner @ phi)
    return Covariance(beta, adjusted, data.df, squares, variance)


def coefficient_df(found: Covariance) -> Floats:
    """Return the degrees of freedom of each coefficient's t test, shape (batch, p)."""
    p = found.beta.shape[1]
    return np.stack([contrast_df(found, np.eye(p)[j]) for j in range(p)], axis=1)


def contrast_df(found: Covariance, row: Floats) -> Floats:
    """Return the degrees of freedom of the t test of one linear combination, shape (batch,).

    For Kenward-Roger 2 (l'Phi_A l)^2 / (W (l'Phi_A P Phi_A l)^2): their F approximation for one combination, with the
    adjusted covariance as in the pool without moderators (Partlett & Riley 2017).
    """
    if found.slope is None or found.variance_of_tau2 is None:
        return found.df
    along = found.vcov @ row
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = np.einsum("ni,nij,nj->n", along, found.slope, along)
        return np.asarray(2 * (along @ row) ** 2 / (found.variance_of_tau2 * bend**2))


@dataclass(frozen=True, eq=False)
class Omnibus:
    """A test that several linear combinations of the coefficients are all 0.

    `statistic` is chi-squared with df1 degrees of freedom where df2 is infinite, else F with (df1, df2).
    """

    statistic: Floats
    df1: int
    df2: Floats
    p_value: Floats


def omnibus(found: Covariance, rows: Floats) -> Omnibus:
    """Return the Wald test of `rows` @ beta = 0; rows of shape (m, p).

    For the normal test QM (Viechtbauer 2010, J Stat Softw 36(3), sec. 2.5); for t and Hartung-Knapp F = QM/m with
    (m, k - p) degrees of freedom; for Kenward-Roger their scaled F.
    """
    m = len(rows)
    values, spread = found.beta @ rows.T, rows @ found.vcov @ rows.T
    ok = np.isfinite(spread).all(axis=(1, 2))
    wald = np.full(len(values), np.nan)
    wald[ok] = np.einsum("ni,ni->n", values[ok], _solved(spread[ok], values[ok]))
    if found.slope is not None and found.variance_of_tau2 is not None:
        factor, df2 = _scaled_f(found, rows, spread)
    elif np.isinf(found.df).all():
        return Omnibus(wald, m, found.df, np.asarray(chi2_upper(wald, m)))
    else:
        factor, df2 = np.ones(len(values)), found.df
    statistic = factor * wald / m
    return Omnibus(statistic, m, df2, np.asarray(f_upper(statistic, m, np.where(df2 > 0, df2, np.nan))))


def _solved(spread: Floats, values: Floats) -> Floats:
    return np.asarray(np.linalg.solve(spread, values[:, :, None])[:, :, 0])


def _scaled_f(found: Covariance, rows: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return scale and denominator degrees of freedom of the F statistic (Kenward & Roger 1997, sec. 3)."""
    m, phi = len(rows), found.vcov
    theta = rows.T @ np.linalg.solve(spread, np.broadcast_to(rows, (len(phi), *rows.shape)))
    product = theta @ phi @ -found.slope @ phi  # type: ignore[operator]
    trace = np.einsum("nii->n", product)
    a1 = found.variance_of_tau2 * trace**2
    a2 = found.variance_of_tau2 * np.einsum("nij,nji->n", product, product)
    if m == 1:
        return np.ones(len(phi)), 2 / a2
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    c = np.array([g, m - g, m + 2 - g]) / (3 * m + 2 * (1 - g))
    mean = 1 / (1 - a2 / m)
    variance = 2 / m * (1 + c[0] * b) / ((1 - c[1] * b) ** 2 * (1 - c[2] * b))
    df2 = 4 + (m + 2) / (m * variance / (2 * mean**2) - 1)
    return df2 / (mean * (df2 - 2)), df2
