"""What a multilevel fit holds: everything that a table, a figure or a robust variance needs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from igfmeta.errors import InputError
from igfmeta.models.multilevel.inference import Omnibus
from igfmeta.models.multilevel.terms import Term
from igfmeta.numerics import Floats, chi2_upper, t_quantile


@dataclass(frozen=True)
class Component:
    """A variance or a correlation of random effects.

    Attributes
    ----------
    term : str
        Such as `district/school` or `outcome | study`.
    kind : {"variance", "correlation"}
    of : tuple of str
        Inner levels that it is of; empty where it is of all.
    estimate : float or None
        None for a correlation that is undetermined, because a variance is 0.
    ci_lower, ci_upper : float or None
        Profile-likelihood limits; None where not asked for, or where the likelihood never falls far enough.
    groups : int
        Levels of the grouping factor that have the inner levels.
    """

    term: str
    kind: str
    of: tuple[str, ...]
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    groups: int

    @property
    def label(self) -> str:
        """The component in words, such as `tau2 (os)`."""
        symbol = "rho" if self.kind == "correlation" else ("sigma2" if "|" not in self.term else "tau2")
        return f"{symbol} ({', '.join(self.of)})" if self.of else symbol


@dataclass(frozen=True)
class Heterogeneity:
    """The share of the total variance that a term, or an inner level of it, makes up, in percent."""

    term: str
    level: str
    i2: float


@dataclass(frozen=True, eq=False)
class RandomEffects:
    """Conditional means of the effects of a term (BLUPs), with the standard errors of their prediction.

    Attributes
    ----------
    term : str
    group, inner : tuple of str
        Inner is blank for an intercept.
    estimate, se, pi_lower, pi_upper : ndarray
        se is the root of the variance of prediction, which counts the estimation of the fixed effects.
    """

    term: str
    group: tuple[str, ...]
    inner: tuple[str, ...]
    estimate: Floats
    se: Floats
    pi_lower: Floats
    pi_upper: Floats

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per effect."""
        numbers = [x.tolist() for x in (self.estimate, self.se, self.pi_lower, self.pi_upper)]
        names = ("group", "inner", "estimate", "se", "pi_lower", "pi_upper")
        return [dict(zip(names, row, strict=True)) for row in zip(self.group, self.inner, *numbers, strict=True)]


@dataclass(frozen=True)
class Certificate:
    """What shows that the maximum is one.

    Attributes
    ----------
    gradient : float
        Largest slope of the log-likelihood in the free parameters, in units of the typical sampling error.
    condition : float
        Of the Hessian; infinite where the data leave something undetermined.
    starts : int
    converged, multimodal, boundary : bool
        Boundary where a variance is 0 or a correlation at its limit.
    """

    gradient: float
    condition: float
    starts: int
    converged: bool
    multimodal: bool
    boundary: bool


