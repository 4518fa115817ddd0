"""Robust variances against their definitions written out with matrices of all rows, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.pooling import pool_one
from igfmeta.models.robust.clusters import clusters_of, regress
from igfmeta.models.robust.fitting import fit_robust
from igfmeta.models.robust.sandwich import adjusted, htz, robust_vcov, satterthwaite
from igfmeta.models.robust.working import WORKING_NAMES

CLUSTERS = list("aaabbbbccddddeefgg")


def _data(rng, p=3):
    k = len(CLUSTERS)
    x = np.column_stack([np.ones(k), *rng.normal(size=(p - 1, k))])
    v = rng.uniform(0.02, 0.3, k)
    return rng.normal(0.3, 0.5, k), v, x


def _blocks(rng, rows):
    return [a @ a.T / len(at) + 0.3 * np.eye(len(at)) for at in rows for a in [rng.normal(size=(len(at), len(at)))]]


def _by_definition(y, x, rows, phi, adjustment):
    """Return beta, V, and p_j of each cluster: V = sum_j (p_j'y)(p_j'y)', shape (k, p) each."""
    k, n = len(y), len(rows)
    whole = np.zeros((k, k))
    for at, block in zip(rows, phi, strict=True):
        whole[np.ix_(at, at)] = block
    w = np.linalg.inv(whole)
    m = np.linalg.inv(x.T @ w @ x)
    away = np.eye(k) - x @ m @ x.T @ w
    parts = []
    for at, block in zip(rows, phi, strict=True):
        a = np.eye(len(at))
        if adjustment == "CR1":
            a = a * np.sqrt(n / (n - 1))
        if adjustment == "CR2":
            d = linalg.cholesky(block)
            b = d @ (away[at] @ whole @ away[at].T) @ d.T
            a = d.T @ linalg.inv(linalg.sqrtm(b)).real @ d
        parts.append(away[at].T @ a.T @ w[np.ix_(at, at)] @ x[at] @ m)
    beta = m @ x.T @ w @ y
    v = sum(np.outer(part.T @ y, part.T @ y) for part in parts)
    return beta, v, parts, whole


@pytest.mark.parametrize("adjustment", ["CR0", "CR1", "CR2"])
def test_sandwich_and_degrees_of_freedom_by_their_definitions(rng, adjustment):
    y, _, x = _data(rng)
    rows = clusters_of(CLUSTERS)
    phi = _blocks(rng, rows)
    fit = regress(y, x, rows, phi)
    k = adjusted(fit, adjustment)
    beta, v, parts, whole = _by_definition(y, x, rows, phi, adjustment)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-10)
    np.testing.assert_allclose(robust_vcov(fit, k), v, rtol=1e-9)
    for contrast in (*np.eye(3), np.array([0.5, -1.0, 2.0])):
        p = np.stack([part @ contrast for part in parts])
        g = p @ whole @ p.T
        assert satterthwaite(fit, k, contrast) == pytest.approx(np.trace(g) ** 2 / np.sum(g**2), rel=1e-9)


def test_htz_by_simulating_the_variance_of_its_variances(rng):
    # eta matches the total variance of the scaled robust covariance; here that variance is from 40,000 draws.
    y, _, x = _data(rng)
    rows = clusters_of(CLUSTERS)
    phi = _blocks(rng, rows)
    fit = regress(y, x, rows, phi)
    k, contrasts = adjusted(fit, "CR2"), np.eye(3)[1:]
    found = htz(fit, k, contrasts)
    _, _, parts, whole = _by_definition(y, x, rows, phi, "CR2")
    draws = rng.normal(size=(40_000, len(y))) @ np.linalg.cholesky(whole).T
    scores = np.stack([draws @ part @ contrasts.T for part in parts], axis=1)
    v = np.einsum("njs,njt->nst", scores, scores)
    root = np.linalg.inv(np.linalg.cholesky(v.mean(axis=0)))
    d = root @ v @ root.T
    eta = 2 * 3 / d.var(axis=0).sum()
    assert found.df1 == 2
    assert found.df2 + 1 == pytest.approx(eta, rel=0.04)


def test_cr2_is_unbiased_where_the_working_model_is_true(rng):
    y, _, x = _data(rng)
    rows = clusters_of(CLUSTERS)
    phi = _blocks(rng, rows)
    fit = regress(y, x, rows, phi)
    _, _, parts, whole = _by_definition(y, x, rows, phi, "CR2")
    np.testing.assert_allclose(sum(part.T @ whole @ part for part in parts), fit.model_vcov, rtol=1e-8)


def test_htz_of_one_contrast_is_the_t_test(rng):
    y, v, x = _data(rng)
    fit = fit_robust(y, v, CLUSTERS, x=x, working="HIER")
    for i, one in enumerate(fit.coefficients):
        found = fit.test(np.eye(3)[i])
        assert found.statistic == pytest.approx(one.statistic**2, rel=1e-9)
        assert [found.df2, found.p_value] == pytest.approx([one.df, one.p_value], rel=1e-9)


@pytest.mark.parametrize("working", WORKING_NAMES)
def test_order_units_and_origin_do_not_matter(rng, working):
    y, v, x = _data(rng)
    a = fit_robust(y, v, CLUSTERS, x=x, working=working)
    order = rng.permutation(len(y))
    b = fit_robust(y[order], v[order], [CLUSTERS[i] for i in order], x=x[order], working=working)
    moved = x * [1.0, 250.0, 1.0] + [0.0, 2000.0, 0.0]
    c = fit_robust(1000 * y, 1e6 * v, CLUSTERS, x=moved, working=working)
    slopes = [(f.coefficients[1].estimate, f.coefficients[1].se, f.coefficients[1].df) for f in (a, b, c)]
    assert slopes[1] == pytest.approx(slopes[0], rel=1e-6)
    scaled = (slopes[2][0] / 4, slopes[2][1] / 4, slopes[2][2])
    assert scaled == pytest.approx(slopes[0], rel=1e-6)
    assert c.moderators.statistic == pytest.approx(a.moderators.statistic, rel=1e-6)


