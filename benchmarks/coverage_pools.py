"""Coverage of pools: confidence and prediction intervals of the mean, and the interval of tau2."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, grid, held, said, variances

from igfmeta.bayes.posterior import normal_normal
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.models.pooling import pool

TITLE = "Pools"
ABOUT = (
    "True effects normal about 0.3; sampling variances 0.25 chi-squared(1) between 0.009 and 0.6 (Brockwell & Gordon "
    "2001). `z (DL)` is the normal interval with tau2 by DerSimonian-Laird; HK is Hartung-Knapp, HK-floor its factor "
    "never below 1, KR Kenward-Roger. Prediction intervals are of REML, the posterior's its own."
)
MU, REPLICATES, POSTERIORS = 0.3, 20_000, 2_000
POSTERIOR = "posterior, tau half-normal(0.5)"

#: Name: options of the pool.
CONFIDENCE: dict[str, dict[str, str]] = {
    "z (CE)": {"method": "CE", "ci": "z"},
    "z (DL)": {"method": "DL", "ci": "z"},
    "z (REML)": {"method": "REML", "ci": "z"},
    "t (REML)": {"method": "REML", "ci": "t"},
    "HK (REML)": {"method": "REML", "ci": "HK"},
    "HK-floor (REML)": {"method": "REML", "ci": "HK-floor"},
    "HK (PM)": {"method": "PM", "ci": "HK"},
    "KR (REML)": {"method": "REML", "ci": "KR"},
}
PREDICTION = ("z", "V", "HTS", "HK", "HK-PR", "KR", "KR-PR")


def pools(rng: np.random.Generator, n: int, *, k: int, tau2: float) -> Found:
    """Pool n data sets in every way."""
    v = variances(rng, (n, k))
    y = rng.normal(MU, np.sqrt(v + tau2))
    new = rng.normal(MU, np.sqrt(tau2), n)
    confidence, prediction = {}, {}
    for name, options in CONFIDENCE.items():
        fit = pool(y, v, **options, tau2_ci="none", level=LEVEL)  # type: ignore[arg-type]
        confidence[name] = held(fit.ci_lower, fit.ci_upper, MU)
    for name in PREDICTION:
        fit = pool(y, v, pi=name, tau2_ci="none", level=LEVEL)  # type: ignore[arg-type]
        prediction[name] = held(fit.pi_lower, fit.pi_upper, new)
    fit = pool(y, v, tau2_ci="QP", level=LEVEL)
    some = slice(0, POSTERIORS)
    posterior = normal_normal(y[some], v[some], tau_prior=HalfNormal(0.5), level=LEVEL)
    confidence[POSTERIOR] = held(posterior.ci_lower, posterior.ci_upper, MU)
    prediction[POSTERIOR] = held(posterior.pi_lower, posterior.pi_upper, new[some])
    return {
        "confidence interval of the mean": confidence,
        "prediction interval": prediction,
        "interval of tau2": {"Q-profile": held(fit.tau2_ci_lower, fit.tau2_ci_upper, tau2)},
    }


SCENARIOS: list[Scenario] = grid(
    "pools", "Random-effects pools", pools, REPLICATES, k=(3, 5, 10, 20, 50), tau2=(0.0, 0.02, 0.1, 0.4)
)


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    mean, new = "confidence interval of the mean", "prediction interval"
    few, some = {"k": lambda k: k <= 5, "tau2": lambda t: t >= 0.1}, {"tau2": lambda t: t > 0}
    return [
        f"Too short: normal intervals with heterogeneity and up to five studies ({said(cells, mean, 'z (REML)', **few)}"
        f"; twenty: {said(cells, mean, 'z (REML)', k=20, **some)}); the common-effect interval with any heterogeneity "
        f"({said(cells, mean, 'z (CE)', **some)}).",
        f"The default, Hartung-Knapp with REML: {said(cells, mean, 'HK (REML)')}; lowest with few studies of unequal "
        "size and heterogeneity. Its floor and Kenward-Roger do not fall short "
        f"({said(cells, mean, 'HK-floor (REML)')}; {said(cells, mean, 'KR (REML)')}) and are too wide where there is "
        "little heterogeneity.",
        f"Prediction intervals fall short with ten studies or fewer and heterogeneity: the default HK holds "
        f"{said(cells, new, 'HK', k=lambda k: k <= 10, **some)} there, HTS with three studies nearly always, KR "
        f"{said(cells, new, 'KR', k=lambda k: k <= 10, **some)}.",
    ]
