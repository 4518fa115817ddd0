"""Hyperdynamic therapy (Pritz 1997): the logit-normal model of single proportions against metafor and SciPy."""

from __future__ import annotations

import pytest

import igfmeta as im

CASE = "08_pritz1997_proportions"


def _fit(case, **options):
    return im.fit_with("glmm", case.data, events="xi", n="ni", measure="PLO", **options)


def test_logit_normal_model(case):
    result = _fit(case)
    # Recomputed on a grid of 2,001 points; metafor's lme4 stops 7e-6 short of it.
    assert result.fit.estimate == pytest.approx(1.3765944015257396, rel=2e-8)
    assert result.fit.tau2 == pytest.approx(0.5893095940965619, rel=2e-7)
    assert result.fit.se == pytest.approx(0.28837984095091396, rel=1e-7)
    expected = case.values["GLMM"]
    assert result.fit.i2 == pytest.approx(expected["I2"], rel=2e-5)
    assert result.fit.q == pytest.approx(42.232398025234, rel=1e-10)  # metafor's QE.LRT


def test_prediction_and_t_test(case):
    result, expected = _fit(case), case.values["GLMM_predict"]
    shown = [result.natural(getattr(result.fit, name)) for name in ("ci_lower", "ci_upper", "pi_lower", "pi_upper")]
    assert shown == pytest.approx([expected[name] for name in ("ci_lb", "ci_ub", "pi_lb", "pi_ub")], rel=1e-4)
    with_t, expected = _fit(case, ci="t").fit, case.values["GLMM_t"]
    assert with_t.df == 13
    assert [with_t.ci_lower, with_t.ci_upper] == pytest.approx([expected["ci_lb"], expected["ci_ub"]], rel=1e-4)


@pytest.mark.parametrize("measure", ["PLO", "PFT", "PAS", "PR", "PLN"])
def test_inverse_variance_of_transformed_proportions(case, measure):
    expected = case.values["PLO_IV_REML" if measure == "PLO" else f"{measure}_REML"]
    methods = im.Methods(ci="z")
    fit = im.fit(case.data, events="xi", n="ni", measure=measure, methods=methods).fit
    assert fit.estimate == pytest.approx(expected["est"], rel=1e-8)
    assert fit.se == pytest.approx(expected["se"], rel=1e-8)
    assert fit.tau2 == pytest.approx(expected["tau2"], rel=1e-7)
