"""Pairs of true values about a line, both observed with known error: the normal likelihood, means integrated out.

The pairs (xi, theta) are bivariate normal between units: xi with variance omega2, theta about level + slope xi with
variance tau2; x ~ N(xi, s2) and y ~ N(theta, v) (van Houwelingen, Arends & Stijnen 2002, Stat Med 21:589, sec. 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.numerics import Floats


@dataclass(frozen=True, eq=False)
class Pairs:
    """Observed pairs; units are the last axis, and parameters broadcast over the axes before it.

    Attributes
    ----------
    x, s2 : ndarray of shape (..., k)
        Predictors as estimated, and their sampling variances.
    y, v : ndarray of shape (..., k)
        Effects as estimated, and their sampling variances.
    """

    x: Floats
    s2: Floats
    y: Floats
    v: Floats

    def means(self, slope: Any, omega2: Any, tau2: Any) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the precisions of the two means, weighted sums, residual squares and log determinants.

        The covariance of a unit is [[omega2 + s2, slope omega2], [slope omega2, slope^2 omega2 + tau2 + v]].
        """
        slope, omega2, tau2 = (np.asarray(value, dtype=float)[..., None] for value in (slope, omega2, tau2))
        a, b, c = omega2 + self.s2, slope**2 * omega2 + tau2 + self.v, slope * omega2
        det = omega2 * (tau2 + self.v) + self.s2 * b
        precision = np.stack([(b / det).sum(-1), -(c / det).sum(-1), (a / det).sum(-1)], axis=-1)
        sums = np.stack([((b * self.x - c * self.y) / det).sum(-1), ((a * self.y - c * self.x) / det).sum(-1)], axis=-1)
        squares = ((b * self.x**2 - 2 * c * self.x * self.y + a * self.y**2) / det).sum(-1)
        return precision, sums, squares, np.log(det).sum(-1)

    def log_likelihood(self, slope: Any, omega2: Any, tau2: Any) -> Floats:
        """Return the restricted log likelihood: both means are integrated out."""
        precision, sums, squares, log_det = self.means(slope, omega2, tau2)
        (p, q, r), (first, second) = np.moveaxis(precision, -1, 0), np.moveaxis(sums, -1, 0)
        whole = p * r - q**2
        explained = (r * first**2 - 2 * q * first * second + p * second**2) / whole
        constant = (2 * self.x.shape[-1] - 2) * np.log(2 * np.pi)
        return np.asarray(-0.5 * (log_det + np.log(whole) + squares - explained + constant))
