"""`fit --model beta-binomial`, `logistic` and `firth`, and the mixed model with random intercepts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models import beta_binomial, firth
from igfmeta.models.count_kernels import Hypergeometric
from igfmeta.models.glmm import GLMM_CI, ends
from igfmeta.models.random_intercepts import FINER, NODES
from igfmeta.models.random_intercepts import fit as fit_random_intercepts
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, chi2_upper, t_quantile, t_two_sided
from igfmeta.synthesis.fit_counts import counts_of, result_of, usable_counts
from igfmeta.synthesis.fitting import Detail, FitResult
from igfmeta.synthesis.inputs import Columns, Effects

if TYPE_CHECKING:
    import pandas as pd


def _wald(estimate: float, se: float, *, k: int, level: float, df: float = np.inf) -> dict[str, Any]:
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


def _boundary(statistic: float) -> float:
    """Return the p-value of a likelihood ratio whose null value lies on the boundary (Self & Liang 1987, case 5)."""
    return 0.5 * float(chi2_upper(statistic, 1)) if statistic > 0 else 1.0


def _own_weights(effects: Effects, tau2: float) -> Floats:
    """Return 1/(vi + tau2) in percent, for the sizes of the squares of a forest."""
    w = 1 / (effects.sizes.vi[effects.usable] + tau2)
    return np.asarray(100 * w / w.sum())


def two_dimensional(
    effects: Effects, counts: dict[str, Floats], typical: float, *, method: str, ci: str, level: float
) -> tuple[Pooled, list[Detail]]:
    """Return the mixed model with random intercepts (UM.RS); see `igfmeta.models.random_intercepts`."""
    measure, k = effects.sizes.measure, len(next(iter(counts.values())))
    if k < 2:
        raise NothingToPool("UM.RS needs two studies or more: with one, its intercept has no variance.")
    check_choice("ci of variant UM.RS", ci, tuple(name for name in GLMM_CI if name != "PL"))
    x1, _, x2, _ = counts.values()
    if not (x1.sum() and x2.sum()):
        raise NothingToPool("No event in one of the arms of any study: the effect is infinite; --model firth may help.")
    found = fit_random_intercepts(measure, counts, common=method == "CE")
    several = method != "CE"
    df = k - 1.0 if ci == "t" else np.inf
    known = _wald(found.theta, found.se, k=k, level=level, df=df)
    reach = float(t_quantile(0.5 + level / 2, df)) * float(np.hypot(np.sqrt(found.tau2), found.se))
    lrt = max(0.0, 2 * (found.log_likelihood - found.log_likelihood_common))
    fit = Pooled.of_likelihood(
        **known,
        tau2=found.tau2,
        se_tau2=found.se_tau2 if np.isfinite(found.se_tau2) else None,
        i2=100 * found.tau2 / (found.tau2 + typical),
        h2=(found.tau2 + typical) / typical,
        pi_lower=found.theta - reach if several else None,
        pi_upper=found.theta + reach if several else None,
        pi_df=known["df"] if several else None,
        method=method,
        ci=ci,
        pi=("V" if ci == "t" else "z") if several else "none",
        weights=_own_weights(effects, found.tau2),
    )
    details = [
        Detail("likelihood", "Likelihood", "UM.RS: both arms, normal intercepts and effects, independent"),
        Detail("log_likelihood", "Log-likelihood, constants included", found.log_likelihood),
        Detail("lrt_tau2", "Likelihood-ratio test of tau2 = 0 (half chi-squared)", lrt, 1, _boundary(lrt)),
        Detail("common", "Estimate with tau2 = 0, analysis scale", found.theta_common),
        Detail("sigma2", "Variance of the intercepts", found.sigma2),
        Detail("gradient", "Largest derivative left at the maximum", found.gradient),
        Detail("condition", "Condition number of the observed information", found.condition),
        Detail("accuracy", f"Change of the log-likelihood from {NODES} x {NODES} to {FINER} x {FINER} nodes",
               found.accuracy),
    ]  # fmt: skip
    return fit, details


def _every_complete_row(effects: Effects) -> Effects:
    """Return the effects with the studies readmitted whose counts are complete though they have no effect alone."""
    complete = ~np.any([np.isnan(values) for values in effects.numbers.values()], axis=0)
    reasons = tuple(None if known else reason for known, reason in zip(complete, effects.sizes.reason, strict=True))
    return replace(effects, sizes=replace(effects.sizes, reason=reasons))


def fit_beta_binomial(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    method: str = "ML",
    level: float = 0.95,
    study: str | None = None,
) -> FitResult:
    """Fit a beta-binomial model to proportions of one arm or odds of two; see `igfmeta.models.beta_binomial`.

    Parameters
    ----------
    measure : {"PLO", "OR"}
    method : {"ML", "CE"}
        CE holds the intra-class correlation at 0.
    """
    level, method = check_level(level), check_choice("method", method, ("ML", "CE"))
    effects = counts_of(table, columns, model="beta-binomial", measure=measure, accepted=("PLO", "OR"),
                        zero_cells="only0")  # fmt: skip
    effects = _every_complete_row(effects)
    counts = usable_counts(effects)
    measure, numbers = effects.sizes.measure, list(counts.values())
    two = measure == "OR"
    k = len(numbers[0])
    x, n = (np.concatenate(numbers[i::2]) for i in (0, 1))
    arm = np.repeat([1.0, 0.0], k) if two else None
    arms = [(part.sum(), size.sum()) for part, size in zip(numbers[::2], numbers[1::2], strict=True)]
    if any(events in (0, patients) for events, patients in arms):
        raise NothingToPool("No event, or an event in everybody, in an arm of every study: the estimate is infinite.")
    design = np.ones((k, 1)) if arm is None else np.column_stack([np.ones(2 * k), arm])
    found = beta_binomial.fit(x, n, design, common=method == "CE")
    lrt = max(0.0, 2 * (found.log_likelihood - found.log_likelihood_common))
    sizes = n.reshape(-1, k).sum(axis=0)
    fit = Pooled.of_likelihood(
        **_wald(float(found.beta[-1]), float(np.sqrt(found.covariance[-1, -1])), k=k, level=level),
        method=method,
        ci="z",
        converged=bool(found.converged),
        boundary=found.rho == 0,
        weights=100 * sizes / sizes.sum(),
        remarks=() if found.converged else ("The likelihood still rises at the largest correlation: do not use this.",),
    )
    details = [
        Detail("rho", "Intra-class correlation of the rates", found.rho),
        Detail("se_rho", "Its standard error", found.se_rho),
        Detail("log_likelihood", "Log-likelihood, constants included", found.log_likelihood),
        Detail("lrt_rho", "Likelihood-ratio test of no variation (half chi-squared)", lrt, 1, _boundary(lrt)),
        Detail("common", "Estimate without variation, analysis scale", float(found.beta_common[-1])),
        Detail("gradient", "Largest derivative left at the maximum", found.gradient),
        Detail("condition", "Condition number of the observed information", found.condition),
    ]
    return result_of(table, effects, fit, model="beta-binomial", study=study, details=details)


def fit_firth(
    table: pd.DataFrame, columns: Columns, *, measure: str | None = "OR", level: float = 0.95, study: str | None = None
) -> FitResult:
    """Fit penalized logistic regression with an intercept for each study; see `igfmeta.models.firth`."""
    level = check_level(level)
    effects = counts_of(table, columns, model="firth", measure=measure, accepted=("OR",), zero_cells="only0")
    counts = usable_counts(effects)
    found = firth.fit(*counts.values(), level=level)
    k = len(counts["n1"])
    known = _wald(found.estimate, found.se, k=k, level=level)
    known |= {"ci_lower": found.lower, "ci_upper": found.upper, "statistic": found.statistic,
              "p_value": float(chi2_upper(found.statistic, 1))}  # fmt: skip
    fit = Pooled.of_likelihood(**known, tau2=0.0, method="Firth", ci="PL", weights=_own_weights(effects, 0.0))
    details = [
        Detail("log_likelihood", "Penalized log-likelihood", found.log_likelihood),
        Detail("lrt", "Penalized likelihood-ratio test of no effect", found.statistic, 1, known["p_value"]),
        Detail("gradient", "Largest modified score left at the maximum", found.gradient),
        Detail("condition", "Condition number of the information", found.condition),
    ]
    return result_of(table, effects, fit, model="firth", study=study, details=details)


def fit_logistic(
    table: pd.DataFrame, columns: Columns, *, measure: str | None = None, level: float = 0.95, study: str | None = None
) -> FitResult:
    """Fit a common effect by logistic (OR) or Poisson (IRR) regression, an intercept for each study, by statsmodels.

    Parameters
    ----------
    measure : {"OR", "IRR"}
    """
    level = check_level(level)
    effects = counts_of(table, columns, model="logistic", measure=measure, accepted=("OR", "IRR"), zero_cells="only0")
    counts = usable_counts(effects)
    measure = effects.sizes.measure
    x1, size1, x2, size2 = counts.values()
    if measure == "OR":
        ends(Hypergeometric.of(x1, size1, x2, size2), "logistic regression")
    elif not (x1.sum() and x2.sum()):
        raise NothingToPool("No event in one of the arms of any study: the effect is infinite.")
    fitted, k = _generalized_linear(measure, x1, size1, x2, size2), len(x1)
    deviance = float(fitted.deviance)
    fit = Pooled.of_likelihood(
        **_wald(float(fitted.params[-1]), float(fitted.bse[-1]), k=k, level=level),
        tau2=0.0 if k > 1 else None,
        q=deviance,
        q_p_value=float(chi2_upper(deviance, k - 1)) if k > 1 else 1.0,
        i2=max(0.0, 100 * (deviance - k + 1) / deviance) if k > 1 and deviance > 0 else None,
        method="CE",
        ci="z",
        weights=_own_weights(effects, 0.0),
    )
    details = [
        Detail("log_likelihood", "Log-likelihood, constants included", float(fitted.llf)),
        Detail("deviance", "Deviance: likelihood-ratio test of equal effects", deviance, k - 1, fit.q_p_value),
    ]
    return result_of(table, effects, fit, model="logistic", study=study, details=details)


def _generalized_linear(measure: str, x1: Floats, size1: Floats, x2: Floats, size2: Floats) -> Any:
    """Return statsmodels' fit: intercepts by study and the effect last."""
    import statsmodels.api as sm

    k = len(x1)
    design = np.vstack([np.hstack([np.eye(k), np.ones((k, 1))]), np.hstack([np.eye(k), np.zeros((k, 1))])])
    x, size = np.concatenate([x1, x2]), np.concatenate([size1, size2])
    if measure == "OR":
        model = sm.GLM(np.column_stack([x, size - x]), design, family=sm.families.Binomial())
        start = special.logit((x1 + x2 + 0.5) / (size1 + size2 + 1))
    else:
        model = sm.GLM(x, design, family=sm.families.Poisson(), offset=np.log(size))
        start = np.log((x1 + x2 + 0.5) / (size1 + size2))
    fitted = model.fit(start_params=np.append(start, 0.0), maxiter=200, tol=1e-13)
    if not fitted.converged:
        raise InputError("statsmodels' regression did not converge; --model glmm --method CE fits the same effect.")
    return fitted
