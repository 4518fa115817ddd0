"""Alcohol and cardiovascular risk (Liu 2009): curves in one and two stages, both covariances.

The reference stops its searches early (covariances at about 1e-5, REML at 1e-6); its effective counts of the two
cumulative-incidence tables miss their own defining ratios by 0.3 %, which is why those curves are held more loosely.
"""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.dose_bases import linear, quadratic
from igfmeta.effects.dose_covariance import covariance
from igfmeta.models.dose_one_stage import one_stage
from igfmeta.models.dose_response import two_stage
from igfmeta.models.dose_results import DoseStudy

CASE = "39_dosresmeta_alcohol_cvd"


def _studies(case, method="gl"):
    out = []
    for _, rows in case.data.groupby("id"):
        dose, y, v = rows["dose"].to_numpy(), rows["logrr"].to_numpy()[1:], rows["se"].to_numpy()[1:] ** 2
        s = covariance(y, v, rows["cases"].to_numpy(), rows["n"].to_numpy(), rows["type"].iloc[0], method=method)
        out.append(DoseStudy(rows["author"].iloc[0], dose[0], dose[1:], y, s))
    return out


@pytest.mark.parametrize(
    ("method", "name"), [("gl", "GL_covariance_Bianchi"), ("hamling", "Hamling_covariance_Bianchi")]
)
def test_covariance_of_one_study(case, method, name):
    np.testing.assert_allclose(_studies(case, method)[0].covariance, case.values[name], rtol=2e-5)


@pytest.mark.parametrize(
    ("name", "basis", "method", "log_likelihood"),
    [
        ("linear_reml", linear(), "reml", True),
        ("linear_ml", linear(), "ml", True),
        ("linear_mm", linear(), "mm", False),
        ("linear_fixed", linear(), "fixed", True),
        ("quadratic_reml", quadratic(), "reml", True),
    ],
)
def test_two_stages(case, name, basis, method, log_likelihood):
    fit, expected = two_stage(_studies(case), basis, method=method), case.values[name]
    np.testing.assert_allclose(fit.coef, np.atleast_1d(expected["coef"]), rtol=1e-6)
    np.testing.assert_allclose(fit.vcov, expected["vcov"], rtol=1e-5)
    np.testing.assert_allclose(fit.study_coef, expected["study_coef"], rtol=5e-6)
    if expected["Psi"] is None:
        assert fit.psi is None
    else:
        np.testing.assert_allclose(fit.psi, expected["Psi"], rtol=1e-5)
    if log_likelihood:
        assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-5)


def test_one_stage_is_two_stages_with_another_constant(case):
    fit, expected = one_stage(_studies(case), linear()), case.values["linear_1stage"]
    # The reference stopped where the likelihood is lower than here.
    np.testing.assert_allclose(fit.coef, [expected["coef"]], rtol=2e-5)
    np.testing.assert_allclose(fit.psi, expected["Psi"], rtol=1e-3)
    assert expected["logLik"] - 1e-6 <= fit.log_likelihood <= expected["logLik"] + 1e-6
    both = two_stage(_studies(case), linear())
    np.testing.assert_allclose(fit.coef, both.coef, rtol=1e-9)
    np.testing.assert_allclose(fit.psi, both.psi, rtol=1e-8)


def test_effective_counts(case):
    fit, expected = two_stage(_studies(case, "hamling"), linear()), case.values["linear_hamling"]
    theirs = np.ravel(expected["study_coef"])
    np.testing.assert_allclose(fit.study_coef[:4, 0], theirs[:4], rtol=1e-4)
    np.testing.assert_allclose(fit.study_coef[4:, 0], theirs[4:], rtol=2e-3)
    np.testing.assert_allclose(fit.coef, [expected["coef"]], rtol=2e-3)


def test_no_covariance(case):
    fit, expected = two_stage(_studies(case, "independent"), linear()), case.values["linear_independent"]
    np.testing.assert_allclose(fit.coef, [expected["coef"]], rtol=1e-6)
    np.testing.assert_allclose(fit.study_coef, expected["study_coef"], rtol=1e-10)


def test_the_curve_against_a_reference_dose(case):
    expected = case.values["RR_quadratic_at_0_12_24_36_48"]
    curve = two_stage(_studies(case), quadratic()).curve(np.arange(0, 49, 12), reference=0)
    np.testing.assert_allclose(curve.rr, expected["rr"], rtol=1e-6)
    np.testing.assert_allclose(curve.ci_lower, expected["lb"], rtol=2e-6)
    np.testing.assert_allclose(curve.ci_upper, expected["ub"], rtol=2e-6)
