"""Fits meta-regressions with robust variance estimation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from igfmeta.datasets import checked
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.regression.data import checked_design
from igfmeta.models.robust.clusters import Clustered, clusters_of, regress
from igfmeta.models.robust.lone import rests_on_one
from igfmeta.models.robust.sandwich import ADJUSTMENTS, HtzTest, adjusted, htz, robust_vcov, satterthwaite
from igfmeta.models.robust.working import WITH_RHO, WORKING_NAMES, Covariances, Sampling, working_covariance
from igfmeta.numerics import Floats, Mask, t_quantile, t_two_sided

#: Assumed correlation of sampling errors within a study where none is given (Hedges, Tipton & Johnson 2010).
RHO = 0.8

#: Residuals below this many rounding errors of the effects are an exact fit.
EXACT = 64 * float(np.finfo(float).eps)

#: Degrees of freedom below which a p-value of CR2 is not to be relied on (Tipton 2015, Psychol Methods 20:375).
FEW_DF = 4.0


@dataclass(frozen=True)
class RobustCoefficient:
    """One coefficient, on the analysis scale, with Satterthwaite's degrees of freedom.

    None for all but the estimate and `model_se` where it rests on one cluster alone.
    """

    name: str
    estimate: float
    se: float | None
    df: float | None
    statistic: float | None
    p_value: float | None
    ci_lower: float | None
    ci_upper: float | None
    model_se: float


@dataclass(frozen=True, eq=False)
class RobustFit:
    """A meta-regression with robust variances, on the analysis scale.

    Attributes
    ----------
    k, clusters, p : int
        Rows, clusters, coefficients.
    coefficients : tuple of RobustCoefficient
        `model_se` is what the standard error would be if the working model were true.
    moderators : HtzTest or None
        That all coefficients but the intercept are 0; None where there is no other, or one rests on one cluster.
    tau2, omega2, rho : float or None
        Of the working model.
    working, adjustment : str
    weights : ndarray of shape (k,)
        Sums of the rows of the weight matrix, in percent.
    vcov : ndarray of shape (p, p)
    remarks : tuple of str
    """

    k: int
    clusters: int
    p: int
    coefficients: tuple[RobustCoefficient, ...]
    moderators: HtzTest | None
    tau2: float | None
    omega2: float | None
    rho: float | None
    working: str
    adjustment: str
    level: float
    weights: Floats
    vcov: Floats
    remarks: tuple[str, ...]
    clustered: Clustered

    def test(self, contrasts: Any) -> HtzTest:
        """Return the HTZ test that linear combinations of the coefficients, shape (q, p), are all 0."""
        rows = np.atleast_2d(np.asarray(contrasts, dtype=float))
        if rows.shape[1] != self.p or np.linalg.matrix_rank(rows) < len(rows):
            raise InputError(f"contrasts has shape {np.shape(contrasts)}; accepted are independent rows of {self.p}.")
        if rests_on_one(self.clustered, rows).any():
            raise NothingToPool("A contrast rests on one cluster alone: its robust variance cannot be estimated.")
        return htz(self.clustered, adjusted(self.clustered, self.adjustment), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and numbers (JSON)."""
        plain = ("k", "clusters", "p", "tau2", "omega2", "rho", "working", "adjustment", "level")
        return {
            **{name: getattr(self, name) for name in plain},
            "coefficients": [asdict(each) for each in self.coefficients],
            "moderators": None if self.moderators is None else self.moderators.to_dict(),
            "vcov": self.vcov.tolist(),
            "remarks": list(self.remarks),
        }


