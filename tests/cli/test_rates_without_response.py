"""Tables in which nobody responded: every command answers, and says what cannot be said."""

from __future__ import annotations

import json

import pytest

SIZES = (20, 20, 25, 30, 31, 32, 33, 34, 35, 36, 90)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "nobody.csv"
    path.write_text("x,n\n" + "".join(f"0,{n}\n" for n in SIZES))
    return ["--data", path, "--events", "x", "--n", "n", "--measure", "PLO"]


def test_influence_gives_exact_intervals(run, table, tmp_path):
    status, out, err = run("influence", *table, "--gosh", "--subsets", "20", "--cumulative", "precision", "--figure",
                           tmp_path / "i.svg", "--plot", "panel,leave-one-out,cumulative")  # fmt: skip
    assert status == 0, err
    assert "Exact intervals of the sums" in out
    assert "whichever is left out" in " ".join(out.split())
    status, out, err = run("influence", *table, "--gosh", "--figure", tmp_path / "i.svg", "--plot", "gosh")
    assert (status, out) == (2, "")
    assert "nothing to show" in err


def test_sensitivity_starts_from_the_exact_interval(run, table):
    status, out, _ = run("sensitivity", *table)
    assert status == 0
    assert "The pool itself: exact interval of the sum" in out
    assert "Exact interval of the sum = the pool" in out


def test_bias_says_that_there_is_no_slope_and_draws_the_funnel(run, table, tmp_path):
    status, out, err = run("bias", *table, "--figure", tmp_path / "f.svg")
    assert status == 0, err
    assert "so that there is no slope" in " ".join(out.split())
    status, out, err = run("bias", *table, "--test", "rate-peters")
    assert (status, out) == (2, "")
    assert "Nobody, or everybody, responded in every study" in err


@pytest.mark.parametrize("command", ["influence", "sensitivity", "bias"])
def test_json_holds_no_infinity(run, table, command):
    status, out, err = run(command, *table, "--format", "json")
    assert status == 0, err
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))["sets"][0]
    assert (found["model"], found["method"], found["ci"]) == ("binomial", "exact", "exact")
