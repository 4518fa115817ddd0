"""What new evidence does to every pooled effect: each before and after, as `pool` gives them."""

from __future__ import annotations

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.synthesis.effect_diff import diff
from igfmeta.synthesis.pooling import pool


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(tables=["trials"]).select(outcome=["os", "pfs", "efs", "ttp"], design="randomized")


@pytest.fixture(scope="module")
def without(evidence):
    """Return the evidence before GAMMA was published."""
    return evidence.select(study=sorted(set(evidence.trials["study_id"]) - {"fuchs2015"}))


@pytest.fixture(scope="module")
def found(evidence, without):
    return diff(without, evidence, by=["class"])


def test_each_effect_is_that_of_pool_before_and_after(evidence, without, found):
    change = next(each for each in found.effects if each.effect.question.startswith("Overall survival")
                  and each.effect.group == "Anti-IGF-1R antibodies")  # fmt: skip
    for effect, rows in ((change.old, without), (change.new, evidence)):
        pooled = pool(rows, outcome="os", agent_class="antibody", by="none")["os"].overall
        assert effect.k == pooled.fit.k
        assert effect.estimate == pytest.approx(pooled.natural(pooled.fit.estimate), rel=1e-8)
        assert effect.posterior_median == pytest.approx(pooled.natural(pooled.posterior.mu_median), rel=1e-6)
        assert effect.probability == pytest.approx(pooled.p_benefit, rel=1e-6)
    assert change.new.k == change.old.k + 1
    assert not change.same


def test_pools_that_the_new_trial_is_not_in_are_the_same(found):
    moved = {each.effect.group for each in found.effects if not each.same}
    assert moved == {"All studies", "Anti-IGF-1R antibodies"}
    assert "Kinase inhibitors of IGF-1R and the insulin receptor" not in moved
    assert len(found.effects) > 2 * len(moved)


def test_a_conclusion_that_turns_is_said_in_both_directions(evidence, without, found):
    turned = {(each.effect.question, each.effect.group): each.turned for each in found.effects if each.turned}
    assert turned == {("Progression (HR)", "All studies"): "the interval no longer excludes no effect"}
    back = diff(evidence, without, by=["class"])
    assert [each.turned for each in back.effects if each.turned] == ["the interval now excludes no effect"]


def test_a_pool_without_studies_came_or_went(evidence):
    before = evidence.select(agent_class="antibody")
    came = [each for each in diff(before, evidence, by=["class"]).effects if each.old is None]
    assert came
    assert all(each.new.k > 0 and not each.same and each.turned is None for each in came)
    assert "estimate_new" in diff(before, evidence, by=["class"]).to_frame()


def test_evidence_without_the_class_on_one_side_is_compared_with_nothing(evidence):
    before = evidence.select(agent_class="tki")
    found = diff(before, evidence, by=["none"], agent_class="antibody")
    assert {each.old for each in found.effects} == {None}


def test_what_is_not_accepted_is_listed(evidence):
    with pytest.raises(InputError, match="accepted are class, agent"):
        diff(evidence, evidence, by=["frog"])
    with pytest.raises(InputError, match="antibody"):
        diff(evidence, evidence, agent_class="frog")
