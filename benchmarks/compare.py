"""Time igfmeta beside metafor, PyMARE and pymetaanalysis in one run, and write benchmarks/RESULTS.md.

    python benchmarks/compare.py

PyMARE and pymetaanalysis are timed where they are installed, metafor where Rscript has it. Every figure is a median;
ratios compare medians of the same run on the same data. Absolute times depend on the machine and are there to be read
beside each other.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
from results import write_page  # noqa: E402

from igfmeta.bayes.posterior import normal_normal, normal_normal_one  # noqa: E402
from igfmeta.models.deletion import leave_one_out  # noqa: E402
from igfmeta.models.pooling import pool, pool_one  # noqa: E402
from igfmeta.version import __version__  # noqa: E402

MANY, K = 10_000, 10
#: Fits that the R loop does; its time for MANY is scaled up.
R_LOOP = 200


def median_ms(work: Callable[[], Any], runs: int) -> float:
    """Return the median time of some runs in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def data() -> dict[str, Any]:
    """Return the data sets that everybody fits."""
    rng = np.random.default_rng(20261124)

    def make(shape: tuple[int, ...]) -> tuple[Any, Any]:
        v = rng.uniform(0.01, 0.4, shape)
        return rng.normal(0, np.sqrt(v + 0.05)), v

    return {"many": make((MANY, K)), "thirteen": make((13,)), "thousand": make((1000,))}


def ours(sets: dict[str, Any]) -> dict[str, float]:
    y, v = sets["many"]
    y13, v13 = sets["thirteen"]
    return {
        "many": median_ms(lambda: pool(y, v, tau2_ci="none"), 15),
        "one": median_ms(lambda: pool_one(y13, v13), 501),
        "thousand": median_ms(lambda: pool_one(*sets["thousand"]), 101),
        "leave_one_out": median_ms(lambda: leave_one_out(y13, v13), 201),
        "posterior": median_ms(lambda: normal_normal_one(y13, v13), 201),
        "posteriors": median_ms(lambda: normal_normal(y, v), 3),
    }


def pymare(sets: dict[str, Any]) -> dict[str, float]:
    """Return PyMARE's times: one vectorised REML call for many sets, and the same estimator for one."""
    from pymare import Dataset
    from pymare.estimators import VarianceBasedLikelihoodEstimator

    def fit(y: Any, v: Any) -> Any:
        estimator = VarianceBasedLikelihoodEstimator(method="REML")
        estimator.fit_dataset(Dataset(y.T if y.ndim == 2 else y, v.T if v.ndim == 2 else v))
        return estimator.summary().get_fe_stats()

    return {
        "many": median_ms(lambda: fit(*sets["many"]), 5),
        "one": median_ms(lambda: fit(*sets["thirteen"]), 51),
        "thousand": median_ms(lambda: fit(*sets["thousand"]), 21),
    }


def pymetaanalysis(sets: dict[str, Any]) -> dict[str, float]:
    from meta_analyze import meta_analysis

    def fit(y: Any, v: Any) -> Any:
        return meta_analysis(effect=y, variance=v, tau2_method="REML", ci_method="hksj")

    y, v = sets["many"]
    some = 200
    return {
        "many": median_ms(lambda: [fit(a, b) for a, b in zip(y[:some], v[:some], strict=True)], 3) * MANY / some,
        "one": median_ms(lambda: fit(*sets["thirteen"]), 101),
        "thousand": median_ms(lambda: fit(*sets["thousand"]), 21),
    }


R_CODE = """
suppressMessages(library(metafor))
d <- jsonlite::fromJSON(commandArgs(TRUE)[1])
ms <- function(f, n) { f(); t <- replicate(n, system.time(f())[["elapsed"]]); 1000 * median(t) }
per <- function(f, n, m) { f(); 1000 * system.time(for (i in seq_len(n)) f())[["elapsed"]] / n }
fit <- function(y, v) tryCatch(rma(y, v, test = "knha"), error = function(e) NULL)
one <- function() { f <- rma(d$y13, d$v13, test = "knha"); confint(f); predict(f) }
out <- list(
  many = 1000 * system.time(for (i in seq_len(nrow(d$y))) fit(d$y[i, ], d$v[i, ]))[["elapsed"]],
  one = per(one, 60), thousand = ms(function() rma(d$y1000, d$v1000, test = "knha"), 3),
  leave_one_out = per(function() leave1out(rma(d$y13, d$v13, test = "knha")), 10),
  version = as.character(packageVersion("metafor")))
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA))
"""


def metafor(sets: dict[str, Any]) -> dict[str, float] | None:
    """Return metafor's times; None without R, metafor or jsonlite."""
    if shutil.which("Rscript") is None:
        return None
    y, v = sets["many"]
    payload = {"y": y[:R_LOOP].tolist(), "v": v[:R_LOOP].tolist()}
    for name, short in (("thirteen", "13"), ("thousand", "1000")):
        payload[f"y{short}"], payload[f"v{short}"] = (x.tolist() for x in sets[name])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        json.dump(payload, stream)
        stream.flush()
        done = subprocess.run(["Rscript", "-e", R_CODE, stream.name], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "many": found["many"] * MANY / R_LOOP}


