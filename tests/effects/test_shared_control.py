"""Contrasts with one control arm: covariance, and combination that equals pooling the arms."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.shared_control import combine_within, shared_covariance
from igfmeta.effects.two_arm import two_arm
from igfmeta.errors import InputError


@pytest.mark.parametrize("measure", ["OR", "RR", "RD", "AS"])
def test_the_covariance_of_counts_is_the_variance_of_the_control_arm(measure, rng):
    # By simulation: two arms against one control arm.
    p, n, draws = (0.3, 0.4, 0.35), (400, 300, 350), 40_000
    a, b, c = (rng.binomial(size, rate, draws) for size, rate in zip(n, p, strict=True))
    first = two_arm(a, np.full(draws, n[0]), c, np.full(draws, n[2]), measure=measure).yi
    second = two_arm(b, np.full(draws, n[1]), c, np.full(draws, n[2]), measure=measure).yi
    vi = [first.var(), second.var()]
    expected = [p[2] * n[2]] * 2
    covariance, origins = shared_covariance(vi, ["s", "s"], measure=measure, events_ctl=expected, n_ctl=[n[2]] * 2)
    assert covariance[0, 1] == pytest.approx(np.cov(first, second)[0, 1], rel=0.06)
    assert origins == ("control_counts",) * 2


def test_the_covariance_of_hazard_ratios_is_one_over_the_control_events():
    covariance, origins = shared_covariance([0.04, 0.05], ["s", "s"], measure="HR", events_ctl=[40.0, 40.0])
    assert covariance[0, 1] == pytest.approx(1 / 40)
    assert origins[0] == "control_events"


def test_unknown_control_numbers_are_assumed_and_flagged():
    covariance, origins = shared_covariance([0.04, 0.06, 0.1], ["s", "s", ""], measure="HR")
    assert covariance[0, 1] == pytest.approx(0.5 * 0.05)
    assert origins == ("assumed", "assumed", "")
    assert covariance[0, 2] == 0


def test_the_assumed_covariance_keeps_the_matrix_positive_definite():
    covariance, _ = shared_covariance([0.01, 1.0], ["s", "s"], measure="HR")
    assert np.linalg.eigvalsh(covariance)[0] > 0


def test_combination_is_generalized_least_squares():
    y, covariance = np.array([0.1, 0.4, 0.9]), np.array([[0.04, 0.01, 0], [0.01, 0.02, 0], [0, 0, 0.5]])
    combined = combine_within(y, covariance, ["s", "s", ""])
    inverse = np.linalg.inv(covariance[:2, :2])
    assert combined.vi[0] == pytest.approx(1 / inverse.sum())
    assert combined.yi[0] == pytest.approx(inverse.sum(axis=0) @ y[:2] / inverse.sum())
    assert (combined.yi[1], combined.vi[1]) == (0.9, 0.5)
    assert combined.members == ((0, 1), (2,))


def test_equal_arms_combine_as_one_arm_of_both(rng):
    # Two halves of one arm against one control: the combined variance is that of the whole arm.
    e, n, c, m = 40, 100, 60, 150
    halves = two_arm([e, e], [n, n], [c, c], [m, m], measure="OR")
    covariance, _ = shared_covariance(halves.vi, ["s", "s"], measure="OR", events_ctl=[c, c], n_ctl=[m, m])
    combined = combine_within(halves.yi, covariance, ["s", "s"])
    whole = two_arm([2 * e], [2 * n], [c], [m], measure="OR")
    assert (combined.yi[0], combined.vi[0]) == pytest.approx((whole.yi[0], whole.vi[0]), rel=1e-12)


def test_a_covariance_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="not positive definite"):
        combine_within([0.1, 0.2], [[0.01, 0.5], [0.5, 0.01]], ["s", "s"])
