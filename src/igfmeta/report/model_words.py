"""How effects were pooled, in a sentence: the methods and the priors behind a pool, defaults included."""

from __future__ import annotations

from igfmeta.synthesis.pool_models import RANDOM
from igfmeta.synthesis.results import Group, methods_of

_CI = {"z": "the normal distribution", "t": "t with k - 1 degrees of freedom", "PL": "profile likelihood"}
_EXACT = "exact (Clopper-Pearson) for one study or where nobody responded"

#: Models of one common effect, with what each does.
_COMMON = {
    "mh": "Mantel-Haenszel: one common effect, nothing added to zeros; Q of the studies' own effects, 1/2 added to "
    "zeros; CI by {ci}.",
    "peto": "Peto's one-step method: one common odds ratio, nothing added to zeros; CI by {ci}.",
    "logistic": "Logistic regression, an intercept for each study: one common odds ratio, nothing added to zeros; Q is "
    "its deviance; CI by {ci}.",
    "firth": "Penalized logistic regression (Firth), an intercept for each study: one common odds ratio, finite "
    "without events in an arm; CI by penalized {ci}.",
}


def methods_line(group: Group) -> str:
    """Return the methods and priors behind a pool in one sentence each."""
    return f"{frequentist_line(group)} {posterior_line(group)}"


def frequentist_line(group: Group) -> str:
    """Return how the estimate, its interval and the prediction interval were come by."""
    if group.model == RANDOM:
        used = methods_of(group)
        logits = "Logits with normal variances, 1/2 added to zeros: " if group.measure == "PLO" else ""
        return f"{logits}tau2 by {used['method']}, CI by {used['ci']}, PI by {used['pi']}."
    by = _CI.get(group.fit.ci, _CI["PL"])
    if group.model in _COMMON:
        return _COMMON[group.model].format(ci=by)
    return _beta_binomial(group, by) if group.model == "beta-binomial" else _mixed(group, by)


def _mixed(group: Group, by: str) -> str:
    held = "CE (held at 0)" if group.fit.method == "CE" else "ML"
    if group.counted:
        return (
            f"Logit-normal model of the counts (binomial likelihood, nothing added to zeros): tau2 by {held}; CI by "
            f"{by}, {_EXACT}; PI from that CI and tau2; I2 = tau2 / (tau2 + typical variance of the logits). "
            "Hartung-Knapp is not for counts."
        )
    return (
        "Mixed model of the counts of both arms by their exact conditional likelihood (CM.EL, non-central "
        f"hypergeometric, nothing added to zeros): tau2 by {held}; CI by {by}; PI from that CI and tau2; Q is the "
        "likelihood ratio of one common effect. Hartung-Knapp is not for counts."
    )


def _beta_binomial(group: Group, by: str) -> str:
    held = "held at 0 (CE)" if group.fit.method == "CE" else "by ML"
    if group.counted:
        return (
            f"Beta-binomial model of the counts (nothing added to zeros): the mean rate of all studies, correlation "
            f"{held}; CI by {by}, {_EXACT}; no prediction interval."
        )
    return (
        "Beta-binomial model of the counts, each arm a cluster of its own (nothing added to zeros; studies without an "
        f"event count): odds ratio of the mean rates, correlation {held}; CI by {by}; no prediction interval."
    )


def posterior_line(group: Group) -> str:
    """Return the model and the priors of the posterior."""
    used = methods_of(group)
    of = ""
    if group.counted and group.model != "glmm":
        of = " of the logit-normal model, whose rate is that of a typical study"
    elif not group.counted and group.model != RANDOM:
        of = " of the studies' own effects with normal variances, 1/2 added to zeros"
    return (
        f"Posterior{of}: tau {used['tau_prior']}, mu {used['mu_prior']}, "
        f"{100 * used['level']:g} % {used['interval']} interval."
    )
