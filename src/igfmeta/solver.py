"""Newton's method held inside a bracket, for many equations at once; those that have converged drop out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from igfmeta.numerics import Floats, Mask

#: f(t, rows) -> (value, slope) of the equations with the indices `rows`, at `t`.
Equations = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats]]

#: Relative length of a step after which a root counts as found: Newton's error is of the square of its last step, so
#: that what remains after this one is rounding.
STEP = 1e-8

#: Relative length below which steps that no longer shrink are rounding errors of the function.
NOISE = 1e-9

#: Relative width at which a bracket is a number.
WIDTH = 1e-14
MAX_STEPS = 200


def bracketed_newton(f: Equations, low: Floats, high: Floats, start: Floats | None = None) -> tuple[Floats, Mask]:
    """Return the root of each equation in its bracket, and whether the search converged.

    Parameters
    ----------
    f : callable
        `f(t, rows)` gives value and slope of the equations with the indices `rows`.
    low, high : ndarray of shape (n,)
        A bracket each, with a value above 0 at `low` and below 0 at `high`.
    start : ndarray of shape (n,), optional
        First guesses; the middles of the brackets by default.

    Notes
    -----
    A Newton step that leaves the bracket, or is more than half as long as the step before, is replaced by a bisection
    (geometric where both ends are above 0, because variances spread over many decades).
    """
    n = len(low)
    root, converged = np.empty(n), np.zeros(n, dtype=bool)
    rows = np.arange(n)
    a, b = low.astype(float), high.astype(float)
    t = _middle(a, b) if start is None else np.clip(start, a, b)
    step = b - a
    for _ in range(MAX_STEPS):
        value, slope = f(t, rows)
        above = value > 0
        a, b = np.where(above, t, a), np.where(above, b, t)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            new = t - value / slope
            length = np.abs(new - t)
        shrinks = 2 * length < step
        done = (shrinks & (length <= STEP * t)) | (~shrinks & (length <= NOISE * t)) | (b - a <= WIDTH * b)
        new = np.where(done | (shrinks & (new > a) & (new < b)), np.clip(new, a, b), _middle(a, b))
        step = np.abs(new - t)
        t = new
        if done.any():
            root[rows[done]], converged[rows[done]] = t[done], True
            left = ~done
            rows, a, b, t, step = rows[left], a[left], b[left], t[left], step[left]
            if not len(rows):
                break
    root[rows] = t
    return root, converged


def _middle(a: Floats, b: Floats) -> Floats:
    """Return the geometric middle of a bracket, or its half where it starts at 0."""
    return np.where(a > 0, np.sqrt(a * b), 0.5 * b)
