"""Dose-response meta-analysis in two stages: a curve in each study, then their coefficients pooled.

First stage: generalized least squares without an intercept on the contrasts with the reference (Greenland & Longnecker
1992; Orsini, Bellocco & Greenland 2006, Stata J 6:40). Second stage: multivariate random effects (Gasparrini, Armstrong
& Kenward 2012, Stat Med 31:3821).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from igfmeta.effects.dose_bases import Basis
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.dose_likelihood import Between, Knowledge, at_psi, check_estimable, maximize, moments
from igfmeta.models.dose_results import DoseFit, DoseStudy, Goodness, wald
from igfmeta.numerics import Floats, chi2_upper

DoseMethod = Literal["fixed", "ml", "reml", "mm"]
METHODS = ("fixed", "ml", "reml", "mm")

#: Relative size below which an eigenvalue of a study's information counts as 0.
SINGULAR = 1e-9


def knowledge(studies: Sequence[DoseStudy], basis: Basis) -> Knowledge:
    """Return what the contrasts of each study know of the coefficients."""
    return Knowledge.of([s.design(basis) for s in studies], [s.yi for s in studies], [s.covariance for s in studies])


def _rank(u: Floats) -> int:
    scale = np.sqrt(np.diag(u))
    kept = np.flatnonzero(scale > 0)
    part = u[np.ix_(kept, kept)] / np.outer(scale[kept], scale[kept])
    return int(np.linalg.matrix_rank(part, tol=SINGULAR)) if len(kept) else 0


def ranks(known: Knowledge) -> list[int]:
    """Return how many coefficients each study can tell by itself."""
    return [_rank(u) for u in known.u]


def study_curves(known: Knowledge) -> Floats:
    """Return each study's own coefficients, (X'S^-1 X)^-1 X'S^-1 y; NaN where it has too few groups; shape (k, p)."""
    out = np.full(known.c.shape, np.nan)
    full = np.array(ranks(known)) == known.p
    out[full] = np.linalg.solve(known.u[full], known.c[full][:, :, None])[:, :, 0]
    return out


def two_stage(
    studies: Sequence[DoseStudy], basis: Basis, *, method: DoseMethod = "reml", level: float = 0.95
) -> DoseFit:
    """Pool the curves of studies.

    Parameters
    ----------
    studies : sequence of DoseStudy
        A study with fewer groups than the curve has coefficients is left out, and named in the result.
    basis : Basis
    method : {"reml", "ml", "mm", "fixed"}
        Of the between-study covariance psi: (restricted) maximum likelihood, moments (Jackson, White & Riley 2013), or
        no psi.
    level : float
        Of the intervals of the curve.

    Returns
    -------
    DoseFit

    Raises
    ------
    InputError
        Options that are not accepted, or studies whose doses cannot tell the coefficients apart.
    NothingToPool
        No study has enough groups.

    Examples
    --------
    >>> from igfmeta.effects.dose_bases import linear
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.05]])
    >>> studies = [DoseStudy(n, 0.0, np.array([1.0, 2.0]), np.array(y), covariance) for n, y in
    ...            (("a", [0.1, 0.3]), ("b", [0.3, 0.5]), ("c", [0.2, 0.1]))]
    >>> fit = two_stage(studies, linear())
    >>> fit.coef.round(4), fit.k, fit.n
    (array([0.1588]), 3, 6)
    """
    chosen = check_choice("method", method, METHODS)
    if not studies:
        raise NothingToPool("There is no study to pool.")
    check_designs(studies)
    enough = [rank == len(basis.names) for rank in ranks(knowledge(studies, basis))]
    used = [study for study, kept in zip(studies, enough, strict=True) if kept]
    left_out = tuple(
        (study.label, f"too few groups for a curve of {len(basis.names)} coefficients by itself; one stage takes it")
        for study, kept in zip(studies, enough, strict=True)
        if not kept
    )
    if not used:
        raise NothingToPool(
            f"No study has enough groups for a curve of {len(basis.names)} coefficients by itself; "
            "choose a simpler model, or one stage."
        )
    known = knowledge(used, basis)
    pooled = _second_stage(known)
    return assemble(used, basis, known, pooled, method=chosen, stages="two", level=level, left_out=left_out)


def _second_stage(known: Knowledge) -> Knowledge:
    """Return the studies' coefficients as outcomes of their own: X is I, S is U^-1."""
    curves = study_curves(known)
    return Knowledge(
        u=known.u,
        c=known.c,
        squares=np.einsum("ij,ij->i", known.c, curves),
        log_det=-np.linalg.slogdet(known.u)[1],
        n=curves.size,
    )


def between(known: Knowledge, method: str) -> Between | None:
    """Return the between-study covariance by a method; None for fixed effects."""
    if method == "fixed":
        return None
    return moments(known) if method == "mm" else maximize(known, restricted=method == "reml")


