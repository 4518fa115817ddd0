"""What benchmarks/sbc.py recorded: ranks of true values among posterior draws are uniform, for every model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((BENCHMARKS / "sbc.json").read_text())
RANKS = [
    (model, parameter, np.array(counts))
    for model, found in RECORD["models"].items()
    for parameter, counts in found["ranks"].items()
]

#: Ranks are counted in this many bins; every comparison together errs in one of a hundred records.
BINS, ALPHA = 20, 0.01


def p_values(counts):
    """The chi-squared test over bins, and Kolmogorov's test of the distribution function."""
    n = counts.sum()
    binned = counts.reshape(BINS, -1).sum(axis=1)
    distance = np.abs(np.cumsum(counts) / n - np.arange(1, len(counts) + 1) / len(counts)).max()
    return stats.chisquare(binned).pvalue, stats.kstwo.sf(distance, n)


@pytest.fixture
def sbc(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sbc

    return sbc


def test_every_model_is_recorded(sbc):
    assert set(RECORD["models"]) == set(sbc.EVERY)
    few = {name: found["simulations"] for name, found in RECORD["models"].items() if found["simulations"] < 100}
    assert few == {}
    for _, _, counts in RANKS:
        assert len(counts) == RECORD["draws"] + 1


@pytest.mark.parametrize("engine", ["exact", "PyMC"])
def test_meta_regression_is_calibrated_by_either_engine(engine):
    asked = {"at the mean", "slope of year", "slope of random", "sd study", "new study"}
    assert set(RECORD["models"][f"meta-regression, {engine}"]["ranks"]) == asked


def test_new_models_come_last(sbc):
    """A model's place makes its seeds: what was recorded before stays what the program gives."""
    assert list(sbc.EVERY)[: len(sbc.MODELS)] == list(sbc.MODELS)
    assert list(sbc.EVERY)[-len(sbc.REGRESSIONS) :] == list(sbc.REGRESSIONS)


@pytest.mark.parametrize(("model", "parameter", "counts"), RANKS, ids=[f"{m}: {p}" for m, p, _ in RANKS])
def test_ranks_are_uniform(model, parameter, counts):
    assert counts.sum() == RECORD["models"][model]["simulations"]
    assert min(p_values(counts)) > ALPHA / (2 * len(RANKS)), parameter


def test_small_p_values_are_as_rare_as_they_should_be():
    small = sum(p < 0.05 for _, _, counts in RANKS for p in p_values(counts))
    # Parameters of one model, and the two tests of one parameter, go together: a generous limit.
    assert small <= stats.binom.ppf(0.999, 2 * len(RANKS), 0.05) + 5


@pytest.mark.parametrize(("shift", "width"), [(0.5, 1.0), (0.0, 0.6), (0.0, 1.6)])
def test_a_wrong_posterior_would_be_found(rng, shift, width):
    # Posteriors that are off by half a standard deviation, too narrow or too wide, in as many simulations as are few.
    probability = stats.norm.cdf((rng.normal(size=300) + shift) / width)
    counts = np.bincount(rng.binomial(RECORD["draws"], probability), minlength=RECORD["draws"] + 1)
    assert min(p_values(counts)) < ALPHA / (2 * len(RANKS))


def test_ranks_do_not_depend_on_the_number_of_workers(sbc):
    name = "normal-normal, exact"
    seeds = np.random.SeedSequence(7).spawn(6)
    together = sbc.some(name, seeds)
    apart = [sbc.some(name, [seed])[0] for seed in np.random.SeedSequence(7).spawn(6)]
    assert together == apart


def test_a_truth_is_ranked_among_draws(sbc, rng):
    assert sbc.rank(np.arange(99.0), 40.5, rng) == 41
    ranks = [sbc.rank(0.5, 0.0, rng) for _ in range(400)]
    assert np.mean(ranks) == pytest.approx(49.5, abs=1.5)
