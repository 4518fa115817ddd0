"""Binomial counts without compilation: against integrals on grids, against conditioning by hand, at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
from igfmeta.bayes.laplace import WIDENING, binomial_posterior, one_arm_logits
from igfmeta.bayes.mu_priors import FlatMu, NormalMu, TMu
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal
from igfmeta.bayes.two_arm_counts import TwoArmCounts, two_arm_logits, two_arm_posterior
from igfmeta.errors import InputError

EVENTS, N = np.array([0, 0, 1, 0, 3, 5, 0, 2]), np.array([24, 10, 36, 17, 31, 37, 85, 20])
MU = NormalMu(0, 2.5)
ONE = lambda p: np.array([p])  # noqa: E731


def _one_factor(k, prior):
    return class_by_tumor([0] * k, [0] * k, [0] * k, n_classes=1, n_tumors=1, priors={"study": prior})


def _crossed(k=8, **priors):
    rng = np.random.default_rng(7)
    return class_by_tumor(
        *(rng.permutation(np.arange(k) % m).tolist() for m in (2, 3, 4)),
        n_classes=2,
        n_tumors=3,
        priors={**default_priors(rates=True), **priors},
    )


def _binomial(events, n, logits):
    """Return the likelihood, up to the binomial coefficient."""
    return np.exp(events * logits - n * np.logaddexp(0, logits))


def _middles(low, high, n):
    """Return the middles of n intervals: sums over them are integrals by the midpoint rule."""
    return low + (high - low) * (np.arange(n) + 0.5) / n


def _grid(events, n, prior, mus, taus):
    """Return the posterior weights of mu and tau on a grid; each study's effect is integrated on 65 points."""
    z = np.linspace(-8, 8, 65)
    logits = mus[:, None, None] + taus[None, :, None] * z
    total = stats.norm.logpdf(mus, 0, 2.5)[:, None] + prior.log_density(taus, np.ones((1, 1)))[None]
    for y, size in zip(events, n, strict=True):
        total = total + np.log(_binomial(y, size, logits) @ stats.norm.pdf(z))
    posterior = np.exp(total - total.max())
    return posterior / posterior.sum()


@pytest.mark.parametrize(
    ("events", "n", "share"),
    [
        (EVENTS, N, None),
        (np.zeros(4, int), np.array([12, 24, 8, 30]), None),
        (np.array([4, 9]), np.array([20, 31]), None),
        (EVENTS, N, np.array([1, 0.5, 0.2, 1, 0.3, 0.7, 1, 0.9])),
    ],
    ids=["half zeros", "nothing but zeros", "two studies", "likelihoods to a power"],
)
def test_one_factor_is_the_integral_on_a_grid(events, n, share):
    prior = HalfNormal(1.0)
    mus, taus = _middles(-11, 4, 300), _middles(0, 4.5, 90)
    power = np.ones(len(n)) if share is None else share
    exact = _grid(power * events, power * n, prior, mus, taus)
    factors = _one_factor(len(n), prior)
    ours = binomial_posterior(
        events, n, factors, Kernels.of(factors, 1), mu_prior=MU, share=share, rng=np.random.default_rng(1), draws=20_000
    )
    assert ours.reliable
    of_mu, of_tau = exact.sum(axis=1), exact.sum(axis=0)
    sd = np.sqrt(of_mu @ mus**2 - (of_mu @ mus) ** 2)
    cumulated = np.cumsum(of_mu) - 0.5 * of_mu
    for p in (0.03, 0.25, 0.5, 0.75, 0.97):
        assert ours.cells().cdf(ONE(np.interp(p, cumulated, mus)))[0] == pytest.approx(p, abs=0.01)
    assert ours.weights @ ours.mean[:, 0] == pytest.approx(of_mu @ mus, abs=0.025 * sd)
    assert ours.weights @ ours.sds[:, 0] == pytest.approx(of_tau @ taus, abs=0.015)
    new = (exact[:, :, None] * stats.norm.cdf(-3.0, mus[:, None], taus[None])[:, :, None]).sum()
    assert ours.new_studies().cdf(ONE(-3.0))[0] == pytest.approx(new, abs=0.012)


def test_given_standard_deviations_the_average_weight_is_the_exact_likelihood():
    """Two studies: a double integral. Laplace alone is off by more than the tolerance, so the weights do their work."""
    events, n, tau = np.array([0, 1]), np.array([12, 30]), 1.5
    factors = _one_factor(2, HalfNormal(1.0))
    model = one_arm_logits(events, n, Kernels.of(factors, 1), MU)
    x = np.linspace(-25, 12, 1200)
    prior = stats.multivariate_normal([0, 0], 2.5**2 + tau**2 * np.eye(2))
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    rows, columns = (y * x - size * np.logaddexp(0, x) for y, size in zip(events, n, strict=True))
    exact = np.log((prior.pdf(points) * np.exp(rows[:, None] + columns)).sum() * (x[1] - x[0]) ** 2)
    sds = np.full((20_000, 1), tau)
    laplace = model.log_likelihood(sds[:1])[0]
    _, log_weights = model.draw(sds, np.random.default_rng(3))
    assert abs(laplace - exact) > 0.03
    assert laplace + np.log(np.exp(log_weights).mean()) == pytest.approx(exact, abs=0.005)


