"""No, one, two and equal studies have defined answers; data that cannot be pooled are refused with the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool, pool_one
from igfmeta.models.prediction import PI_METHODS
from igfmeta.models.registry import TAU2_METHODS


def test_no_study_is_nothing_to_pool():
    with pytest.raises(NothingToPool, match="no study"):
        pool_one([], [])


@pytest.mark.parametrize("method", TAU2_METHODS)
@pytest.mark.parametrize("ci", CI_METHODS)
def test_one_study_keeps_its_own_normal_interval(method, ci):
    fit = pool_one([0.3], [0.04], method=method, ci=ci)
    assert [fit.estimate, fit.se] == pytest.approx([0.3, 0.2])
    assert [fit.ci_lower, fit.ci_upper] == pytest.approx([0.3 - 1.959964 * 0.2, 0.3 + 1.959964 * 0.2], abs=1e-6)
    assert fit.tau2 is None
    assert fit.i2 is None
    assert fit.pi_lower is None
    assert any("One study" in remark for remark in fit.remarks)


@pytest.mark.parametrize("pi", PI_METHODS)
def test_two_studies_have_a_prediction_interval_only_with_a_degree_of_freedom(pi):
    fit = pool_one([0.1, 0.5], [0.04, 0.05], pi=pi, ci="HK")
    assert (fit.pi_lower is None) == (pi in ("HTS", "HK-PR", "KR-PR") and fit.pi_df is None)
    if fit.pi_lower is None:
        assert any(f"prediction interval {pi}" in remark for remark in fit.remarks)


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_equal_effects_have_no_heterogeneity_and_an_interval_with_width(method):
    fit = pool_one([0.2] * 5, [0.01, 0.02, 0.03, 0.02, 0.05], method=method)
    assert fit.estimate == pytest.approx(0.2, rel=1e-14)
    assert fit.tau2 == 0
    assert fit.q == 0
    assert fit.ci_upper > fit.ci_lower
    assert any("identical" in remark for remark in fit.remarks)


def test_no_number_of_a_fit_is_nan():
    for y, v in (([0.1], [1.0]), ([0.1, 0.1], [1.0, 2.0]), ([0.0, 5.0], [1e-6, 1e-6]), ([1.0, 2.0, 3.0], [1, 1, 1])):
        for value in pool_one(y, v).to_dict().values():
            assert not (isinstance(value, float) and np.isnan(value))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_variances_that_cannot_be_are_refused_with_the_row(bad):
    with pytest.raises(InputError, match=r"row 2, column vi: vi is .*above 0"):
        pool_one([0.1, 0.2, 0.3], [0.1, bad, 0.1])


def test_every_bad_row_is_named_at_once():
    with pytest.raises(InputError) as caught:
        pool_one([np.nan, 0.2, np.inf], [0.1, -1, 0.1])
    assert [(p.row, p.column) for p in caught.value.problems] == [(1, "yi"), (3, "yi"), (2, "vi")]


def test_numeric_strings_are_refused():
    with pytest.raises(InputError, match="holds text"):
        pool_one(["0.1", "0.2"], [0.1, 0.2])


def test_lengths_that_differ_are_refused():
    with pytest.raises(InputError, match="equal shapes"):
        pool_one([0.1, 0.2, 0.3], [0.1, 0.2])


def test_labelled_columns_that_are_not_aligned_are_refused():
    yi, vi = pd.Series([0.1, 0.2], index=["a", "b"]), pd.Series([0.02, 0.01], index=["b", "a"])
    with pytest.raises(InputError, match="align them first"):
        pool_one(yi, vi)
    assert pool_one(yi, vi.reindex(yi.index)).k == 2


@pytest.mark.parametrize(
    ("option", "accepted"),
    [({"method": "REM"}, "REML"), ({"ci": "hartung"}, "HK-floor"), ({"pi": "x"}, "HTS"), ({"tau2_ci": "x"}, "QP"),
     ({"level": 95}, "0.95"), ({"level": True}, "0.95")],
)  # fmt: skip
def test_options_that_are_not_accepted_list_what_is(option, accepted):
    with pytest.raises(InputError, match=accepted):
        pool_one([0.1, 0.2], [0.1, 0.2], **option)


def test_a_profile_likelihood_needs_a_likelihood():
    with pytest.raises(InputError, match="needs method ML or REML"):
        pool_one([0.1, 0.2], [0.1, 0.2], method="DL", tau2_ci="PL")


def test_a_batch_with_an_empty_data_set_answers_for_the_others():
    batch = pool([[0.1, 0.2], [0.3, 0.4]], [[0.1, 0.1]] * 2, mask=[[True, True], [False, False]])
    assert batch.one(0).k == 2
    assert np.isnan(batch.estimate[1])
    with pytest.raises(NothingToPool):
        batch.one(1)


def test_masks_must_fit():
    with pytest.raises(InputError, match="mask holds int64"):
        pool([0.1, 0.2], [0.1, 0.1], mask=[[1, 0]])
    with pytest.raises(InputError, match="mask has shape"):
        pool([0.1, 0.2], [0.1, 0.1], mask=[[True, False, True]])


def test_a_hartung_knapp_interval_that_is_narrower_than_the_normal_one_says_so():
    alike = [0.10, 0.11, 0.12], [0.04, 0.05, 0.06]
    said = "narrower than the normal one"
    found, normal = pool_one(*alike), pool_one(*alike, ci="z")
    assert found.ci_upper - found.ci_lower < normal.ci_upper - normal.ci_lower
    assert any(said in remark for remark in found.remarks)
    for options in ({"ci": "HK-floor"}, {"ci": "z"}):
        assert not any(said in remark for remark in pool_one(*alike, **options).remarks)
    apart = [0.10, 0.11, 0.52], [0.04, 0.05, 0.06]
    assert not any(said in remark for remark in pool_one(*apart).remarks)
