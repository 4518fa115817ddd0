"""One table with every choice: each row is the pool that it says it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import NothingToPool
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool_one
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.sensitivity import sensitivity_in
from igfmeta.synthesis.study_sets import set_of_table, sets_by

TABLE = pd.DataFrame(
    {
        "a": [4, 6, 3, 62, 33, 180],
        "n1": [123, 306, 231, 13598, 5069, 1541],
        "c": [11, 29, 11, 248, 47, 372],
        "n2": [139, 303, 220, 12867, 5808, 1451],
        "rob": ["low", "high", "Low", "some concerns", "low", "high"],
        "half": ["x", "x", "x", "y", "y", "y"],
    }
)
COLUMNS = Columns(events1="a", n1="n1", events2="c", n2="n2")


def _found(**options):
    studies = set_of_table(TABLE, COLUMNS, measure="OR", **options)
    return studies, sensitivity_in([studies], Methods()).sets[0]


def test_every_estimator_and_every_interval_has_a_row():
    studies, found = _found()
    by_kind = {kind: [c for c in found.choices if c.kind == kind] for kind in ("tau2", "interval", "model", "studies")}
    assert [c.name.split(",")[0] for c in by_kind["tau2"]] == list(TAU2_METHODS)
    assert len(by_kind["interval"]) == len(CI_METHODS) - 1
    for choice in by_kind["tau2"]:
        fit = pool_one(studies.yi, studies.vi, method=choice.name.split(",")[0])
        assert [choice.estimate, choice.ci_lower, choice.tau2] == pytest.approx([fit.estimate, fit.ci_lower, fit.tau2])
    assert [c.name for c in found.choices if c.chosen] == ["REML, restricted maximum likelihood"]


def test_counts_bring_models_of_counts():
    _, found = _found()
    names = [c.name for c in found.choices]
    for name in ("Mantel-Haenszel OR, common effect", "Peto, common effect", "Exact conditional mixed model (CM.EL)"):
        assert name in names
    a, n1, c, n2 = (TABLE[name].to_numpy(dtype=float) for name in ("a", "n1", "c", "n2"))
    expected = np.log((a * (n2 - c) / (n1 + n2)).sum() / (c * (n1 - a) / (n1 + n2)).sum())
    row = next(c for c in found.choices if c.name.startswith("Mantel-Haenszel"))
    assert row.estimate == pytest.approx(expected, rel=1e-10)


def test_subsets_by_risk_of_bias_are_pools_of_those_studies():
    studies, found = _found(risk="rob")
    rows = {c.name: c for c in found.choices}
    keep = [0, 2, 4]
    fit = pool_one(studies.yi[keep], studies.vi[keep])
    assert rows["Low risk of bias only"].k == 3
    assert rows["Low risk of bias only"].estimate == pytest.approx(fit.estimate)
    assert rows["Without high risk of bias"].k == 4


def test_a_variant_of_the_studies_is_matched_by_name_and_one_that_is_missing_is_said():
    first, second = sets_by(TABLE, COLUMNS, "half", measure="OR")
    found = sensitivity_in([first, second], Methods(), variants={"Others": [first.only(np.array([True, True, False]))]})
    assert [c.k for c in found.sets[0].choices if c.name == "Others"] == [2]
    assert found.sets[1].not_run == ("Others: no study.",)


def test_one_study_is_nothing_to_vary():
    one = set_of_table(TABLE.head(1), COLUMNS, measure="OR")
    with pytest.raises(NothingToPool, match="nothing to vary"):
        sensitivity_in([one], Methods())
