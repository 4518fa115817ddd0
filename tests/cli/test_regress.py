"""`regress` and `fit --model regression` on the command line."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

BCG = Path(__file__).parents[1] / "published" / "cases" / "data" / "bcg_meta_regression.csv"
FIT = ("fit", "--model", "regression", "--data", BCG, "--yi", "yi", "--vi", "vi", "--scale", "log")
REGRESS = ("regress", "--class", "antibody", "--outcome", "os")


@pytest.mark.parametrize(
    "arguments",
    [
        (*FIT, "--moderators", "~ ablat + C(alloc)", "--permute", "20", "--contrasts", "alloc", "--predict",
         "ablat=20,alloc=random", "--scale-moderators", "~ year", "--method", "ML"),
        (*FIT, "--mods", "~ 1", "--method", "CE", "--ci", "z", "--permute", "9"),
        (*REGRESS, "--mods", "~ C(tumor_group) + year", "--ci", "KR"),
    ],
)  # fmt: skip
def test_json_is_as_its_schema_says(run, arguments):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/regress.schema.json").read_text())
    status, out, err = run(*arguments, "--format", "json")
    assert status == 0, err
    jsonschema.validate(json.loads(out), schema)


@pytest.mark.parametrize("command", [(*FIT, "--mods", "~ ablat"), (*REGRESS, "--mods", "~ year")])
def test_a_figure_is_written_and_every_format_answers(run, tmp_path, command):
    path = tmp_path / "bubble.svg"
    status, out, err = run(*command, "--figure", path, "--format", "markdown")
    assert status == 0, err
    assert "Coefficient (95 % CI)" in out
    assert path.read_text().startswith("<?xml")
    for shape in ("csv", "table"):
        assert run(*command, "--format", shape)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (FIT, 2, "mods is missing"),
        (REGRESS, 2, "--mods is missing"),
        ((*FIT, "--mods", "~ ablat", "--test", "z"), 2, "--test says nothing to model regression"),
        ((*FIT, "--mods", "~ ablat", "--forest", "x.svg"), 2, "has no forest plot"),
        ((*FIT[:1], *FIT[3:], "--figure", "x.svg"), 2, "has no figure but its forest"),
        ((*REGRESS, "--mods", "~ year", "--figure", "x.gif"), 2, "accepted are .svg, .pdf, .png"),
        ((*REGRESS, "--mods", "~ C(study_id)"), 3, "cannot carry"),
        ((*REGRESS, "--year", "2012", "--mods", "~ year"), 3, "1 study cannot carry 2 coefficients"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run, arguments, status, words):
    found, _, err = run(*arguments)
    assert found == status
    assert words in " ".join(err.split())
    assert "Traceback" not in err
