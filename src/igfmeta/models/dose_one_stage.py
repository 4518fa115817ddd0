"""Dose-response meta-analysis in one stage: a linear mixed model of all contrasts with their known covariances.

Studies with fewer groups than the curve has coefficients take part (Crippa, Discacciati, Bottai, Spiegelman & Orsini
2019, Stat Methods Med Res 28:1579). Where every study has enough groups, two stages give the same estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.effects.dose_bases import Basis
from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.models.dose_likelihood import at_psi, check_estimable
from igfmeta.models.dose_response import DoseMethod, assemble, between, check_designs, knowledge
from igfmeta.models.dose_results import DoseFit, DoseStudy

METHODS = ("fixed", "ml", "reml")


def one_stage(
    studies: Sequence[DoseStudy], basis: Basis, *, method: DoseMethod = "reml", level: float = 0.95
) -> DoseFit:
    """Fit the linear mixed model with random effects on every coefficient.

    Parameters
    ----------
    studies : sequence of DoseStudy
    basis : Basis
    method : {"reml", "ml", "fixed"}
        Of the between-study covariance psi; "mm" pools coefficients and needs two stages.
    level : float
        Of the intervals of the curve.

    Returns
    -------
    DoseFit
        Its `log_likelihood` is of the contrasts, so that `aic` of `ml` or `fixed` compares shapes of the curve.

    Raises
    ------
    InputError
        Options that are not accepted, or studies whose doses cannot tell the coefficients apart.
    NothingToPool
        There is no study.

    Examples
    --------
    >>> from igfmeta.effects.dose_bases import quadratic
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.05]])
    >>> studies = [DoseStudy("a", 0.0, np.array([1.0, 2.0]), np.array([0.1, 0.3]), covariance),
    ...            DoseStudy("b", 0.0, np.array([1.5]), np.array([0.3]), np.array([[0.03]]))]
    >>> fit = one_stage(studies, quadratic(), method="fixed")
    >>> fit.k, fit.coef.round(4)
    (2, array([0.1439, 0.0144]))
    """
    if method == "mm":
        raise InputError("method was 'mm', which pools coefficients in two stages; accepted are fixed, ml or reml.")
    chosen = check_choice("method", method, METHODS)
    if not studies:
        raise NothingToPool("There is no study to pool.")
    check_designs(studies)
    known = knowledge(studies, basis)
    return assemble(studies, basis, known, known, method=chosen, stages="one", level=level)


@dataclass(frozen=True)
class Compared:
    """A shape of the curve and how it fares: log-likelihood and AIC of the contrasts, by `ml` or `fixed`.

    Both are None where the studies cannot tell the coefficients apart.
    """

    basis: Basis
    log_likelihood: float | None
    aic: float | None


def compare(studies: Sequence[DoseStudy], bases: Sequence[Basis], *, random: bool = True) -> tuple[Compared, ...]:
    """Return the shapes with their AIC, best first.

    Each is fitted in one stage by maximum likelihood (without random effects where `random` is False), because
    restricted likelihoods, and likelihoods of coefficients, do not compare curves with different coefficients. AIC
    counts the coefficients and the elements of psi.

    Examples
    --------
    >>> from igfmeta.effects.dose_bases import linear, quadratic
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.05]])
    >>> studies = [DoseStudy("a", 0.0, np.array([1.0, 2.0]), np.array([0.1, 0.3]), covariance)]
    >>> [shape.basis.model for shape in compare(studies, [linear(), quadratic()], random=False)]
    ['linear', 'quadratic']
    """
    found = [_compared(studies, basis, random=random and len(studies) > 1) for basis in bases]
    return tuple(sorted(found, key=lambda shape: np.inf if shape.aic is None else shape.aic))


def _compared(studies: Sequence[DoseStudy], basis: Basis, *, random: bool) -> Compared:
    known = knowledge(studies, basis)
    try:
        check_estimable(known, basis.names)
    except InputError:
        return Compared(basis, None, None)
    p = known.p
    found = between(known, "ml" if random else "fixed")
    log_likelihood = at_psi(known, np.zeros((p, p)) if found is None else found.psi, restricted=False).log_likelihood
    parameters = p + (p * (p + 1) // 2 if random else 0)
    return Compared(basis, log_likelihood, 2 * (parameters - log_likelihood))
