"""The themes of the coverage simulations; a new one is a module and a line here."""

from __future__ import annotations

from types import ModuleType

import coverage_bias
import coverage_multilevel
import coverage_pools
import coverage_rates
import coverage_regression
import coverage_robust
import coverage_tables
from coverage_scenarios import Scenario

THEMES: dict[str, ModuleType] = {
    "pools": coverage_pools,
    "regression": coverage_regression,
    "robust": coverage_robust,
    "multilevel": coverage_multilevel,
    "rates": coverage_rates,
    "tables": coverage_tables,
    "bias": coverage_bias,
}
SCENARIOS: list[Scenario] = [each for module in THEMES.values() for each in module.SCENARIOS]


def checks() -> list[Scenario]:
    """Return the first scenario of each kind, which are also simulated briefly so that a test can repeat them."""
    first: dict[str, Scenario] = {}
    for each in SCENARIOS:
        first.setdefault(each.run.__name__, each)
    return list(first.values())
