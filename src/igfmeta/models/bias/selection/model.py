"""Selection models: a pooled effect under a weight function of the p-value, and the test of that function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from igfmeta.errors import InputError, check_choice, check_level
from igfmeta.models.bias.excess import ALTERNATIVES
from igfmeta.models.bias.funnel import Funnel
from igfmeta.models.bias.selection.likelihood import Likelihood, Studies, continuous_likelihood, step_likelihood
from igfmeta.models.bias.selection.registry import SELECTION_NAMES, WEIGHTS
from igfmeta.models.bias.selection.search import Peak, highest
from igfmeta.models.pooling import pool_one
from igfmeta.numerics import Floats, chi2_upper, t_quantile, t_two_sided

PRECISIONS = ("none", "sei", "vi")

#: The weight of an interval is sought between these.
LOWEST, HIGHEST = 0.0, 100.0


@dataclass(frozen=True, eq=False)
class SelectionModel:
    """A fitted selection model, on the analysis scale.

    Attributes
    ----------
    kind : str
        "step" or one of the smooth weight functions.
    alternative : str
        Direction of the p-values.
    steps : tuple of float
        Cut points of a step function.
    estimate, se, ci_lower, ci_upper, p_value : float
        The effect before selection, normal test; NaN where the information is singular.
    tau2, se_tau2 : float
    delta, se_delta : tuple of float
        Parameters of the weight function (of a step function: each interval's weight, the first 1); NaN for the
        standard error of what is fixed or at a bound.
    log_likelihood, log_likelihood_none : float
        With and without selection, both at their maximum.
    lrt, lrt_df, lrt_p_value : float, int, float or None
        Test of no selection; no p-value where the weights are given.
    counts : tuple of int
        Studies per interval of the step function.
    converged : bool
    condition : float
        Condition number of the information.
    at_bound : bool
        A weight has run to its bound: the data do not hold it.
    """

    kind: str
    alternative: str
    steps: tuple[float, ...]
    estimate: float
    se: float
    ci_lower: float
    ci_upper: float
    p_value: float
    tau2: float
    se_tau2: float
    delta: tuple[float, ...]
    se_delta: tuple[float, ...]
    log_likelihood: float
    log_likelihood_none: float
    lrt: float
    lrt_df: int
    lrt_p_value: float | None
    counts: tuple[int, ...]
    converged: bool
    condition: float
    at_bound: bool


def selection_model(
    data: Funnel,
    kind: str = "step",
    *,
    steps: Sequence[float] = (0.025,),
    weights: Sequence[float] | None = None,
    alternative: str = "greater",
    precision: str = "none",
    level: float = 0.95,
) -> SelectionModel:
    """Fit a selection model by maximum likelihood.

    The density of an observed effect is w(p) N(y; mu, v + tau2) / A, with A its integral (Hedges 1992, Stat Sci 7:246,
    eq. 8). Integrals of step functions are exact, of smooth ones to about 1e-12; the search starts from a grid, so
    that the highest of several maxima is found.

    Parameters
    ----------
    data : Funnel
    kind : str
        "step" (Vevea & Hedges 1995), "half-normal", "negative-exponential", "logistic", "power", "beta".
    steps : sequence of float
        Cut points of the step function, between 0 and 1, rising.
    weights : sequence of float, optional
        Of each interval, the first included, if they are not to be estimated (Vevea & Woods 2005): a sensitivity
        analysis for few studies.
    alternative : {"greater", "less", "two-sided"}
        Which effects make small p-values.
    precision : {"none", "sei", "vi"}
        For half-normal, negative-exponential, logistic and power: p is multiplied by the standard error or the
        variance, scaled to a largest value of 1, so that large studies are selected less (Preston et al. 2004).
    level : float

    Raises
    ------
    InputError
        Options that are not accepted; an interval of the step function without a study.

    Examples
    --------
    >>> from igfmeta.models.bias.funnel import funnel
    >>> data = funnel([0.5, 0.6, 0.1, 0.8, 0.9, -0.1], [0.03, 0.04, 0.04, 0.05, 0.06, 0.07])
    >>> found = selection_model(data)
    >>> found.counts, found.delta[1] < 1, found.estimate < 0.5
    ((4, 2), True, True)
    """
    kind = check_choice("kind", kind, SELECTION_NAMES)
    alternative = check_choice("alternative", alternative, ALTERNATIVES)
    precision = check_choice("precision", precision, PRECISIONS)
    level = check_level(level)
    cuts = checked_steps(steps) if kind == "step" else np.array([])
    fixed = checked_weights(weights, kind, len(cuts) + 1)
    if precision != "none" and (kind == "step" or not WEIGHTS[kind].takes_precision):
        raise InputError(f"precision was {precision!r} with {kind} weights, which do not take it.")
    # In units of the median standard error, so that no tolerance is absolute.
    unit = float(np.sqrt(np.median(data.vi)))
    sign = -1.0 if alternative == "less" else 1.0
    spread = {"none": np.ones(data.k), "sei": data.sei / data.sei.max(), "vi": data.vi / data.vi.max()}[precision]
    studies = Studies(sign * data.yi / unit, data.vi / unit**2, alternative == "two-sided", spread)
    counts = np.bincount(np.searchsorted(cuts, studies.p_values, side="left"), minlength=len(cuts) + 1)
    if kind == "step":
        _refuse_empty(counts, cuts, fixed)
        f, none = step_likelihood(studies, cuts), np.ones(len(cuts))
        lower, upper = np.full(len(cuts), LOWEST), np.full(len(cuts), HIGHEST)
    else:
        shape = WEIGHTS[kind]
        f, none = continuous_likelihood(studies, shape), np.array(shape.none)
        lower, upper = np.array(shape.lower), np.array(shape.upper)
    peak = _found(f, studies, lower, upper, none, fixed)
    without = _without(studies)
    return _assembled(kind, alternative, cuts, peak, without, fixed, counts, level, sign, unit, data)


def checked_steps(steps: Sequence[float]) -> Floats:
    """Return the cut points of a step function below 1; refuse what are none."""
    cuts = np.asarray(list(steps), dtype=float)
    if not len(cuts) or not np.all((cuts > 0) & (cuts <= 1)) or np.any(np.diff(cuts) <= 0):
        raise InputError(f"steps was {list(steps)}; accepted are rising numbers between 0 and 1, such as 0.025, 0.5.")
    return cuts[cuts < 1]


def checked_weights(weights: Sequence[float] | None, kind: str, expected: int) -> Floats | None:
    """Return given weights relative to the first; refuse what are none."""
    if weights is None:
        return None
    given = np.asarray(list(weights), dtype=float)
    if kind != "step":
        raise InputError(f"weights were given for {kind} weights; they are of the step function.")
    if len(given) != expected or not np.all(np.isfinite(given) & (given > 0)):
        raise InputError(
            f"weights was {list(weights)}; accepted are {expected} numbers above 0, one for each interval of p."
        )
    return np.asarray(given / given[0])


def _refuse_empty(counts: Any, cuts: Floats, fixed: Floats | None) -> None:
    ends = [0.0, *cuts.tolist(), 1.0]
    empty = [f"({ends[j]:g}, {ends[j + 1]:g}]" for j in np.flatnonzero(counts == 0)]
    if empty and fixed is None:
        raise InputError(
            f"No study has a p-value in {' and '.join(empty)}, so that its weight cannot be estimated; "
            "choose other steps, or give the weights."
        )


def _found(f: Likelihood, studies: Studies, lower: Floats, upper: Floats, none: Floats, fixed: Floats | None) -> Peak:
    """Return the maximum, over mu and tau2 alone where the weights are given."""
    ml = pool_one(studies.yi, studies.vi, method="ML", tau2_ci="none")
    mus = (ml.estimate, 0.5 * ml.estimate, 0.0)
    spreads = ((ml.tau2 or 0.0), 0.3, 2.0)
    if fixed is not None:
        weights = fixed[1:]

        def held(theta: Floats) -> tuple[float, Floats]:
            value, gradient = f(np.concatenate([theta, weights]))
            return value, gradient[:2]

        starts = [np.array(pair) for pair in product(mus, spreads)]
        return highest(held, starts, np.array([-np.inf, 0.0]), np.array([np.inf, np.inf]))
    scales = (0.2, 1.0, 4.0) if np.all(none == 1.0) else (0.5, 3.0, 12.0)
    deltas = [np.full(len(none), scale) for scale in scales]
    if len(none) == 2:
        deltas += [np.array(pair) for pair in ((0.5, 4.0), (0.8, 0.3))]
    starts = [np.concatenate([[mu, tau2], delta]) for mu, tau2, delta in product(mus, spreads, deltas)]
    starts.append(np.concatenate([[ml.estimate, ml.tau2 or 0.0], none]))
    return highest(f, starts, np.concatenate([[-np.inf, 0.0], lower]), np.concatenate([[np.inf, np.inf], upper]))


def _without(studies: Studies) -> float:
    """Return the log-likelihood without selection, at its maximum."""
    ml = pool_one(studies.yi, studies.vi, method="ML", tau2_ci="none")
    total = studies.vi + (ml.tau2 or 0.0)
    return float(-0.5 * np.sum(np.log(2 * np.pi * total) + (studies.yi - ml.estimate) ** 2 / total))


def _assembled(
    kind: str, alternative: str, cuts: Floats, peak: Peak, without: float, fixed: Floats | None, counts: Any,
    level: float, sign: float, unit: float, data: Funnel,
) -> SelectionModel:  # fmt: skip
    """Return the result in the units of the data."""
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.diag(peak.covariance))
    estimate, se_mu = sign * unit * float(peak.theta[0]), unit * float(se[0])
    half = float(t_quantile(0.5 + level / 2, np.inf)) * se_mu
    delta, se_delta = peak.theta[2:], se[2:]
    if kind == "step":
        delta = np.concatenate([[1.0], delta]) if fixed is None else fixed
        se_delta = np.concatenate([[np.nan], se_delta]) if fixed is None else np.full(len(fixed), np.nan)
    shift = data.k * np.log(unit)
    lrt = max(0.0, 2 * (peak.value - without))
    df = len(peak.theta) - 2
    return SelectionModel(
        kind=kind,
        alternative=alternative,
        steps=tuple(cuts.tolist()),
        estimate=estimate,
        se=se_mu,
        ci_lower=estimate - half,
        ci_upper=estimate + half,
        p_value=float(t_two_sided(estimate / se_mu, np.inf)) if se_mu > 0 else float("nan"),
        tau2=unit**2 * float(peak.theta[1]),
        se_tau2=unit**2 * float(se[1]),
        delta=tuple(delta.tolist()),
        se_delta=tuple(se_delta.tolist()),
        log_likelihood=peak.value - shift,
        log_likelihood_none=without - shift,
        lrt=lrt,
        lrt_df=df,
        lrt_p_value=float(chi2_upper(lrt, df)) if df else None,
        counts=tuple(int(n) for n in counts) if kind == "step" else (),
        converged=peak.converged,
        condition=peak.condition,
        at_bound=bool((~peak.free[2:]).any()),
    )
