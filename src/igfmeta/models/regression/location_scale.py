"""Location-scale models: moderators of the effect, and moderators of how much effects vary between studies.

yi ~ N(x_i'beta, vi + tau2_i) with log tau2_i = z_i'alpha (Viechtbauer & Lopez-Lopez 2022, Res Synth Methods 13:697,
eq. 3 and 4), by ML or REML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.regression.data import checked_design
from igfmeta.numerics import Floats, chi2_upper, f_upper, t_quantile, t_two_sided

ScaleMethod = Literal["REML", "ML"]
SCALE_METHODS = ("REML", "ML")
SCALE_TESTS = ("z", "t")

#: Steps of Newton's method, and the length of the gradient, in units of its own rounding, at which it has arrived.
MAX_STEPS, ARRIVED = 200, 1e-9

#: log tau2, relative to the median variance, from which searches start.
STARTS = (-4.0, -1.5, 0.0, 1.5)

#: log tau2, relative to the smallest variance, below which the data cannot tell it from 0.
VANISHED = -14.0


@dataclass(frozen=True, eq=False)
class Wald:
    """Coefficients with their tests; df is infinite for normal ones. Arrays of shape (p,)."""

    names: tuple[str, ...]
    estimate: Floats
    se: Floats
    df: float
    statistic: Floats
    p_value: Floats
    ci_lower: Floats
    ci_upper: Floats
    vcov: Floats


@dataclass(frozen=True, eq=False)
class LocationScale:
    """A location-scale model, on the analysis scale.

    Attributes
    ----------
    location, scale : Wald
        Coefficients of the effects, and of log tau2.
    tau2 : ndarray of shape (k,)
    log_likelihood : float
    qm, qm_df, qm_p_value, qs, qs_df, qs_p_value : float, int, float
        Wald tests of the moderators of the effect and of the variance; NaN and 0 where there are none. Chi-squared, or
        for test t F.
    gradient_norm, condition : float
        Of the log-likelihood in the coefficients of standardized moderators, at the maximum.
    converged : bool
    """

    k: int
    location: Wald
    scale: Wald
    tau2: Floats
    log_likelihood: float
    qm: float
    qm_df: int
    qm_p_value: float
    qs: float
    qs_df: int
    qs_p_value: float
    gradient_norm: float
    condition: float
    converged: bool
    method: str
    test: str
    level: float
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Model:
    y: Floats
    v: Floats
    x: Floats
    z: Floats
    restricted: bool

    def at(self, alpha: Floats) -> tuple[float, Floats, Floats]:
        """Return the log-likelihood, its gradient and its Hessian in alpha.

        With S = V + diag(tau2), D_m = diag(z_m tau2): the gradient is (y'P D_m P y - tr(P D_m))/2 and the Hessian
        (y'P D_mn P y - 2 y'P D_m P D_n P y - tr(P D_mn) + tr(P D_m P D_n))/2; for ML S^-1 stands in the traces.
        """
        t = np.exp(np.clip(self.z @ alpha, -700, 700))
        w = 1.0 / (self.v + t)
        q, r = np.linalg.qr(np.sqrt(w)[:, None] * self.x)
        root = np.sqrt(w)[:, None] * q
        p = np.diag(w) - root @ root.T
        u = p @ self.y
        inner = p if self.restricted else np.diag(w)
        log_det = np.log(np.abs(np.diag(r))).sum() if self.restricted else 0.0
        n = len(self.y) - (self.x.shape[1] if self.restricted else 0)
        height = 0.5 * (np.log(w).sum() - self.y @ u - n * np.log(2 * np.pi)) - log_det
        d = self.z * t[:, None]
        gain = u**2 - np.diag(inner)
        gradient = 0.5 * d.T @ gain
        curve = 0.5 * (d.T * gain) @ self.z
        bend = (d * u[:, None]).T @ p @ (d * u[:, None])
        return float(height), gradient, curve - bend + 0.5 * d.T @ (inner**2) @ d

    def mean(self, alpha: Floats) -> tuple[Floats, Floats, Floats]:
        """Return beta, its covariance and tau2."""
        t = np.exp(self.z @ alpha)
        w = 1.0 / (self.v + t)
        q, r = np.linalg.qr(np.sqrt(w)[:, None] * self.x)
        back = np.linalg.inv(r)
        return back @ (q.T @ (np.sqrt(w) * self.y)), back @ back.T, t


def _climb(model: _Model, alpha: Floats) -> tuple[float, Floats, bool]:
    """Return the maximum that Newton's method reaches: height, place, whether it arrived.

    Where the Hessian is not negative definite its eigenvalues are turned, so that every step goes upwards; a step that
    does not go up is halved.
    """
    height, gradient, hessian = model.at(alpha)
    for _ in range(MAX_STEPS):
        values, vectors = np.linalg.eigh(-hessian)
        step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), 1e-8 * max(1.0, np.abs(values).max())))
        step *= min(1.0, 3.0 / max(np.abs(step).max(), 1e-300))
        for _ in range(40):
            there = model.at(alpha + step)
            if there[0] >= height - 1e-13 * abs(height):
                break
            step = step / 2
        else:
            return height, alpha, False
        alpha = alpha + step
        height, gradient, hessian = there
        if np.abs(step).max() <= 1e-10 * max(1.0, np.abs(alpha).max()) or np.abs(gradient).max() < 1e-12:
            return height, alpha, True
    return height, alpha, False


def location_scale(
    yi: Any,
    vi: Any,
    x: Any,
    z: Any,
    *,
    method: ScaleMethod | str = "REML",
    test: str = "z",
    level: float = 0.95,
    names: Sequence[str] | None = None,
    scale_names: Sequence[str] | None = None,
) -> LocationScale:
    """Fit a location-scale model.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
        Effects on the analysis scale and their sampling variances.
    x : array_like of shape (k, p)
        Moderators of the effect, with a column of ones for the intercept.
    z : array_like of shape (k, q)
        Moderators of log tau2, with a column of ones for its intercept.
    method : {"REML", "ML"}
    test : {"z", "t"}
        t has k - p degrees of freedom for the effect and k - q for the variance.
    level : float
    names, scale_names : sequence of str, optional
        Of the columns of x and z.

    Raises
    ------
    InputError
        Options or data that cannot be used.
    NothingToPool
        Too few studies, or a column that is a combination of others.

    Notes
    -----
    The likelihood may have several maxima: searches start from four levels of tau2, and the highest maximum is taken.
    Standard errors of alpha are from the observed information.

    Examples
    --------
    >>> y, v = [0.1, 0.3, 0.8, -0.9, 1.4, -1.1], [0.02, 0.03, 0.02, 0.03, 0.02, 0.03]
    >>> late = [[1, 0], [1, 0], [1, 0], [1, 1], [1, 1], [1, 1]]
    >>> fit = location_scale(y, v, [[1]] * 6, late)
    >>> fit.scale.estimate.round(2)
    array([-2.2 ,  2.68])
    """
    method = check_choice("method", method, SCALE_METHODS)
    test = check_choice("test", test, SCALE_TESTS)
    level = check_level(level)
    y, v = (a[0] for a in checked(yi, vi, None)[:2])
    mean, spread = (checked_design(a, len(y))[0] for a in (x, z))
    _refuse_unestimable(len(y), mean, spread)
    unit = float(np.median(v))
    centre, width = _standards(spread)
    model = _Model(y / np.sqrt(unit), v / unit, mean, (spread - centre) / width, method == "REML")
    height, alpha, arrived = _highest(model)
    _, gradient, hessian = model.at(alpha)
    beta, vcov, tau2 = model.mean(alpha)
    back = _unstandardized(centre, width)
    # Of z'alpha the intercept carries the unit of the variances.
    shift = np.linalg.lstsq(spread, np.full(len(y), np.log(unit)), rcond=None)[0]
    inverse = np.linalg.pinv(-hessian)
    df = (np.inf, np.inf) if test == "z" else (float(len(y) - mean.shape[1]), float(len(y) - spread.shape[1]))
    location = _wald(names, beta * np.sqrt(unit), vcov * unit, df[0], level, "x")
    scale = _wald(scale_names, back @ alpha + shift, back @ inverse @ back.T, df[1], level, "z")
    n = len(y) - (mean.shape[1] if method == "REML" else 0)
    qm, qs = (_joint(w, d) for w, d in ((location, mean), (scale, spread)))
    smallest = float(np.linalg.eigvalsh(-hessian).min())
    vanished = bool((np.log(tau2) < np.log(model.v.min()) + VANISHED).any())
    converged = arrived and smallest > 0 and not vanished
    return LocationScale(
        k=len(y),
        location=location,
        scale=scale,
        tau2=tau2 * unit,
        log_likelihood=height - 0.5 * n * np.log(unit) + _constant(mean, method),
        qm=qm[0], qm_df=qm[1], qm_p_value=qm[2],
        qs=qs[0], qs_df=qs[1], qs_p_value=qs[2],
        gradient_norm=float(np.abs(gradient).max()),
        condition=float(np.linalg.cond(-hessian)),
        converged=converged,
        method=method,
        test=test,
        level=level,
        remarks=_remarks(converged, vanished),
    )  # fmt: skip


def _constant(x: Floats, method: str) -> float:
    """Return log|X'X|/2, which the restricted likelihood has in Harville (1974) and in the model without z."""
    return 0.5 * float(np.linalg.slogdet(x.T @ x)[1]) if method == "REML" else 0.0


def _remarks(converged: bool, vanished: bool) -> tuple[str, ...]:
    if vanished:
        return (
            "Between-study variances go to 0 for some studies: coefficients of log tau2 run away and have no estimate; "
            "use fewer moderators of the variance.",
        )
    return () if converged else ("The search for the variances did not converge: do not use this result.",)


def _refuse_unestimable(k: int, x: Floats, z: Floats) -> None:
    for name, design in (("effect", x), ("variance", z)):
        p = design.shape[1]
        if k <= p:
            raise NothingToPool(f"{k} studies cannot carry {p} coefficients of the {name}; use fewer moderators.")
        if np.linalg.matrix_rank(design) < p:
            raise NothingToPool(f"A column of the moderators of the {name} is a combination of others; leave it out.")


def _standards(z: Floats) -> tuple[Floats, Floats]:
    """Return centre and width by which the columns are standardized; constant columns, or all without one, stay."""
    constant = np.ptp(z, axis=0) == 0
    width = np.where(constant, 1.0, np.maximum(z.std(axis=0), 1e-300))
    centre = np.where(constant, 0.0, z.mean(axis=0)) if constant.any() else np.zeros(z.shape[1])
    return centre, width


def _unstandardized(centre: Floats, width: Floats) -> Floats:
    """Return the matrix that turns coefficients of standardized columns into those of the columns."""
    back = np.diag(1 / width)
    constant = np.flatnonzero((centre == 0) & (width == 1))
    if len(constant):
        back[constant[0]] -= centre / width
    return back


def _highest(model: _Model) -> tuple[float, Floats, bool]:
    start = np.linalg.lstsq(model.z, np.ones(len(model.y)), rcond=None)[0]
    found = [_climb(model, level * start) for level in STARTS]
    return max(found, key=lambda each: (each[0], each[2]))


def _wald(names: Sequence[str] | None, estimate: Floats, vcov: Floats, df: float, level: float, letter: str) -> Wald:
    labels = tuple(names) if names is not None else tuple(f"{letter}{j}" for j in range(len(estimate)))
    if len(labels) != len(estimate):
        raise InputError(f"{len(labels)} names were given for {len(estimate)} columns; accepted is one for each.")
    se = np.sqrt(np.maximum(np.diag(vcov), 0.0))
    half = float(t_quantile(0.5 + level / 2, df)) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    p_value = np.asarray(t_two_sided(statistic, df))
    return Wald(labels, estimate, se, df, statistic, p_value, estimate - half, estimate + half, vcov)


def _joint(found: Wald, design: Floats) -> tuple[float, int, float]:
    """Return the Wald test that all coefficients but the intercept are 0."""
    some = np.flatnonzero(np.ptp(design, axis=0) > 0)
    if not len(some):
        return float("nan"), 0, float("nan")
    part = found.estimate[some]
    wald = float(part @ np.linalg.pinv(found.vcov[np.ix_(some, some)]) @ part)
    m = len(some)
    if np.isinf(found.df):
        return wald, m, float(chi2_upper(wald, m))
    return wald / m, m, float(f_upper(wald / m, m, found.df))
