"""Subgroups, with a tau2 for each or one for all, as metafor gives them; figures and calls are in the case file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.models.subgroups import pool_subgroups

HERE = Path(__file__).parent
FIGURES = json.loads((HERE / "cases" / "subgroups_bcg_metafor.json").read_text())


@pytest.fixture(scope="module")
def bcg():
    data = pd.read_csv(HERE.parent / "published" / "cases" / "data" / "01_bcg_rr_tau2_estimators.csv")
    return data["yi"].to_numpy(), data["vi"].to_numpy(), data["alloc"].tolist()


@pytest.mark.parametrize("method", FIGURES["common"])
def test_common_tau2(bcg, method):
    expected = FIGURES["common"][method]
    fit = pool_subgroups(*bcg, tau2="common", method=method, ci="z")
    order = np.argsort(fit.levels)
    assert [group.tau2 for group in fit.fits] == pytest.approx([expected["tau2"]] * 3, rel=1e-8)
    assert [fit.fits[i].estimate for i in order] == pytest.approx(expected["beta"], rel=1e-8)
    assert [fit.fits[i].se for i in order] == pytest.approx(expected["se"], rel=1e-8)
    assert fit.q_between == pytest.approx(expected["qm"], rel=1e-7)
    assert fit.q_between_df == 2


def test_separate_tau2(bcg):
    expected = FIGURES["separate"]
    fit = pool_subgroups(*bcg, ci="z")
    assert list(fit.levels) == expected["levels"]
    for name in ("tau2", "estimate", "se"):
        assert [getattr(group, name) for group in fit.fits] == pytest.approx(expected[name], rel=1e-8), name
    assert fit.q_between == pytest.approx(expected["q_between"], rel=1e-8)


def test_the_test_between_groups_does_not_depend_on_the_interval_method(bcg):
    assert pool_subgroups(*bcg, ci="HK").q_between == pytest.approx(pool_subgroups(*bcg, ci="z").q_between, rel=1e-12)


def test_one_group_has_no_test():
    fit = pool_subgroups([0.1, 0.2], [0.1, 0.1], ["a", "a"])
    assert (fit.q_between, fit.q_between_df, fit.p_between) == (None, 0, None)


def test_a_common_tau2_of_groups_of_one_is_0():
    fit = pool_subgroups([0.1, 0.9], [0.1, 0.1], ["a", "b"], tau2="common")
    assert [group.k for group in fit.fits] == [1, 1]
    assert fit.q_between == pytest.approx(0.8**2 / 0.2)


def test_estimators_without_a_common_form_are_refused(bcg):
    with pytest.raises(InputError, match="DL, HE, ML, REML, PM, EB or PMM"):
        pool_subgroups(*bcg, tau2="common", method="SJ")
    with pytest.raises(InputError, match="one for each of the 13 studies"):
        pool_subgroups(bcg[0], bcg[1], ["a"])
    with pytest.raises(InputError, match="separate or common"):
        pool_subgroups(*bcg, tau2="shared")
