"""Which methods the rates of single arms heed: pooled from their counts they have a likelihood of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from igfmeta.errors import InputError, listed
from igfmeta.synthesis.questions import COUNTED_PROPORTION, Question

#: tau2 by maximum likelihood, or held at 0; intervals of the pooled rate, the default first.
METHODS, INTERVALS = ("ML", "CE"), ("PL", "z", "t")

#: Rates of single arms on the logit scale: from their counts, or as logits with variances taken as known.
RATES = ("binomial", "normal")


@dataclass(frozen=True)
class RateMethods:
    """How rates are pooled from their counts, and what was asked that says nothing to them (None: nothing was)."""

    method: str
    ci: str
    unheeded: str | None

    @property
    def common(self) -> bool:
        """Whether tau2 is held at 0."""
        return self.method == "CE"


def rate_methods(method: str | None, ci: str | None, pi: str | None) -> RateMethods:
    """Return what a binomial likelihood heeds of the methods that were asked for (None: not asked).

    Examples
    --------
    >>> rate_methods("ce", "z", None)
    RateMethods(method='CE', ci='z', unheeded=None)
    >>> rate_methods("DL", None, "HTS").unheeded[:64]
    'method DL and pi HTS say nothing to rates pooled from their coun'
    """
    chosen_method, chosen_ci = _chosen(method, METHODS), _chosen(ci, INTERVALS)
    strange = [] if chosen_method else [f"method {method}"]
    strange += [] if chosen_ci else [f"ci {ci}"]
    strange += [] if pi is None else [f"pi {pi}"]
    unheeded = None
    if strange:
        unheeded = (
            f"{' and '.join(strange)} {'say' if len(strange) > 1 else 'says'} nothing to rates pooled from their "
            f"counts: accepted are method {listed(METHODS)} and ci {listed(INTERVALS)}, and the prediction interval "
            "follows. rates = normal (--rates normal) pools their logits by inverse variance instead."
        )
    return RateMethods(chosen_method or METHODS[0], chosen_ci or INTERVALS[0], unheeded)


def _chosen(name: str | None, accepted: tuple[str, ...]) -> str | None:
    """Return a name as it is spelled here, the first of those accepted where none is given, None for another."""
    if name is None:
        return accepted[0]
    return next((each for each in accepted if each.upper() == name.upper()), None)


def refuse_unheeded(asked: RateMethods, questions: tuple[Question, ...], rates: str) -> None:
    """Refuse methods that no question heeds; where another question does, the answer of the rates says so instead.

    Raises
    ------
    InputError
        Every question is of rates pooled from their counts; or rates are asked to be normal and none is a logit.
    """
    if asked.unheeded is not None and all(question.counted for question in questions):
        raise InputError(asked.unheeded)
    if rates != RATES[0] and not any(question.measure == COUNTED_PROPORTION for question in questions):
        raise InputError(
            f"rates was {rates!r}; it is of single-arm rates on the logit scale (measure {COUNTED_PROPORTION}), and no "
            "question has that measure."
        )


def of_outcome(options: Mapping[str, Any], measure: str, *, others: bool) -> tuple[dict[str, Any], str | None]:
    """Return what one outcome of a protocol heeds of the options that its outcomes share, and a sentence on the rest.

    Parameters
    ----------
    options : mapping
        Of `igfmeta.synthesis.pooling.pool`.
    measure : str
        Of the outcome.
    others : bool
        Whether other outcomes have other measures: what is said to them may say nothing to rates.
    """
    heeded = dict(options)
    rates = heeded.pop("rates", RATES[0])
    if measure != COUNTED_PROPORTION:
        return heeded, None
    heeded["rates"] = rates
    asked = rate_methods(heeded.get("method"), heeded.get("ci"), heeded.get("pi"))
    if rates != RATES[0] or asked.unheeded is None or not others:
        return heeded, None
    return heeded | {"method": asked.method, "ci": asked.ci, "pi": None}, asked.unheeded
