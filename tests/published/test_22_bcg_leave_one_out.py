"""BCG vaccine trials without each trial in turn, as metafor's leave1out gives it; here one call of the kernel."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.models.deletion import leave_one_out
from igfmeta.models.influence import influence

CASE = "22_bcg_leave_one_out_influence"


def test_leave_one_out(case):
    batch = leave_one_out(case.column("yi"), case.column("vi"), ci="z")
    for ours, theirs in (("estimate", "est"), ("se", "se"), ("p_value", "p"), ("ci_lower", "ci_lb"),
                         ("ci_upper", "ci_ub"), ("tau2", "tau2"), ("i2", "I2"), ("q", "Q")):  # fmt: skip
        np.testing.assert_allclose(getattr(batch, ours), case.values[f"loo_{theirs}"], rtol=1e-8, err_msg=ours)


def test_leave_one_out_with_hartung_knapp(case):
    batch = leave_one_out(case.column("yi"), case.column("vi"), ci="HK")
    np.testing.assert_allclose(batch.ci_lower, case.values["loo_knha_ci_lb"], rtol=1e-8)
    np.testing.assert_allclose(batch.ci_upper, case.values["loo_knha_ci_ub"], rtol=1e-8)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("rstudent", "rstudent"), ("dffits", "dffits"), ("cook_d", "cook_d"), ("cov_r", "cov_r"), ("dfbetas", "dfbs"),
     ("hat", "hat"), ("weights", "weight")],
)  # fmt: skip
def test_deletion_diagnostics(case, ours, theirs):
    found = influence(case.column("yi"), case.column("vi"))
    np.testing.assert_allclose(getattr(found, ours), case.values[theirs], rtol=1e-8)


def test_no_study_is_influential(case):
    found = influence(case.column("yi"), case.column("vi"))
    assert not found.influential.any()
    assert case.values["influential"] == []
    np.testing.assert_allclose(found.without.tau2, case.values["tau2_del"], rtol=1e-8)
    np.testing.assert_allclose(found.without.q, case.values["QE_del"], rtol=1e-8)
