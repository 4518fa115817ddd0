"""Robust variances under every working model, known covariances and several contrasts, as clubSandwich and robumeta."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.robust.fitting import fit_robust

CASE = "robust_variance_options"

DATA = Path(__file__).parent / "cases" / "data"

#: Name in the case: working model, correlation, design.
MODELS = {
    "A.EQUAL0": ("EQUAL", None, "1"),
    "A.EQUAL1": ("EQUAL", None, "moderators"),
    "A.CORR0": ("CORR", 0.0, "1"),
    "A.CORR0.8": ("CORR", 0.8, "1"),
    "A.HIER": ("HIER", None, "1"),
    "A.CHE": ("CHE", 0.8, "1"),
    "K.RE": ("RE", None, "means"),
    "K.EQUAL": ("EQUAL", None, "means"),
    "K.CHE": ("CHE", 0.66, "means"),
    "K.CORR": ("CORR", 0.66, "hours"),
    "K.HIER": ("HIER", None, "hours"),
    "B.CHE": ("CHE", None, "means"),
}


@cache
def _table(which):
    if which == "A":
        return pd.read_csv(DATA / "assink2016_three_level.csv").sort_values(["study", "esid"])
    if which == "K":
        return pd.read_csv(DATA / "kalaian1996_coaching.csv").sort_values(["study", "outcome"])
    return pd.read_csv(DATA / "berkey1998_bivariate.csv").rename(columns={"trial": "study"})


def _design(table, kind):
    if kind == "1":
        return None
    if kind == "moderators":
        return np.column_stack([np.ones(len(table)), table.year, table.deltype == "overt", table.pubstatus])
    if kind == "hours":
        return np.column_stack([np.ones(len(table)), table.outcome == "verbal", table.hrs])
    return np.column_stack([table.outcome == name for name in sorted(set(table.outcome))]).astype(float)


def _known(table):
    """Return the covariances that the trials of periodontal surgery report."""
    v = np.zeros((len(table), len(table)))
    for trial in set(table.study):
        at = np.flatnonzero(table.study == trial)
        v[np.ix_(at, at)] = table[["v1i", "v2i"]].to_numpy()[at]
    return v


def _fit(name, adjustment):
    working, rho, kind = MODELS[name]
    table = _table(name[0])
    if kind == "hours":
        table = table.dropna(subset="hrs")
    return fit_robust(
        table.yi, table.vi, table.study.tolist(), x=_design(table, kind), working=working, rho=rho,
        adjustment=adjustment, sampling=(lambda rho: _known(table)) if name == "B.CHE" else None,
    )  # fmt: skip


@pytest.mark.parametrize("adjustment", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("name", MODELS)
def test_coefficients_and_tests_are_those_of_clubsandwich(case, name, adjustment):
    fit, expected = _fit(name, adjustment), case.values
    np.testing.assert_allclose([c.estimate for c in fit.coefficients], expected[f"{name}.beta"], rtol=1e-10)
    for ours, theirs in (("se", "se"), ("df", "df"), ("p_value", "p")):
        found = [getattr(c, ours) for c in fit.coefficients]
        np.testing.assert_allclose(found, expected[f"{name}.{adjustment}.{theirs}"], rtol=1e-10)
    contrasts = {
        "zero": np.eye(fit.p)[0 if fit.p == 2 else 1 :],
        "first": np.eye(fit.p)[1:3],
        "equal": np.eye(fit.p)[1:] - np.eye(fit.p)[0],
    }
    for test, rows in contrasts.items():
        if f"{name}.{adjustment}.{test}" not in expected:
            continue
        f, df1, df2, p = expected[f"{name}.{adjustment}.{test}"]
        found = fit.test(rows)
        assert found.df1 == df1
        np.testing.assert_allclose([found.statistic, found.df2, found.p_value], [f, df2, p], rtol=1e-10)
        if test == "zero":
            assert fit.moderators == found


@pytest.mark.parametrize("name", [name for name in MODELS if name[2:6] in ("CORR", "HIER")])
def test_moments_and_small_sample_tests_are_those_of_robumeta(case, name):
    fit, expected = _fit(name, "CR2"), case.values
    assert fit.tau2 == pytest.approx(expected[f"{name}.tau2"], rel=1e-10)
    if f"{name}.omega2" in expected:
        assert fit.omega2 == expected[f"{name}.omega2"]
    found = [[getattr(c, of) for c in fit.coefficients] for of in ("se", "df", "p_value")]
    np.testing.assert_allclose(np.ravel(found), expected[f"{name}.robu"], rtol=1e-9)


def test_the_variances_of_che_are_at_no_lower_likelihood_than_rma_mv(case):
    table = _table("A")
    labels = {"study": table.study.tolist(), "esid": table.esid.tolist()}
    v = assumed_covariance(table.vi.to_numpy(), labels["study"], rho=0.8)
    fit = fit_multilevel(table.yi.to_numpy(), v, parse("~ 1 | study/esid", labels), intervals=False)
    assert -1e-11 < fit.log_likelihood - case.values["A.CHE.loglik"] < 1e-8
    np.testing.assert_allclose([c.estimate for c in fit.components], case.values["A.CHE.sigma2_free"], rtol=1e-5)
    fitted = _fit("A.CHE", "CR2")
    assert (fitted.tau2, fitted.omega2) == tuple(c.estimate for c in fit.components)