def test_single_rows_with_equal_variances_are_the_plain_t_test(rng):
    y, k = rng.normal(0.2, 0.4, 9), 9
    fit = fit_robust(y, np.full(k, 0.1), list(range(k)), working="RE")
    pooled = pool_one(y, np.full(k, 0.1), ci="HK").to_dict()
    one = fit.coefficients[0]
    assert [one.estimate, one.se, one.df, one.p_value] == pytest.approx(
        [pooled["estimate"], pooled["se"], 8.0, pooled["p_value"]], rel=1e-9
    )


def test_one_row_in_every_study_makes_the_working_models_agree(rng):
    y, v = rng.normal(0.2, 0.5, 12), rng.uniform(0.02, 0.2, 12)
    fits = [fit_robust(y, v, list(range(12)), working=w).coefficients[0] for w in ("CHE", "RE")]
    assert [fits[0].estimate, fits[0].se, fits[0].df] == pytest.approx(
        [fits[1].estimate, fits[1].se, fits[1].df], rel=1e-6
    )


@pytest.mark.parametrize("working", WORKING_NAMES)
def test_identical_effects_are_not_certainty(working):
    fit = fit_robust([0.5] * 6, [0.1, 0.2, 0.1, 0.3, 0.2, 0.2], list("aabbcd"), working=working)
    one = fit.coefficients[0]
    assert one.estimate == pytest.approx(0.5)
    assert (one.se, one.p_value, one.ci_lower) == (None, None, None)
    assert "no spread among a few studies is not certainty" in fit.remarks[0]


def test_a_coefficient_of_one_cluster_is_found_however_it_is_coded(rng):
    y, v, _ = _data(rng)
    own = np.array([c == "b" for c in CLUSTERS], dtype=float)
    coded = [np.column_stack([np.ones(len(y)), own]), np.column_stack([1 - own, own])]
    fits = [fit_robust(y, v, CLUSTERS, x=x, working="CORR") for x in coded]
    for fit in fits:
        assert fit.coefficients[0].se is not None
        assert fit.coefficients[1].se is None
        with pytest.raises(NothingToPool, match="rests on one cluster alone"):
            fit.test([[0.0, 1.0]])


#: Options that are refused, and a part of what is said.
REFUSED = [
    ({"working": "CH"}, "accepted are CHE, CORR, HIER, RE or EQUAL"),
    ({"adjustment": "CR3"}, "accepted are CR0, CR1 or CR2"),
    ({"rho": 1.0}, "a correlation from 0 to below 1"),
    ({"rho": 0.5, "working": "RE"}, "the working model RE has none"),
    ({"level": 95}, "such as 0.95"),
    ({"names": ["a"]}, "one for each of the 3 columns"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_options_that_are_refused(rng, options, message):
    y, v, x = _data(rng)
    with pytest.raises(InputError, match=message):
        fit_robust(y, v, CLUSTERS, x=x, **options)


def test_too_little_data_says_so(rng):
    y, v, x = _data(rng)
    with pytest.raises(NothingToPool, match="2 clusters cannot carry 3 coefficients"):
        fit_robust(y, v, ["a", "b"] * 9, x=x)
    with pytest.raises(NothingToPool, match="is a combination of others"):
        fit_robust(y, v, CLUSTERS, x=np.column_stack([x, x[:, 1]]))
    with pytest.raises(InputError, match="cluster has 2 labels"):
        fit_robust(y, v, ["a", "b"], x=x)


def test_a_lone_cluster_that_is_fitted_exactly_has_no_standard_error_and_no_warning():
    x = np.column_stack([[1, 0, 0, 0, 0], [0, 1, 1, 1, 1]]).astype(float)
    fit = fit_robust([0.5, 0.1, 0.2, 0.4, 0.3], [0.1] * 5, list("abccd"), x=x, working="EQUAL")
    assert (fit.coefficients[0].se, fit.coefficients[0].p_value) == (None, None)
    assert fit.coefficients[1].se > 0


def test_equal_weights_give_the_plain_mean_whatever_the_variances(rng):
    y, v = rng.normal(size=18), rng.uniform(0.1, 2.0, 18)
    fit = fit_robust(y, v, CLUSTERS, working="EQUAL")
    assert fit.coefficients[0].estimate == pytest.approx(y.mean(), rel=1e-12)
    # Hedges' estimator of the pool.
    assert fit.tau2 == pytest.approx(pool_one(y, v, method="HE").tau2, rel=1e-10)
    np.testing.assert_allclose(fit.weights, 100 / 18, rtol=1e-12)


@pytest.mark.parametrize(
    ("sampling", "working", "message"),
    [
        (lambda rho: np.eye(3), "RE", "the working model RE does not use it"),
        (lambda rho: np.eye(2), "CHE", r"accepted is \(3, 3\)"),
        (lambda rho: np.full((3, 3), 0.1) + np.eye(3), "CHE", "with 0 between rows of different clusters"),
        (lambda rho: np.eye(3), "CHE", "whose diagonal is not vi"),
    ],
)
def test_a_covariance_that_does_not_fit_is_refused(sampling, working, message):
    with pytest.raises(InputError, match=message):
        fit_robust([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], list("aab"), working=working, sampling=sampling)
