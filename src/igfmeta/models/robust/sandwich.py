"""Cluster-robust covariances CR0, CR1 and CR2, and how variable they are: Satterthwaite and HTZ degrees of freedom.

V = M [sum X_j' W_j A_j e_j e_j' A_j' W_j X_j] M (Hedges, Tipton & Johnson 2010, Res Synth Methods 1:39). CR0 has
A_j = I, CR1 sqrt(J/(J - 1)) I, and CR2, the bias-reduced linearization, A_j = D_j' B_j^(-1/2) D_j with Phi_j = D_j'D_j
and B_j = D_j (Phi_j - X_j M X_j') D_j', which is unbiased where the working model is true (Pustejovsky & Tipton 2018,
J Bus Econ Stat 36:672, section 2). D_j = L_j' here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.models.robust.clusters import Clustered
from igfmeta.numerics import Floats, f_upper

Adjustment = Literal["CR0", "CR1", "CR2"]
ADJUSTMENTS = ("CR0", "CR1", "CR2")

#: Eigenvalues of B_j below this share of the largest count as 0: the cluster alone determines a coefficient.
SINGULAR = 1e-12


def adjusted(fit: Clustered, adjustment: str) -> tuple[Floats, ...]:
    """Return K_j = A_j' W_j X_j R^-1 of each cluster, shape (m, p): the covariance is R^-1 [sum K'ee'K] R^-T."""
    n = len(fit.rows)
    if adjustment == "CR2":
        return tuple(c @ _reduced(c, q) for c, q in zip(fit.chol, fit.q, strict=True))
    factor = np.sqrt(n / (n - 1)) if adjustment == "CR1" else 1.0
    return tuple(factor * np.linalg.solve(c.T, q) for c, q in zip(fit.chol, fit.q, strict=True))


def _reduced(chol: Floats, q: Floats) -> Floats:
    """Return B^(-1/2) Q with B = L'L (I - QQ') L'L, by its eigenvalues; a pseudo-inverse where B is singular."""
    inner = chol.T @ chol
    b = inner @ (np.eye(len(q)) - q @ q.T) @ inner
    values, vectors = np.linalg.eigh((b + b.T) / 2)
    kept = values > SINGULAR * np.linalg.norm(inner, 2) ** 2
    roots = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return np.asarray((vectors * roots) @ (vectors.T @ q))


def robust_vcov(fit: Clustered, k: tuple[Floats, ...]) -> Floats:
    """Return the covariance of the coefficients from K of each cluster."""
    scores = np.stack([own.T @ e for own, e in zip(k, fit.e, strict=True)])
    half = fit.back @ scores.T
    return np.asarray(half @ half.T)


def _products(fit: Clustered, k: tuple[Floats, ...], h: Floats) -> Floats:
    """Return G[s, t, i, j], the covariances of p_si'y and p_tj'y under the working model, for contrasts R^-T C' = h.

    The robust variance of contrasts s and t is sum_j (p_sj'y)(p_tj'y). With a_j = L_j'K_j h and b_j = Q_j'a_j the
    covariances are (i = j) a_j'a_j - b_i'b_j.
    """
    a = [c.T @ own @ h for c, own in zip(fit.chol, k, strict=True)]
    b = np.stack([q.T @ part for q, part in zip(fit.q, a, strict=True)])
    g = -np.einsum("ips,jpt->stij", b, b)
    every = np.arange(len(a))
    g[:, :, every, every] += np.stack([part.T @ part for part in a], axis=-1)
    return np.asarray(g)


def satterthwaite(fit: Clustered, k: tuple[Floats, ...], contrast: Floats) -> float:
    """Return 2 E(V)^2 / Var(V) of the robust variance V of one contrast (Bell & McCaffrey 2002).

    Parameters
    ----------
    k : tuple of ndarray
        Of `adjusted`.
    contrast : ndarray of shape (p,)
    """
    g = _products(fit, k, (fit.back.T @ contrast)[:, None])[0, 0]
    spread = float(np.sum(g**2))
    return float(np.trace(g) ** 2 / spread) if spread > 0 else float("nan")


@dataclass(frozen=True)
class HtzTest:
    """The approximate Hotelling test that several contrasts are all 0; F with (df1, df2) degrees of freedom."""

    statistic: float
    df1: int
    df2: float | None
    p_value: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers; None for what is not finite."""
        return {name: None if v is None or not np.isfinite(v) else v for name, v in self.__dict__.items()}


def htz(fit: Clustered, k: tuple[Floats, ...], contrasts: Floats) -> HtzTest:
    """Return the HTZ Wald test of contrasts, shape (q, p) (Tipton & Pustejovsky 2015, J Educ Behav Stat 40:604).

    The robust covariance, scaled by its expectation under the working model, is taken for a Wishart matrix whose
    degrees of freedom eta match the total variance: eta = q (q + 1) / sum_st Var(d_st); F = (eta - q + 1)/(eta q) times
    the Wald statistic, with (q, eta - q + 1) degrees of freedom. For one contrast this is Satterthwaite's t test.
    """
    q = len(contrasts)
    values = contrasts @ fit.beta
    wald = float(values @ np.linalg.solve(contrasts @ robust_vcov(fit, k) @ contrasts.T, values))
    h = fit.back.T @ contrasts.T
    expected = np.einsum("stjj->st", _products(fit, k, h))
    g = _products(fit, k, h @ np.linalg.inv(np.linalg.cholesky((expected + expected.T) / 2)).T)
    total = float(np.einsum("ssij,ttij->", g, g) + np.einsum("stij,tsij->", g, g))
    eta = q * (q + 1) / total
    df2 = eta - q + 1
    if df2 <= 0:
        return HtzTest(float("nan"), q, None, None)
    statistic = df2 / (eta * q) * wald
    return HtzTest(statistic, q, df2, float(f_upper(statistic, q, df2)))
