"""The chance that the next trial succeeds: in closed form, by simulation, and at the limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom, norm

import igfmeta as im
from igfmeta.synthesis.assurance import assurance, spread
from igfmeta.synthesis.decisions import new_trial, position_of
from igfmeta.synthesis.power import exact_boundary, two_proportions_power, z_statistic
from igfmeta.synthesis.trial_designs import Design

WHERE = {"agent_class": "antibody", "tumor": "nsclc"}


@pytest.fixture(scope="module")
def model():
    return im.hierarchy(im.load_evidence(), outcome="progression")


@pytest.fixture(scope="module")
def response():
    return im.hierarchy(im.load_evidence(), outcome="orr", measure="OR")


def as_rate(model, logit_rate, sd):
    """Return a model of the rate of one arm whose new trial is normal on the logit scale."""
    question = replace(model.question, measure="PLO", arms="single_arm", better="higher")
    return replace(model, question=question, posterior=concentrated(model, logit_rate, sd))


def concentrated(model, mean, sd):
    """Return a posterior in which a new trial's effect is normal: mean, sd."""
    p = model.posterior
    return replace(
        p, mean=np.full_like(p.mean, mean), variance=np.full_like(p.variance, sd**2), new_variance=0 * p.new_variance
    )


def simulated_effects(model, rng, n=400_000):
    """Draw the effect of a new trial: a draw of the sds, the cell's mean given it, a new agent, a new study."""
    p, cell = model.posterior, position_of(model, **WHERE)
    i = rng.choice(len(p.weights), n, p=p.weights)
    return rng.normal(p.mean[i, cell], np.sqrt(p.variance[i, cell] + p.new_variance[i]))


def test_assurance_by_events_is_that_of_the_closed_form(model):
    effect, z = new_trial(model, position_of(model, **WHERE)), norm.ppf(0.975)
    for trial in assurance(model, **WHERE, sizes=[3, 50, 400, 10**6], design=Design(allocation=2.0)).trials:
        se = math.sqrt(9 / (2 * trial.events))
        exact = effect.weight[0] @ norm.cdf((effect.mean[0] - z * se) / np.sqrt(effect.sd[0] ** 2 + se**2))
        assert trial.assurance == pytest.approx(exact, abs=1e-7)
        assert trial.boundary == pytest.approx(math.exp(-z * se))


def test_assurance_is_the_share_of_simulated_trials_that_succeed(model, rng):
    effects = simulated_effects(model, rng)
    for trial in assurance(model, **WHERE, sizes=[100, 400], design=Design(alpha=0.05, sides=2)).trials:
        se = math.sqrt(4 / trial.events)
        share = np.mean(rng.normal(effects, se) / se < -norm.ppf(0.975))
        assert trial.assurance == pytest.approx(share, abs=0.003)


def test_patients_are_worth_the_events_that_are_expected_of_them(model):
    by_patients = assurance(model, **WHERE, sizes=[200], unit="patients", design=Design(event_rate=0.6)).trials[0]
    by_events = assurance(model, **WHERE, sizes=[240]).trials[0]
    assert by_patients.patients == 200
    assert by_patients.events == pytest.approx(240)
    assert by_patients.assurance == pytest.approx(by_events.assurance)
    assert by_patients.power == pytest.approx(by_events.power)


def test_power_at_the_relevant_ratio_is_schoenfelds():
    model = im.hierarchy(im.load_evidence(), outcome="os", relevant=0.7)
    # 4 (1.96 + 1.2816)^2 / log(0.7)^2 = 330.4 events give a power of 90 %.
    assert assurance(model, **WHERE, sizes=[331]).trials[0].power == pytest.approx(0.9, abs=0.001)


def test_the_assurance_of_two_proportions_is_the_share_of_simulated_trials(response, rng):
    effects = simulated_effects(response, rng)
    n, control, z = 80, 0.3, norm.ppf(0.975)
    x_ctl, x_exp = rng.binomial(n, control, len(effects)), rng.binomial(n, expit(logit(control) + effects))
    share = np.mean(z_statistic(x_exp.astype(float), x_ctl.astype(float), n) >= z)
    found = assurance(response, **WHERE, sizes=[n], unit="patients", design=Design(control_rate=control)).trials[0]
    assert found.assurance == pytest.approx(share, abs=0.003)
    assert found.power == pytest.approx(
        two_proportions_power(np.array([math.log(1.25)]), control_rate=control, n=n, z=z)[0], abs=1e-12
    )


