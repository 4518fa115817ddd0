"""Means and correlations: figures of metafor's escalc, brute force, and what cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from igfmeta.effects.continuous import correlations, small_sample_factor, two_means
from igfmeta.errors import InputError

#: Normand 1999, table 1: length of stay in hospital, specialist stroke care against routine.
NORMAND = {
    "mean1": [55, 27, 64, 66, 14, 19, 52, 21, 30],
    "sd1": [47, 7, 17, 20, 8, 7, 45, 16, 27],
    "n1": [155, 31, 75, 18, 8, 57, 34, 110, 60],
    "mean2": [75, 29, 119, 137, 18, 18, 41, 31, 23],
    "sd2": [64, 4, 29, 48, 11, 4, 34, 27, 20],
    "n2": [156, 32, 71, 18, 13, 52, 33, 183, 52],
}

#: escalc of metafor 3.8-1 on these data.
ESCALC = {
    "SMD": (
        [-0.35516964094010689, -0.34794002273909852, -2.3175691601637305, -1.8879822529368466, -0.38396414116970129,
         0.17214866906959103, 0.2720520738529319, -0.42459627189426086, 0.28955623008075509],
        [0.013064675541529683, 0.064468876098856681, 0.045812110280182811, 0.16061773593617348, 0.20543327839222422,
         0.036910570000361909, 0.060267125836432664, 0.014863038419332694, 0.036271734158054549],
    ),
    "ROM": (
        [-0.31015492830383962, -0.071458963982144977, -0.62024040975185757, -0.73032618380169934, -0.25131442828090605,
         0.054067221270275793, 0.23767165187711956, -0.38946476676172331, 0.26570316573300568],
        [0.0093790832606081877, 0.0027627678536805609, 0.0017772124092750191, 0.011921276233641722,
         0.069543771924724301, 0.0033309671254949966, 0.042865158838181115, 0.0094225345922080636,
         0.028041224371092046],
    ),
    "MD": (
        [-20, -2, -55, -71, -4, 1, 11, -10, 7],
        [40.50802315963606, 2.0806451612903225, 15.698403755868545, 150.22222222222223, 17.307692307692307,
         1.1673414304993253, 94.589126559714799, 6.3108792846497765, 19.842307692307692],
    ),
}  # fmt: skip


@pytest.mark.parametrize("measure", ESCALC)
def test_normand_1999_is_that_of_escalc(measure):
    found, (yi, vi) = two_means(**NORMAND, measure=measure), ESCALC[measure]
    np.testing.assert_allclose(found.yi, yi, rtol=1e-12)
    np.testing.assert_allclose(found.vi, vi, rtol=1e-12)
    assert found.usable.all()


def test_the_small_sample_factor_makes_d_unbiased():
    """E(d) = delta / J for the noncentral t that d is: integrated numerically."""
    n, delta = 6.0, 0.8
    scale = np.sqrt(n / 2)
    d = integrate.quad(lambda t: t / scale * stats.nct.pdf(t, 2 * n - 2, delta * scale), -np.inf, np.inf)[0]
    assert small_sample_factor(np.array([2 * n - 2]))[0] * d == pytest.approx(delta, rel=1e-7)


def test_swapping_the_arms_changes_the_sign_alone():
    swapped = {name[:-1] + ("2" if name[-1] == "1" else "1"): values for name, values in NORMAND.items()}
    for measure in ESCALC:
        here, there = two_means(**NORMAND, measure=measure), two_means(**swapped, measure=measure)
        np.testing.assert_allclose(there.yi, -here.yi, rtol=1e-12)
        np.testing.assert_allclose(there.vi, here.vi, rtol=1e-12)


def test_standardized_differences_and_ratios_do_not_know_the_unit():
    scaled = {name: np.multiply(values, 1 if name[0] == "n" else 24) for name, values in NORMAND.items()}
    for measure in ("SMD", "ROM"):
        here, there = two_means(**NORMAND, measure=measure), two_means(**scaled, measure=measure)
        np.testing.assert_allclose(there.yi, here.yi, rtol=1e-12)
        np.testing.assert_allclose(there.vi, here.vi, rtol=1e-12)


def test_means_that_cannot_be_used_say_why():
    rows = {"mean1": [1, np.nan, -2, 3], "sd1": [0, 1, 1, 1], "n1": 10, "mean2": [1, 2, 3, 3], "sd2": [0, 1, 1, 1]}
    found = two_means(**rows, n2=12, measure="ROM")
    assert found.reason == (
        "standard deviations of 0",
        "a mean, standard deviation or number of patients is blank",
        "means that are 0 or of different signs have no ratio",
        None,
    )


def test_impossible_means_are_refused_together():
    with pytest.raises(InputError) as caught:
        two_means([1, 2], [-1, 1], [10, 1], [1, 2], [1, 1], [9.5, 10], measure="MD")
    assert [(p.row, p.column) for p in caught.value.problems] == [(2, "n1"), (1, "sd1"), (1, "n2")]
    with pytest.raises(InputError, match="MD, SMD or ROM"):
        two_means([1], [1], [9], [1], [1], [9], measure="OR")


def test_correlations_are_those_of_escalc():
    """The first three studies of McDaniel 1994 as metafor 3.8-1 converts them."""
    z = correlations([0.0, 0.06, 0.36], [123, 95, 69], measure="ZCOR")
    np.testing.assert_allclose(z.yi, [0, 0.060072155921031704, 0.37688590118818999], rtol=1e-14)
    np.testing.assert_allclose(z.vi, [0.0083333333333333332, 0.010869565217391304, 0.015151515151515152], rtol=1e-14)
    r = correlations([0.0, 0.06, 0.36], [123, 95, 69], measure="COR")
    np.testing.assert_allclose(r.vi, [0.0081967213114754103, 0.010561839999999998, 0.011141120000000001], rtol=1e-14)


def test_correlations_that_cannot_be_used():
    found = correlations([1.0, np.nan], [20, 20], measure="ZCOR")
    assert found.reason == (
        "a correlation of 1 or -1 has no sampling variance",
        "the correlation or the sample size is blank",
    )
    with pytest.raises(InputError, match="a correlation, -1 to 1"):
        correlations([1.2], [20], measure="ZCOR")
    with pytest.raises(InputError, match="4 or more"):
        correlations([0.2], [3], measure="COR")
