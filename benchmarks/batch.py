"""Time and memory of `fit --batch` on a table of a million rows; writes batch.json and a section of docs/robustness.md.

python benchmarks/batch.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RECORD, FUZZ, PAGE = HERE / "batch.json", HERE / "fuzz.json", HERE.parent / "docs" / "robustness.md"

GROUPS, SEED = 100_000, 20261125


def table(path: Path) -> int:
    """Write 100,000 meta-analyses of ten studies on average; return the number of rows."""
    rng = np.random.default_rng(SEED)
    k = rng.poisson(9, GROUPS) + 1
    v = rng.uniform(0.01, 0.5, k.sum())
    y = rng.normal(0, np.sqrt(v + 0.1))
    with path.open("w", encoding="utf-8") as stream:
        stream.write("gene,yi,vi\n")
        stream.writelines(
            f"g{g},{a!r},{b!r}\n"
            for g, a, b in zip(np.repeat(np.arange(GROUPS), k).tolist(), y.tolist(), v.tolist(), strict=True)
        )
    return int(k.sum())


def measured(source: Path, target: Path, jobs: int) -> dict[str, Any]:
    """Return seconds (elapsed, and of computing) and the largest resident memory of the first process, in MB."""
    command = [sys.executable, "-m", "igfmeta", "fit", "--data", source, "--yi", "yi", "--vi", "vi", "--batch", "gene"]
    start = time.perf_counter()
    with subprocess.Popen([*map(str, command), "--jobs", str(jobs), "-o", str(target)]) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the fit failed")
    return {
        "jobs": jobs,
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def put(page: str, name: str, text: str) -> str:
    """Return a page with the part between two marks (one, the first time) replaced."""
    mark, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, after = page.split(mark, 1)
    after = after.split(end, 1)[1] if end in after else after
    return f"{before}{mark}\n\n{text}\n\n{end}{after}"


def fuzzed(record: dict[str, Any]) -> str:
    """Return the record of fuzz.py as a table."""
    lines = [
        "| target | inputs | answered | refused by a sentence | crashes | hangs | wrong |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in record["targets"].items():
        counts = " | ".join(f"{found[key]:,}" for key in ("inputs", "answered", "refused", "crashes", "hangs", "wrong"))
        lines.append(f"| {name} | {counts} |")
    return "\n".join(lines)


def scaled(record: dict[str, Any]) -> str:
    """Return the record of this script as a sentence for each number of workers."""
    lines = [
        f"- {record['groups']:,} meta-analyses ({record['rows']:,} rows), REML and Hartung-Knapp, --jobs "
        f"{run['jobs']}: {run['cpu_seconds']:g} s of computing by the command (its workers apart), "
        f"{run['seconds']:g} s until done on two cores that had other work; peak memory {run['peak_mb']} MB."
        for run in record["runs"]
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"Same bytes for each: {'yes' if record['same_bytes'] else 'no'}. Written by `benchmarks/batch.py`.",
        ]
    )


def main() -> None:
    """Measure, write the record and the page."""
    if "--page" not in sys.argv:
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "t.csv"
            rows = table(source)
            runs, answers = [], set()
            for jobs in (1, 2):
                target = Path(place) / f"{jobs}.csv"
                runs.append(measured(source, target, jobs))
                answers.add(target.read_bytes())
            record = {"groups": GROUPS, "rows": rows, "runs": runs, "same_bytes": len(answers) == 1}
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    page = put(PAGE.read_text(encoding="utf-8"), "fuzz", fuzzed(json.loads(FUZZ.read_text())))
    PAGE.write_text(put(page, "scale", scaled(json.loads(RECORD.read_text()))), encoding="utf-8")


if __name__ == "__main__":
    main()
