"""The joint model of several outcomes: its density by hand, its prior of correlations, each outcome by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from igfmeta.bayes.components import Kernels, class_by_tumor
from igfmeta.bayes.crossed import crossed_posterior
from igfmeta.bayes.mcmc.joint import JointPosterior, apart, correlation_root, joint_model, joint_posterior
from igfmeta.bayes.mcmc.joint_checks import Given, Unit, log_by_unit
from igfmeta.bayes.mcmc.joint_data import JointData, JointPriors, Responses
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.trust import examine
from igfmeta.bayes.mu_priors import NormalMu
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.bayes.two_arm_counts import two_arm_posterior
from igfmeta.errors import InputError

#: Contrasts 0 and 1 are of one trial and share its control arm; contrast 3 reports response alone, 4 no response.
TRIAL = np.array([0, 0, 1, 2, 3])
OUTCOME, CONTRAST = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 4, 0, 2, 4])
Y = np.array([-0.2, 0.1, 0.3, 0.0, -0.3, 0.2, 0.1])
V = np.array([0.04, 0.05, 0.03, 0.06, 0.03, 0.02, 0.05])
EVENTS, N = np.array([6.0, 4.0, 0.0, 9.0]), np.array([30.0, 31.0, 20.0, 40.0])
CONTROL, CONTROL_EVENTS, CONTROL_N = np.array([0, 0, 1, 2]), np.array([3.0, 1.0, 5.0]), np.array([32.0, 22.0, 38.0])


def _covariance():
    c = np.diag(V)
    for i, j, rho in ((0, 1, 0.5), (0, 4, 0.6), (1, 4, 0.3), (2, 5, 0.6), (3, 6, 0.6)):
        c[i, j] = c[j, i] = rho * np.sqrt(V[i] * V[j])
    return c


#: Powers of the likelihoods of the arms of contrasts 0 to 3, and of their control arms.
SHARE, CONTROL_SHARE = np.array([0.5, 0.5, 1.0, 0.3]), np.array([0.5, 1.0, 0.3])


def _data():
    arms = Responses(
        outcome=2, contrast=np.array([0, 1, 2, 3]), events=EVENTS, n=N, control=CONTROL,
        control_events=CONTROL_EVENTS, control_n=CONTROL_N,
        correlation=np.array([-0.3, -0.3, -0.3, -0.3, -0.4, -0.4, -0.4]),
    )  # fmt: skip
    return JointData(("os", "pfs", "orr"), Y, _covariance(), OUTCOME, CONTRAST, TRIAL, arms)


PRIORS = JointPriors((2.5,) * 3, (HalfNormal(0.5),) * 3, lkj=2.0, control_sd=2.5)


def _score(i, theta, control):
    """(x1 - n1 p1) w0 - (x0 - n0 p0) w1 over its standard deviation."""
    c = CONTROL[i]
    p0 = special.expit(control[c])
    p1 = special.expit(control[c] + theta)
    w0, w1 = CONTROL_N[c] * p0 * (1 - p0), N[i] * p1 * (1 - p1)
    top = (EVENTS[i] - N[i] * p1) * w0 - (CONTROL_EVENTS[c] - CONTROL_N[c] * p0) * w1
    return top / np.sqrt(w0 * w1 * (w0 + w1))


def test_the_density_of_the_model_is_the_one_written_down():
    """Given the parameters: binomial arms, and normal effects whose mean and covariance are conditional on them.

    Likelihoods of counts are raised to the power of their arm's share.
    """
    data, rng = _data(), np.random.default_rng(3)
    data = replace(data, responses=replace(data.responses, share=SHARE, control_share=CONTROL_SHARE))
    model = joint_model(data, PRIORS)
    mu, tau = np.array([0.1, -0.1, 0.4]), np.array([0.3, 0.2, 0.6])
    partial, z, control = [0.4, -0.3, 0.2], rng.normal(size=4), rng.normal(-1.5, 0.4, 3)
    r01, r02 = partial[0], partial[1]
    r12 = r01 * r02 + partial[2] * np.sqrt((1 - r01**2) * (1 - r02**2))
    r = np.array([[1, r01, r02], [r01, 1, r12], [r02, r12, 1]])
    names = ["partial_0_1", "partial_0_2", "partial_1_2"]
    point = {
        "mu": mu, "z": z, "control_logit": control,
        **{f"tau_{i}_log__": np.log(t) for i, t in enumerate(tau)},
        **{f"{name}_logodds__": special.logit((p + 1) / 2) for name, p in zip(names, partial, strict=True)},
    }  # fmt: skip
    variables = list(model.observed_RVs)
    found = dict(zip([v.name for v in variables], model.compile_logp(vars=variables, sum=False)(point), strict=True))
    same = 0.5 * (TRIAL[:, None] == TRIAL) + 0.5 * np.eye(5)
    deviation = np.linalg.cholesky(same[:4, :4]) @ z
    theta = mu[2] + tau[2] * deviation
    expected = stats.binom.logpmf(EVENTS, N, special.expit(control[CONTROL] + theta))
    np.testing.assert_allclose(found["events"], SHARE * expected, rtol=1e-9)
    expected = stats.binom.logpmf(CONTROL_EVENTS, CONTROL_N, special.expit(control))
    np.testing.assert_allclose(found["control_events"], CONTROL_SHARE * expected, rtol=1e-9)
    mean, scores = np.empty(7), np.zeros(7)
    for k, (o, c) in enumerate(zip(OUTCOME, CONTRAST, strict=True)):
        reported = c < 4
        mean[k] = mu[o] + (r[o, 2] * tau[o] * deviation[c] if reported else 0.0)
        # The score of the share q of the patients is sqrt(q) times that of all.
        score = SHARE[c] ** 0.5 * _score(c, theta[c], control) if reported else 0.0
        scores[k] = data.responses.correlation[k] * np.sqrt(V[k]) * score
    cov = np.empty((7, 7))
    for a in range(7):
        for b in range(7):
            o, q, c, d = OUTCOME[a], OUTCOME[b], CONTRAST[a], CONTRAST[b]
            explained = r[o, 2] * r[q, 2] if c < 4 and d < 4 else 0.0
            cov[a, b] = (r[o, q] - explained) * tau[o] * tau[q] * same[c, d] + data.residual[a, b]
    expected = stats.multivariate_normal.logpdf(Y, mean + scores, cov)
    assert float(np.sum(found["y"])) == pytest.approx(expected, rel=1e-9)
    given, u = Given(mu[None], tau[None], r[None]), np.concatenate([z, control])
    again = Unit(data, np.arange(5)).log_likelihood(given, u[None, None])[0, 0]
    assert again == pytest.approx(sum(float(np.sum(x)) for x in found.values()), rel=1e-9)


def test_what_is_left_of_the_sampling_errors_given_the_scores():
    """Law of total covariance: the residual and the scores' part add up to the covariance that was given."""
    data = _data()
    b = np.where(CONTRAST < 4, data.responses.correlation * np.sqrt(V), 0.0)
    shared = np.sqrt(30 / 62) * np.sqrt(31 / 63)
    k = np.eye(5)
    k[0, 1] = k[1, 0] = shared
    np.testing.assert_allclose(data.residual + np.outer(b, b) * k[np.ix_(CONTRAST, CONTRAST)], _covariance())


