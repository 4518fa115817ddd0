"""A line through points whose predictor is itself an estimate: errors in variables, by restricted likelihood.

The pairs (xi, theta) of true values are bivariate normal between units, and both are observed with known error:
x ~ N(xi, s2), y ~ N(theta, v). The slope of theta on xi is the between-unit covariance over the variance of xi (van
Houwelingen, Arends & Stijnen 2002, Stat Med 21:589, section 5; Carroll, Ruppert, Stefanski & Crainiceanu 2006,
Measurement error in nonlinear models, chapter 8, the structural model).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from igfmeta.errors import InputError, check_level
from igfmeta.numerics import Floats, t_quantile
from igfmeta.pairs import Pairs

#: Fewest units: a line has two parameters, and its scatter needs one more unit.
FEWEST = 3

#: How far limits are looked for, in units of sd(y) / sd(x); beyond it a limit is called infinite.
FURTHEST = 1e4

#: The grid of the standard deviations: how far it reaches, its points, how often it is narrowed; what stands for 0
#: in it, and what is 0 once it is found.
WIDEST, STEPS, ZOOMS, LIMIT_ZOOMS, TINY, ZERO = 6.0, 13, 14, 9, 1e-8, 1e-6


@dataclass(frozen=True)
class ErrorsInVariables:
    """A line of true effects on true predictors.

    Attributes
    ----------
    k : int
        Units.
    slope, ci_lower, ci_upper : float
        Of the line; the limits are where twice the profile log-likelihood has fallen by the squared t quantile with
        k - 2 degrees of freedom, and infinite where it never falls so far.
    centre, level_at_centre : float
        Mean of the true predictors, and the line's value there.
    predictor_variance, tau2 : float
        Variance of the true predictors between units, and of true effects about the line.
    reliability : float
        Mean share of the variance of an observed predictor that is not error; 0 says that the predictors do not
        differ beyond their errors, and then no slope can be told.
    explained : float
        Share of the variance of true effects that the line explains; NaN where there is none.
    log_likelihood : float
        Restricted.
    naive_slope, naive_lower, naive_upper : float
        The same with the predictors taken as exact.
    confidence : float
        Level of the limits.
    """

    k: int
    slope: float
    ci_lower: float
    ci_upper: float
    centre: float
    level_at_centre: float
    predictor_variance: float
    tau2: float
    reliability: float
    explained: float
    log_likelihood: float
    naive_slope: float
    naive_lower: float
    naive_upper: float
    confidence: float
    _precision: tuple[tuple[float, float], tuple[float, float]]

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite([self.ci_lower, self.ci_upper]).all())

    def at(self, xi: Floats) -> Floats:
        """Return the line at true predictors."""
        return np.asarray(self.level_at_centre + self.slope * (np.asarray(xi, dtype=float) - self.centre))

    def band(self, xi: Floats, *, new_unit: bool = False) -> tuple[Floats, Floats]:
        """Return limits of the line at true predictors, or of the true effect of a new unit there.

        The error of the slope is read off its interval; the band is infinite where that is.
        """
        away = np.asarray(xi, dtype=float) - self.centre
        t = float(t_quantile(0.5 + self.confidence / 2, self.k - 2))
        slope_se = (self.ci_upper - self.ci_lower) / (2 * t)
        (vm, cov), (_, vx) = self._precision
        level = vm - 2 * self.slope * cov + self.slope**2 * vx
        with np.errstate(invalid="ignore"):
            spread = level + np.where(away == 0, 0.0, away**2 * slope_se**2) + (self.tau2 if new_unit else 0.0)
        half = t * np.sqrt(spread)
        return self.at(xi) - half, self.at(xi) + half


class _Pairs(Pairs):
    """Pairs in units in which both have about unit spread."""

    def profile(self, slopes: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the likelihood of slopes of shape (n,), the two standard deviations chosen best, and these.

        A grid of both is narrowed about its best point. The sd of predictors is taken times sqrt(1 + slope^2), so that
        it stays in view when the slope grows.
        """
        steep = np.sqrt(1 + slopes**2)[:, None, None]
        centre, width = np.full((len(slopes), 2), 0.5 * WIDEST), 0.5 * WIDEST
        steps = np.linspace(-1, 1, STEPS)
        rows = np.arange(len(slopes))
        top = np.full(len(slopes), -np.inf)
        for _ in range(ZOOMS):
            u, tau = (np.maximum(centre[:, i, None] + width * steps, TINY) for i in (0, 1))
            heights = self.log_likelihood(slopes[:, None, None], (u[:, :, None] / steep) ** 2, tau[:, None, :] ** 2)
            flat = heights.reshape(len(slopes), -1).argmax(axis=1)
            top = heights.reshape(len(slopes), -1)[rows, flat]
            centre = np.stack([u[rows, flat // STEPS], tau[rows, flat % STEPS]], axis=1)
            width *= 2.5 / (STEPS - 1)
        return top, centre[:, 0] / steep[:, 0, 0], centre[:, 1]

    def unrelated(self) -> float:
        """Return the likelihood of predictors that do not differ, which is that of an infinite slope too."""
        sds = np.linspace(0, WIDEST, 2001)
        return float(self.log_likelihood(0.0, TINY**2, sds**2).max())


def _peak(pairs: _Pairs) -> tuple[float, float]:
    """Return the slope of the highest profile, and its height."""
    slopes = np.sinh(np.linspace(-np.arcsinh(30.0), np.arcsinh(30.0), 121))
    for _ in range(ZOOMS):
        heights = pairs.profile(slopes)[0]
        best = int(heights.argmax())
        around = slopes[max(best - 1, 0)], slopes[min(best + 1, len(slopes) - 1)]
        slopes = np.linspace(*around, 9)
    return float(slopes[4]), float(pairs.profile(slopes[4:5])[0][0])


def _limit(pairs: _Pairs, best: float, floor: float, sign: int) -> float:
    """Return the slope beyond the best at which the profile falls to the floor, infinite where it never does."""
    slopes = best + sign * np.concatenate([[0.0], np.geomspace(1e-3, FURTHEST, 140)])
    for _ in range(LIMIT_ZOOMS):
        below = np.flatnonzero(pairs.profile(slopes)[0] < floor)
        if not len(below):
            return sign * np.inf
        slopes = np.linspace(slopes[max(below[0] - 1, 0)], slopes[below[0]], 9)
    return float(slopes.mean())


def _fit(pairs: _Pairs, confidence: float) -> tuple[float, float, float, float]:
    """Return the slope, its limits, and the height of the likelihood."""
    slope, top = _peak(pairs)
    floor = top - 0.5 * float(t_quantile(0.5 + confidence / 2, len(pairs.x) - 2)) ** 2
    if pairs.unrelated() >= floor:
        return slope, -np.inf, np.inf, top
    return slope, _limit(pairs, slope, floor, -1), _limit(pairs, slope, floor, 1), top


def _checked(x: Floats, s2: Floats, y: Floats, v: Floats) -> None:
    shapes = {np.shape(array) for array in (x, s2, y, v)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise InputError("x, s2, y and v must be one-dimensional and of one length.")
    if not all(np.isfinite(array).all() for array in (x, s2, y, v)) or (s2 < 0).any() or (v <= 0).any():
        raise InputError("x, s2, y and v must be finite, s2 at least 0, v above 0.")
    if len(x) < FEWEST:
        raise InputError(f"There are {len(x)} units; a line with scatter needs {FEWEST} at least.")
    if np.ptp(x) == 0:
        raise InputError("All predictors are the same: there is no line.")


def errors_in_variables(x: Floats, s2: Floats, y: Floats, v: Floats, *, level: float = 0.95) -> ErrorsInVariables:
    """Fit a line of true effects on true predictors, both observed with error.

    Parameters
    ----------
    x, s2 : ndarray of shape (k,)
        Predictors as estimated, and their sampling variances; 0 for a predictor that is known.
    y, v : ndarray of shape (k,)
        Effects as estimated, and their sampling variances. The errors of x and y are independent.
    level : float

    Returns
    -------
    ErrorsInVariables

    Raises
    ------
    InputError
        Fewer than three units, predictors all the same, variances that are not positive.

    Notes
    -----
    As the slope grows without bound the likelihood tends to that of predictors which do not differ at all. Where this
    is not much worse than the best, the interval of the slope is the whole line, and is given so.

    References
    ----------
    van Houwelingen, Arends & Stijnen 2002, Stat Med 21:589, section 5.

    Examples
    --------
    >>> x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
    >>> fit = errors_in_variables(x, np.full(6, 0.04), 1 + 2 * x, np.full(6, 0.04))
    >>> fit.slope > fit.naive_slope, round(fit.reliability, 2), fit.bounded
    (True, 0.96, True)
    """
    x, s2, y, v = (np.asarray(array, dtype=float) for array in (x, s2, y, v))
    _checked(x, s2, y, v)
    level = check_level(level)
    x_unit, y_unit = float(np.std(x)), float(np.std(y)) or float(np.sqrt(v.mean()))
    pairs = _Pairs((x - x.mean()) / x_unit, s2 / x_unit**2, (y - y.mean()) / y_unit, v / y_unit**2)
    slope, lower, upper, top = _fit(pairs, level)
    naive, naive_lower, naive_upper, _ = _fit(replace(pairs, s2=np.zeros_like(s2)), level)
    omega, tau = (float(sd[0]) if sd[0] > ZERO else 0.0 for sd in pairs.profile(np.array([slope]))[1:])
    precision, sums, _, _ = pairs.means(slope, max(omega, TINY) ** 2, tau**2)
    covariance = np.linalg.inv(precision[[[0, 1], [1, 2]]])
    mean = covariance @ sums
    unit, between = y_unit / x_unit, slope**2 * omega**2
    return ErrorsInVariables(
        k=len(x),
        slope=float(slope * unit),
        ci_lower=float(lower * unit),
        ci_upper=float(upper * unit),
        centre=float(mean[0] * x_unit + x.mean()),
        level_at_centre=float(mean[1] * y_unit + y.mean()),
        predictor_variance=float((omega * x_unit) ** 2),
        tau2=float((tau * y_unit) ** 2),
        reliability=float(np.mean(omega**2 / (omega**2 + pairs.s2))) if omega > 0 else 0.0,
        explained=float(between / (between + tau**2)) if between + tau**2 > 0 else float("nan"),
        log_likelihood=float(top - (len(x) - 1) * np.log(x_unit * y_unit)),
        naive_slope=float(naive * unit),
        naive_lower=float(naive_lower * unit),
        naive_upper=float(naive_upper * unit),
        confidence=level,
        _precision=(
            (float(covariance[1, 1] * y_unit**2), float(covariance[0, 1] * x_unit * y_unit)),
            (float(covariance[0, 1] * x_unit * y_unit), float(covariance[0, 0] * x_unit**2)),
        ),
    )
