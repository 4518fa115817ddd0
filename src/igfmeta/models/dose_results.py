"""What a dose-response model is fitted to, and what it holds: everything that a table or a figure needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.effects.dose_bases import Basis
from igfmeta.errors import InputError
from igfmeta.numerics import Floats, chi2_upper, t_quantile

#: Logarithms of relative risks beyond this have no number.
LARGEST_LOG = 700.0


@dataclass(frozen=True, eq=False)
class DoseStudy:
    """The contrasts of one study: log relative risks of its groups against its reference group.

    Attributes
    ----------
    label : str
    reference : float
        Dose of the reference group.
    dose, yi : ndarray of shape (m,)
        Doses of the other groups, and their log relative risks.
    covariance : ndarray of shape (m, m)
        Of `yi`; positive definite.
    """

    label: str
    reference: float
    dose: Floats
    yi: Floats
    covariance: Floats

    def design(self, basis: Basis) -> Floats:
        """Return the contrasts of the basis with the reference dose; shape (m, p)."""
        return basis.contrast(self.dose, self.reference)


@dataclass(frozen=True)
class WaldTest:
    """A chi-squared test that coefficients are all 0."""

    statistic: float
    df: int
    p_value: float


@dataclass(frozen=True, eq=False)
class Goodness:
    """How well one curve without random effects fits all contrasts (Discacciati, Crippa & Orsini 2017).

    Attributes
    ----------
    deviance, df, p_value : float, int, float
        Sum of squared decorrelated residuals, chi-squared where the curve and the covariances are right. None without
        a degree of freedom.
    r2, r2_adjusted : float
        Share of the decorrelated sum of squares, not centred because there is no intercept.
    study : tuple of str
        Of each residual.
    dose, residual : ndarray of shape (n,)
        Decorrelated residuals by dose.
    """

    deviance: float
    df: int
    p_value: float | None
    r2: float
    r2_adjusted: float | None
    study: tuple[str, ...]
    dose: Floats
    residual: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {
            **self.__dict__,
            "study": list(self.study),
            "dose": self.dose.tolist(),
            "residual": self.residual.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Curve:
    """Relative risks along the dose, against one reference dose, where it is exactly 1.

    Attributes
    ----------
    reference : float
    dose, rr, ci_lower, ci_upper : ndarray of shape (n,)
    log_rr, se : ndarray of shape (n,)
        On the analysis scale.
    """

    reference: float
    dose: Floats
    log_rr: Floats
    se: Floats
    rr: Floats
    ci_lower: Floats
    ci_upper: Floats

    def rows(self) -> list[dict[str, float]]:
        """Return one dictionary per dose."""
        names = ("dose", "rr", "ci_lower", "ci_upper", "log_rr", "se")
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class DoseFit:
    """A pooled dose-response curve.

    Attributes
    ----------
    basis : Basis
    stages : {"one", "two"}
    method : {"fixed", "ml", "reml", "mm"}
    level : float
    k, n : int
        Studies, and contrasts with a reference.
    labels : tuple of str
        Of the studies.
    coef, vcov : ndarray of shape (p,) and (p, p)
    psi : ndarray of shape (p, p) or None
        Between-study covariance of the coefficients; None for `fixed`.
    log_likelihood, aic : float or None
        Restricted for `reml`; None for `mm`. Of the study coefficients in two stages, of the contrasts in one.
    q, q_df, q_p_value, i2 : float, int, float, float
        Cochran's Q of the study coefficients; I2 in percent. p-value and I2 None with one study.
    overall, nonlinear : WaldTest or None
        That the curve is flat; that it is a line (None where the basis holds no line, or is one).
    goodness : Goodness
    study_coef : ndarray of shape (k, p)
        NaN where a study has too few groups for coefficients of its own.
    vpc : tuple of ndarray
        Of each study: the share of the between-study variance in the variance of each contrast (Crippa et al. 2019);
        empty for `fixed`.
    converged, boundary : bool
        Of the search for psi; boundary where it is singular.
    left_out : tuple of (label, reason)
    remarks : tuple of str
    """

    basis: Basis
    stages: str
    method: str
    level: float
    k: int
    n: int
    labels: tuple[str, ...]
    coef: Floats
    vcov: Floats
    psi: Floats | None
    log_likelihood: float | None
    aic: float | None
    q: float
    q_df: int
    q_p_value: float | None
    i2: float | None
    overall: WaldTest
    nonlinear: WaldTest | None
    goodness: Goodness
    study_coef: Floats
    vpc: tuple[Floats, ...]
    converged: bool
    boundary: bool
    left_out: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]

    def curve(self, dose: Any, *, reference: float) -> Curve:
        """Return relative risks at doses against a reference dose, with normal (Wald) intervals.

        The contrast x = f(dose) - f(reference) has the log relative risk x'b and the variance x'Vx.
        """
        x = self.basis.contrast(dose, reference)
        log_rr, se = x @ self.coef, np.sqrt(np.maximum(0.0, np.einsum("ij,jk,ik->i", x, self.vcov, x)))
        half = float(t_quantile(0.5 + self.level / 2, np.inf)) * se
        far = ~(np.abs(log_rr) + half < LARGEST_LOG)
        if far.any():
            where = float(np.atleast_1d(np.asarray(dose, dtype=float))[int(np.argmax(far))])
            raise InputError(
                f"The relative risk at dose {where:g}, or its limit, is beyond what a number can hold; "
                "are the doses of all groups in one unit?"
            )
        return Curve(
            reference=float(reference),
            dose=np.atleast_1d(np.asarray(dose, dtype=float)),
            log_rr=log_rr,
            se=se,
            rr=np.exp(log_rr),
            ci_lower=np.exp(log_rr - half),
            ci_upper=np.exp(log_rr + half),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""
        return {
            "model": self.basis.model,
            "terms": list(self.basis.names),
            "knots": list(self.basis.knots),
            "powers": list(self.basis.powers),
            "shift": self.basis.shift,
            "stages": self.stages,
            "method": self.method,
            "level": self.level,
            "k": self.k,
            "n": self.n,
            "coef": self.coef.tolist(),
            "vcov": self.vcov.tolist(),
            "psi": None if self.psi is None else self.psi.tolist(),
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "q": self.q,
            "q_df": self.q_df,
            "q_pvalue": self.q_p_value,
            "i2": self.i2,
            "overall": dict(self.overall.__dict__),
            "nonlinear": None if self.nonlinear is None else dict(self.nonlinear.__dict__),
            "goodness": self.goodness.to_dict(),
            "study_coef": [
                {"study": label, "coef": [float(b) if np.isfinite(b) else None for b in row]}
                for label, row in zip(self.labels, self.study_coef, strict=True)
            ],
            "vpc": [
                {"study": label, "vpc": shares.tolist()} for label, shares in zip(self.labels, self.vpc, strict=False)
            ],
            "converged": self.converged,
            "boundary": self.boundary,
            "left_out": [{"study": label, "reason": reason} for label, reason in self.left_out],
            "remarks": list(self.remarks),
        }


def wald(coef: Floats, vcov: Floats, at: tuple[int, ...]) -> WaldTest:
    """Return the Wald test that the coefficients at these positions are all 0: b'V^-1 b.

    Examples
    --------
    >>> wald(np.array([1.96, 0.0]), np.eye(2), (0,)).p_value.__round__(3)
    0.05
    """
    b, v = coef[list(at)], vcov[np.ix_(at, at)]
    statistic = float(b @ np.linalg.solve(v, b))
    return WaldTest(statistic, len(at), float(chi2_upper(statistic, len(at))))
