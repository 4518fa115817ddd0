"""Time the models of counts beside metafor in one run, and write a section of benchmarks/RESULTS.md.

    python benchmarks/counts.py

Data: Niël-Weise 2007 (18 trials, 17 with an event), Pritz 1997 (14 proportions), as the tests have them. metafor is
timed where Rscript has it; its exact conditional model is timed once, as it takes seconds.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
import pandas as pd  # noqa: E402
from results import write_section  # noqa: E402

import igfmeta as im  # noqa: E402
from igfmeta.version import __version__  # noqa: E402

CASES = Path(__file__).parents[1] / "tests" / "published" / "cases" / "data"
RARE = CASES / "06_nielweise2007_rare_or_glmm.csv"
RATES = CASES / "08_pritz1997_proportions.csv"
COLUMNS = {"events1": "ai", "n1": "n1i", "events2": "ci", "n2": "n2i", "measure": "OR"}

#: Name -> model and options, and the call of metafor with how often it is timed.
WORK: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "Mantel-Haenszel OR": ("mh", {}, 'rma.mh(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d)', 25),
    "CM.EL, exact": ("glmm", {"variant": "CM.EL"}, 'g("CM.EL")', 1),
    "CM.AL": ("glmm", {"variant": "CM.AL"}, 'g("CM.AL")', 3),
    "UM.FS": ("glmm", {"variant": "UM.FS"}, 'g("UM.FS")', 3),
    "UM.RS": ("glmm", {"variant": "UM.RS"}, 'g("UM.RS")', 3),
}
LOGIT = ("logit-normal, single arms", 'rma.glmm(measure = "PLO", xi = xi, ni = ni, data = p)')


def median_ms(work: Callable[[], Any], runs: int) -> float:
    """Return the median time of some runs in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def ours() -> dict[str, float]:
    """Return igfmeta's times: the fit with everything that it reports, profile-likelihood intervals included."""
    rare, rates = pd.read_csv(RARE), pd.read_csv(RATES)
    times = {
        name: median_ms(lambda m=model, o=options: im.fit_with(m, rare, **COLUMNS, **o), 11)
        for name, (model, options, _, _) in WORK.items()
    }
    times[LOGIT[0]] = median_ms(lambda: im.fit_with("glmm", rates, events="xi", n="ni", measure="PLO"), 11)
    return times


def metafor() -> dict[str, Any] | None:
    """Return metafor's times, which are of the fit alone; None without R, metafor or jsonlite."""
    if shutil.which("Rscript") is None:
        return None
    calls = [(name, call, runs) for name, (_, _, call, runs) in WORK.items()] + [(*LOGIT, 5)]
    timed = ",\n".join(f"`{name}` = ms(function() {call}, {runs})" for name, call, runs in calls)
    code = f"""
    suppressMessages(library(metafor))
    d <- read.csv("{RARE}"); p <- read.csv("{RATES}")
    ms <- function(f, n) {{ if (n > 1) suppressWarnings(f())
      1000 * median(replicate(n, system.time(suppressWarnings(f()))[["elapsed"]])) }}
    g <- function(m) rma.glmm(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = d, model = m)
    cat(jsonlite::toJSON(list({timed}, version = as.character(packageVersion("metafor"))), auto_unbox = TRUE))
    """
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def section(own: dict[str, float], theirs: dict[str, Any] | None) -> str:
    """Return the section of the page."""
    version = f"metafor {theirs['version']}" if theirs else "metafor (not installed)"
    lines = [
        "## Counts",
        "",
        f"igfmeta {__version__}, NumPy {np.__version__}, Python {platform.python_version()}, {version}, one BLAS "
        "thread; medians of one run, written by `benchmarks/counts.py`. igfmeta's times are of the whole fit: with "
        "the profile-likelihood interval of tau2 where the model has one, the likelihood-ratio test of tau2 = 0 and "
        "the certificate; metafor's are of the fit alone.",
        "",
        "| model | igfmeta | metafor |",
        "|---|---|---|",
    ]
    for name, time_ms in own.items():
        other = theirs.get(name) if theirs else None
        cell = "" if other is None else f"{other:,.3g} ms ({other / time_ms:,.1f}x)"
        lines.append(f"| {name} | {time_ms:,.3g} ms | {cell} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Time everything and write the section."""
    text = section(ours(), metafor())
    write_section("counts", text)
    print(text)


if __name__ == "__main__":
    main()
