"""Newton's method towards the maxima of many functions of few variables at once; what has arrived drops out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from igfmeta.numerics import Floats, Mask

#: f(x, rows) -> values (n,), gradients (n, p) and Hessians (n, p, p) of the functions with the indices `rows`, at x.
Functions = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats, Floats]]

#: Steps; longest step in any variable; halvings of a step that does not rise; and the gain and the step after which a
#: maximum is found.
STEPS, LONGEST, HALVINGS = 100, 2.0, 30
GAIN, FOUND = 1e-12, 1e-9

#: Smallest curvature that a step is divided by: directions in which a function does not bend get a short step.
FLAT = 1e-6


def ascent(gradient: Floats, hessian: Floats) -> Floats:
    """Return Newton's steps, along the positive part of the information, at most `LONGEST` in any variable."""
    value, vector = np.linalg.eigh(-hessian)
    along = np.einsum("nij,ni->nj", vector, gradient) / np.maximum(value, FLAT)
    step = np.einsum("nij,nj->ni", vector, along)
    return np.asarray(step * shortened(np.abs(step).max(axis=1))[:, None])


def shortened(length: Floats) -> Floats:
    """Return the factors that make lengths at most `LONGEST`."""
    return np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))


def climb(f: Functions, start: Floats) -> tuple[Floats, Floats, Mask]:
    """Return a maximum of each function, its value there, and whether the search ended.

    Parameters
    ----------
    f : callable
        Gradients and Hessians of 0 (and -1 on the diagonal) hold a variable where it is.
    start : ndarray of shape (n, p)

    Examples
    --------
    >>> def hill(x, rows):
    ...     away = x - rows[:, None]
    ...     return -(away**2).sum(axis=1), -2 * away, np.tile(-2 * np.eye(2), (len(x), 1, 1))
    >>> climb(hill, np.zeros((3, 2)))[0].tolist()
    [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
    """
    x, ended = start.astype(float), np.zeros(len(start), dtype=bool)
    rows = np.arange(len(start))
    value, gradient, hessian = f(x, rows)
    out = value.copy()
    for _ in range(STEPS):
        step = ascent(gradient, hessian)
        new_value, new_gradient, new_hessian = f(x[rows] + step, rows)
        for _ in range(HALVINGS):
            lower = np.flatnonzero(~(new_value >= value))
            if not len(lower):
                break
            step[lower] /= 2
            found = f(x[rows[lower]] + step[lower], rows[lower])
            new_value[lower], new_gradient[lower], new_hessian[lower] = found
        stuck = ~(new_value >= value)  # no step rises: what is left is rounding
        step[stuck], new_value[stuck] = 0.0, value[stuck]
        x[rows] += step
        out[rows] = new_value
        done = stuck | ((new_value - value <= GAIN) & (np.abs(step).max(axis=1) < FOUND))
        ended[rows[done]] = True
        left = ~done
        rows, value = rows[left], new_value[left]
        gradient, hessian = new_gradient[left], new_hessian[left]
        if not len(rows):
            break
    return x, out, ended
