"""Two arms pooled from their counts, by group: Mantel-Haenszel, Peto, mixed, beta-binomial, logistic, penalized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta.models.count_fits import CountStudies, fit_counts
from igfmeta.models.results import Pooled
from igfmeta.synthesis.model_methods import ModelMethods
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.rate_pools import one_after_the_other
from igfmeta.synthesis.studies import Study

#: What of the methods asked for is an option of a model; the others have one way only.
_OPTIONS = {"glmm": ("method", "ci"), "beta-binomial": ("method",)}

#: The likelihood of two arms in a mixed model: exact, given all events of a study.
VARIANT = "CM.EL"


def pool_counts(
    groups: Sequence[Sequence[Study]], question: Question, methods: ModelMethods, *, level: float
) -> list[Pooled]:
    """Return the fit of each group, all in one batch; a fit without an answer says why.

    Parameters
    ----------
    groups : sequence of sequence of Study
        With the events and patients of both arms.
    question : Question
        Its model is one of counts.
    methods : ModelMethods
    level : float
    """
    studies = [study for group in groups for study in group]
    events1, n1, events2, n2 = np.array([study.counts for study in studies]).T
    counts = CountStudies(
        question.measure,
        {"events1": events1, "n1": n1, "events2": events2, "n2": n2},
        np.array([study.yi for study in studies]),
        np.array([study.vi for study in studies]),
    )
    options = {name: getattr(methods, name) for name in _OPTIONS.get(question.model, ())}
    if question.model == "glmm":
        options["variant"] = VARIANT
    mask = one_after_the_other([len(group) for group in groups])
    return [found.fit for found in fit_counts(question.model, counts, mask, level=level, **options)]
