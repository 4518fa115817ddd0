"""The next trial: its predicted effect, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import igfmeta as im
from igfmeta.synthesis.decisions import predict

WHERE = {"agent_class": "antibody", "tumor": "nsclc"}


@pytest.fixture(scope="module")
def model():
    return im.hierarchy(im.load_evidence(), outcome="progression")


def test_a_prediction_is_the_distribution_of_a_new_trial(model, rng):
    # A draw of the sds, the cell's mean given it, a new agent, a new study.
    p, cell = model.posterior, model.keys.index(("antibody", "nsclc"))
    i = rng.choice(len(p.weights), 400_000, p=p.weights)
    effects = rng.normal(p.mean[i, cell], np.sqrt(p.variance[i, cell] + p.new_variance[i]))
    found = predict(model, **WHERE)
    assert found.cell.predicted == pytest.approx(math.exp(np.median(effects)), abs=0.003)
    assert found.p_benefit == pytest.approx(np.mean(effects < 0), abs=0.004)
    assert found.p_relevant == pytest.approx(np.mean(effects < math.log(0.8)), abs=0.003)
    assert [found.cell.pi_lower, found.cell.pi_upper] == pytest.approx(
        np.exp(np.quantile(effects, [0.025, 0.975])), abs=0.01
    )


def test_more_is_better_for_a_response():
    model = im.hierarchy(im.load_evidence(), outcome="orr", measure="OR")
    found = predict(model, **WHERE)
    assert (found.cell.predicted > 1) == (found.p_benefit > 0.5)
    assert found.p_relevant < found.p_benefit


def test_a_place_that_is_not_in_the_model(model):
    with pytest.raises(im.InputError, match="tumor was 'moon'; accepted are"):
        predict(model, agent_class="antibody", tumor="moon")


def test_a_rate_is_compared_with_the_relevant_one_alone(rng):
    model = im.hierarchy(im.load_evidence(), outcome="orr", relevant=0.15)
    found = predict(model, agent_class="antibody", tumor="ewing_sarcoma")
    assert found.p_benefit is None
    p, cell = model.posterior, model.keys.index(("antibody", "ewing_sarcoma"))
    i = rng.choice(len(p.weights), 400_000, p=p.weights)
    rates = 1 / (1 + np.exp(-rng.normal(p.mean[i, cell], np.sqrt(p.variance[i, cell] + p.new_variance[i]))))
    assert found.p_relevant == pytest.approx(np.mean(rates > 0.15), abs=0.003)


def test_an_average_is_a_place_too():
    model = im.hierarchy(im.load_evidence(), outcome="os")
    assert predict(model, agent_class="antibody", tumor="all").cell in model.averages
    one_class = im.hierarchy(im.load_evidence(), outcome="os", agent_class="antibody")
    with pytest.raises(im.InputError, match="no cell of class 'antibody' and tumor 'all'"):
        predict(one_class, agent_class="antibody", tumor="all")
