"""The posterior of rates by group: against sums over a fine grid, and its own invariants."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from scipy.interpolate import CubicSpline

from igfmeta.bayes.mu_priors import FlatMu
from igfmeta.bayes.rate_posterior import rate_posteriors
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, parse_tau_prior
from igfmeta.errors import InputError

EVENTS, N = np.array([3.0, 0.0, 2.0, 8.0]), np.array([31.0, 29.0, 38.0, 40.0])


def _brute_force(events, n, sd):
    """Return mean and tail probabilities of mu, and the log evidence, from sums over 251 x 50 x 801 points."""
    z = np.linspace(-8, 8, 801)
    w = stats.norm.pdf(z) * (z[1] - z[0])
    u, share = np.polynomial.legendre.leggauss(50)
    tau = 4 * sd * (u + 1)
    share = 4 * sd * share * stats.halfnorm.pdf(tau, scale=sd)
    mu = np.linspace(-15, 10, 251)
    rate = special.expit(mu[:, None, None] + tau[:, None] * z)
    likelihood = np.prod([stats.binom.pmf(x, m, rate) @ w for x, m in zip(events, n, strict=True)], axis=0)
    joint = likelihood * share * stats.norm.pdf(mu, 0, 2.5)[:, None]
    density = joint.sum(axis=1)
    evidence = density.sum() * (mu[1] - mu[0])
    density = density / density.sum()
    return mu, density, np.log(evidence)


def test_mean_quantiles_and_evidence_as_sums_over_a_fine_grid():
    found = rate_posteriors(EVENTS, N, [[0, 1, 2, 3]], tau_prior=HalfNormal(1))[0]
    mu, density, evidence = _brute_force(EVENTS, N, 1.0)
    assert found.mu_mean == pytest.approx(float(mu @ density), abs=1e-7)
    below = CubicSpline(mu, density).antiderivative()
    for p, value in ((0.5, found.mu_median), (0.025, found.ci_lower), (0.975, found.ci_upper)):
        assert float(below(value) / below(mu[-1])) == pytest.approx(p, abs=1e-5)
    constant = special.gammaln(N + 1) - special.gammaln(EVENTS + 1) - special.gammaln(N - EVENTS + 1)
    assert found.log_marginal + constant.sum() == pytest.approx(evidence, abs=1e-7)


def test_groups_do_not_see_each_other_and_order_does_not_matter():
    alone = rate_posteriors(EVENTS[[1, 3]], N[[1, 3]], [[1, 0]], tau_prior=HalfNormal(1))[0]
    among = rate_posteriors(EVENTS, N, [[0, 1, 2, 3], [1, 3]], tau_prior=HalfNormal(1))[1]
    for name in ("mu_median", "ci_upper", "tau_median", "pi_upper", "log_marginal"):
        assert getattr(among, name) == pytest.approx(getattr(alone, name), rel=1e-9), name


def test_responses_and_their_complement_mirror_each_other():
    first = rate_posteriors(EVENTS, N, [[0, 1, 2, 3]], tau_prior=HalfNormal(1))[0]
    mirrored = rate_posteriors(N - EVENTS, N, [[0, 1, 2, 3]], tau_prior=HalfNormal(1))[0]
    assert mirrored.ci_lower == pytest.approx(-first.ci_upper, abs=1e-8)
    assert mirrored.pi_upper == pytest.approx(-first.pi_lower, abs=1e-8)


def test_large_arms_are_resolved():
    found = rate_posteriors([4000.0], [20000.0], [[0]], tau_prior=HalfNormal(0.001))[0]
    assert special.expit(found.mu_median) == pytest.approx(0.2, abs=2e-4)
    assert found.mu_sd == pytest.approx(1 / np.sqrt(20000 * 0.16), rel=0.01)


def test_priors_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="improper"):
        rate_posteriors(EVENTS, N, [[0]], tau_prior=parse_tau_prior("uniform"))
    with pytest.raises(InputError, match="not normal"):
        rate_posteriors(EVENTS, N, [[0]], tau_prior=HalfCauchy(0.5), mu_prior=FlatMu())
