"""The power of a trial whose effect is known: against enumeration, textbook formulas and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom, norm

from igfmeta.synthesis.power import (
    at_least,
    critical,
    exact_boundary,
    fewest_significant,
    log_rank_power,
    one_proportion_power,
    two_proportions_power,
    z_statistic,
)


@pytest.mark.parametrize("n", [1, 2, 5, 13, 40, 200])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("level", [0.025, 0.05, 0.1])
def test_the_exact_boundary_is_that_of_an_enumeration(n, rate, level):
    tails = [sum(math.comb(n, x) * rate**x * (1 - rate) ** (n - x) for x in range(r, n + 1)) for r in range(n + 2)]
    assert exact_boundary(n, rate, level) == next(r for r, tail in enumerate(tails) if tail <= level)


def test_tails_are_those_of_scipy():
    r = np.arange(0, 32)
    for rate in (1e-6, 0.2, 0.9):
        np.testing.assert_allclose(at_least(r, 30, np.asarray(rate)), binom.sf(r - 1, 30, rate), rtol=1e-11)


def test_a_published_single_arm_design():
    # A'Hern 2001 (Stat Med 20:859): p0 = 0.2, p1 = 0.4, alpha 0.05, power 0.8 takes 35 patients, 12 of them responding.
    power = {n: one_proportion_power(logit(np.array([0.4])), n=n, null_rate=0.2, level=0.05)[0] for n in range(5, 36)}
    assert next(n for n in power if power[n] >= 0.8) == 35
    assert exact_boundary(35, 0.2, 0.05) == 12


@pytest.mark.parametrize("n", [3, 10, 37])
@pytest.mark.parametrize("control", [0.02, 0.3, 0.9])
def test_the_power_of_two_proportions_is_the_sum_over_both_arms(n, control):
    z = critical(0.025, 1)
    x = np.arange(n + 1)
    rejected = np.array([[z_statistic(np.array([float(e)]), np.array([float(c)]), n)[0] >= z for e in x] for c in x])
    for effect in (-1.0, 0.0, 0.7, 2.5):
        rate = expit(logit(control) + effect)
        whole = binom.pmf(x, n, control) @ rejected @ binom.pmf(x, n, rate)
        found = two_proportions_power(np.array([effect]), control_rate=control, n=n, z=z)[0]
        assert found == pytest.approx(whole, abs=1e-11)


def test_the_statistic_rises_with_the_responders():
    for n in (5, 30):
        for c in range(n + 1):
            values = z_statistic(np.arange(c, n + 1.0), np.full(n + 1 - c, float(c)), n)
            assert np.all(np.diff(values) > 0) or (c == 0 or c == n)
            first = fewest_significant(np.array([float(c)]), n, 1.6)[0]
            assert first == next((c + i for i, value in enumerate(values) if value >= 1.6), n + 1)


def test_the_exact_power_of_large_arms_is_the_textbook_formula():
    # Fleiss, Levin & Paik 2003, section 4.2: z_beta = (|d| sqrt(n) - z sqrt(2 pq)) / sqrt(p1 q1 + p0 q0).
    p0, n, z = 0.3, 1500, critical(0.025, 1)
    effect = 0.25
    p1 = expit(logit(p0) + effect)
    mean = (p0 + p1) / 2
    beta = (abs(p1 - p0) * math.sqrt(n) - z * math.sqrt(2 * mean * (1 - mean))) / math.sqrt(
        p1 * (1 - p1) + p0 * (1 - p0)
    )
    assert two_proportions_power(np.array([effect]), control_rate=p0, n=n, z=z)[0] == pytest.approx(
        norm.cdf(beta), abs=0.002
    )


def test_the_power_of_two_proportions_is_the_share_of_simulated_trials(rng):
    n, p0, effect, z = 60, 0.25, 0.8, critical(0.05, 2)
    p1 = expit(logit(p0) + effect)
    control, treated = rng.binomial(n, p0, 400_000), rng.binomial(n, p1, 400_000)
    share = (z_statistic(treated.astype(float), control.astype(float), n) >= z).mean()
    assert two_proportions_power(np.array([effect]), control_rate=p0, n=n, z=z)[0] == pytest.approx(share, abs=0.003)


def test_power_of_a_log_rank_test_is_schoenfelds():
    # 4 (1.96 + 1.2816)^2 / log(0.7)^2 = 330.4 events give a power of 90 %.
    assert log_rank_power(np.array([-math.log(0.7)]), events=330.4, allocation=1.0, z=critical(0.025, 1))[
        0
    ] == pytest.approx(0.9, abs=1e-4)
