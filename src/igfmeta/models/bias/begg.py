"""The rank correlation test of Begg and Mazumdar."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.numerics import Floats


def begg(data: Funnel) -> Asymmetry:
    """Return Kendall's tau between the variances and the standardized deviates (Begg & Mazumdar 1994, eq. 1).

    The deviates are (y_i - mu)/sqrt(v_i - 1/sum(1/v)) with the common-effect mean mu. Exact where there are no ties,
    else normal with the variance for ties.

    References
    ----------
    Begg & Mazumdar 1994, Biometrics 50:1088.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = begg(funnel([0.1, 0.3, 0.8, 0.7], [0.01, 0.02, 0.05, 0.2]))
    >>> round(found.statistic, 4), round(found.p_value, 4)
    (0.6667, 0.3333)
    """
    w = 1 / data.vi
    mu = np.sum(w * data.yi) / w.sum()
    return kendall((data.yi - mu) / np.sqrt(data.vi - 1 / w.sum()), data.vi)


def kendall(a: Floats, b: Floats) -> Asymmetry:
    """Return the test of Kendall's tau-b: exact without ties up to 170 pairs of values, normal otherwise."""
    from scipy import stats

    k = len(a)
    ties = len(np.unique(a)) < k or len(np.unique(b)) < k
    found = stats.kendalltau(a, b, method="asymptotic" if ties or k > 170 else "exact")
    return Asymmetry(k=k, kind="tau", statistic=float(found.statistic), df=None, p_value=float(found.pvalue))


def kendall_normal(a: Floats, b: Floats) -> Asymmetry:
    """Return the normal test of Kendall's S with the variance for ties, without a correction for continuity."""
    from scipy import special

    k = len(a)
    upper = np.triu_indices(k, 1)
    s = float((np.sign(a[:, None] - a) * np.sign(b[:, None] - b))[upper].sum())
    sizes = [np.unique(x, return_counts=True)[1].astype(float) for x in (a, b)]

    def over(power: int) -> list[float]:
        """Return the sums of n(n-1) or n(n-1)(n-2) over the ties of both rankings."""
        return [float(np.sum(n * (n - 1) * ((n - 2) if power == 3 else 1.0))) for n in sizes]

    whole = k * (k - 1) * (2 * k + 5) - sum(float(np.sum(n * (n - 1) * (2 * n + 5))) for n in sizes)
    pairs, triples = over(2), over(3)
    variance = whole / 18 + pairs[0] * pairs[1] / (2 * k * (k - 1))
    if k > 2:
        variance += triples[0] * triples[1] / (9 * k * (k - 1) * (k - 2))
    z = s / float(np.sqrt(variance))
    return Asymmetry(k=k, kind="z", statistic=z, df=None, p_value=float(2 * special.ndtr(-abs(z))))
