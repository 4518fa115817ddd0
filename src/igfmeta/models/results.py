"""What a fit holds: arrays over a batch, or one analysis as plain numbers with the sentences that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from igfmeta.errors import NothingToPool
from igfmeta.numerics import Floats, Mask, t_quantile


@dataclass(frozen=True, eq=False)
class Pooled:
    """One pooled analysis, on the analysis scale. None stands for what cannot be estimated; `remarks` says why.

    Attributes
    ----------
    k : int
        Number of studies.
    estimate, se, statistic, df, p_value, ci_lower, ci_upper : float or None
        Pooled effect; `df` is None for a normal test.
    tau2, se_tau2, tau2_ci_lower, tau2_ci_upper : float or None
        Between-study variance.
    i2, i2_ci_lower, i2_ci_upper, h2, h2_ci_lower, h2_ci_upper : float or None
        From tau2 (for the common-effect model, from Q); I2 in percent.
    i2_q, i2_q_ci_lower, i2_q_ci_upper : float or None
        I2 from Cochran's Q, in percent.
    q, q_df, q_p_value : float, int, float
        Cochran's Q.
    pi_lower, pi_upper, pi_df : float or None
        Prediction interval.
    weights : ndarray of shape (k,)
        In percent.
    converged, multimodal, boundary : bool
        Of the estimate of tau2: whether the search ended, whether the likelihood has several maxima (the highest was
        taken), whether the estimate is 0.
    method, ci, pi, tau2_ci : str
        Names of the methods.
    level : float
    remarks : tuple of str
    """

    k: int
    estimate: float
    se: float
    statistic: float | None
    df: float | None
    p_value: float | None
    ci_lower: float
    ci_upper: float
    tau2: float | None
    se_tau2: float | None
    tau2_ci_lower: float | None
    tau2_ci_upper: float | None
    i2: float | None
    i2_ci_lower: float | None
    i2_ci_upper: float | None
    i2_q: float | None
    i2_q_ci_lower: float | None
    i2_q_ci_upper: float | None
    h2: float | None
    h2_ci_lower: float | None
    h2_ci_upper: float | None
    q: float
    q_df: int
    q_p_value: float
    pi_lower: float | None
    pi_upper: float | None
    pi_df: float | None
    weights: Floats
    converged: bool
    multimodal: bool
    boundary: bool
    method: str
    ci: str
    pi: str
    tau2_ci: str
    level: float
    remarks: tuple[str, ...]

    @classmethod
    def of_likelihood(cls, *, weights: Floats, remarks: tuple[str, ...] = (), **known: Any) -> Pooled:
        """Return an analysis that is not by inverse variance: what is not given is None, a name is "none"."""
        blank = {f.name: None for f in fields(cls)}
        names = {"pi": "none", "tau2_ci": "none"}
        flags = {"converged": True, "multimodal": False, "boundary": known.get("tau2") == 0}
        return cls(**{**blank, **names, **flags, **known, "weights": weights, "remarks": remarks})

    @classmethod
    def missing(cls, reason: str, *, k: int, method: str, ci: str, level: float) -> Pooled:
        """Return an analysis of k studies that has no answer: every number None, and the reason its one remark."""
        return cls.of_likelihood(k=k, method=method, ci=ci, level=level, weights=np.full(k, np.nan), remarks=(reason,))

    def required(self) -> Pooled:
        """Return this analysis.

        Raises
        ------
        NothingToPool
            It has no estimate.
        """
        if self.estimate is None:
            raise NothingToPool(self.remarks[0])
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists; None for an estimate or a limit that is infinite."""
        values = {field.name: _finite(getattr(self, field.name)) for field in fields(self)}
        weights = [_finite(weight) for weight in self.weights.tolist()]
        return {**values, "weights": weights, "remarks": list(self.remarks)}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


