"""`fit --model`: one registry says what exists; a model refuses the options that it does not heed."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner

import igfmeta as im
from igfmeta.cli.app import app
from igfmeta.report import of_fit
from igfmeta.report.markdown import table_to_markdown
from igfmeta.synthesis.models_of_fit import MODELS, options_of, refuse_unheeded


@pytest.fixture
def effects():
    return pd.DataFrame({"yi": [-0.4, -0.1, -0.3], "vi": [0.04, 0.02, 0.05]})


@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_the_registry_loads_and_states_its_options(model):
    assert "level" in options_of(model)
    assert MODELS[model].label
    assert MODELS[model].paper


def test_a_model_by_name_is_the_fit_that_it_names(effects):
    by_name = im.fit_with("random", effects, yi="yi", vi="vi", method="PM", ci="z")
    plain = im.fit(effects, yi="yi", vi="vi", methods=im.Methods(method="PM", ci="z"))
    assert by_name.to_dict() == plain.to_dict()


def test_what_does_not_exist_is_refused(effects):
    with pytest.raises(im.InputError, match=r"model was 'x'; accepted are random"):
        im.fit_with("x", effects, yi="yi", vi="vi")
    with pytest.raises(im.InputError, match="nonsense says nothing to model random; its options are measure"):
        im.fit_with("random", effects, yi="yi", vi="vi", nonsense=1)
    with pytest.raises(im.InputError, match="--no-such says nothing to model random; its options are --measure"):
        refuse_unheeded("random", ["no_such"], written=lambda name: f"--{name.replace('_', '-')}")


COUNTS = pd.DataFrame({"a": [1, 0, 5, 7], "n1": [40, 25, 60, 80], "c": [4, 3, 9, 7], "n2": [41, 30, 58, 75],
                       "name": ["A", "B", "C", "D"]})  # fmt: skip
OF_COUNTS = [("mh", {"measure": "OR"}), ("peto", {}), ("glmm", {"measure": "OR"}), ("glmm", {"measure": "OR",
             "variant": "UM.RS"}), ("beta-binomial", {"measure": "OR"}), ("logistic", {"measure": "OR"}),
             ("firth", {})]  # fmt: skip


@pytest.mark.parametrize(("model", "options"), OF_COUNTS, ids=str)
def test_models_of_counts_give_json_tables_forest_and_frame(model, options):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/fit.schema.json").read_text())
    result = im.fit_with(model, COUNTS, events1="a", n1="n1", events2="c", n2="n2", study="name", **options)
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    jsonschema.validate(payload, schema)
    assert payload["model"] == model
    assert payload["details"]
    text = "\n".join(map(table_to_markdown, of_fit.tables(result)))
    assert "All studies" in text
    assert "## Model" in text
    assert list(result.to_frame()["label"])[:4] == ["A", "B", "C", "D"]
    assert result.forest().named[0][0] == "fit"


def test_the_command_line_answers_and_refuses(tmp_path):
    table = tmp_path / "t.csv"
    COUNTS.to_csv(table, index=False)
    base = ["fit", "--data", str(table), "--events1", "a", "--n1", "n1", "--events2", "c", "--n2", "n2"]
    runner = CliRunner()
    done = runner.invoke(app, [*base, "--model", "glmm", "--measure", "OR", "--format", "json"])
    assert json.loads(done.stdout)["details"]["gradient"]["value"] < 1e-8
    for arguments, message in (
        (["--model", "mh", "--measure", "OR", "--prior", "half-normal(1)"], "--prior says nothing to model mh"),
        (["--model", "nope"], "--model was 'nope'; accepted are random, mh, peto"),
        (["--model", "glmm", "--measure", "OR", "--variant", "x"], "accepted are CM.EL, CM.AL, UM.FS or UM.RS"),
    ):
        refused = runner.invoke(app, [*base, *arguments])
        assert isinstance(refused.exception, im.InputError)
        assert message in str(refused.exception)
    shown = runner.invoke(app, ["fit", "--help"])
    assert all(model in shown.stdout for model in MODELS)
