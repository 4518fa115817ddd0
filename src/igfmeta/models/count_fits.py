"""The models of counts by name, each a batch: studies and a mask of shape (batch, k) -> one fit for each row.

The whole analysis is the row of ones, leave-one-out and cumulative fits are `igfmeta.models.deletion`'s masks,
subgroups the indicators of their members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from igfmeta.errors import check_choice
from igfmeta.models import beta_binomial, firth, mantel_haenszel, random_intercepts
from igfmeta.models.batch import prepare
from igfmeta.models.glmm import GLMM_CI, Certified, glmm_fits
from igfmeta.models.pooling import pool
from igfmeta.models.results import Pooled
from igfmeta.models.weighted import typical_variance
from igfmeta.numerics import Floats, Mask, chi2_upper, t_quantile, t_two_sided

#: The variant of a mixed model whose integral has two dimensions.
RANDOM_INTERCEPTS = "UM.RS"

NO_STUDY = "No study is left."


@dataclass(frozen=True, eq=False)
class CountStudies:
    """Counts of k studies: by role, in the order of their form, and the studies' own effects.

    Attributes
    ----------
    measure : str
    counts : dict of ndarray of shape (k,)
        events, n; events, time; events1, n1, events2, n2; or events1, time1, events2, time2.
    yi, vi : ndarray of shape (k,)
        On the analysis scale, zero cells corrected for display, Q and I2; NaN where a study has none of its own.
    """

    measure: str
    counts: dict[str, Floats]
    yi: Floats
    vi: Floats

    @property
    def k(self) -> int:
        return len(self.yi)

    @property
    def everything(self) -> Mask:
        """The mask of one fit of all studies."""
        return np.ones((1, self.k), dtype=bool)

    def typical(self, mask: Mask) -> Floats:
        """Return the typical variance of the studies' own effects in each row (Higgins & Thompson 2002, eq. 9)."""
        mask = mask & np.isfinite(self.yi)
        batch = prepare(
            np.where(np.isfinite(self.yi), self.yi, 0.0), np.where(np.isfinite(self.vi), self.vi, 1.0), mask
        )
        first = np.where(mask, self.vi, np.inf).min(axis=1, initial=np.inf)
        return np.where(batch.k > 1, typical_variance(batch) * batch.scale, first)

    def own_weights(self, members: Mask, tau2: float = 0.0) -> Floats:
        """Return 1/(vi + tau2) of the members in percent, for the sizes of the squares of a forest."""
        w = 1 / (self.vi[members] + tau2)
        return np.asarray(100 * w / w.sum())

    def patient_weights(self, members: Mask) -> Floats:
        """Return the members' shares of the patients (or of the person-time) in percent."""
        sizes = sum(list(self.counts.values())[1::2])[members]  # type: ignore[index]
        return np.asarray(100 * sizes / sizes.sum())


@dataclass(frozen=True, eq=False)
class CountFit:
    """A fit, and the numbers of its model beside it by name, such as its log-likelihood; none without an answer."""

    fit: Pooled
    numbers: dict[str, float]


def wald(estimate: float, se: float, *, k: int, level: float, df: float = np.inf) -> dict[str, Any]:
    """Return test and interval from a standard error, ready for `Pooled.of_likelihood`."""
    half = float(t_quantile(0.5 + level / 2, df)) * se
    return {
        "k": k,
        "estimate": estimate,
        "se": se,
        "statistic": estimate / se,
        "df": None if np.isinf(df) else df,
        "p_value": float(t_two_sided(estimate / se, df)),
        "ci_lower": estimate - half,
        "ci_upper": estimate + half,
        "q_df": k - 1,
        "level": level,
    }


def _missing(reason: str, members: Mask, *, method: str, ci: str, level: float) -> CountFit:
    return CountFit(Pooled.missing(reason, k=int(members.sum()), method=method, ci=ci, level=level), {})


def _mh(studies: CountStudies, mask: Mask, *, level: float, zero_cells: str = "none") -> list[CountFit]:
    fits = mantel_haenszel.fits(
        studies.measure, studies.counts, mask, yi=studies.yi, vi=studies.vi, level=level, zero_cells=zero_cells
    )
    return [CountFit(fit, {}) for fit in fits]


