"""What a table gives beside its effects: sizes, events, arms, for every form that tables have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from igfmeta.models.bias.registry import run_test
from igfmeta.synthesis.bias import funnel_of
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.study_sets import file_name, set_of_table, sets_by

MEANS = pd.DataFrame(
    {
        "m1": [1.0, 2.0, 1.5, 0.2, 0.9], "s1": [1.0, 1.1, 0.9, 1.2, 1.0], "n1": [20, 40, 15, 60, 31],
        "m2": [0.5, 1.5, 0.2, 0.1, 0.4], "s2": [1.0, 1.0, 1.0, 1.1, 1.2], "n2": [22, 38, 15, 61, 30],
    }
)  # fmt: skip


def test_means_bring_the_sizes_of_their_arms():
    columns = Columns(mean1="m1", sd1="s1", n1="n1", mean2="m2", sd2="s2", n2="n2")
    found = set_of_table(MEANS, columns, measure="SMD")
    assert found.sizes.tolist() == (MEANS["n1"] + MEANS["n2"]).tolist()
    assert np.isnan(found.events).all()
    assert np.isfinite(run_test("pustejovsky-rodgers", funnel_of(found)).p_value)


def test_counts_beside_effects_are_sizes_and_not_another_form():
    table = pd.DataFrame({"y": [0.1, 0.2, 0.4], "v": [0.1, 0.2, 0.3], "d": [9, 8, 7], "n": [50, 40, 30]})
    found = set_of_table(table, Columns(yi="y", vi="v", events="d", n="n"))
    assert found.events.tolist() == [9, 8, 7]
    assert found.sizes.tolist() == [50, 40, 30]
    assert np.isnan(found.counts).all()


def test_one_arm_has_its_likelihood():
    table = pd.DataFrame({"e": [0, 3, 5], "n": [24, 20, 31]})
    found = set_of_table(table, Columns(events="e", n="n"), measure="PLO")
    assert found.counts[:, 0].tolist() == [0, 3, 5]
    assert found.counted
    assert [part.tolist() for part in found.rates] == [[0, 3, 5], [24, 20, 31]]
    assert found.natural(-np.inf) == 0.0


def test_groups_are_sets_and_rows_without_an_effect_are_said():
    table = pd.DataFrame({"y": [0.1, np.nan, 0.4], "v": [0.1, 0.2, 0.3], "g": ["a/b", "a/b", ""]})
    first, second = sets_by(table, Columns(yi="y", vi="v"), "g")
    assert (first.name, first.k, second.name, second.k) == ("a-b", 1, "blank", 1)
    assert first.remarks() == ("Not used: Study 2 (row 2): y blank.",)
    assert file_name("///") == "group"
