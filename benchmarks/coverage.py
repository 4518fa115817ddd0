"""How often intervals hold what they are of, and tests reject what is true: simulated, and recorded in coverage.json.

    python benchmarks/coverage.py                    every theme, on this machine, with joblib
    python benchmarks/coverage.py --only counts      scenarios whose name contains a text; the others are kept
    python benchmarks/coverage.py --backend dask     on a Dask cluster (--scheduler ADDRESS; a local one by default)
    python benchmarks/coverage.py --page             the page alone, from the record

The themes are the modules coverage_*.py beside this one. Each scenario has its own seed, so that the record is the same
to the bit for any number and kind of workers. A test of the suite asserts on the record and repeats a part of it;
docs/coverage.md is the record as tables.
"""

from __future__ import annotations

if __name__ == "coverage":
    # Scripts of this folder have it on their path, and libraries (numba) look for the package of this name.
    raise ImportError("benchmarks/coverage.py is a script; the package coverage is not installed.")

import argparse
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import coverage_scenarios  # noqa: E402  (after the number of threads is set)
from coverage_page import page  # noqa: E402
from coverage_scenarios import ALPHA, CHECKED, LEVEL, SEED, Scenario  # noqa: E402
from coverage_themes import SCENARIOS, THEMES, checks  # noqa: E402

from igfmeta.parallel import BACKENDS, workers  # noqa: E402

RECORD = HERE / "coverage.json"
PAGE = HERE.parent / "docs" / "coverage.md"


def simulate(scenarios: list[Scenario], *, replicates: int | None = None, n_jobs: int = -1) -> list[dict[str, Any]]:
    """Return the record of each scenario, in parallel on joblib's current backend.

    Workers of a cluster have no folder of scripts: each scenario brings the modules of its theme with it.
    """
    import cloudpickle
    from joblib import Parallel, delayed

    for module in (coverage_scenarios, *THEMES.values()):
        cloudpickle.register_pickle_by_value(module)
    carried = [cloudpickle.dumps(each) for each in scenarios]
    found: list[dict[str, Any]] = Parallel(n_jobs=n_jobs)(delayed(unpacked)(each, replicates) for each in carried)
    return found


def unpacked(carried: bytes, replicates: int | None) -> dict[str, Any]:
    """Return the record of a scenario that was carried to a worker."""
    cell: dict[str, Any] = pickle.loads(carried).cell(replicates)
    return cell


def name_of(cell: dict[str, Any]) -> str:
    """Return the name of the scenario that a cell is of."""
    return Scenario(cell["theme"], cell["part"], cell["settings"], dict, 0).name


def merged(before: list[dict[str, Any]], new: list[dict[str, Any]], scenarios: list[Scenario]) -> list[dict[str, Any]]:
    """Return the cells in the order of the scenarios, new ones in place of old ones; what is no scenario goes."""
    known = {name_of(cell): cell for cell in [*before, *new]}
    return [known[each.name] for each in scenarios if each.name in known]


def renew(path: Path, asked: list[Scenario], *, replicates: int | None, n_jobs: int) -> None:
    """Simulate scenarios and write them into the record, table after table, so that a long run leaves what it did."""
    parts = {"checks": checks(), "cells": SCENARIOS}
    for kind in dict.fromkeys((each.theme, each.part) for each in asked):
        start = time.perf_counter()
        some = [each for each in asked if (each.theme, each.part) == kind]
        new = {
            "checks": simulate([each for each in checks() if each in some], replicates=CHECKED, n_jobs=n_jobs),
            "cells": simulate(some, replicates=replicates, n_jobs=n_jobs),
        }
        before = read(path)
        cells = {key: merged(before.get(key, []), new[key], parts[key]) for key in parts}
        write({"seed": SEED, "level": LEVEL, "alpha": ALPHA} | cells, path)
        print(f"{' / '.join(kind)}: {len(some)} scenarios, {time.perf_counter() - start:,.0f} s", flush=True)


def read(path: Path) -> dict[str, Any]:
    """Return the record; an empty one where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(record: dict[str, Any], path: Path) -> None:
    """Write the record, a line for each scenario."""
    lines = [f'"{key}": {json.dumps(value)}' for key, value in record.items() if not isinstance(value, list)]
    for key, value in record.items():
        if isinstance(value, list):
            cells = ",\n".join(json.dumps(cell, separators=(",", ":")) for cell in value)
            lines.append(f'"{key}": [\n{cells}\n]')
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Simulate and write record and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a text that the names of the scenarios contain")
    parser.add_argument("--page", action="store_true", help="write the page from the record, and simulate nothing")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios, and simulate nothing")
    parser.add_argument("--backend", choices=BACKENDS, default="loky")
    parser.add_argument("--scheduler", help="address of a Dask scheduler; a cluster on this machine by default")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--replicates", type=int, help="at most so many per scenario; needs another --output")
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    if given.replicates is not None and given.output == RECORD:
        parser.error("--replicates would shorten the record; name another file with --output")
    asked = [each for each in SCENARIOS if given.only in each.name]
    if not asked:
        parser.error(f"no scenario's name contains {given.only!r}; --list prints them")
    if given.list:
        print("\n".join(f"{each.name}: {each.replicates:,}" for each in asked))
        return
    if not given.page:
        with workers(given.backend, scheduler=given.scheduler):
            renew(given.output, asked, replicates=given.replicates, n_jobs=given.jobs)
        print(f"Written: {given.output}")
    if given.output == RECORD:
        record = read(RECORD)
        PAGE.write_text(page(record), encoding="utf-8")
        print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
