"""Several outcomes of the evidence at once: contrasts are matched, sampling errors correlate, tables hold together."""

from __future__ import annotations

import json
import math
from importlib import resources

import jsonschema
import numpy as np
import pytest

import igfmeta as im
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.trust import examine
from igfmeta.cli.output import rendered
from igfmeta.plots.joint_figure import joint_figure
from igfmeta.report.joint_summary import tables
from igfmeta.synthesis.joint import joint
from igfmeta.synthesis.joint_inputs import checked_within, joint_data, outcome_data, reported_together


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


@pytest.fixture(scope="module")
def data(evidence):
    names = ("os", "progression", "orr")
    return outcome_data(evidence, names, use="primary", level=0.95, agent_class=("antibody",))


def test_effects_of_one_contrast_are_matched_across_outcomes(data):
    made = joint_data(data, checked_within(data, None))
    assert made.names == ("os", "progression", "orr")
    assert len(made.y) == len(data[0].studies) + len(data[1].studies)
    for i in (0, 1):
        rows = np.flatnonzero(made.outcome == i)
        for row, study in zip(rows, data[i].studies, strict=True):
            others = [s.study_id for s in data[1 - i].studies]
            partner = np.flatnonzero((made.contrast == made.contrast[row]) & (made.outcome == 1 - i))
            assert len(partner) == (study.study_id in others)
            for p in partner:
                rho = made.covariance[row, p] / math.sqrt(made.covariance[row, row] * made.covariance[p, p])
                assert rho == pytest.approx(0.6)
    assert reported_together(data)["os", "progression"] == 8


def test_sampling_errors_go_together_in_the_sense_of_benefit(data):
    chosen = checked_within(data, {("progression", "os"): 0.3})
    assert chosen == {("os", "progression"): 0.3, ("os", "orr"): -0.4, ("progression", "orr"): -0.4}


def test_response_holds_the_counts_of_both_arms(data):
    arms = joint_data(data, checked_within(data, None)).responses
    assert arms.outcome == 2
    np.testing.assert_array_equal(arms.control_events[arms.control], data[2].counts[:, 2])
    np.testing.assert_array_equal(arms.events, data[2].counts[:, 0])


@pytest.fixture(scope="module")
def result(evidence):
    hasty = Plan(draws=150, tune=250, chains=2, cores=1, seed=4, sampler="nutpie")
    return joint(evidence, outcomes=("os", "progression"), agent_class=("antibody",), plan=hasty)


def test_every_outcome_and_pair_is_there(result):
    assert [o.name for o in result.outcomes] == ["os", "progression"]
    for outcome in result.outcomes:
        assert outcome.pi_lower < outcome.ci_lower < outcome.median < outcome.ci_upper < outcome.pi_upper
        assert outcome.alone_lower < outcome.alone_median < outcome.alone_upper
        assert 0 <= outcome.p_relevant <= outcome.p_benefit <= 1
    (pair,) = result.pairs
    assert (pair.predictor, pair.predicted, pair.trials) == ("progression", "os", 8)
    assert -1 < pair.ci_lower < pair.correlation < pair.ci_upper < 1
    assert len(result.to_frame()) == 2


def test_draws_can_be_examined_by_trial(result):
    found = examine(result.sampled.tree)
    assert found.missing == ()
    assert len(found.left_out.units) == result.trials
    assert len(found.replicated) == sum(outcome.k for outcome in result.outcomes)


def test_the_figure_has_each_outcome_alone_and_together(result):
    texts = [text.get_text() for text in joint_figure(result).axes[0].texts]
    for o in result.outcomes:
        assert f"{o.label} (HR, k = {o.k})" in texts
        assert f"{o.median:.2f} ({o.ci_lower:.2f}, {o.ci_upper:.2f})" in texts
        assert f"{o.alone_median:.2f} ({o.alone_lower:.2f}, {o.alone_upper:.2f})" in texts


def test_too_few_draws_are_said(result):
    assert result.warnings
    for shape in ("table", "markdown"):
        assert "Warning: " in rendered(result, tables, shape)
    payload = json.loads(rendered(result, tables, "json"))
    schema = resources.files("igfmeta").joinpath("schemas/joint.schema.json").read_text()
    jsonschema.validate(payload, json.loads(schema))
    assert payload["warnings"]
    assert max(map(len, rendered(result, tables, "table").splitlines())) <= 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcomes": ("os",)}, "two outcomes at least, and there is 1: os"),
        ({"outcomes": ("orr", "dcr")}, "one outcome that is counted"),
        ({"outcomes": ("progression", "pfs")}, "overlap"),
        ({"outcomes": ("os", "nothing")}, "nothing"),
        ({"within": {("os", "ttp"): 0.5}}, "within was given for os,ttp; accepted are os,progression"),
        ({"within": {("os", "progression"): 1.0}}, "a number between -1 and 1"),
        ({"priors": {"pfs": None}}, "A prior was given for pfs"),
        ({"relevant": 1.2}, "a ratio between 0 and 1"),
        ({"lkj": -1}, "LKJ"),
    ],
)
def test_what_cannot_be_asked(evidence, options, message):
    with pytest.raises(im.InputError, match=message):
        joint(evidence, **options)


def test_an_outcome_with_a_single_study(evidence):
    with pytest.raises(im.NothingToPool, match="a joint model needs two of each outcome"):
        joint(evidence, outcomes=("os", "progression"), agent_class=("bispecific_antibody",))
