"""Draws by PyMC: the sampler named, the seed given, the compiled code such that a seed repeats."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.mcmc.diagnostics import Diagnostics, diagnose
from igfmeta.bayes.mcmc.store import active_store
from igfmeta.errors import InputError, check_choice
from igfmeta.files import write_whole
from igfmeta.numerics import Floats

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

SAMPLERS = ("pymc", "nutpie")


@dataclass(frozen=True)
class Plan:
    """How to sample.

    Attributes
    ----------
    draws, tune : int
        Of each chain.
    chains, cores : int
    seed : int
    target_accept : float
        High, because hierarchies with few studies have narrow necks.
    sampler : {"pymc", "nutpie"} or None
        None takes nutpie where it is installed; the result names the one that was taken.
    progress : bool
        Whether to show a progress bar.
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    seed: int = 1
    target_accept: float = 0.95
    sampler: str | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("draws", "tune", "chains", "cores"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} was {value!r}; accepted is a whole number above 0.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed was {self.seed!r}; accepted is a whole number, 0 or above.")
        if not 0 < self.target_accept < 1:
            raise InputError(f"target_accept was {self.target_accept!r}; accepted is a number between 0 and 1.")

    def named_sampler(self) -> str:
        """Return the sampler that will be used."""
        if self.sampler is None:
            return "nutpie" if find_spec("nutpie") else "pymc"
        chosen = check_choice("sampler", self.sampler, SAMPLERS)
        if chosen == "nutpie" and not find_spec("nutpie"):
            raise InputError("sampler was 'nutpie', which is not installed: add the extra igfmeta[nutpie].")
        return chosen


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws and what is to be said of them.

    Attributes
    ----------
    tree : xarray.DataTree
        As ArviZ takes it; without the time of day.
    diagnostics : Diagnostics
    sampler : str
        Such as "nutpie 0.16.11".
    plan : Plan
    """

    tree: xr.DataTree
    diagnostics: Diagnostics
    sampler: str
    plan: Plan

    def draws(self, name: str) -> Any:
        """Return the draws of a variable, chains one after the other: shape (chains x draws, ...)."""
        values: Any = self.tree["posterior"].to_dataset()[name].to_numpy()
        return values.reshape(-1, *values.shape[2:])

    def add(self, group: str, **variables: tuple[Floats, str | None]) -> None:
        """Add variables to a group of the tree: values of shape (chains x draws, n) with the name of their dimension.

        A variable without a dimension has shape (chains x draws,). A dimension that the posterior knows keeps its
        coordinates.
        """
        import xarray as xr

        posterior = self.tree["posterior"].to_dataset()
        chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
        made = {}
        for name, (values, dim) in variables.items():
            dims = ("chain", "draw") if dim is None else ("chain", "draw", dim)
            made[name] = (dims, values.reshape(chains, draws, *values.shape[1:]))
        added = xr.Dataset(made, coords={"chain": posterior["chain"], "draw": posterior["draw"]})
        for dim in (str(name) for name in added.dims if name not in ("chain", "draw")):
            known = posterior.coords[dim] if dim in posterior.coords else np.arange(added.sizes[dim])
            added = added.assign_coords({dim: known})
        before = self.tree[group].to_dataset() if group in self.tree.children else xr.Dataset()
        self.tree[group] = xr.DataTree(before.merge(added))

    def labelled(self, **names: Sequence[str]) -> Sampled:
        """Return the draws with names for the places of dimensions, such as `labelled(cell=["tki, nsclc"])`."""

        def named(dataset: xr.Dataset) -> xr.Dataset:
            return dataset.assign_coords({dim: list(new) for dim, new in names.items() if dim in dataset.dims})

        return replace(self, tree=self.tree.map_over_datasets(named))

    def save(self, path: str | Path) -> None:
        """Write the draws as netCDF, which `arviz.from_netcdf` reads; the file appears whole or not at all."""
        write_whole(Path(path), bytes(self.tree.to_netcdf(engine="h5netcdf")))


def load_pymc() -> Any:
    """Return the module pymc, with compiled code such that a seed gives the same draws, cold or from the cache.

    To be called before a model is built: with fast mathematics the first compilation and the cached one differ.
    """
    import pytensor

    pytensor.config.numba__fastmath = False
    import pymc

    return pymc


@contextmanager
def _quiet(loud: bool) -> Iterator[None]:
    """Keep standard output clean: what PyMC says goes to standard error, or nowhere."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(level if loud else logging.CRITICAL)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)


def sample(model: Any, plan: Plan | None = None, *, watch: Sequence[str] | None = None) -> Sampled:
    """Draw from the posterior of a PyMC model.

    Parameters
    ----------
    model : pymc.Model
        Built with the module that `load_pymc` returns.
    plan : Plan, optional
    watch : sequence of str, optional
        Variables whose convergence is judged; default all.
    """
    plan = plan or Plan()
    sampler, store = plan.named_sampler(), active_store()
    tree = None if store is None else store.load()
    if tree is None:
        tree = _drawn(model, plan, sampler)
        if store is not None:
            store.save(tree)
    from importlib.metadata import version

    return Sampled(tree, diagnose(tree, watch=watch), f"{sampler} {version(sampler)}", plan)


def _drawn(model: Any, plan: Plan, sampler: str) -> xr.DataTree:
    """Return new draws, without the time of day."""
    pm = load_pymc()
    with _quiet(plan.progress), model:
        tree: xr.DataTree = pm.sample(
            draws=plan.draws,
            tune=plan.tune,
            chains=plan.chains,
            cores=plan.cores,
            random_seed=plan.seed,
            nuts_sampler=sampler,
            nuts={"target_accept": plan.target_accept},
            progressbar=plan.progress,
            compute_convergence_checks=False,
        )
    for node in tree.subtree:
        for clock in ("created_at", "sampling_time"):
            node.attrs.pop(clock, None)
    return tree