def _peto(studies: CountStudies, mask: Mask, *, level: float) -> list[CountFit]:
    """Pool (O - E)/V with weights V (Yusuf et al. 1985); one effect, so that there is nothing to predict."""
    batch = pool(studies.yi, studies.vi, mask=mask, method="CE", ci="z", pi="z", tau2_ci="none", level=level)
    fits = []
    for row, members in enumerate(mask):
        if not members.any():
            fits.append(_missing(NO_STUDY, members, method="Peto", ci="z", level=level))
            continue
        fit = replace(batch.one(row), method="Peto", pi_lower=None, pi_upper=None, pi="none")
        v = 1 / studies.vi[members]
        fits.append(CountFit(fit, {"o_minus_e": float((studies.yi[members] * v).sum()), "v": float(v.sum())}))
    return fits


def _glmm(
    studies: CountStudies, mask: Mask, *, level: float, variant: str, method: str = "ML", ci: str = "z"
) -> list[CountFit]:
    if variant == RANDOM_INTERCEPTS:
        return _random_intercepts(studies, mask, level=level, method=method, ci=ci)
    found = glmm_fits(
        studies.measure, variant, studies.counts, mask, typical=studies.typical(mask), method=method, ci=ci, level=level
    )
    return [
        _missing(each, members, method=method, ci=ci, level=level)
        if isinstance(each, str)
        else CountFit(each.fit, certificate(each))
        for each, members in zip(found, mask, strict=True)
    ]


def certificate(found: Certified) -> dict[str, float]:
    """Return the numbers of a mixed model beside its fit."""
    return {name: value for name, value in found.__dict__.items() if name != "fit"}


def _random_intercepts(studies: CountStudies, mask: Mask, *, level: float, method: str, ci: str) -> list[CountFit]:
    check_choice(f"ci of variant {RANDOM_INTERCEPTS}", ci, tuple(name for name in GLMM_CI if name != "PL"))
    reasons = [_why_no_intercepts(studies, members) for members in mask]
    free = np.flatnonzero([not reason for reason in reasons])
    fits = [_missing(reason, members, method=method, ci=ci, level=level)
            for reason, members in zip(reasons, mask, strict=True)]  # fmt: skip
    if not len(free):
        return fits
    found = random_intercepts.fit(studies.measure, studies.counts, mask=mask[free], common=method == "CE")
    typical = studies.typical(mask[free])
    for place, row in enumerate(free):
        fits[row] = _with_intercepts(studies, mask[row], found, place, float(typical[place]), method, ci, level)
    return fits


def _why_no_intercepts(studies: CountStudies, members: Mask) -> str:
    if not members.any():
        return NO_STUDY
    if members.sum() < 2:
        return f"{RANDOM_INTERCEPTS} needs two studies or more: with one, its intercept has no variance."
    x1, size1, x2, size2 = (values[members].sum() for values in studies.counts.values())
    if not (x1 and x2):
        return "No event in one of the arms of any study: the effect is infinite; --model firth may help."
    if studies.measure == "OR" and (x1 == size1 or x2 == size2):
        return (
            "An event in everybody in one of the arms of every study: the effect is infinite; --model firth may help."
        )
    return ""


