"""Egger's test in its four weightings: effect on standard error (Egger 1997, BMJ 315:629; Sterne & Egger 2005)."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def unweighted(data: Funnel) -> Asymmetry:
    """Return the test of y = a + b se by ordinary least squares, t with k - 2 degrees of freedom."""
    return line(data.yi, np.full(data.k, np.median(data.vi)), data.sei)


def multiplicative(data: Funnel) -> Asymmetry:
    """Return the test of y = a + b se with weights 1/v and multiplicative dispersion, t with k - 2 df.

    It is Egger's regression of y/se on 1/se (1997, box), whose intercept is b and whose slope is a.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = multiplicative(funnel([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.2]))
    >>> round(found.slope, 3), found.df
    (3.289, 2.0)
    """
    return line(data.yi, data.vi, data.sei)


def common(data: Funnel) -> Asymmetry:
    """Return the test of y = a + b se with weights 1/v and no dispersion beyond sampling error, normal."""
    return line(data.yi, data.vi, data.sei, dispersion="none", test="z")


def mixed(data: Funnel) -> Asymmetry:
    """Return the test of y = a + b se + u, u ~ N(0, tau2) by REML, normal (Sterne & Egger 2005, eq. 6.2)."""
    return line(data.yi, data.vi, data.sei, dispersion="REML", test="z")
