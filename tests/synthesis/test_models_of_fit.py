"""`fit --model`: one registry says what exists; a model refuses the options that it does not heed."""

from __future__ import annotations

import pandas as pd
import pytest

import igfmeta as im
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