def test_the_significant_rate_is_the_least_that_beats_the_control_arm(response):
    found = assurance(response, **WHERE, sizes=[50], unit="patients", design=Design(control_rate=0.2)).trials[0]
    control = np.array([10.0])
    needed = round(found.boundary * 50)
    assert (
        z_statistic(np.array([needed]), control, 50)[0]
        >= norm.ppf(0.975)
        > z_statistic(np.array([needed - 1.0]), control, 50)[0]
    )


def test_fewer_events_can_be_the_better_result(response):
    harm = replace(response, question=replace(response.question, better="lower"))
    design = Design(control_rate=0.3)
    found = assurance(harm, **WHERE, sizes=[80], unit="patients", design=design)
    turned = replace(response, posterior=replace(response.posterior, mean=-response.posterior.mean))
    mirrored = assurance(turned, **WHERE, sizes=[80], unit="patients", design=Design(control_rate=0.7))
    assert found.trials[0].assurance == pytest.approx(mirrored.trials[0].assurance)
    assert found.trials[0].boundary == pytest.approx(1 - mirrored.trials[0].boundary)
    assert found.trials[0].boundary < 0.3


def test_the_assurance_of_one_arm_is_that_of_a_brute_force_integral(model):
    rate = as_rate(model, logit(0.3), 0.5)
    found = assurance(rate, **WHERE, sizes=[20, 43], unit="patients", design=Design(null_rate=0.2, target_rate=0.35))
    theta = np.linspace(logit(0.3) - 6, logit(0.3) + 6, 200_001)
    weight = norm.pdf(theta, logit(0.3), 0.5) * (theta[1] - theta[0])
    for trial in found.trials:
        n, r = trial.patients, exact_boundary(trial.patients, 0.2, 0.025)
        assert trial.boundary == r
        assert trial.assurance == pytest.approx(weight @ binom.sf(r - 1, n, expit(theta)), abs=1e-7)
        assert trial.power == pytest.approx(binom.sf(r - 1, n, 0.35), abs=1e-12)
    assert found.limit == pytest.approx(norm.cdf((logit(0.3) - logit(0.2)) / 0.5))


def test_the_assurance_of_one_arm_is_the_share_of_simulated_trials(model, rng):
    found = assurance(as_rate(model, -1.0, 0.7), **WHERE, sizes=[36], unit="patients", design=Design(null_rate=0.15))
    responders = rng.binomial(36, expit(rng.normal(-1.0, 0.7, 400_000)))
    assert found.trials[0].assurance == pytest.approx(np.mean(responders >= found.trials[0].boundary), abs=0.003)
    assert found.trials[0].power is None


def test_one_arm_with_few_events_wanted(model):
    rate = as_rate(model, logit(0.1), 0.4)
    rate = replace(rate, question=replace(rate.question, better="lower"))
    trial = assurance(rate, **WHERE, sizes=[60], unit="patients", design=Design(null_rate=0.25)).trials[0]
    assert binom.cdf(trial.boundary, 60, 0.25) <= 0.025 < binom.cdf(trial.boundary + 1, 60, 0.25)
    theta = np.linspace(-6, 4, 100_001)
    weight = norm.pdf(theta, logit(0.1), 0.4) * (theta[1] - theta[0])
    assert trial.assurance == pytest.approx(weight @ binom.cdf(trial.boundary, 60, expit(theta)), abs=1e-6)


def test_an_effect_that_is_known_has_its_power_for_assurance(model, response):
    certain = replace(model, posterior=concentrated(model, math.log(0.8), 1e-9))
    trial = assurance(certain, **WHERE, sizes=[300]).trials[0]
    assert trial.assurance == pytest.approx(trial.power, abs=1e-7)
    certain = replace(response, posterior=concentrated(response, math.log(1.25), 1e-9))
    trial = assurance(certain, **WHERE, sizes=[150], unit="patients", design=Design(control_rate=0.4)).trials[0]
    assert trial.assurance == pytest.approx(trial.power, abs=1e-7)
    trial = assurance(
        as_rate(model, logit(0.4), 1e-9), **WHERE, sizes=[35], unit="patients",
        design=Design(alpha=0.05, null_rate=0.2, target_rate=0.4),
    ).trials[0]  # fmt: skip
    assert trial.assurance == pytest.approx(trial.power, abs=1e-7)
    assert trial.power == pytest.approx(0.805, abs=0.001)


