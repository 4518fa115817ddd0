"""Batches and calibrations give the same bits for any number of workers; of coverage tests/models says it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from igfmeta.parallel import workers

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script of benchmarks/ under a name of its own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name):
        spec = importlib.util.spec_from_file_location(f"script_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.filterwarnings("ignore")
def test_a_batch_by_processes(run, tmp_path, monkeypatch):
    from igfmeta.synthesis import fit_batch

    monkeypatch.setattr(fit_batch, "GROUPS", 16)
    rng = np.random.default_rng(1)
    path = tmp_path / "t.csv"
    rows = [f"g{i % 60},{rng.normal()!r},{rng.uniform(0.01, 0.5)!r}" for i in range(400)]
    path.write_text("g,yi,vi\n" + "\n".join(rows) + "\n")
    given = ("fit", "--data", path, "--yi", "yi", "--vi", "vi", "--batch", "g")
    answers = [run(*given, "--jobs", jobs, "--backend", "loky")[1] for jobs in (1, 2, 4)]
    assert answers[0].count("\n") == 61
    assert len(set(answers)) == 1


def test_calibration_by_any_number_of_workers(script):
    sbc = script("sbc")
    name = next(iter(sbc.EVERY))
    with workers("threading"):
        found = [sbc.calibrate(name, workers=n, simulations=8)["ranks"] for n in (1, 2, 4)]
    assert found[0] == found[1] == found[2]