def fit_robust(
    yi: Any,
    vi: Any,
    cluster: Sequence[object],
    *,
    x: Any = None,
    names: Sequence[str] | None = None,
    working: str = "CHE",
    rho: float | None = None,
    sampling: Sampling | None = None,
    adjustment: str = "CR2",
    level: float = 0.95,
) -> RobustFit:
    """Fit a meta-regression of dependent effects with cluster-robust standard errors.

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
        Effects on the analysis scale and their sampling variances.
    cluster : sequence of length k
        The study of each row: effects of one study may depend on each other in any way.
    x : array_like of shape (k, p), optional
        Moderators; an intercept alone by default.
    names : sequence of str, optional
        Of the columns of x.
    working : {"CHE", "CORR", "HIER", "RE", "EQUAL"}
        What the weights take the dependence to be; see `igfmeta.models.robust.working`.
    rho : float, optional
        Assumed correlation of sampling errors within a study, for CHE and CORR; 0.8 by default.
    sampling : callable, optional
        For CHE, where more is known of a study than one correlation: takes rho and returns the covariance matrix of
        the sampling errors, shape (k, k), with vi on its diagonal and 0 between clusters.
    adjustment : {"CR2", "CR1", "CR0"}
        Small-sample adjustment of the covariance.
    level : float

    Returns
    -------
    RobustFit

    Raises
    ------
    InputError
        Options or data that cannot be used.
    NothingToPool
        Fewer clusters than coefficients and one, or a column that is a combination of others.

    References
    ----------
    Hedges, Tipton & Johnson 2010, Res Synth Methods 1:39; Tipton 2015, Psychol Methods 20:375; Pustejovsky & Tipton
    2018, J Bus Econ Stat 36:672; Pustejovsky & Tipton 2022, Prev Sci 23:425.

    Examples
    --------
    >>> y, v = [0.1, 0.2, 0.9, 1.1, 0.4, 0.6, 0.3], [0.02] * 7
    >>> fit = fit_robust(y, v, ["a", "a", "b", "b", "c", "c", "d"], working="RE")
    >>> one = fit.coefficients[0]
    >>> round(one.estimate, 3), round(one.se, 3), round(one.df, 2)
    (0.514, 0.208, 2.78)
    """
    working = check_choice("working", working, WORKING_NAMES)
    adjustment = check_choice("adjustment", adjustment, ADJUSTMENTS)
    level = check_level(level)
    rho = _checked_rho(rho, working)
    y, v = (a[0] for a in checked(yi, vi, None)[:2])
    design = np.ones((len(y), 1)) if x is None else checked_design(x, len(y))[0]
    labels = _checked_names(names, x, design.shape[1])
    if len(cluster) != len(y):
        raise InputError(f"cluster has {len(cluster)} labels; accepted is one for each of the {len(y)} rows.")
    rows = clusters_of(cluster)
    _refuse_unestimable(design, len(rows), labels)
    if sampling is not None and working != "CHE":
        raise InputError(f"sampling was given; the working model {working} does not use it. It belongs to CHE.")
    covariances = working_covariance(y, v, design, rows, working=working, rho=rho, sampling=sampling)
    fit = regress(y, design, rows, covariances.phi)
    k = adjusted(fit, adjustment)
    every = np.eye(design.shape[1])
    tested = every[np.ptp(design, axis=0) > 0]
    exact = max(float(np.abs(e).max()) for e in fit.e) <= EXACT * float(np.abs(y).max())
    lone, weights = rests_on_one(fit, every), _weights(covariances, fit, len(y))
    coefficients = _coefficients(fit, k, labels, lone | exact, level)
    testable = len(tested) > 0 and not exact and not rests_on_one(fit, tested).any()
    return RobustFit(
        k=len(y),
        clusters=len(rows),
        p=design.shape[1],
        coefficients=coefficients,
        moderators=htz(fit, k, tested) if testable else None,
        tau2=covariances.tau2,
        omega2=covariances.omega2,
        rho=rho,
        working=working,
        adjustment=adjustment,
        level=level,
        weights=weights,
        vcov=robust_vcov(fit, k),
        remarks=tuple(_remarks(coefficients, covariances, weights, rows, adjustment, exact)),
        clustered=fit,
    )


def _checked_rho(rho: float | None, working: str) -> float | None:
    if working not in WITH_RHO:
        if rho is not None:
            raise InputError(f"rho was {rho!r}; the working model {working} has none. It belongs to CHE and CORR.")
        return None
    if rho is None:
        return RHO
    if isinstance(rho, bool) or not isinstance(rho, (int, float)) or not 0 <= rho < 1:
        raise InputError(f"rho was {rho!r}; accepted is a correlation from 0 to below 1.")
    return float(rho)


