"""What intervals hold, from the record of benchmarks/coverage.py (20,000 data sets per cell), and the record itself."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((BENCHMARKS / "coverage.json").read_text())
CELLS = {(cell["k"], cell["tau2"]): cell for cell in RECORD["cells"]}
ERROR = (0.95 * 0.05 / RECORD["replicates"]) ** 0.5


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("igfmeta_coverage", BENCHMARKS / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _coverage(part, name, where=lambda k, tau2: True):
    return {at: cell[part][name]["coverage"] for at, cell in CELLS.items() if where(*at)}


def test_the_record_is_of_the_whole_grid(simulation):
    assert list(CELLS) == [(k, tau2) for k in simulation.STUDIES for tau2 in simulation.TAU2]
    assert RECORD["replicates"] >= 20_000
    for cell in CELLS.values():
        assert {*simulation.CONFIDENCE} < set(cell["confidence"])
        assert {*simulation.PREDICTION} < set(cell["prediction"])


def test_the_page_is_made_from_the_record(simulation):
    assert (BENCHMARKS / "COVERAGE.md").read_text(encoding="utf-8") == simulation.page(RECORD)


def test_q_profile_intervals_are_exact():
    """At tau2 = 0 only the lower limit can miss: half of the error."""
    for (k, tau2), covered in _coverage("heterogeneity", "QP").items():
        assert covered == pytest.approx(0.975 if tau2 == 0 else 0.95, abs=4 * ERROR), (k, tau2)


def test_without_heterogeneity_the_common_effect_interval_is_exact_and_with_it_collapses():
    for covered in _coverage("confidence", "z (CE)", lambda k, tau2: tau2 == 0).values():
        assert covered == pytest.approx(0.95, abs=4 * ERROR)
    assert max(_coverage("confidence", "z (CE)", lambda k, tau2: tau2 >= 0.1).values()) < 0.75


def test_normal_intervals_are_too_short_with_few_studies_and_hartung_knapp_is_not_far_off():
    few = lambda k, tau2: k <= 10 and tau2 >= 0.1  # noqa: E731
    normal, hartung_knapp = _coverage("confidence", "z (REML)", few), _coverage("confidence", "HK (REML)", few)
    assert all(hartung_knapp[at] > normal[at] + 0.02 for at in normal)
    assert min(normal.values()) < 0.83
    assert min(_coverage("confidence", "HK (REML)").values()) > 0.915
    assert max(_coverage("confidence", "HK (REML)").values()) < 0.96


def test_the_floor_and_kenward_roger_do_not_fall_short():
    assert min(_coverage("confidence", "HK-floor (REML)").values()) > 0.938
    assert min(_coverage("confidence", "KR (REML)").values()) > 0.945


def test_with_many_studies_every_random_effects_interval_is_near_its_level():
    for name in ("z (REML)", "t (REML)", "HK (REML)", "HK-floor (REML)", "HK (PM)", "KR (REML)"):
        covered = _coverage("confidence", name, lambda k, tau2: k == 50 and tau2 >= 0.1)
        assert all(0.935 < value < 0.96 for value in covered.values()), name


def test_normal_prediction_intervals_fall_short_and_kenward_roger_ones_least():
    few = lambda k, tau2: k <= 10 and tau2 >= 0.1  # noqa: E731
    normal, with_kr = _coverage("prediction", "z", few), _coverage("prediction", "KR", few)
    assert all(with_kr[at] > normal[at] + 0.04 for at in normal)
    assert min(with_kr.values()) > 0.93


def test_a_cell_simulated_anew_is_that_of_the_record(simulation):
    replicates = 3_000
    seed = np.random.SeedSequence(1)
    found = simulation.cell(10, 0.1, seed, replicates, 200)
    for part in ("confidence", "prediction", "heterogeneity"):
        for name, values in found[part].items():
            n = 200 if name.startswith("posterior") else replicates
            expected = CELLS[10, 0.1][part][name]["coverage"]
            error = (expected * (1 - expected) / n) ** 0.5 + ERROR
            assert values["coverage"] == pytest.approx(expected, abs=4.5 * error), name
