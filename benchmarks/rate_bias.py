"""How often tests of small-study effects reject for rates without any; writes rate_bias.json and docs/robustness.md.

    python benchmarks/rate_bias.py [--runs 150] [--seed 20261125]

Rates are logit-normal, whatever the size of a study, so that no small study differs from a large one; each test should
reject in 5 % of the runs. tests/models/test_rate_bias.py asserts on the record.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
from scipy import special  # noqa: E402

from igfmeta.effects.one_arm import one_arm  # noqa: E402
from igfmeta.errors import IgfmetaError  # noqa: E402
from igfmeta.models.bias.funnel import Funnel, funnel  # noqa: E402
from igfmeta.models.bias.registry import run_test  # noqa: E402
from igfmeta.numerics import t_two_sided  # noqa: E402

RECORD = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[1] / "docs" / "robustness.md"
STUDIES, RATES, TAUS = (10, 30), (0.05, 0.2), (0.0, 1.0)

#: Sizes are log-uniform between these, about as the trials of this evidence.
SMALLEST, LARGEST = 12, 120
TESTS = ("egger", "peters", "rate-peters", "rate-root")
LEVEL = 0.05


def simulated(rng: np.random.Generator, k: int, rate: float, tau: float) -> Funnel:
    """Return k single arms whose rates do not depend on their sizes."""
    n = np.round(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), k)))
    logit = special.logit(rate) + tau * rng.standard_normal(k)
    x = rng.binomial(n.astype(int), special.expit(logit)).astype(float)
    own = one_arm(x, n, measure="PLO")
    return funnel(own.yi, own.vi, sizes=n, events=x, rates=np.column_stack([x, n]))


def p_values(data: Funnel) -> dict[str, float] | None:
    """Return the p-value of each test, and of the first of rates with a normal reference; None without an answer."""
    try:
        found = {name: run_test(name, data) for name in TESTS}
    except IgfmetaError:
        return None
    p = {name: test.p_value for name, test in found.items()}
    return p | {"rate-peters, normal": float(t_two_sided(found["rate-peters"].statistic, np.inf))}


def scenario(k: int, rate: float, tau: float, *, runs: int, seed: int) -> dict[str, Any]:
    """Return the share of runs in which each test rejects."""
    rng = np.random.default_rng([seed, k, round(1000 * rate), round(1000 * tau)])
    found = [p_values(simulated(rng, k, rate, tau)) for _ in range(runs)]
    answered = [each for each in found if each is not None]
    rejected = {name: float(np.mean([each[name] < LEVEL for each in answered])) for name in answered[0]}
    return {"k": k, "rate": rate, "tau": tau, "answered": len(answered), "rejected": rejected}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=20261125)
    given = parser.parse_args()
    found = []
    for k, rate, tau in itertools.product(STUDIES, RATES, TAUS):
        found.append(scenario(k, rate, tau, runs=given.runs, seed=given.seed))
        print(found[-1], flush=True)
    record = {"runs": given.runs, "seed": given.seed, "level": LEVEL, "scenarios": found}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    write_page(record)


def write_page(record: dict[str, Any]) -> None:
    """Write the table of docs/robustness.md."""
    names = {"egger": "Egger, logits", "peters": "Peters, logits", "rate-peters": "binomial, 1/n",
             "rate-root": "binomial, 1/√n", "rate-peters, normal": "1/n, normal reference"}  # fmt: skip
    lines = [f"| k | rate | tau | {' | '.join(names.values())} |", f"|---:|---:|---:|{'---:|' * len(names)}"]
    for each in record["scenarios"]:
        shares = " | ".join(f"{100 * each['rejected'][name]:.0f} %" for name in names)
        lines.append(f"| {each['k']} | {100 * each['rate']:g} % | {each['tau']:g} | {shares} |")
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split("<!-- rate_bias -->\n", 1)
    after = rest.split("<!-- end of rate_bias -->", 1)[1]
    table = "\n".join(lines)
    page = f"{before}<!-- rate_bias -->\n\n{table}\n\n<!-- end of rate_bias -->{after}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
