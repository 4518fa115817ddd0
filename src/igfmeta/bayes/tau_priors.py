"""Priors of the heterogeneity tau, as a user names them and as the quadrature needs them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, isfinite, lgamma, log, pi

import numpy as np

from igfmeta.bayes.mappings import Logarithmic, Mapping, Rational
from igfmeta.errors import InputError
from igfmeta.numerics import Floats


@dataclass(frozen=True)
class TauPrior:
    """A prior density of tau.

    Attributes
    ----------
    log_density : callable
        (tau, vi) -> log density; tau of shape (..., n), vi of shape (..., k) with inf for left-out studies. Priors that
        do not depend on the sampling variances ignore vi.
    label : str
        How it is printed, and how `parse_tau_prior` reads it.
    scale : float
        About where its mass lies; inf where it has none.
    upper : float
        Above it the density is 0.
    power : float
        The power of tau with which the density falls or rises at infinity; -inf where it falls faster than any.
    proper : bool
    mapping : Mapping
        On which its density is smooth.
    df : float or None
        Degrees of freedom of a half-t prior: inf for the half-normal, 1 for the half-Cauchy; None for other priors.
    """

    label: str
    log_density: Callable[[Floats, Floats], Floats] = field(repr=False, compare=False)
    scale: float = inf
    upper: float = inf
    power: float = -inf
    proper: bool = True
    mapping: Mapping = field(default_factory=Rational, repr=False)
    df: float | None = None


def _positive(prior: str, **values: float) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
            raise InputError(f"{name} of the {prior} prior was {value!r}; accepted is a finite number above 0.")


def HalfNormal(scale: float) -> TauPrior:  # noqa: N802  (named as distributions are)
    """Return the half-normal prior with this scale (its mean is 0.80 scale).

    Examples
    --------
    >>> HalfNormal(0.5).label
    'half-normal(0.5)'
    """
    _positive("half-normal", scale=scale)
    constant = 0.5 * log(2 / pi) - log(scale)
    return TauPrior(f"half-normal({scale:g})", lambda t, v: constant - 0.5 * (t / scale) ** 2, scale=scale, df=inf)


def HalfT(scale: float, df: float) -> TauPrior:  # noqa: N802
    """Return the half-Student-t prior (Gelman 2006, Bayesian Anal 1:515)."""
    _positive("half-t", scale=scale, df=df)
    constant = log(2) + lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * log(df * pi) - log(scale)
    return TauPrior(
        f"half-t({scale:g}, {df:g})",
        lambda t, v: constant - 0.5 * (df + 1) * np.log1p((t / scale) ** 2 / df),
        scale=scale,
        power=-(df + 1),
        df=df,
    )


def HalfCauchy(scale: float) -> TauPrior:  # noqa: N802
    """Return the half-Cauchy prior (Polson & Scott 2012, Bayesian Anal 7:887)."""
    _positive("half-Cauchy", scale=scale)
    constant = log(2 / (pi * scale))
    return TauPrior(
        f"half-cauchy({scale:g})", lambda t, v: constant - np.log1p((t / scale) ** 2), scale=scale, power=-2.0, df=1.0
    )


def Uniform(upper: float | None = None) -> TauPrior:  # noqa: N802
    """Return the uniform prior on (0, upper); without `upper` the improper one."""
    if upper is None:
        return TauPrior("uniform", lambda t, v: np.zeros_like(t), power=0.0, proper=False)
    _positive("uniform", upper=upper)
    return TauPrior(f"uniform({upper:g})", lambda t, v: np.full_like(t, -log(upper)), scale=upper, upper=upper)


def LogNormal(mu: float, sigma: float) -> TauPrior:  # noqa: N802
    """Return the log-normal prior: log tau is normal with mean `mu` and standard deviation `sigma`."""
    _positive("log-normal", sigma=sigma)
    if not isfinite(mu):
        raise InputError(f"mu of the log-normal prior was {mu!r}; accepted is a finite number.")
    constant = -log(sigma) - 0.5 * log(2 * pi)

    def log_density(t: Floats, _v: Floats) -> Floats:
        x = np.log(t)
        return np.asarray(constant - x - 0.5 * ((x - mu) / sigma) ** 2)

    return TauPrior(f"log-normal({mu:g}, {sigma:g})", log_density, scale=float(np.exp(mu)))


def InverseGamma(shape: float, scale: float) -> TauPrior:  # noqa: N802
    """Return the inverse-gamma prior of tau (not of tau squared)."""
    _positive("inverse-gamma", shape=shape, scale=scale)
    constant = shape * log(scale) - lgamma(shape)
    return TauPrior(
        f"inverse-gamma({shape:g}, {scale:g})",
        lambda t, v: constant - (shape + 1) * np.log(t) - scale / t,
        scale=scale / (shape + 1),
        power=-(shape + 1),
    )


def LogT(location: float, scale: float, df: float) -> TauPrior:  # noqa: N802
    """Return the log-t prior: log tau is Student-t (Rhodes, Turner & Higgins 2015, J Clin Epidemiol 68:52)."""
    _positive("log-t", scale=scale, df=df)
    constant = lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * log(df * pi) - log(scale)

    def log_density(t: Floats, _v: Floats) -> Floats:
        x = np.log(t)
        return np.asarray(constant - x - 0.5 * (df + 1) * np.log1p(((x - location) / scale) ** 2 / df))

    return TauPrior(
        f"log-t({location:g}, {scale:g}, {df:g})",
        log_density,
        scale=float(np.exp(location)),
        power=-1.0,
        mapping=Logarithmic(),
    )


def Jeffreys() -> TauPrior:  # noqa: N802
    """Return Jeffreys' prior of tau with mu known to be flat: sqrt(sum (tau / (vi + tau^2))^2) (Bodnar 2017).

    Improper; needs at least two studies.
    """

    def log_density(t: Floats, v: Floats) -> Floats:
        w = 1 / (v[..., None, :] + (t**2)[..., None])
        return np.asarray(np.log(t) + 0.5 * np.log((w * w).sum(axis=-1)))

    return TauPrior("jeffreys", log_density, power=-1.0, proper=False)


def _harmonic_variance(v: Floats) -> Floats:
    return np.asarray(np.isfinite(v).sum(axis=-1) / (1 / v).sum(axis=-1))[..., None]


def DuMouchel() -> TauPrior:  # noqa: N802
    """Return DuMouchel's prior s0 / (s0 + tau)^2, s0^2 the harmonic mean of vi (Spiegelhalter 2004, sec. 5.7.3)."""

    def log_density(t: Floats, v: Floats) -> Floats:
        s0 = np.sqrt(_harmonic_variance(v))
        return np.asarray(np.log(s0) - 2 * np.log(s0 + t))

    return TauPrior("dumouchel", log_density, power=-2.0)


