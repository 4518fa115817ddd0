"""A line through points whose predictor is itself an estimate."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import optimize

from igfmeta.errors import InputError
from igfmeta.models.errors_in_variables import errors_in_variables
from igfmeta.numerics import t_quantile

X = np.array([-1.2, -0.6, -0.1, 0.4, 0.9, 1.6, 0.2])
Y = np.array([0.4, 0.5, 0.1, -0.3, 0.2, -0.8, -0.1])
S2, V = np.linspace(0.02, 0.06, 7), np.linspace(0.05, 0.02, 7)


def by_definition(slope: float, omega2: float, tau2: float) -> float:
    """The restricted likelihood of all 2k observations, from their covariance matrix."""
    k = len(X)
    covariance = np.zeros((2 * k, 2 * k))
    for i in range(k):
        covariance[i, i] = omega2 + S2[i]
        covariance[k + i, k + i] = slope**2 * omega2 + tau2 + V[i]
        covariance[i, k + i] = covariance[k + i, i] = slope * omega2
    design = np.kron(np.eye(2), np.ones((k, 1)))
    z = np.concatenate([X, Y])
    inverse = np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    residual = z - design @ np.linalg.solve(information, design.T @ inverse @ z)
    terms = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1] + residual @ inverse @ residual
    return float(-0.5 * (terms + (2 * k - 2) * np.log(2 * np.pi)))


def highest(slope: float) -> float:
    found = optimize.minimize(
        lambda p: -by_definition(slope, p[0] ** 2, p[1] ** 2),
        [0.8, 0.2],
        method="Nelder-Mead",
        options={"fatol": 1e-12},
    )
    return -float(found.fun)


@pytest.fixture(scope="module")
def fit():
    return errors_in_variables(X, S2, Y, V)


def test_the_likelihood_is_that_of_the_whole_covariance_matrix(fit):
    assert fit.log_likelihood == pytest.approx(by_definition(fit.slope, fit.predictor_variance, fit.tau2), abs=1e-9)


def test_no_other_slope_or_variances_have_a_higher_likelihood(fit):
    found = optimize.minimize(
        lambda p: -by_definition(p[0], p[1] ** 2, p[2] ** 2),
        [-0.5, 0.8, 0.2],
        method="Nelder-Mead",
        options={"fatol": 1e-13, "xatol": 1e-9, "maxiter": 5000},
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-9)
    assert fit.slope == pytest.approx(found.x[0], abs=1e-5)


def test_the_limits_are_where_the_profile_has_fallen_by_the_squared_t_quantile(fit):
    drop = float(t_quantile(0.975, 5)) ** 2 / 2
    for limit in (fit.ci_lower, fit.ci_upper):
        assert highest(limit) == pytest.approx(fit.log_likelihood - drop, abs=1e-5)


def test_units_of_measurement_only_change_the_units_of_the_slope(fit):
    other = errors_in_variables(100 * X + 7, 1e4 * S2, 3 - 2 * Y, 4 * V)
    assert other.slope == pytest.approx(-fit.slope / 50, rel=1e-6)
    assert (other.ci_lower, other.ci_upper) == pytest.approx((-fit.ci_upper / 50, -fit.ci_lower / 50), rel=1e-5)
    assert other.reliability == pytest.approx(fit.reliability, rel=1e-6)
    assert float(other.at(7.0)) == pytest.approx(3 - 2 * float(fit.at(0.0)), rel=1e-6)


def test_the_order_of_units_does_not_matter(fit):
    turned = errors_in_variables(X[::-1], S2[::-1], Y[::-1], V[::-1])
    assert astuple(turned)[:14] == pytest.approx(astuple(fit)[:14], rel=1e-6)


def test_error_in_the_predictor_flattens_the_naive_line_and_not_the_corrected_one():
    rng = np.random.default_rng(3)
    k, s2 = 120, np.full(120, 0.25)
    xi = rng.normal(0, 1, k)
    y = 1 + 2 * xi + rng.normal(0, 0.3, k)
    fit = errors_in_variables(xi + rng.normal(0, np.sqrt(s2)), s2, y + rng.normal(0, 0.1, k), np.full(k, 0.01))
    assert fit.reliability == pytest.approx(1 / 1.25, abs=0.06)
    assert fit.naive_slope == pytest.approx(2 / 1.25, abs=0.15)
    assert fit.slope == pytest.approx(2.0, abs=0.2)
    assert fit.ci_lower < 2 < fit.ci_upper


def test_predictors_that_do_not_differ_beyond_their_errors_tell_no_slope():
    fit = errors_in_variables(0.1 * X, np.full(7, 0.5), Y, V)
    assert (fit.ci_lower, fit.ci_upper, fit.bounded) == (-np.inf, np.inf, False)
    assert fit.reliability < 0.2
    assert np.isinf(fit.band(np.array([5.0]))[0]).all()


def test_the_band_of_a_new_unit_holds_the_band_of_the_line_and_widens_away_from_the_centre(fit):
    at = np.array([fit.centre, fit.centre + 1, fit.centre + 2])
    lower, upper = fit.band(at)
    wider = fit.band(at, new_unit=True)
    assert (wider[0] <= lower).all()
    assert (wider[1] >= upper).all()
    assert (np.diff(upper - lower) > 0).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((X[:2], S2[:2], Y[:2], V[:2]), "needs 3 at least"),
        ((X, S2, Y[:3], V), "of one length"),
        ((X, S2, Y, -V), "v above 0"),
        ((np.ones(7), S2, Y, V), "there is no line"),
    ],
)
def test_data_that_hold_no_line_are_refused_in_a_sentence(data, words):
    with pytest.raises(InputError, match=words):
        errors_in_variables(*data)
