"""The (restricted) likelihood of a multilevel model, and its slope, by elimination of random effects.

y = X b + sum over terms of Z u + e, u ~ N(0, I x G(theta)), e ~ N(0, V), M = V + sum of Z (I x G) Z'. On the way up
(`igfmeta.models.multilevel.elimination`) every group of a nested term gets T = D'R^-1 D and c = D'R^-1 C, R the
covariance without the effects of the group and of those above it, D its design and C any columns, and
q = (G^-1 + T)^-1. On the way down Q, the conditional covariance of the sum of a group's effects and those above it, and
t, its conditional mean for each column of C, follow from those of the parent: Q = B Q_parent B' + q,
t = t_parent + q (c - T t_parent), B = I - q T, and

    D'M^-1 D = T* - T* Q_parent T*,  D'M^-1 C = c* - T* t_parent,

T* and c* after the elimination of the group's own effects.

The slope in G of a term is -1/2 sum over its groups of (Z'P Z - Z'P y y'P Z), P = M^-1 - M^-1 X (X'M^-1 X)^-1 X'M^-1
for REML, M^-1 in the first place for ML (Harville 1977, JASA 72:320).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import linalg

from igfmeta.models.multilevel.elimination import Base, Step, eliminate, eliminate_intercepts, times
from igfmeta.models.multilevel.layout import Layout, Level
from igfmeta.models.multilevel.structures import Covariance
from igfmeta.models.multilevel.terms import Codes
from igfmeta.numerics import Floats


@dataclass(frozen=True, eq=False)
class GroupView:
    """What the data say of the effects of each group of a term.

    Attributes
    ----------
    codes : ndarray of int of shape (g,)
        Levels of the term's factor.
    zmz : ndarray of shape (g, d, d)
        Z'M^-1 Z.
    zmc : ndarray of shape (g, d, p + 1)
        Z'M^-1 [X y].
    """

    codes: Codes
    zmz: Floats
    zmc: Floats


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A likelihood with what it is made of.

    Attributes
    ----------
    log_likelihood : float
    coef, vcov : ndarray of shape (p,) and (p, p)
        Generalized least squares.
    rss : float
        (y - X b)'M^-1 (y - X b).
    adjoints : tuple of ndarray
        Slope of the log-likelihood in G of each term.
    groups : tuple of GroupView or None
        By term; None for one inside the blocks.
    weighted : ndarray of shape (k, p + 1)
        M^-1 [X y], rows as the layout has them; empty where rows were not asked for.
    inverse : tuple of ndarray
        Diagonal blocks of M^-1, by block size.
    """

    log_likelihood: float
    coef: Floats
    vcov: Floats
    rss: float
    adjoints: tuple[Floats, ...]
    groups: tuple[GroupView | None, ...]
    weighted: Floats
    inverse: tuple[Floats, ...]


