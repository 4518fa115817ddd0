"""The next trial: its predicted effect and its chance of success, in closed form and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

import igfmeta as im
from igfmeta.synthesis.decisions import assurance, predict

WHERE = {"agent_class": "antibody", "tumor": "nsclc"}


@pytest.fixture(scope="module")
def model():
    return im.hierarchy(im.load_evidence(), outcome="progression")


def _simulated_effects(model, rng, n=400_000):
    """Draw the effect of a new trial: a draw of the sds, the cell's mean given it, a new agent, a new study."""
    p, cell = model.posterior, model.keys.index(("antibody", "nsclc"))
    i = rng.choice(len(p.weights), n, p=p.weights)
    return rng.normal(p.mean[i, cell], np.sqrt(p.variance[i, cell] + p.new_variance[i]))


def test_a_prediction_is_the_distribution_of_a_new_trial(model, rng):
    found, effects = predict(model, **WHERE), _simulated_effects(model, rng)
    assert found.median == pytest.approx(math.exp(np.median(effects)), abs=0.003)
    assert found.p_benefit == pytest.approx(np.mean(effects < 0), abs=0.004)
    assert found.p_relevant == pytest.approx(np.mean(effects < math.log(0.8)), abs=0.003)
    assert [found.cell.pi_lower, found.cell.pi_upper] == pytest.approx(
        np.exp(np.quantile(effects, [0.025, 0.975])), abs=0.01
    )


def test_assurance_is_the_share_of_simulated_trials_that_succeed(model, rng):
    effects = _simulated_effects(model, rng)
    for success in assurance(model, **WHERE, events=[100, 400], alpha=0.05, sides=2, allocation=2.0):
        se = math.sqrt(9 / (2 * success.events))
        observed = rng.normal(effects, se)
        significant = observed / se < -norm.ppf(0.975)
        assert success.assurance == pytest.approx(significant.mean(), abs=0.003)
        assert success.boundary == pytest.approx(math.exp(-norm.ppf(0.975) * se))


def test_power_at_the_relevant_ratio_is_schoenfelds():
    model = im.hierarchy(im.load_evidence(), outcome="os", relevant=0.7)
    # 4 (1.96 + 1.2816)^2 / log(0.7)^2 = 330.4 events give a power of 90 %.
    success = assurance(model, **WHERE, events=[331])[0]
    assert success.power == pytest.approx(0.9, abs=0.001)


def test_assurance_never_goes_beyond_the_probability_of_benefit(model):
    limit = predict(model, **WHERE).p_benefit
    found = [s.assurance for s in assurance(model, **WHERE, events=[50, 500, 5000, 10**8])]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(limit, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"events": []}, "events was"),
        ({"events": [0]}, "whole numbers above 0"),
        ({"events": [10.5]}, "whole numbers"),
        ({"events": [100], "alpha": 0.7}, "between 0 and 0.5"),
        ({"events": [100], "sides": 3}, "1 and 2"),
        ({"events": [100], "allocation": 0}, "a ratio above 0"),
        ({"events": [100], "tumor": "moon"}, "tumor was 'moon'; accepted are"),
    ],
)
def test_designs_that_cannot_be(model, options, message):
    with pytest.raises(im.InputError, match=message):
        assurance(model, **{**WHERE, **options})


def test_a_response_has_no_events_of_a_log_rank_test():
    model = im.hierarchy(im.load_evidence(), outcome="orr")
    with pytest.raises(im.InputError, match="has no hazard ratio"):
        assurance(model, agent_class="antibody", tumor="nsclc", events=[100])
