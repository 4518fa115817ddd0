"""The chance that the next trial succeeds, averaged over what its effect may be (assurance)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.expectation import nodes_of
from igfmeta.errors import check_choice
from igfmeta.synthesis.decisions import above, cell_at, new_trial, position_of
from igfmeta.synthesis.hierarchy_results import Cell, HierarchyResult
from igfmeta.synthesis.trial_designs import UNITS, Design, Success, Trial, Unit, planned_trial


@dataclass(frozen=True, eq=False)
class Assurance:
    """The chances of trials of several sizes, in one class and type of tumour.

    Attributes
    ----------
    result : HierarchyResult
    cell : Cell
    design : Design
    unit : {"events", "patients"}
        What the sizes are; patients are those of each arm.
    trials : tuple of Success
    limit : float
        What assurance approaches as trials grow: the probability that the new trial's effect is a benefit, or that its
        rate is better than the null rate.
    planned : float or None
        The ratio or rate for which power is given, on the reader's scale.
    """

    result: HierarchyResult
    cell: Cell
    design: Design
    unit: Unit
    trials: tuple[Success, ...]
    limit: float
    planned: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {
            **self.result.made_from(),
            "outcome": self.result.question.name,
            "measure": self.result.question.measure,
            "cell": dict(self.cell.__dict__),
            **self.design.to_dict(),
            "unit": self.unit,
            "planned": self.planned,
            "limit": self.limit,
            "trials": [trial.to_dict() for trial in self.trials],
        }


def _planned(result: HierarchyResult, design: Design) -> float | None:
    if result.is_rate:
        return design.target_rate
    return result.relevant if result.question.better == "lower" else 1 / result.relevant


def assurance(
    result: HierarchyResult,
    *,
    agent_class: str,
    tumor: str,
    sizes: Sequence[int],
    unit: Unit | str = "events",
    design: Design | None = None,
) -> Assurance:
    """Return the probability that a new trial succeeds, averaged over what its effect may be.

    Assurance is the power averaged over the predictive distribution of the new trial's effect (O'Hagan, Stevens &
    Campbell 2005, Pharm Stat 4:187), by quadrature. The power:

    - Hazard ratio: of d events in both arms the log hazard ratio has variance (1 + r)^2 / (r d), r the allocation ratio
      (Schoenfeld 1981, Biometrika 68:316). Planned by patients, d is the expected number: 2 n times the event rate.
    - Odds ratio: the z test of two proportions, n patients in each arm, the control arm's rate taken as known; its
      power is summed over the counts of both arms, not approximated.
    - Rate of one arm: the exact binomial test against the null rate; success takes the fewest responders r with
      P(X >= r | null rate) <= alpha.

    Parameters
    ----------
    result : HierarchyResult
        Of a hazard ratio, an odds ratio or the logit of a rate.
    agent_class, tumor : str
    sizes : sequence of int
        Events in both arms, or patients in each arm.
    unit : {"events", "patients"}
        What the sizes are.
    design : Design, optional
        Default: one-sided alpha of 0.025, equal arms.

    Raises
    ------
    InputError
        An outcome whose trial cannot be planned so, a rate that is missing, or an option that cannot be.

    Examples
    --------
    >>> import igfmeta as im
    >>> model = im.hierarchy(im.load_evidence(), outcome="os")
    >>> found = assurance(model, agent_class="antibody", tumor="nsclc", sizes=[100, 1000])
    >>> small, large = found.trials
    >>> small.power < large.power, large.assurance < found.limit
    (True, True)
    """
    design = design or Design()
    unit = check_choice("unit", unit, UNITS)
    trial = planned_trial(result, sizes, unit, design)
    position = position_of(result, agent_class, tumor)
    effect = new_trial(result, position)
    return Assurance(
        result=result,
        cell=cell_at(result, position),
        design=design,
        unit="events" if unit == "events" else "patients",
        trials=chances(trial, effect, sizes),
        limit=above(effect, trial.null),
        planned=_planned(result, design),
    )


def chances(trial: Trial, effect: NormalMixture, sizes: Sequence[int]) -> tuple[Success, ...]:
    """Return the chance of success of trials of several sizes whose effect has a distribution."""
    nodes = nodes_of(effect, steep=trial.null)
    planned = None if trial.planned is None else np.array([trial.planned])
    return tuple(
        trial.success(
            size,
            nodes.average(trial.power(nodes.points, size)),
            None if planned is None else float(trial.power(planned, size)[0]),
        )
        for size in sizes
    )


def spread(first: int, last: int, n: int) -> list[int]:
    """Return about n whole numbers from first to last, evenly spread on the log scale.

    Examples
    --------
    >>> spread(50, 800, 5)
    [50, 100, 200, 400, 800]
    """
    return sorted({round(x) for x in np.geomspace(first, last, n).tolist()})