def _with_intercepts(
    studies: CountStudies, members: Mask, found: random_intercepts.RandomIntercepts, row: int, typical: float,
    method: str, ci: str, level: float,
) -> CountFit:  # fmt: skip
    k, several = int(members.sum()), method != "CE"
    df = k - 1.0 if ci == "t" else np.inf
    theta, se, tau2 = float(found.theta[row, 0]), float(found.se[row, 0]), float(found.tau2[row])
    known = wald(theta, se, k=k, level=level, df=df)
    reach = float(t_quantile(0.5 + level / 2, df)) * float(np.hypot(np.sqrt(tau2), se))
    lrt = max(0.0, 2 * float(found.log_likelihood[row] - found.log_likelihood_common[row]))
    fit = Pooled.of_likelihood(
        **known,
        tau2=tau2,
        se_tau2=float(found.se_tau2[row]) if np.isfinite(found.se_tau2[row]) else None,
        i2=100 * tau2 / (tau2 + typical),
        h2=(tau2 + typical) / typical,
        pi_lower=theta - reach if several else None,
        pi_upper=theta + reach if several else None,
        pi_df=known["df"] if several else None,
        converged=bool(found.converged[row]),
        method=method,
        ci=ci,
        pi=("V" if ci == "t" else "z") if several else "none",
        weights=studies.own_weights(members, tau2),
    )
    numbers = {name: float(getattr(found, name)[row]) for name in
               ("log_likelihood", "log_likelihood_common", "sigma2", "gradient", "condition", "accuracy")}  # fmt: skip
    return CountFit(
        fit, numbers | {"lrt": lrt, "lrt_p_value": boundary(lrt), "common": float(found.theta_common[row, 0])}
    )


def boundary(statistic: float) -> float:
    """Return the p-value of a likelihood ratio whose null value lies on the boundary (Self & Liang 1987, case 5)."""
    return 0.5 * float(chi2_upper(statistic, 1)) if statistic > 0 else 1.0


def arms_of(studies: CountStudies) -> tuple[Floats, Floats, Floats]:
    """Return events and patients of every arm, arm 1 of all studies first, and the indicator of arm 1."""
    numbers = list(studies.counts.values())
    x, n = (np.concatenate(numbers[i::2]) for i in (0, 1))
    return x, n, np.repeat([1.0, 0.0] if len(numbers) > 2 else [1.0], studies.k)


def _beta_binomial(studies: CountStudies, mask: Mask, *, level: float, method: str = "ML") -> list[CountFit]:
    x, n, arm = arms_of(studies)
    two = len(x) > studies.k
    arms = np.tile(mask, 2) if two else mask
    numbers = np.array(list(studies.counts.values()))
    sums = numbers @ mask.T  # of events and patients in each arm
    ends = ((sums[::2] == 0) | (sums[::2] == sums[1::2])).any(axis=0)
    infinite = "No event, or an event in everybody, in an arm of every study: the estimate is infinite."
    fits = [_missing(infinite if members.any() else NO_STUDY, members, method=method, ci="z", level=level)
            for members in mask]  # fmt: skip
    free = np.flatnonzero(~ends)
    if not len(free):
        return fits
    design = np.column_stack([np.ones(len(x)), arm]) if two else np.ones((len(x), 1))
    found = beta_binomial.fit(x, n, design, common=method == "CE", mask=arms[free])
    for place, row in enumerate(free):
        weights = studies.patient_weights(mask[row])
        fits[row] = _of_beta_binomial(found, place, weights, method=method, level=level)
    return fits


def _of_beta_binomial(
    found: beta_binomial.BetaBinomial, row: int, weights: Floats, *, method: str, level: float
) -> CountFit:
    lrt = max(0.0, 2 * float(found.log_likelihood[row] - found.log_likelihood_common[row]))
    converged = bool(found.converged[row])
    fit = Pooled.of_likelihood(
        **wald(float(found.beta[row, -1]), float(np.sqrt(found.covariance[row, -1, -1])), k=len(weights), level=level),
        method=method,
        ci="z",
        converged=converged,
        boundary=bool(found.rho[row] == 0),
        weights=weights,
        remarks=() if converged else ("The likelihood still rises at the largest correlation: do not use this.",),
    )
    names = ("rho", "se_rho", "log_likelihood", "log_likelihood_common", "gradient", "condition")
    numbers = {name: float(getattr(found, name)[row]) for name in names}
    return CountFit(
        fit, numbers | {"lrt": lrt, "lrt_p_value": boundary(lrt), "common": float(found.beta_common[row, -1])}
    )


def common_effect(
    studies: CountStudies, members: Mask, estimate: float, se: float, deviance: float, *, level: float
) -> Pooled:
    """Return a common effect by regression, with its deviance for Q."""
    k = int(members.sum())
    return Pooled.of_likelihood(
        **wald(estimate, se, k=k, level=level),
        tau2=0.0 if k > 1 else None,
        q=deviance,
        q_p_value=float(chi2_upper(deviance, k - 1)) if k > 1 else 1.0,
        i2=max(0.0, 100 * (deviance - k + 1) / deviance) if k > 1 and deviance > 0 else None,
        method="CE",
        ci="z",
        weights=studies.own_weights(members),
    )


