"""Deletion, all subsets and fragility against what they are by definition: a pool of the studies that are left."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igfmeta.errors import InputError
from igfmeta.models.deletion import cumulative
from igfmeta.models.fragility import fragility
from igfmeta.models.gosh import gosh
from igfmeta.models.influence import influence
from igfmeta.models.pooling import pool_one


def _data(seed, k):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.4, k)
    return rng.normal(0.2, np.sqrt(v + 0.1)), v


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["REML", "DL", "CE", "PM"]))
def test_each_figure_is_what_a_pool_of_the_others_gives(seed, method):
    y, v = _data(seed, 6)
    found, whole = influence(y, v, method=method), pool_one(y, v, method=method, ci="z")
    for i in range(6):
        rest = np.arange(6) != i
        out = pool_one(y[rest], v[rest], method=method, ci="z")
        assert found.cook_d[i] == pytest.approx(((whole.estimate - out.estimate) / whole.se) ** 2, rel=1e-8)
        assert found.cov_r[i] == pytest.approx((out.se / whole.se) ** 2, rel=1e-9)
        assert found.rstudent[i] == pytest.approx(
            (y[i] - out.estimate) / np.sqrt(v[i] + out.tau2 + out.se**2), rel=1e-8
        )
    assert found.hat.sum() == pytest.approx(1)


def test_a_cluster_of_one_study_is_that_study():
    y, v = _data(1, 7)
    alone, clustered = influence(y, v), influence(y, v, cluster=list("abcdefg"))
    for name in ("rstudent", "dffits", "cook_d", "cov_r", "dfbetas", "chi2_p_value"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(clustered, name))


def test_a_cluster_is_left_out_whole():
    y, v = _data(2, 6)
    found = influence(y, v, cluster=["a", "b", "a", "c", "b", "c"])
    rest = np.array([1, 3, 4, 5])
    out = pool_one(y[rest], v[rest], ci="z")
    assert found.without.estimate[0] == pytest.approx(out.estimate, rel=1e-9)
    inside = np.array([0, 2])
    s = np.diag(v[inside] + out.tau2) + out.se**2
    e = y[inside] - out.estimate
    assert found.chi2[0] == pytest.approx(e @ np.linalg.solve(s, e), rel=1e-8)
    assert found.chi2_df.tolist() == [2, 2, 2]


def test_swapping_the_arms_changes_signs_only():
    y, v = _data(3, 6)
    a, b = influence(y, v), influence(-y, v)
    np.testing.assert_allclose(a.rstudent, -b.rstudent, rtol=1e-8)
    np.testing.assert_allclose(a.cook_d, b.cook_d, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("method", ["REML", "DL", "CE"])
def test_gosh_is_the_pool_of_every_subset(method):
    y, v = _data(4, 5)
    found = gosh(y, v, method=method)
    subsets = [s for size in range(2, 6) for s in combinations(range(5), size)]
    assert len(found) == len(subsets) == 26
    members = np.array([found.member(i) for i in range(5)]).T
    for row, inside in enumerate(members):
        fit = pool_one(y[inside], v[inside], method=method)
        assert [found.estimate[row], found.tau2[row], found.i2[row]] == pytest.approx(
            [fit.estimate, fit.tau2, fit.i2], rel=1e-8, abs=1e-10
        )
        assert found.k[row] == fit.k


def test_the_compiled_kernel_is_the_numpy_one():
    for seed, method in enumerate(("REML", "REML", "REML", "DL", "CE")):
        y, v = _data(seed, 10)
        a, b = gosh(y, v, method=method, engine="numpy"), gosh(y, v, method=method, engine="compiled")
        assert (a.engine, b.engine) == ("numpy", "compiled")
        np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(a.tau2, b.tau2, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(a.i2, b.i2, rtol=1e-7, atol=1e-9)


def test_the_compiled_kernel_takes_the_highest_of_several_maxima():
    from igfmeta.models.pooling import pool

    rng = np.random.default_rng(20261125)
    v = rng.uniform(0.001, 0.4, (4000, 5)) ** 2
    y = rng.normal(0, np.sqrt(v + 0.02))
    several = np.flatnonzero(pool(y, v, tau2_ci="none").multimodal)[:5]
    assert len(several)
    for row in several:
        a, b = gosh(y[row], v[row], engine="numpy"), gosh(y[row], v[row], engine="compiled")
        np.testing.assert_allclose(a.tau2, b.tau2, rtol=1e-7, atol=1e-12)


def test_a_sample_repeats_with_its_seed_and_holds_two_studies_at_least():
    y, v = _data(5, 30)
    a, b, c = (gosh(y, v, method="DL", subsets=500, rng=np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.estimate, b.estimate)
    assert not np.array_equal(a.estimate, c.estimate)
    assert not a.exhaustive
    assert a.k.min() >= 2
    assert a.k.mean() == pytest.approx(15, abs=0.6)


def test_the_fewest_studies_are_the_fewest():
    y, v = _data(6, 7)
    y = np.abs(y) + 0.3
    found = fragility(y, v)
    assert found.exact
    assert found.excludes_null
    assert found.removed is not None

    def excluded(kept):
        fit = pool_one(y[list(kept)], v[list(kept)])
        return fit.ci_lower > 0 or fit.ci_upper < 0

    size = len(found.removed)
    for smaller in range(1, size):
        assert all(excluded(kept) for kept in combinations(range(7), 7 - smaller))
    assert not excluded([i for i in range(7) if i not in found.removed])


def test_a_new_study_turns_the_conclusion_at_the_effect_that_is_named():
    y, v = _data(7, 8)
    y = y + 0.5
    found = fragility(y, v, ci="z")
    for new in found.new_studies:
        assert new.below is not None
        for shift, turned in ((-1e-6, True), (1e-6, False)):
            fit = pool_one(np.append(y, new.below + shift), np.append(v, new.vi), ci="z")
            assert (not (fit.ci_lower > 0 or fit.ci_upper < 0)) is (turned if found.excludes_null else not turned)


def test_a_search_beyond_the_budget_says_that_fewer_may_do():
    y, v = _data(8, 40)
    found = fragility(np.abs(y) + 0.2, v)
    assert found.removed is not None
    assert not found.exact


def test_cumulative_ends_at_the_whole_pool():
    y, v = _data(9, 8)
    order = np.argsort(v, kind="stable")
    steps = cumulative(y, v, order=order)
    assert steps.estimate[-1] == pytest.approx(pool_one(y, v).estimate, rel=1e-10)
    assert steps.estimate[0] == pytest.approx(y[order[0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, v: influence(y[:2], v[:2]), "at least 3 studies"),
        (lambda y, v: influence(y, v, cluster=["a"] * 5), "2 units"),
        (lambda y, v: influence(y, v, cluster=["a"]), "one for each study"),
        (lambda y, v: influence(y, v, method="XX"), "method was 'XX'"),
        (lambda y, v: influence(y, -v), "above 0"),
        (lambda y, v: gosh(y[:2], v[:2]), "3 studies or more"),
        (lambda y, v: gosh(y, v, engine="fortran"), "engine was 'fortran'"),
        (lambda y, v: gosh(y, v, method="PM", engine="compiled"), "compiled kernel does REML, DL or CE"),
        (lambda y, v: gosh(y, v, subsets=0, rng=np.random.default_rng(1)), "subsets was 0"),
        (lambda y, v: gosh(y, v, subsets=10), "needs a generator"),
        (lambda y, v: fragility(y[:2], v[:2]), "3 studies or more"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(call, message):
    y, v = _data(10, 5)
    with pytest.raises(InputError, match=message):
        call(y, v)
