"""The slope of trials on epidemiology: its likelihood by definition, its posterior by brute force and by PyMC."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from igfmeta.bayes.slope import Units, slope_posterior
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.errors import InputError

X = [np.array([0.10, 0.02, 0.07]), np.array([0.20, 0.15]), np.array([0.01])]
S2 = [np.array([0.004, 0.006, 0.003]), np.array([0.002, 0.005]), np.array([0.003])]
Y = [np.array([0.10]), np.array([-0.30, -0.05]), np.array([0.15, 0.05])]
V = [np.array([0.03]), np.array([0.04, 0.02]), np.array([0.05, 0.03])]
PRIORS = [HalfNormal(scale) for scale in (0.12, 0.3, 0.12, 0.3)]
PRIOR_SD = 2.5


@pytest.fixture(scope="module")
def units():
    return Units.of(X, S2, Y, V)


@pytest.fixture(scope="module")
def posterior(units):
    return slope_posterior(units, PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(1))


def by_definition(units, slope, omega, rho, psi, tau):
    """The likelihood of all observations from their covariance matrix, both means integrated out with flat priors."""
    of_x, of_y = units.of_x.astype(float), units.of_y.astype(float)
    xx = np.diag(units.s2 + psi**2) + omega**2 * of_x @ of_x.T
    yy = np.diag(units.v + tau**2) + (slope**2 * omega**2 + rho**2) * of_y @ of_y.T
    xy = slope * omega**2 * of_x @ of_y.T
    covariance = np.block([[xx, xy], [xy.T, yy]])
    n, m = len(units.x), len(units.y)
    design = np.block([[np.ones((n, 1)), np.zeros((n, 1))], [np.zeros((m, 1)), np.ones((m, 1))]])
    z, inverse = np.concatenate([units.x, units.y]), np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    residual = z - design @ np.linalg.solve(information, design.T @ inverse @ z)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return -0.5 * (logs + residual @ inverse @ residual + (n + m - 2) * np.log(2 * np.pi))


def test_the_likelihood_is_that_of_the_whole_covariance_matrix(units):
    rng = np.random.default_rng(2)
    sds, slopes = rng.uniform(0.01, 0.3, (5, 4)), rng.normal(0, 2, 3)
    found = units.log_likelihood(slopes, sds)
    expected = [[by_definition(units, slope, *each) for slope in slopes] for each in sds]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_posterior_is_that_of_a_grid_over_everything(units, posterior):
    """Brute force: ten Gauss-Legendre nodes in the prior probability of each sd, 201 slopes."""
    node, weight = np.polynomial.legendre.leggauss(10)
    p, weight = 0.5 + 0.5 * node, 0.5 * weight
    scales = [prior.scale for prior in PRIORS]
    sds = np.array(list(itertools.product(*(scale * stats.halfnorm.ppf(p) for scale in scales))))
    weights = np.array([np.prod(each) for each in itertools.product(weight, repeat=4)])
    slopes = np.linspace(-15, 15, 201)
    joint = units.log_likelihood(slopes, sds)
    density = weights @ np.exp(joint - joint.max()) * stats.norm.pdf(slopes, 0, PRIOR_SD)
    density /= density.sum()
    mean = density @ slopes
    sd = np.sqrt(density @ (slopes - mean) ** 2)
    assert posterior.weights @ posterior.slope == pytest.approx(mean, abs=0.03 * sd)
    assert posterior.sd == pytest.approx(sd, rel=0.02)
    assert posterior.below(0.0) == pytest.approx(np.interp(0.0, slopes, np.cumsum(density) - density / 2), abs=0.01)
    assert posterior.reliable


def test_the_same_seed_gives_the_same_numbers_and_another_nearly_the_same(units, posterior):
    again = slope_posterior(units, PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(1))
    other = slope_posterior(units, PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(5))
    assert again.quantile(0.5) == posterior.quantile(0.5)
    assert other.quantile(0.5) == pytest.approx(posterior.quantile(0.5), abs=0.03 * posterior.sd)


def test_effects_of_the_other_sign_turn_the_slope_round(units, posterior):
    turned = Units.of(X, S2, [-each for each in Y], V)
    mirrored = slope_posterior(turned, PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(1))
    assert mirrored.quantile(0.5) == pytest.approx(-posterior.quantile(0.5), abs=1e-8)
    assert mirrored.below(0) == pytest.approx(1 - posterior.below(0), abs=1e-8)


def test_predictors_that_say_nothing_leave_the_prior():
    nothing = Units.of(X, [1e4 * each for each in S2], Y, [1e4 * each for each in V])
    found = slope_posterior(nothing, PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(1))
    assert found.learned == pytest.approx(0, abs=0.01)
    assert found.below(0) == pytest.approx(0.5, abs=0.01)


def test_many_precise_units_find_the_slope():
    rng = np.random.default_rng(3)
    xi = rng.normal(0.1, 0.2, 40)
    x, y = ([np.array([value]) for value in values] for values in (xi, 0.1 - 1.5 * xi + rng.normal(0, 0.05, 40)))
    small = [np.array([0.0025])] * 40
    found = slope_posterior(Units.of(x, small, y, small), PRIORS, prior_sd=PRIOR_SD, rng=np.random.default_rng(1))
    assert found.quantile(0.025) < -1.5 < found.quantile(0.975)
    assert found.sd < 0.1
    assert found.reliable


def test_a_new_unit_is_less_certain_than_the_line_and_the_line_least_at_its_ends(posterior):
    xi = np.array([-0.3, 0.09, 0.5])
    line, new = posterior.band(xi, (0.025, 0.975)), posterior.band(xi, (0.025, 0.975), new_unit=True)
    assert (new[1] - new[0] > line[1] - line[0]).all()
    widths = line[1] - line[0]
    assert widths[1] < min(widths[0], widths[2])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((X[:1], S2[:1], Y[:1], V[:1]), "two at least"),
        ((X, S2, Y[:2], V), "two at least"),
        ((X, S2, [*Y[:2], np.array([])], [*V[:2], np.array([])]), "a study and a trial"),
        ((X, [*S2[:2], np.array([0.0])], Y, V), "above 0"),
    ],
)
def test_units_that_cannot_be_used_are_refused(parts, said):
    with pytest.raises(InputError, match=said):
        Units.of(*parts)


def test_pymc_draws_the_same_posterior(units, posterior):
    from igfmeta.bayes.mcmc.sampling import Plan
    from igfmeta.bayes.mcmc.slope import slope_by_mcmc

    drawn, sampled = slope_by_mcmc(units, PRIORS, prior_sd=PRIOR_SD, plan=Plan(draws=1000, tune=1000, chains=2))
    assert sampled.diagnostics.rhat < 1.02
    mcse = drawn.sd / np.sqrt(drawn.effective_size)
    assert drawn.weights @ drawn.slope == pytest.approx(posterior.weights @ posterior.slope, abs=4 * mcse)
    assert drawn.below(0.0) == pytest.approx(posterior.below(0.0), abs=4 * 0.5 / np.sqrt(drawn.effective_size))
    xi = np.array([0.0, 0.1, 0.2])
    middle = [each.band(xi, (0.5,), new_unit=True)[0] for each in (drawn, posterior)]
    np.testing.assert_allclose(*middle, atol=0.03)
