"""Coverage of robust variances: several dependent effects of a study, few or many studies, right and wrong models."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, around, held, rejected, said

from igfmeta.models.robust.fitting import fit_robust
from igfmeta.models.robust.lone import rests_on_one
from igfmeta.models.robust.sandwich import adjusted, htz, robust_vcov, satterthwaite
from igfmeta.numerics import chi2_upper, f_upper

TITLE = "Robust variances"
ABOUT = (
    "Effects of a study share a deviation (variance 0.1), have one each (0.05), and sampling errors with correlation "
    "0.8; study sizes 3, or 1, 1, 2, 3 and 8 in turn. Two moderators of studies without effect: one that a quarter of "
    "them has, one skewed (log-normal), each hard on a sandwich. CHE is the right working model, RE takes the rows for "
    "independent, CORR has the weights of Hedges, Tipton & Johnson. `model z` is the normal interval that believes the "
    "working model; t has m - p degrees of freedom."
)
TAU2, OMEGA2, RHO = 0.1, 0.05, 0.8
SIZES = {"equal": (3,), "unequal": (1, 1, 2, 3, 8)}
NAMES = ("Intercept", "moderator of a quarter", "skewed moderator")
INTERVALS = ("model z", "CR0 z", "CR1 z", "CR1 t", "CR2 z", "CR2 Satterthwaite")


def _data(rng: np.random.Generator, clusters: int, sizes: str) -> tuple[Any, Any, Any, Any]:
    """Return effects, variances, design and the cluster of each row."""
    size = np.resize(SIZES[sizes], clusters)
    study = np.repeat(np.arange(clusters), size)
    v = rng.uniform(0.02, 0.2, clusters)
    errors = np.sqrt(v)[study] * (
        np.sqrt(RHO) * rng.normal(size=clusters)[study] + np.sqrt(1 - RHO) * rng.normal(size=len(study))
    )
    y = rng.normal(0, np.sqrt(TAU2), clusters)[study] + rng.normal(0, np.sqrt(OMEGA2), len(study)) + errors
    quarter = rng.permutation(np.arange(clusters) < max(2, clusters // 4)).astype(float)
    x = np.column_stack([np.ones(clusters), quarter, rng.lognormal(size=clusters)])
    return y, v[study], x[study], study


def _tried(y: Any, v: Any, x: Any, study: Any, working: str) -> tuple[Any, Any]:
    """Return limits, shape (interval, coefficient, 2), and p-values of the tests that both slopes are 0."""
    fit = fit_robust(y, v, study.tolist(), x=x, working=working, level=LEVEL).clustered
    every, m, p = np.eye(len(NAMES)), int(study.max()) + 1, len(NAMES)
    limits = np.full((len(INTERVALS), p, 2), np.nan)
    both = every[1:]
    if rests_on_one(fit, every).any():
        return limits, np.full(3, np.nan)
    k = {name: adjusted(fit, name) for name in ("CR0", "CR1", "CR2")}
    vcov = {name: robust_vcov(fit, own) for name, own in k.items()} | {"model": fit.model_vcov}
    df = {"t": m - p, "z": np.inf, "Satterthwaite": np.array([satterthwaite(fit, k["CR2"], row) for row in every])}
    for i, name in enumerate(INTERVALS):
        which, kind = name.split()
        limits[i] = np.column_stack(around(fit.beta, np.sqrt(np.diag(vcov[which])), df[kind]))
    wald = [
        float(fit.beta[1:] @ np.linalg.solve(both @ vcov[which] @ both.T, fit.beta[1:])) for which in ("CR0", "CR1")
    ]
    tested = htz(fit, k["CR2"], both).p_value
    p_values = [float(chi2_upper(wald[0], 2)), float(f_upper(wald[1] / 2, 2, m - p))]
    return limits, np.array([*p_values, np.nan if tested is None else tested])


def dependent(rng: np.random.Generator, n: int, *, working: str, sizes: str, clusters: int) -> Found:
    """Fit n data sets in every way."""
    tried = [_tried(*_data(rng, clusters, sizes), working) for _ in range(n)]
    limits, p_values = np.stack([each[0] for each in tried]), np.stack([each[1] for each in tried])
    intervals = {
        f"interval of the {name}": {
            method: held(limits[:, i, j, 0], limits[:, i, j, 1], 0.0) for i, method in enumerate(INTERVALS)
        }
        for j, name in enumerate(NAMES)
        if j
    }
    tests = ("CR0 chi-squared", "CR1 F, m - p df", "CR2 HTZ")
    return {
        **intervals,
        "size of the Wald test of both": {name: rejected(p_values[:, i]) for i, name in enumerate(tests)},
    }


def _scenarios() -> list[Scenario]:
    replicates = {"CHE": 500, "RE": 1_000, "CORR": 1_000}
    return [
        Scenario("robust", "Dependent effects", {"working": working, "sizes": sizes, "clusters": clusters}, dependent,
                 replicates[working])
        for working in replicates for sizes in SIZES for clusters in (8, 15, 40)
    ]  # fmt: skip


SCENARIOS: list[Scenario] = _scenarios()


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    quarter, skewed = (f"interval of the {name}" for name in NAMES[1:])
    size, few = "size of the Wald test of both", {"clusters": lambda m: m <= 15}
    return [
        f"Too short: CR0 with normal quantiles, {said(cells, quarter, 'CR0 z', clusters=8)} (a quarter) and "
        f"{said(cells, skewed, 'CR0 z', clusters=8)} (skewed) with 8 studies, "
        f"{said(cells, quarter, 'CR0 z', clusters=15)} and {said(cells, skewed, 'CR0 z', clusters=15)} with 15, "
        f"{said(cells, skewed, 'CR0 z', clusters=40)} for the skewed one even with 40. CR1 with m - p degrees of "
        f"freedom holds {said(cells, skewed, 'CR1 t', **few)} of the skewed one with up to 15.",
        f"The default, CR2 with Satterthwaite's degrees of freedom: {said(cells, quarter, 'CR2 Satterthwaite')} (a "
        f"quarter) and {said(cells, skewed, 'CR2 Satterthwaite')} (skewed) over all models, right and wrong. CR2 with "
        f"normal quantiles, {said(cells, quarter, 'CR2 z', clusters=8)} with 8 studies: the degrees of freedom matter "
        "more than the adjustment.",
        f"Believing a wrong working model (RE, model z): {said(cells, quarter, 'model z', working='RE')}, however "
        "many studies there are.",
        f"Tests of both moderators: CR0 rejects a true hypothesis in {said(cells, size, 'CR0 chi-squared', **few)} "
        f"with up to 15 studies, CR1 in {said(cells, size, 'CR1 F, m - p df', **few)}, HTZ in "
        f"{said(cells, size, 'CR2 HTZ')} over all, which is timid with few studies.",
    ]
