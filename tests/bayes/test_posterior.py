"""The posterior against numerical integration of its definition, and what must hold for every posterior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from igfmeta.bayes import tau_priors as tau
from igfmeta.bayes.averaging import average_models
from igfmeta.bayes.mu_priors import FlatMu, NormalMu, TMu
from igfmeta.bayes.posterior import normal_normal, normal_normal_one
from igfmeta.errors import InputError, NothingToPool

Y = np.array([-0.89, -0.21, 0.35, -0.47, 0.10])
V = np.array([0.20, 0.05, 0.11, 0.06, 0.30])


def _composite(edges, n=40):
    """Return nodes and weights of Gauss-Legendre quadrature on each piece between the edges."""
    x, w = np.polynomial.legendre.leggauss(n)
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    return (0.5 * (high - low) * (x + 1) + low).ravel(), (0.5 * (high - low) * w).ravel()


MU_EDGES = [-40, -15, -5, -2, -1, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6, 1, 2, 5, 15, 40]


def _integral(f, high=np.inf):
    """Integrate f(mu, tau) over mu below `high` and tau above 0."""
    mu, wm = _composite([edge for edge in MU_EDGES if edge <= high])
    t, wt = _composite([0, 0.02, 0.1, 0.3, 0.6, 1, 2, 4, 8, 16])
    return wm @ f(mu[:, None], t[None, :]) @ wt


def _joint(prior_mu, prior_tau):
    def density(mu, t):
        logs = sum(stats.norm.logpdf(y, mu, np.sqrt(v + t * t)) for y, v in zip(Y, V, strict=True))
        return np.exp(logs) * prior_mu(mu) * prior_tau(t)

    return density


@pytest.mark.parametrize(
    ("mu_prior", "density"),
    [
        (NormalMu(0.1, 0.7), lambda m: stats.norm.pdf(m, 0.1, 0.7)),
        (TMu(0, 0.5, 3), lambda m: stats.t.pdf(m, 3, 0, 0.5)),
    ],
    ids=["normal", "t"],
)
def test_against_the_definition(mu_prior, density):
    half_normal = lambda t: stats.halfnorm.pdf(t, scale=0.5)  # noqa: E731
    f = _joint(density, half_normal)
    fit = normal_normal_one(Y, V, tau_prior=tau.HalfNormal(0.5), mu_prior=mu_prior)
    total = _integral(f)
    assert fit.log_marginal == pytest.approx(np.log(total), abs=1e-7)
    assert fit.probability_below(-0.2) == pytest.approx(_integral(f, high=-0.2) / total, abs=1e-7)
    mean = _integral(lambda m, t: m * f(m, t)) / total
    assert fit.mu_mean == pytest.approx(mean, abs=1e-7)
    below = _integral(lambda m, t: f(m, t) * stats.norm.cdf((0.0 - m) / t)) / total
    assert fit.predictive_below(0.0) == pytest.approx(below, abs=1e-6)


PRIORS = {
    "half-cauchy(0.5)": lambda t: stats.halfcauchy.pdf(t, scale=0.5),
    "half-t(0.5, 4)": lambda t: 2 * stats.t.pdf(t, 4, scale=0.5),
    "uniform(4)": lambda t: stats.uniform.pdf(t, 0, 4),
    "log-normal(-1.03, 0.755)": lambda t: stats.lognorm.pdf(t, 0.755, scale=np.exp(-1.03)),
    "inverse-gamma(1.73, 0.46)": lambda t: stats.invgamma.pdf(t, 1.73, scale=0.46),
    "log-t(-1.5, 0.8, 5)": lambda t: stats.t.pdf(np.log(t), 5, -1.5, 0.8) / t,
}


@pytest.mark.parametrize("text", PRIORS)
def test_priors_are_the_densities_that_they_are_called(text):
    prior, t = tau.parse_tau_prior(text), np.array([[0.05, 0.3, 1.1, 3.7]])
    np.testing.assert_allclose(np.exp(prior.log_density(t, np.ones((1, 1)))), PRIORS[text](t), rtol=1e-10)
    assert prior.label == text


@pytest.mark.parametrize("text", PRIORS)
def test_the_posterior_of_tau_under_every_prior(text):
    """Marginal over mu by hand: with a flat prior the integral of the likelihood over mu is closed."""

    def marginal(t):
        w = 1 / (V[:, None] + t**2)
        m = (w * Y[:, None]).sum(0) / w.sum(0)
        logs = 0.5 * np.log(w / (2 * np.pi)).sum(0) - 0.5 * (w * (Y[:, None] - m) ** 2).sum(0)
        return np.exp(logs + 0.5 * np.log(2 * np.pi / w.sum(0))) * PRIORS[text](t)

    def mass(upper):
        edges = [-300, -200, -120, -80, -55, -40, *np.arange(-30, np.log(upper), 0.5), np.log(upper)]
        x, w = _composite(edges)
        return w @ (marginal(np.exp(x)) * np.exp(x))

    fit = normal_normal_one(Y, V, tau_prior=tau.parse_tau_prior(text))
    total = mass(4.0 if text == "uniform(4)" else 1e9)
    for p in (0.025, 0.5, 0.975):
        assert mass(fit.tau_quantile(p)) / total == pytest.approx(p, abs=1e-7)
    assert fit.tau_density(0.4)[0] == pytest.approx(marginal(np.array([0.4]))[0] / total, rel=1e-7)


def test_shrinkage_against_the_definition():
    fit = normal_normal_one(Y, V, tau_prior=tau.HalfNormal(0.5))
    t, p = fit.grid.tau[0], fit.grid.weight[0]
    for i, each in enumerate(fit.shrinkage().mean):
        w = 1 / (V[:, None] + t**2)
        m = (w * Y[:, None]).sum(0) / w.sum(0)
        assert each == pytest.approx((p * ((Y[i] / V[i] + m / t**2) / (1 / V[i] + 1 / t**2))).sum(), abs=1e-9)


def test_shortest_intervals_have_equal_densities_and_are_shorter():
    for interval_of in ("ci", "tau_ci"):
        central = normal_normal_one(Y, V)
        shortest = normal_normal_one(Y, V, interval="shortest")
        ends = [[getattr(f, f"{interval_of}_{side}") for side in ("lower", "upper")] for f in (central, shortest)]
        assert ends[1][1] - ends[1][0] < ends[0][1] - ends[0][0]
    low, high = shortest.mu_density([shortest.ci_lower, shortest.ci_upper])
    assert low == pytest.approx(high, rel=1e-6)
    inside = shortest.probability_below(shortest.ci_upper) - shortest.probability_below(shortest.ci_lower)
    assert inside == pytest.approx(0.95, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 1.0, 1e3]), st.floats(-1e5, 1e5))
def test_every_posterior_is_ordered_accurate_and_moves_with_the_data(k, seed, scale, shift):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.5, k) * scale**2
    y = rng.normal(0, np.sqrt(v)) + 0.1 * scale * rng.normal(size=k)
    prior = tau.HalfNormal(0.5 * scale)
    fit, moved = normal_normal_one(y, v, tau_prior=prior), normal_normal_one(y + shift, v, tau_prior=prior)
    assert fit.accuracy <= 1e-9
    assert fit.ci_lower < fit.mu_median < fit.ci_upper
    assert 0 < fit.tau_ci_lower < fit.tau_median < fit.tau_ci_upper
    assert fit.pi_lower < fit.ci_lower
    assert fit.pi_upper > fit.ci_upper
    assert moved.mu_median - shift == pytest.approx(fit.mu_median, abs=1e-7 * scale + 1e-9 * abs(shift))
    assert moved.tau_median == pytest.approx(fit.tau_median, rel=1e-5)
    level = fit.probability_below(fit.ci_upper) - fit.probability_below(fit.ci_lower)
    assert level == pytest.approx(0.95, abs=1e-8)


def test_a_batch_equals_a_loop(rng):
    v = rng.uniform(0.01, 0.5, (300, 6))
    y = rng.normal(0, np.sqrt(v + 0.05))
    mask = rng.random((300, 6)) < 0.7
    mask[:, 0] = True
    batch = normal_normal(y, v, mask=mask)
    for i in (0, 7, 255, 256, 299):
        alone = normal_normal_one(y[i][mask[i]], v[i][mask[i]])
        assert batch.mu_median[i] == pytest.approx(alone.mu_median, abs=1e-9)
        assert batch.one(i).probability_below(0.1) == pytest.approx(alone.probability_below(0.1), abs=1e-9)
        assert batch.one(i).tau_ci_upper == pytest.approx(alone.tau_ci_upper, rel=1e-8)


def test_many_studies_with_small_variances_get_more_nodes():
    rng = np.random.default_rng(3)
    v = np.full(500, 1e-4)
    fit = normal_normal_one(rng.normal(0.2, np.sqrt(v + 0.09)), v)
    assert fit.accuracy < 1e-10
    assert fit.tau_median == pytest.approx(0.3, abs=0.05)
    assert fit.grid.u.shape[1] >= 128


def test_one_study_leaves_tau_to_its_prior():
    fit = normal_normal_one([0.3], [0.04], tau_prior=tau.HalfNormal(0.5))
    assert fit.tau_median == pytest.approx(stats.halfnorm.median(scale=0.5), rel=1e-9)
    assert "the posterior of tau is its prior" in fit.remarks[0]


def test_improper_priors_need_studies():
    with pytest.raises(InputError, match="uniform of tau needs 3 studies"):
        normal_normal_one([0.1, 0.2], [0.1, 0.1], tau_prior=tau.Uniform())
    assert normal_normal_one([0.1, 0.2], [0.1, 0.1], tau_prior=tau.Uniform(), mu_prior=NormalMu(0, 1)).k == 2
    with pytest.raises(InputError, match="jeffreys of tau needs 2 studies"):
        normal_normal_one([0.1], [0.1], tau_prior=tau.Jeffreys())


def test_moments_that_do_not_exist_are_none():
    fit = normal_normal_one([0.1, 0.2, 0.4], [0.1, 0.1, 0.1], tau_prior=tau.Uniform(), mu_prior=FlatMu())
    assert (fit.mu_mean, fit.mu_sd, fit.tau_mean, fit.tau_sd) == (None, None, None, None)
    assert fit.log_marginal is None


def _log_trapezoid(v, prior, low, high, n=400_001):
    """One study at 0, flat prior of mu: nodes, weights and sd of mu, by the trapezoidal rule in log tau."""
    x = np.linspace(low, high, n)
    p = np.exp(prior.log_density(np.exp(x)[None, :], np.array([[v]]))[0] + x)
    return p / p.sum(), np.sqrt(v + np.exp(2 * x))


@pytest.mark.parametrize("text", ["log-t(-1.5, 0.8, 5)", "inverse-gamma(1.73, 0.46)", "half-cauchy(0.5)"])
@pytest.mark.parametrize("v", [1e-8, 0.04, 1e4])
def test_quantiles_under_tails_that_reach_beyond_any_number(text, v):
    prior = tau.parse_tau_prior(text)
    fit = normal_normal_one([0.0], [v], tau_prior=prior)
    p, sd = _log_trapezoid(v, prior, -60 if text[0] != "l" else -300, 60 if text[0] != "l" else 300)
    for level, end in ((0.975, fit.ci_upper), (0.025, fit.ci_lower), (0.5, fit.mu_median)):
        assert (p * stats.norm.cdf(end / sd)).sum() == pytest.approx(level, abs=1e-8)


def test_a_normal_prior_of_mu_holds_where_tau_is_huge():
    """With tau unbounded one study says nothing of mu, whose posterior is then nearly its prior."""
    fit = normal_normal_one([0.3], [1e8], tau_prior=tau.LogT(-1.5, 0.8, 5), mu_prior=NormalMu(0, 2))
    assert fit.ci_upper == pytest.approx(stats.norm.ppf(0.975, 0, 2), rel=1e-6)
    assert "comes from the priors" in fit.remarks[0]


def test_a_prior_far_wider_than_the_data_suggest():
    fit = normal_normal_one([0.3], [1e-8], tau_prior=tau.HalfNormal(100))
    for p in (0.025, 0.5, 0.975):
        assert fit.tau_quantile(p) == pytest.approx(stats.halfnorm.ppf(p, scale=100), rel=1e-8)


def test_what_does_not_converge_says_so():
    fit = normal_normal_one(1e6 + Y, V, tau_prior=tau.Uniform(0.05), mu_prior=NormalMu(0, 1))
    assert fit.accuracy > 1e-6
    assert "did not converge" in fit.remarks[-1]


def test_a_hard_data_set_does_not_change_its_neighbours():
    y, v = np.tile(Y, (4, 1)), np.tile(V, (4, 1))
    y[2], v[2] = 10 * Y, 1e4
    prior = tau.InverseGamma(1.73, 0.46)
    batch, alone = normal_normal(y, v, tau_prior=prior), normal_normal_one(Y, V, tau_prior=prior)
    assert batch.one(2).grid.u.shape[1] > batch.one(1).grid.u.shape[1]
    for i in (0, 1, 3):
        # The rest is rounding: sums over a batch may be taken in another order.
        assert batch.mu_median[i] == pytest.approx(alone.mu_median, rel=1e-12)
        assert batch.one(i).shrinkage().mean == pytest.approx(alone.shrinkage().mean, rel=1e-12)


@pytest.mark.parametrize("text", [*PRIORS, "uniform", "jeffreys"])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_no_interval_is_shorter_than_the_shortest(text, level):
    fit = normal_normal_one(Y, V, tau_prior=tau.parse_tau_prior(text), level=level, interval="shortest")
    tails = np.linspace(1e-6, 1 - level - 1e-6, 25)
    for quantile, low, high in (
        (fit.tau_quantile, fit.tau_ci_lower, fit.tau_ci_upper),
        (fit.mu_quantile, fit.ci_lower, fit.ci_upper),
        (fit.predictive_quantile, fit.pi_lower, fit.pi_upper),
    ):
        widths = [quantile(tail + level) - quantile(tail) for tail in tails]
        assert high - low <= min(widths) * (1 + 1e-9)
        assert high - low >= min(widths) * 0.98
    assert fit.probability_below(fit.ci_upper) - fit.probability_below(fit.ci_lower) == pytest.approx(level, abs=1e-9)


def test_shortest_intervals_of_a_batch_equal_those_of_a_loop(rng):
    v = rng.uniform(0.01, 0.5, (60, 5))
    y = rng.normal(0, np.sqrt(v + rng.choice([0.0, 0.4], (60, 1))))
    batch = normal_normal(y, v, interval="shortest")
    # Some begin at 0, others do not.
    assert 0 < (batch.tau_ci_lower > 0).sum() < 60
    for i in range(0, 60, 7):
        alone = normal_normal_one(y[i], v[i], interval="shortest")
        for name in ("ci_lower", "ci_upper", "tau_ci_upper", "pi_lower", "pi_upper"):
            assert getattr(batch, name)[i] == pytest.approx(getattr(alone, name), abs=1e-8)


def test_a_text_is_a_prior_too():
    assert normal_normal_one(Y, V, tau_prior="half-t(0.5, 4)").tau_prior == "half-t(0.5, 4)"
    with pytest.raises(InputError, match="accepted"):
        normal_normal_one(Y, V, tau_prior="half-t")


def test_nothing_to_pool():
    with pytest.raises(NothingToPool):
        normal_normal_one([], [])
    with pytest.raises(NothingToPool):
        normal_normal([[0.1]], [[0.1]], mask=[[False]])


@pytest.mark.parametrize(
    "text", ["half-normal", "half-normal(0)", "half-normal(-1)", "normal(0.5)", "half-t(0.5)", "", "uniform(1,2)",
             "half-normal(a)", "half-normal(inf)", "log-normal(0, 0)"]
)  # fmt: skip
def test_texts_that_name_no_prior_are_refused(text):
    with pytest.raises(InputError, match="accepted"):
        tau.parse_tau_prior(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turner(nothing; pharmacological vs. placebo / control)", "fits none"),
        ("turner(mortality; pharmacological vs. placebo / control)", "fits several"),
        ("turner(all-cause mortality)", "had 1 parts"),
        ("cochrane(Cochrane; logXX)", "fits none"),
    ],
)
def test_published_priors_that_do_not_exist_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        tau.parse_tau_prior(text)


def test_published_priors_hold_the_published_parameters():
    t, v = np.array([[0.1, 0.5]]), np.ones((1, 1))
    # Turner 2015: log tau2 ~ N(-3.95, 1.34^2) for all-cause mortality; Bartos 2023: tau ~ IG(2.42, 0.30) for log HR.
    cochrane = tau.parse_tau_prior("cochrane(Cochrane; logHR)")
    np.testing.assert_allclose(cochrane.log_density(t, v), tau.InverseGamma(2.42, 0.3).log_density(t, v))
    turner = tau.parse_tau_prior("turner(all-cause mortality; pharmacological vs. placebo)")
    assert turner.scale == pytest.approx(np.exp(-3.95 / 2))


@pytest.mark.parametrize(
    "text",
    [
        "turner(all-cause mortality; pharmacological vs. placebo)",
        "rhodes(mental health; pharmacological vs. placebo; other)",
        "cochrane(Pain, Palliative; logOR)",
        "cochrane(Cochrane; RD)",
    ],
)
def test_labels_of_published_priors_hold_their_numbers_and_can_be_read(text):
    prior = tau.parse_tau_prior(text)
    plain = tau.parse_tau_prior(prior.label.partition("): ")[2])
    t, v = np.array([[0.05, 0.3, 1.2]]), np.ones((1, 1))
    np.testing.assert_allclose(prior.log_density(t, v), plain.log_density(t, v), rtol=1e-5)
    assert tau.parse_tau_prior(prior.label).label == prior.label


def test_averaging_refuses_improper_priors():
    with pytest.raises(InputError, match="proper priors"):
        average_models([0.1, 0.2], [0.1, 0.1], mu_prior=FlatMu())
