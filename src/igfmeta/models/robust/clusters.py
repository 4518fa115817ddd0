"""Rows in clusters, whitened by a working covariance: what every sandwich is made of.

The working covariance of cluster j is Phi_j = L_j L_j', the weights are its inverse. With Q R the QR decomposition of
the stacked L_j^-1 X_j, M = (X'WX)^-1 = R^-1 R^-T and X_j M X_j' = L_j Q_j Q_j' L_j'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.numerics import Floats

Rows = NDArray[np.intp]


def clusters_of(labels: Sequence[object]) -> tuple[Rows, ...]:
    """Return the rows of each cluster, in the order in which the clusters first appear.

    Examples
    --------
    >>> [rows.tolist() for rows in clusters_of(["a", "b", "a"])]
    [[0, 2], [1]]
    """
    places: dict[object, list[int]] = {}
    for i, label in enumerate(labels):
        places.setdefault(label, []).append(i)
    return tuple(np.array(rows) for rows in places.values())


@dataclass(frozen=True, eq=False)
class Clustered:
    """A regression weighted by the inverse of a block-diagonal working covariance.

    Attributes
    ----------
    rows : tuple of ndarray
        Of each cluster.
    chol, q, e : tuple of ndarray of shapes (m, m), (m, p), (m,)
        L_j, Q_j and the residuals of each cluster.
    back : ndarray of shape (p, p)
        R^-1.
    beta : ndarray of shape (p,)
    """

    rows: tuple[Rows, ...]
    chol: tuple[Floats, ...]
    q: tuple[Floats, ...]
    e: tuple[Floats, ...]
    back: Floats
    beta: Floats

    @property
    def model_vcov(self) -> Floats:
        """Return M, the covariance of the coefficients if the working model were true."""
        return np.asarray(self.back @ self.back.T)


def regress(y: Floats, x: Floats, rows: Sequence[Rows], phi: Sequence[Floats]) -> Clustered:
    """Fit y on x with the weights phi_j^-1.

    Parameters
    ----------
    y : ndarray of shape (k,)
    x : ndarray of shape (k, p)
    rows : sequence of ndarray
        Of each cluster; together every row once.
    phi : sequence of ndarray of shape (m, m)
        Working covariance of each cluster.
    """
    chol = tuple(np.linalg.cholesky(block) for block in phi)
    # A column at a time over its largest value: years and shares alike keep their digits.
    unit = np.abs(x).max(axis=0)
    white = np.concatenate(
        [np.linalg.solve(c, np.column_stack([x[at] / unit, y[at]])) for c, at in zip(chol, rows, strict=True)]
    )
    q, r = np.linalg.qr(white[:, :-1])
    back = np.linalg.inv(r) / unit[:, None]
    first = back @ (q.T @ white[:, -1])
    # A second pass takes off what rounding left of large common values.
    left = white[:, -1] - q @ (q.T @ white[:, -1])
    beta = first + back @ (q.T @ left)
    left = left - q @ (q.T @ left)
    ends = np.cumsum([len(at) for at in rows])[:-1]
    parts = np.split(left, ends)
    return Clustered(
        rows=tuple(rows),
        chol=chol,
        q=tuple(np.split(q, ends)),
        e=tuple(c @ part for c, part in zip(chol, parts, strict=True)),
        back=back,
        beta=beta,
    )
