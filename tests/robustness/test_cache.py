"""Draws that are kept, shared by several processes, damaged or of another version: never a wrong number."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from igfmeta.bayes.mcmc import sampling
from igfmeta.bayes.mcmc.sampling import Plan, sample
from igfmeta.bayes.mcmc.store import DrawStore, kept_in
from igfmeta.evidence import load_evidence
from igfmeta.synthesis import kept_draws


def drawn(seed: int):
    import xarray as xr

    rng, shape = np.random.default_rng(seed), ("chain", "draw")
    values = {name: (shape, rng.normal(size=(2, 200))) for name in ("mu", "tau")}
    stats = {"energy": (shape, rng.normal(size=(2, 200))), "diverging": (shape, np.zeros((2, 200), bool))}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(values), "sample_stats": xr.Dataset(stats)})


@pytest.fixture
def counted(monkeypatch):
    """Sampling by a stand-in that draws from the seed of its plan, and how often it was asked."""
    asked = []

    def stand_in(_model, plan, _sampler):
        asked.append(plan.seed)
        return drawn(plan.seed)

    monkeypatch.setattr(sampling, "_drawn", stand_in)
    return asked


def mu(folder, key="k", seed=1):
    with kept_in(DrawStore(folder, key, "os")):
        return sample(None, Plan(seed=seed, sampler="pymc")).tree["posterior"]["mu"].to_numpy()


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other", "folder", "text"])
def test_what_is_kept_and_damaged_is_sampled_anew_to_the_same_answer(tmp_path, counted, damage):
    without = drawn(1)["posterior"]["mu"].to_numpy()
    first, again = mu(tmp_path), mu(tmp_path)
    assert len(counted) == 1
    path = DrawStore(tmp_path, "k", "os").path
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
        with pytest.raises(Exception, match="is a folder"):
            mu(tmp_path)
        return
    if damage == "other":
        mu(tmp_path, "other", seed=2)
        (tmp_path / "other.nc").replace(path)
    else:
        middle = len(whole) // 2
        bit = whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "bit": bit, "empty": b"", "text": b"x" * 999}[damage])
    for found in (first, again, mu(tmp_path), mu(tmp_path)):
        np.testing.assert_array_equal(found, without)
    assert counted.count(1) == 2


def test_draws_of_another_version_have_another_key(monkeypatch):
    evidence = load_evidence(tables=("trials",))
    options = {"outcome": "os", "measure": "HR", "by": ("tumor",), "priors": {}, "seed": 1}
    plan = Plan(sampler="pymc")
    now = kept_draws.key_of(evidence, options, plan)
    with monkeypatch.context() as patched:
        patched.setattr(kept_draws, "__version__", "9.9.9")
        assert kept_draws.key_of(evidence, options, plan) != now
    with monkeypatch.context() as patched:
        patched.setattr(kept_draws, "version", lambda name: "9.9.9" if name == "pymc" else "1")
        assert kept_draws.key_of(evidence, options, plan) != now


#: Five processes of two keys on one folder; the first is killed when its file is written and not yet in its place.
TOGETHER = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
import h5netcdf, xarray
import test_cache
from igfmeta.bayes.mcmc.store import DrawStore

children = {}
for i in range(5):
    pid = os.fork()
    if pid == 0:
        if i == 0:
            os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        store, right = DrawStore(Path(sys.argv[1]), f"k{i % 2}", "os"), test_cache.drawn(i % 2)["posterior"]["mu"]
        wrong = 0
        for _ in range(3):
            found = store.load()
            if found is None:
                store.save(test_cache.drawn(i % 2))
            else:
                wrong += not np.array_equal(found["posterior"]["mu"], right)
            if i > 3:
                store.path.unlink(missing_ok=True)
        os._exit(wrong)
    children[pid] = i
print(json.dumps({children[pid]: os.waitstatus_to_exitcode(s) for pid, s in (os.wait() for _ in range(5))}))
"""


def test_processes_that_share_a_folder_never_read_what_is_not_theirs(tmp_path):
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said.pop("0") in (-9, 0)  # killed, unless another had saved before it looked
    assert set(said.values()) == {0}, done.stderr
