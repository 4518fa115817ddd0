"""Subgroups in the models of counts, and the test between them.

A common effect (mh, peto, logistic, firth) has one fit for each group, and Q between their effects. Mixed and
beta-binomial models have either separate fits, compared by a Wald test (the same sum with their standard errors), or
one model with an effect for each group and one between-study variance, compared with the model of one effect by the
likelihood ratio: the regression of the counts on the group (Stijnen, Hamza & Ozdemir 2010, Stat Med 29:3046).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igfmeta.errors import InputError, NothingToPool, check_choice
from igfmeta.models import beta_binomial, random_intercepts
from igfmeta.models.count_fits import RANDOM_INTERCEPTS, CountStudies, arms_of, fit_counts, wald
from igfmeta.models.glmm import VARIANTS, of_likelihood, without_maximum
from igfmeta.models.mixed_likelihood import shared_tau2
from igfmeta.models.results import Pooled
from igfmeta.models.subgroups import SubgroupFit, between_groups, members_of
from igfmeta.numerics import Floats, Mask, chi2_upper, t_quantile

#: Models with a between-study variance that groups can share.
VARYING = ("glmm", "beta-binomial")

INFINITE = "Its counts lie at an end of what they could be: its effect is infinite (the test counts its likelihood)."


@dataclass(frozen=True, eq=False)
class _OneVariance:
    """Groups with an effect each and one variance: estimates and standard errors (NaN: infinite), twice the gain in
    log-likelihood over one effect for all, and tau2 where the model has one."""

    estimate: Floats
    se: Floats
    statistic: float
    tau2: float | None


def subgroup_counts(
    model: str, studies: CountStudies, groups: Sequence[str], *, tau2: str = "separate", **options: Any
) -> SubgroupFit:
    """Fit a model of counts to each group, and test whether the groups' effects differ.

    Parameters
    ----------
    model : str
        See `igfmeta.models.count_fits.fit_counts`.
    studies : CountStudies
    groups : sequence of str of length k
    tau2 : {"separate", "common"}
        Of glmm and beta-binomial: a variance for each group, or one for all (of beta-binomial the correlation).
    **options
        Of the model.

    Raises
    ------
    InputError
        Options that are not accepted; a number of labels that differs from k.
    NothingToPool
        UM.RS with one tau2 and a group without an event in an arm.
    """
    accepted = ("separate", "common") if model in VARYING else ("separate",)
    check_choice("tau2 of the subgroups", tau2, accepted)
    if len(groups) != studies.k:
        raise InputError(f"groups has {len(groups)} labels; accepted is one for each of the {studies.k} studies.")
    levels, mask = members_of(groups)
    if tau2 == "common":
        return _with_one_variance(model, studies, levels, mask, options)
    fits = tuple(found.fit for found in fit_counts(model, studies, mask, **options))
    known = [fit for fit in fits if fit.estimate is not None and fit.se > 0]
    q, df, p = None, 0, None
    if len(known) > 1:
        q, df, p = between_groups([fit.estimate for fit in known], [fit.se**2 for fit in known])
    return SubgroupFit(levels, fits, q, df, p, tau2, "Wald" if model in VARYING else "Q")


def _with_one_variance(
    model: str, studies: CountStudies, levels: tuple[str, ...], mask: Mask, options: dict[str, Any]
) -> SubgroupFit:
    ci, level, method = options.get("ci", "z"), options["level"], options.get("method", "ML")
    check_choice("ci (with a common tau2)", ci, ("z", "t"))
    found = _MODELS[model](studies, mask, options)
    df = float(studies.k - len(levels)) if ci == "t" else np.inf
    if df < 1:
        raise NothingToPool("Groups of one study each leave t no degree of freedom; accepted here is --ci z.")
    fits = []
    for i, members in enumerate(mask):
        k = int(members.sum())
        if not np.isfinite(found.se[i]):
            fits.append(Pooled.missing(INFINITE, k=k, method=method, ci=ci, level=level))
            continue
        known = wald(float(found.estimate[i]), float(found.se[i]), k=k, level=level, df=df)
        limits = {}
        if found.tau2 is not None and method != "CE":
            reach = float(t_quantile(0.5 + level / 2, df)) * float(np.hypot(np.sqrt(found.tau2), found.se[i]))
            limits = {"pi_lower": known["estimate"] - reach, "pi_upper": known["estimate"] + reach,
                      "pi_df": known["df"], "pi": "V" if ci == "t" else "z"}  # fmt: skip
        share = studies.patient_weights(members)
        if found.tau2 is not None:
            share = studies.own_weights(members, found.tau2)
        fits.append(Pooled.of_likelihood(**known, **limits, tau2=found.tau2, method=method, ci=ci, weights=share))
    several, statistic = len(levels) > 1, max(0.0, found.statistic)
    p = float(chi2_upper(statistic, len(levels) - 1)) if several else None
    return SubgroupFit(levels, tuple(fits), statistic if several else None, len(levels) - 1, p, "common", "LR")


def _glmm(studies: CountStudies, mask: Mask, options: dict[str, Any]) -> _OneVariance:
    variant, common = options["variant"], options.get("method") == "CE"
    if variant == RANDOM_INTERCEPTS:
        return _random_intercepts(studies, mask, common=common)
    model = VARIANTS[studies.measure, variant](studies.measure, studies.counts)
    reasons, _, _ = without_maximum(model.telling, mask, variant)
    free = np.array([not reason for reason in reasons])
    # Where every count of a group lies at an end, its likelihood rises to that of a model with a parameter for each.
    apart = float(model.whole.saturated()[mask[~free].any(axis=0)].sum())
    estimate, se, tau2 = np.full(len(mask), np.nan), np.full(len(mask), np.nan), 0.0
    if free.any():
        found = shared_tau2(*of_likelihood(studies.measure, variant, studies.counts, mask[free]), common=common)
        estimate[free], se[free], tau2 = found.theta, found.se, found.tau2
        apart += found.log_likelihood
    null = shared_tau2(*of_likelihood(studies.measure, variant, studies.counts, studies.everything), common=common)
    return _OneVariance(estimate, se, 2 * (apart - null.log_likelihood), tau2)


def _random_intercepts(studies: CountStudies, mask: Mask, *, common: bool) -> _OneVariance:
    counts = np.array(list(studies.counts.values())) @ mask.T
    if (counts[[0, 2]] == 0).any():
        raise NothingToPool(
            f"A group has no event in one of its arms; {RANDOM_INTERCEPTS} with one tau2 has no finite effect for it. "
            "Use --subgroup-tau2 separate, or another variant."
        )
    apart = random_intercepts.fit(studies.measure, studies.counts, common=common, group=mask.argmax(axis=0))
    null = random_intercepts.fit(studies.measure, studies.counts, common=common)
    statistic = 2 * float(apart.log_likelihood[0] - null.log_likelihood[0])
    return _OneVariance(apart.theta[0], apart.se[0], statistic, float(apart.tau2[0]))


def _beta_binomial(studies: CountStudies, mask: Mask, options: dict[str, Any]) -> _OneVariance:
    """Fit a logit for each cell (arm and group) with one correlation; under the null one effect in every group.

    The likelihood of a cell whose counts all lie at one end rises to 1, whatever the correlation: it is left out.
    """
    common = options.get("method") == "CE"
    x, n, arm = arms_of(studies)
    groups, two = len(mask), len(x) > studies.k
    group = np.tile(mask.argmax(axis=0), 2 if two else 1)
    cell = 2 * group + (1 - arm).astype(int) if two else group
    inside = _inside(x, n, cell)
    indicator = np.eye(int(cell.max()) + 1)[cell]
    apart = beta_binomial.fit(x[inside], n[inside], _columns(indicator[inside]), common=common)
    if two:
        finite = _inside(x, n, group)
        null_design = np.column_stack([np.eye(groups)[group], arm])
    else:
        finite, null_design = np.ones(len(x), dtype=bool), np.ones((len(x), 1))
    null = beta_binomial.fit(x[finite], n[finite], _columns(null_design[finite]), common=common)
    statistic = 2 * float(apart.log_likelihood[0] - null.log_likelihood[0])
    logit, covariance = np.full(indicator.shape[1], np.nan), np.full((indicator.shape[1],) * 2, np.nan)
    kept = np.unique(cell[inside])
    logit[kept], covariance[np.ix_(kept, kept)] = apart.beta[0], apart.covariance[0]
    contrast = np.kron(np.eye(groups), [1.0, -1.0]) if two else np.eye(groups)
    estimate = np.array([row[row != 0] @ logit[row != 0] for row in contrast])
    parts = [np.ix_(row != 0, row != 0) for row in contrast]
    variance = [row[row != 0] @ covariance[part] @ row[row != 0] for row, part in zip(contrast, parts, strict=True)]
    return _OneVariance(estimate, np.sqrt(variance), statistic, None)


def _inside(x: Floats, n: Floats, block: NDArray[np.intp]) -> Mask:
    """Return which arms belong to a block (a cell, or a group) with an event and with a non-event."""
    events, patients = np.bincount(block, x), np.bincount(block, n)
    return np.asarray(((events > 0) & (events < patients))[block])


def _columns(design: Floats) -> Floats:
    """Return a design without the columns that no row uses."""
    return design[:, design.any(axis=0)]


_MODELS: dict[str, Callable[[CountStudies, Mask, dict[str, Any]], _OneVariance]] = {
    "glmm": _glmm,
    "beta-binomial": _beta_binomial,
}
