"""The test of Pustejovsky and Rodgers: Egger's regression with a predictor that does not hold the effect itself."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def pustejovsky_rodgers(data: Funnel) -> Asymmetry:
    """Return the test of y on sqrt(1/n1 + 1/n2) with weights 1/v, t with k - 2 degrees of freedom.

    The variance of a standardized mean difference grows with the difference, so that Egger's test rejects too often;
    this predictor is the part that does not depend on it.

    References
    ----------
    Pustejovsky & Rodgers 2019, Res Synth Methods 10:57, section 3.1.
    """
    n1, n2 = data.counts[:, 1], data.counts[:, 3]
    return line(data.yi, data.vi, np.sqrt(1 / n1 + 1 / n2))
