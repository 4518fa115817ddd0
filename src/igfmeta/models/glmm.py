"""Generalized linear mixed models of counts: exact likelihoods of the studies, effects normal around theta.

Nothing is added to zero cells and no study's variance is taken as known (Stijnen, Hamza & Ozdemir 2010, Stat Med
29:3046; Jackson et al. 2018, Stat Med 37:1059, compare the models).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.errors import NothingToPool
from igfmeta.models.count_kernels import Binomial, Hypergeometric, Kernel, Poisson
from igfmeta.models.fixed_intercepts import profiled
from igfmeta.models.mixed_data import DataSets, Evaluate, Mixed
from igfmeta.models.mixed_likelihood import maximize
from igfmeta.models.normal_mixing import contributions
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, Mask, chi2_upper, t_quantile, t_two_sided

#: Studies whose likelihoods are on the grid at once.
CHUNK = 2_000

#: z, t: theta -+ quantile x standard error, normal or with k - 1 degrees of freedom; PL: profile likelihood.
GLMM_CI = ("z", "t", "PL")


def _zeros(x: Floats) -> Floats:
    return np.zeros_like(x)


def _proportion(events: Floats, n: Floats) -> Kernel:
    return Binomial(events, n, _zeros(n))


def _rate(events: Floats, time: Floats) -> Kernel:
    return Poisson(events, time)


def _exact(events1: Floats, n1: Floats, events2: Floats, n2: Floats) -> Kernel:
    return Hypergeometric.of(events1, n1, events2, n2)


def _conditional(events1: Floats, size1: Floats, events2: Floats, size2: Floats) -> Kernel:
    return Binomial(events1, events1 + events2, np.log(size1 / size2))


@dataclass(frozen=True, eq=False)
class Counts:
    """The likelihood of a data set: what evaluates its studies, the kernel that says how high it could be at best, and
    the one that says which studies tell of the effect (and in one direction only)."""

    evaluate: Evaluate
    whole: Kernel
    telling: Kernel


def _of_one_dimension(build: Callable[..., Kernel]) -> Callable[[str, dict[str, Floats]], Counts]:
    def counts_of(_measure: str, counts: dict[str, Floats]) -> Counts:
        kernel = build(*counts.values())
        return Counts(_mixing(kernel), kernel, kernel)

    return counts_of


def _with_intercepts(measure: str, counts: dict[str, Floats]) -> Counts:
    evaluate, arms = profiled(measure, counts)
    return Counts(evaluate, arms, (_exact if measure == "OR" else _conditional)(*counts.values()))


#: Measure and variant -> the likelihood of the studies; the first of a measure is its default. UM.RS, whose integral
#: has two dimensions, is in `igfmeta.models.random_intercepts`.
VARIANTS: dict[tuple[str, str], Callable[[str, dict[str, Floats]], Counts]] = {
    ("PLO", "logit-normal"): _of_one_dimension(_proportion),
    ("IRLN", "Poisson-normal"): _of_one_dimension(_rate),
    ("OR", "CM.EL"): _of_one_dimension(_exact),
    ("OR", "CM.AL"): _of_one_dimension(_conditional),
    ("OR", "UM.FS"): _with_intercepts,
    ("IRR", "CM.EL"): _of_one_dimension(_conditional),
    ("IRR", "UM.FS"): _with_intercepts,
}


@dataclass(frozen=True, eq=False)
class Certified:
    """A fit of counts and what certifies it.

    Attributes
    ----------
    fit : Pooled
    log_likelihood, log_likelihood_common : float
        Of the model, and with tau2 = 0; every constant included.
    lrt, lrt_p_value : float
        Likelihood-ratio test of tau2 = 0; the p-value halves that of chi-squared with 1 df, since 0 is the boundary
        (Self & Liang 1987, J Am Stat Assoc 82:605, case 5).
    common : float
        theta with tau2 = 0.
    gradient, condition, accuracy : float
        Largest derivative left, condition number of the observed information, and the change of the log-likelihood when
        the nodes of the integral were last doubled.
    nodes : int
    """

    fit: Pooled
    log_likelihood: float
    log_likelihood_common: float
    lrt: float
    lrt_p_value: float
    common: float
    gradient: float
    condition: float
    accuracy: float
    nodes: int


def data_sets(kernel: Kernel, size: Any) -> DataSets:
    """Return data sets whose studies stand in one row: the first size[0] are those of the first data set."""
    count = np.asarray(size, dtype=np.intp)
    return DataSets(evaluate=_mixing(kernel), first=np.cumsum(count) - count, size=count)


def _mixing(kernel: Kernel) -> Evaluate:
    return lambda index, theta, t, nodes: contributions(kernel.take(index), theta, t, nodes=nodes)


def at_an_end(kernel: Kernel) -> tuple[Mask, Mask]:
    """Return which studies have a likelihood that only falls, or only rises, in their effect (both: says nothing)."""
    far = np.full((len(kernel), 1), 40.0)
    low, high = kernel.slopes(-far)[0][:, 0], kernel.slopes(far)[0][:, 0]
    return low <= 1e-9, high >= -1e-9


def start(kernel: Kernel, size: Any) -> Floats:
    """Return a first guess of theta for each data set: one Newton step from 0, where it is far, held short."""
    zero = np.zeros((len(kernel), 1))
    first, second = kernel.slopes(zero)
    owner = np.repeat(np.arange(len(size)), size)
    n = len(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = -np.bincount(owner, first[:, 0], n) / np.bincount(owner, second[:, 0], n)
    return np.clip(np.nan_to_num(step), -2.0, 2.0)


def in_one_row(counts: dict[str, Floats], mask: Mask) -> tuple[dict[str, Floats], Any]:
    """Return the counts of the studies that each row of a mask takes, one data set after the other, and their sizes."""
    column = np.nonzero(mask)[1]
    return {role: values[column] for role, values in counts.items()}, mask.sum(axis=1)


def of_likelihood(measure: str, variant: str, counts: dict[str, Floats], mask: Mask) -> tuple[DataSets, Floats]:
    """Return the data sets that the rows of a mask take, and a first guess of each effect."""
    taken, size = in_one_row(counts, mask)
    model = VARIANTS[measure, variant](measure, taken)
    return DataSets(model.evaluate, np.cumsum(size) - size, size), start(model.telling, size)


def glmm_fits(
    measure: str,
    variant: str,
    counts: dict[str, Floats],
    mask: Mask,
    *,
    typical: Floats,
    method: str = "ML",
    ci: str = "z",
    level: float = 0.95,
    named: str | None = None,
) -> tuple[Certified | str, ...]:
    """Fit each data set that a row of a mask takes; a sentence stands where there is no finite effect.

    Parameters
    ----------
    measure, variant : str
        A key of `VARIANTS`.
    counts : dict of ndarray of shape (k,)
        events, n; events, time; events1, n1, events2, n2; or events1, time1, events2, time2.
    mask : ndarray of bool, shape (batch, k)
    typical : ndarray of shape (batch,)
        The typical variance of the studies' own effects, for I2 and H2 (Higgins & Thompson 2002, eq. 9).
    method : {"ML", "CE"}
    ci : {"z", "t", "PL"}
    level : float
    named : str, optional
        What sentences call the model; by default its variant.

    Examples
    --------
    >>> counts = {"events": np.array([0.0, 3.0, 5.0]), "n": np.array([24.0, 20.0, 31.0])}
    >>> found, = glmm_fits("PLO", "logit-normal", counts, np.ones((1, 3), dtype=bool), typical=np.array([0.4]))
    >>> round(found.fit.estimate, 4), round(found.log_likelihood, 4)
    (-2.2454, -6.2469)
    """
    model = VARIANTS[measure, variant](measure, counts)
    reasons, low, high = without_maximum(model.telling, mask, named or variant)
    best, tells = model.whole.saturated(), (mask & ~(low & high)).sum(axis=1)
    fits: list[Certified | str] = list(reasons)
    free = np.flatnonzero([not reason for reason in reasons])
    for some in _parts(mask[free].sum(axis=1)):
        rows = free[some]
        data, guess = of_likelihood(measure, variant, counts, mask[rows])
        found = maximize(data, guess, level=level, common=method == "CE", profile=ci == "PL")
        for place, row in enumerate(rows):
            own = slice(data.first[place], data.first[place] + data.size[place])
            fits[row] = certified(
                found, place, k=int(data.size[place]), saturated=float(best[mask[row]].sum()),
                typical=float(typical[row]), variant=named or variant, method=method, ci=ci, level=level,
                tells=int(tells[row]), weights=found.information[own],
            )  # fmt: skip
    return tuple(fits)


def glmm_one(measure: str, variant: str, counts: dict[str, Floats], *, typical: float, **options: Any) -> Certified:
    """Fit one data set; see `glmm_fits`.

    Raises
    ------
    NothingToPool
        No finite effect: every study at the same end of what its counts can be.
    """
    k = len(next(iter(counts.values())))
    found = glmm_fits(measure, variant, counts, np.ones((1, k), dtype=bool), typical=np.array([typical]), **options)[0]
    if isinstance(found, str):
        raise NothingToPool(found)
    return found


def _parts(size: Any) -> list[slice]:
    """Return slices of data sets whose studies on a grid stay below `CHUNK` each."""
    step = max(1, CHUNK // max(1, int(size.max(initial=1))))
    return [slice(i, i + step) for i in range(0, len(size), step)]


def without_maximum(telling: Kernel, mask: Mask, variant: str) -> tuple[list[str], Mask, Mask]:
    """Return why a data set has no finite effect ("" where it has), and `at_an_end` of the studies."""
    low, high = at_an_end(telling)
    reasons = []
    for taken in mask:
        if not taken.any():
            reasons.append("No study is left.")
        elif low[taken].all() or high[taken].all():
            end = "lowest" if low[taken].all() else "highest"
            reasons.append(
                f"Every study has the {end} count that it could have: the likelihood of {variant} has no maximum, and "
                "the effect is infinite. For odds ratios --model firth gives a finite one; rates of single arms have "
                "the exact interval of their sum."
            )
        else:
            reasons.append("")
    return reasons, low, high


def certified(
    found: Mixed,
    row: int,
    *,
    k: int,
    saturated: float,
    typical: float,
    variant: str,
    method: str,
    ci: str,
    level: float,
    tells: int,
    weights: Floats,
) -> Certified:
    """Return one data set of a batch as plain numbers with its certificate."""
    value = {name: float(getattr(found, name)[row]) for name in _SINGLE}
    deviance = max(0.0, 2 * (saturated - value["log_likelihood_common"]))
    lrt = max(0.0, 2 * (value["log_likelihood"] - value["log_likelihood_common"]))
    several = k > 1 and method != "CE"
    df = float(k - 1) if ci == "t" else np.inf
    quantile = float(t_quantile(0.5 + level / 2, df)) if df > 0 else np.inf
    theta, se = value["theta"], value["se"]
    limits = (theta - quantile * se, theta + quantile * se)
    if ci == "PL":
        limits = (value["theta_lower"], value["theta_upper"])
    # Each side adds in quadrature what theta and the study's own deviation may be (Zou & Donner 2008, Stat Med
    # 27:1693); with a symmetric interval that is theta -+ quantile sqrt(tau2 + se^2).
    reach = quantile * float(np.sqrt(value["tau2"])) if several else np.nan
    predicted = (theta - np.hypot(theta - limits[0], reach), theta + np.hypot(limits[1] - theta, reach))
    statistic = theta / se
    p_value = float(t_two_sided(statistic, df)) if df > 0 else None
    tau2 = value["tau2"] if k > 1 else None
    fit = Pooled.of_likelihood(
        k=k,
        estimate=theta,
        se=se,
        statistic=statistic,
        df=df if ci == "t" else None,
        p_value=p_value,
        ci_lower=limits[0],
        ci_upper=limits[1],
        tau2=tau2,
        se_tau2=_none(value["se_tau2"]) if several else None,
        tau2_ci_lower=_none(value["tau2_lower"]) if several else None,
        tau2_ci_upper=_none(value["tau2_upper"]) if several else None,
        i2=None if tau2 is None else 100 * tau2 / (tau2 + typical),
        i2_q=None if k < 2 else max(0.0, 100 * (deviance - tells + 1) / deviance) if deviance > 0 else 0.0,
        h2=None if tau2 is None else (tau2 + typical) / typical,
        q=deviance,
        q_df=tells - 1,
        q_p_value=float(chi2_upper(deviance, tells - 1)) if tells > 1 else 1.0,
        pi_lower=float(predicted[0]) if several else None,
        pi_upper=float(predicted[1]) if several else None,
        pi_df=df if ci == "t" and several else None,
        weights=100 * weights / weights.sum(),
        converged=bool(found.converged[row]),
        multimodal=bool(found.multimodal[row]) and several,
        method=method,
        ci=ci,
        pi={"t": "V", "z": "z", "PL": "PL"}[ci] if several else "none",
        tau2_ci="PL" if several else "none",
        level=level,
        remarks=tuple(_remarks(value, several=several, converged=bool(found.converged[row]), variant=variant, ci=ci)),
    )
    return Certified(
        fit=fit,
        log_likelihood=value["log_likelihood"],
        log_likelihood_common=value["log_likelihood_common"],
        lrt=lrt,
        lrt_p_value=0.5 * float(chi2_upper(lrt, 1)) if lrt > 0 else 1.0,
        common=value["theta_common"],
        gradient=value["gradient"],
        condition=value["condition"],
        accuracy=value["accuracy"],
        nodes=found.nodes,
    )


_SINGLE = (
    "theta", "se", "tau2", "se_tau2", "theta_lower", "theta_upper", "tau2_lower", "tau2_upper", "log_likelihood",
    "log_likelihood_common", "theta_common", "gradient", "condition", "accuracy",
)  # fmt: skip


def _none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _remarks(value: dict[str, float], *, several: bool, converged: bool, variant: str, ci: str) -> list[str]:
    remarks = []
    if several and value["tau2"] == 0:
        remarks.append(
            "The likelihood is highest at tau2 = 0: standard error and prediction are those of a common effect."
        )
    if several and not np.isfinite(value["tau2_upper"]):
        remarks.append("The likelihood does not bound tau from above (below 10): the data hardly tell how large it is.")
    if not converged:
        remarks.append(f"The likelihood of {variant} still rises at tau = 10: do not use this result.")
    if ci == "PL" and not (np.isfinite(value["theta_lower"]) and np.isfinite(value["theta_upper"])):
        remarks.append("The profile likelihood does not bound the effect on one side.")
    return remarks
