"""Deeks' test: effect on the effective sample size, made for diagnostic odds ratios."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def deeks(data: Funnel) -> Asymmetry:
    """Return the test of y on 1/sqrt(ESS) with weights ESS = 4 n1 n2/(n1 + n2), t with k - 2 degrees of freedom.

    Deeks, Macaskill & Irwig 2005, J Clin Epidemiol 58:882.
    """
    n1, n2 = data.counts[:, 1], data.counts[:, 3]
    effective = 4 * n1 * n2 / (n1 + n2)
    return line(data.yi, 1 / effective, 1 / np.sqrt(effective))
