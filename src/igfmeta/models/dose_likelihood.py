"""The likelihood of a random curve: each study's coefficients vary around the common ones with covariance psi.

A study has contrasts y = X (b + u) + e, u ~ N(0, psi), e ~ N(0, S). Because the random effects have the columns of the
fixed ones, three numbers of size p say all that a study knows of b and psi: U = X'S^-1 X, c = X'S^-1 y, y'S^-1 y; a
study with fewer groups than coefficients has a singular U and counts all the same. With M = I + U psi,

    X'V^-1 X = M^-1 U,  X'V^-1 y = M^-1 c,  y'V^-1 y = y'S^-1 y - c' psi M^-1 c,  |V| = |S| |M|,  V = S + X psi X'

(Woodbury), so that nothing larger than p x p is ever inverted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.pooling import pool
from igfmeta.numerics import Floats

#: Where the search for psi starts, in units of the studies' own precision.
STARTS = (1.0, 0.05, 20.0)

#: Length of the gradient, in those units, below which the search has converged.
FLAT = 1e-5

#: Steps of Newton's method after the search, and the length of the differences that they take.
POLISH, DIFFERENCE = 3, 1e-4

#: Smallest eigenvalue of psi, in those units and relative to the largest one or 1, below which it counts as singular.
SINGULAR = 1e-7


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What each study knows of the coefficients.

    Attributes
    ----------
    u : ndarray of shape (k, p, p)
        X'S^-1 X.
    c : ndarray of shape (k, p)
        X'S^-1 y.
    squares : ndarray of shape (k,)
        y'S^-1 y.
    log_det : ndarray of shape (k,)
        log |S|.
    n : int
        Elements of all y.
    """

    u: Floats
    c: Floats
    squares: Floats
    log_det: Floats
    n: int

    @property
    def k(self) -> int:
        return len(self.c)

    @property
    def p(self) -> int:
        return int(self.c.shape[1])

    @classmethod
    def of(cls, designs: Sequence[Floats], outcomes: Sequence[Floats], covariances: Sequence[Floats]) -> Knowledge:
        """Return the knowledge in X, y and S of each study."""
        roots = [np.linalg.cholesky(s) for s in covariances]
        x = [np.linalg.solve(root, design) for root, design in zip(roots, designs, strict=True)]
        y = [np.linalg.solve(root, outcome) for root, outcome in zip(roots, outcomes, strict=True)]
        return cls(
            u=np.array([a.T @ a for a in x]),
            c=np.array([a.T @ b for a, b in zip(x, y, strict=True)]),
            squares=np.array([b @ b for b in y]),
            log_det=np.array([2 * np.log(np.diag(root)).sum() for root in roots]),
            n=sum(len(b) for b in y),
        )


@dataclass(frozen=True, eq=False)
class Weighted:
    """The coefficients at a psi, with what the likelihood and its slope are made of."""

    coef: Floats
    vcov: Floats
    log_likelihood: float
    slope: Floats


def at_psi(known: Knowledge, psi: Floats, *, restricted: bool) -> Weighted:
    """Return the generalized-least-squares coefficients at a psi, the log-likelihood, and its slope in psi.

    slope = -1/2 sum(P - g g' - P A^-1 P) with P = X'V^-1 X, A = sum(P), g = X'V^-1 (y - X b); the last term for REML.
    """
    m = np.eye(known.p) + known.u @ psi
    solved = np.linalg.solve(m, np.concatenate([known.u, known.c[:, :, None]], axis=2))
    part, right = solved[:, :, :-1], solved[:, :, -1]
    total = part.sum(axis=0)
    vcov = np.linalg.inv(total)
    coef = vcov @ right.sum(axis=0)
    squares = known.squares.sum() - np.einsum("ij,jk,ik->", known.c, psi, right) - coef @ right.sum(axis=0)
    log_det = known.log_det.sum() + np.linalg.slogdet(m)[1].sum()
    left = right - part @ coef
    slope = part.sum(axis=0) - left.T @ left
    log_likelihood = -0.5 * (known.n * np.log(2 * np.pi) + log_det + squares)
    if restricted:
        slope = slope - np.einsum("ijk,kl,ilm->jm", part, vcov, part)
        log_likelihood += 0.5 * (known.p * np.log(2 * np.pi) - np.linalg.slogdet(total)[1])
    return Weighted(coef, vcov, float(log_likelihood), -0.25 * (slope + slope.T))


@dataclass(frozen=True, eq=False)
class Between:
    """The between-study covariance, whether the search for it converged, and whether it is singular."""

    psi: Floats
    converged: bool
    boundary: bool


