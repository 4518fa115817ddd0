"""How much less precise coefficients are because moderators go together: variance inflation factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.regression.data import ALIASED
from igfmeta.models.regression.results import Regression
from igfmeta.numerics import Floats

#: A column with a coefficient this small is no part of a combination.
_SOME = 1e-6


def inflation(fit: Regression, group: Sequence[int]) -> float:
    """Return the (generalized) variance inflation factor of one or several coefficients.

    det(R_11) det(R_22) / det(R), R the correlations of the coefficients but the intercept, R_11 those of the group
    (Fox & Monette 1992, J Am Stat Assoc 87:178, eq. 10). For one coefficient it is the ordinary VIF.

    Parameters
    ----------
    fit : Regression
    group : sequence of int
        Positions of the coefficients, the intercept not among them.

    Examples
    --------
    >>> from igfmeta.models.regression.fitting import regress_one
    >>> x = [[1, 0, 1], [1, 1, 0], [1, 2, 3], [1, 3, 2], [1, 4, 5]]
    >>> round(inflation(regress_one([0.1, 0.3, 0.8, 0.9, 1.2], [0.02] * 5, x), [1]), 3)
    3.083
    """
    within = _moderators(fit)
    if not group or any(j not in within for j in group):
        raise InputError(f"group was {list(group)}; accepted are positions of moderators: {within}.")
    r = _correlations(fit.vcov[np.ix_(within, within)])
    own = [within.index(j) for j in group]
    rest = [i for i in range(len(within)) if i not in own]
    return float(_determinant(r, own) * _determinant(r, rest) / _determinant(r, range(len(within))))


def _moderators(fit: Regression) -> list[int]:
    return [fit.names.index(name) for name in fit.tested]


def _correlations(vcov: Floats) -> Floats:
    sd = np.sqrt(np.diag(vcov))
    return np.asarray(vcov / np.outer(sd, sd))


def _determinant(r: Floats, some: Sequence[int]) -> float:
    return float(np.linalg.det(r[np.ix_(some, some)])) if len(some) else 1.0


def combinations_of(x: Floats) -> dict[int, tuple[int, ...]]:
    """Return the columns that are combinations of those before them, each with the columns that it is made of.

    Parameters
    ----------
    x : ndarray of shape (k, p)

    Examples
    --------
    >>> combinations_of(np.array([[1.0, 1, 2, 0], [1, 2, 3, 5], [1, 3, 4, 1], [1, 4, 5, 2]]))
    {2: (0, 1)}
    """
    unit = x / np.maximum(np.abs(x).max(axis=0), 1e-300)
    kept: list[int] = []
    found = {}
    for j in range(x.shape[1]):
        before, own = unit[:, kept], unit[:, j]
        coef = np.linalg.lstsq(before, own, rcond=None)[0]
        left = own - before @ coef
        if np.linalg.norm(left) <= ALIASED * np.linalg.norm(own):
            found[j] = tuple(kept[i] for i in np.flatnonzero(np.abs(coef) > _SOME))
        else:
            kept.append(j)
    return found
