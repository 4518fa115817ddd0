"""Whether a class is worth another phase III: probabilities by brute force, the rule at its edges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import igfmeta as im
from igfmeta.synthesis.assurance import assurance
from igfmeta.synthesis.trial_designs import Design
from igfmeta.synthesis.worth import verdict_of, worth


@pytest.fixture(scope="module")
def model():
    return im.hierarchy(im.load_evidence(), outcome="os", relevant=0.85)


@pytest.fixture(scope="module")
def found(model):
    return worth(model, size=300)


def test_every_class_and_every_cell_has_a_row(model, found):
    classes = list(dict.fromkeys(key[0] for key in model.keys[: len(model.cells)]))
    assert sum(row.whole_class for row in found.rows) == len(classes)
    assert len(found.rows) == len(classes) + len(model.cells)
    assert [row.cell for row in found.rows if not row.whole_class] == list(model.cells)


def test_the_effect_of_a_class_is_the_average_of_its_cells_given_each_draw(model, found):
    n = len(model.cells)
    cells = [i for i, key in enumerate(model.keys[:n]) if key[0] == "antibody"]
    whole = model.keys.index(("antibody", "all"))
    np.testing.assert_allclose(model.posterior.mean[:, cells].mean(axis=1), model.posterior.mean[:, whole], atol=1e-10)
    # Averaging takes away what tumours add, so the average is known better than its cells are on average.
    assert np.all(model.posterior.variance[:, whole] < model.posterior.variance[:, cells].mean(axis=1))
    assert found.rows[0].cell == model.averages[0]


def test_probabilities_are_those_of_simulated_classes_and_trials(model, found, rng):
    p, whole = model.posterior, model.keys.index(("antibody", "all"))
    i = rng.choice(len(p.weights), 400_000, p=p.weights)
    mean = rng.normal(p.mean[i, whole], np.sqrt(p.variance[i, whole]))
    row = found.rows[0]
    assert row.p_relevant == pytest.approx(np.mean(mean < math.log(0.85)), abs=0.003)
    cells = [j for j, key in enumerate(model.keys[: len(model.cells)]) if key[0] == "antibody"]
    j = rng.choice(cells, len(i))
    trial = rng.normal(p.mean[i, j], np.sqrt(p.variance[i, j] + p.new_variance[i]))
    assert row.p_trial_relevant == pytest.approx(np.mean(trial < math.log(0.85)), abs=0.003)
    se = math.sqrt(4 / 300)
    assert row.assurance == pytest.approx(np.mean(rng.normal(trial, se) / se < -1.959964), abs=0.003)


def test_a_cell_has_the_assurance_that_is_asked_for_alone(model, found):
    alone = assurance(model, agent_class="antibody", tumor="nsclc", sizes=[300]).trials[0].assurance
    position = model.keys.index(("antibody", "nsclc"))
    row = next(row for row in found.rows if row.cell == model.cells[position])
    assert row.assurance == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "threshold", "k", "verdict"),
    [
        (0.8, 0.8, 3, "worth it"),
        (0.7999, 0.8, 3, "open"),
        (0.2, 0.8, 3, "not worth it"),
        (0.2001, 0.8, 3, "open"),
        (0.3, 0.7, 3, "not worth it"),
        (0.99, 0.8, 0, "no study"),
    ],
)
def test_the_rule_at_its_edges(p, threshold, k, verdict):
    assert verdict_of(p, threshold, k) == verdict


def test_a_class_that_certainly_works_is_worth_it(model):
    p = model.posterior
    works = replace(p, mean=np.full_like(p.mean, math.log(0.6)), variance=np.full_like(p.variance, 1e-6))
    cells = [replace(c, p_relevant=1.0) for c in model.cells], [replace(c, p_relevant=1.0) for c in model.averages]
    sure = replace(model, posterior=works, cells=tuple(cells[0]), averages=tuple(cells[1]))
    assert {row.verdict for row in worth(sure).rows} == {"worth it", "no study"}


def test_the_rule_and_the_caution_say_what_a_reader_must_know(model, found):
    assert "0.8 or more; not worth it at 0.2 or less" in found.rule
    assert f"{len(model.studies)} studies stand behind all of this" in found.caution
    assert "fewer than 5" in found.caution
    assert "cells have none" in found.caution


def test_one_class_is_the_average_of_everything():
    model = im.hierarchy(im.load_evidence(), outcome="os", agent_class="antibody")
    first = worth(model).rows[0]
    assert first.whole_class
    assert first.cell == model.averages[-1]


def test_a_model_by_class_alone_has_one_row_per_class():
    model = im.hierarchy(im.load_evidence(), outcome="os", by="class")
    rows = worth(model).rows
    assert [row.cell for row in rows] == list(model.cells)
    assert all(row.whole_class for row in rows)


def test_a_rate_is_judged_by_the_relevant_rate():
    model = im.hierarchy(im.load_evidence(), outcome="orr", by="class", relevant=0.2)
    found = worth(model, size=40, unit="patients", design=Design(null_rate=0.1))
    assert {row.verdict for row in found.rows} == {"not worth it"}
    assert all(row.p_relevant == row.cell.p_relevant for row in found.rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.5}, "accepted is a probability above 0.5 and below 1"),
        ({"threshold": 80}, "threshold was 80"),
        ({"size": 0}, "whole numbers above 0"),
        ({"unit": "patients"}, "event_rate is missing"),
    ],
)
def test_options_that_cannot_be(model, options, message):
    with pytest.raises(im.InputError, match=message):
        worth(model, **options)


def test_a_model_without_classes():
    model = im.hierarchy(im.load_evidence(), outcome="os", by="tumor")
    with pytest.raises(im.InputError, match="no classes of agents to judge"):
        worth(model)
