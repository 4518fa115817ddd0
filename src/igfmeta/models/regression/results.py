"""What a meta-regression holds: arrays over a batch, or one analysis with its coefficients by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from igfmeta.errors import NothingToPool
from igfmeta.models.regression.inference import Covariance
from igfmeta.numerics import Floats, Mask

#: Studies per moderator below which a meta-regression is not advised (Cochrane Handbook 6.5, section 10.11.5.1).
PER_MODERATOR = 10


@dataclass(frozen=True)
class Coefficient:
    """One coefficient, on the analysis scale; `df` is None for a normal test."""

    name: str
    estimate: float
    se: float
    statistic: float
    df: float | None
    p_value: float
    ci_lower: float
    ci_upper: float


@dataclass(frozen=True, eq=False)
class Regression:
    """One meta-regression, on the analysis scale. None stands for what cannot be estimated; `remarks` says why.

    Attributes
    ----------
    k, p : int
        Studies and coefficients.
    coefficients : tuple of Coefficient
    tau2, se_tau2, tau2_ci_lower, tau2_ci_upper : float or None
        Residual between-study variance, its interval by Q-profile.
    tau2_total : float or None
        Without the moderators, by the same estimator.
    r2 : float or None
        Share of it that the moderators account for, in percent: max(0, 1 - tau2/tau2_total) (Raudenbush 2009).
    i2, h2 : float or None
        Residual; I2 in percent.
    qe, qe_df, qe_p_value : float, int, float
        Test of residual heterogeneity.
    qm, qm_df, qm_df2, qm_p_value : float, int, float or None, float
        Omnibus test of `tested`, the coefficients but the intercept: F with (qm_df, qm_df2) degrees of freedom, or
        chi-squared where qm_df2 is None.
    log_likelihood : float
        Restricted unless the method is ML.
    vcov : ndarray of shape (p, p)
    """

    k: int
    p: int
    coefficients: tuple[Coefficient, ...]
    tau2: float
    se_tau2: float | None
    tau2_ci_lower: float | None
    tau2_ci_upper: float | None
    tau2_total: float | None
    r2: float | None
    i2: float | None
    h2: float | None
    qe: float
    qe_df: int
    qe_p_value: float
    qm: float
    qm_df: int
    qm_df2: float | None
    qm_p_value: float
    tested: tuple[str, ...]
    log_likelihood: float
    converged: bool
    multimodal: bool
    method: str
    test: str
    level: float
    covariance: Covariance
    remarks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.coefficients)

    @property
    def beta(self) -> Floats:
        return np.asarray(self.covariance.beta[0])

    @property
    def vcov(self) -> Floats:
        return np.asarray(self.covariance.vcov[0])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        skipped = ("covariance", "coefficients")
        plain = {name: value for name, value in self.__dict__.items() if name not in skipped}
        return {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()},
            "coefficients": [asdict(each) for each in self.coefficients],
            "vcov": self.vcov.tolist(),
        }


@dataclass(frozen=True, eq=False)
class RegressionBatch:
    """Meta-regressions of a batch: arrays of shape (batch,) or (batch, p), in the units of the data; see `Regression`.

    `qm_df` and `tested` (positions of the coefficients) are those of the design, the same for all.
    """

    names: tuple[str, ...]
    k: Floats
    beta: Floats
    se: Floats
    statistic: Floats
    df: Floats
    p_value: Floats
    ci_lower: Floats
    ci_upper: Floats
    covariance: Covariance
    tau2: Floats
    se_tau2: Floats
    tau2_ci_lower: Floats
    tau2_ci_upper: Floats
    tau2_total: Floats
    i2: Floats
    h2: Floats
    qe: Floats
    qe_df: Floats
    qe_p_value: Floats
    qm: Floats
    qm_df: int
    qm_df2: Floats
    qm_p_value: Floats
    tested: tuple[int, ...]
    log_likelihood: Floats
    converged: Mask
    multimodal: Mask
    estimable: Mask
    method: str
    test: str
    level: float

    def __len__(self) -> int:
        return len(self.k)

    @property
    def r2(self) -> Floats:
        """Return R2 in percent; NaN where there is nothing to account for."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.tau2_total > 0, np.maximum(0.0, 100 * (1 - self.tau2 / self.tau2_total)), np.nan)

    def one(self, index: int = 0) -> Regression:
        """Return one analysis of the batch.

        Raises
        ------
        NothingToPool
            There are not more studies than coefficients, or a column is a combination of the others.
        """
        k, p = int(self.k[index]), len(self.names)
        if not self.estimable[index]:
            raise NothingToPool(_why_not(k, p, self.names))
        fields = ("beta", "se", "statistic", "df", "p_value", "ci_lower", "ci_upper")
        columns = zip(*(getattr(self, name)[index] for name in fields), strict=True)
        coefficients = tuple(
            Coefficient(name, *(_plain(value) for value in values))  # type: ignore[arg-type]
            for name, values in zip(self.names, columns, strict=True)
        )
        scalars = (
            "tau2", "se_tau2", "tau2_ci_lower", "tau2_ci_upper", "tau2_total", "r2", "i2", "h2", "qe", "qe_p_value",
            "qm", "qm_df2", "qm_p_value", "log_likelihood",
        )  # fmt: skip
        values: dict[str, Any] = {name: _plain(getattr(self, name)[index]) for name in scalars}
        return Regression(
            **values,
            k=k,
            p=p,
            coefficients=coefficients,
            qe_df=k - p,
            qm_df=self.qm_df,
            tested=tuple(self.names[j] for j in self.tested),
            converged=bool(self.converged[index]),
            multimodal=bool(self.multimodal[index]),
            method=self.method,
            test=self.test,
            level=self.level,
            covariance=self.covariance.rows([index]),
            remarks=tuple(self._remarks(k, len(self.tested) if p > 1 else 0, values, index)),
        )

    def _remarks(self, k: int, moderators: int, values: dict[str, Any], index: int) -> list[str]:
        said = []
        if moderators and k < PER_MODERATOR * moderators:
            said.append(
                f"{k} studies for {moderators} coefficient{'s' if moderators > 1 else ''} of moderators: fewer than "
                f"{PER_MODERATOR} studies for each, so that findings are exploratory."
            )
        if values["tau2_total"] == 0:
            said.append("R2 is not defined: without the moderators tau2 is 0 already.")
        if values["qe"] == 0 and self.test in ("HK", "HK-floor"):
            said.append("The regression fits exactly: the Hartung-Knapp factor, which would be 0, is taken as 1.")
        if self.multimodal[index]:
            said.append("The likelihood of tau2 has more than one maximum; the highest was taken.")
        if not self.converged[index]:
            said.append("The search for tau2 did not converge: do not use this result.")
        return said


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _why_not(k: int, p: int, names: tuple[str, ...]) -> str:
    if k <= p:
        return (
            f"{k} {'study' if k == 1 else 'studies'} cannot carry {p} coefficients ({', '.join(names)}) and a variance "
            f"between studies; at least {p + 1} studies are needed. Use fewer moderators."
        )
    return f"A column of the design ({', '.join(names)}) is a combination of those before it; leave it out."