def _logistic(studies: CountStudies, mask: Mask, *, level: float) -> list[CountFit]:
    """Fit logistic or Poisson regression: UM.FS with tau2 = 0, its intercepts maximized away."""
    named = "logistic regression" if studies.measure == "OR" else "Poisson regression"
    found = glmm_fits(
        studies.measure, "UM.FS", studies.counts, mask, typical=studies.typical(mask), method="CE", level=level,
        named=named,
    )  # fmt: skip
    fits = []
    for each, members in zip(found, mask, strict=True):
        if isinstance(each, str):
            fits.append(_missing(each, members, method="CE", ci="z", level=level))
            continue
        fit = common_effect(studies, members, each.fit.estimate, each.fit.se, each.fit.q, level=level)
        fits.append(CountFit(fit, {"log_likelihood": each.log_likelihood}))
    return fits


def _firth(studies: CountStudies, mask: Mask, *, level: float) -> list[CountFit]:
    fits = [_missing(NO_STUDY, members, method="Firth", ci="PL", level=level) for members in mask]
    free = np.flatnonzero(mask.any(axis=1))
    if not len(free):
        return fits
    found = firth.fit(*studies.counts.values(), level=level, mask=mask[free])
    for place, row in enumerate(free):
        statistic = float(found.statistic[place])
        p_value = float(chi2_upper(statistic, 1))
        known = wald(float(found.estimate[place]), float(found.se[place]), k=int(mask[row].sum()), level=level)
        known |= {"ci_lower": float(found.lower[place]), "ci_upper": float(found.upper[place]),
                  "statistic": statistic, "p_value": p_value}  # fmt: skip
        fit = Pooled.of_likelihood(**known, tau2=0.0, method="Firth", ci="PL", weights=studies.own_weights(mask[row]))
        numbers = {"log_likelihood": float(found.log_likelihood[place]), "lrt": statistic, "lrt_p_value": p_value,
                   "gradient": float(found.gradient[place]), "condition": found.condition(place)}  # fmt: skip
        fits[row] = CountFit(fit, numbers)
    return fits


FITS: dict[str, Callable[..., list[CountFit]]] = {
    "mh": _mh,
    "peto": _peto,
    "glmm": _glmm,
    "beta-binomial": _beta_binomial,
    "logistic": _logistic,
    "firth": _firth,
}


def fit_counts(model: str, studies: CountStudies, mask: Mask | None = None, **options: Any) -> list[CountFit]:
    """Fit a model of counts to the studies that each row of a mask takes.

    Parameters
    ----------
    model : {"mh", "peto", "glmm", "beta-binomial", "logistic", "firth"}
    studies : CountStudies
    mask : ndarray of bool, shape (batch, k), optional
        By default one fit takes all studies.
    **options
        `level` for every model; `zero_cells` for mh; `variant`, `method` (ML, CE) and `ci` (z, t, PL) for glmm;
        `method` for beta-binomial.

    Returns
    -------
    list of CountFit
        One for each row. Where a row has no answer (an infinite effect, no study) its fit has no numbers, and says why.

    Examples
    --------
    >>> from igfmeta.models.deletion import without_each
    >>> a, n1, c, n2 = np.array([[3.0, 5.0, 4.0], [20.0, 30.0, 25.0], [6.0, 9.0, 5.0], [21.0, 28.0, 24.0]])
    >>> studies = CountStudies("OR", {"events1": a, "n1": n1, "events2": c, "n2": n2}, np.zeros(3), np.ones(3))
    >>> [round(found.fit.estimate, 4) for found in fit_counts("mh", studies, without_each(3), level=0.95)]
    [-0.6358, -0.5587, -0.8448]
    """
    model = check_choice("model", model, tuple(FITS))
    return FITS[model](studies, studies.everything if mask is None else mask, **options)
