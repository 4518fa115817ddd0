"""Simulation-based calibration of every model: ranks of true values among posterior draws, written to sbc.json.

    python benchmarks/sbc.py                           every model
    python benchmarks/sbc.py --only crossed            models whose name contains a text; the others are kept
    python benchmarks/sbc.py --backend dask            on a Dask cluster (--scheduler ADDRESS, or one made here)

Where truths are drawn from the prior and data from the truths, ranks of the truths are uniform (Talts, Betancourt,
Simpson, Vehtari & Gelman 2018, arXiv:1804.06788). Each simulation has its own child of the seed, so that the ranks do
not depend on how many workers there are. tests/bayes/test_calibration.py asserts that what is recorded is uniform.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import joblib  # noqa: E402  (after the number of threads is set)
import numpy as np  # noqa: E402

from igfmeta import parallel  # noqa: E402
from igfmeta.version import __version__  # noqa: E402

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from sbc_mcmc import SAMPLED  # noqa: E402
from sbc_models import DRAWS, MODELS, Model  # noqa: E402
from sbc_regression import REGRESSIONS  # noqa: E402

RECORD = HERE / "sbc.json"
SEED = 20261125
#: The seeds of a model are those of its place: a new one comes last.
EVERY: dict[str, Model] = {**MODELS, **SAMPLED, **REGRESSIONS}


def rank(said: Any, truth: float, rng: np.random.Generator) -> int:
    """Return the rank of a truth among independent draws; of a probability, that among draws it implies."""
    if np.ndim(said) == 0:
        return int(rng.binomial(DRAWS, min(max(float(said), 0.0), 1.0)))
    assert len(said) == DRAWS
    return int((np.asarray(said) < truth).sum())


def some(name: str, seeds: list[np.random.SeedSequence]) -> list[dict[str, int]]:
    """Return the ranks of some simulations of a model, which prepares once."""
    warnings.simplefilter("ignore")
    model = EVERY[name]
    made, out = model.prepare(), []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        truth, data = model.simulate(rng)
        said = model.fit(made, data, truth, rng)
        diverged = {key: said.pop(key) for key in ("divergences",) if key in said}
        out.append({key: rank(said[key], truth[key], rng) for key in said} | diverged)
    return out


def calibrate(name: str, *, workers: int, simulations: int | None = None) -> dict[str, Any]:
    """Return the record of one model: how often each rank was seen, by parameter."""
    number = list(EVERY).index(name)
    seeds = np.random.SeedSequence((SEED, number)).spawn(simulations or EVERY[name].simulations)
    start = time.perf_counter()
    parts = joblib.Parallel(n_jobs=workers)(joblib.delayed(some)(name, seeds[i::workers]) for i in range(workers))
    ranks = [each for part in parts for each in part]
    counts = {
        key: np.bincount([each[key] for each in ranks], minlength=DRAWS + 1).tolist()
        for key in ranks[0]
        if key != "divergences"
    }
    record: dict[str, Any] = {"simulations": len(ranks), "seconds": round(time.perf_counter() - start, 1)}
    if "divergences" in ranks[0]:
        record["divergences"] = sum(each["divergences"] for each in ranks)
    return {**record, "ranks": counts}


def main() -> None:
    """Run the models that are asked for, and write each as it is done."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default="", help="a text that the names of the models contain")
    asked.add_argument("--simulations", type=int, help="instead of the number that is recorded for each model")
    asked.add_argument("--workers", type=int, default=1)
    asked.add_argument("--backend", choices=parallel.BACKENDS, default="loky")
    asked.add_argument("--scheduler", help="address of a Dask scheduler")
    asked.add_argument("--output", type=Path, default=RECORD)
    given = asked.parse_args()
    names = [name for name in EVERY if given.only in name]
    with parallel.workers(given.backend, scheduler=given.scheduler) if given.workers > 1 else nullcontext():
        for name in names:
            found = calibrate(name, workers=given.workers, simulations=given.simulations)
            before = json.loads(given.output.read_text()) if given.output.is_file() else {"models": {}}
            models = {key: value for key, value in {**before["models"], name: found}.items() if key in EVERY}
            record = {"igfmeta": __version__, "draws": DRAWS, "seed": SEED, "models": dict(sorted(models.items()))}
            given.output.write_text(json.dumps(record, separators=(",", ":")) + "\n")
            print(f"{name}: {found['simulations']} simulations, {found['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
