"""How the rows are arranged so that no covariance larger than necessary is inverted.

Three kinds of random terms. *Dense* ones split the blocks of V (or have more inner levels than rows in a group): they
are added to the blocks. *Nested* ones hold whole blocks and nest in each other: they are eliminated level by level, in
time proportional to the rows. *Crossed* ones are left: one matrix as large as the number of their effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from igfmeta.models.multilevel.structures import Structure
from igfmeta.models.multilevel.terms import Codes, Term
from igfmeta.numerics import Floats, Mask

Slice = slice


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of one size.

    Attributes
    ----------
    at : ndarray of int of shape (b,)
        Their places among all blocks.
    rows : ndarray of int of shape (b, s)
    v : ndarray of shape (b, s, s)
    """

    at: Codes
    rows: Codes
    v: Floats


@dataclass(frozen=True, eq=False)
class Level:
    """A nested term.

    Attributes
    ----------
    term : int
    columns : slice
        Of the design.
    starts : ndarray of int of shape (g,)
        Where each group begins among the children: groups of the level below, or blocks.
    parent : ndarray of int of shape (g,)
        The group of the level above; zeros at the top.
    rows : ndarray of int of shape (k,)
        The group of each row.
    codes : ndarray of int of shape (g,)
        The level of the term's factor.
    """

    term: int
    columns: Slice
    starts: Codes
    parent: Codes
    rows: Codes
    codes: Codes


