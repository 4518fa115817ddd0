"""Models of counts without each study, study after study and by subgroup, against metafor 3.8 and lme4.

`leave1out` and `cumul` of rma.mh and rma.peto are closed forms. rma.glmm was run in a loop: CM.EL is limited by a
numerical Hessian there, the others by lme4's optimizer, UM.RS by Laplace's approximation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.effects.two_arm import two_arm
from igfmeta.models.count_fits import CountStudies
from igfmeta.models.count_subgroups import subgroup_counts

CASES = Path(__file__).parent / "cases"
CASE = "counts_left_out"
CATHETERS = {"events1": "ai", "n1": "n1i", "events2": "ci", "n2": "n2i"}
RATES = {"events1": "x1", "time1": "t1", "events2": "x2", "time2": "t2"}
BCG = {"events1": "tpos", "n1": "n1", "events2": "cpos", "n2": "n2"}


def _table(name):
    return pd.read_csv(CASES / "data" / f"{name}.csv")


@pytest.fixture(scope="module")
def catheters():
    return _table("06_nielweise2007_rare_or_glmm")


@pytest.fixture(scope="module")
def rates():
    return _table("nielweise2008_rates")


@pytest.fixture(scope="module")
def bcg():
    """BCG against tuberculosis; groups in the order of R's factor."""
    table = _table("01_bcg_rr_tau2_estimators").sort_values("alloc", kind="stable").reset_index(drop=True)
    return table.assign(n1=table["tpos"] + table["tneg"], n2=table["cpos"] + table["cneg"])


def _of(fits, name):
    return np.array([np.nan if getattr(fit, name) is None else getattr(fit, name) for fit in fits])


def _agree(fits, expected, rel, keep=None):
    """Compare by name; where metafor has no number (and here there is a reason) nothing is compared."""
    for name, rtol in rel.items():
        figures = np.array([np.nan if value is None else value for value in expected[name]])
        figures = figures[keep] if keep is not None and len(keep) == len(figures) else figures
        own = _of(fits, {"Q": "q", "Qp": "q_p_value"}.get(name, name))
        known = np.isfinite(figures)
        assert known.sum() >= len(figures) - 1
        np.testing.assert_allclose(own[known], figures[known], rtol=rtol, err_msg=name)


CLOSED = dict.fromkeys(("estimate", "se", "ci_lower", "Q", "Qp"), 1e-10)


@pytest.mark.parametrize(("measure", "zero_cells"), [("OR", "none"), ("OR", "if0all"), ("RR", "none"), ("RD", "none")])
def test_mantel_haenszel_without_each_trial_and_trial_after_trial(case, catheters, measure, zero_cells):
    expected = case.values[f"mh_{measure}" if zero_cells == "none" else f"mh_{measure}_{zero_cells}"]
    found = im.fit_with("mh", catheters, **CATHETERS, measure=measure, zero_cells=zero_cells, leave_one_out=True,
                        cumulative=True)  # fmt: skip
    # metafor lists the trial without an event too, which says nothing about a ratio: here it is not left out.
    keep = np.ones(18, dtype=bool) if measure == "RD" else (catheters["ai"] + catheters["ci"]).to_numpy() > 0
    names = ("estimate", "se") if zero_cells != "none" else tuple(CLOSED)  # Q takes other corrections there
    _agree([step.fit for step in found.leave_one_out], expected["loo"], {n: CLOSED[n] for n in names}, keep)
    _agree([step.fit for step in found.cumulative], expected["cumul"], {"estimate": 1e-10, "se": 1e-10}, keep)
    assert len(found.leave_one_out) == keep.sum()


def test_peto_without_each_trial_and_trial_after_trial(case, catheters):
    found = im.fit_with("peto", catheters, **CATHETERS, leave_one_out=True, cumulative=True)
    keep = (catheters["ai"] + catheters["ci"]).to_numpy() > 0
    _agree([step.fit for step in found.leave_one_out], case.values["peto"]["loo"], CLOSED, keep)
    _agree(
        [step.fit for step in found.cumulative], case.values["peto"]["cumul"], {"estimate": 1e-10, "se": 1e-10}, keep
    )


@pytest.mark.parametrize("measure", ["IRR", "IRD"])
def test_mantel_haenszel_of_rates(case, rates, measure):
    found = im.fit_with("mh", rates, **RATES, measure=measure, leave_one_out=True, cumulative=True)
    expected = case.values[f"mh_{measure}"]
    _agree([step.fit for step in found.leave_one_out], expected["loo"], CLOSED)
    _agree([step.fit for step in found.cumulative], expected["cumul"], {"estimate": 1e-10, "se": 1e-10})