def _checked_names(names: Sequence[str] | None, x: Any, p: int) -> tuple[str, ...]:
    if names is None:
        return ("Intercept",) if x is None else tuple(f"x{j}" for j in range(p))
    if len(names) != p:
        raise InputError(f"names has {len(names)} entries; accepted is one for each of the {p} columns of x.")
    return tuple(names)


def _refuse_unestimable(x: Floats, clusters: int, names: Sequence[str]) -> None:
    p = x.shape[1]
    if not len(x):
        raise NothingToPool("There is no row to pool.")
    if clusters <= p:
        raise NothingToPool(
            f"{clusters} {'cluster' if clusters == 1 else 'clusters'} cannot carry {p} "
            f"{'coefficient' if p == 1 else 'coefficients'} with robust variances; at least {p + 1} are needed."
        )
    if np.linalg.matrix_rank(x / np.abs(x).max(axis=0)) < p:
        raise NothingToPool(f"A column of the design ({', '.join(names)}) is a combination of others; leave it out.")


def _coefficients(
    fit: Clustered, k: tuple[Floats, ...], names: Sequence[str], lone: Mask, level: float
) -> tuple[RobustCoefficient, ...]:
    se, model_se = np.sqrt(np.diag(robust_vcov(fit, k))), np.sqrt(np.diag(fit.model_vcov))
    df = np.array([satterthwaite(fit, k, row) for row in np.eye(len(names))])
    with np.errstate(divide="ignore", invalid="ignore"):  # a variance of 0 is of a lone cluster: None below
        statistic, half = fit.beta / se, t_quantile(0.5 + level / 2, df) * se
        p = t_two_sided(statistic, df)
    columns = {"se": se, "df": df, "statistic": statistic, "p_value": p, "ci_lower": fit.beta - half,
               "ci_upper": fit.beta + half}  # fmt: skip
    return tuple(
        RobustCoefficient(
            name=name,
            estimate=float(fit.beta[i]),
            model_se=float(model_se[i]),
            **{key: None if lone[i] else float(values[i]) for key, values in columns.items()},
        )
        for i, name in enumerate(names)
    )


def _weights(covariances: Covariances, fit: Clustered, k: int) -> Floats:
    out = np.empty(k)
    for at, phi in zip(fit.rows, covariances.phi, strict=True):
        out[at] = np.linalg.solve(phi, np.ones(len(at)))
    return np.asarray(100 * out / out.sum())


def _remarks(
    coefficients: Sequence[RobustCoefficient],
    covariances: Covariances,
    weights: Floats,
    rows: Sequence[Any],
    adjustment: str,
    exact: bool,
) -> list[str]:
    said = []
    if exact:
        said.append(
            "The effects are identical or fitted exactly: there is nothing from which a robust variance could be "
            "estimated, and no spread among a few studies is not certainty. Model SE is all there is."
        )
    lone = [] if exact else [each.name for each in coefficients if each.df is None]
    if lone:
        said.append(
            f"{', '.join(lone)} would have no estimate without one of the clusters: the residuals say nothing of the "
            "variance, and no robust standard error can be given."
        )
    few = [each.name for each in coefficients if each.df is not None and each.df < FEW_DF]
    if few:
        said.append(
            f"Fewer than {FEW_DF:g} degrees of freedom for {', '.join(few)}: the p-value and interval are not to be "
            "relied on, however many rows there are (Tipton 2015)."
        )
    if adjustment != "CR2":
        said.append(f"{adjustment} underestimates variances with few clusters; CR2 does not.")
    if weights.min() < 0:
        said.append(
            "Negative weights: with so high a correlation an effect that is much less precise than another of its "
            "study corrects that one. CORR has no such weights."
        )
    if all(len(at) == 1 for at in rows):
        said.append("Every cluster has one row: nothing is dependent, and the variance is robust to its model alone.")
    if not covariances.converged:
        said.append("The search for the variances did not converge: do not use this result.")
    return said
