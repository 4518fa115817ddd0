"""Two arms of individual times compared: Cox's hazard ratio, the log-rank test, the difference of restricted means.

Cox (1972), J R Stat Soc B 34:187; Breslow (1974), Biometrics 30:89 and Efron (1977), J Am Stat Assoc 72:557 for tied
times; Mantel (1966), Cancer Chemother Rep 50:163. With one binary covariate the partial likelihood depends on the data
only through the numbers at risk in both arms at each event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.effects.kaplan_meier import individuals
from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.numerics import Floats, chi2_upper

TIES = ("efron", "breslow")

#: Newton's steps; the partial likelihood of one covariate is concave, so that few are needed.
STEPS = 100


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Distinct event times of two arms pooled: events and numbers at risk, in all and in the experimental arm."""

    time: Floats
    events: Floats
    at_risk: Floats
    events_exp: Floats
    at_risk_exp: Floats


@dataclass(frozen=True)
class LogRank:
    """The log-rank test: observed less expected events of the experimental arm, their variance, chi-squared (1 df)."""

    o_minus_e: float
    variance: float
    chi2: float
    p_value: float


def risk_sets(time: Any, status: Any, arm: Any) -> RiskSets:
    """Return the risk sets of two arms.

    Parameters
    ----------
    time, status, arm : array_like of shape (n,)
        `status` 1 for an event, `arm` 1 for the experimental arm.

    Raises
    ------
    InputError
        See `igfmeta.effects.kaplan_meier.individuals`; an arm other than 0 and 1, or one arm only.
    """
    t, d = individuals(time, status)
    x = np.asarray(arm, dtype=float)
    if x.shape != t.shape or set(np.unique(x).tolist()) != {0.0, 1.0}:
        raise InputError(
            "arm holds something else than 0 (control) and 1 (experimental) for every person, both needed."
        )
    at = np.unique(t[d == 1])
    order = np.argsort(t, kind="stable")
    sorted_t, reverse = t[order], np.cumsum(x[order][::-1])[::-1]
    first = np.searchsorted(sorted_t, at, side="left")
    where = np.searchsorted(at, t[d == 1])
    return RiskSets(
        time=at,
        events=np.bincount(where, minlength=len(at)).astype(float),
        at_risk=(len(t) - first).astype(float),
        events_exp=np.bincount(where, weights=x[d == 1], minlength=len(at)),
        at_risk_exp=reverse[first] if len(at) else np.zeros(0),
    )


def _terms(sets: RiskSets, ties: str) -> tuple[Floats, Floats]:
    """Return the numbers at risk (experimental, control) in each factor of the partial likelihood.

    The l-th of d tied events keeps, after Efron, all who are at risk less l/d of those who have the event.
    """
    d = sets.events.astype(int)
    i = np.repeat(np.arange(len(d)), d)
    first = np.cumsum(d) - d
    share = (np.arange(len(i)) - first[i]) / d[i] if ties == "efron" else np.zeros(len(i))
    control, events_ctl = sets.at_risk - sets.at_risk_exp, sets.events - sets.events_exp
    return sets.at_risk_exp[i] - share * sets.events_exp[i], control[i] - share * events_ctl[i]


def cox(sets: RiskSets, *, ties: str = "efron") -> tuple[float, float]:
    """Return the log hazard ratio of the experimental arm and its standard error, by Newton's method.

    Raises
    ------
    NothingToPool
        The partial likelihood has no maximum: the events of one arm all precede what the other arm could tell.

    Examples
    --------
    >>> sets = risk_sets([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1])
    >>> round(cox(sets)[0], 6)
    -0.940614
    """
    ties = check_choice("ties", ties, TIES)
    a, c = _terms(sets, ties)
    observed = float(sets.events_exp.sum())
    # The score falls from (events - factors without control) to (events - factors with anybody experimental).
    if not (np.sum(c == 0) < observed < np.sum(a > 0)):
        raise NothingToPool(
            "The hazard ratio is not estimable: the partial likelihood has no maximum, because no event tells the "
            "arms apart in one direction."
        )
    beta = 0.0
    for _ in range(STEPS):
        p = a * np.exp(beta) / (c + a * np.exp(beta))
        score, information = observed - p.sum(), (p * (1 - p)).sum()
        step = float(np.clip(score / information, -2.0, 2.0))
        beta += step
        if abs(step) <= 1e-12 * max(1.0, abs(beta)):
            break
    p = a * np.exp(beta) / (c + a * np.exp(beta))
    return beta, float(1 / np.sqrt((p * (1 - p)).sum()))


def log_rank(sets: RiskSets) -> LogRank:
    """Return the log-rank test, with the hypergeometric variance.

    Examples
    --------
    >>> round(log_rank(risk_sets([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1])).chi2, 6)
    0.615385
    """
    n, d, m = sets.at_risk, sets.events, sets.at_risk_exp
    o_minus_e = float((sets.events_exp - d * m / n).sum())
    spread = np.divide(n - d, n - 1, out=np.zeros_like(n), where=n > 1)
    variance = float((d * (m / n) * (1 - m / n) * spread).sum())
    if variance <= 0:
        raise NothingToPool("The log-rank test is not estimable: no event falls while both arms are at risk.")
    chi2 = o_minus_e**2 / variance
    return LogRank(o_minus_e, variance, chi2, float(chi2_upper(chi2, 1)))
