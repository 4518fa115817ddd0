"""Meta-regression: what must not matter, what must agree with the pool, and what is refused."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest

from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.pooling import pool_one
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.models.regression.collinearity import inflation
from igfmeta.models.regression.fitting import regress, regress_one
from igfmeta.models.regression.inference import TESTS, omnibus
from igfmeta.models.regression.location_scale import location_scale
from igfmeta.models.regression.permutation import permutation_test
from igfmeta.models.regression.predictions import combine

K, P = 12, 3
NUMBERS = ("beta", "se", "df", "p_value", "ci_lower", "tau2", "tau2_ci_upper", "i2", "qe", "qm", "qm_p_value", "r2")


@pytest.fixture
def data(rng):
    x = np.column_stack([np.ones(K), rng.normal(size=K), rng.integers(0, 2, K)])
    v = rng.uniform(0.02, 0.2, K)
    return rng.normal(0.3 * x[:, 1], np.sqrt(v + 0.1)), v, x


def _same(a, b, rows=slice(None), **tolerance):
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(a, name)[rows], getattr(b, name), err_msg=name, **tolerance)


@pytest.mark.parametrize("method", TAU2_METHODS)
@pytest.mark.parametrize("test", TESTS)
def test_with_an_intercept_alone_it_is_the_pool(data, method, test):
    y, v, x = data
    fit, pooled = regress_one(y, v, x[:, :1], method=method, test=test), pool_one(y, v, method=method, ci=test)
    own = fit.coefficients[0]
    # Of a common-effect pool Kenward-Roger has no variance of tau2 to heed.
    if (method, test) != ("CE", "KR"):
        np.testing.assert_allclose(
            [own.estimate, own.se, own.ci_lower, own.ci_upper],
            [pooled.estimate, pooled.se, pooled.ci_lower, pooled.ci_upper],
            rtol=1e-8,
        )
    np.testing.assert_allclose([fit.tau2, fit.qe], [pooled.tau2, pooled.q], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("test", TESTS)
def test_units_of_a_moderator_do_not_matter(data, test):
    y, v, x = data
    moved = x.copy()
    moved[:, 1] = 1000 * x[:, 1] + 1e5
    a, b = regress_one(y, v, x, test=test), regress_one(y, v, moved, test=test)
    assert b.coefficients[1].estimate * 1000 == pytest.approx(a.coefficients[1].estimate, rel=1e-7)
    same = ("tau2", "qe", "qm", "qm_p_value", "r2", "i2")
    np.testing.assert_allclose(*([getattr(fit, name) for name in same] for fit in (a, b)), rtol=1e-7)
    predicted = [combine(fit, design[:3]).pi_upper for fit, design in ((a, x), (b, moved))]
    np.testing.assert_allclose(*predicted, rtol=1e-7)


def test_units_of_the_effects_do_not_matter(data):
    y, v, x = data
    a, b = regress_one(y, v, x), regress_one(1e6 * y, 1e12 * v, x)
    np.testing.assert_allclose(b.beta, 1e6 * a.beta, rtol=1e-8)
    np.testing.assert_allclose([b.tau2, b.qm_p_value, b.i2], [1e12 * a.tau2, a.qm_p_value, a.i2], rtol=1e-8)


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_a_batch_is_its_data_sets_one_by_one(data, rng, method):
    y, v, x = data
    many = y + rng.normal(0, 0.3, (5, K))
    batch = regress(many, np.tile(v, (5, 1)), x, method=method)
    for i in range(5):
        _same(batch, regress(many[i], v, x, method=method), rows=slice(i, i + 1), rtol=1e-9, atol=1e-12)


def test_a_masked_study_is_a_study_that_is_not_there(data, rng):
    y, v, x = data
    mask = np.array([rng.permutation(K) < 9 for _ in range(4)])
    batch = regress(np.tile(y, (4, 1)), np.tile(v, (4, 1)), x, mask=mask, test="KR")
    for i, keep in enumerate(mask):
        _same(batch, regress(y[keep], v[keep], x[keep], test="KR"), rows=slice(i, i + 1), rtol=1e-8, atol=1e-12)


def test_equal_variances_give_ordinary_least_squares(data):
    y, _, x = data
    fit = regress_one(y, np.full(K, 0.1), x, test="HK")
    beta, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-10)
    np.testing.assert_allclose(fit.vcov, np.linalg.inv(x.T @ x) * rss[0] / (K - P), rtol=1e-8)


@pytest.mark.parametrize("test", TESTS)
def test_an_omnibus_test_of_one_coefficient_is_its_t_test_squared(data, test):
    y, v, x = data
    fit = regress_one(y, v, x, test=test)
    own, joint = fit.coefficients[1], omnibus(fit.covariance, np.eye(P)[[1]])
    assert joint.statistic[0] == pytest.approx(own.statistic**2, rel=1e-10)
    assert joint.p_value[0] == pytest.approx(own.p_value, rel=1e-8)


def test_omnibus_of_a_factor_does_not_depend_on_its_reference(data):
    y, v, _ = data
    groups = np.arange(K) % 3
    designs = [
        np.column_stack([np.ones(K), *[(groups == g) for g in range(3) if g != left]]).astype(float)
        for left in range(3)
    ]
    for test in TESTS:
        values = [regress_one(y, v, x, test=test).qm_p_value for x in designs]
        np.testing.assert_allclose(values, values[0], rtol=1e-8)


def _kenward_roger(y, v, x, tau2, rows):
    """Return adjusted covariance, scale and denominator of the F test: Kenward & Roger (1997), dense, as printed."""
    w = np.diag(1 / (v + tau2))
    phi = np.linalg.inv(x.T @ w @ x)
    p, q = -x.T @ w @ w @ x, x.T @ w @ w @ w @ x
    step = 1e-5 * (v.min() + tau2)
    higher, lower = (x.T @ np.diag(1 / (v + tau2 + sign * step)) @ x for sign in (1, -1))
    np.testing.assert_allclose(p, (higher - lower) / (2 * step), rtol=1e-6, atol=1e-6)
    projection = w - w @ x @ phi @ x.T @ w
    variance = 2 / np.trace(projection @ projection)
    phi_a = phi + 2 * variance * phi @ (q - p @ phi @ p) @ phi
    m = len(rows)
    theta = rows.T @ np.linalg.inv(rows @ phi_a @ rows.T) @ rows
    inner = theta @ phi_a @ p @ phi_a
    a1, a2 = variance * np.trace(inner) ** 2, variance * np.trace(inner @ inner)
    b, g = (a1 + 6 * a2) / (2 * m), ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    c1, c2, c3 = (c / (3 * m + 2 * (1 - g)) for c in (g, m - g, m + 2 - g))
    e = 1 / (1 - a2 / m)
    spread = (2 / m) * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    df2 = 4 + (m + 2) / (m * spread / (2 * e**2) - 1)
    return phi_a, df2 / (e * (df2 - 2)), df2


def test_kenward_roger_by_its_formulas(data):
    y, v, x = data
    fit = regress_one(y, v, x, test="KR")
    rows = np.eye(P)[1:]
    phi_a, scale, df2 = _kenward_roger(y, v, x, fit.tau2, rows)
    np.testing.assert_allclose(fit.vcov, phi_a, rtol=1e-8)
    wald = (rows @ fit.beta) @ np.linalg.solve(rows @ phi_a @ rows.T, rows @ fit.beta)
    np.testing.assert_allclose([fit.qm, fit.qm_df2], [scale * wald / 2, df2], rtol=1e-8)
    one = _kenward_roger(y, v, x, fit.tau2, np.eye(P)[[1]])
    assert one[1] == pytest.approx(1, rel=1e-8)
    assert fit.coefficients[1].df == pytest.approx(one[2], rel=1e-8)


def test_orthogonal_moderators_do_not_inflate():
    x = np.array([[1, a, b] for a in (-1, 1) for b in (-1, 1) for _ in range(2)], dtype=float)
    fit = regress_one([0.1, 0.2, 0.4, 0.1, 0.9, 0.3, 0.2, 0.5], [0.1] * 8, x)
    assert inflation(fit, [1]) == pytest.approx(1, rel=1e-10)


def test_monte_carlo_permutations_are_the_same_for_the_same_seed(data):
    y, v, x = data
    a, b = (permutation_test(y, v, x, rng=np.random.default_rng(5), draws=200) for _ in range(2))
    np.testing.assert_array_equal(a.p_values, b.p_values)
    assert (a.exact, a.permutations) == (False, 201)
    assert (a.p_values >= 1 / 201).all()


def test_permuting_by_the_definition(data):
    """Refitted one at a time."""
    y, v, x = (part[:5] for part in data)
    x = x[:, :2]

    def size(order):
        order = list(order)
        return abs(regress_one(y[order], v[order], x, method="DL").coefficients[1].statistic)

    sizes = np.array([size(order) for order in permutations(range(5))])
    found = permutation_test(y, v, x, rng=np.random.default_rng(1), method="DL")
    assert found.p_values[1] == pytest.approx((sizes >= sizes[0] - 1e-9).mean(), abs=1e-12)


def test_permuting_two_groups_takes_every_split_once(rng):
    v = rng.uniform(0.02, 0.3, 9)
    y = rng.normal(0.2, np.sqrt(v + 0.05))
    group = np.array([0, 1, 0, 0, 1, 0, 1, 0, 0], dtype=float)
    found = permutation_test(y, v, np.column_stack([np.ones(9), group]), rng=rng)
    assert (found.exact, found.permutations) == (True, math.comb(9, 3))
    splits = [[float(i in chosen) for i in range(9)] for chosen in combinations(range(9), 3)]
    statistics = [abs(regress_one(y, v, [[1.0, g] for g in split]).coefficients[1].statistic) for split in splits]
    observed = abs(regress_one(y, v, np.column_stack([np.ones(9), group])).coefficients[1].statistic)
    assert found.p_values[1] == pytest.approx(np.mean(np.array(statistics) >= observed * (1 - 1e-9)), rel=1e-12)


def test_scale_moderators_of_a_factor_fit_each_group(rng):
    """With a factor in both formulas every group has its own mean and variance: separate ML fits."""
    y, v = rng.normal(0, 0.8, 16), rng.uniform(0.05, 0.1, 16)
    group = np.arange(16) % 2
    z = np.column_stack([group == 0, group == 1]).astype(float)
    fit = location_scale(y, v, z, z, method="ML")
    for g in (0, 1):
        alone = pool_one(y[group == g], v[group == g], method="ML")
        assert np.exp(fit.scale.estimate[g]) == pytest.approx(alone.tau2, rel=1e-7)
        assert fit.location.estimate[g] == pytest.approx(alone.estimate, rel=1e-7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "XX"}, "REML"),
        ({"test": "XX"}, "HK-floor"),
        ({"level": 95}, "level"),
        ({"names": ["a"]}, "names has 1"),
        ({"x": np.ones((K, 2, 2))}, "X has shape"),
        ({"x": np.ones((K + 1, 2))}, "X has shape"),
        ({"x": np.array([["a"]] * K)}, "accepted are numbers"),
        ({"vi": np.zeros(K)}, "vi"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(data, change, words):
    y, v, x = data
    options = {"yi": y, "vi": v, "x": x, **change}
    with pytest.raises(InputError, match=words):
        regress(**options)


def test_every_cell_that_is_not_finite_is_named(data):
    y, v, x = data
    x[2, 1], x[4, 2] = np.nan, np.inf
    with pytest.raises(InputError) as error:
        regress_one(y, v, x)
    assert [(p.row, p.column) for p in error.value.problems] == [(3, "X[1]"), (5, "X[2]")]


def test_without_an_answer_it_says_what_would_help(data):
    y, v, x = data
    with pytest.raises(NothingToPool, match="at least 4 studies"):
        regress_one(y[:3], v[:3], x[:3])
    with pytest.raises(NothingToPool, match="combination"):
        regress_one(y, v, np.column_stack([x, x[:, 1] * 2 + 1]))
    with pytest.raises(InputError, match="whole number"):
        permutation_test(y, v, x, rng=np.random.default_rng(1), draws=0)
    with pytest.raises(InputError, match="positions of moderators"):
        inflation(regress_one(y, v, x), [0])
    with pytest.raises(InputError, match="rows has shape"):
        combine(regress_one(y, v, x), [[1, 2]])
