"""Newton's method held inside a bracket, for many equations at once; those that have converged drop out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from igfmeta.numerics import Floats, Mask

#: f(t, rows) -> (value, slope) of the equations with the indices `rows`, at `t`.
Equations = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats]]

#: Relative length of a step at which a root counts as found: a few units in the last place.
STEP = 1e-14
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
    A Newton step that leaves the bracket, or one after which the bracket has not shrunk by half in three steps, is
    replaced by a bisection (geometric where both ends are above 0, because variances spread over many decades).
    """
    n = len(low)
    root, converged = np.empty(n), np.zeros(n, dtype=bool)
    rows = np.arange(n)
    a, b = low.astype(float), high.astype(float)
    t = _middle(a, b) if start is None else np.clip(start, a, b)
    old_width, waited = b - a, 0
    for _ in range(MAX_STEPS):
        value, slope = f(t, rows)
        above = value > 0
        a, b = np.where(above, t, a), np.where(above, b, t)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            new = t - value / slope
        waited += 1
        stuck = np.zeros(len(t), dtype=bool)
        if waited == 3:
            stuck = (b - a) > 0.5 * old_width
            old_width, waited = b - a, 0
        inside = (new > a) & (new < b) & ~stuck
        at_end = np.isfinite(new) & ~inside & ((new == a) | (new == b))
        new = np.where(inside | at_end, new, _middle(a, b))
        done = (value == 0) | (np.abs(new - t) <= STEP * np.abs(t)) | (b - a <= STEP * b)
        t = np.where(value == 0, t, new)
        if done.any():
            root[rows[done]], converged[rows[done]] = t[done], True
            left = ~done
            rows, a, b, t, old_width = rows[left], a[left], b[left], t[left], old_width[left]
            if not len(rows):
                break
    root[rows] = t
    return root, converged


def _middle(a: Floats, b: Floats) -> Floats:
    """Return the geometric middle of a bracket, or its half where it starts at 0."""
    return np.where(a > 0, np.sqrt(a * b), 0.5 * b)