@pytest.mark.parametrize(
    ("variant", "rel"),
    [
        ("CM.EL", {"estimate": 1e-6, "se": 1e-3, "tau2": 5e-6}),
        ("CM.AL", {"estimate": 1e-5, "se": 1e-5, "tau2": 1e-4}),
        ("UM.FS", {"estimate": 1e-3, "se": 1e-3, "tau2": 5e-3}),
        ("UM.RS", {"estimate": 5e-3, "se": 5e-3, "tau2": 0.05}),
    ],
)
def test_mixed_models_of_odds_ratios_without_each_trial(case, catheters, variant, rel):
    found = im.fit_with("glmm", catheters, **CATHETERS, measure="OR", variant=variant, leave_one_out=True)
    _agree([step.fit for step in found.leave_one_out], case.values[variant], rel)


def test_mixed_models_of_rates_and_proportions_without_each_study(case, rates):
    rel = {"estimate": 5e-5, "se": 5e-5}
    found = im.fit_with("glmm", rates, **RATES, measure="IRR", leave_one_out=True)
    _agree([step.fit for step in found.leave_one_out], case.values["IRR_CM.EL"], rel)
    found = im.fit_with("glmm", rates, events="x1", time="t1", measure="IRLN", leave_one_out=True)
    _agree([step.fit for step in found.leave_one_out], case.values["IRLN"], rel)
    found = im.fit_with("glmm", _table("08_pritz1997_proportions"), events="xi", n="ni", measure="PLO",
                        leave_one_out=True)  # fmt: skip
    _agree([step.fit for step in found.leave_one_out], case.values["PLO"], {**rel, "tau2": 1e-4})


@pytest.mark.parametrize("name", ["mh_OR", "mh_RR", "peto"])
def test_groups_of_a_common_effect(case, bcg, name):
    measure = {} if name == "peto" else {"measure": name[3:]}
    found = im.fit_with(name.split("_")[0], bcg, **BCG, subgroup="alloc", **measure).subgroups
    expected = case.values[f"bcg_{name}"]
    _agree(found.fits, expected, {"estimate": 1e-10, "se": 1e-10, "q": 1e-10})
    mu, w = np.array(expected["estimate"]), 1 / np.array(expected["se"]) ** 2
    q = (w * (mu - (w * mu).sum() / w.sum()) ** 2).sum()
    assert (found.q_between, found.q_between_df, found.test) == (pytest.approx(q, rel=1e-10), 2, "Q")


@pytest.mark.parametrize(
    ("variant", "rel", "lr"),
    [("CM.EL", 5e-4, 1e-7), ("CM.AL", 1e-4, 1e-5), ("UM.FS", 1e-4, 1e-5), ("UM.RS", 0.02, 0.02)],
)  # fmt: skip
def test_groups_of_mixed_models_apart_and_with_one_tau2(case, bcg, variant, rel, lr):
    counts = {role: bcg[column].to_numpy(dtype=float) for role, column in BCG.items()}
    own = two_arm(*counts.values(), measure="OR")
    studies, groups = CountStudies("OR", counts, own.yi, own.vi), bcg["alloc"].tolist()
    if variant != "CM.EL":  # integrated over a thousand tables for each study: once is enough
        separate = subgroup_counts("glmm", studies, groups, variant=variant, level=0.95)
        _agree(separate.fits, case.values[f"bcg_{variant}_separate"], {"estimate": rel, "se": rel, "tau2": rel})
    common = subgroup_counts("glmm", studies, groups, tau2="common", variant=variant, level=0.95)
    expected = case.values[f"bcg_{variant}_common"]
    _agree(common.fits, expected, {"estimate": rel, "se": rel})
    assert common.fits[0].tau2 == pytest.approx(expected["tau2"], rel=rel)
    assert (common.q_between, common.test) == (pytest.approx(expected["LR"], rel=lr), "LR")


def test_groups_of_proportions_with_one_tau2(case, bcg):
    common = im.fit_with("glmm", bcg, events="cpos", n="n2", measure="PLO", subgroup="alloc", subgroup_tau2="common")
    expected = case.values["bcg_PLO_common"]
    _agree(common.subgroups.fits, expected, {"estimate": 1e-6, "se": 2e-4})
    assert common.subgroups.q_between == pytest.approx(expected["LR"], rel=1e-6)
