"""What the field published on circulating IGF-1 and cancer, beside our pools of the single studies of the table.

Renehan 2004 (75th v 25th percentile: prostate 1.49, 1.14 to 1.95; premenopausal breast 1.65, 1.26 to 2.08), Rowlands
2009 (prostate per SD 1.21, 1.07 to 1.36), Roddam 2008 (prostate, fifths, 1.38), Key 2010 (breast, fifths, 1.28) and
Travis 2016 (prostate, fifths, 1.29) are rows of the table. Ours differ because the table has the single studies whose
abstracts print an interval, and pools of the original data have every study: `risk --compare` says which are missing.
The pools of prostate and breast were made with metafor 3.8-1 too (REML, Knapp-Hartung) from the same log ratios.
"""

from __future__ import annotations

import math

import pytest

import igfmeta as im

#: Row of the table -> published estimate and interval.
PUBLISHED = {
    "renehan2004-03": (1.49, 1.14, 1.95),
    "renehan2004-01": (1.65, 1.26, 2.08),
    "rowlands2009-01": (1.21, 1.07, 1.36),
    "roddam2008-01": (1.38, 1.19, 1.60),
    "key2010-01": (1.28, None, None),
    "travis2016-01": (1.29, 1.16, 1.43),
}

#: Our prospective pool on the same contrast: studies, estimate, interval.
OURS = {
    "renehan2004-03": (7, 1.27, 1.10, 1.46),
    "renehan2004-01": (5, 1.35, 0.85, 2.13),
    "rowlands2009-01": (7, 1.19, 1.07, 1.32),
    "roddam2008-01": (7, 1.64, 1.22, 2.19),
    "key2010-01": (11, 1.20, 0.91, 1.58),
    "travis2016-01": (7, 1.64, 1.22, 2.19),
}

#: metafor: rma(yi, vi, method = "REML", test = "knha"), log ratio per SD.
METAFOR = {
    "prostate": (0.176163802369, 0.072020933726, 0.280306671012, 0.000480147451),
    "breast": (0.065176721222, -0.032439178885, 0.162792621329, 0.001843848298),
}


@pytest.fixture(scope="module")
def comparisons():
    result = im.risk(im.load_evidence(tables=("associations",)), compare=True)
    return {comparison.row_id: comparison for comparison in result.comparisons}


@pytest.mark.parametrize("row_id", PUBLISHED)
def test_the_published_pool_is_a_row_of_the_table(comparisons, row_id):
    found = comparisons[row_id]
    assert (found.estimate, found.ci_lower, found.ci_upper) == PUBLISHED[row_id]


@pytest.mark.parametrize("row_id", OURS)
def test_ours_stands_beside_it_on_its_contrast(comparisons, row_id):
    own = comparisons[row_id].ours[0]
    assert own.label == "ours, prospective"
    assert (own.k, round(own.estimate, 2), round(own.ci_lower, 2), round(own.ci_upper, 2)) == OURS[row_id]


@pytest.mark.parametrize("row_id", PUBLISHED)
def test_the_intervals_overlap_and_the_difference_is_put_in_words(comparisons, row_id):
    found = comparisons[row_id]
    lower, upper = (found.ci_lower or found.estimate, found.ci_upper or found.estimate)
    assert found.ours[0].ci_lower <= upper
    assert found.ours[0].ci_upper >= lower
    facts = " ".join(found.facts)
    assert f"is {found.ours[0].estimate / found.estimate:.2f} times the published one" in facts
    assert "does not list its members" in facts


def test_pools_of_the_original_data_name_the_studies_that_print_no_interval(comparisons):
    facts = " ".join(comparisons["travis2016-01"].facts)
    for population in ("blsa", "mccs", "pcpt2013"):
        assert population in facts
    assert "a pool of the original data can hold them all the same" in facts


def test_rowlands_who_pooled_print_as_we_do_agrees_closely(comparisons):
    found = comparisons["rowlands2009-01"]
    assert math.log(found.ours[0].estimate / found.estimate) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("cancer", METAFOR)
def test_the_pools_are_those_of_metafor(cancer):
    fit = im.risk(im.load_evidence(tables=("associations",)), cancer=cancer)["prospective"].fit
    found = (fit.estimate, fit.ci_lower, fit.ci_upper, fit.tau2)
    assert found == pytest.approx(METAFOR[cancer], rel=1e-8, abs=1e-10)
