"""Birth order (Lim 2014): articles crossed with species."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse

CASE = "lim2014_crossed"


def _fit(case, *formulas, rho=None, **options):
    columns = {name: case.data[name].tolist() for name in ("article", "id", "species")}
    vi = case.column("vi")
    v = vi if rho is None else assumed_covariance(vi, columns["article"], rho=rho)
    terms = [term for formula in formulas for term in parse(formula, columns)]
    return fit_multilevel(case.column("yi"), v, terms, test="z", **options)


def _check(fit, expected, scale):
    """The reference ends a little short of the top, most where a variance is 0."""
    assert -1e-11 < fit.log_likelihood - expected["logLik"] < 1e-6
    np.testing.assert_allclose(fit.coef, np.atleast_1d(expected["est"]), rtol=1e-5)
    np.testing.assert_allclose(fit.se, np.atleast_1d(expected["se"]), rtol=1e-5)
    np.testing.assert_allclose([c.estimate for c in fit.components], expected["sigma2"], atol=1e-5 * scale)
    assert fit.qe == pytest.approx(expected["QE"], rel=1e-10)
    assert fit.certificate.converged


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_three_terms_one_of_them_at_zero(case, method):
    fit = _fit(case, "~ 1 | article/id", "~ 1 | species", method=method, intervals=False)
    _check(fit, case.values[method], 1.0)
    assert fit.certificate.boundary == (fit.components[2].estimate == 0)


def test_crossed_with_correlated_sampling_errors(case):
    _check(_fit(case, "~ 1 | article", "~ 1 | species", rho=0.5, intervals=False), case.values["REML_V"], 1.0)


def test_profile_likelihood_intervals(case):
    fit = _fit(case, "~ 1 | article/id", "~ 1 | species")
    for at, name in ((0, "ci_sigma2_1"), (2, "ci_sigma2_3")):
        _, lower, upper = case.values[name]
        assert fit.components[at].ci_lower == pytest.approx(lower, abs=1e-6)
        assert fit.components[at].ci_upper == pytest.approx(upper, rel=1e-5)
