"""The JSON of influence, bias and sensitivity is as its schema says, on the evidence and on tables."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
SMOKING = ("--data", CASES / "18_hackshaw1998_egger_begg.csv", "--yi", "yi", "--vi", "vi")
BCG = ("--data", CASES / "22_bcg_leave_one_out_influence.csv", "--events1", "tpos", "--n1", "tneg", "--events2", "cpos",
       "--n2", "cneg", "--measure", "OR")  # fmt: skip
RATES = ("--class", "antibody", "--outcome", "orr")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("influence", (*BCG, "--cumulative", "precision", "--gosh")),
        ("influence", (*RATES, "--cluster", "agent")),
        ("influence", (*RATES, "--tumor", "soft_tissue_sarcoma", "--cumulative", "year", "--gosh")),
        ("influence", ("--class", "antibody", "--outcome", "os", "--by", "tumor")),
        ("bias", SMOKING),
        ("bias", (*BCG, "--show", "tests,adjusted,significance")),
        ("bias", (*RATES, "--show", "tests,adjusted")),
        ("sensitivity", BCG),
        ("sensitivity", RATES),
    ],
)
def test_json_is_as_its_schema_says(run, command, arguments):
    schema = json.loads(resources.files("igfmeta").joinpath(f"schemas/{command}.schema.json").read_text())
    status, out, err = run(command, *arguments, "--format", "json")
    assert status == 0, err
    jsonschema.validate(json.loads(out), schema)
