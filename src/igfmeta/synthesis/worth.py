"""Whether a class of agent is worth another phase III, given the least effect that patients would notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from igfmeta.errors import InputError
from igfmeta.synthesis.assurance import chances
from igfmeta.synthesis.decisions import above, cell_at, new_trial, relevant_effect
from igfmeta.synthesis.hierarchy_results import ALL, Cell, HierarchyResult
from igfmeta.synthesis.trial_designs import Design, planned_trial

#: Probability from which a relevant mean effect counts as likely; below its complement it counts as unlikely.
THRESHOLD = 0.8

#: Fewer studies than this are few.
FEW = 5

VERDICTS = ("worth it", "open", "not worth it")

#: Instead of a verdict where no study was done: borrowed numbers alone do not close a question.
NO_STUDY = "no study"


@dataclass(frozen=True)
class Worth:
    """What is known of the next phase III of a class, over all of the model's tumours or in one of them.

    Attributes
    ----------
    whole_class : bool
        Whether it is the class over all tumours.
    cell : Cell
        The class in a tumour; for all tumours the average of its cells, with equal weights, empty ones included.
    p_relevant : float
        Probability that the mean effect is at least as good as the relevant one.
    p_trial_relevant : float
        Probability that the true effect of a new trial is; over all tumours, of a trial in one of them taken at random.
    assurance : float
        Probability that a new trial of the planned size succeeds.
    verdict : {"worth it", "open", "not worth it", "no study"}
    """

    whole_class: bool
    cell: Cell
    p_relevant: float
    p_trial_relevant: float
    assurance: float
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {**self.__dict__, "cell": dict(self.cell.__dict__)}


@dataclass(frozen=True, eq=False)
class Worths:
    """The verdict on every class: over all tumours, then tumour by tumour.

    Attributes
    ----------
    result : HierarchyResult
    rows : tuple of Worth
        Class by class; within a class all tumours first.
    size : int
    unit : {"events", "patients"}
    design : Design
        Of the phase III.
    threshold : float
    """

    result: HierarchyResult
    rows: tuple[Worth, ...]
    size: int
    unit: str
    design: Design
    threshold: float

    @property
    def rule(self) -> str:
        """The rule of the verdict, as a sentence."""
        low = f"{1 - self.threshold:g}"
        return (
            f"Verdict: worth it where the mean effect is at least the relevant one with a probability of "
            f"{self.threshold:g} or more; not worth it at {low} or less; open between; none where no study was done."
        )

    @property
    def caution(self) -> str:
        """How few studies stand behind the verdicts, in sentences."""
        k = [row.cell.k for row in self.rows if row.whole_class]
        few, empty = sum(n < FEW for n in k), sum(cell.k == 0 for cell in self.result.cells)
        parts = [f"{len(self.result.studies)} studies stand behind all of this."]
        if few:
            parts.append(f"{few} of {len(k)} classes {'rests' if few == 1 else 'rest'} on fewer than {FEW} of them.")
        if empty:
            parts.append(
                f"{empty} of {len(self.result.cells)} cells have none and only borrow: there the priors decide."
            )
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {
            **self.result.made_from(),
            "outcome": self.result.question.name,
            "measure": self.result.question.measure,
            "relevant": self.result.relevant,
            "threshold": self.threshold,
            "rule": self.rule,
            "caution": self.caution,
            "unit": self.unit,
            "size": self.size,
            **self.design.to_dict(),
            "rows": [row.to_dict() for row in self.rows],
        }


def verdict_of(p_relevant: float, threshold: float, k: int) -> str:
    """Return the verdict on a probability of a relevant mean effect behind which k studies stand.

    Examples
    --------
    >>> [verdict_of(p, 0.8, k) for p, k in ((0.85, 3), (0.5, 3), (0.2, 3), (0.2, 0))]
    ['worth it', 'open', 'not worth it', 'no study']
    """
    if k == 0:
        return NO_STUDY
    if p_relevant >= threshold:
        return VERDICTS[0]
    return VERDICTS[1] if p_relevant > round(1 - threshold, 12) else VERDICTS[2]


def worth(
    result: HierarchyResult,
    *,
    size: int = 400,
    unit: str = "events",
    design: Design | None = None,
    threshold: float = THRESHOLD,
) -> Worths:
    """Return whether each class is worth another phase III, over all tumours and in each.

    The effect of a class is the average of its cells over the model's tumours, with equal weights, given each draw of
    the standard deviations; the minimum relevant effect is that of the model (`relevant`). The verdict goes by the
    probability that the mean effect is at least as good, and is symmetric: worth it from `threshold` on, not worth it
    up to its complement, open between (go, stop and consider zones; Lalonde et al. 2007, Clin Pharmacol Ther 82:21).

    Parameters
    ----------
    result : HierarchyResult
        By class, or by class and tumour.
    size : int
        Events, or patients in each arm, of the phase III whose assurance is given.
    unit : {"events", "patients"}
    design : Design, optional
    threshold : float
        Above 0.5 and below 1.

    Raises
    ------
    InputError
        A model without classes, a threshold that cannot be, or a trial that cannot be planned so.

    Examples
    --------
    >>> import igfmeta as im
    >>> found = worth(im.hierarchy(im.load_evidence(), outcome="os"), size=400)
    >>> found.rows[0].cell.agent_class, found.rows[0].cell.k, found.rows[0].verdict
    ('Anti-IGF-1R antibodies', 8, 'not worth it')
    """
    if "class" not in result.by:
        raise InputError("The model has no classes of agents to judge: it takes by class, or by class and tumor.")
    if not 0.5 < threshold < 1:
        raise InputError(f"threshold was {threshold!r}; accepted is a probability above 0.5 and below 1, such as 0.8.")
    design = design or Design()
    trial = planned_trial(result, [size], unit, design)
    relevant = relevant_effect(result)
    rows: list[Worth] = []
    for name in dict.fromkeys(agent_class for agent_class, _ in result.keys[: len(result.cells)]):
        cells = [i for i, key in enumerate(result.keys[: len(result.cells)]) if key[0] == name]
        effects = [new_trial(result, i) for i in cells]
        relevant_trials = [above(effect, relevant) for effect in effects]
        successes = [chances(trial, effect, [size])[0].assurance for effect in effects]
        whole = cell_at(result, _average(result, name, cells))
        of_class = sum(relevant_trials) / len(cells), sum(successes) / len(cells)
        rows.append(_worth(True, whole, *of_class, threshold))
        if len(cells) > 1:
            each = zip(cells, relevant_trials, successes, strict=True)
            rows += [_worth(False, cell_at(result, i), p, success, threshold) for i, p, success in each]
    return Worths(result=result, rows=tuple(rows), size=size, unit=unit, design=design, threshold=threshold)


def _worth(whole_class: bool, cell: Cell, p_trial: float, success: float, threshold: float) -> Worth:
    return Worth(whole_class, cell, cell.p_relevant, p_trial, success, verdict_of(cell.p_relevant, threshold, cell.k))


def _average(result: HierarchyResult, name: str, cells: list[int]) -> int:
    """Return where the average of a class over tumours stands; the only class is the average of everything."""
    if len(cells) == 1:
        return cells[0]
    return result.keys.index((name, ALL) if (name, ALL) in result.keys else (ALL, ALL))