def processes() -> dict[str, float]:
    """Return the times of whole processes: a pool, the imports that it needs anyway, and R with one rma."""
    commands = {
        "pool": [sys.executable, "-m", "igfmeta", "pool", "--class", "antibody"],
        "imports": [sys.executable, "-c", "import pandas, scipy.special, typer, rich"],
        "metafor": ["Rscript", "-e", "suppressMessages(library(metafor)); rma(yi, vi, data = escalc('RR', ai = tpos, "
                    "bi = tneg, ci = cpos, di = cneg, data = dat.bcg))"],
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {}
    for _ in range(10):  # in turn, so that a change of the machine's speed touches all
        for name, command in commands.items():
            if shutil.which(command[0]):
                start = time.perf_counter()
                done = subprocess.run(command, capture_output=True, check=False, env=environment)
                if done.returncode == 0:
                    times.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def memory() -> dict[int, float]:
    """Return the peak memory in megabytes of pools of growing batches."""
    rng, peaks = np.random.default_rng(1), {}
    for batch in (10_000, 20_000, 40_000):
        v = rng.uniform(0.01, 0.4, (batch, K))
        y = rng.normal(0, np.sqrt(v + 0.05))
        tracemalloc.start()
        pool(y, v, tau2_ci="none")
        peaks[batch] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    return peaks


ROWS = {
    "many": f"{MANY:,} REML + Hartung-Knapp fits of k = {K}",
    "one": "one fit, k = 13: tau2, Hartung-Knapp, Q-profile, prediction interval",
    "thousand": "one fit, k = 1,000",
    "leave_one_out": "leave-one-out, k = 13",
    "posterior": "one exact posterior with its intervals, k = 13",
    "posteriors": f"{MANY:,} exact posteriors with their intervals, k = {K}",
}


def _cell(time_ms: float | None, own: float) -> str:
    return "" if time_ms is None else f"{time_ms:,.3g} ms ({time_ms / own:,.1f}x)"


def report(found: dict[str, dict[str, Any] | None], whole: dict[str, float], peaks: dict[int, float]) -> str:
    """Return the page of results."""
    peers = [name for name in ("metafor", "PyMARE", "pymetaanalysis") if found.get(name)]
    own = found["igfmeta"] or {}
    lines = [
        "# Speed",
        "",
        f"igfmeta {__version__}, NumPy {np.__version__}, Python {platform.python_version()}, one BLAS thread; medians "
        "of one run, written by `benchmarks/compare.py`. In brackets: how many times the time of igfmeta.",
        "",
        "| work | igfmeta | " + " | ".join(peers) + " |",
        "|---|---|" + "---|" * len(peers),
    ]
    for key, label in ROWS.items():
        cells = [_cell((found[peer] or {}).get(key), own[key]) for peer in peers]
        lines.append(f"| {label} | {own[key]:,.3g} ms | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"metafor's loop over {MANY:,} sets is timed on {R_LOOP} of them, pymetaanalysis' on 200. PyMARE fits all sets "
        "of a batch in one call; its figure is for REML with its normal intervals. metafor's single fit is `rma`, "
        "`confint` and `predict`; PyMARE and pymetaanalysis give no Q-profile interval with theirs.",
        "",
        "## A whole process",
        "",
        "`python -m igfmeta pool --class antibody`, from start to printed answer: three outcomes, each overall and by "
        "tumour, both schools.",
        "",
        "| process | median | ratio of igfmeta to it |",
        "|---|---|---|",
        f"| igfmeta pool --class antibody | {whole['pool']:.0f} ms | |",
        f"| python -c 'import pandas, scipy.special, typer, rich' | {whole['imports']:.0f} ms | "
        f"{whole['pool'] / whole['imports']:.2f} |",
    ]
    if "metafor" in whole:
        ratio = whole["pool"] / whole["metafor"]
        lines.append(f"| Rscript: load metafor, one rma | {whole['metafor']:.0f} ms | {ratio:.2f} |")
    lines += [
        "",
        "## Memory",
        "",
        "Peak while pooling a batch of data sets with k = 10.",
        "",
        "| batch | MB |",
        "|---|---|",
    ]
    lines += [f"| {batch:,} | {peak:.1f} |" for batch, peak in peaks.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Time everything and write the page."""
    warnings.simplefilter("ignore")  # of the peers
    sets = data()
    found: dict[str, dict[str, Any] | None] = {"igfmeta": ours(sets), "metafor": metafor(sets)}
    for name, module, timer in (("PyMARE", "pymare", pymare), ("pymetaanalysis", "meta_analyze", pymetaanalysis)):
        found[name] = timer(sets) if importlib.util.find_spec(module) else None
    page = report(found, processes(), memory())
    write_page(page)
    print(page)


if __name__ == "__main__":
    main()
