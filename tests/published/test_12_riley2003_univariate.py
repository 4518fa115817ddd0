"""MYC-N in neuroblastoma (Riley 2003), overall and disease-free survival pooled one by one."""

from __future__ import annotations

import math

import pytest

from igfmeta.models.pooling import pool_one

CASE = "12_riley2003_os_dfs"


@pytest.mark.parametrize(
    ("outcome", "name", "ci"), [("OS", "OS_REML", "z"), ("OS", "OS_REML_knha", "HK"), ("DFS", "DFS_REML", "z")]
)
def test_univariate_pool(case, outcome, name, ci):
    rows, expected = case.data[case.data["outcome"] == outcome], case.values[name]
    fit = pool_one(rows["yi"].to_numpy(), rows["vi"].to_numpy(), ci=ci)
    assert fit.k == expected["k"]
    for ours, theirs in (("estimate", "est"), ("se", "se"), ("tau2", "tau2"), ("se_tau2", "se_tau2"), ("i2", "I2"),
                         ("ci_lower", "ci_lb"), ("ci_upper", "ci_ub")):  # fmt: skip
        assert getattr(fit, ours) == pytest.approx(expected[theirs], rel=1e-8), ours


def test_hazard_ratio_and_its_normal_prediction_interval(case):
    rows, expected = case.data[case.data["outcome"] == "OS"], case.values["OS_HR"]
    fit = pool_one(rows["yi"].to_numpy(), rows["vi"].to_numpy(), ci="z", pi="z")
    ours = [math.exp(value) for value in (fit.estimate, fit.pi_lower, fit.pi_upper)]
    assert ours == pytest.approx([expected["pred"], expected["pi_lb"], expected["pi_ub"]], rel=1e-8)
