"""The models by which a question can be pooled: which measures each has, and what it heeds of the methods asked for."""

from __future__ import annotations

from dataclasses import dataclass

#: Inverse variance, of effects with variances taken as known.
RANDOM = "random"

#: Measures of the counts of two arms, and of one.
COMPARATIVE_COUNTS = ("OR", "RR", "RD", "PETO", "AS")
PROPORTIONS = ("PLO", "PLN", "PR", "PAS", "PFT")
MEASURES = ("HR", *COMPARATIVE_COUNTS, *PROPORTIONS)


@dataclass(frozen=True)
class PoolModel:
    """A model: what it is called, the measures that it has, and the methods and intervals, the default first."""

    label: str
    measures: tuple[str, ...]
    methods: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()


#: In `random` the pooling kernel validates methods and intervals.
POOL_MODELS = {
    RANDOM: PoolModel("inverse variance", MEASURES),
    "glmm": PoolModel("mixed model of the counts", ("PLO", "OR"), ("ML", "CE"), ("PL", "z", "t")),
    "mh": PoolModel("Mantel-Haenszel", ("OR", "RR", "RD"), ("CE",), ("z",)),
    "peto": PoolModel("Peto's one-step odds ratio", ("PETO",), ("CE",), ("z",)),
    "beta-binomial": PoolModel("beta-binomial model of the counts", ("OR", "PLO"), ("ML", "CE"), ("z",)),
    "logistic": PoolModel("logistic regression", ("OR",), ("CE",), ("z",)),
    "firth": PoolModel("penalized logistic regression", ("OR",), ("CE",), ("PL",)),
}
MODEL_NAMES = tuple(POOL_MODELS)

#: Models with a variance between studies.
VARYING = (RANDOM, "glmm")

#: The proportion that is pooled from the counts themselves unless a model is named. The others are transformed and
#: weighted by inverse variance.
COUNTED_PROPORTION = "PLO"


def default_model(measure: str) -> str:
    """Return the model of a measure where none is named.

    Examples
    --------
    >>> default_model("PLO"), default_model("OR")
    ('glmm', 'random')
    """
    return "glmm" if measure == COUNTED_PROPORTION else RANDOM
