"""Time permutation tests of a meta-regression beside metafor and PyMARE in one run, and write their section.

    python benchmarks/metaregression.py

The BCG trials (k = 13) with one moderator, absolute latitude. PyMARE is timed where it is installed, metafor where
Rscript has it.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
from results import write_section  # noqa: E402

from igfmeta.models.regression.fitting import regress, regress_one  # noqa: E402
from igfmeta.models.regression.permutation import permutation_test  # noqa: E402

TABLE = Path(__file__).parents[1] / "tests" / "published" / "cases" / "data" / "bcg_meta_regression.csv"
PERMUTATIONS, MANY = 1_000, 10_000

#: Fits of R's loop; its time for MANY is scaled up.
R_LOOP = 200

R_CODE = """
suppressMessages(library(metafor))
dat <- read.csv(commandArgs(TRUE)[1])
ms <- function(expr, n) { expr(); t <- replicate(n, system.time(expr())[["elapsed"]]); 1000 * median(t) }
out <- list(version = as.character(packageVersion("metafor")))
for (m in c("REML", "DL")) {
  res <- rma(yi, vi, mods = ~ ablat, data = dat, method = m, test = "knha")
  out[[m]] <- ms(function() permutest(res, iter = 1000, progbar = FALSE), 1)
}
out$one <- ms(function() {
  res <- rma(yi, vi, mods = ~ ablat, data = dat, test = "knha"); confint(res); predict(res, newmods = 33)
}, 11)
out$loop <- ms(function() for (i in 1:200) rma(yi, vi, mods = ~ ablat, data = dat, test = "knha"), 1)
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA))
"""


def median_ms(work: Callable[[], Any], runs: int) -> float:
    """Return the median time of some runs in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def igfmeta(y: Any, v: Any, x: Any) -> dict[str, float]:
    """Return our times."""
    rng = np.random.default_rng(1)
    many = y + rng.normal(0, 0.3, (MANY, len(y)))
    each = np.tile(v, (MANY, 1))
    out = {
        method: median_ms(lambda m=method: permutation_test(y, v, x, rng=rng, draws=PERMUTATIONS, method=m), 11)  # type: ignore[misc]
        for method in ("REML", "DL")
    }
    out["one"] = median_ms(lambda: regress_one(y, v, x), 51)
    out["loop"] = median_ms(lambda: regress(many, each, x), 3)
    return out


def metafor() -> dict[str, Any] | None:
    """Return metafor's times; None without R, metafor or jsonlite."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(["Rscript", "-e", R_CODE, str(TABLE)], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    found["loop"] *= MANY / R_LOOP
    return found


def pymare(y: Any, v: Any, x: Any) -> dict[str, float] | None:
    """Return PyMARE's times of the same permutations; None where it is not installed."""
    if importlib.util.find_spec("pymare") is None:
        return None
    from pymare import Dataset
    from pymare.estimators import DerSimonianLaird, VarianceBasedLikelihoodEstimator

    data = Dataset(y[:, None], v[:, None], x[:, 1:])
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator in (("REML", VarianceBasedLikelihoodEstimator("REML")), ("DL", DerSimonianLaird())):
            results = estimator.fit_dataset(data).summary()
            out[name] = median_ms(lambda found=results: found.permutation_test(n_perm=PERMUTATIONS), 5)
    return out


ROWS = {
    "REML": f"{PERMUTATIONS:,} permutations, one moderator, k = 13, REML",
    "DL": f"{PERMUTATIONS:,} permutations, one moderator, k = 13, DL",
    "one": "one fit, k = 13: REML, Hartung-Knapp, Q-profile, R2, omnibus test",
    "loop": f"{MANY:,} such fits",
}


def main() -> None:
    """Time everything and write the section."""
    with TABLE.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    y, v, latitude = (np.array([float(row[name]) for row in rows]) for name in ("yi", "vi", "ablat"))
    x = np.column_stack([np.ones(len(y)), latitude])
    own, r, python = igfmeta(y, v, x), metafor(), pymare(y, v, x)

    def beside(peer: dict[str, Any] | None, key: str) -> str:
        return f"{peer[key]:,.3g} ms ({peer[key] / own[key]:,.1f}x)" if peer and key in peer else ""

    version = f" {r['version']}" if r else ""
    lines = [
        "## Meta-regression",
        "",
        "Medians of one run, one thread, written by `benchmarks/metaregression.py`. In brackets: how many times the "
        "time of igfmeta.",
        "",
        f"| work | igfmeta | metafor{version} | PyMARE |",
        "|---|---|---|---|",
        *(
            f"| {label} | {own[key]:,.3g} ms | {beside(r, key)} | {beside(python, key)} |"
            for key, label in ROWS.items()
        ),
        "",
        f"metafor's loop over {MANY:,} fits is timed on {R_LOOP} of them, its single fit with `confint` and `predict`, "
        "its `permutest` once. PyMARE permutes with normal statistics, the others with Hartung-Knapp's.",
    ]
    text = "\n".join(lines)
    write_section("metaregression", text)
    print(text)


if __name__ == "__main__":
    main()
