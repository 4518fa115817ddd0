"""`fit --model beta-binomial`, `logistic` and `firth`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models.count_fits import CountFit, CountStudies, common_effect
from igfmeta.models.count_kernels import Hypergeometric
from igfmeta.models.glmm import without_maximum
from igfmeta.numerics import Floats
from igfmeta.synthesis.fit_counts import Asked, counts_of, result_of
from igfmeta.synthesis.fitting import Detail, FitResult
from igfmeta.synthesis.inputs import Columns, Effects

if TYPE_CHECKING:
    import pandas as pd


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
    subgroup: str | None = None,
    subgroup_tau2: str = "separate",
    leave_one_out: bool = False,
    cumulative: bool = False,
) -> FitResult:
    """Fit a beta-binomial model to proportions of one arm or odds of two; see `igfmeta.models.beta_binomial`.

    Parameters
    ----------
    measure : {"PLO", "OR"}
    method : {"ML", "CE"}
        CE holds the intra-class correlation at 0.
    subgroup_tau2 : {"separate", "common"}
        Separate fits of the groups and a Wald test between them, or one correlation and the likelihood ratio.
    """
    level, method = check_level(level), check_choice("method", method, ("ML", "CE"))
    effects = counts_of(table, columns, model="beta-binomial", measure=measure, accepted=("PLO", "OR"),
                        zero_cells="only0")  # fmt: skip
    asked = Asked(study, subgroup, leave_one_out, cumulative, subgroup_tau2)
    return result_of(table, _every_complete_row(effects), "beta-binomial", asked, details=_beta_binomial_details,
                     method=method, level=level)  # fmt: skip


def _beta_binomial_details(found: CountFit) -> list[Detail]:
    numbers = found.numbers
    return [
        Detail("rho", "Intra-class correlation of the rates", numbers["rho"]),
        Detail("se_rho", "Its standard error", numbers["se_rho"]),
        Detail("log_likelihood", "Log-likelihood, constants included", numbers["log_likelihood"]),
        Detail("lrt_rho", "Likelihood-ratio test of no variation (half chi-squared)", numbers["lrt"], 1,
               numbers["lrt_p_value"]),
        Detail("common", "Estimate without variation, analysis scale", numbers["common"]),
        Detail("gradient", "Largest derivative left at the maximum", numbers["gradient"]),
        Detail("condition", "Condition number of the observed information", numbers["condition"]),
    ]  # fmt: skip


def fit_firth(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = "OR",
    level: float = 0.95,
    study: str | None = None,
    subgroup: str | None = None,
    leave_one_out: bool = False,
    cumulative: bool = False,
) -> FitResult:
    """Fit penalized logistic regression with an intercept for each study; see `igfmeta.models.firth`."""
    level = check_level(level)
    effects = counts_of(table, columns, model="firth", measure=measure, accepted=("OR",), zero_cells="only0")

    def details(found: CountFit) -> list[Detail]:
        numbers = found.numbers
        return [
            Detail("log_likelihood", "Penalized log-likelihood", numbers["log_likelihood"]),
            Detail("lrt", "Penalized likelihood-ratio test of no effect", numbers["lrt"], 1, numbers["lrt_p_value"]),
            Detail("gradient", "Largest modified score left at the maximum", numbers["gradient"]),
            Detail("condition", "Condition number of the information", numbers["condition"]),
        ]

    asked = Asked(study, subgroup, leave_one_out, cumulative)
    return result_of(table, effects, "firth", asked, details=details, level=level)


def fit_logistic(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    level: float = 0.95,
    study: str | None = None,
    subgroup: str | None = None,
    leave_one_out: bool = False,
    cumulative: bool = False,
) -> FitResult:
    """Fit a common effect by logistic (OR) or Poisson (IRR) regression, an intercept for each study, by statsmodels.

    Fits of parts of the studies are the same regression with its intercepts maximized away, all at once.

    Parameters
    ----------
    measure : {"OR", "IRR"}
    """
    level = check_level(level)
    effects = counts_of(table, columns, model="logistic", measure=measure, accepted=("OR", "IRR"), zero_cells="only0")

    def details(found: CountFit) -> list[Detail]:
        fit = found.fit
        return [
            Detail("log_likelihood", "Log-likelihood, constants included", found.numbers["log_likelihood"]),
            Detail("deviance", "Deviance: likelihood-ratio test of equal effects", fit.q, fit.q_df, fit.q_p_value),
        ]

    asked = Asked(study, subgroup, leave_one_out, cumulative)
    return result_of(table, effects, "logistic", asked, details=details, level=level,
                     main=lambda studies: _by_statsmodels(studies, level))  # fmt: skip


def _by_statsmodels(studies: CountStudies, level: float) -> CountFit:
    x1, size1, x2, size2 = studies.counts.values()
    if studies.measure == "OR":
        telling = Hypergeometric.of(x1, size1, x2, size2)
        if reason := without_maximum(telling, studies.everything, "logistic regression")[0][0]:
            raise NothingToPool(reason)
    elif not (x1.sum() and x2.sum()):
        raise NothingToPool("No event in one of the arms of any study: the effect is infinite.")
    fitted = _generalized_linear(studies.measure, x1, size1, x2, size2)
    estimate, se, deviance = float(fitted.params[-1]), float(fitted.bse[-1]), float(fitted.deviance)
    fit = common_effect(studies, studies.everything[0], estimate, se, deviance, level=level)
    return CountFit(fit, {"log_likelihood": float(fitted.llf)})


def _generalized_linear(measure: str, x1: Floats, size1: Floats, x2: Floats, size2: Floats) -> Any:
    """Return statsmodels' fit: intercepts by study and the effect last."""
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    k = len(x1)
    design = np.vstack([np.hstack([np.eye(k), np.ones((k, 1))]), np.hstack([np.eye(k), np.zeros((k, 1))])])
    x, size = np.concatenate([x1, x2]), np.concatenate([size1, size2])
    if measure == "OR":
        model = sm.GLM(np.column_stack([x, size - x]), design, family=sm.families.Binomial())
        start = special.logit((x1 + x2 + 0.5) / (size1 + size2 + 1))
    else:
        model = sm.GLM(x, design, family=sm.families.Poisson(), offset=np.log(size))
        start = np.log((x1 + x2 + 0.5) / (size1 + size2))
    with warnings.catch_warnings():
        # One study is fitted perfectly and leaves the scale, which is not used, no degree of freedom.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        warnings.filterwarnings("ignore", message="divide by zero", category=RuntimeWarning)
        fitted = model.fit(start_params=np.append(start, 0.0), maxiter=200, tol=1e-13)
    if not fitted.converged:
        raise InputError("statsmodels' regression did not converge; --model glmm --method CE fits the same effect.")
    return fitted
