"""Robust variances on dat.assink2016 and dat.konstantopoulos2011, as clubSandwich, robumeta and metafor give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.robust.fitting import fit_robust

CASE = "robust_variance"

DATA = Path(__file__).parent / "cases" / "data"

#: Name in the case: working model, correlation, whether with moderators.
MODELS = {
    "RE0": ("RE", None, False),
    "RE1": ("RE", None, True),
    "CORR0": ("CORR", 0.0, True),
    "CORR0.8": ("CORR", 0.8, True),
    "HIER": ("HIER", None, True),
    "CHE": ("CHE", 0.6, True),
}


def _table(name):
    return pd.read_csv(DATA / f"{name}.csv")


def _design(d):
    return np.column_stack([np.ones(len(d)), d.year, d.deltype == "overt", d.pubstatus]).astype(float)


@pytest.mark.parametrize("adjustment", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("name", MODELS)
def test_recidivism_as_clubsandwich(case, name, adjustment):
    d = _table("assink2016_three_level").sort_values(["study", "esid"])
    working, rho, moderated = MODELS[name]
    x = _design(d) if moderated else None
    fit = fit_robust(d.yi, d.vi, d.study.tolist(), x=x, working=working, rho=rho, adjustment=adjustment)
    expected = case.values
    np.testing.assert_allclose([c.estimate for c in fit.coefficients], expected[f"{name}.beta"], rtol=1e-10)
    np.testing.assert_allclose(fit.vcov, np.atleast_2d(expected[f"{name}.{adjustment}.vcov"]), rtol=1e-10)
    np.testing.assert_allclose([c.df for c in fit.coefficients], expected[f"{name}.{adjustment}.df"], rtol=1e-10)
    if moderated:
        f, df1, df2, p = expected[f"{name}.{adjustment}.htz"]
        found = fit.moderators
        assert found.df1 == df1
        assert [found.statistic, found.df2, found.p_value] == pytest.approx([f, df2, p], rel=1e-10)
    if name in ("CORR0", "CORR0.8", "HIER"):
        assert fit.tau2 == pytest.approx(expected[f"{name}.tau2"], rel=1e-10)
        if adjustment == "CR2":
            np.testing.assert_allclose([c.se for c in fit.coefficients], expected[f"{name}.robu_se"], rtol=1e-10)
            np.testing.assert_allclose([c.df for c in fit.coefficients], expected[f"{name}.robu_df"], rtol=1e-10)


def test_the_variances_of_che_are_at_no_lower_likelihood_than_rma_mv(case):
    d = _table("assink2016_three_level").sort_values(["study", "esid"])
    labels = {"study": d.study.tolist(), "esid": d.esid.tolist()}
    v = assumed_covariance(d.vi.to_numpy(), labels["study"], rho=0.6)
    terms = parse("~ 1 | study/esid", labels)
    fit = fit_multilevel(d.yi.to_numpy(), v, terms, x=_design(d), intervals=False)
    assert -1e-11 < fit.log_likelihood - case.values["CHE.loglik"] < 1e-8
    np.testing.assert_allclose([c.estimate for c in fit.components], case.values["CHE.sigma2_free"], rtol=1e-5)


def test_hierarchical_effects_of_school_calendars_as_robumeta(case):
    d = _table("14_konstantopoulos2011_three_level").sort_values(["district", "school"])
    x = np.column_stack([np.ones(len(d)), d.year - 1990.0])
    fit = fit_robust(d.yi, d.vi, d.district.tolist(), x=x, working="HIER")
    expected = case.values
    assert fit.tau2 == pytest.approx(expected["HIER2.tau2"], rel=1e-10)
    assert fit.omega2 == pytest.approx(expected["HIER2.omega2"], rel=1e-10)
    np.testing.assert_allclose([c.estimate for c in fit.coefficients], expected["HIER2.beta"], rtol=1e-10)
    np.testing.assert_allclose(fit.vcov, expected["HIER2.CR2.vcov"], rtol=1e-9)
    np.testing.assert_allclose([c.se for c in fit.coefficients], expected["HIER2.robu_se"], rtol=1e-10)
    np.testing.assert_allclose([c.df for c in fit.coefficients], expected["HIER2.CR2.df"], rtol=1e-10)


def test_covert_delinquency_of_a_single_study_gets_no_robust_standard_error():
    d = _table("assink2016_three_level")
    x = np.column_stack([np.ones(len(d)), d.year, d.deltype == "covert"]).astype(float)
    fit = fit_robust(d.yi, d.vi, d.study.tolist(), x=x, names=("Intercept", "year", "covert"), working="CORR")
    covert = fit.coefficients[2]
    assert (covert.se, covert.p_value, fit.moderators) == (None, None, None)
    assert "covert would have no estimate without one of the clusters" in fit.remarks[0]
    # What other packages print: a ninth of the model's standard error, and p < 0.0001.
    assert np.sqrt(fit.vcov[2, 2]) < covert.model_se / 8
