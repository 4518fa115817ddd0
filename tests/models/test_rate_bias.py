"""How often tests of small-study effects reject for rates without any: the record of benchmarks/rate_bias.py."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rate_bias.py"
RECORD = json.loads(SCRIPT.with_suffix(".json").read_text())
SCENARIOS = [pytest.param(each, id=f"{each['k']}-{each['rate']}-{each['tau']}") for each in RECORD["scenarios"]]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("rate_bias", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _at_most(share, runs):
    """The level and three Monte Carlo standard errors."""
    return share + 3 * np.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize("found", SCENARIOS)
def test_regressions_on_the_size_by_the_counts_hold_their_level(found):
    assert found["answered"] >= 0.95 * RECORD["runs"]
    for name in ("rate-peters", "rate-root"):
        assert found["rejected"][name] <= _at_most(RECORD["level"], found["answered"])


@pytest.mark.parametrize("found", SCENARIOS)
def test_eggers_regression_of_logits_does_not(found):
    rejected = found["rejected"]["egger"]
    assert rejected > _at_most(RECORD["level"], found["answered"])
    if found["rate"] == 0.05:
        assert rejected > 0.3


def test_the_record_is_what_the_script_makes_and_the_page_shows(script):
    once, again = (script.scenario(10, 0.2, 0.0, runs=3, seed=RECORD["seed"]) for _ in range(2))
    assert once == again
    asked = {(k, rate, tau) for k in script.STUDIES for rate in script.RATES for tau in script.TAUS}
    assert {(each["k"], each["rate"], each["tau"]) for each in RECORD["scenarios"]} == asked
    page = script.PAGE.read_text(encoding="utf-8").split("<!-- rate_bias -->")[1].split("<!-- end of rate_bias -->")[0]
    assert page.count("\n| ") == 1 + len(RECORD["scenarios"])
    assert f"{100 * RECORD['scenarios'][0]['rejected']['egger']:.0f} %" in page