@pytest.mark.parametrize("which", ["hazard", "response", "rate"])
def test_assurance_approaches_the_probability_of_benefit(model, response, which):
    chosen = {"hazard": model, "response": response, "rate": as_rate(model, -1.0, 0.5)}[which]
    options = {
        "hazard": {"sizes": [50, 500, 10**5, 10**7]},
        "response": {"sizes": [20, 200, 2000, 50_000], "unit": "patients", "design": Design(control_rate=0.3)},
        "rate": {"sizes": [20, 200, 2000, 50_000], "unit": "patients", "design": Design(null_rate=0.3)},
    }[which]
    found = assurance(chosen, **WHERE, **options)
    chances = [trial.assurance for trial in found.trials]
    assert chances == sorted(chances)
    # What is missing falls like the standard error of the trial.
    missing = [found.limit - chance for chance in chances]
    sizes = options["sizes"]
    assert 0 < missing[-1] < 0.03
    assert missing[-1] / missing[-2] == pytest.approx(math.sqrt(sizes[-2] / sizes[-1]), rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": []}, "events was"),
        ({"sizes": [0]}, "whole numbers above 0"),
        ({"sizes": [10.5]}, "whole numbers"),
        ({"sizes": [100], "unit": "days"}, "unit was 'days'"),
        ({"sizes": [100], "tumor": "moon"}, "tumor was 'moon'; accepted are"),
        ({"sizes": [100], "unit": "patients"}, "event_rate is missing: the probability that a patient has the event"),
        (
            {"sizes": [100], "design": Design(event_rate=0.5)},
            "event_rate has no meaning for a trial of HR pl",
        ),
        ({"sizes": [100], "unit": "patients", "design": Design(event_rate=0.5, allocation=2)}, "arms of equal size"),
        (
            {"sizes": [100], "unit": "patients", "design": Design(event_rate=0.5, null_rate=0.2)},
            "null_rate has no",
        ),
    ],
)
def test_trials_that_cannot_be_planned(model, options, message):
    with pytest.raises(im.InputError, match=message):
        assurance(model, **{**WHERE, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.7}, "between 0 and 0.5"),
        ({"sides": 3}, "1 and 2"),
        ({"allocation": 0}, "a ratio above 0"),
        ({"event_rate": 1.2}, "event_rate was 1.2; accepted is a proportion"),
        ({"control_rate": 30}, "control_rate was 30; accepted is a proportion between 0 and 1, such as 0.3"),
    ],
)
def test_designs_that_cannot_be(options, message):
    with pytest.raises(im.InputError, match=message):
        Design(**options)


def test_a_response_has_no_events_of_a_log_rank_test(model, response):
    with pytest.raises(im.InputError, match="has no hazard ratio"):
        assurance(response, **WHERE, sizes=[100])
    with pytest.raises(im.InputError, match="control_rate is missing: the rate of the control arm"):
        assurance(response, **WHERE, sizes=[100], unit="patients")
    with pytest.raises(im.InputError, match="up to 50,000"):
        assurance(response, **WHERE, sizes=[10**6], unit="patients", design=Design(control_rate=0.3))
    rate = as_rate(model, -1.0, 0.5)
    with pytest.raises(im.InputError, match="null_rate is missing: the rate that the arm must beat"):
        assurance(rate, **WHERE, sizes=[100], unit="patients")
    with pytest.raises(im.InputError, match="the target must be better"):
        assurance(rate, **WHERE, sizes=[100], unit="patients", design=Design(null_rate=0.3, target_rate=0.2))


def test_a_risk_ratio_has_no_trial_yet(response):
    risk = replace(response, question=replace(response.question, measure="RR"))
    with pytest.raises(im.InputError, match="compared as RR; assurance takes a hazard ratio, an odds ratio or"):
        assurance(risk, **WHERE, sizes=[100], unit="patients")


def test_sizes_are_spread_evenly_on_the_log_scale():
    assert spread(50, 800, 5) == [50, 100, 200, 400, 800]
    assert spread(3, 5, 9) == [3, 4, 5]
