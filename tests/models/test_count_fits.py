"""Models of counts in batches: a row of a mask is the fit of its studies alone, and groups are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import igfmeta as im
from igfmeta.effects.one_arm import one_arm
from igfmeta.effects.rates import two_arm_rates
from igfmeta.effects.two_arm import two_arm
from igfmeta.models.count_fits import CountStudies, fit_counts
from igfmeta.models.count_kernels import Hypergeometric
from igfmeta.models.count_subgroups import subgroup_counts
from igfmeta.models.deletion import up_to_each, without_each
from igfmeta.models.normal_mixing import contributions

A, N1, C, N2 = (np.array(x, dtype=float) for x in ([1, 0, 5, 7, 3, 9], [40, 25, 60, 80, 31, 90], [4, 3, 9, 7, 0, 20],
                                                   [41, 30, 58, 75, 30, 88]))  # fmt: skip
GROUPS = ["x", "x", "y", "y", "x", "y"]


def _two(measure, keep=slice(None)):
    effects = two_arm(A, N1, C, N2, measure=measure)
    counts = {"events1": A[keep], "n1": N1[keep], "events2": C[keep], "n2": N2[keep]}
    return CountStudies(measure, counts, effects.yi[keep], effects.vi[keep])


def _one(_measure, keep=slice(None)):
    effects = one_arm(A, N1, measure="PLO")
    return CountStudies("PLO", {"events": A[keep], "n": N1[keep]}, effects.yi[keep], effects.vi[keep])


def _rates(measure, keep=slice(None)):
    effects = two_arm_rates(A, 10 * N1, C, 9 * N2, measure=measure)
    counts = {"events1": A[keep], "time1": 10 * N1[keep], "events2": C[keep], "time2": 9 * N2[keep]}
    return CountStudies(measure, counts, effects.yi[keep], effects.vi[keep])


MODELS = [
    ("mh", _two, "OR", {}),
    ("mh", _two, "RR", {}),
    ("mh", _two, "RD", {}),
    ("mh", _two, "OR", {"zero_cells": "if0all"}),
    ("mh", _rates, "IRR", {}),
    ("mh", _rates, "IRD", {}),
    ("peto", _two, "PETO", {}),
    ("glmm", _two, "OR", {"variant": "CM.EL", "ci": "PL"}),
    ("glmm", _two, "OR", {"variant": "CM.AL"}),
    ("glmm", _two, "OR", {"variant": "UM.FS"}),
    ("glmm", _two, "OR", {"variant": "UM.RS", "ci": "t"}),
    ("glmm", _rates, "IRR", {"variant": "CM.EL"}),
    ("glmm", _one, "PLO", {"variant": "logit-normal"}),
    ("beta-binomial", _two, "OR", {}),
    ("beta-binomial", _one, "PLO", {}),
    ("logistic", _two, "OR", {}),
    ("logistic", _rates, "IRR", {}),
    ("firth", _two, "OR", {}),
]
NAMES = [f"{model}-{measure}-{'-'.join(options.values())}" for model, _, measure, options in MODELS]


@pytest.mark.parametrize(("model", "of", "measure", "options"), MODELS, ids=NAMES)
def test_a_row_of_a_mask_is_the_fit_of_its_studies_alone(model, of, measure, options):
    mask = np.vstack([without_each(6)[:3], up_to_each(6)[2:4]])
    batch = fit_counts(model, of(measure), mask, level=0.9, **options)
    for members, found in zip(mask, batch, strict=True):
        alone = fit_counts(model, of(measure, members), level=0.9, **options)[0]
        assert found.numbers.keys() == alone.numbers.keys()
        for name in ("estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "tau2_ci_upper", "i2", "q", "q_df",
                     "pi_lower"):  # fmt: skip
            value, expected = getattr(found.fit, name), getattr(alone.fit, name)
            assert (value is None) == (expected is None), name
            assert value is None or value == pytest.approx(expected, rel=1e-7, abs=1e-9), name
        np.testing.assert_allclose(found.fit.weights, alone.fit.weights, rtol=1e-7)
        assert found.fit.k == members.sum()
        assert found.fit.weights.sum() == pytest.approx(100)
        assert found.fit.remarks == alone.fit.remarks


@pytest.mark.parametrize(
    ("model", "measure", "options"),
    [("mh", "OR", {}), ("glmm", "OR", {"variant": "CM.EL"}), ("glmm", "OR", {"variant": "UM.FS"}),
     ("glmm", "OR", {"variant": "UM.RS"}), ("beta-binomial", "OR", {}), ("logistic", "OR", {})],
)  # fmt: skip
def test_a_row_without_an_answer_says_why_and_harms_no_other(model, measure, options):
    """Studies 2 and 5 have no event in one arm: alone, and without a study, there is no finite effect or no pool."""
    mask = np.array([[0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]], dtype=bool)
    lone, whole, empty = fit_counts(model, _two(measure), mask, level=0.95, **options)
    assert lone.fit.estimate is None
    assert len(lone.fit.remarks) == 1
    assert lone.fit.remarks[0].endswith(".")
    assert lone.numbers == {}
    assert (lone.fit.k, whole.fit.k, empty.fit.k) == (1, 5, 0)
    assert np.isfinite([whole.fit.estimate, whole.fit.se]).all()
    assert empty.fit.estimate is None
    with pytest.raises(im.NothingToPool, match="No study is left"):
        empty.fit.required()


def test_the_common_effect_of_the_batch_is_that_of_statsmodels():
    table = pd.DataFrame({"a": A, "n1": N1, "c": C, "n2": N2})
    result = im.fit_with("logistic", table, events1="a", n1="n1", events2="c", n2="n2", measure="OR")
    own = fit_counts("logistic", _two("OR"), level=0.95)[0]
    for name in ("estimate", "se", "ci_lower", "q", "i2"):
        assert getattr(own.fit, name) == pytest.approx(getattr(result.fit, name), rel=1e-8)


@pytest.mark.parametrize(("model", "measure"), [("mh", "OR"), ("peto", "PETO"), ("logistic", "OR"), ("firth", "OR")])
def test_groups_of_a_common_effect_are_compared_by_q(model, measure):
    found = subgroup_counts(model, _two(measure), GROUPS, level=0.95)
    members = [np.array([group == level for group in GROUPS]) for level in ("x", "y")]
    fits = [fit_counts(model, _two(measure, keep), level=0.95)[0].fit for keep in members]
    assert found.levels == ("x", "y")
    assert [fit.estimate for fit in found.fits] == pytest.approx([fit.estimate for fit in fits], rel=1e-8)
    difference = fits[0].estimate - fits[1].estimate
    assert found.q_between == pytest.approx(difference**2 / (fits[0].se ** 2 + fits[1].se ** 2), rel=1e-8)
    assert (found.q_between_df, found.test, found.tau2) == (1, "Q", "separate")


def test_separate_mixed_models_are_compared_by_wald_and_one_tau2_by_the_likelihood_ratio():
    separate = subgroup_counts("glmm", _two("OR"), GROUPS, variant="CM.EL", level=0.95)
    assert separate.test == "Wald"
    common = subgroup_counts("glmm", _two("OR"), GROUPS, tau2="common", variant="CM.EL", level=0.95)
    kernel, group = Hypergeometric.of(A, N1, C, N2), np.array([group == "y" for group in GROUPS], dtype=int)

    def deviance(p, effects):
        theta = p[:-1][effects]
        return -2 * contributions(kernel, theta, np.full(6, p[-1] ** 2), nodes=121).value.sum()

    apart = optimize.minimize(deviance, [-0.5, -0.5, 0.5], args=(group,), method="Nelder-Mead",
                              options={"xatol": 1e-8, "fatol": 1e-11, "maxiter": 2000})  # fmt: skip
    one = optimize.minimize(deviance, [-0.5, 0.5], args=(0 * group,), method="Nelder-Mead",
                            options={"xatol": 1e-8, "fatol": 1e-11})  # fmt: skip
    assert common.q_between == pytest.approx(one.fun - apart.fun, abs=1e-7)
    assert [fit.estimate for fit in common.fits] == pytest.approx(apart.x[:2].tolist(), abs=1e-4)
    assert common.fits[0].tau2 == common.fits[1].tau2 == pytest.approx(apart.x[2] ** 2, abs=1e-4)
    assert (common.test, common.q_between_df) == ("LR", 1)
    assert common.p_between == pytest.approx(stats.chi2.sf(common.q_between, 1), rel=1e-10)


def test_one_correlation_for_groups_of_a_beta_binomial_model():
    x = np.array([1.0, 12, 2, 30, 9, 6])
    effects = one_arm(x, N1, measure="PLO")
    studies = CountStudies("PLO", {"events": x, "n": N1}, effects.yi, effects.vi)
    common = subgroup_counts("beta-binomial", studies, GROUPS, tau2="common", level=0.95)
    group = np.array([group == "y" for group in GROUPS], dtype=int)

    def deviance(p, effects):
        mu, phi = special.expit(p[:-1][effects]), np.exp(p[-1])
        return -2 * stats.betabinom.logpmf(x, N1, mu / phi, (1 - mu) / phi).sum()

    options = {"xatol": 1e-8, "fatol": 1e-11, "maxiter": 2000}
    apart = optimize.minimize(deviance, [-2.5, -2.5, -3], args=(group,), method="Nelder-Mead", options=options)
    one = optimize.minimize(deviance, [-2.5, -3], args=(0 * group,), method="Nelder-Mead", options=options)
    assert common.q_between == pytest.approx(one.fun - apart.fun, abs=1e-7)
    assert [fit.estimate for fit in common.fits] == pytest.approx(apart.x[:2].tolist(), abs=1e-3)


@pytest.mark.parametrize(("model", "variant"), [("glmm", "UM.RS"), ("glmm", "UM.FS"), ("beta-binomial", None)])
def test_one_group_is_the_whole_and_needs_no_test(model, variant):
    options = {} if variant is None else {"variant": variant}
    one = subgroup_counts(model, _two("OR"), ["all"] * 6, tau2="common", level=0.95, **options)
    whole = fit_counts(model, _two("OR"), level=0.95, **options)[0].fit
    assert one.fits[0].estimate == pytest.approx(whole.estimate, rel=1e-6)
    assert one.fits[0].se == pytest.approx(whole.se, rel=1e-5)
    assert one.q_between is None


def test_a_group_at_an_end_counts_in_the_likelihood_ratio_and_has_no_effect():
    groups = ["end", "end", "y", "y", "x", "x"]
    counts = {"events1": np.array([0.0, 0, 5, 7, 3, 9]), "n1": N1, "events2": C + 1, "n2": N2}
    effects = two_arm(*counts.values(), measure="OR")
    studies = CountStudies("OR", counts, effects.yi, effects.vi)
    for model, options in (("glmm", {"variant": "CM.EL"}), ("glmm", {"variant": "UM.FS"}), ("beta-binomial", {})):
        found = subgroup_counts(model, studies, groups, tau2="common", level=0.95, **options)
        assert found.fits[0].estimate is None
        assert "infinite" in found.fits[0].remarks[0]
        assert found.q_between_df == 2
        # The limit of a group whose studies have ever so little of an event.
        assert 0 < found.q_between < 30
        separate = subgroup_counts(model, studies, groups, level=0.95, **options)
        assert separate.q_between_df == 1
    with pytest.raises(im.NothingToPool, match="no event in one of its arms"):
        subgroup_counts("glmm", studies, groups, tau2="common", variant="UM.RS", level=0.95)


def test_what_subgroups_do_not_accept():
    with pytest.raises(im.InputError, match="tau2 of the subgroups was 'common'; accepted are separate"):
        subgroup_counts("mh", _two("OR"), GROUPS, tau2="common", level=0.95)
    with pytest.raises(im.InputError, match="groups has 1 labels; accepted is one for each of the 6 studies"):
        subgroup_counts("mh", _two("OR"), ["x"], level=0.95)
    with pytest.raises(im.InputError, match=r"ci \(with a common tau2\) was 'PL'; accepted are z or t"):
        subgroup_counts("glmm", _two("OR"), GROUPS, tau2="common", variant="CM.EL", ci="PL", level=0.95)
