"""Trial-level surrogacy: what a trial's effect on one outcome says of its effect on another.

The true effects of a trial, (x, y), are normal with covariance Psi. Then E(y | x) = mu_y + slope (x - mu_x) with
slope = Psi_xy / Psi_xx, and R2_trial = Psi_xy^2 / (Psi_xx Psi_yy) is the share of the variance of y that x explains
(Daniels & Hughes 1997, Stat Med 16:1965; Buyse, Molenberghs, Burzykowski, Renard & Geys 2000, Biostatistics 1:49).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.multilevel.fitting import scaled_problem
from igfmeta.models.multilevel.layout import arrange
from igfmeta.models.multilevel.likelihood import Likelihood
from igfmeta.models.multilevel.profile import profile_limits, wald_reach
from igfmeta.models.multilevel.results import MultilevelFit
from igfmeta.models.multilevel.search import climb, hessian, space_of
from igfmeta.numerics import Floats, t_quantile

#: Variance, relative to the typical sampling variance, below which effects on the surrogate count as all the same.
NOTHING = 1e-8

#: Trials with both outcomes below which the line is called a sketch (Burzykowski, Molenberghs & Buyse 2005, chapter 7).
FEW = 10


@dataclass(frozen=True)
class _Line:
    """Psi by the line: Psi = r^2 (cos, sin)(cos, sin)' + s^2 for y given x; the slope is the tangent of the angle.

    An angle, unlike its tangent, has ends: at a right angle x does not vary. x and y are places in Psi.
    """

    x: int
    y: int

    n_sd = 2
    n_parameters = 3

    def matrix(self, theta: Floats) -> Floats:
        """Return Psi."""
        r, s, angle = theta
        at = np.empty(2)
        at[[self.x, self.y]] = r * np.cos(angle), r * np.sin(angle)
        g = np.outer(at, at)
        g[self.y, self.y] += s * s
        return g

    def pullback(self, theta: Floats, adjoint: Floats) -> Floats:
        """Return the slope in (r, s, angle)."""
        r, s, angle = theta
        along, across = np.empty(2), np.empty(2)
        along[[self.x, self.y]] = np.cos(angle), np.sin(angle)
        across[[self.x, self.y]] = -np.sin(angle), np.cos(angle)
        turned = adjoint @ along
        return np.array([2 * r * along @ turned, 2 * s * adjoint[self.y, self.y], 2 * r * r * across @ turned])


@dataclass(frozen=True, eq=False)
class SurrogacyLine:
    """The line at effects on the surrogate, with the band of the mean and of a new trial's true effect."""

    x: Floats
    estimate: Floats
    ci_lower: Floats
    ci_upper: Floats
    pi_lower: Floats
    pi_upper: Floats

    def rows(self) -> list[dict[str, float]]:
        """Return one dictionary per effect."""
        columns = {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True, eq=False)
class Surrogacy:
    """The trial-level line between two outcomes.

    Attributes
    ----------
    surrogate, true : str
    trials : int
        With both outcomes.
    slope, slope_ci_lower, slope_ci_upper : float or None
        Profile-likelihood limits; None where effects on the surrogate do not vary, or where every slope on that side is
        compatible with the data.
    intercept : float or None
        Effect on the true outcome where that on the surrogate is 0.
    r2, r2_ci_lower, r2_ci_upper : float or None
        R2_trial, with the limits of the squared correlation.
    residual_sd : float or None
        Of true effects about the line.
    threshold : float or None
        Surrogate threshold effect (Burzykowski & Buyse 2006, Pharm Stat 5:173): the effect on the surrogate nearest to
        0 from which on a new trial's effect on the true outcome is predicted to be below 0, at the level of the fit;
        None where none is.
    slope_se : float or None
    df : float
    mean : ndarray of shape (2,)
        Pooled effects on the surrogate and on the true outcome.
    vcov : ndarray of shape (2, 2)
    level : float
    remarks : tuple of str
    """

    surrogate: str
    true: str
    trials: int
    slope: float | None
    slope_ci_lower: float | None
    slope_ci_upper: float | None
    intercept: float | None
    r2: float | None
    r2_ci_lower: float | None
    r2_ci_upper: float | None
    residual_sd: float | None
    threshold: float | None
    slope_se: float | None
    df: float
    mean: Floats
    vcov: Floats
    level: float
    remarks: tuple[str, ...]

    def line(self, x: Any) -> SurrogacyLine:
        """Return the line at effects x on the surrogate (analysis scale).

        The variance of the mean is var(mu_y - slope mu_x) + (x - mu_x)^2 var(slope), the slope's from the observed
        information; a new trial adds the residual variance.

        Raises
        ------
        InputError
            There is no line: effects on the surrogate do not vary between trials, or its slope has no standard error.
        """
        if self.slope is None or self.slope_se is None or self.residual_sd is None:
            raise InputError(f"There is no line from {self.surrogate} to {self.true}: {' '.join(self.remarks)}")
        at = np.asarray(x, dtype=float)
        contrast = np.array([-self.slope, 1.0])
        mean = self.mean[1] + self.slope * (at - self.mean[0])
        variance = contrast @ self.vcov @ contrast + (at - self.mean[0]) ** 2 * self.slope_se**2
        half = float(t_quantile(0.5 + self.level / 2, self.df))
        se, se_new = np.sqrt(variance), np.sqrt(variance + self.residual_sd**2)
        return SurrogacyLine(
            at, mean, mean - half * se, mean + half * se, mean - half * se_new, mean + half * se_new
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        skipped = ("mean", "vcov", "remarks")
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in skipped}
        return {**values, "mean": self.mean.tolist(), "vcov": self.vcov.tolist(), "remarks": list(self.remarks)}


