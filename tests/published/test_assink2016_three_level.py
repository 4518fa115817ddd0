"""Recidivism (Assink & Wibbelink 2016): effects in studies, sampling errors correlated within the study."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse

CASE = "assink2016_three_level"


def _fit(case, **options):
    columns = {name: case.data[name].tolist() for name in ("study", "esid")}
    v = assumed_covariance(case.column("vi"), columns["study"], rho=0.6)
    return fit_multilevel(case.column("yi"), v, parse("~ 1 | study/esid", columns), **options)


def _check(fit, expected):
    assert -1e-11 < fit.log_likelihood - expected["logLik"] < 1e-9
    np.testing.assert_allclose(fit.coef, np.atleast_1d(expected["est"]), rtol=2e-7)
    np.testing.assert_allclose(fit.se, np.atleast_1d(expected["se"]), rtol=2e-7)
    np.testing.assert_allclose([c.estimate for c in fit.components], expected["sigma2"], rtol=1e-6)
    assert fit.qe == pytest.approx(expected["QE"], rel=1e-11)


def test_random_effects_inside_correlated_blocks(case):
    fit = _fit(case, test="z")
    _check(fit, case.values["REML"])
    for component, name in zip(fit.components, ("ci_sigma2_1", "ci_sigma2_2"), strict=True):
        _, lower, upper = case.values[name]
        assert component.ci_lower == pytest.approx(lower, rel=1e-6)
        assert component.ci_upper == pytest.approx(upper, rel=1e-6)
    expected, found = case.values["predict"], fit.predict([[1.0]])
    assert found.pi_lower[0] == pytest.approx(expected["pi_lb"], rel=1e-6)
    assert found.pi_upper[0] == pytest.approx(expected["pi_ub"], rel=1e-6)


def test_moderator_with_containment(case):
    levels = ("covert", "general", "overt")
    kind = case.data["deltype"]
    x = np.column_stack([np.ones(len(kind)), *[(kind == level).astype(float) for level in levels[1:]]])
    fit = _fit(case, x=x, names=["Intercept", *levels[1:]], test="contain", intervals=False)
    expected = case.values["deltype_t_contain"]
    _check(fit, expected)
    assert fit.df.tolist() == expected["ddf"]
    np.testing.assert_allclose(fit.p_value, expected["pval"], rtol=1e-6)
    assert fit.qm.statistic == pytest.approx(expected["QM"], rel=1e-6)
    assert fit.qm.p_value == pytest.approx(expected["QMp"], rel=1e-6)


def test_effects_of_studies_and_of_their_rows(case):
    fit = _fit(case, intervals=False)
    study = fit.effects[0]
    np.testing.assert_allclose(study.estimate, case.values["blup_study"]["intrcpt"], atol=1e-6)
    np.testing.assert_allclose(study.se, case.values["blup_study"]["se"], rtol=1e-6)
    row = fit.effects[1]
    expected = case.values["blup_esid"]
    np.testing.assert_allclose(np.sort(row.estimate), np.sort(expected["intrcpt"]), atol=1e-6)
    np.testing.assert_allclose(np.sort(row.se), np.sort(expected["se"]), rtol=1e-6)
