"""Coffee and all-cause mortality (Crippa 2014): a restricted cubic spline through 22 tables."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.dose_bases import linear, restricted_cubic
from igfmeta.effects.dose_covariance import covariance
from igfmeta.models.dose_likelihood import at_psi
from igfmeta.models.dose_response import knowledge, two_stage
from igfmeta.models.dose_results import DoseStudy

CASE = "40_dose_response_rcs"


@pytest.fixture
def studies(case):
    out = []
    for _, rows in case.data.groupby("id"):
        at = np.argsort(rows["se"].to_numpy() > 0, kind="stable")
        dose, y, v, cases, n = (rows[name].to_numpy()[at] for name in ("dose", "logrr", "se", "cases", "n"))
        s = covariance(y[1:], v[1:] ** 2, cases, n, rows["type"].iloc[0])
        out.append(DoseStudy(rows["author"].iloc[0], dose[0], dose[1:], y[1:], s))
    return out


@pytest.fixture
def spline(case):
    return restricted_cubic(case.column("dose"), 3)


def test_knots(case, spline):
    assert spline.knots == pytest.approx(case.values["knots"])


def test_pooled_coefficients(case, studies, spline):
    fit = two_stage(studies, spline)
    assert fit.k == 22
    np.testing.assert_allclose(fit.coef, case.values["coef"], rtol=1e-6)
    np.testing.assert_allclose(fit.vcov, case.values["vcov"], rtol=1e-6)
    np.testing.assert_allclose(fit.psi, case.values["Psi"], rtol=2e-6)


def test_curve(case, studies, spline):
    curve, expected = two_stage(studies, spline).curve(np.arange(9), reference=0), case.values["RR_at_0_to_8_by_1"]
    np.testing.assert_allclose(curve.rr, expected["rr"], rtol=1e-6)
    np.testing.assert_allclose(curve.ci_lower, expected["lb"], rtol=1e-6)
    np.testing.assert_allclose(curve.ci_upper, expected["ub"], rtol=1e-6)


def test_nonlinearity(case, studies, spline):
    chi2, p = case.values["wald_nonlinearity"]
    found = two_stage(studies, spline).nonlinear
    assert found is not None
    assert found.df == 1
    assert found.statistic == pytest.approx(chi2, rel=1e-6)
    assert found.p_value == pytest.approx(p, rel=1e-5)


def test_line(case, studies):
    # The reference's search stopped short: at its variance the likelihood is lower.
    fit, expected = two_stage(studies, linear()), case.values["linear"]
    assert fit.coef[0] == pytest.approx(expected["coef"], rel=1e-5)
    assert np.sqrt(fit.vcov[0, 0]) == pytest.approx(expected["se"], rel=5e-5)
    assert fit.psi[0, 0] == pytest.approx(expected["Psi"], rel=2e-4)
    known = knowledge(studies, linear())
    theirs, ours = (at_psi(known, np.array([[psi]]), restricted=True) for psi in (expected["Psi"], fit.psi[0, 0]))
    assert theirs.log_likelihood < ours.log_likelihood
