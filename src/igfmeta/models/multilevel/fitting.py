"""Fits multilevel and multivariate models: any nested or crossed random effects, known sampling covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import InputError, NothingToPool, Problem, check_choice, check_level
from igfmeta.models.multilevel.checks import checked_covariance, checked_design, checked_terms
from igfmeta.models.multilevel.conditional import random_effects
from igfmeta.models.multilevel.heterogeneity import by_term
from igfmeta.models.multilevel.inference import (
    TESTS,
    Omnibus,
    coefficient_tests,
    containment_df,
    group_df,
    joint_df,
    omnibus,
    satterthwaite_df,
)
from igfmeta.models.multilevel.layout import arrange, exchangeable
from igfmeta.models.multilevel.likelihood import Evaluated, Likelihood
from igfmeta.models.multilevel.profile import profile_limits, wald_reach
from igfmeta.models.multilevel.results import Certificate, Component, MultilevelFit
from igfmeta.models.multilevel.search import ZERO, Maximum, maximize
from igfmeta.models.multilevel.structures import Natural
from igfmeta.models.multilevel.terms import Term
from igfmeta.numerics import Floats, chi2_upper

METHODS = ("REML", "ML")


@dataclass(frozen=True, eq=False)
class Scaled:
    """The problem in units of the typical sampling error, as residuals from a first fit, with orthonormal columns."""

    y: Floats
    v: Floats
    x: Floats
    r: Floats
    shift: Floats
    unit: float


def fit_multilevel(
    yi: Any,
    v: Any,
    terms: Sequence[Term],
    *,
    x: Any = None,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    method: str = "REML",
    test: str = "contain",
    level: float = 0.95,
    intervals: bool = True,
) -> MultilevelFit:
    """Fit y = X b + sum of Z u + e with known covariance V of e.

    Parameters
    ----------
    yi : array_like of shape (k,)
        Effects on the analysis scale.
    v : array_like of shape (k,) or (k, k)
        Their sampling variances, or the covariance matrix of their sampling errors.
    terms : sequence of Term
        Random effects; see `igfmeta.models.multilevel.terms.parse`.
    x : array_like of shape (k, p), optional
        Design of the fixed effects; default an intercept.
    names, labels : sequence of str, optional
        Of the columns of x, and of the rows, for tables and messages.
    method : {"REML", "ML"}
    test : {"z", "t", "contain", "groups", "satterthwaite"}
        Normal, or t with k - p, containment, group or Satterthwaite degrees of freedom; see
        `igfmeta.models.multilevel.inference`.
    level : float
        Of every interval.
    intervals : bool
        Whether to profile the likelihood for intervals of variances and correlations.

    Returns
    -------
    MultilevelFit

    Raises
    ------
    InputError
        A covariance that is not positive definite (the rows named), a design with dependent columns, more parameters
        than the data can carry, options that are not accepted.
    NothingToPool
        There is no row.

    References
    ----------
    Konstantopoulos 2011, Res Synth Methods 2:61 (three levels); van Houwelingen, Arends & Stijnen 2002, Stat Med
    21:589 (bivariate); Harville 1977, JASA 72:320 (restricted likelihood and its slope).

    Examples
    --------
    >>> from igfmeta.models.multilevel.terms import parse
    >>> y = [0.1, 0.2, 0.9, 1.1, 0.4, 0.6]
    >>> terms = parse("~ 1 | study", {"study": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = fit_multilevel(y, [0.02] * 6, terms)
    >>> fit.coef.round(2), fit.components[0].estimate.__round__(4), fit.df.tolist()
    (array([0.55]), 0.1725, [2.0])
    """
    method, test = check_choice("method", method, METHODS), check_choice("test", test, list(TESTS))
    level = check_level(level)
    y = _effects(yi)
    k = len(y)
    named = [f"row {i + 1}" for i in range(k)] if labels is None else [str(label) for label in labels]
    covariance = checked_covariance(np.asarray(v, dtype=float), named)
    design, columns = checked_design(x, k, names)
    checked_terms(terms, k, design.shape[1])
    scaled = scaled_problem(y, covariance, design)
    worked = [exchangeable(term) for term in terms]
    structures = [term.structure for term in worked]
    likelihood = Likelihood(
        arrange(scaled.v, worked), scaled.x, scaled.y, structures, restricted=method == "REML"
    )  # fmt: skip
    spread = max(float(np.sqrt(np.mean(scaled.y**2))), 0.1)
    maximum = maximize(likelihood, structures, spread)
    found = likelihood.evaluate(maximum.theta)
    back = np.linalg.inv(scaled.r)
    coef = scaled.shift + scaled.unit * back @ found.coef
    vcov = scaled.unit**2 * back @ found.vcov @ back.T
    df = _df(test, design, terms, likelihood, found, maximum, back)
    se = np.sqrt(np.diag(vcov))
    statistic, p_value, ci_lower, ci_upper = coefficient_tests(coef, se, df, level)
    components, boundary = _components(worked, terms, likelihood, maximum, scaled.unit, level if intervals else None)
    g = likelihood.matrices(maximum.theta)
    fixed = likelihood.evaluate(np.zeros(likelihood.n_parameters))
    heterogeneity, i2 = by_term(likelihood, fixed, g, terms)
    free = k - design.shape[1] if method == "REML" else k
    n_parameters = design.shape[1] + likelihood.n_parameters
    qe_df = k - design.shape[1]
    return MultilevelFit(
        k=k,
        p=design.shape[1],
        method=method,
        test=test,
        level=level,
        names=columns,
        coef=coef,
        se=se,
        statistic=statistic,
        df=df,
        p_value=p_value,
        ci_lower=ci_lower,
        ci_upper=ci_upper,
        vcov=vcov,
        components=components,
        matrices=tuple(_spread_out(m, term) * scaled.unit**2 for m, term in zip(g, terms, strict=True)),
        heterogeneity=heterogeneity,
        i2=i2,
        log_likelihood=maximum.log_likelihood - free * float(np.log(scaled.unit)),
        n_parameters=n_parameters,
        qe=fixed.rss,
        qe_df=qe_df,
        qe_p_value=float(chi2_upper(fixed.rss, qe_df)) if qe_df else 1.0,
        qm=_omnibus(coef, vcov, columns, test, df, likelihood, found, maximum, back),
        effects=random_effects(likelihood, found, g, terms, worked, unit=scaled.unit, level=level),
        certificate=Certificate(
            maximum.gradient, maximum.condition, maximum.starts, maximum.converged, maximum.multimodal, boundary
        ),
        x=design,
        y=y,
        v=covariance,
        terms=tuple(terms),
        remarks=_remarks(maximum, components, test),
    )


def _effects(yi: Any) -> Floats:
    y = np.asarray(yi, dtype=float)
    if y.ndim != 1:
        raise InputError(f"yi has the shape {y.shape}; accepted is one effect per row.")
    if not len(y):
        raise NothingToPool("There is no row to pool.")
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise InputError([Problem(f"yi was {y[i]}; accepted is a finite number.", row=int(i) + 1) for i in bad])
    return y


def scaled_problem(y: Floats, v: Floats, x: Floats) -> Scaled:
    """Return the problem in units in which the median sampling variance is 1; X b = Q (R b), y = X shift + unit r."""
    variances = np.diag(v) if v.ndim == 2 else v
    unit = float(np.sqrt(np.median(variances)))
    q, r = np.linalg.qr(x)
    w = 1 / np.sqrt(variances)
    shift = np.linalg.lstsq(q * w[:, None], y * w, rcond=None)[0]
    # A second pass takes off what rounding left of large common values.
    left = y - q @ shift
    more = np.linalg.lstsq(q * w[:, None], left * w, rcond=None)[0]
    return Scaled((left - q @ more) / unit, v / unit**2, q, r, np.linalg.solve(r, shift + more), unit)


def _df(
    test: str, x: Floats, terms: Sequence[Term], likelihood: Likelihood, found: Evaluated, maximum: Maximum,
    back: Floats,
) -> Floats:  # fmt: skip
    k, p = x.shape
    if test == "z":
        return np.full(p, np.inf)
    if test == "t":
        return np.full(p, max(1.0, float(k - p)))
    if test == "satterthwaite":
        return satterthwaite_df(likelihood, found, maximum, back)
    return containment_df(x, terms) if test == "contain" else group_df(x, terms)


def _omnibus(
    coef: Floats, vcov: Floats, names: Sequence[str], test: str, df: Floats, likelihood: Likelihood,
    found: Evaluated, maximum: Maximum, back: Floats,
) -> Omnibus | None:  # fmt: skip
    """Return the test of the coefficients but the intercept; with Satterthwaite's df of the independent contrasts."""
    at = [i for i, name in enumerate(names) if name not in ("Intercept", "(Intercept)")] or list(range(len(names)))
    part = vcov[np.ix_(at, at)]
    if test == "z":
        return omnibus(coef[at], part, None)
    if test == "satterthwaite":
        vectors = np.linalg.eigh(part)[1]
        return omnibus(coef[at], part, joint_df(satterthwaite_df(likelihood, found, maximum, vectors.T @ back[at])))
    return omnibus(coef[at], part, float(df[at].min()))


def _spread_out(g: Floats, term: Term) -> Floats:
    """Return G over all inner levels where the fit numbered them within groups."""
    size = term.structure.size
    if len(g) == size:
        return g
    return np.asarray(np.where(np.eye(size, dtype=bool), g[0, 0], g[0, 1]))


def _components(
    worked: Sequence[Term], terms: Sequence[Term], likelihood: Likelihood, maximum: Maximum, unit: float,
    level: float | None,
) -> tuple[tuple[Component, ...], bool]:  # fmt: skip
    out, boundary = [], False
    for n, (term, original) in enumerate(zip(worked, terms, strict=True)):
        at = likelihood.slices[n]
        own = maximum.theta[at]
        for natural in term.structure.naturals():
            variance = natural.name == "variance"
            scale = unit**2 if variance else 1.0
            value = term.structure.value(natural, own)
            low, high = (0.0, np.inf) if variance else term.structure.limits
            boundary |= value <= ZERO**2 if variance else bool(min(value - low, high - value) < 1e-8)
            limits: tuple[float, float] = (np.nan, np.nan)
            if level is not None:
                structure, moved = term.structure.in_order(own, natural.order)
                others = [structure if m == n else s for m, s in enumerate(likelihood.structures)]
                theta = maximum.theta.copy()
                theta[at] = moved
                ends = profile_limits(
                    likelihood.with_structures(others), maximum.log_likelihood, theta, at.start + natural.index,
                    level=level, reach=wald_reach(maximum.hessian, at.start + natural.index, level),
                    ends=(0.0, np.inf if variance else np.pi),
                )  # fmt: skip
                limits = ends if variance else (ends[1], ends[0])
                limits = tuple(  # type: ignore[assignment]
                    end if np.isnan(end) else structure.at(natural, end) * scale for end in limits
                )
            undetermined = not variance and _varies_not(term, natural, own)
            if undetermined:
                limits = (np.nan, np.nan)
            out.append(
                Component(
                    term=original.label,
                    kind=natural.name,
                    of=tuple(original.inner_levels[i] for i in natural.levels),
                    estimate=None if undetermined else value * scale,
                    ci_lower=None if np.isnan(limits[0]) else float(limits[0]),
                    ci_upper=None if np.isnan(limits[1]) else float(limits[1]),
                    groups=_groups(original, natural.levels),
                )
            )
    return tuple(out), boundary


def _groups(term: Term, levels: tuple[int, ...]) -> int:
    """Return how many groups have these inner levels; all groups for a parameter of all levels."""
    if term.inner is None:
        return len(np.unique(term.group))
    having = [set(term.group[term.inner == level].tolist()) for level in levels]
    return len(set(term.group.tolist()).intersection(*having))


def _varies_not(term: Term, natural: Natural, theta: Floats) -> bool:
    """Return whether a correlation is with effects whose variance is 0."""
    sd = theta[: term.structure.n_sd]
    return bool((sd[list(natural.levels)] if len(sd) > 1 and natural.levels else sd).min() <= ZERO)


def _remarks(maximum: Maximum, components: Sequence[Component], test: str) -> tuple[str, ...]:
    remarks = []
    if not maximum.converged:
        remarks.append("The search for the variances did not converge: do not use this result.")
    if maximum.flat:
        remarks.append(
            "The data leave a combination of the variances and correlations undetermined (flat likelihood): choose a "
            "simpler structure."
        )
    if maximum.multimodal:
        remarks.append("The likelihood has more than one maximum; the highest was taken.")
    zero = [f"{c.label} of {c.term}" for c in components if c.kind == "variance" and c.estimate == 0]
    if zero:
        remarks.append(f"Estimated at 0, the boundary: {', '.join(zero)}.")
    correlations = [c for c in components if c.kind == "correlation"]
    edge = [f"{c.label} of {c.term}" for c in correlations if c.estimate is not None and abs(c.estimate) > 1 - 1e-8]
    if edge:
        remarks.append(f"Estimated at its limit: {', '.join(edge)}; the value itself says little.")
    if any(c.estimate is None for c in correlations):
        remarks.append("A correlation with effects whose variance is 0 is undetermined.")
    if zero and test == "satterthwaite":
        remarks.append("Satterthwaite's degrees of freedom take a variance estimated at 0 as known to be 0.")
    return tuple(remarks)
