"""The effects of crossed factors inside a PyMC model: the same prior covariance as the kernels of the exact engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from igfmeta.bayes.components import Factor
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.mcmc.sampling import Sampled, load_pymc
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

#: Distributions of the study effects. The other factors are always normal.
STUDY_EFFECTS = ("normal", "t", "mixture")

#: Degrees of freedom of study effects that are t. Few studies cannot tell 4 from 10, so they are not estimated (Lee &
#: Thompson 2008, Stat Med 27:418).
STUDY_DF = 4.0

#: Outlying studies in the mixture (Beath 2014, Res Synth Methods 5:285): their share is beta(1, 9), one in ten on
#: average; their standard deviation is 1 + half-normal(3) times that of the others.
OUTLYING_SHARE, OUTLYING_SPREAD = (1.0, 9.0), 3.0

#: What the convergence of a hierarchy is judged by.
WATCHED = ("mu", "sd", "cells")


def contrasts(levels: int) -> Floats:
    """Return Q of shape (n, n - 1) with Q Q' = I - J/n: independent standard normals z give zero-sum effects Q z.

    The columns are Helmert's contrasts.

    Examples
    --------
    >>> contrasts(2).round(4)
    array([[-0.7071],
           [ 0.7071]])
    """
    columns = np.triu(np.full((levels, levels - 1), -1.0))
    columns[np.arange(1, levels), np.arange(levels - 1)] = np.arange(1, levels)
    return np.asarray(columns / np.linalg.norm(columns, axis=0))


def loadings(factor: Factor, levels: Any) -> Floats:
    """Return how much of each standard normal of a factor has what is at the given levels, per unit of its sd.

    Parameters
    ----------
    factor : Factor
    levels : ndarray of int of shape (m, axes)

    Returns
    -------
    ndarray of shape (m, number of normals)
        L of the levels; L L' is their covariance by `Factor.covariance`.
    """
    roots = [contrasts(n) if factor.zero_sum else np.eye(n) for n in factor.shape]
    rows = [root[levels[:, axis]] for axis, root in enumerate(roots)]
    return np.asarray(reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), rows))


def standard_deviation(pm: Any, name: str, prior: TauPrior) -> Any:
    """Return a standard deviation with a half-normal, half-t or half-Cauchy prior, as a variable of the open model."""
    if prior.df is None:
        raise InputError(
            f"The prior {prior.label} of a standard deviation cannot be used here; accepted are half-normal(scale), "
            "half-t(scale, df) and half-cauchy(scale)."
        )
    if np.isinf(prior.df):
        return pm.HalfNormal(name, sigma=prior.scale)
    return pm.HalfStudentT(name, nu=prior.df, sigma=prior.scale)


def standardized(pm: Any, name: str, n: int, distribution: str) -> Any:
    """Return n effects with standard deviation (of the t and of the mixture: scale) 1."""
    if distribution == "t":
        return pm.StudentT(f"z_{name}", nu=STUDY_DF, mu=0, sigma=1, shape=n)
    if distribution == "mixture":
        share = pm.Beta("outlying_share", *OUTLYING_SHARE)
        spread = pm.Deterministic("outlying_spread", 1 + pm.HalfNormal("outlying_excess", sigma=OUTLYING_SPREAD))
        tensor = pm.math
        return pm.NormalMixture(
            f"z_{name}", w=tensor.stack([1 - share, share]), mu=np.zeros(2), sigma=tensor.stack([1.0, spread]), shape=n
        )
    return pm.Normal(f"z_{name}", 0, 1, shape=n)


def crossed_effects(factors: Sequence[Factor], weights: Floats, mu: Any, *, study_effects: str = "normal") -> Any:
    """Add the effects of factors to the PyMC model whose context is open.

    The model gains the standard deviations `sd` (dims factor), the linear predictor of the studies `theta` (dims
    effect) and the asked-for combinations of cells `cells` (dims cell). Effects are not centred: standard normals
    times their standard deviation (Betancourt & Girolami 2015).

    Parameters
    ----------
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for, as of `Kernels.combined`.
    mu : tensor
        The overall mean, a variable of the model.
    study_effects : {"normal", "t", "mixture"}
        Distribution of the factor "study". With "t" (`STUDY_DF` degrees of freedom) and "mixture" its sd is the scale
        of the t and the sd of the studies that are not outlying.

    Returns
    -------
    tensor of shape (k,)
        theta.
    """
    study_effects = check_choice("study_effects", study_effects, STUDY_EFFECTS)
    pm = load_pymc()
    model = pm.modelcontext(None)
    model.add_coords(
        {
            "factor": [f.name for f in factors],
            "effect": np.arange(len(factors[0].studies)),
            "cell": np.arange(len(weights)),
        }
    )
    theta, cells, sds = mu, mu * weights.sum(axis=1), []
    for f in factors:
        of_studies = loadings(f, f.studies)
        sd = standard_deviation(pm, f"sd_{f.name}", f.prior)
        z = standardized(pm, f.name, of_studies.shape[1], study_effects if f.name == "study" else "normal")
        sds.append(sd)
        theta = theta + sd * pm.math.dot(of_studies, z)
        if f.cells is not None:
            cells = cells + sd * pm.math.dot(weights @ loadings(f, f.cells), z)
    pm.Deterministic("sd", pm.math.stack(sds), dims="factor")
    pm.Deterministic("cells", cells, dims="cell")
    return pm.Deterministic("theta", theta, dims="effect")


def drawn_posterior(sampled: Sampled, factors: Sequence[Factor], *, study_effects: str = "normal") -> CrossedPosterior:
    """Return draws of a model with `crossed_effects` as a posterior: equal weights, each draw a point.

    Study effects that are t or a mixture are normal given a scale; the scale of the new study of each draw is drawn
    too, with the seed of the plan.
    """
    sds = np.asarray(sampled.draws("sd"))
    rng = np.random.default_rng(sampled.plan.seed)
    new_variance = np.zeros(len(sds))
    for i, f in enumerate(factors):
        if f.cells is None:
            normal = study_effects == "normal" or f.name != "study"
            scale = np.ones(len(sds)) if normal else _new_scales(sampled, study_effects, rng)
            new_variance += (sds[:, i] * scale) ** 2
    cells = np.asarray(sampled.draws("cells"))
    return CrossedPosterior(
        names=tuple(f.name for f in factors),
        sds=sds,
        weights=np.full(len(sds), 1 / len(sds)),
        mean=cells,
        variance=np.zeros_like(cells),
        new_variance=new_variance,
        effective_size=float(min(sampled.diagnostics.ess_bulk, sampled.diagnostics.ess_tail)),
        pareto_k=float("nan"),
        reliable=sampled.diagnostics.trusted,
    )


def _new_scales(sampled: Sampled, study_effects: str, rng: np.random.Generator) -> Floats:
    """Return, for each draw, how many times the sd of the study effects that of a new study is."""
    if study_effects == "t":
        n = len(sampled.draws("sd"))
        return np.asarray(np.sqrt(STUDY_DF / rng.chisquare(STUDY_DF, n)))
    share, spread = sampled.draws("outlying_share"), sampled.draws("outlying_spread")
    return np.where(rng.random(len(share)) < share, spread, 1.0)
