"""Macaskill's funnel regressions: effect on the sample size."""

from __future__ import annotations

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def inverse_variance(data: Funnel) -> Asymmetry:
    """Return FIV, the test of y on n with weights 1/v, t with k - 2 degrees of freedom.

    Macaskill, Walter & Irwig 2001, Stat Med 20:641, section 2.
    """
    return line(data.yi, data.vi, data.sizes, limit_at_zero=False)


def pooled_variance(data: Funnel) -> Asymmetry:
    """Return FPV, the test of y on n with weights e (n - e)/n from the pooled risk, t with k - 2 degrees of freedom.

    Macaskill, Walter & Irwig 2001, Stat Med 20:641, section 2: weights that do not depend on the effect. Studies in
    which nobody, or everybody, had an event have no weight, and do not count in k.
    """
    data = data.informative()
    e, n = data.events, data.sizes
    return line(data.yi, 1 / e + 1 / (n - e), n, limit_at_zero=False)
