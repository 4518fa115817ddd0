"""The test of Thompson & Sharp: Egger's regression with an additive between-study variance by moments."""

from __future__ import annotations

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def thompson_sharp(data: Funnel) -> Asymmetry:
    """Return the test of y = a + b se with weights 1/(v + tau2), tau2 by moments, t with k - 2 degrees of freedom.

    Thompson & Sharp 1999, Stat Med 18:2693, section 2.3 (the additive model with the moment estimator of eq. 5).
    """
    return line(data.yi, data.vi, data.sei, dispersion="moments")
