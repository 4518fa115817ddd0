"""What the next trial would show: its predicted effect, in any class and type of tumour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

from scipy import special

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError, check_choice, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.hierarchy import hierarchy
from igfmeta.synthesis.hierarchy_results import Cell, HierarchyResult


class Options(TypedDict, total=False):
    """Options of a hierarchy that decisions pass on."""

    relevant: float | None
    priors: Mapping[str, TauPrior] | None
    seed: int


@dataclass(frozen=True)
class Prediction:
    """The effect in a new trial of a new agent of a class in a type of tumour.

    Attributes
    ----------
    cell : Cell
        The class and tumour, with the posterior of the mean effect and the prediction interval.
    p_benefit : float or None
        Probability that the new trial's own effect favours the experimental arm; None for the rate of one arm, which
        has no arm to compare with.
    p_relevant : float
        Probability that it is at least as good as the relevant value.
    """

    cell: Cell
    p_benefit: float | None
    p_relevant: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {**self.__dict__, "cell": dict(self.cell.__dict__)}


#: Outcomes that are tried where none is named: the first that was reported of the class and of the type of tumour.
OUTCOMES = ("os", "progression")


def model_of(
    evidence: Evidence,
    *,
    agent_class: str,
    tumor: str,
    outcome: str | None = None,
    measure: str | None = None,
    **options: Unpack[Options],
) -> HierarchyResult:
    """Return the hierarchy that speaks of a class and type of tumour.

    Parameters
    ----------
    evidence : Evidence
    agent_class, tumor : str
    outcome : str, optional
        Default: overall survival; progression, said in a remark, where survival was not reported of the class or of the
        tumour in a randomized comparison; response where the measure is of counts.
    measure : {"HR", "OR", "PLO"}, optional
    **options
        `relevant`, `priors` and `seed`, as of `igfmeta.synthesis.hierarchy.hierarchy`.

    Examples
    --------
    >>> import igfmeta as im
    >>> model = model_of(im.load_evidence(), agent_class="antibody", tumor="ewing_sarcoma")
    >>> model.question.name
    'progression'
    """
    if outcome is not None or (measure is not None and measure.upper() != "HR"):
        return hierarchy(evidence, outcome=outcome or "orr", measure=measure, **options)
    first = hierarchy(evidence, outcome=OUTCOMES[0], measure=measure, **options)
    missing = _missing(first, agent_class, tumor)
    for name in OUTCOMES[1:] if missing else ():
        found = hierarchy(evidence, outcome=name, measure=measure, **options)
        if not _missing(found, agent_class, tumor):
            said = (
                f"No hazard ratio of {first.question.label.lower()} was reported for {listed(missing)}: this is of "
                f"{found.question.label.lower()}. --outcome chooses."
            )
            return replace(found, remarks=(said, *found.remarks))
    return first


def _missing(result: HierarchyResult, agent_class: str, tumor: str) -> list[str]:
    """Return the class and the tumour as far as a model does not have them."""
    known = [{key[i].casefold() for key in result.keys} for i in (0, 1)]
    return [name for name, names in zip((agent_class, tumor), known, strict=True) if name.casefold() not in names]


def position_of(result: HierarchyResult, agent_class: str, tumor: str) -> int:
    """Return which cell or average a class and a type of tumour are; what the model does not have is refused."""
    classes, tumors = ([key[i] for key in result.keys] for i in (0, 1))
    chosen = (
        check_choice("class", agent_class, list(dict.fromkeys(classes))),
        check_choice("tumor", tumor, list(dict.fromkeys(tumors))),
    )
    if chosen not in result.keys:
        raise InputError(f"The model has no cell of class {chosen[0]!r} and tumor {chosen[1]!r}; name them both.")
    return result.keys.index(chosen)


def cell_at(result: HierarchyResult, position: int) -> Cell:
    """Return a cell or, behind the cells, an average of them."""
    return (*result.cells, *result.averages)[position]


def sign_of(result: HierarchyResult) -> float:
    """Return what turns effects of the analysis scale so that more is better: 1 or -1."""
    return -1.0 if result.question.better == "lower" else 1.0


def new_trial(result: HierarchyResult, position: int) -> NormalMixture:
    """Return the distribution of the effect in a new trial, more being better; one row of components."""
    mixture = result.posterior.new_studies().rows([position])
    return NormalMixture(mixture.weight, sign_of(result) * mixture.mean, mixture.sd)


def relevant_effect(result: HierarchyResult) -> float:
    """Return the least relevant effect on the analysis scale, more being better."""
    return sign_of(result) * result.threshold


def above(distribution: NormalMixture, value: float) -> float:
    """Return P(X > value) of one distribution."""
    return float(distribution.weight[0] @ special.ndtr((distribution.mean[0] - value) / distribution.sd[0]))


def predict(result: HierarchyResult, *, agent_class: str, tumor: str) -> Prediction:
    """Return what a new trial in a class and type of tumour would show.

    Parameters
    ----------
    result : HierarchyResult
    agent_class, tumor : str
        Of the model; "all" for a factor that it does not have, or for the average over its levels.

    Raises
    ------
    InputError
        A class or tumour that the model does not have.

    Examples
    --------
    >>> import igfmeta as im
    >>> model = im.hierarchy(im.load_evidence(), outcome="os")
    >>> found = predict(model, agent_class="tki", tumor="nsclc")
    >>> found.cell.k, 0 < found.p_relevant < found.p_benefit < 1
    (0, True)
    """
    position = position_of(result, agent_class, tumor)
    trial = new_trial(result, position)
    return Prediction(
        cell=cell_at(result, position),
        p_benefit=None if result.is_rate else above(trial, 0.0),
        p_relevant=above(trial, relevant_effect(result)),
    )