def _slices(structures: Sequence[Covariance]) -> list[slice]:
    """Return where each structure finds its own free parameters."""
    ends = np.cumsum([0, *(s.n_parameters for s in structures)]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


class Likelihood:
    """The likelihood of one model as a function of the free parameters of its terms.

    Parameters
    ----------
    layout : Layout
    x : ndarray of shape (k, p)
        Orthonormal columns, rows as the data have them.
    y : ndarray of shape (k,)
    structures : sequence of Covariance
        One per term.
    restricted : bool
        REML, or ML.
    """

    def __init__(
        self, layout: Layout, x: Floats, y: Floats, structures: Sequence[Covariance], *, restricted: bool
    ) -> None:
        self.layout, self.structures, self.restricted = layout, tuple(structures), restricted
        self.q, self.p, self.k = layout.z.shape[1], x.shape[1], len(y)
        rows = layout.order
        self.columns = np.concatenate([layout.z, x[rows], y[rows, None]], axis=1)
        self.slices = _slices(self.structures)
        self._constant = None if layout.dense else self._base(())

    def with_structures(self, structures: Sequence[Covariance]) -> Likelihood:
        """Return the same likelihood as a function of other parameters."""
        other = object.__new__(Likelihood)
        other.__dict__.update(self.__dict__)
        other.structures = tuple(structures)
        other.slices = _slices(structures)
        return other

    @property
    def n_parameters(self) -> int:
        """Free parameters."""
        return sum(s.n_parameters for s in self.structures)

    def matrices(self, theta: Floats) -> list[Floats]:
        """Return G of each term."""
        return [s.matrix(theta[at]) for s, at in zip(self.structures, self.slices, strict=True)]

    def _base(self, g: Sequence[Floats]) -> Base:
        layout = self.layout
        d, m = layout.design.shape[1], self.columns.shape[1]
        t, c = np.empty((layout.n_blocks, d, d)), np.empty((layout.n_blocks, d, m))
        weighted_design, weighted = np.empty((self.k, d)), np.empty((self.k, m))
        inverses, log_det, within = [], 0.0, np.zeros((m, m))
        for n, blocks in enumerate(layout.blocks):
            covariance = blocks.v
            for part in layout.dense:
                inner = part.inner[n]
                covariance = covariance + part.together[n] * g[part.term][inner[:, :, None], inner[:, None, :]]
            if covariance.shape[1] == 1:
                inverse = 1 / covariance
                log_det += float(np.log(covariance).sum())
            else:
                root = np.linalg.cholesky(covariance)
                log_det += 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
                half = np.linalg.inv(root)
                inverse = half.swapaxes(1, 2) @ half
            design, columns = layout.design[blocks.rows], self.columns[blocks.rows]
            wd, wc = times(inverse, design), times(inverse, columns)
            if covariance.shape[1] == 1:
                t[blocks.at], c[blocks.at] = design.swapaxes(1, 2) * wd, design.swapaxes(1, 2) * wc
            else:
                t[blocks.at], c[blocks.at] = design.swapaxes(1, 2) @ wd, design.swapaxes(1, 2) @ wc
            weighted_design[blocks.rows], weighted[blocks.rows] = wd, wc
            if d == 1 and covariance.shape[1] > 1:
                apart = columns - c[blocks.at] / t[blocks.at]
                within += np.einsum("bim,bin->mn", apart, inverse @ apart)
            inverses.append(inverse)
        return Base(t, c, self.columns.T @ weighted, within, log_det, weighted_design, weighted, tuple(inverses))

    def value(self, theta: Floats) -> float:
        """Return the log-likelihood."""
        return self._up(theta).log_likelihood

    def gradient(self, theta: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood and its slope in the free parameters; minus infinity where it has no value."""
        try:
            found = self.evaluate(theta, rows=bool(self.layout.dense))
        except np.linalg.LinAlgError:
            return -np.inf, np.zeros(len(theta))
        return found.log_likelihood, self.chain(theta, found.adjoints)

    def chain(self, theta: Floats, adjoints: Sequence[Floats]) -> Floats:
        """Return the slope in the free parameters from the slopes in G."""
        parts = zip(self.structures, self.slices, adjoints, strict=True)
        return np.concatenate([np.zeros(0), *(s.pullback(theta[at], adjoint) for s, at, adjoint in parts)])

    def _up(self, theta: Floats) -> _Up:
        layout, g = self.layout, self.matrices(theta)
        base = self._base(g) if self._constant is None else self._constant
        steps, s, log_det = (eliminate_intercepts if layout.design.shape[1] == 1 else eliminate)(layout.levels, g, base)
        zz, zc, cc = s[: self.q, : self.q], s[: self.q, self.q :], s[self.q :, self.q :]
        crossed = np.zeros((0, 0))
        if self.q:
            f = self._crossed_factor(g)
            root_z = np.linalg.cholesky(np.eye(self.q) + f.T @ zz @ f)
            half = linalg.solve_triangular(root_z, f.T, lower=True)
            crossed = half.T @ half
            log_det += 2 * float(np.log(np.diag(root_z)).sum())
            cc = cc - zc.T @ crossed @ zc
        root = np.linalg.cholesky(cc[:-1, :-1])
        half_inverse = np.linalg.inv(root)
        vcov = half_inverse.T @ half_inverse
        coef = vcov @ cc[:-1, -1]
        rss = float(cc[-1, -1] - cc[:-1, -1] @ coef)
        free = self.k - self.p if self.restricted else self.k
        log_likelihood = free * np.log(2 * np.pi) + log_det + rss
        if self.restricted:
            log_likelihood += 2 * float(np.log(np.diag(root)).sum())
        return _Up(g, base, steps, zz, zc, crossed, coef, vcov, rss, -0.5 * log_likelihood)

    def _crossed_factor(self, g: Sequence[Floats]) -> Floats:
        """Return F with F F' = I x G of the crossed terms."""
        out = np.zeros((self.q, self.q))
        for i, at in self.layout.crossed:
            values, vectors = np.linalg.eigh(g[i])
            root = vectors * np.sqrt(np.maximum(values, 0.0))
            out[at, at] = np.kron(np.eye((at.stop - at.start) // len(g[i])), root)
        return out

    def evaluate(self, theta: Floats, *, rows: bool = True) -> Evaluated:
        """Return the likelihood with its slopes and what the data say of each group, and, unless not asked for, row."""
        up, layout = self._up(theta), self.layout
        groups: list[GroupView | None] = [None] * len(layout.terms)
        adjust = up.crossed @ up.zc
        q_parent = np.zeros((1, layout.design.shape[1], layout.design.shape[1]))
        t_parent = np.zeros((1, layout.design.shape[1], self.columns.shape[1]))
        for level, step in zip(reversed(layout.levels), reversed(up.steps), strict=True):
            groups[level.term], q_parent, t_parent = self._down(level, step, q_parent, t_parent, up, adjust)
        for i, at in layout.crossed:
            groups[i] = self._of_crossed(i, at, up, adjust)
        weighted: Floats = np.zeros((0, self.p + 1))
        inverse: tuple[Floats, ...] = ()
        if rows:
            weighted, inverse = self._rows(up, q_parent, t_parent, adjust)
        adjoints = [
            np.zeros((0, 0)) if view is None else self._adjoint(view, up.coef, up.vcov) for view in groups
        ]  # fmt: skip
        for part in layout.dense:
            adjoints[part.term] = self._dense_adjoint(part.term, up, weighted, inverse)
        return Evaluated(
            up.log_likelihood, up.coef, up.vcov, up.rss, tuple(adjoints), tuple(groups), weighted, inverse
        )  # fmt: skip

    def _down(
        self, level: Level, step: Step, q_parent: Floats, t_parent: Floats, up: _Up, adjust: Floats,
    ) -> tuple[GroupView, Floats, Floats]:  # fmt: skip
        """Return what the data say of a level's groups, and Q and t of its groups."""
        t, c, q = step.t, step.c, step.q
        at = level.columns
        above_q, above_t = q_parent[level.parent], t_parent[level.parent]
        b = np.eye(t.shape[1]) - np.zeros_like(t)
        b[:, at] -= times(q, t[:, at])
        total = times(times(b, above_q), b.swapaxes(1, 2))
        total[:, at, at] += q
        means = above_t.copy()
        means[:, at] += times(q, c[:, at] - times(t[:, at], above_t))
        left = step.t_after[:, at]
        zmz = step.t_after[:, at, at] - times(times(left, above_q), left.swapaxes(1, 2))
        zrc = step.c_after[:, at] - times(left, above_t)
        zmc = zrc[:, :, self.q :]
        if self.q:
            to_crossed = zrc[:, :, : self.q]
            zmz = zmz - to_crossed @ up.crossed @ to_crossed.swapaxes(1, 2)
            zmc = zmc - to_crossed @ adjust
        return GroupView(level.codes, zmz, zmc), total, means

    def _of_crossed(self, i: int, at: slice, up: _Up, adjust: Floats) -> GroupView:
        size = len(up.g[i])
        n = (at.stop - at.start) // size
        whole = up.zz[at, at] - up.zz[at] @ up.crossed @ up.zz[:, at]
        zmz = whole.reshape(n, size, n, size)[np.arange(n), :, np.arange(n)]
        zmc = (up.zc[at] - up.zz[at] @ adjust).reshape(n, size, -1)
        return GroupView(np.arange(n), zmz, zmc)

    def _rows(
        self, up: _Up, q_parent: Floats, t_parent: Floats, adjust: Floats
    ) -> tuple[Floats, tuple[Floats, ...]]:  # fmt: skip
        """Return M^-1 [X y], and the diagonal blocks of M^-1 where terms are inside them."""
        layout, base = self.layout, up.base
        weighted, inverses = base.weighted.copy(), []
        for blocks, inverse in zip(layout.blocks, base.inverse, strict=True):
            wd = base.weighted_design[blocks.rows]
            parent = layout.block_parent[blocks.at]
            if layout.levels:
                weighted[blocks.rows] -= times(wd, t_parent[parent])
            if layout.dense:
                full = inverse
                if layout.levels:
                    full = full - wd @ q_parent[parent] @ wd.swapaxes(1, 2)
                if self.q:
                    z = weighted[blocks.rows][:, :, : self.q]
                    full = full - z @ up.crossed @ z.swapaxes(1, 2)
                inverses.append(full)
        out = weighted[:, self.q :]
        if self.q:
            out = out - weighted[:, : self.q] @ adjust
        return out, tuple(inverses)

    def _adjoint(self, view: GroupView, coef: Floats, vcov: Floats) -> Floats:
        zmx, zmy = view.zmc[:, :, :-1], view.zmc[:, :, -1]
        u = zmy - zmx @ coef
        total = view.zmz.sum(axis=0) - u.T @ u
        if self.restricted:
            flat = zmx.swapaxes(0, 1).reshape(zmx.shape[1], -1)
            total = total - (zmx @ vcov).swapaxes(0, 1).reshape(flat.shape) @ flat.T
        return np.asarray(-0.25 * (total + total.T))

    def _dense_adjoint(self, i: int, up: _Up, weighted: Floats, inverse: Sequence[Floats]) -> Floats:
        part = next(part for part in self.layout.dense if part.term == i)
        size = len(up.g[i])
        u = weighted[:, -1] - weighted[:, :-1] @ up.coef
        total = np.zeros(size * size)
        for n, blocks in enumerate(self.layout.blocks):
            rows, inner = blocks.rows, part.inner[n]
            pairs = inverse[n] - u[rows][:, :, None] * u[rows][:, None, :]
            if self.restricted:
                mx = weighted[rows][:, :, :-1]
                pairs = pairs - mx @ up.vcov @ mx.swapaxes(1, 2)
            where = inner[:, :, None] * size + inner[:, None, :]
            total += np.bincount(where.ravel(), (pairs * part.together[n]).ravel(), size * size)
        square = total.reshape(size, size)
        return -0.25 * (square + square.T)


@dataclass(frozen=True, eq=False)
class _Up:
    """What the way up leaves for the way down."""

    g: list[Floats]
    base: Base
    steps: list[Step]
    zz: Floats
    zc: Floats
    crossed: Floats
    coef: Floats
    vcov: Floats
    rss: float
    log_likelihood: float
