"""Kaplan-Meier, Cox, log-rank against R survival 3.5-3; what the reconstruction of a printed curve must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igfmeta.effects.kaplan_meier import kaplan_meier, quantile, restricted_mean, survival_at
from igfmeta.effects.kaplan_meier_compare import cox, log_rank, risk_sets
from igfmeta.effects.kaplan_meier_guyot import digitised, reconstruct
from igfmeta.errors import InputError, NothingToPool

# Acute myelogenous leukaemia: maintained (1) against nonmaintained (0) chemotherapy, Miller (1997), Survival Analysis.
TIME = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
STATUS = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
ARM = [1] * 11 + [0] * 12


def _arm(i):
    return [t for t, a in zip(TIME, ARM, strict=True) if a == i], [
        d for d, a in zip(STATUS, ARM, strict=True) if a == i
    ]


def test_aml_as_in_r():
    maintained, nonmaintained = kaplan_meier(*_arm(1)), kaplan_meier(*_arm(0))
    assert restricted_mean(maintained, 45) == pytest.approx((30.7386363636364, 4.11408624001147), rel=1e-12)
    assert restricted_mean(nonmaintained, 45) == pytest.approx((22.7083333333333, 4.18094198103315), rel=1e-12)
    assert quantile(maintained)[:2] == (31, 18)
    assert np.isnan(quantile(maintained)[2])
    assert quantile(nonmaintained)[:2] == (23, 8)
    sets = risk_sets(TIME, STATUS, ARM)
    assert cox(sets) == pytest.approx((-0.915532575014773, 0.511934275172009), rel=1e-10)
    assert log_rank(sets).chi2 == pytest.approx(3.3963886989776, rel=1e-12)


def test_efron_and_breslow_part_only_where_times_are_tied():
    untied = risk_sets([1, 2, 3, 4, 5, 6], [1, 1, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1])
    assert cox(untied, ties="efron") == cox(untied, ties="breslow")
    tied = risk_sets([1, 1, 2, 2, 3, 3], [1, 1, 1, 1, 1, 0], [0, 1, 0, 0, 1, 1])
    assert cox(tied, ties="efron") != cox(tied, ties="breslow")


def test_the_log_rank_chi_squared_is_the_score_test_of_cox_without_ties():
    rng = np.random.default_rng(3)
    time, arm = rng.exponential(size=60), np.repeat([0, 1], 30)
    sets = risk_sets(time, np.ones(60), arm)
    p = sets.at_risk_exp / sets.at_risk
    score, information = (sets.events_exp - p).sum(), (p * (1 - p)).sum()
    assert log_rank(sets).chi2 == pytest.approx(score**2 / information, rel=1e-12)


def test_swapping_the_arms_turns_the_sign():
    flipped = risk_sets(TIME, STATUS, [1 - a for a in ARM])
    assert cox(flipped)[0] == pytest.approx(-cox(risk_sets(TIME, STATUS, ARM))[0], rel=1e-12)


def test_a_ratio_without_a_maximum_is_not_given():
    with pytest.raises(NothingToPool, match="not estimable"):
        cox(risk_sets([1, 2, 3, 4], [1, 1, 0, 0], [1, 1, 0, 0]))


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan"), 200.0])
def test_a_horizon_that_the_curve_does_not_reach_is_refused(tau):
    with pytest.raises(InputError, match="tau was"):
        restricted_mean(kaplan_meier(*_arm(1)), tau)


people = st.lists(st.integers(1, 60), min_size=4, max_size=60)


@settings(max_examples=60, deadline=None)
@given(people, st.integers(0, 20), st.lists(st.integers(1, 59), min_size=0, max_size=4, unique=True))
def test_the_true_curve_gives_back_the_people_where_nobody_leaves_before_the_end(times, staying, marks):
    """Events at any times, the rest still there at the end: times and statuses come back exactly."""
    time = np.sort(np.array([*times, *([61] * staying)], dtype=float))
    status = (time < 61).astype(float)
    curve = kaplan_meier(time, status)
    risk_time = np.array([0.0, *sorted(marks)])
    at_risk = (time[:, None] >= risk_time).sum(axis=0)
    found = reconstruct(curve.time, curve.surv, risk_time=risk_time, at_risk=at_risk, events=len(times))
    np.testing.assert_array_equal(found.time, time)
    np.testing.assert_array_equal(found.status, status)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=3, max_size=60))
def test_with_a_number_at_risk_before_every_step_all_events_come_back(rows):
    """Censored people lie between two printed numbers at risk: how many is known, and so is every event."""
    time = np.array([t + (0.0 if event else 0.5) for t, event in rows])
    status = np.array([float(event) for _, event in rows])
    curve = kaplan_meier(time, status)
    risk_time = np.concatenate([[0.0], np.arange(1, 32)])
    at_risk = (time[:, None] >= risk_time).sum(axis=0)
    found = reconstruct(curve.time, curve.surv, risk_time=risk_time, at_risk=at_risk, events=int(status.sum()))
    np.testing.assert_array_equal(found.at_risk_found, at_risk)
    np.testing.assert_array_equal(found.time[found.status == 1], np.sort(time[status == 1]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.02))
def test_people_and_numbers_at_risk_are_kept_whatever_was_misread(seed, noise):
    rng = np.random.default_rng(seed)
    event, leaving = rng.exponential(10, 80), rng.uniform(5, 40, 80)
    time, status = np.minimum(event, leaving), (event <= leaving).astype(float)
    grid = np.linspace(0.2, time.max(), 60)
    read = np.clip(survival_at(kaplan_meier(time, status), grid) + rng.normal(0, noise, 60), 0, 1)
    at_risk = (time[:, None] >= [0, 5, 10, 15]).sum(axis=0)
    found = reconstruct(grid, read, risk_time=[0, 5, 10, 15], at_risk=at_risk)
    assert found.n == 80
    assert (np.diff(found.time) >= 0).all()
    assert set(np.unique(found.status)) <= {0.0, 1.0}
    assert (np.diff(found.curve.surv) <= 0).all()


def test_the_hazard_ratio_of_a_reconstruction_is_within_a_tenth_of_its_standard_error():
    rng = np.random.default_rng(11)
    arm = np.repeat([0.0, 1.0], 200)
    event, leaving = rng.exponential(np.where(arm == 1, 15.0, 10.0)), rng.uniform(6, 40, 400)
    time, status = np.minimum(event, leaving), (event <= leaving).astype(float)
    truth = cox(risk_sets(time, status, arm))
    rebuilt = []
    for i in (0, 1):
        curve = kaplan_meier(time[arm == i], status[arm == i])
        at_risk = (time[arm == i][:, None] >= [0, 6, 12, 18, 24]).sum(axis=0)
        rebuilt.append(reconstruct(curve.time, curve.surv, risk_time=[0, 6, 12, 18, 24], at_risk=at_risk,
                                   events=int(status[arm == i].sum())))  # fmt: skip
    again = cox(
        risk_sets(
            np.concatenate([r.time for r in rebuilt]),
            np.concatenate([r.status for r in rebuilt]),
            np.repeat([0, 1], [r.n for r in rebuilt]),
        )
    )
    assert abs(again[0] - truth[0]) < 0.1 * truth[1]
    assert again[1] == pytest.approx(truth[1], rel=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk_time": [1, 5]}, "start at 0"),
        ({"at_risk": [10, 12]}, "never rise"),
        ({"at_risk": [10.5, 3]}, "whole numbers"),
        ({"events": 11}, "events was 11"),
        ({"surv": [0.9, 80.0]}, "outside 0 to 1"),
        ({"surv": [0.9, float("nan")]}, "not a finite number"),
        ({"time": [-1, 0]}, "no point after time 0"),
    ],
)
def test_what_cannot_be_a_curve_is_refused(change, message):
    given_ = {"time": [1, 2], "surv": [0.9, 0.5], "risk_time": [0, 1.5], "at_risk": [10, 9], **change}
    with pytest.raises(InputError, match=message):
        reconstruct(given_.pop("time"), given_.pop("surv"), **given_)


def test_points_that_rise_are_lowered_and_counted():
    curve = digitised([1, 2, 3], [0.8, 0.81, 0.5])
    assert curve.moved == 1
    assert curve.largest_move == pytest.approx(0.01)
