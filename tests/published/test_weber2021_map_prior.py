"""Placebo arms of ankylosing spondylitis: the binomial prior of Weber et al. 2021 (J Stat Softw 100:19) and its worth.

The figures are those of the vignette of their software (RBesT 1.9-0): four chains of 1,000 draws, so that quantiles
are good to two digits; the mixture and what follows from it are exact.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from igfmeta.bayes.beta_mixture import BetaMixture, fit_beta_mixture
from igfmeta.bayes.binomial_arms import binomial_arms
from igfmeta.bayes.tau_priors import HalfNormal

CASE = "35_map_prior_baeten2013"
P = np.array([0.025, 0.5, 0.975])


@pytest.fixture
def arms(case):
    return case.column("events"), case.column("total")


@pytest.fixture
def published():
    weights = np.array([0.4612914, 0.1917812, 0.1893896, 0.1575378])
    a = np.array([33.9513487, 19.4400089, 12.2692310, 2.2521243])
    return BetaMixture(weights / weights.sum(), a, np.array([103.0146367, 41.5205219, 55.9202833, 5.4812202]))


@pytest.mark.parametrize(
    ("scale", "tau", "rate"),
    [
        (1.0, (0.387, 0.0399, 0.359, 0.897), (0.1060, 0.2470, 0.4610)),
        (0.5, (0.335, 0.0397, 0.320, 0.718), (0.1290, 0.2500, 0.4420)),
    ],
)
def test_posterior(arms, scale, tau, rate):
    fit = binomial_arms(*arms, tau_prior=HalfNormal(scale))
    assert [fit.tau_mean(), *fit.tau_quantiles(P)] == pytest.approx(tau, abs=0.03)
    found = expit(fit.new_arm().rows(np.zeros(3, dtype=int)).quantile(P))
    assert found == pytest.approx(rate, abs=0.012)


def test_the_mixture_has_the_published_moments(published):
    assert published.moments() == pytest.approx((0.25545885, 0.08662045), abs=1e-8)
    # Their quantiles are roots to the tolerance of R's uniroot.
    assert published.quantile(P) == pytest.approx([0.10730400, 0.24758768, 0.46276759], abs=5e-5)


def test_the_mixture_is_worth_the_published_number_of_patients(published):
    assert round(published.effective_size()) == 38
    assert round(published.moment_size()) == 24
    assert round(published.robust(0.2).effective_size()) == 27


def test_our_mixture_is_worth_about_as_much(arms):
    ours = fit_beta_mixture(binomial_arms(*arms).new_arm())
    assert ours.effective_size() == pytest.approx(38, abs=2)
    assert ours.moment_size() == pytest.approx(24, abs=1)
    assert ours.robust(0.2).effective_size() == pytest.approx(27, abs=1.5)
