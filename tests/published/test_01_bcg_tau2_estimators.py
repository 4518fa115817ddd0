"""BCG vaccine trials, log risk ratio: every estimator of tau2 as metafor gives it with tight tolerances."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.two_arm import two_arm
from igfmeta.models.pooling import pool_one

CASE = "01_bcg_rr_tau2_estimators"

#: Ours: metafor's. Closed forms agree to 1e-10 relative, iterated ones to 1e-8.
CLOSED = {"CE": "EE", "DL": "DL", "HE": "HE", "HS": "HS", "HSK": "HSk", "SJ": "SJ"}
ITERATED = {"ML": "ML", "REML": "REML", "EB": "EB", "PM": "PM", "PMM": "PMM"}

NAMES = {"est": "estimate", "se": "se", "stat": "statistic", "pval": "p_value", "ci_lb": "ci_lower",
         "ci_ub": "ci_upper", "tau2": "tau2", "se_tau2": "se_tau2", "I2": "i2", "H2": "h2", "QE": "q"}  # fmt: skip


def test_risk_ratios_are_metafors(case):
    arms = [case.column(name) for name in ("tpos", "tneg", "cpos", "cneg")]
    effects = two_arm(arms[0], arms[0] + arms[1], arms[2], arms[2] + arms[3], measure="RR")
    np.testing.assert_allclose(effects.yi, case.values["yi"], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(effects.vi, case.values["vi"], rtol=1e-10)


@pytest.mark.parametrize("method", [*CLOSED, *ITERATED])
def test_estimator_agrees_with_metafor(case, method):
    expected = case.values[{**CLOSED, **ITERATED}[method]]
    fit = pool_one(case.column("yi"), case.column("vi"), method=method, ci="z")
    rtol = 1e-10 if method in CLOSED else 1e-8
    for theirs, ours in NAMES.items():
        if method == "CE" and theirs == "se_tau2":
            continue  # not estimated
        assert getattr(fit, ours) == pytest.approx(expected[theirs], rel=rtol), ours
    assert fit.converged


def test_generalized_q_tau2_agrees_with_metafor(case):
    # metafor pools with the weights it was given, not with the random-effects weights: only tau2 is comparable.
    fit = pool_one(case.column("yi"), case.column("vi"), method="GENQ")
    assert fit.tau2 == pytest.approx(case.values["GENQ_a1"]["tau2"], rel=1e-10)
    assert fit.se_tau2 == pytest.approx(case.values["GENQ_a1"]["se_tau2"], rel=1e-10)


@pytest.mark.parametrize(
    ("method", "tau2"), [("PM", 0.3180684522050236), ("PMM", 0.3433879068958064), ("REML", 0.3132432581364806)]
)
def test_roots_agree_with_independent_root_finding(case, method, tau2):
    # Computed by Brent's method on the estimating equation, without any package for meta-analysis.
    fit = pool_one(case.column("yi"), case.column("vi"), method=method)
    assert fit.tau2 == pytest.approx(tau2, rel=1e-12)
