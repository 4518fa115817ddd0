"""Weight functions on Hackshaw (passive smoking) and Baskerville (practice facilitation) beside metafor's selmodel.

Estimates agree to what R's optimizer holds. Where the likelihoods differ, ours is the higher, or R's integrals are off
in the seventh digit (half-normal, logistic, power: ours are Gauss-Legendre to 1e-12 and a test holds them to quad).
R's standard errors for the half-normal model are 5 % too small: its Hessian is a difference of noisy integrals.
"""

from __future__ import annotations

import pytest

from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.selection.model import selection_model

CASE = "20_selection_models"

STEP = {
    "hackshaw_3PSM_025_greater": {"steps": [0.025]},
    "hackshaw_step_05_1tail": {"steps": [0.05]},
    "hackshaw_fixed_weights": {"steps": [0.025, 0.5, 1], "weights": [1, 0.5, 0.25]},
    "baskerville_step_05": {"steps": [0.05]},
}
SMOOTH = {
    "baskerville_halfnorm": "half-normal",
    "baskerville_negexp": "negative-exponential",
    "baskerville_logistic": "logistic",
    "baskerville_power": "power",
}


def _fit(case, name, **options):
    rows = case.data[case.data["set"] == name.split("_")[0]]
    return selection_model(funnel(rows["yi"].to_numpy(), rows["vi"].to_numpy()), **options)


@pytest.mark.parametrize("name", STEP)
def test_step_functions(case, name):
    found, expected = _fit(case, name, **STEP[name]), case.values[name]
    assert found.converged
    assert found.log_likelihood >= expected["logLik"] - 1e-9
    assert found.log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)
    assert [found.estimate, found.se] == pytest.approx([expected["est"], expected["se"]], rel=2e-4)
    assert [found.tau2, found.se_tau2] == pytest.approx([expected["tau2"], expected["se_tau2"]], rel=1e-3)
    assert list(found.delta) == pytest.approx(expected["delta"], rel=1e-4)
    assert found.lrt == pytest.approx(expected["LRT"], abs=1e-6)
    assert found.lrt_df == expected["LRTdf"]
    if expected["LRTp"] is not None:
        assert found.lrt_p_value == pytest.approx(expected["LRTp"], rel=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_weight_functions(case, name):
    found, expected = _fit(case, name, kind=SMOOTH[name]), case.values[name]
    assert found.converged
    assert found.log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)
    assert found.estimate == pytest.approx(expected["est"], rel=1e-4)
    assert found.tau2 == pytest.approx(expected["tau2"], rel=1e-3)
    assert found.delta[0] == pytest.approx(expected["delta"], rel=1e-4)
    assert found.lrt_p_value == pytest.approx(expected["LRTp"], rel=1e-5)
    if name != "baskerville_halfnorm":
        assert found.se == pytest.approx(expected["se"], rel=1e-4)


def test_beta_weights_reach_a_higher_likelihood_at_tau2_0(case):
    found, expected = _fit(case, "baskerville_beta", kind="beta"), case.values["baskerville_beta"]
    assert found.log_likelihood > expected["logLik"] + 1e-4
    assert found.tau2 == 0
    assert list(found.delta) == pytest.approx(expected["delta"], rel=1e-3)
    assert found.estimate == pytest.approx(expected["est"], rel=1e-3)


def test_weights_that_weaken_with_precision(case):
    """metafor with scaleprec = FALSE: delta is per unit of the standard error, ours per its largest value."""
    found = _fit(case, "baskerville_halfnorm_prec_sei", kind="half-normal", precision="sei")
    expected = case.values["baskerville_halfnorm_prec_sei"]
    rows = case.data[case.data["set"] == "baskerville"]
    assert found.log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)
    assert found.estimate == pytest.approx(expected["est"], rel=1e-4)
    assert found.delta[0] / rows["vi"].max() ** 0.5 == pytest.approx(expected["delta"], rel=1e-3)


@pytest.mark.parametrize("name", ["hackshaw", "baskerville"])
def test_without_selection_the_likelihood_is_that_of_ml(case, name):
    found = _fit(case, f"{name}_ML")
    assert found.log_likelihood_none == pytest.approx(case.values[f"{name}_ML"]["logLik"], abs=1e-10)
