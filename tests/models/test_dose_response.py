"""Dose-response models: the likelihood against whole matrices, moments by brute force, one stage against two."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from igfmeta.effects.dose_bases import fractional_polynomial, linear, quadratic, restricted_cubic
from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.dose_likelihood import Knowledge, at_psi, maximize, moments
from igfmeta.models.dose_one_stage import compare, one_stage
from igfmeta.models.dose_response import heterogeneity, knowledge, study_curves, two_stage
from igfmeta.models.dose_results import DoseStudy
from igfmeta.models.pooling import pool_one

BETA, PSI = np.array([0.10, -0.008]), np.array([[4e-3, -3e-4], [-3e-4, 4e-5]])


def _simulated(rng, k, basis=None, *, beta=BETA, psi=PSI, groups=(3, 5), noise=0.02):
    basis = basis or quadratic()
    out = []
    for i in range(k):
        m = int(rng.integers(*groups, endpoint=True))
        dose = np.sort(rng.uniform(1, 12, m))
        s = noise * (0.4 * np.ones((m, m)) + np.diag(rng.uniform(0.5, 1.5, m)))
        x = basis.contrast(dose, 0.0)
        y = x @ rng.multivariate_normal(beta, psi) + rng.multivariate_normal(np.zeros(m), s)
        out.append(DoseStudy(f"s{i}", 0.0, dose, y, s))
    return out


def _log_likelihood(studies, basis, psi, *, restricted):
    """Return the likelihood from the whole covariance of all contrasts."""
    x = np.vstack([s.design(basis) for s in studies])
    y = np.concatenate([s.yi for s in studies])
    v, at = np.zeros((len(y), len(y))), 0
    for s in studies:
        m = len(s.yi)
        v[at : at + m, at : at + m] = s.covariance + s.design(basis) @ psi @ s.design(basis).T
        at += m
    a = x.T @ np.linalg.solve(v, x)
    b = np.linalg.solve(a, x.T @ np.linalg.solve(v, y))
    value = stats.multivariate_normal(x @ b, v).logpdf(y)
    if restricted:
        value += 0.5 * len(b) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(a)[1]
    return value, b, np.linalg.inv(a)


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("groups", [(3, 5), (1, 4)])
def test_the_likelihood_is_that_of_the_whole_covariance(rng, restricted, groups):
    studies = _simulated(rng, 6, groups=groups)
    for psi in (np.zeros((2, 2)), PSI, np.array([[1e-2, 0], [0, 0]])):
        value, b, vcov = _log_likelihood(studies, quadratic(), psi, restricted=restricted)
        found = at_psi(knowledge(studies, quadratic()), psi, restricted=restricted)
        assert found.log_likelihood == pytest.approx(value, rel=1e-9)
        np.testing.assert_allclose(found.coef, b, rtol=1e-8)
        np.testing.assert_allclose(found.vcov, vcov, rtol=1e-7)


@pytest.mark.parametrize("restricted", [False, True])
def test_the_slope_is_the_derivative_of_the_likelihood(rng, restricted):
    known = knowledge(_simulated(rng, 5), quadratic())
    slope = at_psi(known, PSI, restricted=restricted).slope
    for direction in (np.diag([1e-7, 0]), np.diag([0, 1e-9]), np.array([[0, 1e-8], [1e-8, 0]])):
        ends = [at_psi(known, PSI + s * direction, restricted=restricted).log_likelihood for s in (1, -1)]
        assert (ends[0] - ends[1]) / 2 == pytest.approx(np.sum(slope * direction), rel=1e-4)


@pytest.mark.parametrize("restricted", [False, True])
def test_no_other_search_finds_a_higher_likelihood(rng, restricted):
    for _ in range(5):
        studies = _simulated(rng, 8)
        found = maximize(knowledge(studies, quadratic()), restricted=restricted)

        def lost(theta, studies=studies):
            factor = np.array([[theta[0], 0], [theta[1] / 10, theta[2] / 10]])
            return -_log_likelihood(studies, quadratic(), factor @ factor.T, restricted=restricted)[0]

        starts = ([0.1, 0.0, 0.05], [0.01, 0.0, 0.01], [0.1, -0.1, 0.01])
        best = min(optimize.minimize(lost, s, method="Nelder-Mead", options={"maxiter": 2000}).fun for s in starts)
        ours = _log_likelihood(studies, quadratic(), found.psi, restricted=restricted)[0]
        assert found.converged
        assert ours >= -best - 1e-7


def test_one_stage_gives_the_estimates_of_two_where_every_study_has_enough_groups(rng):
    studies = _simulated(rng, 9)
    for basis in (linear(), quadratic(), restricted_cubic([], [1.0, 5.0, 10.0])):
        for method in ("reml", "ml", "fixed"):
            one, two = one_stage(studies, basis, method=method), two_stage(studies, basis, method=method)
            np.testing.assert_allclose(one.coef, two.coef, rtol=1e-6, atol=1e-12)
            np.testing.assert_allclose(one.vcov, two.vcov, rtol=1e-5)
            if method != "fixed":
                np.testing.assert_allclose(one.psi, two.psi, rtol=1e-4, atol=1e-10)


def test_studies_with_few_groups_count_in_one_stage_and_are_named_in_two(rng):
    studies = [*_simulated(rng, 6), *_simulated(rng, 3, groups=(1, 1))]
    one, two = one_stage(studies, quadratic()), two_stage(studies, quadratic())
    assert (one.k, two.k) == (9, 6)
    assert [label for label, _ in two.left_out] == [s.label for s in studies[6:]]
    assert np.isnan(one.study_coef[6:]).all()
    assert np.isfinite(one.study_coef[:6]).all()
    assert (np.diag(one.vcov) < np.diag(two.vcov)).any()


def test_a_line_is_pooled_as_any_effects_are(rng):
    studies = _simulated(rng, 7, linear(), beta=np.array([0.05]), psi=np.array([[1e-3]]))
    known = knowledge(studies, linear())
    slopes, v = study_curves(known)[:, 0], 1 / known.u[:, 0, 0]
    for method, name in (("reml", "REML"), ("ml", "ML"), ("mm", "DL"), ("fixed", "CE")):
        fit, expected = two_stage(studies, linear(), method=method), pool_one(slopes, v, method=name, ci="z")
        assert fit.coef[0] == pytest.approx(expected.estimate, rel=1e-12)
        assert fit.vcov[0, 0] == pytest.approx(expected.se**2, rel=1e-12)
        assert fit.q == pytest.approx(expected.q, rel=1e-9)
        assert fit.i2 == pytest.approx(expected.i2_q, rel=1e-9)


def test_moments_are_those_whose_expectation_is_what_was_seen(rng):
    """Write residuals as H b with whole matrices, and solve E[Q] = Q for the elements of psi."""
    known = knowledge(_simulated(rng, 10, psi=100 * PSI), quadratic())
    k, p = known.k, known.p
    parts = [slice(p * i, p * i + p) for i in range(k)]
    w = np.zeros((k * p, k * p))
    for part, u in zip(parts, known.u, strict=True):
        w[part, part] = u
    ones = np.tile(np.eye(p), (k, 1))
    h = np.eye(k * p) - ones @ np.linalg.solve(ones.T @ w @ ones, ones.T @ w)
    r = h @ study_curves(known).ravel()

    def q(second_moment):
        return sum(u @ second_moment[part, part] for u, part in zip(known.u, parts, strict=True)).ravel()

    system = np.column_stack([q(h @ np.kron(np.eye(k), e.reshape(p, p)) @ h.T) for e in np.eye(p * p)])
    psi = np.linalg.solve(system, q(np.outer(r, r)) - q(h @ np.linalg.inv(w) @ h.T)).reshape(p, p)
    found = moments(known)
    assert not found.boundary
    np.testing.assert_allclose(found.psi, (psi + psi.T) / 2, rtol=1e-6)


def test_moments_of_studies_that_agree_are_0(rng):
    known = knowledge(_simulated(rng, 10), quadratic())
    same = Knowledge(known.u, known.u @ BETA, known.squares, known.log_det, known.n)
    np.testing.assert_allclose(moments(same).psi, 0, atol=1e-12)


def test_both_ways_find_the_covariance_of_many_studies(rng):
    known = knowledge(_simulated(rng, 1000, psi=50 * PSI), quadratic())
    np.testing.assert_allclose(moments(known).psi, 50 * PSI, rtol=0.2)
    np.testing.assert_allclose(maximize(known, restricted=True).psi, 50 * PSI, rtol=0.2)


def test_the_unit_of_the_dose_changes_nothing_but_the_coefficients(rng):
    studies = _simulated(rng, 8)
    scaled = [DoseStudy(s.label, 0.0, 1e4 * s.dose, s.yi, s.covariance) for s in studies]
    for method in ("reml", "ml", "mm"):
        a, b = two_stage(studies, quadratic(), method=method), two_stage(scaled, quadratic(), method=method)
        np.testing.assert_allclose(b.coef * [1e4, 1e8], a.coef, rtol=1e-6)
        here, there = a.curve([0, 3, 9], reference=2), b.curve([0, 3e4, 9e4], reference=2e4)
        np.testing.assert_allclose(here.rr, there.rr, rtol=1e-7)
        np.testing.assert_allclose(here.ci_upper, there.ci_upper, rtol=1e-6)


def test_the_curve_is_1_at_its_reference_and_turns_over_when_that_moves(rng):
    fit = two_stage(_simulated(rng, 8), quadratic())
    at, other = fit.curve([2.0, 7.0], reference=2.0), fit.curve([2.0, 7.0], reference=7.0)
    assert (at.rr[0], at.ci_lower[0], at.ci_upper[0]) == (1, 1, 1)
    assert at.rr[1] == pytest.approx(1 / other.rr[0])
    assert at.ci_lower[1] == pytest.approx(1 / other.ci_upper[0])


def test_heterogeneity_is_the_distance_of_the_studies_from_the_common_curve(rng):
    studies = _simulated(rng, 6)
    known = knowledge(studies, quadratic())
    common = two_stage(studies, quadratic(), method="fixed").coef
    off = study_curves(known) - common
    q, df = heterogeneity(known)
    assert q == pytest.approx(np.einsum("ij,ijk,ik->", off, known.u, off), rel=1e-6)
    assert df == 10


def test_goodness_of_fit_is_of_the_decorrelated_contrasts(rng):
    studies = _simulated(rng, 6)
    fit = two_stage(studies, quadratic())
    common = two_stage(studies, quadratic(), method="fixed").coef
    deviance = sum((r := s.yi - s.design(quadratic()) @ common) @ np.linalg.solve(s.covariance, r) for s in studies)
    total = sum(s.yi @ np.linalg.solve(s.covariance, s.yi) for s in studies)
    good = fit.goodness
    assert good.deviance == pytest.approx(deviance)
    assert good.df == fit.n - 2
    assert good.r2 == pytest.approx(1 - deviance / total)
    assert good.p_value == pytest.approx(stats.chi2.sf(deviance, good.df))
    assert len(good.residual) == len(good.study) == fit.n


def test_deviance_of_the_right_curve_has_its_distribution(rng):
    none = np.zeros((2, 2))
    fits = [two_stage(_simulated(rng, 4, psi=none), quadratic(), method="fixed") for _ in range(300)]
    p = [fit.goodness.p_value for fit in fits]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_shares_of_variance(rng):
    studies = _simulated(rng, 5)
    fit = one_stage(studies, quadratic())
    x = studies[0].design(quadratic())
    random = np.array([row @ fit.psi @ row for row in x])
    np.testing.assert_allclose(fit.vpc[0], random / (random + np.diag(studies[0].covariance)))
    assert one_stage(studies, quadratic(), method="fixed").vpc == ()


def test_nonlinearity_is_the_wald_test_of_what_bends(rng):
    fit = two_stage(_simulated(rng, 8), quadratic())
    assert fit.nonlinear.statistic == pytest.approx(fit.coef[1] ** 2 / fit.vcov[1, 1])
    assert fit.overall.df == 2
    assert two_stage(_simulated(rng, 8), linear()).nonlinear is None


def test_shapes_are_compared_on_the_same_contrasts(rng):
    studies = _simulated(rng, 30, psi=PSI / 10)
    shapes = compare(studies, [linear(), quadratic()])
    assert shapes[0].basis.model == "quadratic"
    for shape in shapes:
        fit = one_stage(studies, shape.basis, method="ml")
        assert shape.aic == pytest.approx(fit.aic)
        assert shape.log_likelihood == pytest.approx(fit.log_likelihood)


def test_a_shape_that_the_doses_cannot_tell_is_last_and_without_aic(rng):
    studies = [DoseStudy("a", 0.0, np.array([1.0]), np.array([0.2]), np.array([[0.1]]))]
    shapes = compare(studies, [quadratic(), linear()])
    assert [shape.basis.model for shape in shapes] == ["linear", "quadratic"]
    assert shapes[1].aic is None
    with pytest.raises(InputError, match="too few different doses for 2 coefficients"):
        one_stage(studies, quadratic())


def test_one_study_is_its_own_curve_and_says_so(rng):
    studies = _simulated(rng, 1)
    fit = two_stage(studies, quadratic())
    known = knowledge(studies, quadratic())
    np.testing.assert_allclose(fit.coef, study_curves(known)[0])
    np.testing.assert_allclose(fit.vcov, np.linalg.inv(known.u[0]), rtol=1e-8)
    assert fit.method == "fixed"
    assert fit.psi is None
    assert (fit.i2, fit.q_p_value) == (None, None)
    assert "One study" in fit.remarks[0]


def test_few_studies_say_that_the_intervals_are_too_narrow(rng):
    assert any("too narrow" in remark for remark in two_stage(_simulated(rng, 3), quadratic()).remarks)


def test_what_cannot_be_fitted_is_refused_in_a_sentence(rng):
    studies = _simulated(rng, 3)
    with pytest.raises(InputError, match="method was 'dl'; accepted are fixed, ml, reml or mm"):
        two_stage(studies, linear(), method="dl")
    with pytest.raises(InputError, match="pools coefficients in two stages"):
        one_stage(studies, linear(), method="mm")
    for fit in (one_stage, two_stage):
        with pytest.raises(NothingToPool, match="no study"):
            fit([], linear())
    with pytest.raises(NothingToPool, match="enough groups"):
        two_stage(_simulated(rng, 3, groups=(1, 1)), quadratic())
    wrong = DoseStudy("a", 0.0, np.array([1.0, 2.0]), np.array([0.1]), np.eye(2))
    with pytest.raises(InputError, match="Study a has 1 log relative risks, 2 doses"):
        two_stage([wrong], linear())


def test_a_fit_is_plain_data(rng):
    import json

    studies = _simulated(rng, 4)
    shape = fractional_polynomial([0, 1, 2], [1, 3])
    for fit in (two_stage(studies, quadratic()), one_stage(studies, shape, method="fixed")):
        assert json.loads(json.dumps(fit.to_dict(), allow_nan=False))["k"] == 4
