"""Limits of rates by size: exact binomial quantiles, interpolated, with and without heterogeneity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from igfmeta.models.rate_limits import rate_limit

SIZES = np.array([3.0, 10.0, 41.0, 200.0, 5000.0])


@pytest.mark.parametrize("p", [0.025, 0.5, 0.975])
def test_without_heterogeneity_they_are_spiegelhalters(p):
    rate = 0.13
    r = stats.binom.ppf(p, SIZES, rate)
    upper, lower = stats.binom.cdf(r, SIZES, rate), stats.binom.cdf(r - 1, SIZES, rate)
    expected = np.maximum(r - (upper - p) / (upper - lower), 0) / SIZES
    assert rate_limit(SIZES, special.logit(rate), 0.0, p) == pytest.approx(expected, rel=1e-9)


def test_with_heterogeneity_they_hold_the_mixture():
    n, theta, tau, p = 30, -1.5, 0.9, 0.975
    z = np.linspace(-9, 9, 20_001)
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    cdf = stats.binom.cdf(np.arange(n + 1)[:, None], n, special.expit(theta + tau * z)) @ weight
    r = int(np.argmax(cdf >= p))
    expected = (r - (cdf[r] - p) / (cdf[r] - cdf[r - 1])) / n
    assert rate_limit(np.array([float(n)]), theta, tau**2, p)[0] == pytest.approx(expected, rel=1e-8)


def test_large_studies_lie_within_the_normal_distribution_of_their_logits():
    limit = rate_limit(np.array([1e7]), -1.0, 0.25, 0.975)[0]
    assert special.logit(limit) == pytest.approx(-1.0 + 0.5 * stats.norm.ppf(0.975), abs=2e-3)
