"""Priors of the mean effect mu: flat, normal, Student-t. Each is a mixture of normals, so that mu integrates out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import inf, lgamma

import numpy as np

from igfmeta.bayes.tau_priors import moderate
from igfmeta.errors import InputError
from igfmeta.numerics import Floats


@dataclass(frozen=True)
class MuPrior:
    """A prior of mu as a mixture of normals with one mean.

    Attributes
    ----------
    label : str
    mean : float
    variances, log_weights : ndarray of shape (L,)
        Of the components; a single infinite variance is the flat prior.
    """

    label: str
    mean: float
    variances: Floats = field(repr=False)
    log_weights: Floats = field(repr=False)

    @property
    def proper(self) -> bool:
        return bool(np.isfinite(self.variances).all())


def _checked(prior: str, location: float, **positive: float) -> None:
    if not -inf < location < inf:
        raise InputError(f"The location of the {prior} prior of mu was {location!r}; accepted is a finite number.")
    for name, value in positive.items():
        if not 0 < value < inf:
            raise InputError(f"{name} of the {prior} prior of mu was {value!r}; accepted is a finite number above 0.")


def FlatMu() -> MuPrior:  # noqa: N802  (named as distributions are)
    """Return the flat prior, with density 1."""
    return MuPrior("flat", 0.0, np.array([inf]), np.zeros(1))


def NormalMu(mean: float, sd: float) -> MuPrior:  # noqa: N802
    """Return the normal prior.

    Examples
    --------
    >>> NormalMu(0, 4).label
    'normal(0, 4)'
    """
    _checked("normal", mean, sd=sd)
    return MuPrior(f"normal({mean:g}, {sd:g})", float(mean), np.array([float(sd) ** 2]), np.zeros(1))


def TMu(location: float, scale: float, df: float) -> MuPrior:  # noqa: N802
    """Return the Student-t prior: normal with variance scale^2/lambda, lambda ~ gamma(df/2, rate df/2).

    lambda is integrated by the trapezoidal rule in its logarithm, which converges exponentially: the density falls like
    exp(df x / 2) on one side and like exp(-exp(x)) on the other.
    """
    _checked("t", location, scale=scale, df=df)
    half = df / 2
    x = np.arange(-72.0 / df, np.log(80.0 / min(half, 40.0)) + 1.0, 0.3 / np.sqrt(1 + half / 4))
    log_weights = half * np.log(half) - lgamma(half) + half * x - half * np.exp(x) + np.log(x[1] - x[0])
    keep = log_weights > -45
    label = f"t({location:g}, {scale:g}, {df:g})"
    return MuPrior(label, float(location), float(scale) ** 2 / np.exp(x[keep]), log_weights[keep])


def parse_mu_prior(text: str) -> MuPrior:
    """Return the prior that a text names: "normal(0, 1)" or "t(0, 0.5, 4)".

    Raises
    ------
    InputError
        A text that names no proper prior.

    Examples
    --------
    >>> parse_mu_prior("Normal(0, 0.5)").label
    'normal(0, 0.5)'
    """
    form = re.fullmatch(r"\s*(normal|t)\s*\(([^()]*)\)\s*", text.casefold())
    numbers = [part.strip() for part in form[2].split(",")] if form else []
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if form is None or len(values) != {"normal": 2, "t": 3}[form[1]] or not all(map(moderate, values)):
        raise InputError(f"The prior of mu was {text!r}; accepted are such as normal(0, 1), t(0, 0.5, 4).")
    return NormalMu(*values) if form[1] == "normal" else TMu(*values)
