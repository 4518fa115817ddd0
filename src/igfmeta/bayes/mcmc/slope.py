"""The model of `igfmeta.bayes.slope` drawn by PyMC, true values and all: a check of the exact route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.bayes.mcmc.effects import standard_deviation
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.slope import SDS, SlopePosterior, Units
from igfmeta.bayes.tau_priors import TauPrior


def slope_model(units: Units, priors: Sequence[TauPrior], prior_sd: float) -> Any:
    """Return the PyMC model: true predictors and true effects of every unit are variables of it.

    Predictors and effects are written as deviations from their means in units of their standard deviations, so that the
    sampler meets no narrow necks; predictors and effects that are observed stay Gaussian given them.
    """
    pm = load_pymc()
    n = len(units)
    with pm.Model(coords={"unit": range(n), "source": list(SDS)}) as model:
        sds = [standard_deviation(pm, name, prior) for name, prior in zip(SDS, priors, strict=True)]
        between, about, studies, trials = sds
        slope = pm.Normal("slope", 0, prior_sd)
        mean = pm.Flat("mean", initval=float(units.x.mean()))
        level = pm.Flat("level", initval=float(units.y.mean()))
        away = between * pm.Normal("z_predictor", 0, 1, dims="unit")
        xi = pm.Deterministic("xi", mean + away, dims="unit")
        off = about * pm.Normal("z_line", 0, 1, dims="unit")
        theta = pm.Deterministic("theta", level + slope * away + off, dims="unit")
        pm.Deterministic("sd", pm.math.stack(sds), dims="source")
        of_x, of_y = units.of_x.argmax(axis=1), units.of_y.argmax(axis=1)
        pm.Normal("x", xi[of_x], pm.math.sqrt(units.s2 + studies**2), observed=units.x)
        pm.Normal("y", theta[of_y], pm.math.sqrt(units.v + trials**2), observed=units.y)
    return model


def slope_by_mcmc(
    units: Units, priors: Sequence[TauPrior], *, prior_sd: float, plan: Plan | None = None
) -> tuple[SlopePosterior, Sampled]:
    """Draw from the posterior of the slope and of the standard deviations.

    Parameters
    ----------
    units, priors, prior_sd
        As of `igfmeta.bayes.slope.slope_posterior`.
    plan : Plan, optional
    """
    sampled = sample(slope_model(units, priors, prior_sd), plan, watch=("slope", "sd", "mean", "level"))
    slope, sds = sampled.draws("slope"), sampled.draws("sd")
    n = len(slope)
    found = SlopePosterior(
        units=units,
        prior_sd=prior_sd,
        slope=slope,
        weights=np.full(n, 1 / n),
        sds=sds,
        sd_weights=np.full(n, 1 / n),
        lines=(slope, sds),
        effective_size=float(min(sampled.diagnostics.ess_bulk, sampled.diagnostics.ess_tail)),
        pareto_k=float("nan"),
        reliable=sampled.diagnostics.trusted,
    )
    return found, sampled
