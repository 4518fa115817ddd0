"""What estimators of tau2 there are: name, function, words and paper. A new estimator is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from igfmeta.models import tau2_likelihood, tau2_moments, tau2_roots
from igfmeta.models.batch import Batch
from igfmeta.models.tau2_likelihood import Maximum
from igfmeta.numerics import Floats, Mask

Tau2Method = Literal[
    "CE", "DL", "DL2", "CA2", "HE", "HS", "HSK", "SJ", "ML", "REML", "EB", "PM", "PMM", "GENQ"
]  # fmt: skip


@dataclass(frozen=True)
class Estimator:
    """An estimator of tau2: how to compute it, what it is called, and who described it."""

    compute: Callable[[Batch], Maximum]
    label: str
    paper: str


def _none(batch: Batch) -> Maximum:
    zero, yes = np.zeros(len(batch)), np.ones(len(batch), dtype=bool)
    return Maximum(tau2=zero, se=np.full(len(batch), np.nan), converged=yes, multimodal=~yes, boundary=~yes)


def _closed(estimate: Callable[[Batch], tuple[Floats, Floats]]) -> Callable[[Batch], Maximum]:
    def compute(batch: Batch) -> Maximum:
        tau2, se = estimate(batch)
        yes = np.ones(len(batch), dtype=bool)
        return Maximum(tau2=tau2, se=se, converged=yes, multimodal=~yes, boundary=tau2 == 0)

    return compute


def _rooted(estimate: Callable[[Batch], tuple[Floats, Floats, Mask]]) -> Callable[[Batch], Maximum]:
    def compute(batch: Batch) -> Maximum:
        tau2, se, converged = estimate(batch)
        return Maximum(tau2, se, converged, multimodal=np.zeros(len(batch), dtype=bool), boundary=tau2 == 0)

    return compute


def _maximized(*, restricted: bool) -> Callable[[Batch], Maximum]:
    return lambda batch: tau2_likelihood.maximize(batch, restricted=restricted)


ESTIMATORS: dict[str, Estimator] = {
    "CE": Estimator(_none, "common effect (tau2 = 0)", "Mantel & Haenszel 1959; Birge 1932"),
    "DL": Estimator(_closed(tau2_moments.dersimonian_laird), "DerSimonian-Laird", "DerSimonian & Laird 1986"),
    "DL2": Estimator(_closed(tau2_moments.two_step_dl), "two-step DerSimonian-Laird", "DerSimonian & Kacker 2007"),
    "CA2": Estimator(_closed(tau2_moments.two_step_ca), "two-step Cochran ANOVA", "DerSimonian & Kacker 2007"),
    "HE": Estimator(_closed(tau2_moments.hedges_olkin), "Hedges-Olkin", "Hedges & Olkin 1985"),
    "HS": Estimator(_closed(tau2_moments.hunter_schmidt), "Hunter-Schmidt", "Hunter & Schmidt 2004"),
    "HSK": Estimator(_closed(tau2_moments.hunter_schmidt_k), "Hunter-Schmidt, corrected", "Brannick et al. 2019"),
    "SJ": Estimator(_closed(tau2_moments.sidik_jonkman), "Sidik-Jonkman", "Sidik & Jonkman 2005"),
    "ML": Estimator(_maximized(restricted=False), "maximum likelihood", "Hardy & Thompson 1996"),
    "REML": Estimator(_maximized(restricted=True), "restricted maximum likelihood", "Raudenbush 2009"),
    "EB": Estimator(_rooted(tau2_roots.paule_mandel), "empirical Bayes", "Morris 1983"),
    "PM": Estimator(_rooted(tau2_roots.paule_mandel), "Paule-Mandel", "Paule & Mandel 1982"),
    "PMM": Estimator(_rooted(tau2_roots.median_unbiased), "median-unbiased Paule-Mandel", "Viechtbauer 2021"),
    "GENQ": Estimator(
        _closed(tau2_moments.generalized_q_sqrt), "generalized Q with weights 1/sqrt(vi)", "Jackson 2013"
    ),
}
TAU2_METHODS = tuple(ESTIMATORS)