MU, TAU = np.array([[0.1, -0.1, 0.4], [-0.3, 0.0, 1.5]]), np.array([[0.3, 0.2, 0.6], [0.6, 0.4, 1.3]])
R = np.array([[[1, 0.4, -0.3], [0.4, 1, 0.1], [-0.3, 0.1, 1]], [[1, 0.7, -0.6], [0.7, 1, -0.5], [-0.6, -0.5, 1]]])


def _on_a_grid(draw, contrasts, arms):
    """The density of one trial: a sum over logits of the control arm and effects on response of its contrasts."""
    data, (mu, tau, r) = _data(), (MU[draw], TAU[draw], R[draw])
    rows = np.flatnonzero(np.isin(CONTRAST, contrasts))
    c = CONTROL[arms[0]]
    control = np.linspace(-14, 3, 171)
    same = 0.5 + 0.5 * np.eye(len(contrasts))
    axes = [control] + [mu[2] + 6 * tau[2] * np.linspace(-1, 1, 41)] * len(contrasts)
    b, *theta = (x.ravel() for x in np.meshgrid(*axes, indexing="ij"))
    theta = np.stack(theta, axis=1)
    density = stats.norm.pdf(b, 0, 2.5) * stats.multivariate_normal.pdf(
        np.atleast_2d(theta) - mu[2], np.zeros(len(contrasts)), tau[2] ** 2 * same
    )
    density = density * stats.binom.pmf(CONTROL_EVENTS[c], CONTROL_N[c], special.expit(b))
    scores = np.zeros((len(b), len(contrasts)))
    for i, arm in enumerate(arms):
        p1, p0 = special.expit(b + theta[:, i]), special.expit(b)
        density = density * stats.binom.pmf(EVENTS[arm], N[arm], p1)
        w0, w1 = CONTROL_N[c] * p0 * (1 - p0), N[arm] * p1 * (1 - p1)
        top = (EVENTS[arm] - N[arm] * p1) * w0 - (CONTROL_EVENTS[c] - CONTROL_N[c] * p0) * w1
        scores[:, i] = top / np.sqrt(w0 * w1 * (w0 + w1))
    if len(rows):
        o, place = OUTCOME[rows], [contrasts.index(x) for x in CONTRAST[rows]]
        mean = mu[o] + r[o, 2] * tau[o] * (theta[:, place] - mu[2]) / tau[2]
        mean = mean + data.responses.correlation[rows] * np.sqrt(V[rows]) * scores[:, place]
        between = (r[np.ix_(o, o)] - np.outer(r[o, 2], r[o, 2])) * np.outer(tau[o], tau[o])
        cov = between * same[np.ix_(place, place)] + data.residual[np.ix_(rows, rows)]
        density = density * stats.multivariate_normal.pdf(Y[rows] - mean, np.zeros(len(rows)), cov)
    return np.log(density.sum() * np.prod([x[1] - x[0] for x in axes]))


