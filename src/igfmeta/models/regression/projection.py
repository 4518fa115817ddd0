"""Least squares for many data sets at once: Gram-Schmidt along the columns, every step over all data sets.

Columns are orthogonalized twice ("twice is enough": Giraud, Langou & Rozloznik 2005, Comput Math Appl 50:1069), so
that q is orthonormal to rounding. Arrays have studies first and any trailing axes: (p, k, ...) and (k, ...).
"""

from __future__ import annotations

import numpy as np

from igfmeta.numerics import Floats, Mask


def inner(a: Floats, b: Floats) -> Floats:
    """Return the sums of products over the first axis."""
    return np.asarray(np.einsum("k...,k...->...", a, b))


def orthonormal(columns: Floats, *, threshold: float = 0.0) -> tuple[Floats, Floats, Mask]:
    """Return q and r with columns = q r, and which columns are combinations of those before them.

    Parameters
    ----------
    columns : ndarray of shape (p, k, ...)
    threshold : float
        Share of a column's length that must be left; a column with less is aliased, its q is 0 and its r[j, j] is 1.

    Returns
    -------
    q : ndarray of shape (p, k, ...)
    r : ndarray of shape (p, p, ...)
        Upper triangular.
    aliased : ndarray of bool, shape (p, ...)
    """
    p, trailing = len(columns), columns.shape[2:]
    q, r, aliased = np.array(columns), np.zeros((p, p, *trailing)), np.zeros((p, *trailing), dtype=bool)
    for j in range(p):
        before = inner(q[j], q[j])
        for _ in range(2 if j else 0):
            for i in range(j):
                share = inner(q[i], q[j])
                q[j] -= share * q[i]
                r[i, j] += share
        length = inner(q[j], q[j]) if j else before
        aliased[j] = (length <= threshold**2 * before) | (length == 0)
        r[j, j] = np.where(aliased[j], 1.0, np.sqrt(length))
        q[j] = np.where(aliased[j], 0.0, q[j]) / r[j, j]
    return q, r, aliased


def project(q: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of y, shape (k, ...), on orthonormal columns, shape (p, ...), and what they leave."""
    coef, rest = np.zeros((len(q), *np.broadcast_shapes(q.shape[2:], y.shape[1:]))), y
    for _ in range(2):
        for j, column in enumerate(q):
            share = inner(column, rest)
            rest = rest - share * column
            coef[j] += share
    return coef, rest


def triangular_inverse(r: Floats) -> Floats:
    """Return the inverses of upper triangular r, shape (p, p, batch), with shape (batch, p, p)."""
    p = len(r)
    out = np.zeros_like(r)
    for j in range(p):
        out[j, j] = 1.0 / r[j, j]
        for i in range(j - 1, -1, -1):
            out[i, j] = -sum(r[i, m] * out[m, j] for m in range(i + 1, j + 1)) / r[i, i]
    return np.moveaxis(out, -1, 0)
