"""The sentences that stand under a pool: what a reader should know before using its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta.bayes.posterior import Posterior
from igfmeta.bayes.rate_posterior import RatePosterior
from igfmeta.effects.scales import null_value
from igfmeta.errors import listed
from igfmeta.models.results import Pooled
from igfmeta.synthesis.pool_models import RANDOM, VARYING
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.rows_to_effects import RowEffect
from igfmeta.synthesis.studies import Study

#: Below this many studies tau2 is hardly estimable and the prior weighs on the posterior (Bender 2018, Res Synth
#: Methods 9:382, take fewer than 5 as "very few").
FEW_STUDIES = 5

#: How many times wider one school's interval must be than the other's before the output says that they part.
PARTING_RATIO = 1.5


def _excludes(lower: float | None, upper: float | None, null: float) -> bool:
    return lower is not None and upper is not None and (lower > null or upper < null)


def _width(lower: float | None, upper: float | None) -> float:
    return upper - lower if lower is not None and upper is not None else 0.0


def parting(fit: Pooled, posterior: Posterior | RatePosterior, measure: str) -> str | None:
    """Return a sentence where the two schools disagree: on the null value, or on the width of the interval."""
    null = null_value(measure)
    if fit.ci_lower is None or fit.k < 2:
        return None
    if null is not None:
        frequentist = _excludes(fit.ci_lower, fit.ci_upper, null)
        bayesian = _excludes(posterior.ci_lower, posterior.ci_upper, null)
        if frequentist != bayesian:
            excludes, includes = ("confidence", "credible") if frequentist else ("credible", "confidence")
            return f"The schools part: the {excludes} interval excludes no effect and the {includes} interval does not."
    widths = [_width(fit.ci_lower, fit.ci_upper), _width(posterior.ci_lower, posterior.ci_upper)]
    if min(widths) > 0 and max(widths) / min(widths) > PARTING_RATIO:
        wider = "confidence" if widths[0] > widths[1] else "credible"
        return f"The schools part: the {wider} interval is {max(widths) / min(widths):.1f} times as wide as the other."
    return None


def of_group(
    fit: Pooled, posterior: Posterior | RatePosterior, measure: str, *, model: str = RANDOM
) -> tuple[str, ...]:
    """Return the remarks on one group's fit."""
    remarks = [*fit.remarks]
    if 1 < fit.k < FEW_STUDIES:
        varying = "tau2 is hardly estimable and " if model in VARYING else ""
        remarks.append(f"Only {fit.k} studies: {varying}the posterior leans on the prior.")
    parted = parting(fit, posterior, measure)
    return tuple(dict.fromkeys([*remarks, parted] if parted else remarks))


def of_answer(question: Question, studies: Sequence[Study]) -> tuple[str, ...]:
    """Return the remarks on the set of studies that a question pools."""
    remarks = []
    classes = sorted({study.agent_class for study in studies})
    if len(classes) > 1:
        remarks.append(
            f"{len(classes)} classes of agent are pooled together ({listed(classes)}); --by class parts them."
        )
    if question.outcomes[0].endswith("_rate"):
        remarks.append("The time points at which the rate was read differ between studies; see each row's note.")
    if question.arms == "single_arm":
        remarks.append("Single-arm results have no control: a rate is not an effect of the agent.")
    return tuple(remarks)


def of_transformed_rates(effects: Sequence[RowEffect], measure: str) -> str:
    """Return how rates are taken by a model of normal effects, and what the correction of zeros does to them."""
    bare = sum(effect.counts[0] == 0 for effect in effects)
    said = f"Rates: {'logits' if measure == 'PLO' else 'logarithms'} with normal variances"
    if not bare:
        return f"{said}; pool takes the counts themselves."
    return (
        f"{said}: {bare} of {len(effects)} results have no event and 0.5 added to it, which draws the mean up. "
        "PAS needs no such correction; pool takes the counts themselves (PLO)."
    )
