"""What the tests of small-study effects see: effects, and where known the counts and patients behind them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError
from igfmeta.numerics import Floats


@dataclass(frozen=True, eq=False)
class Funnel:
    """Studies of one funnel plot.

    Attributes
    ----------
    yi, vi : ndarray of shape (k,)
        Effects on the analysis scale and their sampling variances.
    counts : ndarray of shape (k, 4)
        Events and patients of arm 1, events and patients of arm 2; NaN where not known.
    sizes, events : ndarray of shape (k,)
        Patients and events of the study; NaN where not known.
    rates : ndarray of shape (k, 2)
        Events and patients of single arms that are pooled from their counts; NaN for any other effect.
    """

    yi: Floats
    vi: Floats
    counts: Floats
    sizes: Floats
    events: Floats
    rates: Floats

    @property
    def k(self) -> int:
        return len(self.yi)

    def informative(self) -> Funnel:
        """Return the studies with events and with patients without one: others have no weight e (n - e)/n.

        Raises
        ------
        InputError
            Fewer than three are left.
        """
        keep = (self.events > 0) & (self.events < self.sizes)
        if keep.sum() < 3:
            raise InputError(f"Only {keep.sum()} studies have events and patients without; a line takes 3 at least.")
        return Funnel(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    @property
    def sei(self) -> Floats:
        return np.sqrt(self.vi)


@dataclass(frozen=True)
class Asymmetry:
    """The result of one test.

    Attributes
    ----------
    k : int
    kind : {"t", "z", "tau"}
        What `statistic` is; "tau" for an exact test of Kendall's tau.
    statistic, df, p_value : float
        Two-sided; `df` is None for normal and rank tests.
    slope, slope_se : float or None
        Of the effect on the predictor; None for rank tests.
    limit, limit_lower, limit_upper : float or None
        The effect where the predictor says "infinitely large study"; None where the predictor has no such value.
    tau2 : float or None
        Residual between-study variance of the additive models.
    """

    k: int
    kind: str
    statistic: float
    df: float | None
    p_value: float
    slope: float | None = None
    slope_se: float | None = None
    limit: float | None = None
    limit_lower: float | None = None
    limit_upper: float | None = None
    tau2: float | None = None


def funnel(yi: Any, vi: Any, *, counts: Any = None, sizes: Any = None, events: Any = None, rates: Any = None) -> Funnel:
    """Return the studies of a funnel plot.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    counts : array_like of shape (k, 4), optional
        Events and patients of both arms; gives sizes and events where these are not given.
    sizes, events : array_like of shape (k,), optional
    rates : array_like of shape (k, 2), optional
        Events and patients of single arms that are pooled from their counts.

    Raises
    ------
    InputError
        Values that cannot be used; fewer than three studies.
    """
    y, v, _ = checked(yi, vi)
    k = y.shape[1]
    if len(y) != 1 or k < 3:
        raise InputError(f"A funnel takes one data set of 3 studies or more; this has shape {np.shape(yi)}.")
    known = np.full((k, 4), np.nan) if counts is None else np.asarray(counts, dtype=float)
    n = known[:, 1] + known[:, 3] if sizes is None else np.asarray(sizes, dtype=float)
    e = known[:, 0] + known[:, 2] if events is None else np.asarray(events, dtype=float)
    arms = np.full((k, 2), np.nan) if rates is None else np.asarray(rates, dtype=float)
    expected = (("counts", known, (k, 4)), ("sizes", n, (k,)), ("events", e, (k,)), ("rates", arms, (k, 2)))
    for name, values, shape in expected:
        if values.shape != shape:
            raise InputError(f"{name} has shape {values.shape}; accepted is {shape}.")
    return Funnel(y[0], v[0], known, n, e, arms)