def test_the_likelihood_of_a_trial_has_effects_and_rates_integrated_out():
    """One trial of two contrasts and one control arm; one with no event in an arm; one of counts alone; one of none."""
    found = log_by_unit(_data(), Given(MU, TAU, R), 2.5)
    for draw in (0, 1):
        for unit, (contrasts, arms) in enumerate([([0, 1], [0, 1]), ([2], [2]), ([3], [3])]):
            assert found[draw, unit] == pytest.approx(_on_a_grid(draw, contrasts, arms), abs=2e-5)
        rows, (mu, tau, r) = [3, 6], (MU[draw], TAU[draw], R[draw])
        cov = r[:2, :2] * np.outer(tau[:2], tau[:2]) + _covariance()[np.ix_(rows, rows)]
        assert found[draw, 3] == pytest.approx(stats.multivariate_normal.logpdf(Y[rows], mu[:2], cov), rel=1e-10)


def test_trials_that_share_a_control_arm_are_left_out_together():
    data = _data()
    assert data.units.tolist() == [0, 0, 1, 2, 3]
    linked = replace(data, responses=replace(data.responses, control=np.array([0, 0, 1, 1])))
    assert linked.units.tolist() == [0, 0, 1, 1, 2]


class _Draws:
    """Stands in for PyMC: draws instead of variables."""

    def __init__(self, n):
        self.rng, self.n = np.random.default_rng(1), n

    def Beta(self, _name, a, b):  # noqa: N802
        return self.rng.beta(a, b, self.n)