def test_cells_given_logits_are_those_of_the_joint_gaussian(rng):
    factors = _crossed()
    weights = np.concatenate([np.eye(6), np.full((1, 6), 1 / 6), [[1, 1, 1, -1, -1, -1]]])
    kernels = Kernels.of(factors, 6).combined(weights)
    model = one_arm_logits(EVENTS, N, kernels, NormalMu(-1, 2))
    sds, logits = rng.uniform(0.3, 1.0, (2, 5)), rng.normal(-2, 1, (2, 2, 8))
    mean, variance = model.cells_given(sds, logits)
    for i, v in enumerate(sds**2):
        c = np.tensordot(v, kernels.studies, axes=1) + 4
        a = np.tensordot(v, kernels.cross, axes=1) + 4 * kernels.ones[:, None]
        p = np.tensordot(v, kernels.cells, axes=1) + 4 * np.outer(kernels.ones, kernels.ones)
        gain = a @ np.linalg.inv(c)
        np.testing.assert_allclose(mean[i], -kernels.ones + (logits[i] + 1) @ gain.T, atol=1e-4)
        np.testing.assert_allclose(variance[i], np.diag(p - gain @ a.T), atol=1e-4)


def test_many_patients_give_the_normal_model(rng):
    """With hundreds of events the likelihood of a logit is normal: the posterior mean given sds is that of kriging."""
    factors = _crossed()
    n = np.full(8, 4e6)
    events = np.rint(n * special.expit(rng.normal(-1, 0.4, 8)))
    kernels = Kernels.of(factors, 6)
    model = one_arm_logits(events, n, kernels, MU)
    sds = np.full((50, 5), 0.4)
    logits, log_weights = model.draw(sds, rng)
    mean, _ = model.cells_given(sds, logits)
    y, v = np.log(events / (n - events)), 1 / events + 1 / (n - events)
    c = np.tensordot(sds[0] ** 2, kernels.studies, axes=1) + 2.5**2 + np.diag(v)
    a = np.tensordot(sds[0] ** 2, kernels.cross, axes=1) + 2.5**2
    np.testing.assert_allclose(mean.mean(axis=(0, 1)), a @ np.linalg.solve(c, y), atol=2e-3)
    # What is left to the weights is the precision that the proposal gave up.
    given_up = WIDENING / np.sqrt(8) * ((logits - y) ** 2 / v).sum(axis=-1)
    np.testing.assert_allclose(
        log_weights + 0.5 * given_up, np.full((50, 2), 0.5 * 8 * -np.log1p(-WIDENING / 8**0.5)), atol=0.02
    )


def _two_with_one_control(counts, mus, taus):
    """Return the likelihood of contrasts with one control arm: its baseline, and each study's effect, on grids."""
    b, z = _middles(-9, 6, 150), np.linspace(-7, 7, 43)
    x = mus[:, None, None] + taus[:, None] * z
    out = np.zeros((len(mus), len(taus)))
    for baseline in b:
        one = stats.norm.pdf(baseline, 0, 2.5) * _binomial(*counts[0][2:], baseline)
        for y, n, *_ in counts:
            one = one * (_binomial(y, n, baseline + x) @ stats.norm.pdf(z))
        out += one
    return out


def test_a_shared_control_arm_enters_once():
    counts = [(1, 20, 4, 21), (3, 22, 4, 21)]
    prior = HalfNormal(0.5)
    mus, taus = _middles(-6, 4, 80), _middles(0, 2.2, 30)
    exact = _two_with_one_control(counts, mus, taus) * stats.norm.pdf(mus, 0, 2.5)[:, None]
    exact *= np.exp(prior.log_density(taus, np.ones((1, 1))))
    exact /= exact.sum()
    factors = _one_factor(2, prior)
    columns = np.array(counts, dtype=float).T
    ours = two_arm_posterior(
        *columns, factors, Kernels.of(factors, 1), control=[5, 5], rng=np.random.default_rng(2), draws=12_000
    )
    of_mu = exact.sum(axis=1)
    assert ours.weights @ ours.mean[:, 0] == pytest.approx(of_mu @ mus, abs=0.02)
    assert ours.weights @ ours.sds[:, 0] == pytest.approx(exact.sum(axis=0) @ taus, abs=0.015)
    assert ours.cells().moments()[1][0] == pytest.approx(np.sqrt(of_mu @ mus**2 - (of_mu @ mus) ** 2), rel=0.03)
    apart = two_arm_posterior(
        *columns, factors, Kernels.of(factors, 1), control=[0, 1], rng=np.random.default_rng(2), draws=4000
    )
    assert apart.cells().moments()[1][0] < 0.95 * ours.cells().moments()[1][0]


