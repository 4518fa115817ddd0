"""What benchmarks/fuzz.py recorded, and a sample of it: every input is answered or refused by a sentence."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igfmeta.errors import InputError
from igfmeta.evidence.columns import read_columns
from igfmeta.synthesis.protocol_files import read_protocol

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((BENCHMARKS / "fuzz.json").read_text())["targets"]

#: What a machine in a hurry tries of each target.
SAMPLE = {
    "command line": 12, "evidence": 60, "valid evidence, pooled": 60, "command line: files of every kind": 8,
    "verify: reports": 8,
    "diff: bundles": 15, "diff: evidence": 15, "diagnose: draws": 15, "import: workbooks": 15, "audit: evidence": 20,
    "km: digitised curves": 40, "dose: exposure groups": 40,
}  # fmt: skip


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fuzz

    return fuzz


def test_every_target_is_recorded_and_none_failed(fuzz):
    assert set(RECORD) == set(fuzz.TARGETS)
    for name, found in RECORD.items():
        assert (found["crashes"], found["hangs"], found["wrong"], found["failures"]) == (0, 0, 0, []), name
        assert found["answered"] + found["refused"] == found["inputs"], name
        assert found["answered"] > 0, name


def test_the_record_is_of_a_hundred_thousand_inputs_and_ten_thousand_pools():
    assert sum(found["inputs"] for found in RECORD.values()) >= 100_000
    assert RECORD["valid tables, pooled"]["inputs"] >= 10_000


@pytest.mark.parametrize("name", list(RECORD))
def test_a_sample_is_answered_or_refused(fuzz, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    target, failures = fuzz.TARGETS[name], []
    for i in range(SAMPLE.get(name, 20 if name.startswith("import:") else 200)):
        made = target.make(random.Random(f"sample/{name}/{i}"))
        fuzz._outcome(target, made, tmp_path, failures, i)
    assert failures == []


def test_a_crash_and_a_wrong_acceptance_are_seen(fuzz, tmp_path):
    def broken(made, _folder):
        if made:
            raise KeyError(made)
        raise AssertionError("wrong")

    failures = []
    target = fuzz.Target(1, lambda _: "x", broken)
    assert fuzz._outcome(target, "x", tmp_path, failures, 0) == "crashes"
    assert fuzz._outcome(target, "", tmp_path, failures, 1) == "wrong"
    assert len(failures) == 2


FAST = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FAST
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: ("yi,vi\n" + text).encode()))
def test_any_bytes_are_a_table_or_a_sentence(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        frame = read_columns(path, numeric=["yi", "vi"], text=[])
        assert not frame.isin([float("inf"), float("-inf")]).any().any()


@FAST
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_protocol_or_a_sentence(tmp_path, data):
    path = tmp_path / "p.toml"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_protocol(path)


def test_a_long_table_is_read_in_bounded_memory_and_answered_alike():
    record = json.loads((BENCHMARKS / "batch.json").read_text())
    assert record["groups"] == 100_000
    assert record["rows"] > 900_000
    assert record["same_bytes"]
    assert max(run["peak_mb"] for run in record["runs"]) < 500