@pytest.mark.parametrize("eta", [1.0, 2.0, 4.0])
def test_every_correlation_has_the_lkj_marginal(eta):
    rows = correlation_root(_Draws(4000), 3, eta)
    known = stats.beta(eta + 0.5, eta + 0.5, loc=-1, scale=2)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        entries = sum(a * b for a, b in zip(rows[i], rows[j], strict=False))
        assert stats.kstest(entries, known.cdf).pvalue > 0.001


def test_each_outcome_by_itself_is_that_of_the_exact_engines():
    """Without correlations nothing is borrowed: one fit of all is as good as one fit of each, contrasts all apart."""
    data = replace(_data(), trial=np.arange(5))
    data = apart(replace(data, covariance=np.diag(V)))
    found = joint_posterior(data, replace(PRIORS, lkj=np.inf), Plan(draws=1000, tune=600, chains=2, cores=1, seed=2))
    assert found.sampled.diagnostics.divergences == 0
    trust = examine(found.sampled.tree)
    assert trust.missing == ()
    assert {r.variable: r.observed for r in trust.replicated}.keys() == {"y", "events", "control_events"}

    def one_source(k):
        return class_by_tumor([0] * k, [0] * k, [0] * k, n_classes=1, n_tumors=1, priors={"study": HalfNormal(0.5)})

    def close(i, exact):
        mean, sd = (x[0] for x in exact.cells().moments())
        error = np.sqrt(1 / found.sampled.diagnostics.ess_bulk + 1 / exact.effective_size)
        assert found.mu[:, i].mean() == pytest.approx(mean, abs=4 * sd * error)
        sds = exact.weights @ exact.sds[:, 0]
        assert found.tau[:, i].mean() == pytest.approx(sds, abs=4 * 0.3 * error)

    for i in (0, 1):
        rows = np.flatnonzero(i == OUTCOME)
        factors = one_source(len(rows))
        made = crossed_posterior(
            Y[rows], np.diag(V[rows]), factors, Kernels.of(factors, 1), rng=np.random.default_rng(1)
        )
        close(i, made)
    factors = one_source(4)
    counts = EVENTS, N, CONTROL_EVENTS[CONTROL], CONTROL_N[CONTROL]
    made = two_arm_posterior(
        *counts, factors, Kernels.of(factors, 1), control=CONTROL, mu_prior=NormalMu(0, 2.5),
        baseline_prior=NormalMu(0, 2.5), rng=np.random.default_rng(1),
    )  # fmt: skip
    close(2, made)
    np.testing.assert_array_equal(found.correlation[0], np.eye(3))


def test_the_line_of_one_outcome_on_another():
    draws = np.array([[0.1, 0.2]]), np.array([[0.3, 0.6]]), np.array([[[1.0, 0.5], [0.5, 1.0]]])
    found = JointPosterior(("pfs", "os"), *draws, new=np.zeros((1, 2)), sampled=None).line(on=0, of=1)
    assert (found.slope[0], found.r2[0]) == (1.0, 0.25)
    assert found.intercept[0] == pytest.approx(0.1)


def test_correlations_that_cannot_hold_together_are_refused():
    wrong = _covariance()
    wrong[0, 4] = wrong[4, 0] = 0.95 * np.sqrt(V[0] * V[4])
    wrong[1, 4] = wrong[4, 1] = -0.5 * np.sqrt(V[1] * V[4])
    with pytest.raises(InputError, match="within-study correlations"):
        replace(_data(), covariance=wrong)


def test_priors_that_do_not_fit():
    with pytest.raises(InputError, match="tau has 2 priors; accepted is one for each of 3 outcomes"):
        joint_posterior(_data(), JointPriors((2.5,) * 3, (HalfNormal(0.5),) * 2))
    with pytest.raises(InputError, match="LKJ prior was 0"):
        JointPriors((2.5,), (HalfNormal(0.5),), lkj=0)