def test_the_latent_model_of_two_arms_is_that_of_its_parts():
    """Logits written as baseline + effect, covariance by hand."""
    factors = _crossed()
    control = np.array([0, 0, 1, 2, 3, 3, 4, 5])
    counts = TwoArmCounts.of(EVENTS, N, np.full(8, 2), np.full(8, 20), control)
    kernels = Kernels.of(factors, 6)
    model = two_arm_logits(counts, kernels, NormalMu(0.5, 1), NormalMu(-2, 3))
    np.testing.assert_array_equal(model.mean, [*[-2] * 6, *[-1.5] * 8])
    joint = np.zeros((14, 14))  # 6 baselines, 8 effects
    joint[:6, :6], joint[6:, 6:] = 9 * np.eye(6), 1 + 0.25 * kernels.studies.sum(axis=0)
    to_logits = np.eye(14)
    to_logits[np.arange(6, 14), control] = 1
    whole = model.fixed + 0.25 * model.kernels.studies.sum(axis=0)
    np.testing.assert_allclose(whole, to_logits @ joint @ to_logits.T, atol=1e-12)
    cross = model.cell_cross + 0.25 * model.kernels.cross.sum(axis=0)
    np.testing.assert_allclose(cross[:, :6], 0)
    np.testing.assert_allclose(cross[:, 6:], 1 + 0.25 * kernels.cross.sum(axis=0))