@dataclass(frozen=True, eq=False)
class Prediction:
    """Means at rows of a design, with intervals of the mean and of a new true effect."""

    estimate: Floats
    se: Floats
    ci_lower: Floats
    ci_upper: Floats
    pi_lower: Floats
    pi_upper: Floats

    def rows(self) -> list[dict[str, float]]:
        """Return one dictionary per row."""
        names = [f.name for f in fields(self)]
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class MultilevelFit:
    """A fitted multilevel or multivariate model, on the analysis scale.

    Attributes
    ----------
    k, p : int
        Rows, fixed coefficients.
    method, test : str
    level : float
    names : tuple of str
        Of the coefficients.
    coef, se, statistic, df, p_value, ci_lower, ci_upper : ndarray of shape (p,)
        `df` is infinite for a normal test.
    vcov : ndarray of shape (p, p)
    components : tuple of Component
    matrices : tuple of ndarray
        Covariance matrix of the random effects of each term.
    heterogeneity : tuple of Heterogeneity
    i2 : float
        All terms together, in percent; NaN where variances differ between inner levels.
    log_likelihood : float
        Restricted for REML, with the constant log|X'X|/2, as metafor and SAS have it.
    n_parameters : int
        Fixed coefficients and free variance parameters.
    qe, qe_df, qe_p_value : float, int, float
        Residual heterogeneity: the generalized sum of squares under V alone.
    qm : Omnibus or None
        Test of the coefficients but the intercept; of all where there is no intercept.
    effects : tuple of RandomEffects
    certificate : Certificate
    x : ndarray of shape (k, p)
    y, v : ndarray
        As given.
    terms : tuple of Term
    remarks : tuple of str
    """

    k: int
    p: int
    method: str
    test: str
    level: float
    names: tuple[str, ...]
    coef: Floats
    se: Floats
    statistic: Floats
    df: Floats
    p_value: Floats
    ci_lower: Floats
    ci_upper: Floats
    vcov: Floats
    components: tuple[Component, ...]
    matrices: tuple[Floats, ...]
    heterogeneity: tuple[Heterogeneity, ...]
    i2: float
    log_likelihood: float
    n_parameters: int
    qe: float
    qe_df: int
    qe_p_value: float
    qm: Omnibus | None
    effects: tuple[RandomEffects, ...]
    certificate: Certificate
    x: Floats
    y: Floats
    v: Floats
    terms: tuple[Term, ...]
    remarks: tuple[str, ...]

    @property
    def aic(self) -> float:
        """Akaike's criterion; of the restricted likelihood for REML."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion; n is k for ML and k - p for REML."""
        n = self.k - self.p if self.method == "REML" else self.k
        return float(np.log(n)) * self.n_parameters - 2 * self.log_likelihood

    def covariance(self) -> Floats:
        """Return M = V + sum of Z (I x G) Z', the model's covariance of y; shape (k, k)."""
        m = self.v.copy() if self.v.ndim == 2 else np.diag(self.v)
        for term, g in zip(self.terms, self.matrices, strict=True):
            inner = np.zeros(self.k, dtype=np.intp) if term.inner is None else term.inner
            m += (term.group[:, None] == term.group) * g[inner[:, None], inner]
        return m

    def predict(self, x: Any, *, inner: dict[str, str] | None = None) -> Prediction:
        """Return means at rows of a design, with intervals of the mean and of a new true effect.

        The interval of a new effect has the variance x'Cx plus the variances of all terms (Riley, Higgins & Deeks 2011,
        BMJ 342:d549, extended to several terms).

        Parameters
        ----------
        x : array_like of shape (n, p)
        inner : dict, optional
            By term label, the inner level that is meant; needed where its variances differ.
        """
        x = np.atleast_2d(np.asarray(x, dtype=float))
        if x.shape[1] != self.p:
            raise InputError(f"x has {x.shape[1]} columns; accepted are {self.p}: {', '.join(self.names)}.")
        between = sum(self._variance(n, inner or {}) for n in range(len(self.terms)))
        mean, variance = x @ self.coef, np.einsum("ij,jk,ik->i", x, self.vcov, x)
        half = float(t_quantile(0.5 + self.level / 2, float(self.df.min())))
        se, se_new = np.sqrt(variance), np.sqrt(variance + between)
        return Prediction(
            mean, se, mean - half * se, mean + half * se, mean - half * se_new, mean + half * se_new
        )  # fmt: skip

    def _variance(self, n: int, inner: dict[str, str]) -> float:
        term, diagonal = self.terms[n], np.diag(self.matrices[n])
        if term.structure.n_sd == 1:
            return float(diagonal[0])
        chosen = inner.get(term.label)
        if chosen not in term.inner_levels:
            raise InputError(
                f"The variances of {term.label} differ; name the level that is meant: {', '.join(term.inner_levels)}."
            )
        return float(diagonal[term.inner_levels.index(chosen)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""
        per = ("coef", "se", "statistic", "df", "p_value", "ci_lower", "ci_upper")
        numbers = [[_plain(x) for x in getattr(self, name).tolist()] for name in per]
        return {
            "k": self.k,
            "method": self.method,
            "test": self.test,
            "level": self.level,
            "coefficients": [
                dict(zip(("name", *per), row, strict=True)) for row in zip(self.names, *numbers, strict=True)
            ],
            "vcov": self.vcov.tolist(),
            "components": [{**c.__dict__, "of": list(c.of), "label": c.label} for c in self.components],
            "matrices": [
                {"term": t.label, "levels": list(t.inner_levels), "covariance": g.tolist()}
                for t, g in zip(self.terms, self.matrices, strict=True)
            ],
            "heterogeneity": [dict(h.__dict__) for h in self.heterogeneity],
            "i2": _plain(self.i2),
            "log_likelihood": self.log_likelihood,
            "n_parameters": self.n_parameters,
            "aic": self.aic,
            "bic": self.bic,
            "qe": self.qe,
            "qe_df": self.qe_df,
            "qe_p_value": self.qe_p_value,
            "qm": None if self.qm is None else dict(self.qm.__dict__),
            "effects": [{"term": e.term, "effects": e.rows()} for e in self.effects],
            "certificate": {**self.certificate.__dict__, "condition": _plain(self.certificate.condition)},
            "remarks": list(self.remarks),
        }


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class LikelihoodRatio:
    """Two nested models compared.

    `p_value` is of chi-squared with `df` degrees of freedom; `p_value_boundary` of half chi-squared with df - 1 and
    half with df, right for one variance tested against 0 (Self & Liang 1987, JASA 82:605, case 5); None for others.
    """

    statistic: float
    df: int
    p_value: float
    p_value_boundary: float | None


def likelihood_ratio(full: MultilevelFit, reduced: MultilevelFit) -> LikelihoodRatio:
    """Compare a model with a simpler one that is nested in it.

    Raises
    ------
    InputError
        Different data or methods, REML with different fixed effects, or a reduced model that is not the smaller.
    """
    if full.method != reduced.method or full.k != reduced.k or not np.array_equal(full.y, reduced.y):
        raise InputError("The likelihood ratio compares two fits of the same rows by the same method.")
    same_x = full.x.shape == reduced.x.shape and bool(np.allclose(full.x, reduced.x))
    if full.method == "REML" and not same_x:
        raise InputError("Restricted likelihoods compare models with the same fixed effects; fit both by ML.")
    df = full.n_parameters - reduced.n_parameters
    if df < 1:
        raise InputError("The reduced model has as many parameters as the full one; give the smaller one second.")
    statistic = max(0.0, 2 * (full.log_likelihood - reduced.log_likelihood))
    extra = {c.term for c in full.components} - {c.term for c in reduced.components}
    variance = same_x and len(extra) == 1 and all(c.kind == "variance" for c in full.components if c.term in extra)
    boundary = None
    if variance and df == 1:
        boundary = 1.0 if statistic == 0 else 0.5 * float(chi2_upper(statistic, 1))
    return LikelihoodRatio(statistic, df, float(chi2_upper(statistic, df)), boundary)