def assemble(
    studies: Sequence[DoseStudy],
    basis: Basis,
    known: Knowledge,
    outcomes: Knowledge,
    *,
    method: str,
    stages: str,
    level: float,
    left_out: tuple[tuple[str, str], ...] = (),
) -> DoseFit:
    """Return the fit of `outcomes`, the studies' coefficients or their contrasts; `known` is of the contrasts."""
    level = check_level(level)
    check_estimable(known, basis.names)
    used = "fixed" if known.k == 1 else method
    found = between(outcomes, used)
    psi = np.zeros((known.p, known.p)) if found is None else found.psi
    at = at_psi(outcomes, psi, restricted=used == "reml")
    log_likelihood = None if used == "mm" else at.log_likelihood
    if log_likelihood is not None and used == "reml" and stages == "two":
        # Of error contrasts (Harville 1974): 1/2 log |sum X'X|, where X is the identity.
        log_likelihood += 0.5 * known.p * np.log(known.k)
    parameters = known.p + (0 if found is None else known.p * (known.p + 1) // 2)
    q, q_df = heterogeneity(known)
    return DoseFit(
        basis=basis,
        stages=stages,
        method=used,
        level=level,
        k=known.k,
        n=known.n,
        labels=tuple(study.label for study in studies),
        coef=at.coef,
        vcov=at.vcov,
        psi=None if found is None else psi,
        log_likelihood=None if log_likelihood is None else float(log_likelihood),
        aic=None if log_likelihood is None else float(2 * (parameters - log_likelihood)),
        q=q,
        q_df=q_df,
        q_p_value=float(chi2_upper(q, q_df)) if q_df else None,
        i2=None if not q_df else 100 * max(0.0, (q - q_df) / q) if q > 0 else 0.0,
        overall=wald(at.coef, at.vcov, tuple(range(known.p))),
        nonlinear=wald(at.coef, at.vcov, basis.nonlinear) if basis.nonlinear else None,
        goodness=goodness(studies, basis, known),
        study_coef=study_curves(known),
        vpc=() if found is None else tuple(_shares(study, basis, psi) for study in studies),
        converged=found is None or found.converged,
        boundary=found is not None and found.boundary,
        left_out=left_out,
        remarks=tuple(_remarks(known, method, found)),
    )


def heterogeneity(known: Knowledge) -> tuple[float, int]:
    """Return Cochran's Q of the studies' coefficients around the common ones, and its degrees of freedom.

    Q = sum (b_i - b)'U_i (b_i - b), sum of the ranks of U_i less p (Gasparrini et al. 2012, section 4.3); a study with
    a singular U counts with what it can tell.
    """
    own = sum(float(c @ _solved(u, c)) for u, c in zip(known.u, known.c, strict=True))
    common = at_psi(known, np.zeros((known.p, known.p)), restricted=False).coef
    return max(0.0, own - float(common @ known.c.sum(axis=0))), sum(ranks(known)) - known.p


def _solved(u: Floats, c: Floats) -> Floats:
    """Return the shortest b with U b = c, in units in which the diagonal of U is 1."""
    scale = np.sqrt(np.where(np.diag(u) > 0, np.diag(u), 1.0))
    solved = np.linalg.lstsq(u / np.outer(scale, scale), c / scale, rcond=SINGULAR)[0]
    return np.asarray(solved / scale)


def goodness(studies: Sequence[DoseStudy], basis: Basis, known: Knowledge) -> Goodness:
    """Return the deviance, R2 and decorrelated residuals of the common curve without random effects.

    Discacciati, Crippa & Orsini 2017, Res Synth Methods 8:149: residuals C^-1 (y - X b) with S = C C', their sum of
    squares D against chi-squared on n - p degrees of freedom, and R2 = 1 - D / sum (C^-1 y)^2.
    """
    coef = at_psi(known, np.zeros((known.p, known.p)), restricted=False).coef
    residuals = [
        np.linalg.solve(np.linalg.cholesky(study.covariance), study.yi - study.design(basis) @ coef)
        for study in studies
    ]
    residual = np.concatenate(residuals)
    deviance, total, df = float(residual @ residual), float(known.squares.sum()), known.n - known.p
    r2 = 1 - deviance / total if total > 0 else 0.0
    return Goodness(
        deviance=deviance,
        df=df,
        p_value=float(chi2_upper(deviance, df)) if df else None,
        r2=r2,
        r2_adjusted=1 - (1 - r2) * known.n / df if df else None,
        study=tuple(study.label for study in studies for _ in study.yi),
        dose=np.concatenate([study.dose for study in studies]),
        residual=residual,
    )


def _shares(study: DoseStudy, basis: Basis, psi: Floats) -> Floats:
    """Return the variance partition coefficients x'psi x / (x'psi x + s^2) (Crippa et al. 2019, Stat Methods Med Res
    28:1579, section 2.5)."""
    x = study.design(basis)
    random = np.einsum("ij,jk,ik->i", x, psi, x)
    return np.asarray(random / (random + np.diag(study.covariance)))


def _remarks(known: Knowledge, method: str, found: Between | None) -> list[str]:
    remarks = []
    if known.k == 1 and method != "fixed":
        remarks.append("One study: its own curve is shown; variation between studies cannot be estimated.")
    if found is not None:
        elements = known.p * (known.p + 1) // 2
        if known.k < 5 + elements:
            what = "variance" if known.p == 1 else f"covariance with {elements} elements"
            remarks.append(
                f"Only {known.k} studies for a between-study {what}: it is hardly estimable, and the normal intervals, "
                "which take it as known, are too narrow."
            )
        if not found.converged:
            remarks.append("The search for the between-study covariance did not converge: do not use this result.")
        if found.boundary and known.p > 1:
            remarks.append("The between-study covariance is singular: its coefficients vary along fewer directions.")
    return remarks


def check_designs(studies: Sequence[DoseStudy]) -> None:
    """Refuse studies whose arrays do not fit together."""
    for study in studies:
        m = len(study.yi)
        if study.dose.shape != (m,) or study.covariance.shape != (m, m):
            raise InputError(
                f"Study {study.label} has {m} log relative risks, {len(study.dose)} doses and a covariance of shape "
                f"{study.covariance.shape}; accepted are as many doses and a square covariance."
            )
