"""Maxima of a likelihood of tau2 from its score on grids: each change of sign brackets one, and the highest wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.numerics import Floats, Mask
from igfmeta.solver import bracketed_newton

Codes = NDArray[np.intp]

#: Data set, ends of the bracket, and first guess of each maximum above 0.
Crossings = tuple[Codes, Floats, Floats, Floats]

#: tau2 and the data sets (positions among the maxima) -> the score and its derivative.
Score = Callable[[Floats, Codes], tuple[Floats, Floats]]

#: tau2 and data sets -> their log-likelihood there.
Height = Callable[[Floats, Codes], Floats]


def crossings(part: Codes, grid: Floats, values: Floats) -> Crossings:
    """Return where the score of data sets changes from + to -; grid and values have shape (data sets, points)."""
    rows, at = np.nonzero((values[:, :-1] > 0) & (values[:, 1:] <= 0))
    a, b, above, below = grid[rows, at], grid[rows, at + 1], values[rows, at], values[rows, at + 1]
    # Where the chord crosses 0.
    return part[rows], a, b, a + (b - a) * above / (above - below)


@dataclass(frozen=True, eq=False)
class Brackets:
    """Every maximum above 0: its data set, its bracket, a first guess; and which data sets have one at 0."""

    owner: Codes
    low: Floats
    high: Floats
    guess: Floats
    at_zero: Mask

    @classmethod
    def of(cls, found: Sequence[Crossings], at_zero: Mask) -> Brackets:
        """Return the brackets of all parts of a batch."""
        nothing: Crossings = (np.empty(0, dtype=np.intp), np.empty(0), np.empty(0), np.empty(0))
        owner, low, high, guess = (np.concatenate(parts) for parts in zip(nothing, *found, strict=True))
        return cls(owner, low, high, guess, at_zero)

    def highest(self, score: Score, height: Height) -> tuple[Floats, Mask, Mask]:
        """Return tau2 at the highest maximum of each data set, whether Newton converged, whether there were others."""
        root, ended = bracketed_newton(score, self.low, self.high, self.guess)
        zero, n = np.flatnonzero(self.at_zero), len(self.at_zero)
        owner = np.concatenate([self.owner, zero])
        where = np.concatenate([root, np.zeros(len(zero))])
        ended = np.concatenate([ended, np.ones(len(zero), dtype=bool)])
        count = np.bincount(owner, minlength=n)
        heights = np.zeros(len(owner))
        contested = np.flatnonzero(count[owner] > 1)
        if len(contested):
            heights[contested] = height(where[contested], owner[contested])
        tau2, converged = np.zeros(n), np.zeros(n, dtype=bool)
        # Of the maxima of one data set the highest comes last, and the last assignment stands.
        order = np.lexsort((heights, owner))
        tau2[owner[order]], converged[owner[order]] = where[order], ended[order]
        return tau2, converged, count > 1
