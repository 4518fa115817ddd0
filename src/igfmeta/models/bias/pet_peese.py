"""PET and PEESE: the effect that a regression on the standard error or the variance gives an infinitely large study."""

from __future__ import annotations

from dataclasses import replace

from igfmeta.models.bias.adjusted import Adjusted, adjusted
from igfmeta.models.bias.funnel import Funnel
from igfmeta.models.bias.line import line
from igfmeta.numerics import Floats, t_quantile

#: PEESE is taken where PET's intercept has the sign of the effect at this one-sided level.
ONE_SIDED = 0.05


def pet(data: Funnel, *, level: float = 0.95) -> Adjusted:
    """Return the intercept of y = a + b se, weights 1/v with multiplicative dispersion, t with k - 2 df.

    Stanley & Doucouliagos 2014, Res Synth Methods 5:60, eq. 5.
    """
    return _intercept(data, data.sei, level, "regression on the standard error")


def peese(data: Funnel, *, level: float = 0.95) -> Adjusted:
    """Return the intercept of y = a + b v, weights 1/v with multiplicative dispersion, t with k - 2 df.

    Stanley & Doucouliagos 2014, Res Synth Methods 5:60, eq. 6.
    """
    return _intercept(data, data.vi, level, "regression on the variance")


def _intercept(data: Funnel, predictor: Floats, level: float, detail: str) -> Adjusted:
    found = line(data.yi, data.vi, predictor, level=level)
    limit, upper = float(found.limit or 0.0), float(found.limit_upper or 0.0)
    df = float(data.k - 2)
    return adjusted(limit, (upper - limit) / float(t_quantile(0.5 + level / 2, df)), df, level=level, detail=detail)


def pet_peese(data: Funnel, *, level: float = 0.95) -> Adjusted:
    """Return PEESE where PET rejects no effect one-sidedly at 5 % in the direction of the weighted mean, else PET.

    Stanley & Doucouliagos 2014, Res Synth Methods 5:60, section 4. The choice makes its interval too narrow.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> pet_peese(funnel([0.1, 0.3, 0.8, 0.9], [0.01, 0.02, 0.05, 0.2])).detail
    'PET, since PET does not reject no effect'
    """
    first = pet(data, level=level)
    weights = 1 / data.vi
    same_side = first.estimate * float((weights * data.yi).sum()) > 0
    if same_side and first.p_value / 2 < ONE_SIDED:
        second = peese(data, level=level)
        return _renamed(second, "PEESE, since PET rejects no effect")
    return _renamed(first, "PET, since PET does not reject no effect")


def _renamed(found: Adjusted, detail: str) -> Adjusted:
    return replace(found, detail=detail)
