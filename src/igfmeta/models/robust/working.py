"""Working models of the covariance within studies, each with its variances estimated.

The weights are the inverse of the working covariance. Where it is wrong the estimates stay right and the robust
standard errors too; where it is near the truth they are efficient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.errors import InputError
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.regression import tau2 as residual
from igfmeta.models.regression.data import prepare
from igfmeta.models.robust.clusters import Rows
from igfmeta.numerics import Floats

Working = Literal["CHE", "CORR", "HIER", "RE", "EQUAL"]

#: Name, words and paper of each working model.
WORKING = {
    "CHE": ("correlated and hierarchical effects, REML", "Pustejovsky & Tipton 2022, Prev Sci 23:425"),
    "CORR": (
        "correlated effects, equal weights within a study, moments",
        "Hedges, Tipton & Johnson 2010, Res Synth Methods 1:39",
    ),
    "HIER": ("hierarchical effects, moments", "Hedges, Tipton & Johnson 2010, Res Synth Methods 1:39"),
    "RE": ("independent rows with one tau2, REML", "Sidik & Jonkman 2006; Viechtbauer 2010"),
    "EQUAL": ("every row the same weight, tau2 by moments", "Hedges 1983, Psychol Bull 93:388"),
}
WORKING_NAMES = tuple(WORKING)

#: The models that take an assumed correlation of sampling errors.
WITH_RHO = ("CHE", "CORR")

#: Makes the covariance of the sampling errors of all rows, shape (k, k), from the assumed correlation.
Sampling = Callable[[float], Floats]


@dataclass(frozen=True, eq=False)
class Covariances:
    """The working covariance of each cluster.

    Attributes
    ----------
    phi : tuple of ndarray of shape (m, m)
    tau2, omega2 : float or None
        Variance between studies, and between the effects of one study; None where the model has none.
    converged : bool
    """

    phi: tuple[Floats, ...]
    tau2: float | None
    omega2: float | None
    converged: bool


@dataclass(frozen=True, eq=False)
class _Problem:
    y: Floats
    v: Floats
    x: Floats
    rows: Sequence[Rows]
    rho: float | None
    sampling: Sampling | None

    @property
    def number(self) -> Rows:
        """Return the cluster of each row."""
        out = np.empty(len(self.y), dtype=np.intp)
        for j, at in enumerate(self.rows):
            out[at] = j
        return out

    @property
    def indicator(self) -> Floats:
        """Return Z, shape (k, J): 1 where a row is of a cluster, so that ZZ' = J has ones within clusters."""
        return np.asarray(np.eye(len(self.rows))[self.number])


def _diagonal(problem: _Problem, variances: Floats) -> tuple[Floats, ...]:
    return tuple(np.diag(variances[at]) for at in problem.rows)


def _first_fit(problem: _Problem, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Return q, the residuals and P = W - WXMX'W as sqrt(W) (I - qq') sqrt(W), for diagonal weights."""
    root = np.sqrt(w)
    q = np.linalg.qr(root[:, None] * problem.x / np.abs(problem.x).max(axis=0))[0]
    z = root * problem.y
    z = z - q @ (q.T @ z)
    z = z - q @ (q.T @ z)
    return q, z / root, z * root


def _correlated(problem: _Problem) -> Covariances:
    """Weights 1/(m_j (mean v_j + tau2)); tau2 from Q at tau2 = 0 (Hedges, Tipton & Johnson 2010).

    E y'Py = tr(P V) + tau2 tr(P ZZ'), where V has the variance mean v_j and the correlation rho within study j.
    """
    size = np.array([len(at) for at in problem.rows])[problem.number]
    mean = (problem.indicator.T @ problem.v / problem.indicator.sum(axis=0))[problem.number]
    w = 1 / (size * mean)
    q, e, _ = _first_fit(problem, w)
    own = w * (1 - np.sum(q**2, axis=1))
    together = _within(problem, w, q)
    rho = problem.rho or 0.0
    firsts = np.array([at[0] for at in problem.rows])
    sampling = (1 - rho) * float(own @ mean) + rho * float(together @ mean[firsts])
    tau2 = max(0.0, float((e @ (w * e) - sampling) / together.sum()))
    return Covariances(_diagonal(problem, size * (mean + tau2)), tau2, None, True)


def _within(problem: _Problem, w: Floats, q: Floats) -> Floats:
    """Return the sums of P over the rows and columns of each cluster, the diagonal of Z'PZ."""
    root = np.sqrt(w)
    across = (root[:, None] * q).T @ problem.indicator
    return np.asarray(problem.indicator.T @ w - np.sum(across**2, axis=0))


