"""The unrestricted weighted mean, of all studies and of those with adequate power (WAAP)."""

from __future__ import annotations

import numpy as np

from igfmeta.models.bias.adjusted import Adjusted, adjusted
from igfmeta.models.bias.funnel import Funnel
from igfmeta.numerics import Floats

#: A study whose standard error is below |effect|/2.8 has 80 % power at two-sided 5 % (1.96 + 0.84).
POWERED = 2.8


def uwls(yi: Floats, vi: Floats, *, level: float, detail: str) -> Adjusted:
    """Return the weighted mean with weights 1/v and multiplicative dispersion, t with k - 1 degrees of freedom.

    Stanley & Doucouliagos 2015, Stat Med 34:2116, eq. 3. Unlike the Hartung-Knapp interval there is no tau2.
    """
    w = 1 / vi
    mean = float(np.sum(w * yi) / w.sum())
    df = len(yi) - 1
    dispersion = float(np.sum(w * (yi - mean) ** 2)) / df
    return adjusted(mean, float(np.sqrt(dispersion / w.sum())), float(df), level=level, detail=detail)


def waap(data: Funnel, *, level: float = 0.95) -> Adjusted:
    """Return the unrestricted weighted mean of the adequately powered studies; of all, where fewer than two are.

    Ioannidis, Stanley & Doucouliagos 2017, Econ J 127:F236; Stanley, Doucouliagos & Ioannidis 2017, Stat Med 36:1580
    (WAAP-WLS). A study is adequately powered where its standard error is at most |mean of all|/2.8.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> found = waap(funnel([0.4, 0.5, 0.8, 0.9], [0.01, 0.02, 0.05, 0.2]))
    >>> round(found.estimate, 3), found.detail
    (0.433, '2 of 4 studies have 80 % power')
    """
    everything = uwls(data.yi, data.vi, level=level, detail="")
    powered = data.sei <= abs(everything.estimate) / POWERED
    n = int(powered.sum())
    counted = f"{n} of {data.k} studies have 80 % power"
    if n < 2:
        return uwls(data.yi, data.vi, level=level, detail=f"{counted}: mean of all")
    return uwls(data.yi[powered], data.vi[powered], level=level, detail=counted)
