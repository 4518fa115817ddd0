"""How often intervals hold what they are of: simulated over a grid of k and tau2, recorded in coverage.json.

    python benchmarks/coverage.py                    on this machine, with joblib
    python benchmarks/coverage.py --backend dask     on a Dask cluster (--scheduler ADDRESS; a local one by default)

Each cell of the grid has its own child of one seed, so that the record does not depend on the number of workers. True
effects are normal about 0.3; sampling variances are those of Brockwell & Gordon 2001 (Stat Med 20:825): chi-squared
with 1 degree of freedom times 0.25, cut to 0.009 to 0.6. A test of the suite asserts on the record, and COVERAGE.md
beside it is the record as tables.
"""

from __future__ import annotations

if __name__ == "coverage":
    # Scripts of this folder have it on their path, and libraries (numba) look for the package of this name.
    raise ImportError("benchmarks/coverage.py is a script; the package coverage is not installed.")

import argparse
import json
import os
from itertools import product
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)

from igfmeta.bayes.posterior import normal_normal  # noqa: E402
from igfmeta.bayes.tau_priors import HalfNormal  # noqa: E402
from igfmeta.models.pooling import pool  # noqa: E402
from igfmeta.parallel import BACKENDS, workers  # noqa: E402

RECORD = Path(__file__).with_name("coverage.json")

MU, LEVEL, SEED = 0.3, 0.95, 20261125
STUDIES, TAU2 = (3, 5, 10, 20, 50), (0.0, 0.02, 0.1, 0.4)
REPLICATES, POSTERIORS = 20_000, 2_000

#: Name: options of the pool.
CONFIDENCE: dict[str, dict[str, str]] = {
    "z (CE)": {"method": "CE", "ci": "z"},
    "z (DL)": {"method": "DL", "ci": "z"},
    "z (REML)": {"method": "REML", "ci": "z"},
    "t (REML)": {"method": "REML", "ci": "t"},
    "HK (REML)": {"method": "REML", "ci": "HK"},
    "HK-floor (REML)": {"method": "REML", "ci": "HK-floor"},
    "HK (PM)": {"method": "PM", "ci": "HK"},
    "KR (REML)": {"method": "REML", "ci": "KR"},
}
PREDICTION = ("z", "V", "HTS", "HK", "HK-PR", "KR", "KR-PR")


def variances(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Return sampling variances: 0.25 chi-squared(1), drawn again until they lie between 0.009 and 0.6."""
    v = 0.25 * rng.chisquare(1, shape)
    while (out := (v < 0.009) | (v > 0.6)).any():
        v[out] = 0.25 * rng.chisquare(1, int(out.sum()))
    return v


def _summary(inside: Any, width: Any) -> dict[str, float]:
    usable = np.isfinite(width)
    return {
        "coverage": round(float(inside[usable].mean()), 5),
        "median_width": round(float(np.median(width[usable])), 4),
        "estimable": round(float(usable.mean()), 5),
    }


def cell(k: int, tau2: float, seed: np.random.SeedSequence, replicates: int, posteriors: int) -> dict[str, Any]:
    """Return the coverage of every interval in one cell of the grid."""
    rng = np.random.default_rng(seed)
    v = variances(rng, (replicates, k))
    y = rng.normal(MU, np.sqrt(v + tau2))
    new = rng.normal(MU, np.sqrt(tau2), replicates)
    out: dict[str, Any] = {"k": k, "tau2": tau2, "confidence": {}, "prediction": {}}
    for name, options in CONFIDENCE.items():
        fit = pool(y, v, **options, tau2_ci="none", level=LEVEL)  # type: ignore[arg-type]
        out["confidence"][name] = _summary((fit.ci_lower <= MU) & (fit.ci_upper >= MU), fit.ci_upper - fit.ci_lower)
    for name in PREDICTION:
        fit = pool(y, v, pi=name, tau2_ci="none", level=LEVEL)  # type: ignore[arg-type]
        out["prediction"][name] = _summary((fit.pi_lower <= new) & (fit.pi_upper >= new), fit.pi_upper - fit.pi_lower)
    fit = pool(y, v, tau2_ci="QP", level=LEVEL)
    inside = (fit.tau2_ci_lower <= tau2) & (fit.tau2_ci_upper >= tau2)
    out["heterogeneity"] = {"QP": _summary(inside, fit.tau2_ci_upper - fit.tau2_ci_lower)}
    some = slice(0, posteriors)
    posterior = normal_normal(y[some], v[some], tau_prior=HalfNormal(0.5), level=LEVEL)
    held = (posterior.ci_lower <= MU) & (posterior.ci_upper >= MU)
    predicted = (posterior.pi_lower <= new[some]) & (posterior.pi_upper >= new[some])
    out["confidence"]["posterior, tau half-normal(0.5)"] = _summary(held, posterior.ci_upper - posterior.ci_lower)
    out["prediction"]["posterior, tau half-normal(0.5)"] = _summary(predicted, posterior.pi_upper - posterior.pi_lower)
    return out


def simulate(*, replicates: int, posteriors: int, n_jobs: int) -> dict[str, Any]:
    """Return the record of the whole grid, cells in parallel on joblib's current backend."""
    from joblib import Parallel, delayed

    grid = list(product(STUDIES, TAU2))
    seeds = np.random.SeedSequence(SEED).spawn(len(grid))
    cells = Parallel(n_jobs=n_jobs)(
        delayed(cell)(k, tau2, seed, replicates, posteriors) for (k, tau2), seed in zip(grid, seeds, strict=True)
    )
    return {
        "mu": MU,
        "level": LEVEL,
        "seed": SEED,
        "replicates": replicates,
        "posteriors": posteriors,
        "variances": "0.25 chi-squared(1) between 0.009 and 0.6 (Brockwell & Gordon 2001)",
        "cells": cells,
    }


PARTS = {
    "confidence": "Intervals of the pooled effect",
    "prediction": "Prediction intervals (REML; the posterior's own)",
    "heterogeneity": "Interval of tau2",
}


def page(record: dict[str, Any]) -> str:
    """Return the record as Markdown."""
    error = 100 * (LEVEL * (1 - LEVEL) / record["replicates"]) ** 0.5
    lines = [
        "# Coverage",
        "",
        f"How often {100 * record['level']:g} % intervals hold what they are of, in percent, over "
        f"{record['replicates']:,} data sets per cell ({record['posteriors']:,} for posteriors); Monte Carlo error "
        f"{error:.2f}. Sampling variances: {record['variances']}. Written by `benchmarks/coverage.py`.",
    ]
    for part, title in PARTS.items():
        names = list(record["cells"][0][part])
        lines += [
            "",
            f"## {title}",
            "",
            "| k | tau2 | " + " | ".join(names) + " |",
            "|---:|---:|" + "---:|" * len(names),
        ]
        for each in record["cells"]:
            shown = " | ".join(f"{100 * each[part][name]['coverage']:.1f}" for name in names)
            lines.append(f"| {each['k']} | {each['tau2']:g} | {shown} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=BACKENDS, default="loky")
    parser.add_argument("--scheduler", help="Address of a Dask scheduler; a cluster on this machine by default.")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--posteriors", type=int, default=POSTERIORS)
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    with workers(given.backend, scheduler=given.scheduler):
        record = simulate(replicates=given.replicates, posteriors=given.posteriors, n_jobs=given.jobs)
    given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    given.output.with_name("COVERAGE.md").write_text(page(record), encoding="utf-8")
    print(f"Written: {given.output}")


if __name__ == "__main__":
    main()
