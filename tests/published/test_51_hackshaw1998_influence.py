"""Passive smoking and lung cancer through metafor's influence, baujat, cumul and gosh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igfmeta.models.deletion import cumulative
from igfmeta.models.gosh import gosh
from igfmeta.models.influence import influence

CASE = "51_hackshaw1998_influence"

NAMES = {"rstudent": "rstudent", "dffits": "dffits", "cook_d": "cook_d", "cov_r": "cov_r", "dfbetas": "dfbs",
         "hat": "hat", "weights": "weight"}  # fmt: skip


@pytest.mark.parametrize(("method", "name"), [("REML", "influence_reml"), ("DL", "influence_dl")])
def test_deletion_diagnostics(case, method, name):
    found, expected = influence(case.column("yi"), case.column("vi"), method=method), case.values[name]
    for ours, theirs in NAMES.items():
        np.testing.assert_allclose(getattr(found, ours), expected[theirs], rtol=1e-8, err_msg=ours)
    np.testing.assert_allclose(found.without.tau2, expected["tau2_del"], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.without.q, expected["QE_del"], rtol=1e-10)
    assert (np.flatnonzero(found.influential) + 1).tolist() == np.ravel(expected["influential"]).tolist()


def test_standardized_residuals_and_baujat(case):
    found = influence(case.column("yi"), case.column("vi"))
    np.testing.assert_allclose(found.rstandard, case.values["rstandard"]["z"], rtol=1e-8)
    np.testing.assert_allclose(found.residual2, case.values["baujat"]["x"], rtol=1e-8)
    np.testing.assert_allclose(found.shift2, case.values["baujat"]["y"], rtol=1e-7)


def test_cumulative_by_year(case):
    order = np.argsort(case.column("year"), kind="stable")
    steps, expected = cumulative(case.column("yi"), case.column("vi"), order=order, ci="z"), case.values
    np.testing.assert_allclose(steps.estimate, expected["cumulative_by_year"]["est"], rtol=1e-8)
    np.testing.assert_allclose(steps.se, expected["cumulative_by_year"]["se"], rtol=1e-8)
    np.testing.assert_allclose(steps.q[1:], expected["cumulative_by_year"]["Q"][1:], rtol=1e-10)


def test_all_subsets_of_nine_trials(case):
    bcg = pd.read_csv(Path(__file__).parent / "cases" / "data" / "22_bcg_leave_one_out_influence.csv").head(9)
    found, expected = gosh(bcg["yi"].to_numpy(), bcg["vi"].to_numpy(), method="DL"), case.values["gosh_bcg9_dl"]
    assert len(found) == expected["n"]
    ends = np.sort(found.estimate)[[0, 1, 2, -2, -1]]
    np.testing.assert_allclose(ends, expected["est_sorted_ends"], rtol=1e-10)
    means = [found.estimate.mean(), found.tau2.mean(), found.i2.mean()]
    assert means == pytest.approx([expected["est_mean"], expected["tau2_mean"], expected["I2_mean"]], rel=1e-9)
