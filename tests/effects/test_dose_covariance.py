"""Pseudo-counts by their definitions, covariances by simulation, shapes of the curve by theirs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from igfmeta.effects.dose_bases import (
    POWERS,
    all_fractional_polynomials,
    basis,
    fractional_polynomial,
    restricted_cubic,
    shift_for,
)
from igfmeta.effects.dose_covariance import (
    COVARIANCES,
    DESIGNS,
    PseudoCounts,
    covariance,
    greenland_longnecker,
    hamling,
)
from igfmeta.errors import InputError


@st.composite
def tables(draw, design=None):
    """Return a table whose adjusted relative risks and variances are near those of its counts, as adjustment leaves
    them: log_rr, vi, cases, n, design."""
    kind = draw(st.sampled_from(DESIGNS)) if design is None else design
    groups = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = rng.integers(60, 3000, groups).astype(float)
    cases = np.maximum(2.0, rng.binomial(n.astype(int), rng.uniform(0.02, 0.4)))
    crude = PseudoCounts(cases, n - cases if kind == "cc" else n, kind)
    log_rr = crude.log_rr() + rng.normal(0, 0.1, groups - 1)
    return log_rr, crude.variances() * rng.uniform(1.0, 1.4, groups - 1), cases, n, kind


@given(tables())
@settings(max_examples=200, deadline=None)
def test_effective_counts_give_back_the_relative_risks_their_variances_and_the_two_ratios(table):
    log_rr, vi, cases, n, design = table
    found = hamling(log_rr, vi, cases, n, design)
    against = n - cases if design == "cc" else n
    np.testing.assert_allclose(found.log_rr(), log_rr, atol=1e-9)
    np.testing.assert_allclose(found.variances(), vi, rtol=1e-8)
    assert found.against[0] / found.against.sum() == pytest.approx(against[0] / against.sum(), rel=1e-7)
    assert found.against.sum() / found.cases.sum() == pytest.approx(against.sum() / cases.sum(), rel=1e-9)
    assert (found.cases > 0).all()
    assert (found.against > 0).all()


@given(tables())
@settings(max_examples=200, deadline=None)
def test_fitted_counts_keep_the_margins_and_give_back_the_relative_risks(table):
    log_rr, _, cases, n, design = table
    if design == "ci":
        # A risk above 1 contradicts the table, and is refused.
        rr = np.exp([0, *log_rr])
        assume(rr.max() * cases.sum() < n @ rr)
    found = greenland_longnecker(log_rr, cases, n, design)
    np.testing.assert_allclose(found.log_rr(), log_rr, atol=1e-9)
    assert found.cases.sum() == pytest.approx(cases.sum(), rel=1e-12)
    size = found.cases + found.against if design == "cc" else found.against
    np.testing.assert_allclose(size, n, rtol=1e-12)


@given(tables(), st.sampled_from(COVARIANCES))
@settings(max_examples=200, deadline=None)
def test_a_covariance_keeps_the_variances_and_is_positive_definite(table, method):
    log_rr, vi, cases, n, design = table
    found = covariance(log_rr, vi, cases, n, design, method=method)
    np.testing.assert_allclose(np.diag(found), vi)
    np.testing.assert_allclose(found, found.T)
    assert np.linalg.eigvalsh(found)[0] > 0


@pytest.mark.parametrize("design", ["cc", "ir"])
@pytest.mark.parametrize("method", ["gl", "hamling"])
def test_without_adjustment_both_covariances_are_the_variance_of_the_reference(design, method):
    cases, n = np.array([40.0, 60.0, 90.0]), np.array([200.0, 210.0, 190.0])
    crude = PseudoCounts(cases, n - cases if design == "cc" else n, design)
    found = covariance(crude.log_rr(), crude.variances(), cases, n, design, method=method)
    assert found[0, 1] == pytest.approx(crude.parts()[0], rel=1e-9)


def test_the_covariance_of_a_case_control_table_is_what_simulated_tables_show(rng):
    cases, controls = np.array([80.0, 120.0, 150.0]), np.array([400.0, 390.0, 410.0])
    crude = PseudoCounts(cases, controls, "cc")
    a = rng.multinomial(350, cases / cases.sum(), 200_000)
    b = rng.multinomial(1200, controls / controls.sum(), 200_000)
    log_or = np.log(a[:, 1:] / b[:, 1:]) - np.log(a[:, :1] / b[:, :1])
    found = covariance(crude.log_rr(), crude.variances(), cases, cases + controls, "cc")
    np.testing.assert_allclose(found, np.cov(log_or.T), rtol=0.03)


def test_order_of_the_groups_does_not_matter():
    args = ([0.2, -0.3, 0.6], [0.05, 0.06, 0.09], [50, 60, 40, 70], [300, 310, 290, 300], "cc")
    turned = ([0.6, -0.3, 0.2], [0.09, 0.06, 0.05], [50, 70, 40, 60], [300, 300, 290, 310], "cc")
    for method in COVARIANCES:
        np.testing.assert_allclose(
            covariance(*args, method=method)[::-1, ::-1], covariance(*turned, method=method), rtol=1e-9
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": "cohort"}, "design was 'cohort'; accepted are cc, ci or ir"),
        ({"method": "exact"}, "covariance was 'exact'; accepted are gl, hamling or independent"),
        ({"cases": [50, -1, 40]}, "row 2, column cases: found -1"),
        ({"n": [300, 310, 30]}, "row 3, column n: found 30"),
        ({"vi": [0.05, 0.0]}, "row 2, column vi: found 0"),
        ({"n": [300, 310]}, "columns differ in length"),
        ({"log_rr": [0.2, 0.3, 0.4]}, "3 log relative risks and 3 groups; accepted is one group more"),
        ({"cases": [0, 0, 0]}, "no cases"),
    ],
)
def test_impossible_tables_are_refused_in_a_sentence(change, message):
    good = {
        "log_rr": [0.2, 0.3], "vi": [0.05, 0.06], "cases": [50, 60, 40], "n": [300, 310, 290], "design": "cc",
        "method": "gl",
    }  # fmt: skip
    with pytest.raises(InputError, match=message):
        covariance(**{**good, **change})


def test_a_spline_is_a_line_beyond_its_outer_knots_and_smooth_between():
    spline = restricted_cubic([], [1.0, 3.0, 4.0, 8.0])
    for start in (-5.0, 8.0):
        x = spline.columns(start + np.arange(4.0))
        np.testing.assert_allclose(np.diff(x, n=2, axis=0), 0, atol=1e-12)
    h = 1e-4
    for knot in spline.knots:
        left = np.diff(spline.columns([knot - 2 * h, knot - h, knot]), n=2, axis=0) / h**2
        right = np.diff(spline.columns([knot, knot + h, knot + 2 * h]), n=2, axis=0) / h**2
        np.testing.assert_allclose(left, right, atol=1e-2)


def test_three_knots_are_the_textbook_formula():
    a, b, c = 0.0, 2.0, 6.5
    x = np.array([-1.0, 0.5, 2.5, 7.0])
    p = [np.maximum(x - k, 0) ** 3 for k in (a, b, c)]
    expected = (p[0] - p[1] * (c - a) / (c - b) + p[2] * (b - a) / (c - b)) / (c - a) ** 2
    np.testing.assert_allclose(restricted_cubic([], [a, b, c]).columns(x)[:, 1], expected, atol=1e-14)


def test_fractional_polynomials_are_powers_logs_and_repeated_powers():
    x = np.array([0.5, 1.0, 4.0])
    np.testing.assert_allclose(fractional_polynomial(x, [-1]).columns(x)[:, 0], 1 / x)
    np.testing.assert_allclose(
        fractional_polynomial(x, [0, 0]).columns(x), np.column_stack([np.log(x), np.log(x) ** 2])
    )
    np.testing.assert_allclose(fractional_polynomial(x, [2, 2]).columns(x)[:, 1], x**2 * np.log(x))
    assert fractional_polynomial(x, [1]).columns(x).shape == (3, 1)
    assert {p for b in all_fractional_polynomials(x, 1) for p in b.powers} == set(POWERS)


def test_doses_of_zero_are_shifted_by_the_step_to_the_next():
    assert shift_for([0, 3, 4.5, 10]) == 3
    assert shift_for([-1, 1, 4]) == 3
    assert np.isfinite(fractional_polynomial([0, 3, 4.5, 10], [-2, 0]).columns([0.0])).all()
    with pytest.raises(InputError, match="takes doses above"):
        fractional_polynomial([1, 2], [0]).columns([-1.0])


def test_which_columns_make_a_curve_of_a_line():
    x = [1.0, 2.0, 3.0, 4.0]
    assert basis("linear", x).nonlinear == ()
    assert basis("quadratic", x).nonlinear == (1,)
    assert basis("rcs", x, knots=[1, 2, 3, 4]).nonlinear == (1, 2)
    assert basis("fp", x, powers=[1, 3]).nonlinear == (1,)
    assert basis("fp", x, powers=[-1, 1]).nonlinear == (0,)
    assert basis("fp", x, powers=[1, 1]).nonlinear == (1,)
    assert basis("fp", x, powers=[1]).nonlinear == ()
    assert basis("fp", x, powers=[2]).nonlinear is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "cubic"}, "model was 'cubic'; accepted are linear, quadratic, rcs or fp"),
        ({"model": "rcs", "knots": 9}, "number of knots was 9; accepted are 3 to 7"),
        ({"model": "rcs", "knots": [1, 1, 2]}, "knots were 1, 1, 2; accepted are three or more that rise"),
        ({"model": "linear", "knots": 3}, "knots were given with model linear"),
        ({"model": "linear", "powers": [1]}, "powers were given with model linear"),
        ({"model": "fp", "powers": [4]}, "powers were 4; accepted are one or two of"),
        ({"model": "fp"}, "powers are missing"),
    ],
)
def test_shapes_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        basis(options.pop("model"), [0.0, 0.0, 0.0, 5.0], **options)


def test_knots_that_coincide_are_refused_with_where_they_lie():
    with pytest.raises(InputError, match=r"percentiles 10, 50, 90 of the doses are 0, 0, 3.5"):
        restricted_cubic([0.0, 0.0, 0.0, 5.0], 3)
