"""The model of `igfmeta.bayes.slope` drawn by PyMC: a check of the exact route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from igfmeta.bayes.mcmc.effects import standard_deviation
from igfmeta.bayes.mcmc.sampling import Plan, Sampled, load_pymc, sample
from igfmeta.bayes.slope import SDS, SlopePosterior, Units
from igfmeta.bayes.tau_priors import TauPrior

#: Steps are at least this careful: a few units leave narrow necks between the slope and the standard deviations.
TARGET_ACCEPT = 0.95


def slope_model(units: Units, priors: Sequence[TauPrior], prior_sd: float) -> Any:
    """Return the PyMC model: all observations are normal given slope, standard deviations and means.

    True predictors and effects are integrated out, by the covariance that they give the observations of a unit: with
    them as variables the slope and the standard deviations meet in narrow necks. With A and B the units of studies and
    of trials, that is [[omega^2 AA', slope omega^2 AB'], [., (slope^2 omega^2 + rho^2) BB']] and the errors.
    """
    pm = load_pymc()
    of_x, of_y = units.of_x.astype(float), units.of_y.astype(float)
    off_line = np.zeros((len(units.x) + len(units.y),) * 2)
    off_line[len(units.x) :, len(units.x) :] = of_y @ of_y.T
    with pm.Model(coords={"source": list(SDS)}) as model:
        sds = [standard_deviation(pm, f"sd_{name}", prior) for name, prior in zip(SDS, priors, strict=True)]
        between, about, studies, trials = sds
        slope = pm.Normal("slope", 0, prior_sd)
        mean = pm.Flat("mean", initval=float(units.x.mean()))
        level = pm.Flat("level", initval=float(units.y.mean()))
        pm.Deterministic("sd", pm.math.stack(sds), dims="source")
        shared = between * pm.math.concatenate([of_x, slope * of_y], axis=0)
        errors = pm.math.concatenate([units.s2 + studies**2, units.v + trials**2])
        covariance = pm.math.dot(shared, shared.T) + about**2 * off_line + errors * np.eye(len(off_line))
        centre = pm.math.concatenate([mean * np.ones(len(units.x)), level * np.ones(len(units.y))])
        pm.MvNormal("estimates", mu=centre, cov=covariance, observed=np.concatenate([units.x, units.y]))
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
    plan = plan or Plan()
    careful = replace(plan, target_accept=max(plan.target_accept, TARGET_ACCEPT))
    sampled = sample(slope_model(units, priors, prior_sd), careful, watch=("slope", "sd", "mean", "level"))
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