def _hierarchical(problem: _Problem) -> Covariances:
    """Weights 1/(v + tau2 + omega2); both from e'We and e'ZZ'e at the weights 1/v (Hedges, Tipton & Johnson 2010).

    With R = I - H, e = Ry: E e'Ae = tr(R'AR S), S = V + tau2 ZZ' + omega2 I, and R'WR = P.
    """
    w, z = 1 / problem.v, problem.indicator
    q, e, _ = _first_fit(problem, w)
    root = np.sqrt(w)
    zr = z.T - (z / root[:, None]).T @ q @ (root[:, None] * q).T  # Z'R
    p_own = w * (1 - np.sum(q**2, axis=1))
    left = np.array([
        [float(np.sum((zr @ z) ** 2)), float(np.sum(zr**2))],
        [float(_within(problem, w, q).sum()), float(p_own.sum())],
    ])  # fmt: skip
    right = np.array([
        float(np.sum((z.T @ e) ** 2) - np.sum(zr**2 * problem.v)),
        float(e @ (w * e) - p_own @ problem.v),
    ])  # fmt: skip
    if abs(np.linalg.det(left)) > 1e-12 * abs(np.prod(np.diag(left))):
        omega2 = max(0.0, float(np.linalg.solve(left, right)[1]))
    else:
        omega2 = 0.0  # one effect in every study: the two variances are one
    tau2 = max(0.0, float((right[1] - omega2 * left[1, 1]) / left[1, 0]))
    return Covariances(_diagonal(problem, problem.v + tau2 + omega2), tau2, omega2, True)


def _independent(problem: _Problem) -> Covariances:
    data = prepare(problem.y, problem.v, problem.x)
    found = residual.estimate(data, "REML")
    tau2 = float(found.tau2[0] * data.scale[0])
    return Covariances(_diagonal(problem, problem.v + tau2), tau2, None, bool(found.converged[0]))


def _equal(problem: _Problem) -> Covariances:
    """Weights that are all the same: E y'Py = tr(P V) + tau2 (k - p) with P = I - H (Hedges 1983)."""
    k, p = problem.x.shape
    q, e, _ = _first_fit(problem, np.ones(k))
    sampling = float((1 - np.sum(q**2, axis=1)) @ problem.v)
    tau2 = max(0.0, float(e @ e - sampling) / (k - p))
    return Covariances(_diagonal(problem, np.full(k, problem.v.mean() + tau2)), tau2, None, True)


def _correlated_hierarchical(problem: _Problem) -> Covariances:
    """Correlation rho within studies, a variance between studies and one within (Pustejovsky & Tipton 2022)."""
    labels = [f"{j}" for j in problem.number.tolist()]
    v = _sampling(problem, labels)
    several = len(problem.rows) < len(problem.y)
    columns = {"study": labels, "effect": [f"{i}" for i in range(len(labels))]}
    terms = parse("~ 1 | study/effect" if several else "~ 1 | study", columns)
    fit = fit_multilevel(problem.y, v, terms, x=problem.x, intervals=False, test="z")
    whole = fit.covariance()
    variances = [float(matrix[0, 0]) for matrix in fit.matrices]
    omega2 = variances[1] if several else None
    phi = tuple(whole[np.ix_(at, at)] for at in problem.rows)
    return Covariances(phi, variances[0], omega2, fit.certificate.converged)


def _sampling(problem: _Problem, labels: Sequence[str]) -> Floats:
    """Return the covariance of sampling errors: rho between all rows of a cluster unless it is known better."""
    rho = problem.rho or 0.0
    if problem.sampling is None:
        return assumed_covariance(problem.v, labels, rho=rho)
    v = np.asarray(problem.sampling(rho), dtype=float)
    number = problem.number
    if v.shape != (len(number), len(number)) or np.any(v[number[:, None] != number]):
        raise InputError(
            f"sampling gave a matrix of shape {v.shape}; accepted is ({len(number)}, {len(number)}), with 0 between "
            "rows of different clusters."
        )
    if np.any(np.abs(np.diag(v) - problem.v) > 1e-12 * problem.v):
        raise InputError("sampling gave a matrix whose diagonal is not vi.")
    return v


_MODELS: dict[str, Callable[[_Problem], Covariances]] = {
    "CHE": _correlated_hierarchical,
    "CORR": _correlated,
    "HIER": _hierarchical,
    "RE": _independent,
    "EQUAL": _equal,
}


def working_covariance(
    y: Floats,
    v: Floats,
    x: Floats,
    rows: Sequence[Rows],
    *,
    working: str,
    rho: float | None,
    sampling: Sampling | None = None,
) -> Covariances:
    """Return the working covariance of each cluster by one of `WORKING`, its variances estimated."""
    return _MODELS[working](_Problem(y, v, x, rows, rho, sampling))
