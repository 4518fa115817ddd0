"""Deletion diagnostics of rates: each is the comparison of two binomial fits that its definition says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import igfmeta as im
from igfmeta.models.count_kernels import Binomial
from igfmeta.models.normal_mixing import contributions
from igfmeta.models.rate_influence import predicted
from igfmeta.synthesis.influence import influence_of
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.study_sets import set_of_table

TABLE = pd.DataFrame(
    {
        "x": [0, 3, 5, 1, 9, 0, 14],
        "n": [24, 20, 31, 40, 52, 12, 33],
        "agent": list("aabbbcc"),
        "year": [2014, 2012, 2012, 2015, 2010, 2011, 2013],
    }
)


def _studies(table=TABLE, **options):
    return set_of_table(table, Columns(events="x", n="n"), measure="PLO", year="year", **options)


def _fit(keep, table=TABLE):
    return im.fit_with("glmm", table[keep], events="x", n="n", measure="PLO", ci="PL").fit


def _numbers(fit):
    return [fit.k, fit.estimate, fit.se, fit.ci_lower, fit.ci_upper, fit.tau2, fit.q, fit.i2]


def _row(fits, row):
    return [
        float(getattr(fits, name)[row]) for name in ("k", "estimate", "se", "ci_lower", "ci_upper", "tau2", "q", "i2")
    ]


@pytest.fixture(scope="module")
def found():
    return influence_of(_studies(), Methods(), cumulative="year")


def test_every_pool_without_a_study_is_the_fit_of_the_others(found):
    for i in range(len(TABLE)):
        fit = _fit(np.arange(len(TABLE)) != i)
        assert _row(found.influence.fits, i + 1) == pytest.approx(_numbers(fit), rel=1e-8)
    assert _row(found.influence.fits, 0) == pytest.approx(_numbers(_fit(np.ones(7, dtype=bool))), rel=1e-8)


def test_every_step_by_year_is_the_fit_of_the_first_studies(found):
    order = np.argsort(TABLE["year"], kind="stable").to_numpy()
    for step in range(1, len(order)):
        keep = np.isin(np.arange(len(order)), order[: step + 1])
        assert _row(found.cumulative.fits, step) == pytest.approx(_numbers(_fit(keep)), rel=1e-8)
    first = found.cumulative.fits
    exact = stats.beta.ppf([0.025, 0.975], [9, 10], [44, 43])
    assert special.expit([first.ci_lower[0], first.ci_upper[0]]) == pytest.approx(exact, rel=1e-9)
    assert np.isnan(first.tau2[0])


def test_by_precision_the_largest_study_comes_first():
    steps = influence_of(_studies(), Methods(), cumulative="precision").cumulative
    assert steps.labels[0] == "Study 5"
    assert [label.split()[1] for label in steps.labels] == [str(i + 1) for i in np.argsort(-TABLE["n"], kind="stable")]


def _brute(x, n, theta, spread):
    """The predictive distribution summed over every count, each mass integrated on a grid ten times as fine."""
    z = np.linspace(-9.5, 9.5, 12_001)
    weight = stats.norm.pdf(z) * (z[1] - z[0])
    p = stats.binom.pmf(np.arange(n + 1)[:, None], n, special.expit(theta + spread * z)) @ weight
    return np.arange(n + 1) @ p, sum(p[:x]) + 0.5 * p[x], sum(p[x + 1 :]) + 0.5 * p[x]


def test_a_residual_is_the_mid_p_of_the_count_under_what_the_others_predict(found):
    for i in (0, 4, 6):
        fit = _fit(np.arange(len(TABLE)) != i)
        x, n = int(TABLE["x"][i]), int(TABLE["n"][i])
        expected, below, _ = _brute(x, n, fit.estimate, np.hypot(np.sqrt(fit.tau2), fit.se))
        assert found.influence.expected[i] == pytest.approx(expected, rel=1e-7)
        assert found.influence.tail[i] == pytest.approx(below, rel=1e-7)
        assert found.influence.residual[i] == pytest.approx(stats.norm.ppf(below), rel=1e-7)


@pytest.mark.parametrize(("x", "n", "theta", "spread"), [(0, 40, 1.0, 0.1), (31, 31, 0.0, 2.0), (3, 20, -2.0, 0.0)])
def test_both_tails_are_summed_from_their_small_ends(x, n, theta, spread):
    got = [float(v[0]) for v in predicted(*(np.array([float(v)]) for v in (x, n, theta, spread)))]
    assert got == pytest.approx(_brute(x, n, theta, spread), rel=1e-11)
    mirrored = [float(v[0]) for v in predicted(*(np.array([float(v)]) for v in (n - x, n, -theta, spread)))]
    assert mirrored[1:] == pytest.approx([got[2], got[1]], rel=1e-12)


def test_mid_p_values_of_a_model_average_to_one_half():
    """Over the predictive distribution itself E[mid-p] = 1/2, whatever n (Lancaster 1961)."""
    n, theta, spread = 9, -1.2, 0.8
    x = np.arange(n + 1.0)
    _, below, _ = predicted(x, np.full(n + 1, float(n)), np.full(n + 1, theta), np.full(n + 1, spread))
    # below_j = F_(j-1) + p_j/2, so that the masses follow from the sequence itself.
    total, mass = 0.0, np.empty(n + 1)
    for j, value in enumerate(below):
        mass[j] = 2 * (value - total)
        total += mass[j]
    assert total == pytest.approx(1.0, rel=1e-10)
    assert mass @ below == pytest.approx(0.5, rel=1e-10)


def test_cook_covariance_ratio_and_dfbetas_compare_the_two_fits(found):
    x, n = TABLE["x"].to_numpy(dtype=float), TABLE["n"].to_numpy(dtype=float)
    whole = _fit(np.ones(7, dtype=bool))
    for i in range(len(TABLE)):
        fit = _fit(np.arange(len(TABLE)) != i)
        assert found.influence.cook_d[i] == pytest.approx(((whole.estimate - fit.estimate) / whole.se) ** 2, rel=1e-6)
        assert found.influence.cov_r[i] == pytest.approx((fit.se / whole.se) ** 2, rel=1e-6)
        at = contributions(Binomial(x, n, 0 * n), np.full(7, whole.estimate), np.full(7, fit.tau2), nodes=121)
        scale = 1 / np.sqrt(-at.theta_theta.sum())
        assert found.influence.dfbetas[i] == pytest.approx((whole.estimate - fit.estimate) / scale, rel=1e-6)


def test_clusters_are_left_out_together_and_each_study_is_predicted_without_its_own():
    found = influence_of(_studies(cluster="agent"), Methods())
    assert found.units == ("a", "b", "c")
    for unit, letter in enumerate("abc"):
        fit = _fit((TABLE["agent"] != letter).to_numpy())
        assert _row(found.influence.fits, unit + 1) == pytest.approx(_numbers(fit), rel=1e-8)
    fit = _fit((TABLE["agent"] != "c").to_numpy())
    expected = _brute(14, 33, fit.estimate, np.hypot(np.sqrt(fit.tau2), fit.se))[0]
    assert found.influence.expected[6] == pytest.approx(expected, rel=1e-7)


def test_without_the_only_response_the_rate_is_0_and_nothing_rests_on_a_model():
    lone = TABLE.head(4).assign(x=[0, 2, 0, 0])
    found = influence_of(_studies(lone), Methods(), cumulative="table")
    unit = found.to_dict()["without"][1]
    upper = 1 - 0.025 ** (1 / (24 + 31 + 40))
    assert unit["natural"]["estimate"] == 0.0
    assert unit["natural"]["ci_upper"] == pytest.approx(upper, rel=1e-9)
    assert (unit["estimate"], unit["dfbetas"], unit["tau2"]) == (None, None, None)
    assert found.influence.influential[1]
    assert np.isnan(found.influence.residual[1])
    assert any("Without Study 2 nobody, or everybody, responded" in text for text in found.remarks)


def test_nobody_responded_at_all():
    found = influence_of(_studies(TABLE.assign(x=0)), Methods()).to_dict()
    assert found["pooled"]["natural"]["estimate"] == 0.0
    assert all(unit["natural"]["ci_lower"] == 0.0 and unit["cook_d"] is None for unit in found["without"])


def test_tau2_can_be_held_at_0():
    found = influence_of(_studies(), Methods(method="CE"))
    assert found.influence.fits.tau2.tolist() == [0.0] * 8
    x, n = TABLE["x"], TABLE["n"]
    assert found.influence.fits.estimate[1] == pytest.approx(special.logit(x[1:].sum() / n[1:].sum()), rel=1e-9)


def test_what_takes_variances_as_known_is_not_given_and_that_is_said(found):
    assert found.fragility is None
    assert any("Not given for rates: DFFITS" in text for text in found.remarks)


def test_every_subset_is_the_binomial_fit_of_its_studies():
    table = TABLE.head(6)
    found = influence_of(_studies(table), Methods(), with_gosh=True).gosh
    assert len(found) == 2**6 - 1 - 6
    inside = np.column_stack([found.member(i) for i in range(6)])
    for row in (5, 17, 40, 56):
        fit = _fit(inside[row], table)
        got = [found.k[row], found.estimate[row], found.tau2[row], found.i2[row]]
        assert got == pytest.approx([fit.k, fit.estimate, fit.tau2, fit.i2], rel=1e-7)
    nobody = inside[:, [0, 5]].all(axis=1) & (inside.sum(axis=1) == 2)
    assert found.estimate[nobody].tolist() == [-np.inf]
    assert np.isnan(found.tau2[nobody]).all()


def test_a_sample_of_subsets_is_that_of_its_seed_and_its_summary_is_finite():
    a, b = (influence_of(_studies(), Methods(), with_gosh=True, subsets=40, seed=3) for _ in range(2))
    assert a.gosh.estimate.tolist() == b.gosh.estimate.tolist()
    assert not a.gosh.exhaustive
    spread = a.to_dict()["gosh"]["estimate"]
    shares = [spread[name]["natural"] for name in ("0 %", "5 %", "50 %", "95 %", "100 %")]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1
    with pytest.raises(im.InputError, match="subsets was 0"):
        influence_of(_studies(), Methods(), with_gosh=True, subsets=0)
