"""Draws kept in files, so that the same model, data, priors, seed and versions are sampled once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igfmeta.errors import InputError
from igfmeta.files import content_of, write_whole

if TYPE_CHECKING:
    import xarray as xr


#: Bytes of a SHA-256.
DIGEST = 32


@dataclass(frozen=True)
class DrawStore:
    """Where the draws of one model are kept.

    Files appear whole or not at all, under a name that says everything they depend on, so that several processes may
    share a folder, and an interrupted run finds what it had. The SHA-256 of the draws stands at the end of their file:
    what was damaged since, by however little, is as good as absent.

    Attributes
    ----------
    folder : Path
    key : str
        A hash of model, data, priors, seed and versions.
    name : str
        Of the model, in words.
    only : bool
        Refuse to sample what is not kept.
    """

    folder: Path
    key: str
    name: str
    only: bool = False

    @property
    def path(self) -> Path:
        return self.folder / f"{self.key}.nc"

    def load(self) -> xr.DataTree | None:
        """Return the draws; None where there are none, or they are not what was kept."""
        import xarray as xr

        draws = self._kept()
        if draws is not None:
            with xr.open_datatree(io.BytesIO(draws), engine="h5netcdf") as tree:
                return tree.load()
        if self.only:
            raise InputError(
                f"The draws of {self.name} are not in {self.folder}; run once without --offline-cache-only."
            )
        return None

    def _kept(self) -> bytes | None:
        try:
            content = content_of(self.path)
        except InputError:
            return None
        draws, digest = content[:-DIGEST], content[-DIGEST:]
        return draws if hashlib.sha256(self.key.encode() + draws).digest() == digest else None

    def save(self, tree: xr.DataTree) -> None:
        """Keep draws."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be made: {error.strerror}. Choose another by --cache.") from None
        draws = bytes(tree.to_netcdf(engine="h5netcdf"))
        write_whole(self.path, draws + hashlib.sha256(self.key.encode() + draws).digest())


_store: ContextVar[DrawStore | None] = ContextVar("draw_store", default=None)


def active_store() -> DrawStore | None:
    """Return the store of the model that is being fitted."""
    return _store.get()


@contextmanager
def kept_in(store: DrawStore) -> Iterator[None]:
    """Keep what is sampled inside, or take it from where it is kept; one model at a time."""
    token = _store.set(store)
    try:
        yield
    finally:
        _store.reset(token)
