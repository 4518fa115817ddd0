"""Time influence, all subsets and selection models beside metafor in one run; writes a section of RESULTS.md.

    python benchmarks/robustness.py

metafor is timed where Rscript has it. Its gosh is timed on some thousand subsets and scaled up.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
import pandas as pd  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from results import write_section  # noqa: E402

from igfmeta.models.bias.copas import copas  # noqa: E402
from igfmeta.models.bias.funnel import funnel  # noqa: E402
from igfmeta.models.bias.registry import run_test  # noqa: E402
from igfmeta.models.bias.selection.model import selection_model  # noqa: E402
from igfmeta.models.bias.trim_and_fill import trim_and_fill  # noqa: E402
from igfmeta.models.fragility import fragility  # noqa: E402
from igfmeta.models.gosh import gosh  # noqa: E402
from igfmeta.models.influence import influence  # noqa: E402

CASES = Path(__file__).parents[1] / "tests" / "published" / "cases" / "data"

#: Studies whose subsets are all pooled, and the subsets that metafor's loop is timed on.
MOST, R_SUBSETS = 20, 2_000


def median_ms(work: Callable[[], Any], runs: int) -> float:
    """Return the median time of some runs in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def data() -> tuple[pd.DataFrame, pd.DataFrame, tuple[Any, Any]]:
    """Return Hackshaw's and the BCG studies, and twenty simulated ones."""
    rng = np.random.default_rng(20261125)
    v = rng.uniform(0.01, 0.4, MOST)
    smoking = pd.read_csv(CASES / "18_hackshaw1998_egger_begg.csv")
    bcg = pd.read_csv(CASES / "22_bcg_leave_one_out_influence.csv")
    return smoking, bcg, (rng.normal(0, np.sqrt(v + 0.05)), v)


def ours(smoking: pd.DataFrame, bcg: pd.DataFrame, twenty: tuple[Any, Any]) -> dict[str, float]:
    """Return igfmeta's medians in milliseconds."""
    h = funnel(smoking["yi"].to_numpy(), smoking["vi"].to_numpy())
    y, v = bcg["yi"].to_numpy(), bcg["vi"].to_numpy()
    return {
        "gosh_reml": median_ms(lambda: gosh(*twenty), 5),
        "gosh_dl": median_ms(lambda: gosh(*twenty, method="DL"), 3),
        "influence": median_ms(lambda: influence(y, v), 101),
        "fragility": median_ms(lambda: fragility(y, v), 21),
        "egger": median_ms(lambda: run_test("egger-mixed", h), 51),
        "trim_and_fill": median_ms(lambda: trim_and_fill(h), 51),
        "step": median_ms(lambda: selection_model(h), 21),
        "beta": median_ms(lambda: selection_model(h, "beta"), 11),
        "negexp": median_ms(lambda: selection_model(h, "negative-exponential"), 11),
        "copas": median_ms(lambda: copas(h), 5),
    }


R_CODE = """
suppressMessages(library(metafor))
d <- jsonlite::fromJSON(commandArgs(TRUE)[1])
ms <- function(f, n) { f(); 1000 * median(replicate(n, system.time(f())[["elapsed"]])) }
per <- function(f, n) { f(); 1000 * system.time(for (i in seq_len(n)) f())[["elapsed"]] / n }
h <- dat.hackshaw1998; r <- rma(yi, vi, data = h); ml <- rma(yi, vi, data = h, method = "ML")
b <- rma(yi, vi, data = escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg))
t <- rma(d$y, d$v); tdl <- rma(d$y, d$v, method = "DL")
quiet <- function(x) { sink(nullfile()); on.exit(sink()); suppressWarnings(x) }
g <- function(x) 1000 * system.time(quiet(gosh(x, subsets = d$subsets, progbar = FALSE)))[["elapsed"]]
out <- list(
  gosh_reml = g(t), gosh_dl = g(tdl), influence = per(function() influence(b), 10),
  egger = per(function() regtest(r), 20), trim_and_fill = per(function() trimfill(r), 10),
  step = ms(function() quiet(selmodel(ml, type = "stepfun", steps = 0.025)), 3),
  beta = ms(function() quiet(selmodel(ml, type = "beta")), 3),
  negexp = ms(function() quiet(selmodel(ml, type = "negexp")), 3),
  version = as.character(packageVersion("metafor")))
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA))
"""


def metafor(twenty: tuple[Any, Any], all_subsets: int) -> dict[str, Any] | None:
    """Return metafor's times; None without R, metafor or jsonlite."""
    if shutil.which("Rscript") is None:
        return None
    payload = json.dumps({"y": twenty[0].tolist(), "v": twenty[1].tolist(), "subsets": R_SUBSETS})
    done = subprocess.run(["Rscript", "-e", R_CODE, payload], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    for name in ("gosh_reml", "gosh_dl"):
        found[name] *= all_subsets / R_SUBSETS
    return found


ROWS = {
    "gosh_reml": "GOSH, all {subsets:,} subsets of 20 studies, REML",
    "gosh_dl": "GOSH, all {subsets:,} subsets of 20 studies, DL",
    "influence": "influence diagnostics, BCG, k = 13",
    "fragility": "fragility of the conclusion, BCG: fewest studies, new study",
    "egger": "Egger's mixed regression, Hackshaw, k = 37",
    "trim_and_fill": "trim and fill, Hackshaw",
    "step": "step selection model, Hackshaw",
    "beta": "beta selection model, Hackshaw",
    "negexp": "negative-exponential selection model, Hackshaw",
    "copas": "Copas, ten chances of publication, Hackshaw",
}


def section(own: dict[str, float], theirs: dict[str, Any] | None, subsets: int) -> str:
    """Return the section of the page."""
    version = f" {theirs['version']}" if theirs else ""
    lines = [
        "## Influence, all subsets, selection models",
        "",
        "Medians of one run, written by `benchmarks/robustness.py`. In brackets: how many times the time of igfmeta. "
        f"metafor's gosh is timed on {R_SUBSETS:,} subsets and scaled up.",
        "",
        f"| work | igfmeta | metafor{version} |",
        "|---|---|---|",
    ]
    for name, label in ROWS.items():
        other = (theirs or {}).get(name)
        cell = "" if other is None else f"{other:,.3g} ms ({other / own[name]:,.1f}x)"
        lines.append(f"| {label.format(subsets=subsets)} | {own[name]:,.3g} ms | {cell} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Time everything and write the section."""
    smoking, bcg, twenty = data()
    subsets = 2**MOST - 1 - MOST
    text = section(ours(smoking, bcg, twenty), metafor(twenty, subsets), subsets)
    write_section("robustness", text)
    print(text)


if __name__ == "__main__":
    main()
