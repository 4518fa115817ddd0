"""Interleukin-2 receptor antagonists (Crins 2014), log odds ratio: the posterior under eight priors, as bayesmeta.

bayesmeta (tolerances tightened to 1e-4) replaces the posterior of tau by a grid for everything but tau itself: what
concerns tau and the marginal likelihood agrees to 1e-9, what concerns mu and a new study to its 1e-4. The exact figures
are checked against numerical integration in tests/bayes.
"""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes import tau_priors as tau
from igfmeta.bayes.mu_priors import FlatMu, NormalMu
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.published import turner

CASE = "32_bayesmeta_crins2014"

OUTCOME, COMPARISON = (
    "signs / symptoms reflecting continuation / end of condition",
    "pharmacological vs. placebo / control",
)
PRIORS = {
    "HN05_N04": (tau.HalfNormal(0.5), NormalMu(0, 4)),
    "HN1_N04": (tau.HalfNormal(1), NormalMu(0, 4)),
    "HC05_N04": (tau.HalfCauchy(0.5), NormalMu(0, 4)),
    "uniform_flat": (tau.Uniform(), FlatMu()),
    "Jeffreys_flat": (tau.Jeffreys(), FlatMu()),
    "DuMouchel_flat": (tau.DuMouchel(), FlatMu()),
    "shrinkage_flat": (tau.Shrinkage(), FlatMu()),
    "Turner_N04": (turner(OUTCOME, COMPARISON), NormalMu(0, 4)),
}

#: bayesmeta's own search for the shortest interval of tau is good to this.
SHORTEST = 5e-5
GRID = 5e-5


def _fit(case, name="HN05_N04", **options):
    tau_prior, mu_prior = PRIORS[name]
    vi = np.array(case.values["sei"]) ** 2
    return normal_normal_one(case.values["yi"], vi, tau_prior=tau_prior, mu_prior=mu_prior, **options)


@pytest.mark.parametrize("name", PRIORS)
def test_tau(case, name):
    fit, expected = _fit(case, name, interval="shortest"), case.values[name]["tau"]
    assert [fit.tau_median, fit.tau_mean, fit.tau_sd] == pytest.approx(
        [expected["median"], expected["mean"], expected["sd"]], rel=1e-9
    )
    shown = [expected["95% lower"], expected["95% upper"]]
    assert [fit.tau_ci_lower, fit.tau_ci_upper] == pytest.approx(shown, abs=SHORTEST)


@pytest.mark.parametrize("name", PRIORS)
def test_mu_and_a_new_study(case, name):
    fit, expected = _fit(case, name, interval="shortest"), case.values[name]
    mu, new = expected["mu"], expected["predictive_theta"]
    assert [fit.mu_median, fit.mu_mean, fit.mu_sd] == pytest.approx([mu["median"], mu["mean"], mu["sd"]], abs=GRID)
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([mu["95% lower"], mu["95% upper"]], abs=GRID)
    assert [fit.pi_median, fit.pi_lower, fit.pi_upper] == pytest.approx(
        [new["median"], new["95% lower"], new["95% upper"]], abs=GRID
    )


@pytest.mark.parametrize("name", PRIORS)
def test_marginal_likelihood_and_bayes_factors_where_the_priors_are_proper(case, name):
    fit, expected = _fit(case, name), case.values[name]
    if expected["marginal_likelihood"] is None:
        assert fit.log_marginal is None
        assert fit.bayes_factor_mu_zero is None
        return
    assert np.exp(fit.log_marginal) == pytest.approx(expected["marginal_likelihood"], rel=1e-9)
    assert fit.bayes_factor_tau_zero == pytest.approx(expected["bayesfactor"]["tau=0"][0], rel=1e-9)
    assert fit.bayes_factor_mu_zero == pytest.approx(expected["bayesfactor"]["mu=0"][0], rel=1e-9)


def test_central_intervals_and_quantiles(case):
    fit, expected = _fit(case), case.values["HN05_central"]
    assert [fit.tau_ci_lower, fit.tau_ci_upper] == pytest.approx(
        [expected["tau"]["95% lower"], expected["tau"]["95% upper"]], rel=1e-9
    )
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx(
        [expected["mu"]["95% lower"], expected["mu"]["95% upper"]], abs=GRID
    )
    for p, mu, t in zip(
        (0.025, 0.25, 0.5, 0.75, 0.975), case.values["mu_quantiles"], case.values["tau_quantiles"], strict=True
    ):
        assert fit.mu_quantile(p) == pytest.approx(mu, abs=GRID)
        assert fit.tau_quantile(p) == pytest.approx(t, rel=1e-9)


def test_densities_and_probabilities(case):
    fit = _fit(case)
    np.testing.assert_allclose(fit.tau_density([0.1, 0.5]), case.values["tau_density_at_01_05"], rtol=1e-9)
    assert fit.mu_density(-1)[0] == pytest.approx(case.values["mu_density_at_m1"], abs=GRID)
    assert fit.probability_below(0) == pytest.approx(case.values["P_mu_below_0"], abs=1e-6)


def test_shrinkage(case):
    studies = _fit(case, interval="shortest").shrinkage()
    for i, expected in enumerate(case.values["shrinkage_theta_HN05"]):
        ours = [studies.mean[i], studies.sd[i], studies.median[i], studies.lower[i], studies.upper[i]]
        theirs = [expected[name] for name in ("mean", "sd", "median", "95% lower", "95% upper")]
        assert ours == pytest.approx(theirs, abs=GRID)


def test_parameters_of_turners_prior(case):
    (tau2_mu, tau2_sigma), (tau_mu, tau_sigma) = case.values["turner_meanlog_sdlog"]
    assert (tau2_mu / 2, tau2_sigma / 2) == (tau_mu, tau_sigma)
    t = np.array([[0.05, 0.3, 1.2]])
    ours = turner(OUTCOME, COMPARISON).log_density(t, np.ones((1, 1)))
    np.testing.assert_allclose(ours, tau.LogNormal(tau_mu, tau_sigma).log_density(t, np.ones((1, 1))), rtol=1e-12)
