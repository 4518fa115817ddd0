"""Q, I2 and H2, with their intervals."""

from __future__ import annotations

import numpy as np

from igfmeta.models.batch import Batch
from igfmeta.models.weighted import generalized_q
from igfmeta.numerics import Floats, chi2_upper, t_quantile


def cochran_q(batch: Batch) -> tuple[Floats, Floats]:
    """Return Cochran's Q and its p-value from chi-squared with k - 1 df; p is 1 for a single study."""
    q = generalized_q(batch, np.zeros(len(batch)))
    return q, np.where(batch.k > 1, chi2_upper(q, np.maximum(batch.k - 1, 1)), 1.0)


def i2_from_tau2(tau2: Floats, typical: Floats) -> Floats:
    """Return 100 tau2 / (tau2 + typical variance), in percent (Higgins & Thompson 2002, eq. 9)."""
    with np.errstate(invalid="ignore"):
        return 100 * tau2 / (tau2 + typical)


def h2_from_tau2(tau2: Floats, typical: Floats) -> Floats:
    """Return (tau2 + typical variance) / typical variance."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (tau2 + typical) / typical


def i2_from_q(q: Floats, k: Floats) -> Floats:
    """Return max(0, 100 (Q - (k - 1)) / Q), in percent (Higgins & Thompson 2002, eq. 10)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(q > k - 1, 100 * (q - (k - 1)) / q, 0.0)


def i2_from_q_interval(q: Floats, k: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the test-based interval of I2 from Q (Higgins & Thompson 2002, appendix), in percent; NaN for k < 3.

    ln H has standard error (ln Q - ln(k-1)) / (2 (sqrt(2Q) - sqrt(2k-3))) where Q > k, else
    sqrt((1 - 1/(3 (k-2)^2)) / (2 (k-2))), and I2 = (H^2 - 1) / H^2.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        large = 0.5 * (np.log(q) - np.log(k - 1)) / (np.sqrt(2 * q) - np.sqrt(2 * k - 3))
        small = np.sqrt((1 - 1 / (3 * (k - 2) ** 2)) / (2 * (k - 2)))
        se = np.where(q > k, large, small)
        log_h = 0.5 * np.log(np.maximum(q / (k - 1), 1.0))
        half = t_quantile(0.5 + level / 2, np.inf) * se
        limits = [np.where(k > 2, 100 * (1 - np.exp(-2 * np.maximum(log_h + s * half, 0))), np.nan) for s in (-1, 1)]
    return limits[0], limits[1]
