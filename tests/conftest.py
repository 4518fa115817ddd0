"""What tests share: the published cases, and the tables that break rules."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

# A second run starts three times faster with the bytecode of the first, also where the environment forbids it.
sys.dont_write_bytecode = False

CASES = Path(__file__).parent / "published" / "cases"


@dataclass(frozen=True)
class Case:
    """A published analysis: its data and what the reference implementation gave."""

    data: pd.DataFrame
    values: dict[str, Any]

    def column(self, name: str) -> np.ndarray:
        return self.data[name].to_numpy(dtype=float)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """Return the case that the test module names as CASE, such as "01_bcg_rr_tau2_estimators"."""
    name = request.module.CASE
    record = json.loads((CASES / f"{name}.json").read_text())
    table = CASES / "data" / f"{name}.csv"
    data = pd.read_csv(table) if table.is_file() else pd.DataFrame()
    return Case(data=data, values={key: value["value"] for key, value in record["values"].items()})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260401)
