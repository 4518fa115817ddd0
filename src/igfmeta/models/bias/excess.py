"""The test of excess significance: are there more significant studies than their power would give?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.errors import InputError, check_choice
from igfmeta.models.bias.funnel import Funnel
from igfmeta.numerics import Floats

ALTERNATIVES = ("greater", "less", "two-sided")


@dataclass(frozen=True, eq=False)
class Excess:
    """Observed and expected numbers of significant studies.

    Attributes
    ----------
    effect : float
        Taken as true: the common-effect mean, or what was given.
    power : ndarray of shape (k,)
    observed : int
    expected : float
    ratio, chi2 : float
    p_value : float
        One-sided, for more than expected, from chi-squared.
    p_value_exact : float
        One-sided, from the Poisson-binomial distribution of the number.
    """

    effect: float
    power: Floats
    observed: int
    expected: float
    ratio: float
    chi2: float
    p_value: float
    p_value_exact: float


def excess_significance(
    data: Funnel, *, effect: float | None = None, alpha: float = 0.05, alternative: str = "two-sided"
) -> Excess:
    """Return the test of excess significance (Ioannidis & Trikalinos 2007, Clin Trials 4:245).

    chi2 = (O - E)^2/E + (O - E)^2/(k - E) with 1 degree of freedom (their eq. 3), here one-sided.

    Parameters
    ----------
    data : Funnel
    effect : float, optional
        True effect, on the analysis scale; the common-effect mean by default.
    alpha, alternative
        Of the studies' own tests: "greater", "less" or "two-sided".

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = excess_significance(funnel([0.4, 0.5, 0.8], [0.04, 0.06, 0.1]))
    >>> found.observed, round(found.expected, 3)
    (3, 1.634)
    """
    alternative = check_choice("alternative", alternative, ALTERNATIVES)
    if not 0 < alpha < 1:
        raise InputError(f"alpha was {alpha!r}; accepted is a number between 0 and 1, such as 0.05.")
    w = 1 / data.vi
    true = float(np.sum(w * data.yi) / w.sum()) if effect is None else effect
    critical = float(special.ndtri(1 - alpha / (2 if alternative == "two-sided" else 1)))
    z, shift = data.yi / data.sei, true / data.sei
    above, below = alternative != "less", alternative != "greater"
    significant = (above & (z >= critical)) | (below & (z <= -critical))
    power = above * special.ndtr(shift - critical) + below * special.ndtr(-critical - shift)
    observed, expected = int(significant.sum()), float(power.sum())
    if not 1e-12 < expected < data.k * (1 - 1e-12):
        every = "Every study has power 1" if expected > 1 else "No study has any power"
        raise InputError(f"{every} at an effect of {true:.3g}: no number of significant studies is one of chance.")
    chi2 = (observed - expected) ** 2 * (1 / expected + 1 / (data.k - expected))
    signed = np.sqrt(chi2) if observed > expected else -np.sqrt(chi2)
    exact = float(poisson_binomial(power)[observed:].sum())
    return Excess(true, power, observed, expected, observed / expected, float(chi2), float(special.ndtr(-signed)),
                  min(1.0, exact))  # fmt: skip


def poisson_binomial(p: Floats) -> Floats:
    """Return the distribution of the number of successes in independent trials with probabilities p.

    Examples
    --------
    >>> poisson_binomial(np.array([0.5, 0.5])).tolist()
    [0.25, 0.5, 0.25]
    """
    out = np.array([1.0])
    for each in p:
        out = np.append(out, 0.0) * (1 - each) + np.append(0.0, out) * each
    return out
