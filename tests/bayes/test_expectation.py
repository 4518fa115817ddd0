"""Averages over mixtures of normals against closed forms, also where mixture or function is very narrow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.expectation import nodes_of


def mixture(weights, means, sds):
    return NormalMixture(*(np.array([x], dtype=float) for x in (weights, means, sds)))


MIXTURES = [
    mixture([1.0], [0.2], [0.3]),
    mixture([0.5, 0.3, 0.2], [-0.4, 0.0, 0.9], [0.05, 0.4, 2.0]),
    mixture([0.999, 0.001], [0.1, 0.0], [0.1, 20.0]),
]


@pytest.mark.parametrize("over", MIXTURES)
@pytest.mark.parametrize("width", [1.0, 0.1, 0.001])
def test_a_normal_curve_is_averaged_as_in_closed_form(over, width):
    # The average of ndtr((x - c)/w) over N(m, s) is ndtr((m - c)/sqrt(s^2 + w^2)).
    c = 0.15
    nodes = nodes_of(over, steep=c)
    exact = over.weight[0] @ norm.cdf((over.mean[0] - c) / np.sqrt(over.sd[0] ** 2 + width**2))
    assert nodes.average(norm.cdf((nodes.points - c) / width)) == pytest.approx(exact, abs=1e-7)


def test_a_step_is_averaged_as_the_distribution_function():
    over = MIXTURES[1]
    nodes = nodes_of(over, steep=0.1)
    assert nodes.average((nodes.points > 0.1).astype(float)) == pytest.approx(
        1 - over.cdf(np.array([0.1]))[0], abs=1e-7
    )


def test_moments():
    over = MIXTURES[1]
    nodes = nodes_of(over)
    mean, sd = over.moments()
    assert nodes.average(nodes.points) == pytest.approx(mean[0], abs=1e-7)
    assert nodes.average((nodes.points - mean[0]) ** 2) == pytest.approx(sd[0] ** 2, rel=1e-7)


def test_a_mixture_without_width_is_a_point():
    over = mixture([0.5, 0.5], [0.3, 0.3], [1e-9, 1e-9])
    nodes = nodes_of(over, steep=0.0)
    assert nodes.average(norm.cdf(5 * nodes.points)) == pytest.approx(norm.cdf(1.5), abs=1e-8)
