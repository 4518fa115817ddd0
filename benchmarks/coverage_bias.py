"""Small-study effects: how often tests cry wolf, and what adjusted estimates do with and without selection."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, grid, held, missed, rejected, said, signed, spread, variances

from igfmeta.effects.two_arm import two_arm
from igfmeta.errors import InputError
from igfmeta.models.bias.funnel import Funnel, funnel
from igfmeta.models.bias.pet_peese import peese, pet, pet_peese
from igfmeta.models.bias.registry import run_test
from igfmeta.models.bias.selection.model import selection_model
from igfmeta.models.bias.trim_and_fill import trim_and_fill
from igfmeta.models.pooling import pool

TITLE = "Small-study effects"
ABOUT = (
    "Tests are tried where there are no small-study effects: normal effects with the sampling variances of the pools, "
    "and odds ratios from 25 to 250 patients in each arm (log-uniform) with risks of 10 to 40 % in arm 2. Likelihood "
    "ratio tests of selection models likewise, about a mean of 0.3. Adjusted estimates are tried on what is published: "
    "everything, or all studies with one-sided p < 0.025 and a fifth of the others (`strong`)."
)
TESTED, FITTED = 1_000, 500
GENERIC = ("egger", "egger-mixed", "egger-common", "thompson-sharp", "begg")
FOR_ODDS = ("egger", "thompson-sharp", "harbord", "peters", "macaskill-fpv", "schwarzer")
MODELS: dict[str, dict[str, Any]] = {
    "step at 0.025": {"steps": (0.025,)},
    "steps at 0.025, 0.5": {"steps": (0.025, 0.5)},
    "half-normal": {"kind": "half-normal"},
}
ADJUSTED = ("REML, Hartung-Knapp", "PET", "PEESE", "PET-PEESE", "trim and fill, L0", "step selection model")

#: Chance of publication of what is not significant, and studies done for each that is published.
CHANCE, DONE = 0.2, 12


def _p_values(names: tuple[str, ...], sets: list[Funnel]) -> dict[str, Any]:
    def p_value(test: str, data: Funnel) -> float:
        try:
            return run_test(test, data).p_value
        except InputError:
            return float("nan")

    return {name: rejected([p_value(name, data) for data in sets]) for name in names}


def effects(rng: np.random.Generator, n: int, *, k: int, tau2: float) -> Found:
    """Test n funnels that are symmetrical."""
    v = variances(rng, (n, k))
    y = rng.normal(0.3, np.sqrt(v + tau2))
    return {"size of the test": _p_values(GENERIC, [funnel(y[i], v[i]) for i in range(n)])}


def odds_ratios(rng: np.random.Generator, n: int, *, odds: float, tau2: float, k: int) -> Found:
    """Test n funnels of odds ratios that do not depend on the size of the study."""
    n2 = np.round(np.exp(rng.uniform(np.log(25), np.log(250), (n, k)))).astype(int)
    risk = rng.uniform(0.1, 0.4, (n, k))
    logit = np.log(risk / (1 - risk)) + rng.normal(np.log(odds), np.sqrt(tau2), (n, k))
    a, c = rng.binomial(n2, 1 / (1 + np.exp(-logit))), rng.binomial(n2, risk)
    sets = []
    for i in range(n):
        tells = a[i] + c[i] > 0
        counts = np.column_stack([a[i], n2[i], c[i], n2[i]])[tells].astype(float)
        sizes = two_arm(*counts.T, measure="OR")
        sets.append(funnel(sizes.yi, sizes.vi, counts=counts))
    return {"size of the test": _p_values(FOR_ODDS, sets)}


def unselected(rng: np.random.Generator, n: int, *, k: int, tau2: float) -> Found:
    """Test n sets without selection by the likelihood ratio of selection models."""
    v = variances(rng, (n, k))
    y = rng.normal(0.3, np.sqrt(v + tau2))
    found: dict[str, list[float]] = {name: [] for name in MODELS}
    for i in range(n):
        data = funnel(y[i], v[i])
        for name, options in MODELS.items():
            try:
                p_value = selection_model(data, **options).lrt_p_value
            except InputError:  # an interval of p-values without a study
                p_value = None
            found[name].append(np.nan if p_value is None else p_value)
    return {"size of the likelihood-ratio test": {name: rejected(p) for name, p in found.items()}}


def _published(rng: np.random.Generator, k: int, mean: float, tau2: float, selection: str) -> tuple[Any, Any]:
    """Return the first k published of many studies."""
    y, v = np.empty(0), np.empty(0)
    while len(y) < k:
        more = variances(rng, (DONE * k,))
        effect = rng.normal(mean, np.sqrt(more + tau2))
        significant = effect / np.sqrt(more) > 1.959963984540054
        kept = significant | (rng.random(DONE * k) < (CHANCE if selection == "strong" else 1.0))
        y, v = np.append(y, effect[kept]), np.append(v, more[kept])
    return y[:k], v[:k]


def _adjusted(data: Funnel) -> list[tuple[float, float, float]]:
    """Return estimate and limits of each of `ADJUSTED` but the first."""
    found = [(f.estimate, f.ci_lower, f.ci_upper) for f in (pet(data), peese(data), pet_peese(data))]
    filled = trim_and_fill(data, estimator="L0", side="left").fit
    found.append((filled.estimate, filled.ci_lower, filled.ci_upper))
    try:
        model = selection_model(data, steps=(0.025,), level=LEVEL)
    except InputError:
        return [*found, (np.nan, np.nan, np.nan)]
    return [*found, (model.estimate, model.ci_lower, model.ci_upper)]


def published(rng: np.random.Generator, n: int, *, selection: str, mean: float, tau2: float, k: int) -> Found:
    """Adjust n sets of published studies in every way."""
    sets = [_published(rng, k, mean, tau2, selection) for _ in range(n)]
    y, v = (np.stack([each[j] for each in sets]) for j in (0, 1))
    fit = pool(y, v, method="REML", ci="HK", level=LEVEL)
    rest = np.array([_adjusted(funnel(*each)) for each in sets])
    first = np.stack([fit.estimate, fit.ci_lower, fit.ci_upper], axis=-1)[:, None]
    found = np.concatenate([first, rest], axis=1)
    return {
        "interval of the mean": {name: held(found[:, i, 1], found[:, i, 2], mean) for i, name in enumerate(ADJUSTED)},
        "bias of the mean": {name: missed(found[:, i, 0], mean) for i, name in enumerate(ADJUSTED)},
    }


_TAU2 = (0.0, 0.1)
SCENARIOS: list[Scenario] = [
    *grid("bias", "Tests on effects", effects, TESTED, k=(10, 20, 50), tau2=_TAU2),
    *grid("bias", "Tests on odds ratios", odds_ratios, TESTED, odds=(1.0, 0.5, 0.25), tau2=_TAU2, k=(20,)),
    *grid("bias", "Selection models", unselected, FITTED, k=(10, 20, 50), tau2=(0.1,)),
    *grid("bias", "Selection models", unselected, FITTED, k=(20,), tau2=(0.0,)),
    *grid("bias", "Adjusted estimates", published, FITTED, selection=("none", "strong"), mean=(0.0, 0.3), tau2=_TAU2,
          k=(20,)),
]  # fmt: skip


def _bias(cells: list[dict[str, Any]], method: str, **where: Any) -> str:
    found = [
        cell["found"]["bias of the mean"][method]["bias"]
        for cell in cells
        if "bias of the mean" in cell["found"] and all(cell["settings"][name] == value for name, value in where.items())
    ]
    return spread(signed(min(found)), signed(max(found)))


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return which tests keep their level, and what adjusting costs."""
    own = {part: [c for c in cells if c["part"] == part] for part in dict.fromkeys(c["part"] for c in cells)}
    plain, odds = own["Tests on effects"], own["Tests on odds ratios"]
    size, lrt, mean = "size of the test", "size of the likelihood-ratio test", "interval of the mean"
    apart, strong = {"tau2": 0.1}, {"selection": "strong"}
    return [
        f"On normal effects Egger's test keeps its level without heterogeneity ({said(plain, size, 'egger', tau2=0.0)})"
        f"; with tau2 = 0.1 it rejects {said(plain, size, 'egger', **apart)}, without dispersion "
        f"{said(plain, size, 'egger-common', **apart)}, the mixed model {said(plain, size, 'egger-mixed', **apart)}, "
        f"Thompson-Sharp {said(plain, size, 'thompson-sharp', **apart)}.",
        f"On odds ratios far from 1 the standard error depends on the effect: at 0.25 Egger rejects "
        f"{said(odds, size, 'egger', odds=0.25)}, Harbord {said(odds, size, 'harbord', odds=0.25)}, Peters "
        f"{said(odds, size, 'peters', odds=0.25)}.",
        f"Likelihood-ratio tests of selection reject {said(cells, lrt, 'step at 0.025')} (one step), "
        f"{said(cells, lrt, 'steps at 0.025, 0.5')} (two steps) and {said(cells, lrt, 'half-normal')} (half-normal, "
        "whose parameter has its boundary where there is no selection).",
        f"Under strong selection the pool is biased by {_bias(cells, 'REML, Hartung-Knapp', **strong)}, PET-PEESE by "
        f"{_bias(cells, 'PET-PEESE', **strong)}, the step selection model, which is right here, by "
        f"{_bias(cells, 'step selection model', **strong)}; their intervals hold "
        f"{said(cells, mean, 'REML, Hartung-Knapp', **strong)}, {said(cells, mean, 'PET-PEESE', **strong)} and "
        f"{said(cells, mean, 'step selection model', **strong)}.",
        f"Where everything is published PET, PEESE and PET-PEESE hold "
        f"{said(cells, mean, *ADJUSTED[1:4], selection='none', tau2=0.0)} without heterogeneity and "
        f"{said(cells, mean, *ADJUSTED[1:4], selection='none', tau2=0.1)} with tau2 = 0.1: weights 1/v with a "
        "multiplicative dispersion are not those of effects that differ, and large studies count for too much.",
    ]
