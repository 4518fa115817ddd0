"""Where the observed rates of studies of each size lie: exact binomial limits, with or without heterogeneity."""

from __future__ import annotations

import numpy as np
from scipy import special

from igfmeta.numerics import Floats

#: Nodes and reach of the expectation over the normal distribution of a logit.
POINTS, REACH = 401, 8.0


def rate_limit(n: Floats, theta: float, tau2: float, p: float) -> Floats:
    """Return the p-quantile of the observed rate x/n of studies of size n, interpolated between its steps.

    x is binomial, its logit normal with mean theta and variance tau2. With r the smallest count for which F(r) >= p,
    the limit is (r - (F(r) - p)/(F(r) - F(r - 1)))/n, 0 at least (Spiegelhalter 2005, Stat Med 24:1185, appendix A.1.1,
    for the binomial): a smooth curve over n, where the exact quantiles jump.

    Parameters
    ----------
    n : ndarray of shape (m,)
        Sizes between whole numbers have the limits that the incomplete beta function gives them.
    theta, tau2 : float
    p : float

    Examples
    --------
    >>> rate_limit(np.array([20.0, 200.0]), -2.0, 0.0, 0.975).round(4)
    array([0.2507, 0.1635])
    """
    z = np.linspace(-REACH, REACH, POINTS) if tau2 > 0 else np.zeros(1)
    weight = np.exp(-0.5 * z * z)
    rate = special.expit(theta + np.sqrt(tau2) * z)

    def below(count: Floats) -> Floats:
        """Return P(x <= count) for each size; 0 below 0 and 1 from n on."""
        inside = (count >= 0) & (count < n)
        at, size = np.where(inside, count, 0.0)[:, None], n[:, None]
        mixed = (special.betaincc(at + 1, np.maximum(size - at, 1e-300), rate) @ weight) / weight.sum()
        return np.where(inside, mixed, np.where(count < 0, 0.0, 1.0))

    low, high = np.full(n.shape, -1.0), np.ceil(n)  # F(low) < p <= F(high)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        reached = below(middle) >= p
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    upper, lower = below(high), below(high - 1)
    return np.asarray(np.maximum(high - (upper - p) / (upper - lower), 0.0) / n)
