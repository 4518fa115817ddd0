"""Draws are kept: a second build reads them, another seed or prior does not, and nothing half-written is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.store import DrawStore, active_store, kept_in
from igfmeta.bayes.tau_priors import parse_tau_prior
from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.synthesis.kept_draws import kept_sampler, key_of


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(tables=("trials",))


OPTIONS = {"outcome": "os", "measure": "HR", "by": ("tumor",), "priors": {}, "seed": 1, "agent_class": ("antibody",)}


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"outcome": "progression"}, {"priors": {"tumor": parse_tau_prior("half-normal(0.2)")}}],
    ids=["seed", "outcome", "prior"],
)
def test_what_draws_depend_on_is_in_their_key(evidence, change):
    plan = Plan(sampler="pymc")
    assert key_of(evidence, OPTIONS, plan) == key_of(evidence, dict(OPTIONS), plan)
    assert key_of(evidence, {**OPTIONS, **change}, plan) != key_of(evidence, OPTIONS, plan)
    assert key_of(evidence, OPTIONS, Plan(sampler="pymc", draws=50)) != key_of(evidence, OPTIONS, plan)


def tree():
    import xarray as xr

    draws = xr.Dataset({"mu": (("chain", "draw"), np.random.default_rng(1).normal(size=(2, 5)))})
    return xr.DataTree.from_dict({"posterior": draws})


def test_draws_come_back_to_the_last_digit_and_a_damaged_file_is_as_good_as_none(tmp_path):
    store = DrawStore(tmp_path / "cache", "k", "os")
    assert store.load() is None
    made = tree()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.save, [made] * 4))
    assert [path.name for path in store.folder.iterdir()] == ["k.nc"]
    np.testing.assert_array_equal(store.load()["posterior"]["mu"], made["posterior"]["mu"])
    whole = store.path.read_bytes()
    damaged = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(0, len(whole), len(whole) // 300)]
    for content in (whole[:100], whole[:-1], whole + b"x", b"", *damaged):
        store.path.write_bytes(content)
        assert store.load() is None
    # The draws of another model, under this name.
    store.path.write_bytes(whole)
    store.path.replace(tmp_path / "cache" / "other.nc")
    assert DrawStore(tmp_path / "cache", "other", "os").load() is None


def test_a_cache_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot be made: .*Choose another by --cache"):
        DrawStore(tmp_path / "file" / "cache", "k", "os").save(tree())


def test_what_is_not_kept_is_refused_where_only_kept_draws_are_wanted(tmp_path, evidence):
    with pytest.raises(InputError, match=r"The draws of os \(HR\) are not in .*; run once without"):
        kept_sampler(tmp_path, only=True)(evidence, OPTIONS)


def test_a_store_holds_for_one_model_only(tmp_path):
    store = DrawStore(tmp_path, "k", "os")
    with kept_in(store):
        assert active_store() is store
    assert active_store() is None
