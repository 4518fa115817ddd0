"""Harbord's test: Egger's regression on the efficient score, for odds ratios."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def harbord(data: Funnel) -> Asymmetry:
    """Return the test of Z/V on 1/sqrt(V) with weights V, t with k - 2 degrees of freedom (Harbord 2006, eq. 2).

    Z = a - n1 e/n is the score of the log odds ratio at 0 and V = n1 n2 e (n - e)/(n^2 (n - 1)) its variance, with e
    events among n patients; the same as the regression of Z/sqrt(V) on sqrt(V).

    References
    ----------
    Harbord, Egger & Sterne 2006, Stat Med 25:3443.
    """
    a, n1, c, n2 = data.counts.T
    n, e = n1 + n2, a + c
    z, v = a - n1 * e / n, n1 * n2 * e * (n - e) / (n**2 * (n - 1))
    return line(z / v, 1 / v, np.sqrt(1 / v))
