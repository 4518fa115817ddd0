"""Rates of single arms, pooled by group: the logit-normal model of the counts, and its posterior.

Small groups of small trials without a response are what this evidence has: every group gets an answer that is defined.
Several arms and at least one event and one non-event among them: the generalized linear mixed model, with
profile-likelihood intervals. One arm, or arms of which none (or each patient) responded: the exact interval of the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.rate_posterior import RatePosterior, rate_posteriors
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.effects.one_arm import one_arm, proportion_interval
from igfmeta.models.count_fits import CountStudies, fit_counts
from igfmeta.models.count_kernels import Binomial
from igfmeta.models.glmm import data_sets
from igfmeta.models.mixed_likelihood import shared_tau2
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, Mask, chi2_upper
from igfmeta.synthesis.studies import Study

#: What `Pooled.method` and `Pooled.ci` are where the exact interval of the sum stands.
EXACT = "exact"


def _exact(events: Floats, n: Floats, level: float) -> Pooled:
    """Return the rate of the sum with its exact interval (Clopper & Pearson 1934), on the logit scale."""
    x, size, k = float(events.sum()), float(n.sum()), len(n)
    lower, upper = proportion_interval([x], [size], level=level)
    inside = 0 < x < size
    whose = "One study: its own" if k == 1 else "No response in any study" if x == 0 else "A response in every patient"
    remark = f"{whose}{' exact interval' if k == 1 else f' ({x:.0f} of {size:.0f}): the exact interval of the sum'} is"
    with np.errstate(divide="ignore"):
        limits = special.logit(np.array([x / size, lower[0], upper[0]]))
    return Pooled.of_likelihood(
        k=k,
        estimate=float(limits[0]),
        se=float(np.sqrt(size / (x * (size - x)))) if inside else None,
        ci_lower=float(limits[1]),
        ci_upper=float(limits[2]),
        q=0.0,
        q_df=k - 1,
        q_p_value=1.0,
        weights=100 * n / size,
        method=EXACT,
        ci=EXACT,
        level=level,
        remarks=(f"{remark} shown; heterogeneity and prediction cannot be estimated.",),
    )


def between_rates(groups: Sequence[Sequence[Study]]) -> tuple[float, int, float]:
    """Return the likelihood-ratio test that groups have one mean logit, its degrees of freedom and its p-value.

    One tau2 for all groups, as in a mixed model with the group as a factor. A group in which nobody responded has its
    highest likelihood, 1, at a rate of 0, whatever tau2 is.
    """
    counts = [_counts(group) for group in groups]
    events, n = (np.concatenate([pair[i] for pair in counts]) for i in (0, 1))
    together = _kernel(events, n)
    null, apart = 0.0, 0.0
    if 0 < events.sum() < n.sum():
        null = shared_tau2(data_sets(together, [len(n)]), _crude([(events, n)])).log_likelihood
    telling = [(x, m) for x, m in counts if 0 < x.sum() < m.sum()]
    if telling:
        kernel = _kernel(*(np.concatenate([pair[i] for pair in telling]) for i in (0, 1)))
        apart = shared_tau2(data_sets(kernel, [len(x) for x, _ in telling]), _crude(telling)).log_likelihood
    statistic = max(0.0, 2 * (apart - null))
    return statistic, len(groups) - 1, float(chi2_upper(statistic, len(groups) - 1))


def _counts(group: Sequence[Study]) -> tuple[Floats, Floats]:
    x, n = (np.array([study.counts[i] for study in group]) for i in (0, 1))
    return x, n


def _kernel(events: Floats, n: Floats) -> Binomial:
    return Binomial(events, n, np.zeros_like(n))


def _crude(groups: Sequence[tuple[Floats, Floats]]) -> Floats:
    return np.array([special.logit((x.sum() + 0.5) / (n.sum() + 1)) for x, n in groups])


def rate_studies(events: Floats, n: Floats) -> CountStudies:
    """Return single arms as the models of counts take them; 1/2 is added to zeros where logits are shown or give I2."""
    own = one_arm(events, n, measure="PLO")
    return CountStudies("PLO", {"events": events, "n": n}, own.yi, own.vi)


def rate_fits(
    events: Floats, n: Floats, mask: Mask, *, level: float, common: bool = False, ci: str = "PL", model: str = "glmm"
) -> list[Pooled]:
    """Return the pool of the arms that each row of a mask takes: what `pool` gives for them, without its posterior.

    Parameters
    ----------
    events, n : ndarray of shape (k,)
    mask : ndarray of bool, shape (batch, k)
    level : float
    common : bool
        Hold tau2 at 0.
    ci : {"PL", "z", "t"}
        Of several arms; one arm, or arms at an end, have the exact interval. The beta-binomial model has z.
    model : {"glmm", "beta-binomial"}

    Examples
    --------
    >>> x, n = np.array([0.0, 3.0, 5.0]), np.array([24.0, 20.0, 31.0])
    >>> fits = rate_fits(x, n, np.array([[True, True, True], [True, False, False]]), level=0.95)
    >>> [(fit.method, fit.ci) for fit in fits], round(fits[0].estimate, 4)
    ([('ML', 'PL'), ('exact', 'exact')], -2.2454)
    """
    inside = (mask @ events > 0) & (mask @ events < mask @ n)
    several = inside & (mask.sum(axis=1) > 1)
    options: dict[str, Any] = {"method": "CE" if common else "ML", "level": level}
    if model == "glmm":
        options |= {"variant": "logit-normal", "ci": ci}
    found = fit_counts(model, rate_studies(events, n), mask[several], **options) if several.any() else []
    mixed = iter(found)
    return [
        next(mixed).fit if fitted else _exact(events[row], n[row], level)
        for row, fitted in zip(mask, several, strict=True)
    ]


def one_after_the_other(size: Sequence[int]) -> Mask:
    """Return the mask of groups whose arms stand one after the other.

    Examples
    --------
    >>> one_after_the_other([1, 2]).astype(int).tolist()
    [[1, 0, 0], [0, 1, 1]]
    """
    owner = np.repeat(np.arange(len(size)), size)
    return np.asarray(owner == np.arange(len(size))[:, None])


def pool_rates(
    groups: Sequence[Sequence[Study]],
    *,
    tau_prior: TauPrior,
    level: float,
    common: bool = False,
    ci: str = "PL",
    model: str = "glmm",
) -> list[tuple[Pooled, RatePosterior]]:
    """Return fit and posterior of each group of single-arm studies, on the logit scale.

    Parameters
    ----------
    groups : sequence of sequence of Study
    tau_prior : TauPrior
        Of the standard deviation of the logits.
    level : float
    common : bool
        Hold tau2 at 0.
    ci : {"PL", "z", "t"}
    model : {"glmm", "beta-binomial"}
        Of the fit; the posterior is that of normal logits.
    """
    events, n = _counts([study for group in groups for study in group])
    mask = one_after_the_other([len(group) for group in groups])
    fits = rate_fits(events, n, mask, level=level, common=common, ci=ci, model=model)
    members = [np.flatnonzero(row).tolist() for row in mask]
    posteriors = rate_posteriors(events, n, members, tau_prior=tau_prior, level=level)
    return list(zip(fits, posteriors, strict=True))
