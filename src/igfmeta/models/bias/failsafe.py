"""Fail-safe N: how many studies without an effect would undo a result. Of historical interest only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from igfmeta.errors import InputError
from igfmeta.models.bias.funnel import Funnel

#: What goes with every fail-safe number.
ADVICE = (
    "Fail-safe numbers should not be relied on: they look at significance alone, assume that missing studies show no "
    "effect at all, and have no criterion of size (Becker 2005; Cochrane Handbook 13.3.4)."
)


@dataclass(frozen=True)
class FailSafe:
    """Numbers of studies; None where the result is not significant or is already below the target."""

    rosenthal: int
    rosenberg: int
    orwin: int
    orwin_unweighted: int
    target: float


def fail_safe(data: Funnel, *, target: float | None = None, alpha: float = 0.05) -> FailSafe:
    """Return the fail-safe numbers of Rosenthal, Rosenberg and Orwin.

    - Rosenthal 1979 (Psychol Bull 86:638): (sum z)^2/z_alpha^2 - k, one-sided
    - Rosenberg 2005 (Evolution 59:464): ((sum w y)^2/z_(alpha/2)^2 - sum w)/mean(w)
    - Orwin 1983 (J Educ Stat 8:157): k (mean - target)/target, with the weighted mean, and with the plain one

    Parameters
    ----------
    data : Funnel
    target : float, optional
        For Orwin, on the analysis scale: the effect that is negligible; half of the weighted mean by default.
    alpha : float
        Level of significance.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> fail_safe(funnel([0.4, 0.5, 0.8], [0.01, 0.02, 0.05])).rosenthal
    43
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha was {alpha!r}; accepted is a number between 0 and 1, such as 0.05.")
    check_target(target)
    w = 1 / data.vi
    z = data.yi / data.sei
    mean, plain = float(np.sum(w * data.yi) / w.sum()), float(data.yi.mean())
    goal = mean / 2 if target is None else target
    if goal == 0:
        raise InputError("The weighted mean is 0: there is no result that studies without an effect could undo.")
    one, two = (float(special.ndtri(1 - a)) for a in (alpha, alpha / 2))
    return FailSafe(
        rosenthal=_whole(float(z.sum()) ** 2 / one**2 - data.k),
        rosenberg=_whole((float(np.sum(w * data.yi)) ** 2 / two**2 - w.sum()) / w.mean()),
        orwin=_whole(data.k * (abs(mean) - abs(goal)) / abs(goal)),
        orwin_unweighted=_whole(data.k * (abs(plain) - abs(goal)) / abs(goal)),
        target=goal,
    )


def check_target(target: float | None) -> None:
    """Refuse a negligible effect that is 0 or not finite."""
    if target is not None and (target == 0 or not np.isfinite(target)):
        raise InputError(f"target was {target!r}; accepted is an effect other than 0 on the analysis scale.")


def _whole(number: float) -> int:
    """Return the number of studies needed: 0 where none is, else rounded up."""
    return max(0, int(np.ceil(number - 1e-9)))
