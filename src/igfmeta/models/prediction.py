"""The prediction interval of the effect in a new study: mu +- t sqrt(tau2 + se^2).

Packages differ in the standard error and in the degrees of freedom, hence the names (Veroniki et al. 2019, Res Synth
Methods 10:23; Partlett & Riley 2017, Stat Med 36:301): z, V (classical se, k - 1), HTS (classical se, k - 2: Higgins,
Thompson & Spiegelhalter 2009), HK (Hartung-Knapp se, k - 1), HK-PR (Hartung-Knapp se, k - 2), KR (Kenward-Roger se
and df), KR-PR (one df fewer).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from igfmeta.models import inference
from igfmeta.models.batch import Batch
from igfmeta.models.weighted import Weighted
from igfmeta.numerics import Floats, t_quantile

PiMethod = Literal["z", "V", "HTS", "HK", "HK-PR", "KR", "KR-PR"]
PI_METHODS = ("z", "V", "HTS", "HK", "HK-PR", "KR", "KR-PR")

_FEWER_DF = {"z": 0, "V": 0, "HTS": 1, "HK": 0, "HK-PR": 1, "KR": 0, "KR-PR": 1}
_STANDARD_ERROR = {
    "z": inference.wald,
    "V": inference.wald_t,
    "HTS": inference.wald_t,
    "HK": inference.hartung_knapp,
    "HK-PR": inference.hartung_knapp,
    "KR": inference.kenward_roger,
    "KR-PR": inference.kenward_roger,
}


def prediction_interval(
    batch: Batch, fit: Weighted, tau2: Floats, method: str, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return lower limit, upper limit and degrees of freedom; NaN where no degree of freedom is left."""
    se, df = _STANDARD_ERROR[method](fit, batch.k)
    df = df - _FEWER_DF[method]
    estimable = (batch.k > 1) & (df > 0)
    t = t_quantile(0.5 + level / 2, np.where(estimable, df, np.inf))
    half = np.where(estimable, t * np.sqrt(tau2 + se * se), np.nan)
    return fit.mu - half, fit.mu + half, np.where(estimable, df, np.nan)
