"""Averages over models with publication bias: likelihoods, closed forms, brute force, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from igfmeta.bayes.averaged import Spiked
from igfmeta.bayes.averaging import average_models
from igfmeta.bayes.biased import Data
from igfmeta.bayes.mu_priors import MuPrior, NormalMu, TMu
from igfmeta.bayes.panels import Piecewise, Positive, Real, integrate_on, lay_panels
from igfmeta.bayes.publication_bias import NoBias, Regression, Steps, original, psma
from igfmeta.bayes.regression_members import regression_member
from igfmeta.bayes.step_members import StepLikelihood, step_member
from igfmeta.bayes.tau_priors import HalfNormal, InverseGamma, Uniform
from igfmeta.errors import InputError

Y = np.array([0.62, 0.05, 0.4, 0.31, -0.1])
V = np.array([0.04, 0.02, 0.03, 0.09, 0.05])
DATA = Data(Y, V, 1.0)
AT_ZERO = MuPrior("point(0)", 0.0, np.zeros(1), np.zeros(1))
MU, TAU = NormalMu(0, 1), HalfNormal(0.5)


def _likelihood(mu, tau, omega, bias, sign=1.0):
    """The density of published results, written out study by study."""
    out = 1.0
    for y, v in zip(Y, V, strict=True):
        z, sd = sign * y / np.sqrt(v), np.sqrt(v + tau**2)
        cuts = [np.inf, *bias.critical, -np.inf] if bias.sides == 1 else [np.inf, *bias.critical, 0.0]
        chance = 0.0
        for j, w in enumerate(omega):
            low, high = cuts[j + 1] * np.sqrt(v), cuts[j] * np.sqrt(v)
            part = stats.norm.cdf(high, sign * mu, sd) - stats.norm.cdf(low, sign * mu, sd)
            if bias.sides == 2:
                part += stats.norm.cdf(-low, sign * mu, sd) - stats.norm.cdf(-high, sign * mu, sd)
            chance += w * part
        size = abs(z) if bias.sides == 2 else z
        j = next(i for i in range(len(omega)) if size >= cuts[i + 1])
        out *= omega[j] * stats.norm.pdf(y, mu, sd) / chance
    return out


@pytest.mark.parametrize("bias", [Steps((0.025, 0.5)), Steps((0.05, 0.1), 2)], ids=lambda b: b.label)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_likelihood_of_published_results_is_the_one_written_out(bias, sign):
    omega = np.array([[1.0, 0.6, 0.2], [1.0, 1.0, 1.0]])
    found = StepLikelihood(Data(Y, V, sign), bias).log_likelihood(np.array([0.3]), np.array([0.15]), omega)[0]
    written = [np.log(_likelihood(0.3, 0.15, w, bias, sign)) for w in omega]
    np.testing.assert_allclose(found, written, rtol=1e-11)


def test_without_an_effect_the_weights_integrate_to_a_closed_form():
    # Given mu = tau = 0 every study is significant with probability c: the integral over omega, uniform on (0, 1), of
    # omega / (c + (1 - c) omega)^2 is (c - 1 - log c) / (1 - c)^2.
    c, y, v = 0.05, np.array([0.9, 0.1]), np.array([0.04, 0.04])
    fit = step_member(Data(y, v, 1.0), Steps((c,)), AT_ZERO, None)
    closed = stats.norm.logpdf(y, 0, 0.2).sum() + np.log((c - 1 - np.log(c)) / (1 - c) ** 2)
    assert fit.log_marginal == pytest.approx(closed, rel=1e-10)


def test_a_weight_function_agrees_with_brute_force():
    bias = Steps((0.05,))

    # A product rule with many nodes in each variable.
    x, w = special.roots_legendre(70)
    mu, tau, omega = 5 * x**3, 2 * (x + 1), (0.5 * (x + 1)) ** 2
    of_mu = 15 * x**2 * w
    m, t = (a.ravel() for a in np.meshgrid(mu, tau, indexing="ij"))
    weights = np.einsum("i,j,k->ijk", of_mu, 2 * w, w * 0.5 * (x + 1)).reshape(-1, 70)
    logs = StepLikelihood(DATA, bias).log_likelihood(m, t, np.stack([np.ones(70), omega], axis=1))
    joint = np.exp(logs) * weights * (stats.norm.pdf(m) * 2 * stats.norm.pdf(t, 0, 0.5))[:, None]
    fit = step_member(DATA, bias, MU, TAU)
    assert fit.log_marginal == pytest.approx(np.log(joint.sum()), abs=1e-6)
    assert fit.mu.moments()[0] == pytest.approx(joint.sum(axis=1) @ m / joint.sum(), abs=1e-6)
    assert fit.tau.moments()[0] == pytest.approx(joint.sum(axis=1) @ t / joint.sum(), abs=1e-6)
    assert fit.omega_weights @ fit.omega[:, 1] == pytest.approx(joint.sum(axis=0) @ omega / joint.sum(), abs=1e-6)
    assert fit.accuracy < 1e-5
    # And without tau.
    logs = StepLikelihood(DATA, bias).log_likelihood(mu, np.zeros(70), np.stack([np.ones(70), omega], axis=1))
    value = (of_mu * stats.norm.pdf(mu)) @ np.exp(logs) @ (w * 0.5 * (x + 1))
    assert step_member(DATA, bias, MU, None).log_marginal == pytest.approx(np.log(value), abs=1e-7)


@pytest.mark.parametrize("kind", ["PET", "PEESE"])
def test_pet_and_peese_agree_with_brute_force(kind):
    bias, x = Regression(kind, 1.5), np.sqrt(V) if kind == "PET" else V
    node, weight = special.roots_legendre(120)
    tau, beta = 1.75 * (node + 1), 1.5 * (1 + node) / (1 - node)
    prior_tau = 1.75 * weight * 2 * stats.norm.pdf(tau, 0, 0.5)
    prior_beta = 2 * stats.cauchy.pdf(beta, 0, 1.5) * weight * 3 / (1 - node) ** 2

    def likelihood(t):  # at every beta, with mu ~ N(0, 1) integrated out
        return stats.multivariate_normal.pdf(Y - beta[:, None] * x, np.zeros(5), np.diag(V + t**2) + 1.0)

    joint = np.array([p * likelihood(t) for t, p in zip(tau, prior_tau, strict=True)]) * prior_beta
    fit = regression_member(DATA, bias, MU, TAU)
    assert fit.log_marginal == pytest.approx(np.log(joint.sum()), abs=1e-8)
    assert fit.slope.moments()[0] == pytest.approx(joint.sum(axis=0) @ beta / joint.sum(), rel=1e-7)
    assert fit.tau.moments()[0] == pytest.approx(joint.sum(axis=1) @ tau / joint.sum(), rel=1e-7)
    alone = likelihood(0.0) @ prior_beta
    assert regression_member(DATA, bias, MU, None).log_marginal == pytest.approx(np.log(alone), abs=1e-9)


def test_a_slope_that_is_held_near_0_leaves_the_model_without_bias():
    plain = average_models(Y, V)
    found = average_models(Y, V, bias=((Regression("PET", 1e-9), 1.0),))
    ours = [m.fit.log_marginal for m in found.members]
    np.testing.assert_allclose(ours, list(plain.log_marginal.values()), atol=1e-6)


def test_the_members_are_those_of_the_papers():
    found = average_models(Y, V, bias=psma())
    assert len(found.members) == 36
    assert sum(m.prior for m in found.members) == pytest.approx(1)
    assert sum(m.probability for m in found.members) == pytest.approx(1)
    assert found.inclusion("bias").prior == pytest.approx(0.5)
    assert found.inclusion("selection").prior == found.inclusion("regression").prior == pytest.approx(0.25)
    assert found.accuracy < 1e-3
    assert len(average_models(Y, V, bias=original()).members) == 12


def test_the_other_direction_mirrors_the_result():
    bias = (*[(b, s) for b, s in original()[:2]], (Steps((0.05,)), 0.125), (Regression("PET"), 0.125))
    up = average_models(Y, V, bias=bias)
    down = average_models(-Y, V, bias=bias, favours="lower")
    np.testing.assert_allclose(list(up.log_marginal.values()), list(down.log_marginal.values()), atol=1e-7)
    a, b = up.mu.summary(0.9), down.mu.summary(0.9)
    assert (a.mean, a.lower, a.upper) == pytest.approx((-b.mean, -b.upper, -b.lower), abs=1e-6)


def test_selection_takes_back_effects_that_are_significant_just_so():
    y, v = np.array([0.42, 0.45, 0.5, 0.41, 0.62, 0.43]), np.array([0.04, 0.042, 0.05, 0.041, 0.08, 0.039])
    plain = average_models(y, v)
    found = average_models(y, v, bias=psma())
    assert found.inclusion("bias").bf > 3
    assert found.mu.mean < 0.6 * plain.mu.mean
    weights = [w.mean for w in found.weights()]
    assert weights[0] == pytest.approx(1)
    assert weights[0] > weights[1] > weights[2] > weights[3]


def test_inclusion_is_the_change_of_odds():
    found = average_models(Y, V, bias=((NoBias(), 0.8), (Regression("PEESE", 5.0), 0.2)), p_effect=0.3)
    effect = found.inclusion("effect")
    odds = effect.probability / (1 - effect.probability) / (0.3 / 0.7)
    assert effect.bf == pytest.approx(odds, rel=1e-12)
    assert effect.prior == pytest.approx(0.3)
    assert average_models(Y, V).inclusion("bias").bf is None
    certain = average_models(Y, V, p_heterogeneity=0.0)
    assert [m.name for m in certain.members] == ["H0c", "H1c"]
    assert certain.tau.summary(0.95).upper == 0


def test_the_average_has_a_spike_at_no_effect():
    found = average_models(Y, V, bias=((NoBias(), 0.5), (Steps((0.05,)), 0.5)))
    mu, spike = found.mu, 1 - found.inclusion("effect").probability
    assert mu.spike == pytest.approx(spike)
    assert mu.cdf([0.0])[0] - mu.cdf([-1e-12])[0] == pytest.approx(spike, abs=1e-9)
    p = (mu.cdf([-1e-12])[0] + 0.5 * spike, 0.01, 0.99)
    quantiles = mu.quantile(p)
    assert quantiles[0] == 0
    np.testing.assert_allclose(mu.cdf(quantiles[1:]), p[1:], atol=1e-10)
    grid = np.linspace(-2, 2, 8001)
    assert integrate.trapezoid(mu.density(grid), grid) == pytest.approx(1 - spike, abs=1e-6)


def test_panels_integrate_what_is_narrow_and_what_is_wide():
    axes = [Real(0.0, 1.0), Positive(1.0)]

    def integrand(x, s):
        # s is half-normal; given s, x is normal with sd 0.1 + s: a neck.
        sd = 0.1 + s
        return -0.5 * ((x[:, None] - 3) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)) + stats.halfnorm.logpdf(s)

    rough = integrate_on(lay_panels(axes, integrand), integrand)
    assert abs(rough.log_value) < 5 * rough.accuracy  # too few nodes for a neck, and it says so
    found = integrate_on(lay_panels(axes, integrand, nodes=16), integrand)
    assert found.log_value == pytest.approx(0, abs=1e-8)
    of_s = found.marginal(1)
    np.testing.assert_allclose(of_s.cdf(np.array([0.1, 1.0, 20.0])), stats.halfnorm.cdf([0.1, 1, 20]), atol=1e-8)


def test_a_piecewise_distribution_keeps_its_probabilities():
    panels = lay_panels([Real(0.0, 1.0)], lambda x: stats.norm.logpdf(x, 1.0, 0.3))
    found = integrate_on(panels, lambda x: stats.norm.logpdf(x, 1.0, 0.3)).marginal(0)
    assert isinstance(found, Piecewise)
    x = np.array([-5.0, 0.2, 0.9, 1.7, 9.0])
    np.testing.assert_allclose(found.cdf(x), stats.norm.cdf(x, 1.0, 0.3), atol=1e-9)
    np.testing.assert_allclose(found.density(x), stats.norm.pdf(x, 1.0, 0.3), atol=1e-7)
    assert found.moments() == pytest.approx((1.0, 0.3), abs=1e-8)
    median = Spiked(0.0, [(1.0, found)]).quantile([0.5])[0]
    assert median == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("tau_prior", [InverseGamma(1, 0.15), Uniform(2.0)], ids=lambda p: p.label)
def test_other_priors_enter_every_member(tau_prior):
    found = average_models(
        Y, V, mu_prior=TMu(0, 0.4, 5), tau_prior=tau_prior, bias=((Steps((0.05,)), 0.5), (Regression("PET"), 0.5))
    )
    tau, w = special.roots_legendre(400)
    tau = tau + 1
    mu = np.linspace(-3, 3, 1201)
    omega = np.ones((1, 2))
    m, t = (a.ravel() for a in np.meshgrid(mu, tau, indexing="ij"))
    # With both weights 1 the likelihood is the normal one, whose evidence the exact members know.
    normal = StepLikelihood(DATA, Steps((0.05,))).log_likelihood(m, t, omega)[:, 0].reshape(len(mu), len(tau))
    prior = stats.t.pdf(mu, 5, 0, 0.4)[:, None] * np.exp(tau_prior.log_density(tau, V))
    exact = average_models(Y, V, mu_prior=TMu(0, 0.4, 5), tau_prior=tau_prior).log_marginal["H1r"]
    if np.isfinite(tau_prior.upper):
        brute = integrate.trapezoid(np.exp(normal) * prior, mu, axis=0) @ w
        assert exact == pytest.approx(np.log(brute), abs=1e-5)
    assert all(m.fit.accuracy < 1e-3 for m in found.members)
    assert found.tau.summary(0.95).upper < tau_prior.upper


def test_evidence_beyond_all_doubt_stays_a_number():
    y, v = np.array([0.5, -0.4, 0.2]), np.array([1e-6, 2e-6, 1e-6])
    found = average_models(y, v)
    assert found.inclusion("heterogeneity").bf > 1e300
    assert np.isfinite(found.bayes_factor("H1r", "H0c"))
    assert found.inclusion("heterogeneity").probability == 1


@pytest.mark.parametrize("k", [25, 60])
def test_more_studies_are_integrated_as_well(k):
    rng = np.random.default_rng(k)
    v = rng.uniform(0.01, 0.3, k)
    data = Data(0.2 + rng.normal(size=k) * np.sqrt(v + 0.02), v, 1.0)
    for mu_prior in (AT_ZERO, MU):
        assert step_member(data, Steps((0.025, 0.05)), mu_prior, TAU).accuracy < 1e-3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bias": ((NoBias(), 0.5),)}, "add up to 1"),
        ({"bias": ((NoBias(), 0.5), (NoBias(), 0.5))}, "twice"),
        ({"favours": "up"}, "higher or lower"),
        ({"p_effect": 1.5}, "probability"),
    ],
)
def test_what_cannot_be_averaged_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        average_models(Y, V, **options)


@pytest.mark.parametrize("cuts", [(), (0.05, 0.05), (0.1, 0.05), (1.2,), (0.01, 0.02, 0.03, 0.04)])
def test_cut_points_that_are_none_are_refused(cuts):
    with pytest.raises(InputError, match="cut-points"):
        Steps(cuts)


def test_weights_from_the_prior_fall_and_begin_at_1(rng):
    bias = Steps((0.025, 0.05, 0.5), alpha=(2.0, 1.0, 1.0, 3.0))
    drawn = bias.draw(rng, 4000)
    omega, share = bias.nodes(8)
    assert np.all(drawn[:, 0] == pytest.approx(1))
    assert (np.diff(drawn, axis=1) <= 0).all()
    np.testing.assert_allclose(share @ omega, drawn.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(share @ omega, np.cumsum(np.array([3.0, 1, 1, 2]) / 7)[::-1], rtol=1e-10)
