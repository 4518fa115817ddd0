"""Coverage of meta-regressions: intervals of coefficients, and the size of omnibus and permutation tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, grid, held, rejected, said, variances

from igfmeta.models.regression.fitting import regress
from igfmeta.models.regression.permutation import permutation_test

TITLE = "Meta-regression"
ABOUT = (
    "y = 0.3 + 0.2 x + u + e, sampling variances as of the pools; x standard normal, or 1 in half of the studies. "
    "Tests have no effect to find: three groups of studies (omnibus), a moderator without effect (permutation; `signs` "
    "flips the signs of effects about 0). `skewed`: the true effects are exponential, not normal."
)
BETA = (0.3, 0.2)
REPLICATES, PERMUTED = 10_000, 2_000

#: Name: estimator and test.
METHODS = {
    f"{test} ({method})": {"method": method, "test": test}
    for method in ("REML", "DL", "PM")
    for test in ("z", "t", "HK", "KR")
} | {"HK-floor (REML)": {"method": "REML", "test": "HK-floor"}}
OMNIBUS = ("z (REML)", "t (REML)", "HK (REML)", "HK-floor (REML)", "KR (REML)", "HK (PM)", "KR (PM)")

#: Which permutation test: studies, and how many are drawn where not all are taken (5 % is then attained exactly).
DESIGNS = {
    "groups of 5 and 5, all 252": (10, None),
    "continuous, k = 7, all 5,040": (7, None),
    "continuous, k = 20, 199 drawn": (20, 199),
    "signs, k = 8, all 256": (8, None),
    "signs, k = 20, 199 drawn": (20, 199),
}


def coefficients(rng: np.random.Generator, n: int, *, moderator: str, k: int, tau2: float) -> Found:
    """Fit n data sets in every way."""
    v = variances(rng, (n, k))
    binary = np.broadcast_to(np.arange(k) < k // 2, (n, k)).astype(float)
    x = np.stack([np.ones((n, k)), rng.normal(size=(n, k)) if moderator == "continuous" else binary], axis=-1)
    y = rng.normal(x @ np.array(BETA), np.sqrt(v + tau2))
    slope = {}
    for name, options in METHODS.items():
        fit = regress(y, v, x, **options, level=LEVEL)  # type: ignore[arg-type]
        slope[name] = held(fit.ci_lower[:, 1], fit.ci_upper[:, 1], BETA[1])
    profile = held(fit.tau2_ci_lower, fit.tau2_ci_upper, tau2)
    return {"interval of the slope": slope, "interval of the residual tau2": {"Q-profile": profile}}


def three_groups(rng: np.random.Generator, n: int, *, k: int, tau2: float) -> Found:
    """Test that three groups of studies are alike, which they are."""
    v = variances(rng, (n, k))
    group = np.arange(k) % 3
    x = np.column_stack([np.ones(k), group == 1, group == 2]).astype(float)
    y = rng.normal(BETA[0], np.sqrt(v + tau2))
    found = {name: regress(y, v, x, **METHODS[name], level=LEVEL) for name in OMNIBUS}  # type: ignore[arg-type]
    return {"size of the omnibus test": {name: rejected(fit.qm_p_value) for name, fit in found.items()}}


def permuted(rng: np.random.Generator, n: int, *, design: str, effects: str, tau2: float) -> Found:
    """Test a moderator without effect, or a mean of 0, by permutation and as usual."""
    k, draws = DESIGNS[design]
    signs = design.startswith("signs")
    v = variances(rng, (n, k))
    scatter = rng.exponential(size=(n, k)) - 1 if effects == "skewed" else rng.normal(size=(n, k))
    y = np.sqrt(tau2) * scatter + rng.normal(0, np.sqrt(v))
    ones = np.ones((n, k, 1))
    column = rng.normal(size=(n, k, 1)) if design.startswith("continuous") else (np.arange(k) < k // 2)[None, :, None]
    x = ones if signs else np.concatenate([ones, np.broadcast_to(column, (n, k, 1))], axis=-1)
    p_values = [
        permutation_test(y[i], v[i], x[i], rng=rng, draws=draws or 1, method="REML", test="HK").p_values[-1]
        for i in range(n)
    ]
    usual = {test: regress(y, v, x, method="REML", test=test).p_value[:, -1] for test in ("z", "HK")}  # type: ignore[arg-type]
    return {
        "size of the test": {
            "permutation": rejected(p_values),
            **{f"{test} (REML)": rejected(p) for test, p in usual.items()},
        }
    }


_TAU2, _K = (0.0, 0.1, 0.4), (5, 10, 20, 40)
SCENARIOS: list[Scenario] = [
    *grid("regression", "Coefficients", coefficients, REPLICATES, moderator=("continuous", "binary"), k=_K, tau2=_TAU2),
    *grid("regression", "Omnibus test of three groups", three_groups, REPLICATES, k=(6, 10, 20, 40), tau2=_TAU2),
    *grid("regression", "Permutation tests", permuted, PERMUTED, design=DESIGNS, effects=("normal",), tau2=(0.1,)),
    *grid("regression", "Permutation tests", permuted, PERMUTED, design=["groups of 5 and 5, all 252"],
          effects=("skewed",), tau2=(0.4,)),
]  # fmt: skip


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    slope, size = "interval of the slope", "size of the omnibus test"
    apart, many = {"tau2": lambda t: t > 0}, {"k": 40}
    return [
        f"Too short: normal intervals of a slope with heterogeneity, {said(cells, slope, 'z (REML)', k=5, **apart)} "
        f"with 5 studies, {said(cells, slope, 'z (REML)', k=10, **apart)} with 10, "
        f"{said(cells, slope, 'z (REML)', k=20, **apart)} with 20.",
        f"The default, Hartung-Knapp: {said(cells, slope, 'HK (REML)')} with REML over the whole grid, "
        f"{said(cells, slope, 'HK (DL)')} with DL, {said(cells, slope, 'HK (PM)')} with PM; the choice of the "
        "estimator of tau2 matters less than that of the test.",
        f"Kenward-Roger with REML holds {said(cells, slope, 'KR (REML)')}: too wide with few studies (5 studies: "
        f"{said(cells, slope, 'KR (REML)', k=5)}). With 40 studies all intervals but the normal hold "
        f"{said(cells, slope, 't (REML)', 'HK (REML)', 'KR (REML)', **many, **apart)} with heterogeneity.",
        f"The omnibus chi-squared test rejects true hypotheses in {said(cells, size, 'z (REML)', **apart)} with "
        f"heterogeneity, the Hartung-Knapp F test in {said(cells, size, 'HK (REML)')}, Kenward-Roger's scaled F in "
        f"{said(cells, size, 'KR (REML)')}.",
        f"Permutation tests keep their level, {said(cells, 'size of the test', 'permutation')}: exact whatever the "
        "distribution of the effects, a little below 5 % where the number of arrangements does not attain it.",
    ]
