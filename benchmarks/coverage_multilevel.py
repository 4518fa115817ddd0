"""Coverage of three-level models: intervals of the mean by degrees of freedom, and of the variance components."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, around, grid, held, missed, said

from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.inference import containment_df
from igfmeta.models.multilevel.terms import parse

TITLE = "Multilevel models"
ABOUT = (
    "Rows in studies: variance 0.1 between the studies and 0.05 within them (or 0.1 within and none between), sampling "
    "variances uniform from 0.02 to 0.2; three rows in every study, or 1 to 5. REML; containment has the number of "
    "studies less 1; variances have profile-likelihood intervals."
)
MU, REPLICATES = 0.3, 500
COMPONENTS = {"between 0.1, within 0.05": (0.1, 0.05), "between 0, within 0.1": (0.0, 0.1)}
MEANS = ("z", "t, k - p df", "containment", "Satterthwaite")


def three_levels(rng: np.random.Generator, n: int, *, variances: str, rows: str, studies: int) -> Found:
    """Fit n data sets in every way."""
    truth = COMPONENTS[variances]
    limits, parts = np.full((n, len(MEANS), 2), np.nan), np.full((n, 2, 3), np.nan)
    for i in range(n):
        size = np.full(studies, 3) if rows == "3" else rng.integers(1, 6, studies)
        study = np.repeat(np.arange(studies), size)
        k = len(study)
        v = rng.uniform(0.02, 0.2, k)
        y = MU + rng.normal(0, np.sqrt(truth[0]), studies)[study] + rng.normal(0, np.sqrt(truth[1] + v))
        terms = parse("~ 1 | study/row", {"study": study.tolist(), "row": list(range(k))})
        fit = fit_multilevel(y, v, terms, test="satterthwaite", level=LEVEL)
        df = [np.inf, k - 1, containment_df(fit.x, terms)[0], fit.df[0]]
        limits[i] = [around(fit.coef[0], fit.se[0], each) for each in df]
        parts[i] = [(c.estimate, c.ci_lower, c.ci_upper) for c in fit.components]  # None becomes NaN
    names = ("variance between studies", "variance within studies")
    return {
        "interval of the mean": {method: held(limits[:, i, 0], limits[:, i, 1], MU) for i, method in enumerate(MEANS)},
        "profile-likelihood interval": {
            name: held(parts[:, i, 1], parts[:, i, 2], truth[i]) for i, name in enumerate(names)
        },
        "bias": {name: missed(parts[:, i, 0], truth[i]) for i, name in enumerate(names)},
    }


_THERE, _NOT_THERE = COMPONENTS
SCENARIOS: list[Scenario] = [
    *grid("multilevel", "Three levels", three_levels, REPLICATES, variances=(_THERE,), rows=("1 to 5",),
          studies=(6, 10, 20, 40)),
    *grid("multilevel", "Three levels", three_levels, REPLICATES, variances=(_THERE,), rows=("3",), studies=(6, 20)),
    *grid("multilevel", "Three levels", three_levels, REPLICATES, variances=(_NOT_THERE,), rows=("1 to 5",),
          studies=(6, 20)),
]  # fmt: skip


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    mean, parts = "interval of the mean", "profile-likelihood interval"
    there = {"variances": _THERE}
    few = {**there, "studies": lambda m: m <= 10}
    return [
        f"Too short: normal intervals of the mean, {said(cells, mean, 'z', **few)} with 6 or 10 studies; t with k - p "
        f"degrees of freedom, {said(cells, mean, 't, k - p df', **few)}, is hardly better: rows are no studies.",
        f"The default, containment: {said(cells, mean, 'containment', **there)}; Satterthwaite: "
        f"{said(cells, mean, 'Satterthwaite', **there)}. Where there is no variance between studies both are too wide "
        "or near their level "
        f"({said(cells, mean, 'containment', 'Satterthwaite', variances=_NOT_THERE)}).",
        f"Profile-likelihood intervals hold the variance between studies in "
        f"{said(cells, parts, 'variance between studies', **there)}, that within in "
        f"{said(cells, parts, 'variance within studies')}; of a variance that is 0 only the lower limit can miss.",
    ]