def test_simulated_truth_is_covered():
    """Cells of simulated arms, a third of them without events, lie inside 90 % intervals about 9 times in 10."""
    rng = np.random.default_rng(20261125)
    k = 18
    classes, tumors, agents = (np.arange(k) % 2).tolist(), (np.arange(k) // 2 % 3).tolist(), (np.arange(k) % 4).tolist()
    priors = {name: HalfNormal(0.6) for name in default_priors()}
    factors = class_by_tumor(classes, tumors, agents, n_classes=2, n_tumors=3, priors=priors)
    kernels, prior = Kernels.of(factors, 6), NormalMu(-2.5, 0.7)
    inside, zeros = [], []
    for _ in range(30):
        sds = abs(rng.normal(0, 0.6, len(factors)))
        joint = np.block(
            [
                [np.tensordot(sds**2, kernels.studies, axes=1), np.tensordot(sds**2, kernels.cross, axes=1).T],
                [np.tensordot(sds**2, kernels.cross, axes=1), np.tensordot(sds**2, kernels.cells, axes=1)],
            ]
        )
        drawn = rng.multivariate_normal(np.zeros(k + 6), joint, method="eigh") + rng.normal(-2.5, 0.7)
        n = rng.integers(8, 40, k)
        events = rng.binomial(n, special.expit(drawn[:k]))
        zeros.append(np.mean(events == 0))
        cells = binomial_posterior(events, n, factors, kernels, mu_prior=prior, rng=rng, draws=2000).cells()
        inside.append((cells.quantile(np.full(6, 0.05)) < drawn[k:]) & (drawn[k:] < cells.quantile(np.full(6, 0.95))))
    assert 0.15 < np.mean(zeros) < 0.5
    # 180 cells, correlated within a data set: three standard errors of 30 clusters are about 0.1.
    assert np.mean(inside) == pytest.approx(0.9, abs=0.1)


def test_the_same_seed_gives_the_same_numbers_and_another_nearly_so():
    factors = _crossed()
    kernels = Kernels.of(factors, 6)
    first, again, other = (
        binomial_posterior(EVENTS, N, factors, kernels, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.weights, again.weights)
    np.testing.assert_array_equal(first.mean, again.mean)
    sd = first.cells().moments()[1]
    np.testing.assert_allclose((first.weights @ first.mean - other.weights @ other.mean) / sd, 0, atol=0.12)
    assert first.reliable
    assert first.weights.sum() == pytest.approx(1)
    assert first.shares().sum() == pytest.approx(1)
    assert 400 < first.effective_size < len(first.weights) / 2


def test_swapping_events_and_others_mirrors_the_posterior():
    factors = _crossed()
    kernels = Kernels.of(factors, 6)
    one, other = (
        binomial_posterior(events, N, factors, kernels, rng=np.random.default_rng(5), draws=8000)
        for events in (EVENTS, N - EVENTS)
    )
    half = np.full(6, 0.5)
    np.testing.assert_allclose(one.cells().quantile(half), -other.cells().quantile(half), atol=0.12)


@pytest.mark.parametrize("prior", [HalfNormal(0.5), HalfCauchy(0.5)])
@pytest.mark.parametrize("k", [1, 6])
@pytest.mark.parametrize("share", [0, 1])
def test_nothing_but_zeros_or_ones_gives_finite_answers(prior, k, share):
    factors = _one_factor(k, prior)
    n = np.full(k, 15)
    found = binomial_posterior(n * share, n, factors, Kernels.of(factors, 1), rng=np.random.default_rng(1))
    shown = [found.cells().quantile(ONE(p))[0] for p in (0.025, 0.5, 0.975)]
    assert np.isfinite(shown).all()
    assert np.isfinite(found.sd_quantiles([0.025, 0.975])).all()
    assert (shown[1] < -1) if share == 0 else (shown[1] > 1)


def test_no_event_in_either_arm_says_nothing_of_the_odds_ratio_but_is_finite():
    factors = _one_factor(1, HalfNormal(0.5))
    found = two_arm_posterior(
        ONE(0.0), ONE(20.0), ONE(0.0), ONE(20.0), factors, Kernels.of(factors, 1), control=[0],
        rng=np.random.default_rng(1), draws=12_000,
    )  # fmt: skip
    low, middle, high = (found.cells().quantile(ONE(p))[0] for p in (0.025, 0.5, 0.975))
    assert low < -2
    assert middle == pytest.approx(0, abs=1.5)
    assert high > 1.5


@pytest.mark.parametrize(
    ("events", "n", "message"),
    [
        ([1, 5], [10, 4], "position 1 has 5 events of 4; accepted are whole numbers"),
        ([1, -1], [10, 4], "position 1 has -1 events"),
        ([0.5, 1], [10, 4], r"position 0 has 0\.5 events of 10"),
        ([0, 0], [0, 4], "position 0 has 0 events of 0"),
        ([np.nan, 0], [3, 4], "position 0 has nan events of 3"),
        ([0], [3, 4], r"events has shape \(1,\) and n has shape \(2,\)"),
    ],
)
def test_what_are_no_counts_is_refused_in_a_sentence(events, n, message):
    factors = _one_factor(2, HalfNormal(0.5))
    with pytest.raises(InputError, match=message):
        binomial_posterior(np.array(events), np.array(n), factors, Kernels.of(factors, 1), rng=np.random.default_rng(1))


@pytest.mark.parametrize("prior", [FlatMu(), TMu(0, 2, 4)])
def test_the_prior_of_the_mean_is_normal(prior):
    factors = _one_factor(2, HalfNormal(0.5))
    kernels = Kernels.of(factors, 1)
    with pytest.raises(InputError, match=r"accepted with counts is normal\(mean, sd\)"):
        binomial_posterior(EVENTS[:2], N[:2], factors, kernels, mu_prior=prior, rng=np.random.default_rng(1))


def test_half_of_what_doubled_counts_say_is_what_the_counts_say():
    factors, half = _crossed(), np.full(8, 0.5)
    kernels, controls = Kernels.of(factors, 6), (np.full(8, 2), np.full(8, 20))

    def one(factor, share):
        return binomial_posterior(
            factor * EVENTS, factor * N, factors, kernels, share=share, rng=np.random.default_rng(1), draws=600
        )

    def two(factor, share):
        counts = [factor * x for x in (EVENTS, N, *controls)]
        return two_arm_posterior(
            *counts, factors, kernels, control=range(8), share=share, rng=np.random.default_rng(1), draws=600
        )

    for model in (one, two):
        np.testing.assert_array_equal(model(2, half).mean, model(1, None).mean)


@pytest.mark.parametrize("share", [np.ones(7), np.zeros(8), np.full(8, 1.5), np.full(8, np.nan)])
def test_a_share_that_is_none_is_refused(share):
    factors = _crossed()
    with pytest.raises(InputError, match="above 0 and up to 1 for each of 8 arms"):
        binomial_posterior(EVENTS, N, factors, Kernels.of(factors, 6), share=share, rng=np.random.default_rng(1))


def test_contrasts_with_one_control_arm_have_one_share():
    with pytest.raises(InputError, match="different shares"):
        TwoArmCounts.of(EVENTS[:2], N[:2], [2, 2], [20, 20], [0, 0], share=np.array([0.5, 1]))


def test_control_arms_that_are_shared_must_agree():
    with pytest.raises(
        InputError, match="positions 0 and 1 share a control arm, which has 2 events of 20 in one and 3"
    ):
        TwoArmCounts.of(np.array([1, 1]), np.array([20, 20]), np.array([2, 3]), np.array([20, 20]), [4, 4])
    with pytest.raises(InputError, match="There are 2 experimental arms, 1 control arms and 2 numbers"):
        TwoArmCounts.of(np.array([1, 1]), np.array([20, 20]), np.array([2]), np.array([20]), [0, 1])
