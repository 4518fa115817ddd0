"""Class x tumour on the evidence: every cell, the same studies as a pool, and options that are checked."""

from __future__ import annotations

import json
import math

import pytest

import igfmeta as im
from igfmeta.bayes.tau_priors import HalfNormal


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


@pytest.fixture(scope="module")
def result(evidence):
    return im.hierarchy(evidence, outcome="progression")


def test_a_prior_that_the_studies_leave_nothing_to_say_is_remarked_on():
    evidence = im.load_evidence()
    found = im.hierarchy(evidence, outcome="os", agent_class="antibody", priors={"class": HalfNormal(0.2)})
    assert "class" not in [source.name for source in found.sources]
    assert any("The prior of class says nothing" in remark for remark in found.remarks)


def test_every_cell_is_there_empty_ones_included(result):
    classes, tumors = {c.agent_class for c in result.cells}, {c.tumor for c in result.cells}
    assert len(result.cells) == len(classes) * len(tumors)
    assert sum(c.k for c in result.cells) == len(result.studies)
    assert any(c.k == 0 for c in result.cells)
    assert any("cells have no study" in remark for remark in result.remarks)


def test_the_studies_are_those_of_a_pool(evidence, result):
    pooled = im.pool(evidence, outcome="progression", by="none")["progression"].overall.studies
    assert [s.row_ids for s in result.studies] == [s.row_ids for s in pooled]


def test_a_cell_is_drawn_from_its_own_studies_towards_the_rest(evidence, result):
    own = im.pool(evidence, outcome="progression", agent_class="antibody", tumor="prostate", by="none")[
        "progression"
    ].overall
    raw = own.natural(own.fit.estimate)
    cell = next(c for c in result.cells if (c.agent_class, c.tumor) == ("Anti-IGF-1R antibodies", "Prostate cancer"))
    overall = im.pool(evidence, outcome="progression", by="none")["progression"].overall
    assert overall.natural(overall.fit.estimate) < cell.median < raw


def test_numbers_are_in_order(result):
    for cell in result.cells:
        assert cell.pi_lower < cell.ci_lower < cell.median < cell.ci_upper < cell.pi_upper
        assert 0 <= cell.p_relevant <= cell.p_benefit <= 1
        assert cell.borrowed >= 0
    assert sum(s.share for s in result.sources) == pytest.approx(1)
    assert result.effective_draws > 400


def test_by_one_factor(evidence):
    one = im.hierarchy(evidence, outcome="os", by="tumor")
    assert [s.name for s in one.sources] == ["tumor", "agent", "study"]
    assert {c.agent_class for c in one.cells} == {"all"}


def test_narrow_priors_pull_the_cells_together(evidence, result):
    tight = dict.fromkeys(("class", "tumor", "class:tumor", "agent"), HalfNormal(0.01))
    pulled = im.hierarchy(evidence, outcome="progression", priors=tight)
    spread = [
        max(math.log(c.median) for c in r.cells) - min(math.log(c.median) for c in r.cells) for r in (result, pulled)
    ]
    assert spread[1] < 0.1 * spread[0]


def test_json_has_no_nan(result):
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert payload["sampling"]["seed"] == 1
    assert len(payload["cells"]) == len(result.cells)
    assert len(result.to_frame()) == len(result.cells) + len(result.averages)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "oss"}, "outcome was 'oss'"),
        ({"by": "agent"}, "class or tumor"),
        ({"by": ()}, "by was empty"),
        ({"relevant": 1.5}, "between 0 and 1"),
        ({"priors": {"phase": HalfNormal(1)}}, "no component phase"),
        ({"level": 2}, "level was 2"),
        ({"use": "x"}, "primary or sensitivity"),
    ],
)
def test_what_cannot_be_asked(evidence, options, message):
    with pytest.raises(im.InputError, match=message):
        im.hierarchy(evidence, **options)


def test_counted_outcomes_of_one_arm_are_rates(evidence):
    response = im.hierarchy(evidence, outcome="orr")
    assert response.question.measure == "PLO"
    assert all(0 < cell.ci_lower < cell.median < cell.ci_upper < 1 for cell in response.cells)


def test_an_outcome_of_which_more_is_better(evidence):
    response = im.hierarchy(evidence, outcome="orr", measure="OR")
    assert response.question.measure == "OR"
    for cell in response.cells:
        assert (cell.p_benefit > 0.5) == (cell.median > 1)
        assert cell.p_relevant <= cell.p_benefit


def test_nothing_to_pool(evidence):
    with pytest.raises(im.NothingToPool):
        im.hierarchy(evidence, agent="igv-001", outcome="efs")
    with pytest.raises(im.NothingToPool, match="two at least"):
        im.hierarchy(evidence, agent_class="tki", outcome="os")
