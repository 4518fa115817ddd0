"""Which methods a question heeds: models of counts have likelihoods, and so tests and intervals, of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igfmeta.errors import InputError, listed
from igfmeta.synthesis.pool_models import POOL_MODELS, RANDOM, default_model
from igfmeta.synthesis.questions import Question


@dataclass(frozen=True)
class ModelMethods:
    """What a model of counts is fitted by, and what was asked that says nothing to it (None: nothing was)."""

    method: str
    ci: str
    unheeded: str | None

    @property
    def common(self) -> bool:
        """Whether tau2 is held at 0."""
        return self.method == "CE"


#: How effects may be pooled by other methods than those of a model.
INSTEAD = "model = random (--model random) pools by inverse variance instead."


def model_methods(
    model: str, method: str | None, ci: str | None, pi: str | None, *, instead: str = INSTEAD
) -> ModelMethods:
    """Return what a model of counts heeds of the methods that were asked for (None: not asked).

    The sentence on what it does not heed ends with `instead`.

    Examples
    --------
    >>> model_methods("glmm", "ce", "z", None)
    ModelMethods(method='CE', ci='z', unheeded=None)
    >>> model_methods("mh", "DL", None, "HTS").unheeded[:58]
    'method DL and pi HTS say nothing to model mh (Mantel-Haens'
    """
    known = POOL_MODELS[model]
    chosen_method, chosen_ci = _chosen(method, known.methods), _chosen(ci, known.intervals)
    strange = [] if chosen_method else [f"method {method}"]
    strange += [] if chosen_ci else [f"ci {ci}"]
    strange += [] if pi is None else [f"pi {pi}"]
    unheeded = None
    if strange:
        follows = ", and the prediction interval follows" if model == "glmm" else ", and it has no prediction interval"
        unheeded = (
            f"{' and '.join(strange)} {'say' if len(strange) > 1 else 'says'} nothing to model {model} "
            f"({known.label}): accepted are method {listed(known.methods)} and ci {listed(known.intervals)}{follows}. "
            f"{instead}"
        )
    return ModelMethods(chosen_method or known.methods[0], chosen_ci or known.intervals[0], unheeded)


def _chosen(name: str | None, accepted: tuple[str, ...]) -> str | None:
    """Return a name as it is spelled here, the first of those accepted where none is given, None for another."""
    if name is None:
        return accepted[0]
    return next((each for each in accepted if each.upper() == name.upper()), None)


def methods_heeded(
    questions: Sequence[Question], method: str | None, ci: str | None, pi: str | None
) -> dict[Question, ModelMethods]:
    """Return the methods of each question that a model of counts answers.

    Raises
    ------
    InputError
        Methods that no question heeds. Where another does, the answer says so instead.
    """
    found = {each: model_methods(each.model, method, ci, pi) for each in questions if each.model != RANDOM}
    if len(found) == len(questions):
        refused = dict.fromkeys(each.unheeded for each in found.values() if each.unheeded is not None)
        if refused:
            raise InputError("\n".join(refused))
    return found


def of_outcome(options: Mapping[str, Any], measure: str, *, others: bool) -> tuple[dict[str, Any], str | None]:
    """Return what one outcome of a protocol heeds of the options that its outcomes share, and a sentence on the rest.

    Parameters
    ----------
    options : mapping
        Of `igfmeta.synthesis.pooling.pool`.
    measure : str
        Of the outcome.
    others : bool
        Whether other outcomes have other measures: what is said to them may say nothing to this one.
    """
    heeded, said = dict(options), []
    model = heeded.get("model")
    if others and model is not None and measure not in POOL_MODELS[model].measures:
        heeded["model"] = model = None
        said.append(f"model {options['model']} has no {measure}: pooled by model {default_model(measure)} instead.")
    chosen = model or default_model(measure)
    if others and chosen != RANDOM:
        asked = model_methods(chosen, heeded.get("method"), heeded.get("ci"), heeded.get("pi"))
        if asked.unheeded is not None:
            heeded |= {"method": asked.method, "ci": asked.ci, "pi": None}
            said.append(asked.unheeded)
    return heeded, " ".join(said) or None
