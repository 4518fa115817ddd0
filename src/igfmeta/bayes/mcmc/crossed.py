"""The crossed model of normal effects drawn by PyMC: the check of the exact engine, and study effects with heavy tails.

The model is that of `igfmeta.bayes.crossed`: y ~ N(mu + effects of the factors, V), the mean flat, the covariance of
effects known. What is Gaussian given the standard deviations is integrated out before sampling: of normal study effects
everything, of others everything but the study effects themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from igfmeta.bayes.components import Factor, Kernels
from igfmeta.bayes.crossed import CrossedModel, CrossedPosterior
from igfmeta.bayes.mcmc.diagnostics import diagnose
from igfmeta.bayes.mcmc.effects import STUDY_EFFECTS, standard_deviation
from igfmeta.bayes.mcmc.given_scales import CrossedDraws
from igfmeta.bayes.mcmc.priors import add_priors
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.mcmc.study_scales import add_study_effects, scales_of
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

#: What the distribution of the study effects depends on, beside their sd.
HYPERPARAMETERS = {"normal": (), "t": ("study_df",), "mixture": ("outlying_share", "outlying_spread")}


def crossed_model(y: Floats, covariance: Floats, factors: Sequence[Factor], *, study_effects: str = "normal") -> Any:
    """Return the PyMC model. Its data is named `effects`, so that a compiled model takes other effects.

    Parameters
    ----------
    y : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
    factors : sequence of Factor
        One of them named "study".
    study_effects : {"normal", "t", "mixture"}
    """
    study_effects = check_choice("study_effects", study_effects, STUDY_EFFECTS)
    pm = load_pymc()
    trials = next(f for f in factors if f.name == "study")
    coords = {"factor": [f.name for f in factors], "effect": np.arange(len(y)), "trial": np.arange(trials.shape[0])}
    with pm.Model(coords=coords) as model:
        mu = pm.Flat("mu", initval=float(np.mean(y)))
        mean, total, sds = mu, covariance, []
        for f in factors:
            sd = standard_deviation(pm, f"sd_{f.name}", f.prior)
            sds.append(sd)
            if f is trials and study_effects != "normal":
                mean = mu + sd * add_study_effects(pm, trials.shape[0], study_effects)[trials.studies[:, 0]]
            else:
                total = total + sd**2 * f.covariance(f.studies, f.studies)
        pm.Deterministic("sd", pm.math.stack(sds), dims="factor")
        pm.MvNormal("y", mu=mean, cov=total, observed=pm.Data("effects", y, dims="effect"), dims="effect")
    return model


def draws_of(
    sampled: Sampled, y: Floats, covariance: Floats, factors: Sequence[Factor], weights: Floats, study_effects: str
) -> CrossedDraws:
    """Return what was drawn from `crossed_model`, with what is Gaussian given it."""
    made = CrossedDraws(y, covariance, factors, weights, sampled.draws("mu"), sampled.draws("sd"))
    if study_effects == "normal":
        return made
    own = made.sds[:, [made.place]] * sampled.draws("z_study")
    drawn = {name: sampled.draws(name) for name in HYPERPARAMETERS[study_effects]}
    return replace(made, own=own, scales=scales_of(study_effects, drawn))


def crossed_by_mcmc(
    y: Floats,
    covariance: Floats,
    factors: Sequence[Factor],
    weights: Floats,
    *,
    study_effects: str = "normal",
    plan: Plan | None = None,
) -> tuple[CrossedPosterior, Sampled]:
    """Draw from the posterior of the cells and of the standard deviations.

    Parameters
    ----------
    y : ndarray of shape (k,)
        Effects on the analysis scale.
    covariance : ndarray of shape (k, k)
        Of their sampling errors, positive definite; contrasts that share a control arm are correlated.
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for, as of `Kernels.combined`.
    study_effects : {"normal", "t", "mixture"}
        With "t" the degrees of freedom are estimated, gamma(2, 0.1) above 2 a priori (Juarez & Steel 2010, J Bus Econ
        Stat 28:52); with "mixture" a share of the studies is outlying, with an inflated sd (Beath 2014, Res Synth
        Methods 5:285). Then the sd of the factor "study" is the scale of the t, or the sd of the other studies.
    plan : Plan, optional

    Returns
    -------
    CrossedPosterior, Sampled
        The cells, and everything drawn. The tree has the groups posterior (with `cells`, the true effects `theta`; of
        "mixture" `outlying`, the probability that a study is outlying; of "t" `precision`, what is left of the weight
        of a study), prior, posterior_predictive (`y`: study effects and sampling errors anew), log_likelihood (`trials`
        for leave-one-out: of each study given the others; `joint`), log_prior, sample_stats and observed_data.

    Raises
    ------
    InputError
        An option that is not accepted, or effects and covariance that do not fit.
    """
    y, covariance = np.asarray(y, dtype=float), np.asarray(covariance, dtype=float)
    if covariance.shape != (len(y), len(y)):
        raise InputError(f"The covariance has shape {covariance.shape}; accepted is {(len(y), len(y))}.")
    model = crossed_model(y, covariance, factors, study_effects=study_effects)
    watched = ("mu", "sd", *HYPERPARAMETERS[study_effects])
    sampled = sample(model, plan, watch=watched)
    drawn = draws_of(sampled, y, covariance, factors, weights, study_effects)
    rng = np.random.default_rng(sampled.plan.seed)
    _complete(sampled, drawn, study_effects, rng)
    sampled = replace(sampled, diagnostics=diagnose(sampled.tree, watch=(*watched, "cells")))
    return _posterior(sampled, drawn, rng), sampled


def _complete(sampled: Sampled, drawn: CrossedDraws, study_effects: str, rng: np.random.Generator) -> None:
    """Add to the tree what is not drawn by PyMC."""
    cells, theta, study = drawn.draw_effects(rng)
    sampled.add("posterior", cells=(cells, "cell"), theta=(theta, "effect"), study=(study, "trial"))
    if study_effects == "mixture":
        sampled.add("posterior", outlying=(drawn.scale_weights()[:, :, 1], "trial"))
    if study_effects == "t" and drawn.scales is not None:
        precision = (drawn.scale_weights() / drawn.scales.variance[:, None, :]).sum(axis=2)
        sampled.add("posterior", precision=(precision, "trial"))
    sampled.add("posterior_predictive", y=(drawn.replicate(theta, study, rng), "effect"))
    sampled.add("log_likelihood", trials=(drawn.log_by_trial(), "trial"), joint=(drawn.log_joint(), None))
    add_priors(sampled, drawn.factors, scales=study_effects, rng=rng)


def _posterior(sampled: Sampled, drawn: CrossedDraws, rng: np.random.Generator) -> CrossedPosterior:
    """Return the posterior: cells Gaussian given each draw, or drawn where study effects are not normal."""
    n_cells = drawn.weights.shape[1]
    kernels = Kernels.of(drawn.factors, n_cells).combined(drawn.weights)
    new = drawn.sds**2 * kernels.new
    if drawn.scales is None:
        centre = float(drawn.y.mean())
        given = CrossedModel(drawn.y - centre, drawn.covariance, kernels).conditional(drawn.sds)
        mean, variance = given.mean + centre * kernels.ones, given.variance
    else:
        mean = np.asarray(sampled.draws("cells"))
        variance = np.zeros_like(mean)
        new[:, drawn.place] *= drawn.scales.draw(rng)
    return CrossedPosterior(
        names=tuple(f.name for f in drawn.factors),
        sds=drawn.sds,
        weights=np.full(len(mean), 1 / len(mean)),
        mean=mean,
        variance=variance,
        new_variance=new.sum(axis=1),
        effective_size=float(min(sampled.diagnostics.ess_bulk, sampled.diagnostics.ess_tail)),
        pareto_k=float("nan"),
        reliable=sampled.diagnostics.trusted,
    )