def Shrinkage() -> TauPrior:  # noqa: N802
    """Return the prior under which s0^2 / (s0^2 + tau^2) is uniform, s0^2 the harmonic mean of vi (Daniels 1999)."""

    def log_density(t: Floats, v: Floats) -> Floats:
        s2 = _harmonic_variance(v)
        return np.asarray(np.log(2 * s2) + np.log(t) - 2 * np.log(s2 + t**2))

    return TauPrior("shrinkage", log_density, power=-3.0)


#: Name as written: (function, numbers of parameters accepted, how to write it).
_FORMS: dict[str, tuple[Callable[..., TauPrior], tuple[int, ...], str]] = {
    "half-normal": (HalfNormal, (1,), "half-normal(0.5)"),
    "half-cauchy": (HalfCauchy, (1,), "half-cauchy(0.5)"),
    "half-t": (HalfT, (2,), "half-t(0.5, 4)"),
    "uniform": (Uniform, (0, 1), "uniform(4)"),
    "log-normal": (LogNormal, (2,), "log-normal(-1.03, 0.755)"),
    "inverse-gamma": (InverseGamma, (2,), "inverse-gamma(1.73, 0.46)"),
    "log-t": (LogT, (3,), "log-t(-1.5, 0.8, 5)"),
    "jeffreys": (Jeffreys, (0,), "jeffreys"),
    "dumouchel": (DuMouchel, (0,), "dumouchel"),
    "shrinkage": (Shrinkage, (0,), "shrinkage"),
}
_PUBLISHED_FORMS = (
    '"turner(OUTCOME; COMPARISON)"',
    '"rhodes(OUTCOME; COMPARISON; AREA)"',
    '"cochrane(TOPIC; MEASURE)"',
)


def moderate(number: float) -> bool:
    """Return whether a number is 0 or between 1e-50 and 1e50 in size: powers and reciprocals of it are numbers too."""
    return number == 0 or 1e-50 < abs(number) < 1e50


def parse_tau_prior(text: str) -> TauPrior:
    """Return the prior that a text names.

    Parameters
    ----------
    text : str
        Such as "half-normal(0.5)", "half-t(0.5, 4)", "uniform", or a published prior: "turner(OUTCOME; COMPARISON)",
        "rhodes(OUTCOME; COMPARISON; AREA)", "cochrane(TOPIC; MEASURE)". The label of any prior is read too.

    Raises
    ------
    InputError
        A text that names no prior; the message lists what is accepted.

    Examples
    --------
    >>> parse_tau_prior("Half-Normal(0.5)").label
    'half-normal(0.5)'
    """
    # The label of a published prior ends with its parameters.
    name, _, rest = text.partition("): ")[0].strip().partition("(")
    name = name.strip().casefold().replace("_", "-").replace(" ", "-")
    inside = rest.rstrip().removesuffix(")").strip()
    if name in ("turner", "rhodes", "cochrane"):
        from igfmeta.bayes import published

        return published.named(name, [part.strip() for part in inside.split(";")])
    parts = [part for part in re.split(r"[,;\s]+", inside) if part]
    try:
        numbers = [float(part.partition("=")[2] or part) for part in parts]
    except ValueError:
        numbers = [inf]
    if name not in _FORMS or len(numbers) not in _FORMS[name][1] or not all(map(moderate, numbers)):
        accepted = ", ".join([*(form for _, _, form in _FORMS.values()), *_PUBLISHED_FORMS])
        raise InputError(f"The prior of tau was {text!r}; accepted are such as {accepted}.")
    return _FORMS[name][0](*numbers)


#: Scale of the half-normal prior by measure. Log ratios: 0.5, which puts 5 % of its mass above tau = 0.98, a ratio of
#: 47 between the 97.5th and 2.5th centile of the effects (Röver et al. 2021, Res Synth Methods 12:448). Logit of a
#: proportion: 1, because single arms differ by patients as well as by effect. Proportions, differences of them and
#: arcsines: 0.25, which leaves most of their range open.
_DEFAULT_SCALES = {"PLO": 1.0, "PAS": 0.25, "PFT": 0.25, "PR": 0.25, "RD": 0.25, "AS": 0.25}


def default_tau_prior(measure: str) -> TauPrior:
    """Return the prior used where none is named: half-normal, its scale by the measure.

    For effects of unknown scale (GEN) it is half-normal(0.5), as for log ratios; the output states it.

    Examples
    --------
    >>> default_tau_prior("HR").label, default_tau_prior("PLO").label
    ('half-normal(0.5)', 'half-normal(1)')
    """
    return HalfNormal(_DEFAULT_SCALES.get(measure, 0.5))
