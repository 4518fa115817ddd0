"""What a hierarchy is fitted to: contrasts that share a control arm, counts added up, zeros kept."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import igfmeta as im
from igfmeta.synthesis.hierarchy_inputs import hierarchy_data

TRIALS = Path(__file__).parents[2] / "data" / "trials.csv"


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


def _rewritten(folder: Path, change):
    with TRIALS.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        change(row)
    path = folder / "trials.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return im.load_evidence(path)


def test_a_weight_by_risk_of_bias_divides_covariances_and_is_the_share_of_counts(evidence):
    for outcome, measure in (("progression", "HR"), ("orr", "OR"), ("orr", "PLO")):
        weights = {"low": 0.9, "some": 0.5, "high": 0.25, "unclear": 0.7, "none": 0.6}
        plain = hierarchy_data(evidence, outcome, measure=measure)
        data = hierarchy_data(evidence, outcome, measure=measure, risk_weights=weights)
        share = np.array([weights.get(study.risk, 1.0) for study in plain.studies])
        assert share.min() < 1
        np.testing.assert_array_equal(data.share, share)
        np.testing.assert_array_equal(data.counts, plain.counts)
        if measure == "HR":
            np.testing.assert_allclose(data.covariance, plain.covariance / np.sqrt(np.outer(share, share)), rtol=1e-14)
        for before, after, q in zip(plain.studies, data.studies, share, strict=True):
            assert after.vi == pytest.approx(before.vi / q, rel=1e-14, nan_ok=True)
            assert ("r" in after.marks) == (q != 1)


def test_two_doses_of_one_agent_are_one_effect(evidence):
    data = hierarchy_data(evidence, "os")
    fuchs = [study for study in data.studies if study.study_id == "fuchs2015"]
    assert [study.row_ids for study in fuchs] == [("fuchs2015-01", "fuchs2015-04")]
    np.testing.assert_array_equal(data.covariance, np.diag([study.vi for study in data.studies]))


def test_two_agents_with_one_control_arm_are_two_effects_with_a_covariance(tmp_path):
    def other_agent(row):
        if row["row_id"] == "fuchs2015-04":
            row.update(agent="figitumumab", agent_class="antibody")

    data = hierarchy_data(_rewritten(tmp_path, other_agent), "os")
    i, j = (k for k, study in enumerate(data.studies) if study.study_id == "fuchs2015")
    assert {data.studies[i].agent, data.studies[j].agent} == {"ganitumab", "figitumumab"}
    assert 0 < data.covariance[i, j] < min(data.covariance[i, i], data.covariance[j, j])
    assert np.count_nonzero(data.covariance - np.diag(np.diag(data.covariance))) == 2
    assert data.trial[i] == data.trial[j]
    assert data.control[i] == data.control[j]
    assert np.linalg.eigvalsh(data.covariance).min() > 0


def test_rates_keep_their_zeros(evidence):
    data = hierarchy_data(evidence, "orr")
    assert data.question.measure == "PLO"
    assert (data.counts[:, 0] == 0).sum() > len(data.studies) / 3
    assert np.isnan(data.counts[:, 2:]).all()
    zero = next(s for s, c in zip(data.studies, data.counts, strict=True) if c[0] == 0)
    assert zero.estimate == 0
    assert zero.ci_upper > 0


def test_odds_ratios_hold_the_counts_of_both_arms(evidence):
    data = hierarchy_data(evidence, "orr", measure="OR")
    assert (data.counts[:, 0] <= data.counts[:, 1]).all()
    assert (data.counts[:, 2] <= data.counts[:, 3]).all()
    own = next(s for s, c in zip(data.studies, data.counts, strict=True) if c[0] > 0 and c[2] > 0)
    a, n1, c, n0 = own.counts
    assert own.estimate == pytest.approx(a * (n0 - c) / (c * (n1 - a)))


def test_cohorts_of_a_trial_with_different_tumours_are_trials_of_their_own(evidence):
    data = hierarchy_data(evidence, "orr")
    studies = {study.study_id for study in data.studies}
    assert len(studies) < len(set(data.trial.tolist())) <= len(data.studies)


def test_measures_that_a_hierarchy_does_not_take(evidence):
    with pytest.raises(im.InputError, match="measure was 'RR'; accepted are HR, OR or PLO"):
        hierarchy_data(evidence, "orr", measure="RR")
    with pytest.raises(im.InputError, match="progression is a family of times to an event"):
        hierarchy_data(evidence, "progression", measure="OR")
