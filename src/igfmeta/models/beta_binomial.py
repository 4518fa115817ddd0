"""Beta-binomial models: rates vary between studies as a beta distribution, so that the likelihood is in closed form.

x_j ~ binomial(n_j, p_j), p_j ~ beta(mu_j / phi, (1 - mu_j) / phi), logit mu_j = X_j beta, and the intra-class
correlation is rho = phi / (1 + phi). One arm: an intercept. Two arms: an intercept and the effect, every arm a cluster
of its own, so that studies without an event in either arm count (Kuss 2015, Stat Med 34:1097, model BB).

The log-likelihood of an arm is a sum of log(mu + j phi) over j < x, of log(1 - mu + j phi) over j < n - x, less that of
log(1 + j phi) over j < n (his eq. 5), which no small phi cancels. Arms with one mu are a cell; a cell needs only how
many of its arms have x > j, n - x > j and n > j, so that a fit costs the same however many arms it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from igfmeta.models.newton import climb
from igfmeta.numerics import Floats, Mask, concatenated, row_sum

#: Grid of phi on which the profile is scanned, 0 (binomial) apart.
GRID = np.geomspace(1e-5, 1e2, 29)

#: Elements (fits x cells x events) that are held at once.
CHUNK = 2_000_000

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class BetaBinomial:
    """The fits; arrays of shape (batch,) unless said otherwise.

    Attributes
    ----------
    beta : ndarray of shape (batch, p)
        On the logit scale; the last is the effect.
    covariance : ndarray of shape (batch, p, p)
        From the observed information, phi included where it is above 0.
    rho, se_rho : ndarray
        Intra-class correlation; se_rho is NaN where rho is 0.
    log_likelihood, log_likelihood_common : ndarray
        Of the model, and with rho = 0.
    beta_common : ndarray of shape (batch, p)
    gradient, condition : ndarray
    converged : ndarray of bool
    """

    beta: Floats
    covariance: Floats
    rho: Floats
    se_rho: Floats
    log_likelihood: Floats
    log_likelihood_common: Floats
    beta_common: Floats
    gradient: Floats
    condition: Floats
    converged: Mask


@dataclass(frozen=True, eq=False)
class Cells:
    """Arms by cell: how many have more than j events, shape (batch, cells, J), non-events, patients (batch, 1, J).

    `constant`, shape (batch,), is the sum of the log binomial coefficients.
    """

    up: Floats
    down: Floats
    whole: Floats
    constant: Floats

    @classmethod
    def of(cls, x: Floats, n: Floats, cell: Index, mask: Mask) -> Self:
        """Return the cells of the arms that each row of a mask takes; `cell` is the number of each arm's cell."""
        longest, cells = int(n.max(initial=0)), int(cell.max(initial=0)) + 1
        fit, arm = np.nonzero(mask)

        def more_than(count: Floats, place: Index, places: int) -> Floats:
            tally = np.zeros((len(mask), places, longest + 1))
            np.add.at(tally, (fit, place[arm], count[arm].astype(np.intp)), 1.0)
            return np.asarray(np.cumsum(tally[:, :, ::-1], axis=2)[:, :, ::-1][:, :, 1:])

        choose = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
        together = np.zeros_like(cell)
        return cls(more_than(x, cell, cells), more_than(n - x, cell, cells), more_than(n, together, 1), mask @ choose)

    def log_likelihood(self, eta: Floats, phi: Floats, rows: Index) -> Floats:
        """Return the log-likelihoods of the fits `rows` at logits (rows, cells) and phi (rows,)."""
        mu, rest, ladder = _rates(eta, phi, self.up.shape[2])
        value = (self.up[rows] * np.log(mu + ladder) + self.down[rows] * np.log(rest + ladder)).sum(axis=(1, 2))
        return np.asarray(self.constant[rows] + value - (self.whole[rows] * np.log1p(ladder)).sum(axis=(1, 2)))

    def derivatives(self, eta: Floats, phi: Floats, rows: Index) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return first and second derivatives in eta (rows, cells) and in phi (rows,), and the mixed ones."""
        mu, rest, ladder = _rates(eta, phi, self.up.shape[2])
        j = np.arange(self.up.shape[2], dtype=float)
        up, down, whole = self.up[rows] / (mu + ladder), self.down[rows] / (rest + ladder), self.whole[rows]
        whole = whole / (1 + ladder)
        up2, down2, whole2 = up / (mu + ladder), down / (rest + ladder), whole / (1 + ladder)
        slope = special.expit(eta) * special.expit(-eta)
        bend = slope * (special.expit(-eta) - special.expit(eta))
        d_mu = row_sum(up) - row_sum(down)
        d_mu2 = -row_sum(up2) - row_sum(down2)
        d_phi = ((up + down) @ j).sum(axis=1) - (whole @ j).sum(axis=1)
        d_phi2 = (whole2 @ j**2).sum(axis=1) - ((up2 + down2) @ j**2).sum(axis=1)
        return d_mu * slope, d_mu2 * slope**2 + d_mu * bend, d_phi, d_phi2, slope * ((down2 - up2) @ j)


def _rates(eta: Floats, phi: Floats, length: int) -> tuple[Floats, Floats, Floats]:
    """Return mu, 1 - mu and j phi, ready to be added; shapes (rows, cells, 1) and (rows, 1, length)."""
    ladder = phi[:, None, None] * np.arange(length)
    return special.expit(eta)[:, :, None], special.expit(-eta)[:, :, None], ladder


@dataclass(frozen=True, eq=False)
class _Model:
    """Cells and the design that gives their logits, shape (cells, p)."""

    cells: Cells
    design: Floats

    def parts(self, beta: Floats, phi: Floats, rows: Index) -> tuple[Floats, Floats, Floats]:
        """Return values, gradients and Hessians in (beta, phi)."""
        eta, p = beta @ self.design.T, self.design.shape[1]
        d_eta, d_eta2, d_phi, d_phi2, mixed = self.cells.derivatives(eta, phi, rows)
        gradient, hessian = np.empty((len(rows), p + 1)), np.empty((len(rows), p + 1, p + 1))
        gradient[:, :p], gradient[:, p] = d_eta @ self.design, d_phi
        hessian[:, :p, :p] = np.einsum("ci,nc,cj->nij", self.design, d_eta2, self.design)
        hessian[:, :p, p] = hessian[:, p, :p] = mixed @ self.design
        hessian[:, p, p] = d_phi2
        return self.cells.log_likelihood(eta, phi, rows), gradient, hessian

    def given(self, beta: Floats, phi: Floats) -> tuple[Floats, Floats]:
        """Return where the log-likelihoods are highest at a phi of each fit, and the values."""
        p = self.design.shape[1]

        def f(x: Floats, rows: Index) -> tuple[Floats, Floats, Floats]:
            value, gradient, hessian = self.parts(x, phi[rows], rows)
            return value, gradient[:, :p], hessian[:, :p, :p]

        return climb(f, beta)[:2]

    def both(self, beta: Floats, phi: Floats, rows: Index) -> tuple[Floats, Floats, Floats, Mask]:
        """Return the maxima in (beta, log phi), which keeps phi above 0, from points near them."""
        p = self.design.shape[1]

        def f(x: Floats, some: Index) -> tuple[Floats, Floats, Floats]:
            at = np.exp(x[:, p])
            value, gradient, hessian = self.parts(x[:, :p], at, rows[some])
            hessian[:, p, p] = hessian[:, p, p] * at**2 + gradient[:, p] * at
            hessian[:, :p, p] *= at[:, None]
            hessian[:, p, :p] *= at[:, None]
            gradient[:, p] *= at
            return value, gradient, hessian

        x, value, ended = climb(f, np.column_stack([beta, np.log(phi)]))
        return x[:, :p], np.exp(x[:, p]), value, ended


def fit(x: Floats, n: Floats, design: Floats, *, common: bool = False, mask: Mask | None = None) -> BetaBinomial:
    """Return the maximum-likelihood fits, each the highest over a scan of phi, 0 included.

    Parameters
    ----------
    x, n : ndarray of shape (arms,)
    design : ndarray of shape (arms, p)
        Intercept, and the indicator of arm 1 where there are two; or any other with few different rows.
    common : bool
        Hold rho at 0: logistic regression.
    mask : ndarray of bool, shape (batch, arms), optional
        Which arms each fit takes; by default one fit takes all. In every fit the logits must be estimable: an event and
        a non-event in each cell.

    Examples
    --------
    >>> x, n = np.array([3.0, 9.0, 1.0]), np.array([20.0, 31.0, 22.0])
    >>> fit(x, n, np.ones((3, 1)), mask=~np.eye(3, dtype=bool)).beta.round(4).ravel()
    array([-1.5655, -2.2513, -1.1787])
    """
    mask = np.ones((1, len(x)), dtype=bool) if mask is None else mask
    distinct, cell = np.unique(design, axis=0, return_inverse=True)
    step = max(1, int(CHUNK / max(1.0, len(distinct) * float(n.max(initial=0)))))
    parts = [
        _fit(_Model(Cells.of(x, n, cell.ravel(), mask[i : i + step]), distinct), common=common)
        for i in range(0, len(mask), step)
    ]
    return concatenated(parts)


def _fit(model: _Model, *, common: bool) -> BetaBinomial:
    size, p = len(model.cells.constant), model.design.shape[1]
    rows, nil = np.arange(size), np.zeros(size)
    beta0, low = model.given(_crude(model), nil)
    beta, phi, value, converged = beta0.copy(), nil.copy(), low.copy(), np.ones(size, dtype=bool)
    if not common:
        at, best, best_phi, best_at = beta0, np.full(size, -np.inf), nil.copy(), beta0.copy()
        for each in GRID:
            at, height = model.given(at, np.full(size, each))
            above = height > best
            best[above], best_phi[above], best_at[above] = height[above], each, at[above]
        up = np.flatnonzero(best > low)
        if len(up):
            beta[up], phi[up], value[up], ended = model.both(best_at[up], best_phi[up], up)
            converged[up] = ended & (phi[up] < GRID[-1])
    _, gradient, hessian = model.parts(beta, phi, rows)
    fixed = phi == 0  # rho is held by its boundary: it has no variance and is no direction of the information
    hessian[fixed, :, p] = hessian[fixed, p, :] = 0.0
    gradient[fixed, p] = 0.0
    inner = np.linalg.cond(hessian[:, :p, :p])
    condition = np.where(fixed, inner, np.linalg.cond(hessian + np.where(fixed, -1.0, 0.0)[:, None, None] * _last(p)))
    covariance = np.linalg.inv(-hessian + np.where(fixed, 1.0, 0.0)[:, None, None] * _last(p))
    return BetaBinomial(
        beta=beta,
        covariance=covariance[:, :p, :p],
        rho=phi / (1 + phi),
        se_rho=np.where(fixed, np.nan, np.sqrt(np.abs(covariance[:, p, p])) / (1 + phi) ** 2),
        log_likelihood=value,
        log_likelihood_common=low,
        beta_common=beta0,
        gradient=np.abs(gradient).max(axis=1),
        condition=condition,
        converged=converged,
    )


def _last(p: int) -> Floats:
    """Return a matrix with 1 in its last corner."""
    corner = np.zeros((p + 1, p + 1))
    corner[p, p] = 1.0
    return corner


def _crude(model: _Model) -> Floats:
    """Return first guesses: the logits of the cells' sums, as the design can give them."""
    events, rest = row_sum(model.cells.up), row_sum(model.cells.down)
    return np.log((events + 0.5) / (rest + 0.5)) @ np.linalg.pinv(model.design).T