@dataclass(frozen=True, eq=False)
class Dense:
    """A term inside the blocks: by block size, which pairs share a group, and the inner levels of the rows."""

    term: int
    together: tuple[Mask, ...]
    inner: tuple[Codes, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """Rows in the order of blocks and groups, and how the terms are eliminated.

    Attributes
    ----------
    order : ndarray of int of shape (k,)
        Rows of the data in the order that is worked in.
    blocks : tuple of Blocks
    n_blocks : int
    block_parent : ndarray of int of shape (n_blocks,)
        The group of the lowest nested level; zeros without one.
    design : ndarray of shape (k, d)
        Columns of the nested terms.
    z : ndarray of shape (k, q)
        Columns of the crossed terms.
    dense : tuple of Dense
    levels : tuple of Level
        The lowest first.
    crossed : tuple of (term, slice of z)
    terms : tuple of Term
        Rows in the order that is worked in.
    """

    order: Codes
    blocks: tuple[Blocks, ...]
    n_blocks: int
    block_parent: Codes
    design: Floats
    z: Floats
    dense: tuple[Dense, ...]
    levels: tuple[Level, ...]
    crossed: tuple[tuple[int, Slice], ...]
    terms: tuple[Term, ...]


def components(k: int, covariance: Floats | None, groupings: Sequence[Codes]) -> Codes:
    """Return a label per row: rows that covariances or groupings connect have the same one."""
    parent = list(range(k))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    if covariance is not None:
        for i, j in zip(*np.nonzero(np.tril(covariance, -1)), strict=True):
            parent[root(int(i))] = root(int(j))
    for codes in groupings:
        first: dict[int, int] = {}
        for i, code in enumerate(codes.tolist()):
            parent[root(i)] = root(first.setdefault(code, i))
    return np.unique([root(i) for i in range(k)], return_inverse=True)[1]


def exchangeable(term: Term) -> Term:
    """Return a term whose inner levels are numbered within each group, where G does not tell them apart."""
    if term.inner is None or term.structure.kind not in ("CS", "ID"):
        return term
    _, pair = np.unique(np.stack([term.group, term.inner]), axis=1, return_inverse=True)
    first = np.unique(pair.ravel(), return_index=True)[1]
    of_pair = term.group[first]
    within = np.arange(len(first)) - np.searchsorted(of_pair, of_pair)
    inner = within[pair.ravel()]
    size = int(inner.max()) + 1
    return replace(term, inner=inner, structure=Structure(term.structure.kind, max(size, 2)))


def _holds(groups: Codes, blocks: Codes) -> bool:
    """Return whether every block lies in one group."""
    pairs = np.unique(np.stack([blocks, groups]), axis=1)
    return len(pairs[0]) == len(np.unique(blocks))


def _kinds(terms: Sequence[Term], blocks: Codes) -> tuple[list[int], list[int], list[int]]:
    """Return which terms are dense, nested (the lowest first) and crossed."""
    dense, holding, crossed = [], [], []
    for i, term in enumerate(terms):
        if _holds(term.group, blocks):
            holding.append(i)
        elif _holds(blocks, term.group):
            dense.append(i)
        else:
            crossed.append(i)
    nested: list[int] = []
    for i in sorted(holding, key=lambda i: -len(np.unique(terms[i].group))):
        if not nested or _holds(terms[i].group, terms[nested[-1]].group):
            nested.append(i)
        else:
            crossed.append(i)
    return dense, nested, crossed


def _too_wide(term: Term) -> bool:
    """Return whether a term has more inner levels than its largest group has rows."""
    return term.inner is not None and term.structure.size > int(np.bincount(term.group).max())


def arrange(v: Floats, terms: Sequence[Term]) -> Layout:
    """Return the arrangement of a model.

    Parameters
    ----------
    v : ndarray of shape (k,) or (k, k)
        Sampling variances, or their covariance matrix.
    terms : sequence of Term
    """
    k = len(v)
    matrix = v if v.ndim == 2 else None
    wide = [term.group for term in terms if _too_wide(term)]
    label = components(k, matrix, wide) if matrix is not None or wide else np.arange(k)
    dense, nested, crossed = _kinds(terms, label)
    keys = [label, *(terms[i].group for i in nested)]
    order = np.lexsort(keys)
    moved = [
        replace(term, group=term.group[order], inner=None if term.inner is None else term.inner[order])
        for term in terms
    ]
    label = _runs(label[order])
    rows_of = np.split(np.arange(k), np.flatnonzero(np.diff(label)) + 1)
    blocks = _blocks(rows_of, v, order)
    design, columns = _design([moved[i] for i in nested], k)
    z, places = _indicators([moved[i] for i in crossed], k)
    levels, block_parent = _levels(nested, moved, columns, np.array([rows[0] for rows in rows_of]))
    return Layout(
        order=order,
        blocks=blocks,
        n_blocks=len(rows_of),
        block_parent=block_parent,
        design=design,
        z=z,
        dense=tuple(_dense(i, moved[i], blocks) for i in dense),
        levels=levels,
        crossed=tuple(zip(crossed, places, strict=True)),
        terms=tuple(moved),
    )


def _runs(codes: Codes) -> Codes:
    """Return the number of the run of equal codes that each element is in."""
    return np.concatenate([[0], np.cumsum(np.diff(codes) != 0)]).astype(np.intp)


def _blocks(rows_of: Sequence[Codes], v: Floats, order: Codes) -> tuple[Blocks, ...]:
    sizes = np.array([len(rows) for rows in rows_of])
    out = []
    for size in np.unique(sizes):
        at = np.flatnonzero(sizes == size)
        rows = np.array([rows_of[i] for i in at.tolist()])
        theirs = order[rows]
        part = v[theirs[:, :, None], theirs[:, None, :]] if v.ndim == 2 else v[theirs][:, :, None] * np.eye(size)
        out.append(Blocks(at, rows, part))
    return tuple(out)


def _design(terms: Sequence[Term], k: int) -> tuple[Floats, list[Slice]]:
    """Return the columns of nested terms, each set once, and where each term finds its own."""
    made: dict[bytes, Slice] = {}
    parts: list[Floats] = []
    slices, width = [], 0
    for term in terms:
        part = np.ones((k, 1)) if term.inner is None else np.eye(term.structure.size)[term.inner]
        key = part.tobytes()
        if key not in made:
            made[key] = slice(width, width + part.shape[1])
            width += part.shape[1]
            parts.append(part)
        slices.append(made[key])
    return np.concatenate(parts, axis=1) if parts else np.zeros((k, 0)), slices


def _indicators(terms: Sequence[Term], k: int) -> tuple[Floats, list[Slice]]:
    """Return the columns of crossed terms: one per group, or per group and inner level, group by group."""
    parts, slices, width = [], [], 0
    for term in terms:
        size = term.structure.size
        column = term.group * size + (0 if term.inner is None else term.inner)
        part = np.zeros((k, len(term.levels) * size))
        part[np.arange(k), column] = 1.0
        parts.append(part)
        slices.append(slice(width, width + part.shape[1]))
        width += part.shape[1]
    return np.concatenate(parts, axis=1) if parts else np.zeros((k, 0)), slices


def _levels(
    nested: Sequence[int], terms: Sequence[Term], columns: Sequence[Slice], first: Codes
) -> tuple[tuple[Level, ...], Codes]:
    """Return the nested levels, and the group of the lowest that each block is in; `first` has a row of each."""
    children = first
    runs = [_runs(terms[i].group) for i in nested]
    levels = []
    for n, i in enumerate(nested):
        of_child = runs[n][children]
        starts = np.flatnonzero(np.concatenate([[True], np.diff(of_child) != 0]))
        own = children[starts]
        above = runs[n + 1][own] if n + 1 < len(nested) else np.zeros(len(own), dtype=np.intp)
        levels.append(Level(i, columns[n], starts, above, runs[n], terms[i].group[own]))
        children = own
    block_parent = runs[0][first] if nested else np.zeros(len(first), dtype=np.intp)
    return tuple(levels), block_parent


def _dense(i: int, term: Term, blocks: Sequence[Blocks]) -> Dense:
    together = tuple(term.group[b.rows][:, :, None] == term.group[b.rows][:, None, :] for b in blocks)
    inner = tuple(np.zeros_like(b.rows) if term.inner is None else term.inner[b.rows] for b in blocks)
    return Dense(i, together, inner)
