"""Anti-infective catheters (Niël-Weise 2007), bloodstream infections: models of rare events against metafor and SciPy.

Where a figure of metafor is limited by its optimizer, the one recomputed from the formulas stands here
(`independent_checks.json` beside the cases: the random effect integrated on a grid of 801 points).
"""

from __future__ import annotations

import pytest

import igfmeta as im

CASE = "06_nielweise2007_rare_or_glmm"
COLUMNS = {"events1": "ai", "n1": "n1i", "events2": "ci", "n2": "n2i"}


def _fit(case, model, **options):
    return im.fit_with(model, case.data, **COLUMNS, **options)


def _close(fit, expected, rel):
    assert fit.estimate == pytest.approx(expected["est"], rel=rel)
    assert fit.se == pytest.approx(expected["se"], rel=rel)
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([expected["ci_lb"], expected["ci_ub"]], rel=rel)


def test_mantel_haenszel_odds_ratio(case):
    result = _fit(case, "mh", measure="OR")
    _close(result.fit, case.values["MH_no_cc"], 1e-10)
    details = {detail.key: detail for detail in result.details}
    # rma.mh: QE, MH, BD, TA.
    assert result.fit.q == pytest.approx(16.8636572911234, rel=1e-10)
    assert details["cmh"].value == pytest.approx(32.2135612609801, rel=1e-10)
    assert details["breslow_day"].value == pytest.approx(25.6873688816695, rel=1e-9)
    assert details["tarone"].value == pytest.approx(25.6794889345090, rel=1e-9)
    assert details["tarone"].p_value == pytest.approx(0.0587081732477592, rel=1e-8)
    assert result.fit.k == 17  # the trial without an event says nothing about an odds ratio


@pytest.mark.parametrize(
    ("measure", "estimate", "se", "rel"),
    [("RR", -1.177771944184528, 0.218167943895619, 1e-10), ("RD", -0.0242621874447245, 0.00422430915666536, 1e-10)],
)
def test_mantel_haenszel_risk_ratio_and_difference(case, measure, estimate, se, rel):
    fit = _fit(case, "mh", measure=measure).fit
    assert (fit.estimate, fit.se) == (pytest.approx(estimate, rel=rel), pytest.approx(se, rel=rel))
    assert fit.k == (18 if measure == "RD" else 17)


def test_peto(case):
    _close(_fit(case, "peto").fit, case.values["Peto"], 1e-10)


def test_exact_conditional_model(case):
    result = _fit(case, "glmm", measure="OR")
    # The grid of the independent figures is good to 1e-8 in theta and 5e-8 in tau2 and the standard error.
    assert result.fit.estimate == pytest.approx(-1.35315813633735, rel=2e-8)
    assert result.fit.tau2 == pytest.approx(0.6934577674078982, rel=1e-7)
    assert result.fit.se == pytest.approx(0.3510403199458056, rel=1e-7)
    details = {detail.key: detail.value for detail in result.details}
    assert details["log_likelihood"] == pytest.approx(-24.9444576107547, abs=2e-6)
    assert details["log_likelihood"] >= -24.9444576107547  # a higher likelihood is right
    assert details["gradient"] < 1e-10
    assert details["condition"] < 10
    assert details["accuracy"] < 1e-10
    expected = case.values["CM.EL"]
    assert result.fit.i2 == pytest.approx(expected["I2"], rel=1e-5)
    _close(result.fit, expected, 2e-4)


def test_approximate_conditional_model(case):
    fit = _fit(case, "glmm", measure="OR", variant="CM.AL").fit
    assert fit.estimate == pytest.approx(-1.3026432477557464, rel=1e-8)
    assert fit.tau2 == pytest.approx(0.6006698270430321, rel=1e-7)
    assert fit.se == pytest.approx(0.33863359704540336, rel=1e-7)


@pytest.mark.parametrize("variant", ["CM.EL", "CM.AL"])
def test_common_effect_of_the_conditional_models(case, variant):
    expected = case.values[f"{variant}_EE"]
    result = _fit(case, "glmm", measure="OR", variant=variant, method="CE")
    assert result.fit.estimate == pytest.approx(expected["est"], rel=1e-6)
    details = {detail.key: detail.value for detail in result.details}
    assert details["log_likelihood"] == pytest.approx(expected["logLik"], abs=1e-6)
    assert result.fit.tau2 == 0


def test_fixed_intercepts(case):
    """lme4 stopped at a gradient of 0.0089 here; the figures are those of the grid over the random effect."""
    result = _fit(case, "glmm", measure="OR", variant="UM.FS")
    assert result.fit.estimate == pytest.approx(-1.2364935390056266, rel=1e-7)
    assert result.fit.tau2 == pytest.approx(0.3195131483711236, rel=1e-6)
    assert result.fit.se == pytest.approx(case.values["UM.FS"]["se"], rel=1e-3)


def test_random_intercepts(case):
    """metafor integrates by Laplace's approximation; the whole integral is higher and its maximum a little apart."""
    result = _fit(case, "glmm", measure="OR", variant="UM.RS")
    details = {detail.key: detail.value for detail in result.details}
    expected = case.values["UM.RS"]
    assert result.fit.estimate == pytest.approx(expected["est"], abs=0.01 * expected["se"])
    assert result.fit.se == pytest.approx(expected["se"], rel=2e-3)
    assert result.fit.tau2 == pytest.approx(expected["tau2"], rel=2e-3)
    assert details["log_likelihood"] > expected["logLik"]
    assert details["accuracy"] < 1e-8
    assert details["gradient"] < 1e-6


def test_logistic_regression_by_statsmodels_is_the_common_effect_with_fixed_intercepts(case):
    expected = case.values["UM.FS_EE"]
    result = _fit(case, "logistic", measure="OR")
    assert result.fit.estimate == pytest.approx(expected["est"], rel=1e-8)
    details = {detail.key: detail.value for detail in result.details}
    assert details["log_likelihood"] == pytest.approx(expected["logLik"], abs=1e-8)
    own = _fit(case, "glmm", measure="OR", variant="UM.FS", method="CE")
    assert own.fit.estimate == pytest.approx(result.fit.estimate, rel=1e-8)
    assert own.fit.se == pytest.approx(result.fit.se, rel=1e-7)
