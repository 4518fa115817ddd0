"""What the next trial would show: its predicted effect, and the chance that it succeeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.effects.scales import natural
from igfmeta.errors import InputError, check_choice
from igfmeta.synthesis.hierarchy import Cell, HierarchyResult


@dataclass(frozen=True)
class Prediction:
    """The effect in a new trial of a new agent of a class in a type of tumour.

    Attributes
    ----------
    cell : Cell
        The class and tumour, with the posterior of the mean effect and the prediction interval.
    median : float
        Of the predicted effect, on the reader's scale.
    p_benefit, p_relevant : float
        Probability that the new trial's own effect favours the experimental arm, and by the relevant ratio at least.
    """

    cell: Cell
    median: float
    p_benefit: float
    p_relevant: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {**self.__dict__, "cell": dict(self.cell.__dict__)}


@dataclass(frozen=True)
class Success:
    """The chance that a trial of some size succeeds.

    Attributes
    ----------
    events : int
        In both arms together.
    boundary : float
        The observed ratio that would just be significant.
    assurance : float
        Probability of success, the uncertainty of the effect included.
    power : float
        Probability of success if the effect were the relevant ratio: what a design usually quotes.
    """

    events: int
    boundary: float
    assurance: float
    power: float


def _position(result: HierarchyResult, agent_class: str, tumor: str) -> int:
    classes, tumors = ([key[i] for key in result.keys] for i in (0, 1))
    chosen = (
        check_choice("class", agent_class, list(dict.fromkeys(classes))),
        check_choice("tumor", tumor, list(dict.fromkeys(tumors))),
    )
    return result.keys.index(chosen)


def _new_trial(result: HierarchyResult, position: int, *, sampling_variance: float = 0.0) -> NormalMixture:
    """Return the distribution of a new trial's effect, or of its estimate with its sampling variance."""
    p = result.posterior
    variance = p.variance[:, position] + p.new_variance + sampling_variance
    return NormalMixture(p.weights[None], p.mean[None, :, position], np.sqrt(variance)[None])


def predict(result: HierarchyResult, *, agent_class: str, tumor: str) -> Prediction:
    """Return what a new trial in a class and type of tumour would show.

    Parameters
    ----------
    result : HierarchyResult
    agent_class, tumor : str
        Of the model; "all" for a factor that it does not have.

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
    position = _position(result, agent_class, tumor)
    trial = _new_trial(result, position)
    lower_is_better = result.question.better == "lower"
    threshold = math.log(result.relevant) if lower_is_better else -math.log(result.relevant)
    below = [float(trial.cdf(np.array([value]))[0]) for value in (0.0, threshold)]
    benefit, notable = below if lower_is_better else (1 - below[0], 1 - below[1])
    return Prediction(
        cell=result.cells[position],
        median=float(natural(result.question.measure, trial.quantile(np.array([0.5]))[0])),
        p_benefit=benefit,
        p_relevant=notable,
    )


def assurance(
    result: HierarchyResult,
    *,
    agent_class: str,
    tumor: str,
    events: Sequence[int],
    alpha: float = 0.025,
    sides: int = 1,
    allocation: float = 1.0,
) -> tuple[Success, ...]:
    """Return the probability that a new trial succeeds, averaged over what its effect may be.

    A trial of d events estimates the log hazard ratio with variance (1 + r)^2 / (r d), r the allocation ratio
    (Schoenfeld 1981, Biometrika 68:316); it succeeds where the estimate is significant in favour of the experimental
    arm. Assurance averages the power over the predictive distribution (O'Hagan, Stevens & Campbell 2005, Pharm Stat
    4:187), here in closed form.

    Parameters
    ----------
    result : HierarchyResult
        Of an outcome with a hazard ratio.
    agent_class, tumor : str
    events : sequence of int
        Numbers of events to consider.
    alpha : float
    sides : {1, 2}
        Whether alpha is one- or two-sided.
    allocation : float
        Experimental to control.

    Raises
    ------
    InputError
        An outcome without a hazard ratio, or an option that cannot be.

    Examples
    --------
    >>> import igfmeta as im
    >>> model = im.hierarchy(im.load_evidence(), outcome="os")
    >>> small, large = assurance(model, agent_class="antibody", tumor="nsclc", events=[100, 1000])
    >>> small.power < large.power
    True
    """
    if result.question.measure != "HR":
        raise InputError(f"{result.question.label} has no hazard ratio; assurance by events needs one.")
    _check(events, alpha, sides, allocation)
    position = _position(result, agent_class, tumor)
    sign = 1.0 if result.question.better == "lower" else -1.0
    z = float(special.ndtri(1 - alpha / sides))
    found = []
    for d in events:
        se = math.sqrt((1 + allocation) ** 2 / (allocation * d))
        estimate = _new_trial(result, position, sampling_variance=se**2)
        below = float(estimate.cdf(np.array([-sign * z * se]))[0])
        found.append(
            Success(
                events=int(d),
                boundary=math.exp(-sign * z * se),
                assurance=below if sign > 0 else 1 - below,
                power=float(special.ndtr(-math.log(result.relevant) / se - z)),
            )
        )
    return tuple(found)


def _check(events: Sequence[int], alpha: float, sides: int, allocation: float) -> None:
    if not events or any(isinstance(d, bool) or not isinstance(d, int) or d < 1 for d in events):
        raise InputError(f"events was {events!r}; accepted are whole numbers above 0.")
    if not 0 < alpha < 0.5:
        raise InputError(f"alpha was {alpha!r}; accepted is a number between 0 and 0.5, such as 0.025.")
    if sides not in (1, 2):
        raise InputError(f"sides was {sides!r}; accepted are 1 and 2.")
    if not 0 < allocation < math.inf:
        raise InputError(f"allocation was {allocation!r}; accepted is a ratio above 0, such as 1.")
