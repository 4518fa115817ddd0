"""Tests and intervals of fixed effects: normal, or t with residual, containment or Satterthwaite degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.models.multilevel.likelihood import Evaluated, Likelihood
from igfmeta.models.multilevel.search import Maximum
from igfmeta.models.multilevel.terms import Codes, Term
from igfmeta.numerics import Floats, chi2_upper, t_quantile, t_two_sided

TESTS = {
    "z": "normal",
    "t": "t with k - p degrees of freedom",
    "contain": "t with containment degrees of freedom",
    "groups": "t with the groups of a coefficient, less its columns",
    "satterthwaite": "t with Satterthwaite degrees of freedom",
}


@dataclass(frozen=True)
class Omnibus:
    """A test that several coefficients are all 0: chi-squared (df2 None) or F."""

    statistic: float
    df1: int
    df2: float | None
    p_value: float


def _constant_within(x: Floats, codes: Codes) -> bool:
    """Return whether a column has one value in each level of a factor."""
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    return bool((np.diff(x[order])[same] == 0).all())


def containment_df(x: Floats, terms: Sequence[Term]) -> Floats:
    """Return, for each column, the levels of the smallest factor within which it is constant, less p; at least 1.

    A factor is the grouping of a random term, or its cells of inner level by group (Schluchter & Elashoff 1990, J Stat
    Comput Simul 37:69; as in metafor's `dfs = "contain"`). Without a factor that contains it, a column has k - p.

    Examples
    --------
    >>> from igfmeta.models.multilevel.terms import parse
    >>> terms = parse("~ 1 | study", {"study": ["a", "a", "b", "b", "c", "c"]})
    >>> containment_df(np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1]]), terms).tolist()
    [1.0, 4.0]
    """
    k, p = x.shape
    factors = [term.group for term in terms]
    factors += [
        np.unique(np.stack([term.group, term.inner]), axis=1, return_inverse=True)[1].ravel()
        for term in terms
        if term.inner is not None
    ]
    df = []
    for column in x.T:
        levels = [len(np.unique(codes)) for codes in factors if _constant_within(column, codes)]
        df.append(max(1.0, float(min([k, *levels]) - p)))
    return np.array(df)


def group_df(x: Floats, terms: Sequence[Term]) -> Floats:
    """Return, for each column, the groups in which it is not 0, of the term with the fewest, less columns; at least 1.

    The columns are those that its rows tell apart. For the mean of one of several outcomes: its studies less 1, as if
    it were pooled alone, where containment counts the rows of all outcomes. Low for moderators that vary within groups.

    Examples
    --------
    >>> from igfmeta.models.multilevel.terms import parse
    >>> columns = {"study": ["a", "a", "b", "b", "c"], "outcome": ["os", "pfs", "os", "pfs", "os"]}
    >>> x = np.array([[name == "os", name == "pfs"] for name in columns["outcome"]], dtype=float)
    >>> terms = parse("~ outcome | study", columns, struct="UN")
    >>> group_df(x, terms).tolist(), containment_df(x, terms).tolist()
    ([2.0, 1.0], [3.0, 3.0])
    """
    df = []
    for column in x.T:
        rows = column != 0
        groups = min(len(np.unique(term.group[rows])) for term in terms)
        df.append(max(1.0, float(groups - np.linalg.matrix_rank(x[rows]))))
    return np.array(df)


def satterthwaite_df(likelihood: Likelihood, found: Evaluated, maximum: Maximum, contrasts: Floats) -> Floats:
    """Return the degrees of freedom of c'b for each row c: 2 (c'Cc)^2 / (g'Ag).

    g is the slope of c'Cc in the variance parameters, C = (X'M^-1 X)^-1, and A the inverse of the observed information
    (Giesbrecht & Burns 1985, Biometrics 41:477; Fai & Cornelius 1996, J Stat Comput Simul 54:363). Infinite where the
    variance does not depend on what was estimated.
    """
    at = np.flatnonzero(np.diag(maximum.hessian) > 0)
    values, vectors = np.linalg.eigh(maximum.hessian[np.ix_(at, at)])
    kept = values > 1e-10 * max(1e-300, float(values.max(initial=0.0)))
    half = vectors[:, kept] / np.sqrt(values[kept])
    out = []
    for contrast in contrasts:
        u = found.weighted[:, :-1] @ found.vcov @ contrast
        slopes = []
        for term in likelihood.layout.terms:
            size = term.structure.size
            cell = term.group * size + (0 if term.inner is None else term.inner)
            w = np.bincount(cell, u, (int(term.group.max()) + 1) * size).reshape(-1, size)
            slopes.append(w.T @ w)
        g = likelihood.chain(maximum.theta, slopes)[at]
        spread = float(np.sum((half.T @ g) ** 2))
        variance = float(contrast @ found.vcov @ contrast)
        out.append(2 * variance**2 / spread if spread > 0 else np.inf)
    return np.array(out)


def joint_df(df: Floats) -> float:
    """Return the denominator degrees of freedom of an F test from those of its independent contrasts.

    2E / (E - q) with E the sum of df / (df - 2) over those above 2 (Fai & Cornelius 1996, eq. 3).
    """
    if np.isinf(df).all():
        return float("inf")
    if np.allclose(df, df[0]):
        return float(df[0])
    large = df[df > 2]
    e = float(np.sum(np.where(np.isinf(large), 1.0, large / (large - 2))))
    return 2 * e / (e - len(df)) if e > len(df) else 1.0


def f_upper(statistic: float, df1: int, df2: float) -> float:
    """Return P(F with df1 and df2 degrees of freedom > statistic).

    Examples
    --------
    >>> round(f_upper(4.9646027437, 1, 10), 6)
    0.05
    """
    from scipy import special

    return float(special.fdtrc(df1, df2, statistic))


def omnibus(coef: Floats, vcov: Floats, df2: float | None) -> Omnibus:
    """Return the Wald test of all these coefficients; an F test with `df2` degrees of freedom where given."""
    q = len(coef)
    wald = float(coef @ np.linalg.solve(vcov, coef))
    if df2 is None or np.isinf(df2):
        return Omnibus(wald, q, None, float(chi2_upper(wald, q)))
    return Omnibus(wald / q, q, df2, f_upper(wald / q, q, df2))


def coefficient_tests(coef: Floats, se: Floats, df: Floats, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return statistic, p-value and limits of each coefficient."""
    statistic = coef / se
    half = t_quantile(0.5 + level / 2, df) * se
    return statistic, np.asarray(t_two_sided(statistic, df)), coef - half, coef + half
