"""Which engine answers: exact where it can be trusted, PyMC where it is asked for or must step in; never in silence."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import replace
from importlib import resources
from io import StringIO

import jsonschema
import numpy as np
import pytest

import igfmeta as im
from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.cli.bayes import show
from igfmeta.cli.output import rendered
from igfmeta.report.hierarchy_summary import tables
from igfmeta.synthesis import engines

#: Far too few draws, so that the result must warn.
HASTY = Plan(draws=60, tune=100, chains=2, cores=1, sampler="nutpie", progress=True)


def _schema():
    return json.loads(resources.files("igfmeta").joinpath("schemas/bayes.schema.json").read_text())


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


@pytest.fixture(scope="module")
def hasty(evidence):
    """The odds ratio of response by PyMC: the exact likelihood of both arms. Its progress stays off standard output."""
    with redirect_stdout(StringIO()) as said:
        found = im.hierarchy(
            evidence, outcome="orr", measure="OR", by="class", engine="mcmc", seed=3, plan=HASTY,
            risk_weights={"some": 0.5},
        )  # fmt: skip
    assert said.getvalue() == ""
    return found


@pytest.mark.parametrize(
    ("options", "likelihood", "mean_prior"),
    [
        ({"outcome": "os"}, "normal", "flat"),
        ({"outcome": "orr"}, "binomial", "normal(0, 2.5) on the logit"),
        ({"outcome": "orr", "measure": "OR"}, "binomial, both arms", "normal(0, 2.5), logits of control rates"),
    ],
)
def test_the_exact_engine_answers_for_every_likelihood_and_can_be_trusted(evidence, options, likelihood, mean_prior):
    found = im.hierarchy(evidence, **options)
    jsonschema.validate(json.loads(rendered(found, tables, "json")), _schema())
    assert found.likelihood == likelihood
    assert found.mean_prior.startswith(mean_prior)
    assert found.sampled is None
    assert found.warnings == ()
    assert found.effective_draws > 400
    assert found.pareto_k < 0.7


def test_the_seed_is_what_makes_numbers_repeat(evidence):
    one, two, other = (
        im.hierarchy(evidence, outcome="os", by="class", seed=seed).to_dict()["cells"] for seed in (2, 2, 3)
    )
    assert one == two
    assert one != other


def test_too_few_draws_are_said_in_every_format(hasty):
    assert hasty.warnings
    for shape in ("table", "markdown"):
        text = " ".join(rendered(hasty, tables, shape).replace("\n", " ").split())
        assert "Warning: The effective sample size of" in text
    payload = json.loads(rendered(hasty, tables, "json"))
    jsonschema.validate(payload, _schema())
    assert any("limit 400" in warning for warning in payload["warnings"])
    assert payload["sampling"]["diagnostics"]["chains"] == 2
    assert payload["sampling"]["engine"].startswith("PyMC (nutpie ")


def test_a_table_of_values_warns_on_standard_error(hasty, capsys):
    show(hasty, tables, "csv", None)
    shown = capsys.readouterr()
    assert "Warning" not in shown.out
    assert "Warning: The effective sample size of" in shown.err


def test_the_plan_takes_the_seed_of_the_question(hasty):
    assert hasty.sampled.plan == replace(HASTY, seed=3)


def test_saved_draws_name_rows_cells_and_factors(hasty, tmp_path):
    import arviz as az

    hasty.sampled.save(tmp_path / "draws.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["draws.nc"]
    read = az.from_netcdf(tmp_path / "draws.nc")["posterior"]
    assert read["cell"].values.tolist() == ["antibody, all", "tki, all", "all, all"]
    assert set(read["effect"].values) == {"+".join(study.row_ids) for study in hasty.studies}
    assert "study" in read["factor"].values
    np.testing.assert_allclose(read["cells"].values.reshape(-1, 3), hasty.posterior.mean)


@pytest.mark.parametrize("outcome", ["os", "orr"])
def test_where_importance_weights_fail_pymc_draws_and_a_sentence_says_so(evidence, hasty, monkeypatch, outcome):
    def distrusted(*arguments, made, **options):
        return replace(made(*arguments, **options), reliable=False, effective_size=3.2, pareto_k=0.93)

    asked = []

    def drawn(*_arguments, study_effects, plan, share=None):
        asked.append((study_effects, plan))
        return hasty.posterior, hasty.sampled

    from igfmeta.bayes import laplace
    from igfmeta.bayes.mcmc import binomial, crossed

    for module, name in ((engines, "crossed_posterior"), (laplace, "binomial_posterior")):
        made = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, made=made, **o: distrusted(*a, made=made, **o))
    monkeypatch.setattr(engines, "_labelled", lambda sampled, _data: sampled)
    monkeypatch.setattr(crossed, "crossed_by_mcmc", drawn)
    monkeypatch.setattr(binomial, "binomial_by_mcmc", drawn)
    data = engines_input(evidence, outcome)
    found = engines.fitted(*data, seed=5, engine="exact", study_effects="normal", plan=HASTY)
    assert "were worth 3 (limit 400), Pareto k 0.93 (limit 0.7). PyMC drew" in found.remarks[0]
    assert found.sampled is not None
    assert asked == [("normal", replace(HASTY, seed=5))]


def engines_input(evidence, outcome):
    from igfmeta.bayes.components import class_by_tumor, default_priors
    from igfmeta.synthesis.hierarchy_inputs import hierarchy_data

    data = hierarchy_data(evidence, outcome)
    nobody = [0] * len(data.studies)
    factors = class_by_tumor(nobody, nobody, nobody, n_classes=1, n_tumors=1, priors=default_priors())
    return data, factors, np.eye(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "stan"}, "engine was 'stan'; accepted are exact or mcmc"),
        ({"study_effects": "cauchy"}, "study_effects was 'cauchy'; accepted are normal, t or mixture"),
        ({"study_effects": "t"}, "it needs the engine mcmc"),
        ({"seed": -1}, "seed was -1; accepted is a whole number"),
    ],
)
def test_what_no_engine_does(evidence, options, message):
    with pytest.raises(im.InputError, match=message):
        im.hierarchy(evidence, **options)
