"""Influence, small-study effects and sensitivity from Python, of a pool and of a table."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import igfmeta as im
from igfmeta.synthesis.checks import checks_of
from igfmeta.synthesis.study_sets import sets_of_pool


@pytest.fixture(scope="module")
def pooled():
    return im.pool(im.load_evidence(), agent_class="antibody", outcome="os", by="none", method="DL", ci="z")


def test_a_pool_is_checked_with_its_own_methods(pooled):
    found = im.influence(pooled, cumulative="year")
    assert (found.methods.method, found.methods.ci) == ("DL", "z")
    fit = pooled["os"].overall.fit
    assert found.sets[0].influence.fit.estimate == pytest.approx(fit.estimate, rel=1e-12)
    assert found.sets[0].cumulative.fits.estimate[-1] == pytest.approx(fit.estimate, rel=1e-12)
    rows = im.sensitivity(pooled, variants={"All rows": pooled}).sets[0].choices
    assert [c.estimate for c in rows if c.chosen or c.name == "All rows"] == pytest.approx([fit.estimate] * 2)


def test_the_checks_of_rates_are_of_the_pool_that_is_shown():
    result = im.pool(im.load_evidence(), outcome="orr", measure="PLO", tumor="ewing_sarcoma", by="none")
    fit = result.answers[0].overall.fit
    found = checks_of(result.answers[0], origin=result.origin)
    for own in (found.influence.influence.fit, found.bias.fit, found.sensitivity.fit):
        numbers = [own.estimate, own.ci_lower, own.ci_upper, own.tau2, own.q]
        assert numbers == pytest.approx([fit.estimate, fit.ci_lower, fit.ci_upper, fit.tau2, fit.q], rel=1e-9)
    assert found.influence.cumulative.fits.estimate[-1] == pytest.approx(fit.estimate, rel=1e-9)


def test_a_set_knows_the_counts_and_years_of_its_studies(pooled):
    studies = sets_of_pool(pooled, cluster="agent")[0]
    assert studies.k == len(pooled["os"].overall.studies)
    assert studies.favoured == "less"
    assert len(studies.clusters) == studies.k
    assert (studies.years > 2000).all()


def test_results_draw_themselves(pooled):
    found = im.influence(pooled)
    assert found._repr_html_().startswith("<svg")
    assert set(found.figures("panel", "baujat")) == {"panel", "baujat"}
    assert "Overall survival" in im.sensitivity(pooled)._repr_html_()
    refused = im.bias(pooled)
    assert "not advised" in refused.sets[0].refused
    assert refused._repr_html_().startswith("<svg")


def test_every_number_is_json(pooled):
    options = im.BiasOptions(force=True, parts=("tests", "adjusted", "significance"))
    for found in (im.influence(pooled, gosh=True), im.bias(pooled, options=options), im.sensitivity(pooled)):
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["sets"][0]["measure"] == "HR"
        assert len(found.to_frame())


def test_a_sample_of_no_subsets_is_refused():
    table = pd.DataFrame({"y": [0.1, 0.3, 0.8, 0.2], "v": [0.01, 0.02, 0.05, 0.02]})
    with pytest.raises(im.InputError, match="subsets was 0"):
        im.influence(table, yi="y", vi="v", subsets=0)