def surrogacy(fit: MultilevelFit, *, surrogate: str, true: str) -> Surrogacy:
    """Return the trial-level line that a bivariate fit implies.

    Parameters
    ----------
    fit : MultilevelFit
        With one term `outcome | study` of structure UN over the two outcomes, and one coefficient for each.
    surrogate, true : str
        The outcomes, as the inner levels are called.

    Raises
    ------
    InputError
        A fit of another form, or outcomes that it does not have.

    Examples
    --------
    >>> from igfmeta.models.multilevel.fitting import fit_multilevel
    >>> from igfmeta.models.multilevel.terms import parse
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(-0.2, 0.3, 30)
    >>> effects = np.column_stack([x, 0.5 * x + rng.normal(0, 0.05, 30)]) + rng.normal(0, 0.05, (30, 2))
    >>> columns = {"outcome": ["pfs", "os"] * 30, "study": np.repeat(np.arange(30), 2).tolist()}
    >>> design = np.array([[name == "os", name == "pfs"] for name in columns["outcome"]], dtype=float)
    >>> fit = fit_multilevel(effects.ravel(), np.full(60, 0.0025), parse("~ outcome | study", columns, struct="UN"),
    ...                      x=design, names=["os", "pfs"])
    >>> found = surrogacy(fit, surrogate="pfs", true="os")
    >>> found.slope.__round__(2), found.slope_ci_lower < 0.5 < found.slope_ci_upper
    (0.47, True)
    """
    levels = _checked(fit, surrogate, true)
    at_x, at_y = levels.index(surrogate), levels.index(true)
    order = [fit.names.index(surrogate), fit.names.index(true)]
    psi = fit.matrices[0]
    term = fit.terms[0]
    present = np.zeros((len(term.levels), 2), dtype=bool)
    present[term.group, term.inner] = True
    trials = int(present.all(axis=1).sum())
    mean, vcov = fit.coef[order], fit.vcov[np.ix_(order, order)]
    typical = float(np.median(np.diag(fit.v) if fit.v.ndim == 2 else fit.v))
    df = max(1.0, float(trials - 2))
    remarks = _remarks(fit, trials)
    if psi[at_x, at_x] <= NOTHING * typical:
        said = (
            f"Effects on {surrogate} do not vary between trials beyond chance: they predict nothing; no line is drawn."
        )
        none = dict.fromkeys(("slope", "slope_ci_lower", "slope_ci_upper", "intercept", "r2", "r2_ci_lower",
                              "r2_ci_upper", "residual_sd", "threshold", "slope_se"))  # fmt: skip
        return Surrogacy(surrogate, true, trials, **none, df=df, mean=mean, vcov=vcov, level=fit.level,
                         remarks=(said, *remarks))  # fmt: skip
    slope = float(psi[at_x, at_y] / psi[at_x, at_x])
    residual = float(np.sqrt(max(0.0, psi[at_y, at_y] - slope**2 * psi[at_x, at_x])))
    lower, upper, se = _slope_limits(fit, at_x, at_y)
    r2 = _squared(fit)
    found = Surrogacy(
        surrogate, true, trials, slope, lower, upper, float(mean[1] - slope * mean[0]), *r2, residual, None, se, df,
        mean, vcov, fit.level, remarks,
    )  # fmt: skip
    if se is None:
        return found
    return Surrogacy(**{**found.__dict__, "threshold": _threshold(found)})


