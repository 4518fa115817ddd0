"""I2 of each level of a multilevel model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta.models.multilevel.likelihood import Evaluated, Likelihood
from igfmeta.models.multilevel.results import Heterogeneity
from igfmeta.models.multilevel.terms import Term
from igfmeta.numerics import Floats


def _residual_diagonals(likelihood: Likelihood, fixed: Evaluated) -> tuple[Floats, Floats]:
    """Return the diagonals of P = W - W X (X'WX)^-1 X'W, W = V^-1, and of I - X (X'WX)^-1 X'W."""
    layout = likelihood.layout
    inverse = np.empty(likelihood.k)
    for blocks in layout.blocks:
        inverse[blocks.rows] = np.diagonal(np.linalg.inv(blocks.v), axis1=1, axis2=2)
    wx = fixed.weighted[:, :-1]
    x = likelihood.columns[:, likelihood.q : -1]
    p = inverse - np.einsum("ij,jk,ik->i", wx, fixed.vcov, wx)
    return p, 1 - np.einsum("ij,jk,ik->i", x, fixed.vcov, wx)


def by_term(
    likelihood: Likelihood, fixed: Evaluated, g: Sequence[Floats], terms: Sequence[Term]
) -> tuple[tuple[Heterogeneity, ...], float]:
    """Return the I2 of each term and of all together, in percent.

    The typical sampling variance is (k - p) / tr(P) (Higgins & Thompson 2002, eq. 9, for any design), and the I2 of a
    level is its variance over the sum of all variances and the typical one (Cheung 2014, Psychol Methods 19:211, eq.
    13). Where variances differ between inner levels, an inner level has the typical variance of its own rows.
    """
    p, residual = _residual_diagonals(likelihood, fixed)
    shared = [n for n, term in enumerate(terms) if term.structure.n_sd == 1]
    common = sum(float(g[n][0, 0]) for n in shared)
    if len(shared) == len(terms):
        total = common + float(residual.sum() / p.sum())
        found = [Heterogeneity(terms[n].label, "", 100 * float(g[n][0, 0]) / total) for n in shared]
        return tuple(found), 100 * common / total
    found = []
    for n, term in enumerate(terms):
        if term.structure.n_sd == 1 or term.inner is None:
            continue
        inner = term.inner[likelihood.layout.order]
        for i, name in enumerate(term.inner_levels):
            rows = inner == i
            own = float(g[n][i, i])
            total = common + own + float(residual[rows].sum() / p[rows].sum())
            found.append(Heterogeneity(term.label, name, 100 * own / total))
            found += [
                Heterogeneity(terms[m].label, f"{name}", 100 * float(g[m][0, 0]) / total) for m in shared
            ]  # fmt: skip
    return tuple(found), float("nan")
