"""Coverage and bias of rates of single arms: the binomial-normal model beside pools of corrected logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from coverage_scenarios import LEVEL, Found, Scenario, around, grid, held, missed, range_of, said, signed, spread

from igfmeta.effects.one_arm import one_arm
from igfmeta.models.count_kernels import Binomial
from igfmeta.models.glmm import at_an_end, data_sets, start
from igfmeta.models.mixed_likelihood import maximize
from igfmeta.models.pooling import pool

TITLE = "Rates of single arms"
ABOUT = (
    "Events are binomial among 15 to 60 patients, logits of the rates normal with variance tau2 about the logit of the "
    "median rate; intervals, estimates and bias are of that logit. GLMM is the binomial-normal model by maximum "
    "likelihood (PL: profile likelihood; t with k - 1 degrees of freedom); the others pool logits with 0.5 added where "
    "a count is 0, as if they were normal with known variance."
)
REPLICATES = 1_000


def proportions(rng: np.random.Generator, n: int, *, rate: float, tau2: float, k: int) -> Found:
    """Fit n data sets in every way."""
    mu = float(np.log(rate / (1 - rate)))
    size = rng.integers(15, 61, (n, k))
    events = rng.binomial(size, 1 / (1 + np.exp(-rng.normal(mu, np.sqrt(tau2), (n, k)))))
    x, total = events.astype(float), size.astype(float)
    logits = one_arm(x.ravel(), total.ravel(), measure="PLO")
    y, v = logits.yi.reshape(n, k), logits.vi.reshape(n, k)
    hk, dl = pool(y, v, method="REML", ci="HK", level=LEVEL), pool(y, v, method="DL", ci="z", level=LEVEL)
    # Without any event, or with events in everybody, the likelihood has no maximum.
    low, high = (end.reshape(n, k).all(axis=1) for end in at_an_end(Binomial(x.ravel(), total.ravel(), 0 * x.ravel())))
    some = np.flatnonzero(~(low | high))
    kernel = Binomial(x[some].ravel(), total[some].ravel(), np.zeros(len(some) * k))
    sizes = np.full(len(some), k)
    fit = maximize(data_sets(kernel, sizes), start(kernel, sizes), level=LEVEL)

    def whole(values: Any) -> Any:
        out = np.full(n, np.nan)
        out[some] = np.where(fit.converged, values, np.nan)
        return out

    theta, se = whole(fit.theta), whole(fit.se)
    return {
        "interval of the logit": {
            "GLMM z": held(*around(theta, se), mu),
            "GLMM t": held(*around(theta, se, k - 1), mu),
            "GLMM PL": held(whole(fit.theta_lower), whole(fit.theta_upper), mu),
            "logits, DL z": held(dl.ci_lower, dl.ci_upper, mu),
            "logits, REML HK": held(hk.ci_lower, hk.ci_upper, mu),
        },
        "interval of tau2": {
            "GLMM PL": held(whole(fit.tau2_lower), whole(fit.tau2_upper), tau2),
            "logits, Q-profile": held(hk.tau2_ci_lower, hk.tau2_ci_upper, tau2),
        },
        "bias of the logit": {
            "GLMM": missed(theta, mu),
            "logits, DL": missed(dl.estimate, mu),
            "logits, REML": missed(hk.estimate, mu),
        },
        "bias of tau2": {"GLMM": missed(whole(fit.tau2), tau2), "logits, REML": missed(hk.tau2, tau2)},
    }


SCENARIOS: list[Scenario] = grid(
    "rates", "Rates", proportions, REPLICATES, rate=(0.05, 0.2), tau2=(0.0, 0.3), k=(5, 10, 20)
)


def biases(cells: list[dict[str, Any]], quantity: str, method: str, **where: Any) -> str:
    """Return the lowest and highest bias in words."""
    values = [
        cell["found"][quantity][method]["bias"]
        for cell in cells
        if all(cell["settings"].get(name) == value for name, value in where.items())
    ]
    return spread(signed(min(values)), signed(max(values)))


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    mean, bias = "interval of the logit", "bias of the logit"

    def by_k(method: str) -> str:
        return ", ".join(said(cells, mean, method, tau2=0.3, k=k) for k in (5, 10, 20))

    worst = range_of(cells, mean, "logits, DL z", rate=0.05)[0]
    return [
        f"Corrected logits are biased towards one half: {biases(cells, bias, 'logits, REML', rate=0.05)} on the logit "
        f"scale at a rate of 5 % (GLMM: {biases(cells, bias, 'GLMM', rate=0.05)}), and more studies make it worse: "
        f"their intervals fall to {worst:.1f} %.",
        "With heterogeneity and 5, 10 and 20 studies the GLMM's normal interval, the default of `fit --model glmm`, "
        f"holds {by_k('GLMM z')}; profile likelihood, which `pool` takes for rates, {by_k('GLMM PL')}; t with k - 1 "
        f"degrees of freedom (`--ci t`) {by_k('GLMM t')}, and too much where there is no heterogeneity.",
        f"Profile-likelihood intervals of tau2 hold {said(cells, 'interval of tau2', 'GLMM PL')}: maximum likelihood "
        "takes tau2 for smaller than it is with few studies, and its interval with it.",
    ]
