"""Meta-regression on the evidence: columns become moderators, what cannot be asked is said."""

from __future__ import annotations

import json
import math
from importlib import resources

import jsonschema
import pytest

import igfmeta as im
from igfmeta.cli.output import rendered
from igfmeta.report.regression_summary import tables
from igfmeta.synthesis.metaregression import metaregression


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


def test_a_mean_for_each_class_is_near_that_of_a_pool(evidence):
    found = metaregression(evidence, "~ agent_class - 1", outcome="progression")
    assert [c.name for c in found.coefficients] == [
        f"agent_class[{name}]" for name in ("antibody", "bispecific_antibody", "ligand_antibody", "tki")
    ]
    pooled = im.pool(evidence, outcome="progression", agent_class="antibody", by="none")["progression"].overall
    assert found.coefficients[0].median == pytest.approx(pooled.fit.estimate, abs=0.05)
    assert found.coefficients[0].factor == pytest.approx(math.exp(found.coefficients[0].median))


@pytest.mark.parametrize(
    ("options", "likelihood"),
    [({"outcome": "orr"}, "binomial"), ({"outcome": "orr", "measure": "OR"}, "binomial, both arms")],
)
def test_counts_have_their_own_likelihood(evidence, options, likelihood):
    found = metaregression(evidence, "~ year", **options)
    assert found.fitted.likelihood == likelihood
    assert found.fitted.posterior.reliable
    assert found.pi_lower < found.average_lower < found.average < found.average_upper < found.pi_upper
    if found.is_rate:
        assert found.pi_lower > 0
        assert found.pi_upper < 1


def test_every_format(evidence):
    found = metaregression(evidence, "~ year + C(phase)", outcome="progression")
    text = rendered(found, tables, "table")
    assert max(map(len, text.splitlines())) <= 100
    assert "the priors weigh in" in text
    assert "Intercept: at 0 of every column, which is far from the studies." in text
    classes = rendered(metaregression(evidence, "~ agent_class"), tables, "table")
    assert "far from the studies" not in classes
    payload = json.loads(rendered(found, tables, "json"))
    schema = resources.files("igfmeta").joinpath("schemas/regression.schema.json").read_text()
    jsonschema.validate(payload, json.loads(schema))
    assert payload["formula"] == "~ year + C(phase)"
    assert payload["coefficients"][1]["name"] == "year"
    assert payload["warnings"] == []
    assert "| year |" in rendered(found, tables, "markdown")
    assert len(found.to_frame()) == len(found.coefficients)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ nothing", "there is no column nothing"),
        ("~ year_text", "there is no column year_text"),
        ("~ experimental", "are one study, and experimental is"),
        ("~ year + I(2 * year)", "do not determine the 3 coefficients"),
        ("year ~", "nothing before the"),
        ("~ (", "cannot be read"),
    ],
)
def test_formulas_that_cannot_be_used(evidence, formula, message):
    with pytest.raises(im.InputError, match=message):
        metaregression(evidence, formula)


def test_as_many_coefficients_as_studies(evidence):
    with pytest.raises(im.NothingToPool, match="1 study for 2 coefficients"):
        metaregression(evidence, "~ year", agent_class="tki")
