"""What `sensitivity` holds: everything that its tables, figures and JSON need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.models.results import Pooled
from igfmeta.synthesis.display import Plotted
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.rate_pools import EXACT
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.study_sets import StudySet, sets_to_dict

if TYPE_CHECKING:
    import pandas as pd

#: The kinds of choices, in the order of the table.
KINDS = {
    "tau2": "Estimator of tau2",
    "interval": "Interval",
    "model": "Model",
    "studies": "Studies",
}

#: The same for rates of single arms: every choice by the counts, and apart from them the normal approximation.
RATE_KINDS = {
    "model": "Model of the counts",
    "interval": "Interval, binomial model",
    "studies": "Studies, binomial model",
    "normal": "Normal approximations, not of the counts",
}

#: What a reader should know of the rows of rates.
OF_RATES = (
    "Binomial models take the counts as they are; the logit-normal gives the rate of a typical study (its mean logit), "
    "the beta-binomial the mean rate of all. Normal approximations add 1/2 to zeros, which moves small rates upwards."
)


@dataclass(frozen=True)
class Choice:
    """The pooled effect under one choice, on the analysis scale.

    Attributes
    ----------
    kind : str
        Of `KINDS`, or of `RATE_KINDS`.
    name : str
        In words.
    k : int
    estimate, ci_lower, ci_upper : float
    p_value : float or None
        None for a posterior.
    tau2 : float or None
    chosen : bool
        It is what the pool itself does.
    conclusion : str
        "excludes", "includes" or "" (no value of no effect): what the interval does with no effect.
    """

    kind: str
    name: str
    k: int
    estimate: float
    ci_lower: float
    ci_upper: float
    p_value: float | None
    tau2: float | None
    chosen: bool
    conclusion: str


@dataclass(frozen=True, eq=False)
class SensitivityOf:
    """Every choice for one set of studies; `not_run` says which had no answer and why."""

    studies: StudySet
    fit: Pooled
    choices: tuple[Choice, ...]
    not_run: tuple[str, ...]

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of choices that there are for these studies, in the order of the table."""
        return RATE_KINDS if self.studies.counted else KINDS

    @property
    def base(self) -> str:
        """What the first line is: the pool itself, and how it was made."""
        how = f"{self.fit.method}, {self.fit.ci}"
        if self.studies.counted:
            how = "exact interval of the sum" if self.fit.ci == EXACT else f"binomial likelihood, {how}"
        return f"The pool itself: {how}"

    def summary(self) -> tuple[str, ...]:
        """Return, in sentences, how far the answer moves."""
        low, high = min(self.choices, key=lambda c: c.estimate), max(self.choices, key=lambda c: c.estimate)
        lines = [f"Lowest estimate: {low.name}; highest: {high.name}."]
        if self.studies.counted:
            lines.append(OF_RATES)
        sides = {choice.conclusion for choice in self.choices} - {""}
        if len(sides) == 1:
            verb = "excludes" if sides == {"excludes"} else "includes"
            lines.append(f"Every interval {verb} no effect.")
        elif sides:
            own = next(choice.conclusion for choice in self.choices if choice.chosen)
            other = [choice.name for choice in self.choices if choice.conclusion not in ("", own)]
            lines.append(
                f"The pool's own interval {own} no effect; {len(other)} of {len(self.choices)} choices turn that: "
                f"{', '.join(other)}."
            )
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        natural = self.studies.natural
        return {
            **self.studies.head(),
            **self.studies.pooled_by(self.fit),
            "choices": [
                {
                    **{name: finite(value) for name, value in choice.__dict__.items()},
                    "natural": {name: natural(getattr(choice, name)) for name in ("estimate", "ci_lower", "ci_upper")},
                }
                for choice in self.choices
            ],
            "summary": [*self.summary(), *self.studies.said],
            "not_run": list(self.not_run),
        }


@dataclass(frozen=True, eq=False)
class SensitivityResult(Plotted):
    """The sensitivity of each set of studies."""

    sets: tuple[SensitivityOf, ...]
    methods: Methods

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return sets_to_dict(self.sets, self.methods)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per choice, on the reader's scale."""
        import pandas as pd

        rows = []
        for each in self.sets:
            for choice in each.to_dict()["choices"]:
                scaled = choice.pop("natural")
                rows.append({"set": each.studies.name, **choice, **scaled})
        return pd.DataFrame(rows)
