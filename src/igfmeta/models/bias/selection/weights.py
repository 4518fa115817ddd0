"""What a weight function is: the relative chance of publication as a function of a study's p-value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from igfmeta.numerics import Floats

#: (p, delta, precision) -> log of the weights, and their derivatives in each delta, shape (deltas, *p.shape).
#: `precision` broadcasts against p.
LogWeight = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Continuous:
    """A smooth weight function.

    Attributes
    ----------
    log_weight : callable
    label, paper : str
    lower, upper : tuple of float
        Bounds of each delta.
    none : tuple of float
        The deltas at which nothing is selected.
    smallest_p : float
        p-values are cut to between this and 1 minus this, where the weights would be infinite or 0.
    takes_precision : bool
        Selection may grow weaker with precision.
    """

    log_weight: LogWeight
    label: str
    paper: str
    lower: tuple[float, ...] = (0.0,)
    upper: tuple[float, ...] = (100.0,)
    none: tuple[float, ...] = (0.0,)
    smallest_p: float = 0.0
    takes_precision: bool = True
