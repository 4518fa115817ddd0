"""Conditional means of the random effects (best linear unbiased predictions) with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta.models.multilevel.likelihood import Evaluated, Likelihood
from igfmeta.models.multilevel.results import RandomEffects
from igfmeta.models.multilevel.terms import Codes, Term
from igfmeta.numerics import Floats, t_quantile


def _views(likelihood: Likelihood, found: Evaluated, n: int) -> tuple[Codes, Floats, Floats]:
    """Return codes, Z'M^-1 Z and Z'M^-1 [X y] of the groups of a term."""
    view = found.groups[n]
    if view is not None:
        return view.codes, view.zmz, view.zmc
    layout = likelihood.layout
    term = layout.terms[n]
    part = next(part for part in layout.dense if part.term == n)
    codes, group = np.unique(term.group, return_inverse=True)
    size = term.structure.size
    inner = np.zeros(len(group), dtype=np.intp) if term.inner is None else term.inner
    zmc = np.zeros((len(codes), size, found.weighted.shape[1]))
    np.add.at(zmc, (group, inner), found.weighted)
    zmz = np.zeros((len(codes), size, size))
    for m, blocks in enumerate(layout.blocks):
        rows = blocks.rows
        own = np.broadcast_to(group[rows][:, :, None], part.together[m].shape)
        left = np.broadcast_to(inner[rows][:, :, None], own.shape)
        right = np.broadcast_to(inner[rows][:, None, :], own.shape)
        np.add.at(zmz, (own, left, right), found.inverse[m] * part.together[m])
    return codes, zmz, zmc


def random_effects(
    likelihood: Likelihood, found: Evaluated, g: Sequence[Floats], terms: Sequence[Term], worked: Sequence[Term], *,
    unit: float, level: float,
) -> tuple[RandomEffects, ...]:  # fmt: skip
    """Return u = G Z'P y of each group, with the variance G - G Z'P Z G of its prediction (Henderson 1975).

    Effects of inner levels that a group does not have are left out.
    """
    half = float(t_quantile(0.5 + level / 2, np.inf))
    out = []
    for n, (term, work) in enumerate(zip(terms, worked, strict=True)):
        codes, zmz, zmc = _views(likelihood, found, n)
        zmx, zmy = zmc[:, :, :-1], zmc[:, :, -1]
        mean = (zmy - zmx @ found.coef) @ g[n]
        zpz = zmz - zmx @ found.vcov @ zmx.swapaxes(1, 2)
        variance = np.diag(g[n]) - np.diagonal(g[n] @ zpz @ g[n], axis1=1, axis2=2)
        estimate, se = unit * mean, unit * np.sqrt(np.maximum(variance, 0.0))
        at, group, inner = _cells(term, work, codes)
        u, s = estimate[at], se[at]
        out.append(RandomEffects(term.label, group, inner, u, s, u - half * s, u + half * s))
    return tuple(out)


def _cells(
    term: Term, work: Term, codes: Codes
) -> tuple[tuple[Codes, Codes], tuple[str, ...], tuple[str, ...]]:  # fmt: skip
    """Return the places of the cells that have rows, and the names of their group and inner level."""
    if term.inner is None or work.inner is None:
        present = np.isin(codes, term.group)
        where = np.flatnonzero(present)
        return (where, np.zeros_like(where)), tuple(term.levels[i] for i in codes[present]), ("",) * len(where)
    cells, first = np.unique(np.stack([term.group, term.inner]), axis=1, return_index=True)
    position = {int(code): i for i, code in enumerate(codes)}
    rows = np.array([position[int(code)] for code in cells[0]], dtype=np.intp)
    groups = tuple(term.levels[i] for i in cells[0])
    return (rows, work.inner[first]), groups, tuple(term.inner_levels[i] for i in cells[1])
