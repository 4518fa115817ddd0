"""BCG vaccine (Colditz et al. 1994) by latitude, year and allocation: against metafor, figure by figure."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.models.regression.collinearity import inflation
from igfmeta.models.regression.fitting import regress_one
from igfmeta.models.regression.location_scale import location_scale
from igfmeta.models.regression.permutation import permutation_test
from igfmeta.models.regression.predictions import combine

CASE = "bcg_meta_regression"


def _design(case, *names):
    columns = {"ablat": case.column("ablat"), "year": case.column("year") - 1948, "1": np.ones(len(case.data))}
    for kind in ("random", "systematic"):
        columns[kind] = (case.data["alloc"] == kind).to_numpy(dtype=float)
    return np.column_stack([columns[name] for name in ("1", *names)])


def _fit(case, *names, rows=slice(None), **options):
    y, v = case.column("yi")[rows], case.column("vi")[rows]
    return regress_one(y, v, _design(case, *names)[rows], **{"test": "z", **options})


@pytest.mark.parametrize("method", ["DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM"])
def test_every_estimator_of_the_residual_variance(case, method):
    fit = _fit(case, "ablat", "year", method=method.upper())
    found = [fit.tau2, fit.se_tau2, fit.i2, fit.r2, fit.qe, fit.qm, *fit.beta, *(c.se for c in fit.coefficients)]
    np.testing.assert_allclose(found, case.values[f"{method}.fit"], rtol=1e-8)


@pytest.mark.parametrize(("test", "name"), [("z", "z"), ("t", "t"), ("HK", "knha")])
@pytest.mark.parametrize("formula", ["ablat + year", "ablat + factor(alloc)"])
def test_every_test_of_the_coefficients(case, formula, test, name):
    moderators = {"ablat + year": ("ablat", "year"), "ablat + factor(alloc)": ("ablat", "random", "systematic")}
    fit = _fit(case, *moderators[formula], test=test)
    fields = ("estimate", "se", "p_value", "ci_lower", "ci_upper")
    found = [fit.qm, fit.qm_p_value, *(getattr(c, field) for field in fields for c in fit.coefficients)]
    np.testing.assert_allclose(found, case.values[f"{formula}; {name}"], rtol=1e-8)


@pytest.mark.parametrize(("test", "name"), [("z", "z"), ("HK", "knha")])
def test_predictions_with_both_intervals(case, test, name):
    found = combine(_fit(case, "ablat", test=test), [[1, 10], [1, 33], [1, 50]])
    columns = (found.estimate, found.se, found.ci_lower, found.ci_upper, found.pi_lower, found.pi_upper)
    np.testing.assert_allclose(np.concatenate(columns), case.values[f"predict {name}"], rtol=1e-8)


def test_interval_of_the_residual_variance(case):
    fit = _fit(case, "ablat")
    np.testing.assert_allclose([fit.tau2, fit.tau2_ci_lower, fit.tau2_ci_upper], case.values["qprofile"], rtol=1e-8)
    assert fit.log_likelihood == pytest.approx(case.values["logLik REML"], rel=1e-9)


def test_variance_inflation_of_columns_and_of_a_factor(case):
    fit = _fit(case, "ablat", "year", "random", "systematic")
    np.testing.assert_allclose([inflation(fit, [j]) for j in (1, 2, 3, 4)], case.values["vif"], rtol=1e-8)
    gvif = inflation(fit, [3, 4])
    np.testing.assert_allclose([gvif, gvif ** (1 / 4)], case.values["gvif alloc"], rtol=1e-8)


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_location_scale_is_at_least_as_likely_and_agrees(case, method):
    """R's BFGS stops at a gradient near 1e-6, so that its estimates carry five or six digits; Newton's method ours."""
    x, z = _design(case, "ablat"), _design(case, "year")
    fit = location_scale(case.column("yi"), case.column("vi"), x, z, method=method)
    *figures, log_likelihood = case.values[f"ls {method}"]
    assert fit.log_likelihood >= log_likelihood - 1e-12
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-8)
    assert fit.converged
    assert fit.gradient_norm < 1e-9
    found = [*fit.location.estimate, *fit.location.se, *fit.scale.estimate, *fit.scale.se]
    np.testing.assert_allclose(found, figures, rtol=1e-5)


def test_location_scale_without_scale_moderators_is_the_meta_regression(case):
    x = _design(case, "ablat")
    fit = location_scale(case.column("yi"), case.column("vi"), x, np.ones((len(x), 1)))
    plain = _fit(case, "ablat")
    np.testing.assert_allclose(fit.tau2, plain.tau2, rtol=1e-8)
    np.testing.assert_allclose(fit.location.estimate, plain.beta, rtol=1e-8)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-10)


def test_all_permutations_of_six_studies(case, rng):
    first = slice(0, 6)
    args = case.column("yi")[first], case.column("vi")[first]
    found = permutation_test(*args, _design(case, "ablat")[first], rng=rng, test="z")
    assert (found.exact, found.permutations, found.kind) == (True, 360, "permuted")  # two of the six have one latitude
    np.testing.assert_allclose([*found.p_values, found.p_model], case.values["permutest exact 6"], rtol=1e-12)
    fit = _fit(case, "ablat", rows=first)
    np.testing.assert_allclose(
        [*(c.statistic for c in fit.coefficients), fit.qm], case.values["permutest stat"], rtol=1e-8
    )


def test_all_signs_of_six_studies(case, rng):
    first = slice(0, 6)
    args = case.column("yi")[first], case.column("vi")[first]
    found = permutation_test(*args, np.ones((6, 1)), rng=rng, test="z")
    assert (found.permutations, found.kind) == (64, "flipped")
    assert found.p_values[0] == pytest.approx(case.values["signs exact 6"], rel=1e-12)
