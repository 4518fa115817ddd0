"""Small-study effects of single-arm rates: the binomial-normal regression of the logit on the size of the study.

The standard error of a rate holds the rate itself, so that funnels and regressions on it are asymmetric by
construction; Hunter et al. 2014 (J Clin Epidemiol 67:897) advise the size of the study instead. Peters' predictor 1/n
(2006, JAMA 295:676) and the root 1/sqrt(n), which is proportional to the part of the standard error that does not hold
the rate (Deeks, Macaskill & Irwig 2005, J Clin Epidemiol 58:882, for odds ratios; Nakagawa et al. 2022, Methods Ecol
Evol 13:4), enter the model by which the rates are pooled (Stijnen, Hamza & Ozdemir 2010, Stat Med 29:3046).
"""

from __future__ import annotations

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.bias.funnel import Asymmetry, Funnel
from igfmeta.models.count_kernels import Binomial
from igfmeta.models.count_regression import count_regression
from igfmeta.numerics import Floats, t_quantile, t_two_sided


def inverse_size(data: Funnel) -> Asymmetry:
    """Return the test of the slope of the logit on 1/n, t with k - 2 degrees of freedom as in Peters' regression."""
    return _on(1 / data.rates[:, 1], data)


def inverse_root_size(data: Funnel) -> Asymmetry:
    """Return the test of the slope of the logit on 1/sqrt(n), t with k - 2 degrees of freedom."""
    return _on(1 / np.sqrt(data.rates[:, 1]), data)


def _on(predictor: Floats, data: Funnel, *, level: float = 0.95) -> Asymmetry:
    """Return the test; the limit is the logit where the predictor is 0.

    Standard errors are from the observed information. Their ratio is referred to t with k - 2 degrees of freedom: a
    normal or a likelihood-ratio test rejects too often with few studies (benchmarks/rate_bias.py).
    """
    x, n = data.rates.T
    if not 0 < x.sum() < n.sum():
        raise InputError("Nobody, or everybody, responded in every study, so that there is no slope.")
    if np.ptp(predictor) <= 1e-12 * predictor.max():
        raise InputError("The predictor of the regression is the same for every study, so that there is no slope.")
    scale, df = float(predictor.max()), float(data.k - 2)
    found = count_regression(Binomial(x, n, np.zeros_like(n)), np.column_stack([np.ones_like(n), predictor / scale]))
    if not found.converged:
        raise InputError("The likelihood of the regression still rises at tau = 10: it has no estimate.")
    limit, slope = (float(value) for value in found.beta)
    se_limit, se_slope = (float(value) for value in np.sqrt(np.diag(found.covariance)))
    half = float(t_quantile(0.5 + level / 2, df)) * se_limit
    return Asymmetry(
        k=data.k,
        kind="t",
        statistic=slope / se_slope,
        df=df,
        p_value=float(t_two_sided(slope / se_slope, df)),
        slope=slope / scale,
        slope_se=se_slope / scale,
        limit=limit,
        limit_lower=limit - half,
        limit_upper=limit + half,
        tau2=found.tau2,
    )