def maximize(known: Knowledge, *, restricted: bool) -> Between:
    """Return the psi of the highest (restricted) likelihood among positive semi-definite matrices.

    One coefficient is the problem of `igfmeta.models.pooling.pool`, whose search is exhaustive. Several are searched
    for from different starts, in units in which the average study has U = I, over the Cholesky factor of psi.
    """
    if known.p == 1:
        return _single(known, "REML" if restricted else "ML")
    root = np.linalg.cholesky(known.u.mean(axis=0))
    inverse = np.linalg.inv(root)
    unit = Knowledge(inverse @ known.u @ inverse.T, known.c @ inverse.T, known.squares, known.log_det, known.n)
    factor, converged = _search(unit, restricted=restricted)
    eigenvalues = np.linalg.eigvalsh(factor @ factor.T)
    back = inverse.T @ factor
    singular = bool(eigenvalues[0] <= SINGULAR * max(1.0, float(eigenvalues[-1])))
    return Between(back @ back.T, converged, singular)


def _search(known: Knowledge, *, restricted: bool) -> tuple[Floats, bool]:
    """Return the Cholesky factor of psi at the maximum, and whether the slope vanishes there."""
    from scipy.optimize import minimize

    lower = np.tril_indices(known.p)

    def lost(theta: Floats) -> tuple[float, Floats]:
        factor = np.zeros((known.p, known.p))
        factor[lower] = theta
        found = at_psi(known, factor @ factor.T, restricted=restricted)
        return -found.log_likelihood, -2 * (found.slope @ factor)[lower]

    starts = [np.sqrt(size) * np.eye(known.p)[lower] for size in STARTS]
    runs = [minimize(lost, start, jac=True, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    theta, gradient = _polished(lambda t: lost(t)[1], min(runs, key=lambda run: float(run.fun)).x)
    factor = np.zeros((known.p, known.p))
    factor[lower] = theta
    return factor, bool(np.abs(gradient).max() < FLAT)


def _polished(gradient: Callable[[Floats], Floats], theta: Floats) -> tuple[Floats, Floats]:
    """Return a minimum closer to where the gradient vanishes, and the gradient there; steps that do not help stop it.

    Where psi is singular the Hessian is too, and the shortest step is taken.
    """
    here = gradient(theta)
    for _ in range(POLISH):
        steps = DIFFERENCE * np.eye(len(theta))
        hessian = np.array([(gradient(theta + h) - gradient(theta - h)) / (2 * DIFFERENCE) for h in steps])
        new = theta - np.linalg.lstsq(0.5 * (hessian + hessian.T), here, rcond=1e-8)[0]
        there = gradient(new)
        if not np.abs(there).max() < np.abs(here).max():
            break
        theta, here = new, there
    return theta, here


def _single(known: Knowledge, method: str) -> Between:
    """Return tau2 of one coefficient."""
    u = known.u[:, 0, 0]
    fit = pool(known.c[:, 0] / u, 1 / u, method=method, ci="z", pi="z", tau2_ci="none").one()  # type: ignore[arg-type]
    return Between(np.array([[fit.tau2 or 0.0]]), fit.converged, fit.boundary)


def moments(known: Knowledge) -> Between:
    """Return psi by the method of moments of Jackson, White & Riley 2013 (Biom J 55:231), negative parts cut off.

    Q = sum(U r r') with the residuals r of the fixed-effect coefficients has an expectation that is linear in psi: what
    sampling gives, (k - 1) I, plus sum over i, j of U_i H_ij psi H_ij' with r_i = sum over j of H_ij b_j. For one
    coefficient it is the estimator of DerSimonian & Laird. Every U must be regular.
    """
    if known.p == 1:
        return _single(known, "DL")
    k, p = known.k, known.p
    total = np.linalg.inv(known.u.sum(axis=0))
    own = np.linalg.solve(known.u, known.c[:, :, None])[:, :, 0]
    r = own - total @ known.c.sum(axis=0)
    q = np.einsum("ijk,ik,il->jl", known.u, r, r)
    # H_ij = [i = j] I - total U_j; row-major vec(A psi B') = (A kron B) vec(psi).
    h = np.einsum("ij,kl->ijkl", np.eye(k), np.eye(p)) - np.einsum("kl,jlm->jkm", total, known.u)[None]
    weighted = np.einsum("ikl,ijlm->ijkm", known.u, h)
    system = np.einsum("ijkl,ijmn->kmln", weighted, h).reshape(p * p, p * p)
    psi = np.linalg.solve(system, (q - (k - 1) * np.eye(p)).ravel()).reshape(p, p)
    values, vectors = np.linalg.eigh(0.5 * (psi + psi.T))
    return Between((vectors * np.maximum(values, 0.0)) @ vectors.T, True, bool(values[0] <= 0))


def check_estimable(known: Knowledge, names: Sequence[str]) -> None:
    """Refuse studies that together cannot tell the coefficients apart."""
    total = known.u.sum(axis=0)
    scale = np.sqrt(np.diag(total))
    if (scale == 0).any() or np.linalg.matrix_rank(total / np.outer(scale, scale), tol=1e-10) < known.p:
        raise InputError(
            f"The studies have too few different doses for {known.p} coefficients ({', '.join(names)}); "
            "choose a simpler model."
        )
