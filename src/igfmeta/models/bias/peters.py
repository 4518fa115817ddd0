"""Peters' test: effect on the inverse of the sample size."""

from __future__ import annotations

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.bias.line import line


def peters(data: Funnel) -> Asymmetry:
    """Return the test of y on 1/n with weights e (n - e)/n, t with k - 2 degrees of freedom (Peters 2006, table 1).

    e events among n patients in both arms together; studies in which nobody, or everybody, had one have no weight, and
    do not count in k.

    References
    ----------
    Peters, Sutton, Jones, Abrams & Rushton 2006, JAMA 295:676.
    """
    data = data.informative()
    e, n = data.events, data.sizes
    return line(data.yi, 1 / e + 1 / (n - e), 1 / n)
