"""Antibodies against the IGF-1 receptor: the built-in pools beside the published meta-analysis of Qu et al. (2017).

Published (17 trials): overall survival HR 1.08, 0.97 to 1.21, I2 37 %; progression-free survival 1.05, 0.98 to 1.12.

What differs between the data sets: here a hazard ratio enters only where its interval or p-value could be read and the
comparison isolates the antibody (8 studies for survival, 12 for progression); medians are not made into hazard ratios;
two doses with one control arm count as one study, with their covariance; the retracted trial is out; trials published
after 2017 are in; progression counts event-free survival or time to progression where a trial reports no PFS.
"""

from __future__ import annotations

import pytest

import igfmeta as im

PUBLISHED = {"os": (1.08, 0.97, 1.21), "progression": (1.05, 0.98, 1.12)}


@pytest.fixture(scope="module")
def result():
    return im.pool(im.load_evidence(), agent_class="antibody", outcome=["os", "progression"], by="none")


@pytest.mark.parametrize("outcome", PUBLISHED)
def test_the_built_in_pool_is_near_the_published_one(result, outcome):
    estimate, lower, upper = PUBLISHED[outcome]
    overall = result[outcome].overall
    ours = [overall.natural(v) for v in (overall.fit.estimate, overall.fit.ci_lower, overall.fit.ci_upper)]
    assert ours[0] == pytest.approx(estimate, abs=0.05)
    assert lower < ours[0] < upper
    assert ours[1] < estimate < ours[2]
    assert (ours[1] < 1 < ours[2]) == (lower < 1 < upper)


def test_what_is_pooled_is_what_this_page_says(result):
    assert [result[name].overall.fit.k for name in PUBLISHED] == [8, 12]
    studies = {study.study_id for name in PUBLISHED for study in result[name].overall.studies}
    assert "karp2009" not in studies