#: Fields that a single study leaves undefined.
_NEEDS_TWO = (
    "tau2", "se_tau2", "tau2_ci_lower", "tau2_ci_upper", "i2", "i2_ci_lower", "i2_ci_upper", "i2_q", "h2",
    "h2_ci_lower", "h2_ci_upper",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PooledBatch:
    """A batch of pooled analyses: the fields of `Pooled` as arrays of shape (batch,); NaN where not estimable.

    `weights` has shape (batch, k), in percent, 0 for left-out studies. The scale is that of the effects given.
    """

    k: Floats
    estimate: Floats
    se: Floats
    statistic: Floats
    df: Floats
    p_value: Floats
    ci_lower: Floats
    ci_upper: Floats
    tau2: Floats
    se_tau2: Floats
    tau2_ci_lower: Floats
    tau2_ci_upper: Floats
    i2: Floats
    i2_ci_lower: Floats
    i2_ci_upper: Floats
    i2_q: Floats
    i2_q_ci_lower: Floats
    i2_q_ci_upper: Floats
    h2: Floats
    h2_ci_lower: Floats
    h2_ci_upper: Floats
    q: Floats
    q_df: Floats
    q_p_value: Floats
    pi_lower: Floats
    pi_upper: Floats
    pi_df: Floats
    weights: Floats
    mask: Mask
    converged: Mask
    multimodal: Mask
    boundary: Mask
    method: str
    ci: str
    pi: str
    tau2_ci: str
    level: float

    def __len__(self) -> int:
        return len(self.estimate)

    @classmethod
    def stacked(cls, fits: Sequence[Pooled], mask: Mask) -> PooledBatch:
        """Return analyses as a batch; `mask`, of shape (batch, k), says which studies each has. Names are the first's.

        Sentences are not kept: `one` writes those of normal effects.
        """
        first = fits[0]
        values: dict[str, Any] = {"mask": mask, "weights": np.zeros(mask.shape), "level": first.level}
        for row, own, fit in zip(values["weights"], mask, fits, strict=True):
            row[own] = fit.weights
        for name in [f.name for f in fields(cls) if f.name not in values]:
            of_first = getattr(first, name)
            found = [getattr(fit, name) for fit in fits]
            values[name] = of_first if isinstance(of_first, str) else np.array([_number(value) for value in found])
        return cls(**values)

    def rows(self, index: Any) -> PooledBatch:
        """Return the analyses of `index` (a mask, a slice or positions)."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return PooledBatch(**{name: v[index] if isinstance(v, np.ndarray) else v for name, v in values.items()})

    @property
    def narrower(self) -> Mask:
        """Whether tau2 is 0 and the Hartung-Knapp interval narrower than the normal one: t sqrt(Q / (k - 1)) < z."""
        several = self.k > 1
        if self.ci != "HK":
            return np.zeros_like(several)
        df = np.where(several, self.k - 1, 1)
        t, z = t_quantile(0.5 + self.level / 2, df), t_quantile(0.5 + self.level / 2, np.inf)
        return np.asarray(several & (self.tau2 == 0) & (self.q > 0) & (t * np.sqrt(self.q / df) < z))

    def one(self, index: int = 0) -> Pooled:
        """Return one analysis of the batch as plain numbers.

        Raises
        ------
        NothingToPool
            The data set has no study.
        """
        k = int(self.k[index])
        if k == 0:
            raise NothingToPool("There is no study to pool.")
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and value.ndim == 1:
                values[field.name] = _plain(value[index])
        if k == 1:
            values.update(dict.fromkeys(_NEEDS_TWO))
        values.pop("mask", None)
        return Pooled(
            **{**values, "k": k, "q_df": k - 1},
            weights=self.weights[index][self.mask[index]],
            method=self.method,
            ci=self.ci,
            pi=self.pi,
            tau2_ci=self.tau2_ci,
            level=self.level,
            remarks=tuple(_remarks(k, values, self.ci, self.pi, narrower=bool(self.rows([index]).narrower[0]))),
        )


def _number(value: Any) -> Any:
    return np.nan if value is None else value


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as a Python one; None for what is not finite."""
    if isinstance(value, np.bool_):
        return bool(value)
    return float(value) if np.isfinite(value) else None


def _remarks(k: int, values: dict[str, Any], ci: str, pi: str, *, narrower: bool) -> list[str]:
    remarks = []
    if k == 1:
        remarks.append("One study: its own normal interval is shown; heterogeneity and prediction cannot be estimated.")
    elif values["pi_lower"] is None:
        remarks.append(f"The prediction interval {pi} has no degree of freedom left with {k} studies.")
    if k > 1 and ci == "HK" and values["q"] == 0:
        remarks.append("The effects are identical: the Hartung-Knapp factor q, which would be 0, is taken as 1.")
    if narrower:
        remarks.append(
            "The effects are so alike that the Hartung-Knapp interval is narrower than the normal one; HK-floor is not."
        )
    if values["multimodal"]:
        remarks.append("The likelihood of tau2 has more than one maximum; the highest was taken.")
    if not values["converged"]:
        remarks.append("The search for tau2 did not converge: do not use this result.")
    if k > 1 and values["tau2_ci_upper"] == 0:
        remarks.append("The effects differ less than chance alone would make them: both limits of tau2 are 0.")
    return remarks
