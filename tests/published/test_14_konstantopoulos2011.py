"""School calendars (Konstantopoulos 2011): schools in districts, three levels."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.multilevel.without_terms import without_terms

CASE = "14_konstantopoulos2011_three_level"


def _fit(case, random="~ 1 | district/school", **options):
    columns = {name: case.data[name].tolist() for name in ("district", "school")}
    return fit_multilevel(case.column("yi"), case.column("vi"), parse(random, columns), **options)


def _check(fit, expected):
    np.testing.assert_allclose(fit.coef, np.atleast_1d(expected["est"]), rtol=5e-8)
    np.testing.assert_allclose(fit.se, np.atleast_1d(expected["se"]), rtol=5e-8)
    np.testing.assert_allclose([c.estimate for c in fit.components], expected["sigma2"], rtol=2e-7)
    np.testing.assert_allclose(fit.ci_lower, np.atleast_1d(expected["ci_lb"]), atol=1e-8)
    np.testing.assert_allclose(fit.ci_upper, np.atleast_1d(expected["ci_ub"]), atol=1e-8)
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-11)
    assert fit.qe == pytest.approx(expected["QE"], rel=1e-12)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_three_levels(case, method):
    _check(_fit(case, method=method, test="z", intervals=False), case.values[method])


def test_containment_counts_the_districts(case):
    fit, expected = _fit(case, test="contain", intervals=False), case.values["t_contain"]
    _check(fit, expected)
    assert fit.df.tolist() == [expected["df"]]
    assert fit.p_value[0] == pytest.approx(expected["pval"], rel=1e-7)


def test_moderator(case):
    year = case.column("year")
    x = np.column_stack([np.ones(len(year)), year - year.mean()])
    fit = _fit(case, method="ML", test="z", x=x, names=["Intercept", "year"], intervals=False)
    _check(fit, case.values["ML_year"])
    assert fit.qm.statistic == pytest.approx(case.values["ML_year"]["QM"], rel=1e-7)
    assert fit.qm.df1 == 1


def test_profile_likelihood_intervals(case):
    fit = _fit(case)
    for component, name in zip(fit.components, ("ci_sigma2_1", "ci_sigma2_2"), strict=True):
        _, lower, upper = next(iter(case.values[name].values()))
        assert component.ci_lower == pytest.approx(lower, rel=1e-8)
        assert component.ci_upper == pytest.approx(upper, rel=1e-7)


def test_the_same_model_as_compound_symmetry(case):
    nested, symmetric = _fit(case), _fit(case, "~ school | district")
    tau2, rho = symmetric.components
    assert tau2.estimate == pytest.approx(case.values["CS_form"]["tau2"], rel=1e-7)
    assert rho.estimate == pytest.approx(case.values["CS_form"]["rho"], rel=1e-7)
    assert tau2.estimate == pytest.approx(sum(c.estimate for c in nested.components), rel=1e-9)
    assert rho.estimate == pytest.approx(nested.components[0].estimate / tau2.estimate, rel=1e-9)
    assert symmetric.log_likelihood == pytest.approx(nested.log_likelihood, abs=1e-11)


def test_share_of_each_level(case):
    fit = _fit(case, intervals=False)
    found = [fit.i2, *(h.i2 for h in fit.heterogeneity)]
    np.testing.assert_allclose(found, case.values["I2_total_district_school"], rtol=1e-7)


def test_each_level_is_needed(case):
    """The figures of `anova(m, reduced)$LRT` in metafor 3.8-1."""
    found = dict(without_terms(_fit(case, intervals=False)))
    assert found["district"].statistic == pytest.approx(17.77355, abs=5e-6)
    assert found["district/school"].statistic == pytest.approx(48.5155, abs=5e-5)
    assert found["district"].p_value_boundary == pytest.approx(found["district"].p_value / 2)


def test_district_effects(case):
    effects = _fit(case, intervals=False).effects[0]
    np.testing.assert_allclose(effects.estimate, case.values["ranef_district"], atol=1e-8)


def test_prediction_interval(case):
    found = _fit(case, test="z", intervals=False).predict([[1.0]])
    expected = case.values["predict"]
    assert found.pi_lower[0] == pytest.approx(expected["pi_lb"], rel=1e-7)
    assert found.pi_upper[0] == pytest.approx(expected["pi_ub"], rel=1e-7)
