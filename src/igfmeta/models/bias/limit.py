"""Limit meta-analysis: the effect of studies of infinite precision under an effect that depends on precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.bias.adjusted import Adjusted, adjusted
from igfmeta.models.bias.funnel import Funnel
from igfmeta.models.pooling import pool_one
from igfmeta.numerics import Floats, chi2_upper


@dataclass(frozen=True, eq=False)
class LimitMeta:
    """A limit meta-analysis.

    Attributes
    ----------
    adjusted : Adjusted
        beta_0 = beta_r + tau alpha_r, the expected effect of an infinitely precise study.
    intercept, slope : float
        alpha_r and beta_r of the generalized radial plot.
    shrunken : ndarray of shape (k,)
        Each study's effect at infinite precision.
    q, q_small, q_residual : float
        Cochran's Q, its part due to small-study effects, the rest; p-values with 1 and k - 2 degrees of freedom.
    g2 : float
        Heterogeneity left after small-study effects, 0 to 1.
    """

    adjusted: Adjusted
    intercept: float
    slope: float
    shrunken: Floats
    q: float
    q_small: float
    q_small_p_value: float
    q_residual: float
    q_residual_p_value: float
    g2: float


def limit_meta(data: Funnel, *, method: str = "REML", level: float = 0.95) -> LimitMeta:
    """Return the limit meta-analysis of Rücker, Schwarzer, Carpenter, Binder & Schumacher 2011, Biostatistics 12:122.

    The model is theta_i = beta + sqrt(se_i^2 + tau2) (eps_i + alpha) (their eq. 2.4). alpha_r and beta_r are intercept
    and slope of the regression of y_i/s_i on 1/s_i, s_i^2 = se_i^2 + tau2 (eq. 3.3); the limit of a study is
    beta_r + tau/s_i (y_i - beta_r) (eq. 3.5), the adjusted effect beta_r + tau alpha_r. Its variance, with errors of
    variance 1 and tau taken as known, is var(beta_r) + tau2 var(alpha_r) + 2 tau cov(alpha_r, beta_r), that is
    mean((1 - tau/s_i)^2) / sum (1/s_i - mean(1/s))^2.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = limit_meta(funnel([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.2]))
    >>> found.adjusted.estimate < 0.3, 0 <= found.g2 <= 1
    (True, True)
    """
    if np.ptp(data.vi) <= 1e-12 * float(data.vi.max()):
        raise InputError("All studies are equally precise; a limit meta-analysis needs studies of different precision.")
    tau2 = pool_one(data.yi, data.vi, method=method, tau2_ci="none").tau2 or 0.0
    s = np.sqrt(data.vi + tau2)
    intercept, slope, _ = _radial(data.yi, s)
    shrunken = slope + np.sqrt(tau2) / s * (data.yi - slope)
    share = 1 - np.sqrt(tau2) / s
    se = float(np.sqrt(np.mean(share**2) / np.sum((1 / s - np.mean(1 / s)) ** 2)))
    found = adjusted(slope + float(np.sqrt(tau2)) * intercept, se, None, level=level, tau2=tau2,
                     detail="studies of infinite precision")  # fmt: skip
    w = 1 / data.vi
    q = float(np.sum(w * (data.yi - np.sum(w * data.yi) / w.sum()) ** 2))
    residual = _radial(data.yi, data.sei)[2]
    small = max(0.0, q - residual)
    # R^2 of the radial regression of the limits: what precision explains once small-study effects are allowed for.
    z = shrunken / data.sei
    left = _radial(shrunken, data.sei)[2]
    spread = float(np.sum((z - z.mean()) ** 2))
    g2 = left / spread if spread > 0 else 0.0
    return LimitMeta(found, intercept, slope, shrunken, q, small, float(chi2_upper(small, 1)), residual,
                     float(chi2_upper(residual, data.k - 2)), g2)  # fmt: skip


def _radial(y: Floats, s: Floats) -> tuple[float, float, float]:
    """Return intercept, slope and residual sum of squares of y/s on 1/s."""
    x, z = 1 / s, y / s
    centred = x - x.mean()
    slope = float(np.sum(centred * z) / np.sum(centred**2))
    intercept = float(z.mean() - slope * x.mean())
    return intercept, slope, float(np.sum((z - intercept - slope * x) ** 2))