def _checked(fit: MultilevelFit, surrogate: str, true: str) -> tuple[str, ...]:
    if len(fit.terms) != 1 or fit.terms[0].structure.kind != "UN" or fit.terms[0].structure.size != 2:
        raise InputError("A surrogacy line needs a fit with one random term over two outcomes, of structure UN.")
    levels = fit.terms[0].inner_levels
    missing = [name for name in (surrogate, true) if name not in levels or name not in fit.names]
    if missing or surrogate == true:
        raise InputError(f"The outcomes were {surrogate!r} and {true!r}; accepted are {levels[0]!r} and {levels[1]!r}.")
    return levels


def _remarks(fit: MultilevelFit, trials: int) -> tuple[str, ...]:
    remarks = []
    if trials < FEW:
        remarks.append(
            f"{trials} trials have both outcomes: far too few to validate a surrogate; the line is a sketch of what "
            "the model assumes."
        )
    correlation = next(c for c in fit.components if c.kind == "correlation")
    if correlation.estimate is not None and abs(correlation.estimate) > 1 - 1e-8:
        remarks.append(
            "The correlation between trials is estimated at its limit, so that R2_trial is 1: a sign of too little "
            "heterogeneity or too few trials, not of a perfect surrogate."
        )
    return tuple(remarks)


def _squared(fit: MultilevelFit) -> tuple[float | None, float | None, float | None]:
    """Return R2_trial with the limits that those of the correlation imply."""
    rho = next(c for c in fit.components if c.kind == "correlation")
    if rho.estimate is None:
        return None, None, None
    if rho.ci_lower is None or rho.ci_upper is None:
        return rho.estimate**2, None, None
    lower = 0.0 if rho.ci_lower <= 0 <= rho.ci_upper else min(rho.ci_lower**2, rho.ci_upper**2)
    return rho.estimate**2, lower, max(rho.ci_lower**2, rho.ci_upper**2)


def _slope_limits(fit: MultilevelFit, at_x: int, at_y: int) -> tuple[float | None, float | None, float | None]:
    """Return profile-likelihood limits of the slope, and its standard error from the observed information."""
    problem = scaled_problem(fit.y, fit.v, fit.x)
    line = _Line(at_x, at_y)
    likelihood = Likelihood(
        arrange(problem.v, fit.terms), problem.x, problem.y, [line], restricted=fit.method == "REML"
    )  # fmt: skip
    psi = fit.matrices[0] / problem.unit**2
    slope = psi[at_x, at_y] / psi[at_x, at_x]
    rest = np.sqrt(max(0.0, psi[at_y, at_y] - slope**2 * psi[at_x, at_x]))
    start = np.array([np.sqrt(psi[at_x, at_x] * (1 + slope**2)), rest, np.arctan(slope)])
    theta, top, _ = climb(likelihood.gradient, start, space_of(likelihood))
    curvature = hessian(likelihood.gradient, theta, np.arange(3))
    lower, upper = profile_limits(
        likelihood, top, theta, 2, level=fit.level, reach=min(0.3, wald_reach(curvature, 2, fit.level)),
        ends=(-0.5 * np.pi, 0.5 * np.pi),
    )  # fmt: skip
    values = np.linalg.eigvalsh(curvature)
    found = values[0] > 1e-9 * values[-1]
    se = float(np.sqrt(np.linalg.inv(curvature)[2, 2]) / np.cos(theta[2]) ** 2) if found else None
    return _tangent(lower), _tangent(upper), se


def _tangent(angle: float) -> float | None:
    """Return the slope of an angle; None where there is none, or it is a right one."""
    return None if np.isnan(angle) or abs(angle) > 0.5 * np.pi - 1e-6 else float(np.tan(angle))


def _threshold(found: Surrogacy) -> float | None:
    """Return where the upper prediction limit crosses 0 on the side of benefit (below 0), by bisection."""
    far = 10 * max(1.0, abs(float(found.mean[0])))
    grid = np.linspace(0.0, -far, 2001)
    below = np.flatnonzero(found.line(grid).pi_upper < 0)
    if not len(below):
        return None
    if below[0] == 0:
        return 0.0
    outside, inside = float(grid[below[0] - 1]), float(grid[below[0]])
    for _ in range(60):
        middle = 0.5 * (outside + inside)
        if found.line(middle).pi_upper < 0:
            inside = middle
        else:
            outside = middle
    return inside
