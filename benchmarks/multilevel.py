"""Time multilevel models beside metafor's rma.mv in one run, and write their section of benchmarks/RESULTS.md.

    python benchmarks/multilevel.py

metafor is timed where Rscript has it, with `sparse = TRUE` and its default optimizer and tolerances; the section also
says whose likelihood is the higher.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
from results import write_section  # noqa: E402

from igfmeta.models.multilevel.fitting import fit_multilevel  # noqa: E402
from igfmeta.models.multilevel.terms import parse  # noqa: E402

#: Sets that rma.mv is not given: it did not finish the larger crossed one in six minutes.
OURS_ALONE = ("nested_large", "crossed_large")


def sets() -> dict[str, dict[str, Any]]:
    """Return the data: three levels nested, and two factors crossed with rows in their cells."""
    rng = np.random.default_rng(20261125)
    out: dict[str, dict[str, Any]] = {}
    for name, groups, per in (("nested", 200, 10), ("nested_large", 2000, 10)):
        k = groups * per
        vi = rng.uniform(0.02, 0.2, k)
        y = 0.3 + 0.3 * np.repeat(rng.normal(size=groups), per) + 0.2 * rng.normal(size=k) + rng.normal(0, np.sqrt(vi))
        columns = {"district": np.repeat(np.arange(groups), per), "school": np.arange(k)}
        out[name] = {"y": y, "vi": vi, "columns": columns, "random": ["~ 1 | district/school"]}
    for name, k in (("crossed", 400), ("crossed_large", 2000)):
        vi = rng.uniform(0.02, 0.2, k)
        a, b = rng.integers(0, 60, k), rng.integers(0, 40, k)
        y = 0.3 * rng.normal(size=60)[a] + 0.2 * rng.normal(size=40)[b] + 0.2 * rng.normal(size=k)
        out[name] = {
            "y": y + rng.normal(0, np.sqrt(vi)),
            "vi": vi,
            "columns": {"agent": a, "tumor": b, "row": np.arange(k)},
            "random": ["~ 1 | agent", "~ 1 | tumor", "~ 1 | row"],
        }
    return out


def _fit(data: dict[str, Any], *, intervals: bool) -> Any:
    columns = {name: values.tolist() for name, values in data["columns"].items()}
    terms = [term for formula in data["random"] for term in parse(formula, columns)]
    return fit_multilevel(data["y"], data["vi"], terms, test="z", intervals=intervals)


def median_ms(work: Callable[[], Any], runs: int) -> float:
    """Return the median time of some runs in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


R_CODE = """
suppressMessages(library(metafor))
sets <- jsonlite::fromJSON(commandArgs(TRUE)[1], simplifyDataFrame = FALSE)
out <- list(version = as.character(packageVersion("metafor")))
for (name in names(sets)) {
  d <- sets[[name]]
  dat <- data.frame(d$columns, yi = d$y, vi = d$vi)
  time <- system.time(m <- rma.mv(yi, vi, random = lapply(d$random, as.formula), data = dat, sparse = TRUE))
  out[[name]] <- list(ms = 1000 * time[["elapsed"]], logLik = c(logLik(m)))
}
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA))
"""


def metafor(data: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return metafor's times and log-likelihoods (one fit each); None without R, metafor or jsonlite."""
    if shutil.which("Rscript") is None:
        return None
    payload = {
        name: {
            **each,
            "y": each["y"].tolist(),
            "vi": each["vi"].tolist(),
            "columns": {column: values.tolist() for column, values in each["columns"].items()},
        }
        for name, each in data.items()
        if name not in OURS_ALONE
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        json.dump(payload, stream)
        stream.flush()
        done = subprocess.run(["Rscript", "-e", R_CODE, stream.name], capture_output=True, text=True, check=False)
    found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


ROWS = {
    "nested": "three levels, k = 2,000 in 200 districts",
    "nested_large": "three levels, k = 20,000 in 2,000 districts",
    "crossed": "60 agents crossed with 40 tumours, and rows, k = 400",
    "crossed_large": "60 agents crossed with 40 tumours, and rows, k = 2,000",
}


def main() -> None:
    """Time everything and write the section."""
    data = sets()
    theirs = metafor(data)
    lines = [
        "## Multilevel models",
        "",
        "Medians of one run, one BLAS thread, written by `benchmarks/multilevel.py`. In brackets: how many times the "
        "time of igfmeta's fit.",
        "",
        "| work | fit | with profile-likelihood intervals | metafor rma.mv, sparse | log-likelihood above metafor's |",
        "|---|---|---|---|---|",
    ]
    for name, label in ROWS.items():
        runs = 3 if name in OURS_ALONE else 11
        own = median_ms(lambda each=data[name]: _fit(each, intervals=False), runs)  # type: ignore[misc]
        wide = median_ms(lambda each=data[name]: _fit(each, intervals=True), 3)  # type: ignore[misc]
        peer, above = "", ""
        if theirs and name in theirs:
            peer = f"{theirs[name]['ms']:,.3g} ms ({theirs[name]['ms'] / own:,.0f}x)"
            above = f"{_fit(data[name], intervals=False).log_likelihood - theirs[name]['logLik']:.1e}"
        lines.append(f"| {label} | {own:,.3g} ms | {wide:,.3g} ms | {peer} | {above} |")
    version = (
        f" metafor {theirs['version']}, its default optimizer, one fit of each; not given the larger sets."
        if theirs
        else ""
    )
    lines += ["", f"A fit has variances, effects, their conditional means, QE and I2 by level.{version}"]
    text = "\n".join(lines)
    write_section("multilevel", text)
    print(text)


if __name__ == "__main__":
    main()
