"""Debray's tests for time to an event: effect on the inverse of the number of events."""

from __future__ import annotations

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def inverse_variance(data: Funnel) -> Asymmetry:
    """Return D-FIV, the test of the log hazard ratio on 1/e with weights 1/v, t with k - 2 degrees of freedom.

    Debray, Moons & Riley 2018, Res Synth Methods 9:41, section 2.5: e events of both arms together.
    """
    return line(data.yi, data.vi, 1 / data.events)


def approximate_variance(data: Funnel) -> Asymmetry:
    """Return D-FAV, the test on 1/e with weights 1/(1/e1 + 1/e2), t with k - 2 degrees of freedom.

    Debray, Moons & Riley 2018, Res Synth Methods 9:41, section 2.5: 1/e1 + 1/e2 approximates the variance of the log
    hazard ratio from the events of the arms alone.
    """
    e1, e2 = data.counts[:, 0], data.counts[:, 2]
    return line(data.yi, 1 / e1 + 1 / e2, 1 / data.events)
